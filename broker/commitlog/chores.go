package commitlog

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// chore is background work that is done some time after it was asked for. Nothing looks every second whether there is something to do: an idle broker sleeps.
type chore int

const (
	flushing       chore = iota // flush.ms
	metadata                    // epoch files, topic ids
	highWatermarks              // replication-offset-checkpoint
	recoveryPoints              // recovery-point-offset-checkpoint
	staleNames                  // the same, when it names logs that are gone
	logStarts                   // log-start-offset-checkpoint
	removing                    // deleted files
	idleFiles                   // closing what isn't used
	retaining                   // retention
	expiring                    // producers
	choreCount
)

const (
	// metadataDelay is how long changed epochs and topic ids wait for more of them. A broker that has just started, or that others have to stand in for, has better things to do
	// than to write a file for each of thousands of partitions; what a crash finds unwritten is read from the batches.
	metadataDelay = 5 * time.Second
	// staleNamesDelay is how long a deleted log's name stays in the recovery points.
	staleNamesDelay = time.Second
)

// chores is what there is to do. Asking is one atomic load where it was asked for already.
type chores struct {
	wanted [choreCount]atomic.Bool // since the chore was last begun
	wake   chan struct{}           // capacity 1: something is wanted that wasn't
	rounds atomic.Uint64           // how often Run woke
}

func newChores() *chores { return &chores{wake: make(chan struct{}, 1)} }

// want asks for a chore. It never blocks and may be called under any lock.
func (c *chores) want(what chore) {
	if c.wanted[what].Load() || c.wanted[what].Swap(true) {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default: // already awake
	}
}

// plan says when a chore is done and how.
type plan struct {
	// delay is between asking and doing, so that one doing serves many; negative means never.
	delay time.Duration
	// do returns when it is to be done again without being asked, the zero time for not at all.
	do func(now time.Time) time.Time

	due   time.Time // zero: not planned
	asked bool      // due takes in that it is wanted
}

// once makes a chore of something that is done when asked only.
func once(do func() error) func(time.Time) time.Time {
	return func(time.Time) time.Time {
		_ = do() // takes the directory offline, which is told by its hook
		return time.Time{}
	}
}

// plans are the chores of Run. Those that nobody asks for have their first time.
func (m *Manager) plans(start time.Time) *[choreCount]plan {
	i := m.config.Intervals
	periodic := func(every time.Duration, do func(now time.Time)) func(time.Time) time.Time {
		return func(now time.Time) time.Time {
			do(now)
			return now.Add(every)
		}
	}
	all := &[choreCount]plan{
		flushing: {delay: i.Flush, do: func(now time.Time) time.Time {
			next := m.FlushDue(now)
			if next.IsZero() {
				return next
			}
			return later(next, now.Add(i.Flush)) // a log that can't be flushed isn't tried all the time
		}},
		metadata:       {delay: metadataDelay, do: once(func() error { m.WriteMetadata(); return nil })},
		highWatermarks: {delay: i.HighWatermarks, do: once(m.CheckpointHighWatermarks)},
		recoveryPoints: {delay: i.RecoveryPoints, do: once(m.CheckpointRecoveryPoints)},
		staleNames:     {delay: staleNamesDelay, do: once(m.CheckpointRecoveryPoints)},
		logStarts:      {delay: i.LogStarts, do: once(m.CheckpointLogStart)},
		removing:       {do: m.RemoveDeleted},
		idleFiles:      {delay: i.CloseIdleFilesAfterAbout, do: m.closeIdleFiles},
		retaining:      {delay: i.Retention, do: periodic(i.Retention, func(now time.Time) { m.Retention(now) })},
		expiring:       {delay: i.ProducerExpiration, do: periodic(i.ProducerExpiration, func(now time.Time) { m.ExpireProducers(now) })},
	}
	for c := range choreCount {
		m.shared.chores.wanted[c].Store(true) // what was loaded may differ from the files
	}
	if p := &all[retaining]; p.delay >= 0 {
		p.due, p.asked = start.Add(i.InitialDelay), true
	}
	return all
}

// Run does the manager's background work until the context ends: it removes deleted files, flushes, checkpoints, applies retention, expires producers and closes idle
// files. Two goroutines: this one, and one that only syncs closed segments, as that may take long. It sleeps until the next thing is due, and is woken when something nearer
// is asked for.
func (m *Manager) Run(ctx context.Context) {
	var flusher sync.WaitGroup
	flusher.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-m.rolled.wake:
				m.FlushRolled()
			}
		}
	})
	defer flusher.Wait()

	plans := m.plans(m.now())
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-m.shared.chores.wake:
		}
		m.shared.chores.rounds.Add(1)
		next := m.doDue(plans, m.now())
		if next.IsZero() {
			timer.Stop()
			continue
		}
		timer.Reset(max(next.Sub(m.now()), time.Millisecond))
	}
}

// doDue plans what is wanted, does what is due, and returns when the next thing is, the zero time for never.
func (m *Manager) doDue(plans *[choreCount]plan, now time.Time) time.Time {
	var next time.Time
	for c := range plans {
		p := &plans[c]
		if p.delay < 0 {
			continue
		}
		wanted := &m.shared.chores.wanted[c]
		if !p.asked && wanted.Load() {
			p.due, p.asked = earlier(p.due, now.Add(p.delay)), true
		}
		if !p.due.IsZero() && !p.due.After(now) {
			wanted.Store(false) // before it is done: what is asked for meanwhile is done again
			p.asked = false
			p.due = p.do(now)
		}
		next = earlier(next, p.due)
	}
	return next
}

// earlier returns the earlier of two times of which either may be zero, for never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// closeIdleFiles closes files that haven't been used for a while, and is done again while there are others.
func (m *Manager) closeIdleFiles(now time.Time) time.Time {
	m.shared.files.sweep()
	if m.shared.files.count() == 0 {
		return time.Time{}
	}
	return now.Add(m.config.Intervals.CloseIdleFilesAfterAbout)
}

// Wakeups is how often the background work of Run woke: what an idle broker costs.
func (m *Manager) Wakeups() uint64 { return m.shared.chores.rounds.Load() }
