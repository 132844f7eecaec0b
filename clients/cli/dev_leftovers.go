package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/prekraft/prekraft/broker/commitlog"
)

// tempPrefix begins the names of the temporary data directories of `prekraft dev`.
const tempPrefix = "prekraft-dev-"

// lockFileName is the file that commitlog.LockDir locks.
const lockFileName = ".lock"

// makeTempDir makes a temporary data directory and locks it, so that a later supervisor can tell that this one is alive. What dead ones have left is removed first.
func makeTempDir() (string, *os.File, error) {
	removeLeftovers()
	for {
		dir, err := os.MkdirTemp("", tempPrefix)
		if err != nil {
			return "", nil, err
		}
		lock, err := lockFresh(dir)
		if err == nil {
			return dir, lock, nil
		}
		if !errors.Is(err, commitlog.ErrLocked) && !errors.Is(err, fs.ErrNotExist) {
			return "", nil, errors.Join(err, os.RemoveAll(dir))
		}
		// Another supervisor took it for one of a dead one, between the two steps.
	}
}

// lockFresh locks a directory and makes sure that the locked file is still the one in it.
func lockFresh(dir string) (*os.File, error) {
	lock, err := commitlog.LockDir(dir)
	if err != nil {
		return nil, err
	}
	held, err := lock.Stat()
	if err == nil {
		var there os.FileInfo
		if there, err = os.Stat(filepath.Join(dir, lockFileName)); err == nil && !os.SameFile(held, there) {
			err = fmt.Errorf("%s: %w", dir, fs.ErrNotExist)
		}
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// removeLeftovers removes what supervisors that were killed have left: states of those whose data directory nobody locks, and temporary data directories that have a lock which
// nobody holds, and in which no broker runs any more. What can't be removed, such as another user's, stays.
func removeLeftovers() {
	if states, err := filepath.Glob(filepath.Join(devStateDir(), "*.json")); err == nil {
		for _, path := range states {
			if state, err := readDevState(path); err == nil && !locked(state.DataDir) {
				_ = os.Remove(path)
			}
		}
	}
	locks, err := filepath.Glob(filepath.Join(os.TempDir(), tempPrefix+"*", lockFileName))
	if err != nil {
		return
	}
	for _, path := range locks {
		dir := filepath.Dir(path)
		lock, err := lockFresh(dir)
		if err != nil {
			continue
		}
		running := brokerRuns(dir)
		_ = lock.Close() // first: some systems don't remove a file that is open
		if !running {
			_ = os.RemoveAll(dir)
		}
	}
}

// locked tells whether a process holds a directory's lock, or may: a directory that is gone is held by nobody.
func locked(dir string) bool {
	if _, err := os.Stat(dir); err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	lock, err := lockFresh(dir)
	if err != nil {
		return true
	}
	_ = lock.Close() // nothing was written
	return false
}

// brokerRuns tells whether a broker holds one of the directories of a supervisor: not everywhere does it end with its supervisor.
func brokerRuns(dir string) bool {
	locks, err := filepath.Glob(filepath.Join(dir, "broker-*", "data", lockFileName))
	if err != nil {
		return true
	}
	return slices.ContainsFunc(locks, func(path string) bool { return locked(filepath.Dir(path)) })
}
