package interop

import "syscall"

// endWithTest kills a child when the test process dies.
func endWithTest() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
