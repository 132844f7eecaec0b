package replica

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/wire"
)

// SessionReply is the answer to a fetch, to be sent as it is.
type SessionReply struct {
	// Code is an error about the whole request.
	Code wire.Error
	// SessionID is 0 when there is no session.
	SessionID int32
	// Parts and Results belong together. In a session only partitions with something to tell are in them. Whoever gets them must release the records.
	Parts   []FetchPartition
	Results []FetchResult
}

// Fetch reads what the fetch has to and calls done once, as [Manager.Fetch] does. A fetch in a session waits for all of the session's partitions, but looks only at those that
// have changed.
func (f SessionFetch) Fetch(params FetchParams, done func(SessionReply)) {
	if !f.incremental {
		f.manager.Fetch(params, f.Parts, func(results []FetchResult) {
			reply := SessionReply{Parts: f.Parts, Results: results}
			if f.create {
				if s := f.newSession(params.ReplicaID, results); s != nil {
					reply.SessionID = s.id
				}
			}
			done(reply)
		})
		return
	}
	began := time.Now().UnixMilli()
	params.session = &f.session.clock
	results, total, immediate := f.manager.readAll(&params, f.Parts, true)
	f.session.clock.last.Store(began) // not before: what is visited says itself how far it is
	if immediate || params.MaxWait <= 0 || total >= params.MinBytes {
		done(f.reply(results))
		return
	}
	p := &parkedFetch{SessionFetch: f, params: params, done: done}
	if params.MinBytes > 1 {
		p.mu.counted = make(map[*sessionEntry]int, len(results))
		for i := range results {
			p.mu.counted[f.entries[i]] = results[i].Records.Length
		}
		p.mu.available = total
	}
	releaseAll(results)
	p.park()
}

// remember notes what the requester is told.
func (e *sessionEntry) remember(r *FetchResult) {
	e.highWatermark, e.logStart = r.HighWatermark, r.LogStartOffset
	if r.Code != wire.None {
		e.highWatermark = -1 // the next success is news
	}
}

// reply leaves out what isn't news (replication.md §9), and lets the next fetch visit again what isn't settled.
func (f *SessionFetch) reply(results []FetchResult) SessionReply {
	s := f.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed || s.mu.epoch != f.epoch {
		releaseAll(results)
		return SessionReply{Code: wire.InvalidFetchSessionEpoch}
	}
	reply := SessionReply{SessionID: s.id}
	for i := range results {
		r, e := &results[i], f.entries[i]
		news := r.Records.Length > 0 || r.HighWatermark != e.highWatermark || r.LogStartOffset != e.logStart || r.Code != wire.None || r.Diverging || r.Preferred >= 0
		e.remember(r)
		if r.Records.Length > 0 {
			s.toEndLocked(e)
		}
		if e.partition == nil || r.Records.Length > 0 || r.Code != wire.None || r.Diverging || r.Preferred >= 0 || e.behind() || e.joining() {
			e.touch()
		}
		if !news {
			r.Records.Release()
			continue
		}
		reply.Parts = append(reply.Parts, f.Parts[i])
		reply.Results = append(reply.Results, *r)
	}
	f.manager.recordThrottled(s.replica, reply.Parts, reply.Results)
	return reply
}

// behind tells whether there may be records for the entry that its last read didn't bring.
func (e *sessionEntry) behind() bool {
	log := e.partition.log.Load()
	return log == nil || log.LogEndOffset() > e.part.FetchOffset
}

// joining tells whether the follower isn't in the ISR of a partition that this broker leads: each of its fetches asks whether it may join. What kept it out may have nothing to do with
// the log: the controller's word that the follower lives comes after its first fetch, or another change of the ISR is on its way.
func (e *sessionEntry) joining() bool {
	r := e.partition.role.Load()
	return e.session.replica >= 0 && r.isLeader && !contains(r.isr, e.session.replica)
}

// parkedFetch is a session's fetch that waits. There is one per session: the session holds it, and its partitions' changes find it there.
type parkedFetch struct {
	SessionFetch
	params  FetchParams
	done    func(SessionReply)
	claimed atomic.Bool

	mu struct {
		sync.Mutex
		timer     *time.Timer
		counted   map[*sessionEntry]int // bytes by entry; nil when one byte is enough
		available int
	}
}

