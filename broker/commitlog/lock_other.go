//go:build !linux && !windows

package commitlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrLocked is returned when someone else holds the lock of a directory.
var ErrLocked = errors.New("log directory is in use")

// LockDir takes the directory's .lock with flock, which excludes every other holder in any process. On the BSDs and macOS such locks and
// the record locks of Java see each other.
// The lock lasts until the file is closed or the process ends; [ErrLocked] tells that another holds it.
func LockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		closeErr := f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", dir, ErrLocked)
		}
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), closeErr)
	}
	return f, nil
}
