package group

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// timerEntry is a group's place in the heap.
type timerEntry struct {
	at    time.Time
	index int // -1 when it isn't in the heap
	shard *shard
	group *group
}

// timers is one heap for all groups of a broker.
type timers struct {
	mu      sync.Mutex
	entries entryHeap
	changed chan struct{} // has room for one: the first entry has changed
}

func newTimers() *timers { return &timers{changed: make(chan struct{}, 1)} }

// schedule has a group looked at no later than at a time, or not at all. The lock of its shard is held.
func (t *timers) schedule(e *timerEntry, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case at.IsZero():
		if e.index >= 0 {
			heap.Remove(&t.entries, e.index)
		}
		return
	case e.index >= 0:
		if e.at.Equal(at) {
			return
		}
		e.at = at
		heap.Fix(&t.entries, e.index)
	default:
		e.at = at
		heap.Push(&t.entries, e)
	}
	if e.index == 0 {
		select {
		case t.changed <- struct{}{}:
		default:
		}
	}
}

// due takes out what is due, and tells when the next is (zero: there is none).
func (t *timers) due(now time.Time) (list []*timerEntry, next time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.entries) > 0 {
		if t.entries[0].at.After(now) {
			return list, t.entries[0].at
		}
		list = append(list, heap.Pop(&t.entries).(*timerEntry))
	}
	return list, time.Time{}
}

// run calls fire for every entry that is due, until ctx ends.
func (t *timers) run(ctx context.Context, fire func(*timerEntry)) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		list, next := t.due(time.Now())
		for _, e := range list {
			fire(e)
		}
		if len(list) > 0 {
			continue // firing takes time
		}
		var wait <-chan time.Time
		if !next.IsZero() {
			timer.Reset(time.Until(next))
			wait = timer.C
		}
		select {
		case <-ctx.Done():
			return
		case <-wait:
		case <-t.changed:
		}
	}
}

// entryHeap is ordered by time.
type entryHeap []*timerEntry

func (h entryHeap) Len() int           { return len(h) }
func (h entryHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h entryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is heap.Interface's.
func (h *entryHeap) Push(x any) {
	e := x.(*timerEntry)
	e.index = len(*h)
	*h = append(*h, e)
}

// Pop is heap.Interface's.
func (h *entryHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	e.index = -1
	return e
}
