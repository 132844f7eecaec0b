//go:build !unix

package zkserver

import "os"

// lockFile opens path. Where there is no flock, two servers on one directory are the operator's to avoid.
func lockFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
}
