//go:build darwin || freebsd || linux

package commitlog

import (
	"errors"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// syncDir makes the entries of a directory durable: created, renamed and removed files.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, unix.EINVAL) {
		err = nil // some file systems can't, as Java's FileChannel.force finds too
	}
	return errors.Join(err, f.Close())
}

// diskSpace returns the bytes of the directory's file system: all of them, and those that are left to us.
func diskSpace(dir string) (total, usable int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	size := uint64(st.Bsize) //nolint:unconvert // the field's type differs between systems
	return clampToInt64(uint64(st.Blocks), size), clampToInt64(uint64(st.Bavail), size), nil
}

func clampToInt64(blocks, size uint64) int64 {
	if size != 0 && blocks > math.MaxInt64/size {
		return math.MaxInt64
	}
	return int64(blocks * size)
}
