package commitlog

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// smallFileSystem mounts a file system of so many bytes; the test is skipped where that isn't allowed.
func smallFileSystem(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// remountReadOnly makes such a file system read-only. The manager's lock file is open for writing, which Linux would refuse, so it is closed first.
func remountReadOnly(t *testing.T, dir string, m *Manager) {
	t.Helper()
	for _, d := range m.dirs {
		if d.path == dir {
			if err := d.lock.Close(); err != nil {
				t.Fatal(err)
			}
			d.lock = nil
		}
	}
	if err := unix.Mount("none", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Skipf("remount: %v", err)
	}
}
