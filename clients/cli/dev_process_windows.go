package cli

import (
	"os"
	"os/exec"
	"syscall"
)

// ownProcessGroup keeps a console's Ctrl-C from reaching the child: the supervisor stops it.
func ownProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// askToEnd ends the process; Windows has no signal that a process without a console could be asked with.
func askToEnd(p *os.Process) { _ = p.Kill() }
