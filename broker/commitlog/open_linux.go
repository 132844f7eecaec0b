package commitlog

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// os.OpenFile offers every file to the network poller, which refuses those of a disk: five system calls, of which a start with thousands of partitions would make a hundred thousand.
// These open files without it.

// openFD is open(2), again when a signal came in between.
func openFD(path string, flags int, perm uint32) (int, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC|unix.O_LARGEFILE, perm)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// openFile is os.OpenFile for what isn't a pipe or a device.
func openFile(path string, flags int, perm os.FileMode) (*os.File, error) {
	fd, err := openFD(path, flags, uint32(perm.Perm()))
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// fileSize returns how large a file is.
func fileSize(path string) (int64, error) {
	var st unix.Stat_t
	for {
		err := unix.Stat(path, &st)
		if err == nil {
			return st.Size, nil
		}
		if !errors.Is(err, unix.EINTR) {
			return 0, &os.PathError{Op: "stat", Path: path, Err: err}
		}
	}
}

// plainFile is a file that is opened, read and closed at once: it has no finalizer, so whoever opens it closes it.
type plainFile int

func openPlain(path string) (plainFile, error) {
	fd, err := openFD(path, unix.O_RDONLY, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return plainFile(fd), nil
}

// Read is read(2), and io.EOF at the end. An interruption reads nothing.
func (f plainFile) Read(p []byte) (int, error) { return outcome(unix.Read(int(f), p)) }

// ReadAt fills p from a position, unless the file ends before that.
func (f plainFile) ReadAt(p []byte, at int64) (read int, err error) {
	for read < len(p) && err == nil {
		var n int
		n, err = outcome(unix.Pread(int(f), p[read:], at+int64(read)))
		read += n
	}
	return read, err
}

func outcome(n int, err error) (int, error) {
	switch {
	case errors.Is(err, unix.EINTR):
		return 0, nil
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Close closes the file.
func (f plainFile) Close() error { return unix.Close(int(f)) }
