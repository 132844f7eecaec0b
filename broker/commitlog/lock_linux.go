package commitlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrLocked is returned when someone else holds the lock of a directory.
var ErrLocked = errors.New("log directory is in use")

// LockDir takes the directory's .lock with a record lock on the whole file: what Java's FileChannel.tryLock takes, and what excludes an Apache
// broker (flock wouldn't). An open file description lock is asked for: it conflicts with Java's as well, but also with a second manager
// in this process, and isn't lost when that one closes its file.
// The lock lasts until the file is closed or the process ends; [ErrLocked] tells that another holds it.
func LockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	whole := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &whole); err != nil {
		closeErr := f.Close()
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			return nil, fmt.Errorf("lock %s: %w", dir, ErrLocked)
		}
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), closeErr)
	}
	return f, nil
}
