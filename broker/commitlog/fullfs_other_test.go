//go:build !linux

package commitlog

import "testing"

func smallFileSystem(t *testing.T, _ int) string {
	t.Helper()
	t.Skip("no small file system here")
	return ""
}

func remountReadOnly(*testing.T, string, *Manager) {}
