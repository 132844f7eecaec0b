//go:build unix && !linux

package cli

import (
	"os"
	"os/exec"
	"syscall"
)

// ownProcessGroup keeps a terminal's Ctrl-C from reaching the child: the supervisor stops it in order.
func ownProcessGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func askToEnd(p *os.Process) { _ = p.Signal(syscall.SIGTERM) }
