package commitlog

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// logDir is one of log.dirs. The first error of the file system takes it offline: everything on it answers ErrStorage from then on, as Kafka does, so that
// leadership moves to replicas whose disks work.
type logDir struct {
	path      string
	onFailure func(dir string, err error) // may be nil
	failed    atomic.Pointer[error]
	noReserve atomic.Bool // the file system can't reserve space

	lock *os.File // the open .lock

	recoveryPoints, logStarts, highWatermarks checkpoint
}

func newLogDir(path string, onFailure func(string, error)) *logDir {
	d := &logDir{path: path, onFailure: onFailure}
	d.recoveryPoints.init(recoveryPointFile)
	d.logStarts.init(logStartFile)
	d.highWatermarks.init(highWatermarkFile)
	return d
}

// offline returns ErrStorage when the directory has failed.
func (d *logDir) offline() error {
	if p := d.failed.Load(); p != nil {
		return &Error{Kind: KindStorage, Detail: d.path, Err: *p}
	}
	return nil
}

// fail turns an error of an operation on this directory into what the caller returns. Errors with a kind of their own pass; anything else
// comes from the file system and takes the directory offline.
func (d *logDir) fail(err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	var corrupt *CorruptError
	if errors.As(err, &corrupt) {
		return &Error{Kind: KindCorruptMessage, Err: err} // bytes went bad, the disk works: recovery at the next start will cut them off
	}
	return d.takeOffline(err)
}

// takeOffline ends the use of the directory.
func (d *logDir) takeOffline(err error) error {
	if d.failed.CompareAndSwap(nil, &err) && d.onFailure != nil {
		d.onFailure(d.path, err)
	}
	return &Error{Kind: KindStorage, Detail: d.path, Err: err}
}

// checkpoint writes one checkpoint file of a directory. Callers that come while it is being written share the next write, so that 100 concurrent DeleteRecords cost two.
type checkpoint struct {
	name string

	mu struct {
		sync.Mutex
		cond            *sync.Cond
		requested, done uint64 // how many writes were asked for, and which of them are satisfied
		writing         bool
		err             error
		last            string // what the file holds, if known
		known           bool
	}
}

func (c *checkpoint) init(name string) {
	c.name = name
	c.mu.cond = sync.NewCond(&c.mu)
}

// write replaces the file by what content returns, called after write was. A file that has this content already is left alone.
func (c *checkpoint) write(d *logDir, content func() []byte) error {
	if err := d.offline(); err != nil {
		return err
	}
	c.mu.Lock()
	c.mu.requested++
	mine := c.mu.requested
	for c.mu.done < mine && c.mu.writing {
		c.mu.cond.Wait()
	}
	if c.mu.done >= mine {
		err := c.mu.err
		c.mu.Unlock()
		return err
	}
	c.mu.writing = true
	satisfies := c.mu.requested
	last, known := c.mu.last, c.mu.known
	c.mu.Unlock()

	now := content()
	var err error
	if !known || last != string(now) {
		err = d.fail(replaceFile(filepath.Join(d.path, c.name), now, true))
	}

	c.mu.Lock()
	c.mu.writing, c.mu.done, c.mu.err = false, satisfies, err
	if err == nil {
		c.mu.last, c.mu.known = string(now), true
	}
	c.mu.cond.Broadcast()
	c.mu.Unlock()
	return err
}
