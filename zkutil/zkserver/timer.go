package zkserver

import (
	"container/heap"
	"time"
)

// timerEntry is something the core does at a time.
type timerEntry struct {
	at  time.Time
	seq uint64 // entries of one instant run in the order they were made
	run func()
}

type timerHeap []*timerEntry

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}
func (h timerHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)   { *h = append(*h, x.(*timerEntry)) }
func (h *timerHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}

func (k *core) at(t time.Time, run func()) {
	k.stamp++
	heap.Push(&k.timers, &timerEntry{at: t, seq: k.stamp, run: run})
}

func (k *core) after(d time.Duration, run func()) { k.at(k.now.Add(d), run) }

func (k *core) runTimers() {
	for len(k.timers) > 0 && !k.timers[0].at.After(k.now) {
		heap.Pop(&k.timers).(*timerEntry).run()
	}
}
