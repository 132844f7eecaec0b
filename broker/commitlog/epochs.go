package commitlog

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"sync"
)

// EpochEntry says that the batches from StartOffset on were appended by the leader of Epoch.
type EpochEntry struct {
	Epoch       int32
	StartOffset int64
}

// epochCache is a log's leader-epoch-checkpoint: which leader epoch begins at which offset. Source: LeaderEpochFileCache.java.
//
// The file is behind the memory until the log is flushed, rolled, closed or the manager's tick writes it. That loses nothing: an unclean
// start reads the epochs of everything that wasn't flushed from the batches. So becoming leader of 1,000 partitions writes no file.
//
// Invariant: epochs and start offsets rise strictly.
type epochCache struct {
	path   string
	chores *chores // told when the file falls behind; nil for nobody

	mu struct {
		sync.RWMutex
		entries []EpochEntry
		dirty   bool // the file is older than entries
	}
}

const noEpoch int32 = -1

// load reads the file. missing tells that there is none, or an empty one.
func (c *epochCache) load(dir string) (missing bool, err error) {
	c.path = filepath.Join(dir, epochFile)
	content, err := readSmallFile(c.path)
	if err != nil {
		return false, err
	}
	var entries []EpochEntry
	err = parseCheckpoint(content, 2, func(f []string) error {
		epoch, err := strconv.ParseInt(f[0], 10, 32)
		if err != nil {
			return fmt.Errorf("epoch %q: %w", f[0], errMalformed)
		}
		offset, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return fmt.Errorf("start offset %q: %w", f[1], errMalformed)
		}
		if n := len(entries); n > 0 && (entries[n-1].Epoch >= int32(epoch) || entries[n-1].StartOffset >= offset) {
			return fmt.Errorf("epoch %d at %d after epoch %d at %d: %w", epoch, offset, entries[n-1].Epoch, entries[n-1].StartOffset, errMalformed)
		}
		entries = append(entries, EpochEntry{int32(epoch), offset})
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("%s: %w", c.path, err)
	}
	c.mu.entries, c.mu.dirty = entries, content == nil
	return len(content) == 0, nil
}

// flush writes the file if it is older than the memory.
func (c *epochCache) flush(sync bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.mu.dirty {
		if sync {
			return syncFile(c.path)
		}
		return nil
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "0\n%d\n", len(c.mu.entries))
	for _, e := range c.mu.entries {
		fmt.Fprintf(&b, "%d %d\n", e.Epoch, e.StartOffset)
	}
	if err := replaceFile(c.path, b.Bytes(), sync); err != nil {
		return err
	}
	c.mu.dirty = false
	return nil
}

func (c *epochCache) latest() int32 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if n := len(c.mu.entries); n > 0 {
		return c.mu.entries[n-1].Epoch
	}
	return noEpoch
}

// assign notes that epoch begins at an offset. An epoch that isn't newer changes nothing; entries at or behind the offset give way, as
// they belong to leaders that appended nothing which is still there. Source: LeaderEpochFileCache.assign, maybeTruncateNonMonotonicEntries.
func (c *epochCache) assign(epoch int32, start int64) {
	if epoch < 0 || start < 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	entries := c.mu.entries
	n := len(entries)
	if n > 0 && entries[n-1].Epoch >= epoch {
		return
	}
	for n > 0 && entries[n-1].StartOffset >= start {
		n--
	}
	c.mu.entries = append(entries[:n], EpochEntry{epoch, start})
	c.changedLocked()
}

// truncateFromEnd drops the entries that begin at or behind the offset.
func (c *epochCache) truncateFromEnd(end int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.mu.entries)
	for n > 0 && c.mu.entries[n-1].StartOffset >= end {
		n--
	}
	if n < len(c.mu.entries) {
		c.mu.entries = c.mu.entries[:n]
		c.changedLocked()
	}
}

// truncateFromStart drops the entries that end before the offset; the one that holds it begins there afterwards.
func (c *epochCache) truncateFromStart(start int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := sort.Search(len(c.mu.entries), func(i int) bool { return c.mu.entries[i].StartOffset > start }) - 1
	if i < 0 || (i == 0 && c.mu.entries[0].StartOffset == start) {
		return
	}
	c.mu.entries = slices.Clone(c.mu.entries[i:])
	c.mu.entries[0].StartOffset = start
	c.changedLocked()
}

func (c *epochCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.entries) > 0 {
		c.mu.entries = nil
		c.changedLocked()
	}
}

// changedLocked notes that the file is older than the memory.
func (c *epochCache) changedLocked() {
	c.mu.dirty = true
	if c.chores != nil {
		c.chores.want(metadata)
	}
}

// endOffsetFor returns the largest epoch known that is at most the requested one, and where it ends. (-1, -1) when unknown.
// Source: LeaderEpochFileCache.endOffsetFor.
func (c *epochCache) endOffsetFor(requested int32, logEnd int64) (int32, int64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	entries := c.mu.entries
	n := len(entries)
	switch {
	case requested < 0 || n == 0 || requested > entries[n-1].Epoch:
		return noEpoch, -1
	case requested == entries[n-1].Epoch:
		return requested, logEnd
	}
	i := sort.Search(n, func(i int) bool { return entries[i].Epoch > requested }) // exists: requested is less than the latest
	if i == 0 {
		return requested, entries[0].StartOffset // older than anything here: everything of it lies before the first epoch
	}
	return entries[i-1].Epoch, entries[i].StartOffset
}

// at returns the epoch of the batch at an offset, -1 when unknown.
func (c *epochCache) at(offset int64) int32 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	i := sort.Search(len(c.mu.entries), func(i int) bool { return c.mu.entries[i].StartOffset > offset })
	if i == 0 {
		return noEpoch
	}
	return c.mu.entries[i-1].Epoch
}

func (c *epochCache) snapshot() []EpochEntry {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Clone(c.mu.entries)
}
