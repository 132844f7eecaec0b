//go:build !linux

package commitlog

import "os"

// preallocate does nothing here.
func preallocate(*os.File, int64, int64) bool { return false }

// syncFileSystem isn't supported here: the caller syncs file by file.
func syncFileSystem(string) (bool, error) { return false, nil }
