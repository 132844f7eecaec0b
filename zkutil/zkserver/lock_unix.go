//go:build unix

package zkserver

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockFile opens path and locks it until the file is closed or the process ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, errLogBusy
	}
	return f, nil
}
