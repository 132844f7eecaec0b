package cli

import (
	"os"
	"os/exec"
	"syscall"
)

// ownProcessGroup keeps a terminal's Ctrl-C from reaching the child (the supervisor stops it in order) and ends the child when the supervisor dies.
func ownProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

func askToEnd(p *os.Process) { _ = p.Signal(syscall.SIGTERM) }
