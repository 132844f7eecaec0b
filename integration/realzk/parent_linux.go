package realzk

import "syscall"

// endWithParent kills the server when the test process dies.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
