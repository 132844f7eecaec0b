package replica

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/wire"
)

// Replica ids of fetch requests that aren't followers' (reference replication.md §3.1).
const (
	ConsumerReplicaID int32 = -1 // an ordinary consumer: reads below the high watermark
	DebugReplicaID    int32 = -2 // a debugging consumer: reads up to the log end
)

// FetchParams is what a fetch request says about all its partitions.
type FetchParams struct {
	ReplicaID     int32
	Version       int16
	MaxWait       time.Duration
	MinBytes      int
	MaxBytes      int
	ReadCommitted bool
	// Select, when not nil, may send a consumer to another replica; it is asked where this broker leads.
	Select ReplicaSelector

	session *sessionClock // of the fetch session, nil without one
}

// FetchPartition is one partition of a fetch request.
type FetchPartition struct {
	TopicPartition
	TopicID            wire.UUID // zero when the request named the topic
	FetchOffset        int64
	LastFetchedEpoch   int32 // -1 not given
	CurrentLeaderEpoch int32 // -1 not given
	LogStartOffset     int64 // a follower's own; -1 from a consumer
	MaxBytes           int
}

// FetchResult is the answer for one partition. Whoever gets it must call Span.Release once, sent or not.
type FetchResult struct {
	Code             wire.Error
	HighWatermark    int64
	LastStableOffset int64
	LogStartOffset   int64
	Records          commitlog.Span
	Aborted          []commitlog.AbortedTxn // nil unless ReadCommitted
	Preferred        int32                  // the replica to read from instead; -1 when this one will do
	Diverging        bool                   // the requester's log diverges; it ends at (DivergingEpoch, DivergingEnd)
	DivergingEpoch   int32
	DivergingEnd     int64
	Meter            Meter // of the partition; nil when there is none
}

// bound is how far this requester may read (replication.md §3.3).
func (p *FetchParams) bound(log *commitlog.Log) int64 {
	switch {
	case p.ReplicaID != ConsumerReplicaID:
		return log.LogEndOffset()
	case p.ReadCommitted:
		return log.LastStableOffset()
	default:
		return log.HighWatermark()
	}
}

// leaderOnly tells whether only the leader may serve this request.
func (p *FetchParams) leaderOnly() bool { return p.ReplicaID >= 0 || p.Version < 11 }

// Fetch reads every partition and calls done once with the results in the order of parts: at once when there are enough bytes or anything to
// report, otherwise when enough have come, something changed, or MaxWait is over (replication.md §3.7). The results are the callee's.
// done runs in the caller's goroutine, an appender's or a timer's, and must not block.
func (m *Manager) Fetch(params FetchParams, parts []FetchPartition, done func([]FetchResult)) {
	results, total, immediate := m.readAll(&params, parts, true)
	if immediate || params.MaxWait <= 0 || len(parts) == 0 || total >= params.MinBytes {
		m.recordThrottled(params.ReplicaID, parts, results)
		done(results)
		return
	}
	releaseAll(results)
	f := &pendingFetch{manager: m, FetchParams: params, parts: parts, done: done}
	f.park()
}

// readAll reads in request order under the size rules of replication.md §3.5. The first read of a follower's fetch tells the leader how far the follower is.
func (m *Manager) readAll(params *FetchParams, parts []FetchPartition, first bool) (results []FetchResult, total int, immediate bool) {
	results = make([]FetchResult, len(parts))
	remaining := params.MaxBytes
	minOneMessage := params.Version >= 3
	var few [8]*Partition
	advanced := few[:0]
	for i := range parts {
		r := &results[i]
		r.Preferred = noReplica
		part := &parts[i]
		p, code := m.Partition(part.TopicPartition)
		if code != wire.None {
			if part.Topic == "" {
				code = wire.UnknownTopicID
			}
			r.fail(code)
		} else {
			effect := p.read(params, part, min(part.MaxBytes, remaining), minOneMessage, first, r)
			if effect.mayJoin {
				m.submit(p.maybeExpand(params.ReplicaID))
			}
			if effect.advanced {
				advanced = append(advanced, p)
			}
			if effect.logStart {
				p.waiting.deletes.wake()
			}
		}
		if r.Code != wire.None || r.Diverging || r.Preferred >= 0 {
			immediate = true
		}
		n := r.Records.Length
		if n > 0 {
			minOneMessage = false
		}
		total += n
		remaining = max(remaining-n, 0)
	}
	notifyAdvanced(advanced)
	return results, total, immediate
}

