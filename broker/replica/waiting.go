package replica

import (
	"container/heap"
	"sync"
	"sync/atomic"
)

// waiting holds the requests that wait on one partition. Its lock is a leaf: nothing else is locked under it.
type waiting struct {
	count    atomic.Int32 // registered fetches and produces; zero lets an append pass without the lock
	sessions watchers     // fetch sessions that hold the partition
	deletes  deletes      // DeleteRecords requests

	mu struct {
		sync.Mutex
		fetches  *fetchWaiter // list
		produces produceHeap  // by the offset they need, least first
	}
}

// fetchWaiter is one partition of a waiting fetch, a node of that partition's list.
type fetchWaiter struct {
	fetch      *pendingFetch
	partition  *Partition
	index      int   // into fetch.parts
	available  int64 // bytes counted so far in fetch.available; guarded by fetch.mu
	next, prev *fetchWaiter
	linked     bool
}

// produceWaiter is one partition of a waiting acks=all produce.
type produceWaiter struct {
	produce  *pendingProduce
	index    int   // into produce.items
	required int64 // the high watermark must reach this offset
	position int   // in the heap, -1 when taken out
}

func (w *waiting) addFetch(f *fetchWaiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f.next = w.mu.fetches
	if f.next != nil {
		f.next.prev = f
	}
	w.mu.fetches = f
	f.linked = true
	w.count.Add(1)
}

func (w *waiting) removeFetch(f *fetchWaiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !f.linked {
		return
	}
	f.linked = false
	if f.prev != nil {
		f.prev.next = f.next
	} else {
		w.mu.fetches = f.next
	}
	if f.next != nil {
		f.next.prev = f.prev
	}
	f.next, f.prev = nil, nil
	w.count.Add(-1)
}

func (w *waiting) addProduce(p *produceWaiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	heap.Push(&w.mu.produces, p)
	w.count.Add(1)
}

func (w *waiting) removeProduce(p *produceWaiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.position < 0 {
		return
	}
	heap.Remove(&w.mu.produces, p.position)
	w.count.Add(-1)
}

// notify completes what an advance of the high watermark, or an append, has satisfied. Called without locks.
func (w *waiting) notify(p *Partition, highWatermarkAdvanced, appended bool) {
	if highWatermarkAdvanced {
		finishSatisfied(p)
	}
	if highWatermarkAdvanced || appended {
		w.notifyFetches(p)
	}
}

// notifyAdvanced is notify for partitions whose high watermarks have advanced together: first the produces of all of them.
func notifyAdvanced(partitions []*Partition) {
	finishSatisfied(partitions...)
	for _, p := range partitions {
		p.waiting.notifyFetches(p)
	}
}

// finishSatisfied completes the produces that the partitions' high watermarks have satisfied, and sends their answers together: those for one connection leave at once.
func finishSatisfied(partitions ...*Partition) {
	var few [8]*pendingProduce
	over := few[:0]
	for _, p := range partitions {
		log := p.log.Load()
		if log == nil || p.waiting.count.Load() == 0 {
			continue
		}
		for _, one := range p.waiting.takeSatisfied(log.HighWatermark()) {
			if one.produce.settle(one.index) {
				over = append(over, one.produce)
			}
		}
	}
	finishProduces(over)
}

// takeSatisfied takes the produces off the list that need no more than the high watermark.
func (w *waiting) takeSatisfied(highWatermark int64) (satisfied []*produceWaiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.mu.produces) > 0 && w.mu.produces[0].required <= highWatermark {
		satisfied = append(satisfied, heap.Pop(&w.mu.produces).(*produceWaiter))
		w.count.Add(-1)
	}
	return satisfied
}

// notifyFetches completes the fetches that have something to read now.
func (w *waiting) notifyFetches(p *Partition) {
	defer w.sessions.wake(false)
	if w.count.Load() == 0 {
		return
	}
	log := p.log.Load()
	if log == nil {
		return
	}
	var fetched []*fetchWaiter
	w.mu.Lock()
	for f := w.mu.fetches; f != nil; f = f.next {
		if f.fetch.bound(log) > f.fetch.parts[f.index].FetchOffset {
			fetched = append(fetched, f)
		}
	}
	w.mu.Unlock()
	for _, one := range fetched {
		one.fetch.recheck(one)
	}
}

// notifyAll makes every waiting request look again: the role changed, or the partition went away.
func (w *waiting) notifyAll(p *Partition) {
	defer w.sessions.wake(true)
	defer w.deletes.wake()
	if w.count.Load() == 0 {
		return
	}
	w.mu.Lock()
	produced := append([]*produceWaiter(nil), w.mu.produces...)
	var fetched []*fetchWaiter
	for f := w.mu.fetches; f != nil; f = f.next {
		fetched = append(fetched, f)
	}
	w.mu.Unlock()
	for _, one := range produced {
		one.produce.recheck(one.index)
	}
	for _, one := range fetched {
		one.fetch.complete()
	}
}

// produceHeap orders waiting produces by the offset they need (container/heap).
type produceHeap []*produceWaiter

func (h produceHeap) Len() int           { return len(h) }
func (h produceHeap) Less(i, j int) bool { return h[i].required < h[j].required }
func (h produceHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].position, h[j].position = i, j
}

// Push is container/heap's.
func (h *produceHeap) Push(x any) {
	w := x.(*produceWaiter)
	w.position = len(*h)
	*h = append(*h, w)
}

// Pop is container/heap's.
func (h *produceHeap) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	w.position = -1
	return w
}
