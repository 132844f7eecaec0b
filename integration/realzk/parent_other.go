//go:build !linux

package realzk

import "syscall"

func endWithParent() *syscall.SysProcAttr { return nil }
