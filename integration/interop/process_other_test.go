//go:build !linux

package interop

import "syscall"

func endWithTest() *syscall.SysProcAttr { return nil }
