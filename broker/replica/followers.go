package replica

import (
	"slices"
	"time"

	"github.com/prekraft/prekraft/broker/commitlog"
)

// progress is what a leader knows of one follower (Kafka: Replica). Times are Unix milliseconds, 0 never.
type progress struct {
	logStart  int64 // the follower's log start offset, -1 unknown
	end       int64 // its log end offset: the offset it last fetched from; -1 unknown
	leaderEnd int64 // the leader's log end offset at that fetch
	fetched   int64 // when that was
	caughtUp  int64 // the last time at which it had everything the leader had
	// session, when not nil, is the fetch session that holds the partition: a fetch that didn't visit the partition, because nothing about it had changed,
	// confirms what is written here.
	session *sessionClock
}

// caughtUpAt is caughtUp with the fetches in it that needed no visit.
func (f *progress) caughtUpAt() int64 {
	if f.session != nil && f.end >= f.leaderEnd {
		return max(f.caughtUp, f.session.last.Load())
	}
	return f.caughtUp
}

// update takes in a fetch from offset at now, when the leader's log ended at leaderEnd, and tells whether the follower's log end offset changed
// (replication.md §4).
func (f *progress) update(offset, logStart, leaderEnd, now int64) (moved bool) {
	f.caughtUp = f.caughtUpAt()
	switch {
	case offset >= leaderEnd:
		f.caughtUp = max(f.caughtUp, now)
	case offset >= f.leaderEnd:
		f.caughtUp = max(f.caughtUp, f.fetched)
	}
	moved = offset != f.end
	f.end, f.logStart = offset, logStart
	f.leaderEnd = max(f.leaderEnd, leaderEnd)
	f.fetched = now
	return moved
}

// inSync tells whether the follower has everything, or had it within the lag that is allowed.
func (f *progress) inSync(leaderEnd, now int64, lag time.Duration) bool {
	return f.end == leaderEnd || now-f.caughtUpAt() <= lag.Milliseconds()
}

// resetFollowers makes the follower states of a new leader epoch (replication.md §11.2). wasLeader tells that this broker led before, so that what it knew still holds.
func (p *Partition) resetFollowers(r *role, newEpoch, wasLeader bool, now int64) {
	p.followers.Lock()
	defer p.followers.Unlock()
	old := p.followers.byID
	p.followers.byID = make(map[int32]*progress, len(r.replicas))
	for _, id := range r.replicas {
		if id == p.env.brokerID {
			continue
		}
		f := old[id]
		if f == nil || (newEpoch && !wasLeader) {
			f = &progress{end: -1, logStart: -1}
			if slices.Contains(r.isr, id) {
				f.caughtUp = now
			}
		} else if newEpoch {
			f.leaderEnd, f.fetched, f.caughtUp, f.session = r.epochStart, 0, 0, nil
			if slices.Contains(r.isr, id) {
				f.fetched, f.caughtUp = now, now
			}
		}
		p.followers.byID[id] = f
	}
}

// highWatermarkCandidate is the largest offset that every replica which counts has reached (replication.md §5.1): those of the maximal ISR, and those that are
// about to join. Below min.insync.replicas there is none: what too few replicas hold is not to be seen.
func (p *Partition) highWatermarkCandidate(r *role, log *commitlog.Log, now int64) (int64, bool) {
	if len(r.isr) < p.effectiveMinISR(r, log) {
		return 0, false
	}
	leaderEnd := log.LogEndOffset()
	candidate := leaderEnd
	p.followers.Lock()
	defer p.followers.Unlock()
	for id, f := range p.followers.byID {
		if f.end >= candidate {
			continue
		}
		if contains(r.maximal, id) || (!planted(ignoreJoining) && f.inSync(leaderEnd, now, p.env.lag) && p.env.isAlive(id)) {
			candidate = f.end
		}
	}
	return candidate, true
}

// advanceHighWatermark raises the high watermark as far as the rules allow. Leadership is held, shared or alone.
func (p *Partition) advanceHighWatermark(r *role, log *commitlog.Log) bool {
	if !r.isLeader {
		return false
	}
	before := log.HighWatermark()
	if before >= log.LogEndOffset() {
		return false
	}
	candidate, ok := p.highWatermarkCandidate(r, log, time.Now().UnixMilli())
	if !ok || candidate <= before {
		return false
	}
	log.SetHighWatermark(candidate)
	p.watermarkRose(r, log)
	return true
}

// watermarkRose tells of the first rise of the high watermark in a leader epoch: one load where it was told of already.
func (p *Partition) watermarkRose(r *role, log *commitlog.Log) {
	if told := p.watermark.Load(); told == r.leaderEpoch || !p.watermark.CompareAndSwap(told, r.leaderEpoch) || p.env.events.HighWatermarkAdvanced == nil {
		return
	}
	p.env.events.HighWatermarkAdvanced(p.tp, r.leaderEpoch, log.HighWatermark(), log.LogEndOffset())
}

// followerFetched takes in a follower's fetch that was read under the role r, and tells what came of it. Leadership is held shared.
func (p *Partition) followerFetched(r *role, log *commitlog.Log, id int32, part *FetchPartition, leaderEnd int64, session *sessionClock) fetchEffect {
	now := time.Now().UnixMilli()
	var effect fetchEffect
	p.followers.Lock()
	f := p.followers.byID[id]
	if f == nil {
		p.followers.Unlock()
		return effect
	}
	start := f.logStart
	moved := f.update(part.FetchOffset, part.LogStartOffset, leaderEnd, now)
	f.session = session
	effect.logStart = start != f.logStart
	p.followers.Unlock()
	if moved {
		effect.advanced = p.advanceHighWatermark(r, log)
	}
	effect.mayJoin = !contains(r.isr, id) && r.pending == nil
	return effect
}

// fetchEffect is what a follower's fetch has changed; the caller acts on it without locks.
type fetchEffect struct {
	advanced bool // the high watermark
	mayJoin  bool // the follower isn't in the ISR: look whether it can be
	logStart bool // the follower's log start offset moved
}

// lowWatermark is the least log start offset over this log and those of the followers that are alive (replication.md §4).
func (p *Partition) lowWatermark(log *commitlog.Log) int64 {
	low := log.LogStartOffset()
	p.followers.Lock()
	defer p.followers.Unlock()
	for id, f := range p.followers.byID {
		if f.logStart < low && p.env.isAlive(id) {
			low = f.logStart
		}
	}
	return low
}
