//go:build !(darwin || freebsd || linux)

package commitlog

// syncDir does nothing where directories can't be synced.
func syncDir(string) error { return nil }

// diskSpace isn't known here.
func diskSpace(string) (total, usable int64, err error) { return -1, -1, nil }
