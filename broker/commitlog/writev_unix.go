//go:build darwin || linux || openbsd

package commitlog

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// maxIovecs is IOV_MAX of the systems we know.
const maxIovecs = 1024

// writeVectorAt writes the buffers one after the other at a position, in as few system calls as possible. bufs is used up.
func writeVectorAt(f *os.File, bufs [][]byte, at int64) error {
	if len(bufs) == 1 {
		_, err := f.WriteAt(bufs[0], at)
		return err
	}
	fd := int(f.Fd())
	for len(bufs) > 0 {
		n, err := unix.Pwritev(fd, bufs[:min(len(bufs), maxIovecs)], at)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return &os.PathError{Op: "pwritev", Path: f.Name(), Err: err}
		}
		if n == 0 {
			return &os.PathError{Op: "pwritev", Path: f.Name(), Err: io.ErrShortWrite}
		}
		at += int64(n)
		for n > 0 {
			if n < len(bufs[0]) {
				bufs[0] = bufs[0][n:]
				break
			}
			n -= len(bufs[0])
			bufs = bufs[1:]
		}
		for len(bufs) > 0 && len(bufs[0]) == 0 {
			bufs = bufs[1:]
		}
	}
	return nil
}
