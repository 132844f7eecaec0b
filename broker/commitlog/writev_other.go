//go:build !(darwin || linux || openbsd)

package commitlog

import "os"

// writeVectorAt writes the buffers one after the other at a position: joined into one write here, which costs a copy but
// saves the system calls.
func writeVectorAt(f *os.File, bufs [][]byte, at int64) error {
	if len(bufs) == 1 {
		_, err := f.WriteAt(bufs[0], at)
		return err
	}
	total := 0
	for _, b := range bufs {
		total += len(b)
	}
	joined := make([]byte, 0, total)
	for _, b := range bufs {
		joined = append(joined, b...)
	}
	_, err := f.WriteAt(joined, at)
	return err
}
