package offsets

import (
	"sync/atomic"
	"time"
)

// counters count from the Store's beginning.
type counters struct {
	commits, commitRecords, appends, appendedBytes, expired, deleted atomic.Int64
	loads, loadNanos, loadMaxNanos                                   atomic.Int64
}

func (c *counters) loaded(r LoadReport) {
	c.loads.Add(1)
	c.loadNanos.Add(int64(r.Took))
	for {
		old := c.loadMaxNanos.Load()
		if int64(r.Took) <= old || c.loadMaxNanos.CompareAndSwap(old, int64(r.Took)) {
			return
		}
	}
}

// Stats are counters from the Store's beginning, and what there is now.
type Stats struct {
	// Commits and CommitRecords are commits that were stored in the topic, and their offsets; Appends and AppendedBytes are the batches.
	Commits, CommitRecords, Appends, AppendedBytes int64
	// Expired and Deleted are offsets that went.
	Expired, Deleted int64
	// Loads are partitions that were loaded; LoadTime is all of them together, MaxLoadTime the longest.
	Loads                 int64
	LoadTime, MaxLoadTime time.Duration
	// Partitions, Groups and Offsets are what is held now. Groups counts those with offsets.
	Partitions, Groups, Offsets int
	// Mirror is how ZooKeeper follows.
	Mirror MirrorStats
}

// MirrorStats tell how ZooKeeper follows the topic, with offsets.storage=dual.
type MirrorStats struct {
	// Behind is how many offsets are newer than their znode, or may be; Lag is how long the first of them has been.
	Behind int
	Lag    time.Duration
	// Written counts znodes, Transactions the transactions they were in, Failures those that failed and were or will be repeated.
	Written, Transactions, Failures int64
	// Foreign counts znodes that were left alone after a load, because somebody else had written them later.
	Foreign int64
	// Fenced counts offsets that weren't written because another broker coordinates their group by now.
	Fenced int64
	// Unnamed counts offsets of groups whose name can't be that of a znode.
	Unnamed int64
}

// Stats returns the counters. It takes each partition's lock for a moment.
func (s *Store) Stats() Stats {
	c := &s.counters
	st := Stats{
		Commits: c.commits.Load(), CommitRecords: c.commitRecords.Load(), Appends: c.appends.Load(), AppendedBytes: c.appendedBytes.Load(),
		Expired: c.expired.Load(), Deleted: c.deleted.Load(),
		Loads: c.loads.Load(), LoadTime: time.Duration(c.loadNanos.Load()), MaxLoadTime: time.Duration(c.loadMaxNanos.Load()),
		Mirror: s.mirror.stats(),
	}
	now := time.Now().UnixMilli()
	for _, p := range *s.served.Load() {
		st.Partitions++
		p.mu.Lock()
		st.Groups += len(p.mu.groups)
		for _, g := range p.mu.groups {
			st.Offsets += len(g.entries)
		}
		if len(p.mu.dirty) > 0 {
			st.Mirror.Lag = max(st.Mirror.Lag, time.Duration(now-p.mu.dirty[0].since)*time.Millisecond)
		}
		st.Mirror.Behind += len(p.mu.dirty) + len(p.mu.unverified) + p.mu.mirroring
		p.mu.Unlock()
	}
	return st
}
