package offsets

import (
	"context"
	"errors"
	"maps"
)

// slot is what the Store knows of a partition of __consumer_offsets, loaded or not. It is guarded by Store.mu.
type slot struct {
	number   int32
	epoch    int32 // the highest leader epoch heard of
	want     bool  // this broker leads it
	resigned bool  // current, or the load under way, is of a leadership that is over
	working  bool  // a worker has it, or it is queued for one
	current  *partition
	cancel   context.CancelFunc // of the load under way
}

// Elected says that this broker leads a partition of __consumer_offsets. It is loaded, unless it is already; older leader epochs than the newest are ignored. It doesn't block.
func (s *Store) Elected(partition, leaderEpoch int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.slotLocked(partition)
	if s.mu.closed || leaderEpoch < t.epoch {
		return
	}
	t.epoch, t.want = leaderEpoch, true
	s.queueLocked(t)
}

// Resigned says that this broker doesn't lead a partition of __consumer_offsets any more. From now on Check says NOT_COORDINATOR. leaderEpoch is -1 when the replica is gone; others that are
// older than the newest are ignored. It doesn't block on anything but callbacks of what was queued.
func (s *Store) Resigned(partition, leaderEpoch int32) {
	s.mu.Lock()
	t := s.slotLocked(partition)
	if s.mu.closed || (leaderEpoch >= 0 && leaderEpoch < t.epoch) {
		s.mu.Unlock()
		return
	}
	t.epoch, t.want = max(t.epoch, leaderEpoch), false
	if t.current != nil || t.cancel != nil {
		t.resigned = true
	}
	if t.cancel != nil {
		t.cancel()
	}
	if t.current != nil {
		t.current.open.Store(false)
	}
	s.queueLocked(t)
	s.mu.Unlock()
}

func (s *Store) slotLocked(partition int32) *slot {
	t := s.mu.slots[partition]
	if t == nil {
		t = &slot{number: partition, epoch: -1}
		s.mu.slots[partition] = t
	}
	return t
}

// queueLocked gives a slot to the workers, of which there are no more than there is work for.
func (s *Store) queueLocked(t *slot) {
	if t.working || s.mu.closed {
		return
	}
	t.working = true
	s.mu.queue = append(s.mu.queue, t)
	if s.mu.workers < s.config.Loaders {
		s.mu.workers++
		s.running.Go(s.work)
	}
}

// work brings queued slots to where they should be, until there are none.
func (s *Store) work() {
	for {
		s.mu.Lock()
		if len(s.mu.queue) == 0 {
			s.mu.workers--
			s.mu.Unlock()
			return
		}
		t := s.mu.queue[0]
		s.mu.queue = s.mu.queue[1:]
		s.mu.Unlock()
		for s.step(t) {
		}
	}
}

// step does the next thing for a slot that this worker has; false when there is nothing left.
func (s *Store) step(t *slot) bool {
	s.mu.Lock()
	switch {
	case s.mu.closed:
	case t.current != nil && t.resigned:
		p := t.current
		t.current, t.resigned = nil, false
		s.serveLocked(t.number, nil)
		s.mu.Unlock()
		p.close()
		s.groups.Unloaded(t.number)
		return true
	case t.current == nil && t.want:
		t.resigned = false
		ctx, cancel := context.WithCancel(s.ctx)
		t.cancel = cancel
		p := &partition{number: t.number, epoch: t.epoch, store: s}
		p.mu.groups = map[string]*group{}
		s.mu.Unlock()
		s.bring(ctx, t, p)
		cancel()
		return true
	}
	t.working = false
	s.mu.Unlock()
	return false
}

// bring loads a partition and hands it over, unless this broker resigns meanwhile.
func (s *Store) bring(ctx context.Context, t *slot, p *partition) {
	loaded, report := s.load(ctx, p)
	s.mu.Lock()
	t.cancel = nil
	if t.resigned || s.mu.closed {
		t.resigned = false
		s.mu.Unlock()
		return
	}
	t.current = p
	s.serveLocked(t.number, p)
	s.mu.Unlock()
	if report.Err != nil && !errors.Is(report.Err, errResigned) {
		s.problem("load", p.number, report.Err)
	}
	s.counters.loaded(report)
	if s.config.PartitionLoaded != nil {
		s.config.PartitionLoaded(report)
	}
	s.groups.Loaded(t.number, loaded)
	s.mu.Lock()
	if !t.resigned && !s.mu.closed {
		p.open.Store(true)
	}
	s.mu.Unlock()
	s.Flush(t.number) // what the coordinator has queued, if anything
	s.mirror.wake()
}

// serveLocked sets or removes a partition in the map that commits look at.
func (s *Store) serveLocked(number int32, p *partition) {
	next := maps.Clone(*s.served.Load())
	if p == nil {
		delete(next, number)
	} else {
		next[number] = p
	}
	s.served.Store(&next)
}