func (r *FetchResult) fail(code wire.Error) {
	r.Code, r.HighWatermark, r.LastStableOffset, r.LogStartOffset = code, -1, -1, -1
}

// read fills in the result of one partition, in the order of replication.md §3.6.
func (p *Partition) read(params *FetchParams, part *FetchPartition, maxBytes int, minOneMessage, first bool, result *FetchResult) (effect fetchEffect) {
	p.leadership.RLock()
	defer p.leadership.RUnlock()
	result.Meter = p.meter
	log := p.log.Load()
	if p.offline.Load() {
		result.fail(wire.KafkaStorageError)
		return effect
	}
	if log != nil && !part.TopicID.IsZero() {
		if id := wire.UUID(log.TopicID()); !id.IsZero() && id != part.TopicID {
			result.fail(wire.InconsistentTopicID)
			return effect
		}
	}
	r := p.role.Load()
	if code := p.checkEpoch(r, part.CurrentLeaderEpoch); code != wire.None {
		result.fail(code)
		return effect
	}
	if log == nil || (params.leaderOnly() && !r.isLeader) {
		result.fail(wire.NotLeaderOrFollower)
		return effect
	}
	follower := params.ReplicaID >= 0
	if follower && !contains(r.replicas, params.ReplicaID) {
		// The controller's news of the assignment hasn't come yet: the follower tries again.
		if part.CurrentLeaderEpoch >= 0 {
			result.fail(wire.UnknownLeaderEpoch)
		} else {
			result.fail(wire.NotLeaderOrFollower)
		}
		return effect
	}
	// Captured before the read, so that what is reported never runs ahead of what was read.
	result.HighWatermark, result.LastStableOffset, result.LogStartOffset = log.HighWatermark(), log.LastStableOffset(), log.LogStartOffset()
	leaderEnd := log.LogEndOffset()
	if result.Preferred = p.preferredReadReplica(r, params, part, leaderEnd); result.Preferred >= 0 {
		return effect // it goes there for the records
	}
	if part.LastFetchedEpoch >= 0 && !planted(serveDiverging) {
		epoch, end := log.OffsetForLeaderEpoch(part.LastFetchedEpoch)
		if end < 0 || part.FetchOffset < result.LogStartOffset {
			result.fail(wire.OffsetOutOfRange)
			return effect
		}
		if epoch < part.LastFetchedEpoch || end < part.FetchOffset {
			result.Diverging, result.DivergingEpoch, result.DivergingEnd = true, epoch, end
			return effect
		}
	}
	if p.heldBack(r, log, params.ReplicaID) {
		maxBytes, minOneMessage = 0, false // it learns the offsets, and tells its own
	}
	fetched, err := log.Read(part.FetchOffset, commitlog.ReadOptions{
		MaxBytes: maxBytes, UpTo: params.bound(log), MinOneMessage: minOneMessage,
		AbortedTxns: params.ReadCommitted && params.ReplicaID == ConsumerReplicaID,
	})
	if err != nil {
		result.fail(CodeOf(err))
		return effect
	}
	if fetched.FirstIncomplete && params.Version >= 3 {
		fetched.Span.Release() // a batch that doesn't fit is of no use; before version 3 a client learnt by it to ask for more
	} else {
		result.Records, result.Aborted = fetched.Span, fetched.AbortedTxns
	}
	if follower && first { // it tells what it has whether or not there was room for more
		effect = p.followerFetched(r, log, params.ReplicaID, part, leaderEnd, params.session)
	}
	return effect
}

