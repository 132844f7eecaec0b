//go:build !linux

package commitlog

import "os"

// openFile opens a file that isn't a pipe or a device.
func openFile(path string, flags int, perm os.FileMode) (*os.File, error) {
	return os.OpenFile(path, flags, perm)
}

// fileSize returns how large a file is.
func fileSize(path string) (int64, error) {
	st, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// plainFile is a file that is opened, read and closed at once.
type plainFile = *os.File

func openPlain(path string) (plainFile, error) { return os.Open(path) }