func (p *parkedFetch) park() {
	// Known to the manager before anything can end it, so that an early end takes it out again.
	tracked := p.manager.track(p)
	p.mu.Lock()
	p.mu.timer = time.AfterFunc(p.params.MaxWait, p.complete)
	p.mu.Unlock()
	if !tracked {
		p.complete()
		return
	}
	p.session.parked.Store(p)
	// What has changed between the read and now woke nobody.
	p.session.changed.Lock()
	missed := slices.Clone(p.session.changed.entries)
	p.session.changed.Unlock()
	for _, e := range missed {
		p.recheck(e)
	}
	if p.claimed.Load() {
		p.session.parked.CompareAndSwap(p, nil)
	}
}

// recheck completes the fetch when an entry has something to tell that is worth an answer: enough bytes, or a role that changed.
func (p *parkedFetch) recheck(e *sessionEntry) {
	if p.claimed.Load() {
		return
	}
	p.session.mu.Lock()
	part, partition, current := e.part, e.partition, p.session.mu.epoch == p.epoch
	p.session.mu.Unlock()
	if !current {
		return // a newer request took the session over; this one ends with its time
	}
	if partition == nil {
		return
	}
	log, r := partition.log.Load(), partition.role.Load()
	if log == nil || partition.offline.Load() || (p.params.leaderOnly() && !r.isLeader) || partition.checkEpoch(r, part.CurrentLeaderEpoch) != wire.None {
		p.complete()
		return
	}
	bound := p.params.bound(log)
	switch {
	case part.FetchOffset > bound:
		if part.FetchOffset > log.LogEndOffset() {
			p.complete()
		}
		return
	case part.FetchOffset == bound || partition.heldBack(r, log, p.params.ReplicaID):
		return
	case p.params.MinBytes <= 1 || part.FetchOffset < log.ActiveSegmentBase():
		p.complete()
		return
	}
	fetched, err := log.Read(part.FetchOffset, commitlog.ReadOptions{MaxBytes: part.MaxBytes, UpTo: bound, MinOneMessage: true})
	if err != nil {
		p.complete()
		return
	}
	n := fetched.Span.Length
	fetched.Span.Release()
	p.mu.Lock()
	p.mu.available += n - p.mu.counted[e]
	p.mu.counted[e] = n
	enough := p.mu.available >= p.params.MinBytes
	p.mu.Unlock()
	if enough {
		p.complete()
	}
}

// complete answers with what there is. The first caller wins.
func (p *parkedFetch) complete() {
	if !p.claimed.CompareAndSwap(false, true) {
		return
	}
	p.mu.Lock()
	if p.mu.timer != nil {
		p.mu.timer.Stop()
	}
	p.mu.Unlock()
	s := p.session
	s.parked.CompareAndSwap(p, nil)
	p.manager.untrack(p)
	s.mu.Lock()
	if s.mu.closed || s.mu.epoch != p.epoch {
		s.mu.Unlock()
		p.done(SessionReply{Code: wire.InvalidFetchSessionEpoch})
		return
	}
	// What has changed since the fetch began joins what it looked at then.
	for _, e := range p.entries {
		e.touch()
	}
	p.takeLocked(nil)
	s.mu.Unlock()
	results, _, _ := p.manager.readAll(&p.params, p.Parts, false)
	p.done(p.reply(results))
}

func (p *parkedFetch) abandon() { p.complete() }

// wake tells the sessions that hold the partition of a change, and has their waiting fetches look. With all, whatever waits is answered.
func (w *watchers) wake(all bool) {
	if w.count.Load() == 0 {
		return
	}
	type waiter struct {
		fetch *parkedFetch
		entry *sessionEntry
	}
	var few [4]waiter
	waiting := few[:0]
	w.Lock()
	for e := w.first; e != nil; e = e.next {
		e.touch()
		if p := e.session.parked.Load(); p != nil {
			waiting = append(waiting, waiter{p, e})
		}
	}
	w.Unlock()
	for _, one := range waiting {
		if all {
			one.fetch.complete()
		} else {
			one.fetch.recheck(one.entry)
		}
	}
}