func releaseAll(results []FetchResult) {
	for i := range results {
		results[i].Records.Release()
		results[i].Records = commitlog.Span{}
	}
}

// pendingFetch is a fetch that waits for bytes.
type pendingFetch struct {
	FetchParams
	manager *Manager
	parts   []FetchPartition
	done    func([]FetchResult)
	claimed atomic.Bool
	waiters []fetchWaiter

	mu struct {
		sync.Mutex
		timer     *time.Timer
		available int64 // readable bytes over all partitions, as far as counted
	}
}

// park registers the fetch with its partitions and looks once more, since something may have come in between.
func (f *pendingFetch) park() {
	f.waiters = make([]fetchWaiter, len(f.parts))
	changed := false
	for i := range f.parts {
		p, code := f.manager.Partition(f.parts[i].TopicPartition)
		changed = changed || code != wire.None
		f.waiters[i] = fetchWaiter{fetch: f, partition: p, index: i}
	}
	f.mu.Lock()
	f.mu.timer = time.AfterFunc(f.MaxWait, f.complete)
	f.mu.Unlock()
	if changed || !f.manager.track(f) {
		f.complete()
		return
	}
	for i := range f.waiters {
		f.waiters[i].partition.waiting.addFetch(&f.waiters[i])
	}
	for i := range f.waiters {
		f.recheck(&f.waiters[i])
	}
	if f.claimed.Load() { // completed while it was being registered: a short wait may be over before this point
		f.leave()
		f.manager.untrack(f)
	}
}

// recheck counts what the waiter's partition can give now and completes the fetch when that is enough, or when something other than
// waiting is called for: a role change, a truncation, an offset on an older segment.
func (f *pendingFetch) recheck(w *fetchWaiter) {
	if f.claimed.Load() {
		return
	}
	part := &f.parts[w.index]
	log := w.partition.log.Load()
	r := w.partition.role.Load()
	if log == nil || w.partition.offline.Load() || (f.leaderOnly() && !r.isLeader) || w.partition.checkEpoch(r, part.CurrentLeaderEpoch) != wire.None {
		f.complete()
		return
	}
	bound := f.bound(log)
	switch {
	case part.FetchOffset > bound:
		if part.FetchOffset > log.LogEndOffset() {
			f.complete() // truncated below the requester
		}
		return
	case part.FetchOffset == bound || w.partition.heldBack(r, log, f.ReplicaID):
		return
	case f.MinBytes <= 1 || part.FetchOffset < log.ActiveSegmentBase():
		f.complete()
		return
	}
	fetched, err := log.Read(part.FetchOffset, commitlog.ReadOptions{MaxBytes: part.MaxBytes, UpTo: bound})
	if err != nil {
		f.complete()
		return
	}
	n := int64(fetched.Span.Length)
	fetched.Span.Release()
	f.mu.Lock()
	f.mu.available += n - w.available
	w.available = n
	enough := f.mu.available >= int64(f.MinBytes)
	f.mu.Unlock()
	if enough {
		f.complete()
	}
}

// complete answers the fetch with what there is. The first caller wins.
func (f *pendingFetch) complete() {
	if !f.claimed.CompareAndSwap(false, true) {
		return
	}
	f.mu.Lock()
	f.mu.timer.Stop()
	f.mu.Unlock()
	f.leave()
	f.manager.untrack(f)
	results, _, _ := f.manager.readAll(&f.FetchParams, f.parts, false)
	f.manager.recordThrottled(f.ReplicaID, f.parts, results)
	f.done(results)
}

func (f *pendingFetch) abandon() { f.complete() }

func (f *pendingFetch) leave() {
	for i := range f.waiters {
		if w := &f.waiters[i]; w.partition != nil {
			w.partition.waiting.removeFetch(w)
		}
	}
}
