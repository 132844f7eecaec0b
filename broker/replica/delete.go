package replica

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// DeleteWait is one partition whose records were deleted here and are to be gone from its followers, too.
type DeleteWait struct {
	Partition    *Partition
	Required     int64      // every live replica's log start offset must reach it
	LowWatermark int64      // set when the wait is over; -1 on an error
	Code         wire.Error // likewise
}

// pendingDelete is a DeleteRecords request that waits for followers (Kafka: DelayedDeleteRecords).
type pendingDelete struct {
	manager *Manager
	done    func([]DeleteWait)
	claimed atomic.Bool

	mu struct {
		sync.Mutex
		timer *time.Timer
		items []DeleteWait
		over  []bool
	}
}

// deletes are the requests that wait for a partition's low watermark. There are few at any time.
type deletes struct {
	count atomic.Int32 // lets a fetch pass without the lock

	sync.Mutex
	waiting map[*pendingDelete]struct{}
}

// AwaitDeleted calls done once: when the low watermark of each partition has reached what its item needs, when this broker no longer leads it, or, with
// REQUEST_TIMED_OUT for those still waiting, after timeout.
func (m *Manager) AwaitDeleted(items []DeleteWait, timeout time.Duration, done func([]DeleteWait)) {
	p := &pendingDelete{manager: m, done: done}
	p.mu.items, p.mu.over = items, make([]bool, len(items))
	tracked := m.track(p)
	p.mu.Lock()
	p.mu.timer = time.AfterFunc(max(timeout, 0), p.expire)
	p.mu.Unlock()
	for i := range items {
		items[i].Partition.waiting.deletes.add(p)
	}
	if !tracked {
		p.abandon()
	}
	p.recheck()
	if p.claimed.Load() {
		p.leave()
	}
}

// recheck looks at what is still waited for.
func (p *pendingDelete) recheck() {
	p.mu.Lock()
	rest := 0
	for i := range p.mu.items {
		item := &p.mu.items[i]
		if p.mu.over[i] {
			continue
		}
		low, code := item.Partition.lowWatermarkNow()
		if code == wire.None && low < item.Required {
			rest++
			continue
		}
		item.LowWatermark, item.Code, p.mu.over[i] = low, code, true
	}
	p.mu.Unlock()
	if rest == 0 {
		p.finish()
	}
}

func (p *pendingDelete) expire()  { p.end(wire.RequestTimedOut) }
func (p *pendingDelete) abandon() { p.end(wire.NotLeaderOrFollower) }

// end answers what is still waited for with a code.
func (p *pendingDelete) end(code wire.Error) {
	p.mu.Lock()
	for i := range p.mu.items {
		if !p.mu.over[i] {
			p.mu.items[i].LowWatermark, p.mu.items[i].Code, p.mu.over[i] = -1, code, true
		}
	}
	p.mu.Unlock()
	p.finish()
}

func (p *pendingDelete) finish() {
	if !p.claimed.CompareAndSwap(false, true) {
		return
	}
	p.mu.Lock()
	if p.mu.timer != nil {
		p.mu.timer.Stop()
	}
	items := p.mu.items
	p.mu.Unlock()
	p.leave()
	p.manager.untrack(p)
	p.done(items)
}

func (p *pendingDelete) leave() {
	p.mu.Lock()
	items := p.mu.items
	p.mu.Unlock()
	for i := range items {
		items[i].Partition.waiting.deletes.remove(p)
	}
}

func (d *deletes) add(p *pendingDelete) {
	d.Lock()
	defer d.Unlock()
	if d.waiting == nil {
		d.waiting = map[*pendingDelete]struct{}{}
	}
	d.waiting[p] = struct{}{}
	d.count.Store(int32(len(d.waiting)))
}

func (d *deletes) remove(p *pendingDelete) {
	d.Lock()
	defer d.Unlock()
	delete(d.waiting, p)
	d.count.Store(int32(len(d.waiting)))
}

// wake lets the waiting requests look again. Call it without locks.
func (d *deletes) wake() {
	if d.count.Load() == 0 {
		return
	}
	d.Lock()
	all := make([]*pendingDelete, 0, len(d.waiting))
	for p := range d.waiting {
		all = append(all, p)
	}
	d.Unlock()
	for _, p := range all {
		p.recheck()
	}
}

// lowWatermarkNow is the low watermark while this replica leads.
func (p *Partition) lowWatermarkNow() (int64, wire.Error) {
	p.leadership.RLock()
	defer p.leadership.RUnlock()
	log, _, code := p.leaderLog(-1)
	if code != wire.None {
		return -1, code
	}
	return p.lowWatermark(log), wire.None
}
