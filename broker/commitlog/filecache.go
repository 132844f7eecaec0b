package commitlog

import (
	"os"
	"sync"
	"sync/atomic"
)

// fileCache limits how many .log files are open at once, over all logs of a manager. A segment opens its file when it needs it; files that
// haven't been used for a while, or the least recently used ones beyond the capacity, are closed again. So 10,000 idle partitions hold no file.
//
// A closed file that still has readers stays open until the last one releases it.
type fileCache struct {
	capacity int
	opened   func() // called when there is a file that may become idle; nil for nobody

	mu struct {
		sync.Mutex
		open []*handle // in no order; the clock hand goes round it
		hand int
	}
}

// handle is an open .log file with its users counted. The segment that opened it holds one reference.
type handle struct {
	f    *os.File
	seg  *segment
	refs atomic.Int32
	used atomic.Bool // since the clock hand or the sweep last came by
	at   int         // index in fileCache.mu.open, -1 when not in it
}

func newFileCache(capacity int) *fileCache { return &fileCache{capacity: max(capacity, 1)} }

// release gives up one reference.
func (h *handle) release() {
	if h.refs.Add(-1) == 0 {
		// Nothing is buffered in the process: what could fail has failed at the write or will at the sync, which opens the file anew.
		_ = h.f.Close()
	}
}

// add counts a newly opened file and closes others when there are too many. No segment lock may be held.
func (c *fileCache) add(h *handle) {
	c.mu.Lock()
	h.at = len(c.mu.open)
	c.mu.open = append(c.mu.open, h)
	var victims []*handle
	for excess := len(c.mu.open) - c.capacity; excess > 0; excess-- {
		victim := c.nextVictimLocked(h)
		if victim == nil {
			break
		}
		c.dropLocked(victim)
		victims = append(victims, victim)
	}
	c.mu.Unlock()
	if c.opened != nil {
		c.opened()
	}
	for _, v := range victims {
		v.seg.closeHandle(v)
	}
}

// nextVictimLocked finds a file that wasn't used since the hand last passed it, at the latest after two rounds.
func (c *fileCache) nextVictimLocked(except *handle) *handle {
	for range 2 * len(c.mu.open) {
		c.mu.hand++
		if c.mu.hand >= len(c.mu.open) {
			c.mu.hand = 0
		}
		h := c.mu.open[c.mu.hand]
		if h != except && !h.used.Swap(false) {
			return h
		}
	}
	return nil
}

// remove forgets a file that its segment has closed.
func (c *fileCache) remove(h *handle) {
	c.mu.Lock()
	c.dropLocked(h)
	c.mu.Unlock()
}

func (c *fileCache) dropLocked(h *handle) {
	if h.at < 0 {
		return
	}
	last := len(c.mu.open) - 1
	moved := c.mu.open[last]
	c.mu.open[h.at], moved.at = moved, h.at
	c.mu.open[last] = nil
	c.mu.open = c.mu.open[:last]
	h.at = -1
}

// sweep closes the files that weren't used since the last sweep.
func (c *fileCache) sweep() {
	c.mu.Lock()
	var idle []*handle
	for _, h := range c.mu.open {
		if !h.used.Swap(false) {
			idle = append(idle, h)
		}
	}
	for _, h := range idle {
		c.dropLocked(h)
	}
	c.mu.Unlock()
	for _, h := range idle {
		h.seg.closeHandle(h)
	}
}

// count returns the number of open files that segments hold.
func (c *fileCache) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.mu.open)
}
