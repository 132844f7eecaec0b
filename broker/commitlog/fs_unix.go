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
	return clampToInt64(st.Blocks, st.Bsize), clampToInt64(st.Bavail, st.Bsize), nil
}

// clampToInt64 multiplies; the types of the fields differ between systems.
func clampToInt64[B, S int32 | int64 | uint32 | uint64](blocks B, size S) int64 {
	n, each := uint64(blocks), uint64(size)
	if each != 0 && n > math.MaxInt64/each {
		return math.MaxInt64
	}
	return int64(n * each)
}
