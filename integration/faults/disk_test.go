//go:build linux

package faults_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// diskSize bounds the disk that can be filled: more than a run writes, and little enough to fill.
const diskSize = "size=192m"

// filler is the file that fills a disk.
const filler = "filler"

// mount gives a directory a small file system of its own, until the cluster is stopped. That takes root.
func (c *cluster) mount(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, diskSize); err != nil {
		return fmt.Errorf("mount a file system on %s: %w", dir, err)
	}
	c.undo = append(c.undo, func() {
		kept := dir + ".kept" // a failing run keeps its files
		if err := os.CopyFS(kept, os.DirFS(dir)); err != nil {
			c.log("keep %s: %v", dir, err)
		}
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			c.log("unmount %s: %v", dir, err)
		}
	})
	return nil
}

// hasDisk tells whether a node's data are on a file system of their own.
func (n *node) hasDisk() bool {
	var own, parent syscall.Stat_t
	return syscall.Stat(n.data, &own) == nil && syscall.Stat(n.dir, &parent) == nil && own.Dev != parent.Dev
}

// fill takes all the space that is left on a node's disk; free gives it back.
func (n *node) fill() (free func() error, err error) {
	path := filepath.Join(n.data, filler)
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	chunk := make([]byte, 64<<10)
	for len(chunk) > 0 {
		if _, err := f.Write(chunk); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				return nil, errors.Join(err, os.Remove(path))
			}
			chunk = chunk[:len(chunk)/2]
		}
	}
	return func() error { return os.Remove(path) }, nil
}
