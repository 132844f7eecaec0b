package replica

import (
	"cmp"
	"slices"
	"time"
)

// Description is all that a broker knows of a replica it hosts: for people who want to know why it is as it is. It is a copy.
type Description struct {
	State
	ControllerEpoch  int32
	Adding, Removing []int32
	// Proposed is the ISR that this leader has asked the controller for and has no answer to, nil for none.
	Proposed []int32
	// MinInSync is the effective min.insync.replicas.
	MinInSync int
	// EpochStart is where the log of a leader ended when its epoch began.
	EpochStart   int64
	LogStart     int64  // -1 without a log
	Dir          string // the log directory, empty without a log
	Followers    []FollowerState
	Fetch        FetchState
	LagTolerance time.Duration // replica.lag.time.max.ms
}

// FollowerState is what a leader knows of one follower. Offsets are -1 and times zero while it knows nothing.
type FollowerState struct {
	ID               int32
	LogStart, LogEnd int64
	// CaughtUp is the last time at which the follower had everything the leader had, Fetched when it last fetched something new.
	CaughtUp, Fetched time.Time
	Alive             bool
}

// FetchState is how a follower's fetching goes.
type FetchState struct {
	// Active tells that a fetcher has the partition, Failed that one has given it up until the controller says anew whom to follow.
	Active, Failed bool
	// Delayed tells that it waits after an error.
	Delayed bool
	Leader  int32
	// Offset is the next one to be fetched, Lag how many records the leader's high watermark is ahead of it; -1 when that isn't known yet.
	Offset, Lag int64
}

// Describe tells of a replica; false when it isn't hosted here.
func (m *Manager) Describe(tp TopicPartition) (Description, bool) {
	p := m.hosted(tp)
	if p == nil {
		return Description{}, false
	}
	r, log := p.role.Load(), p.log.Load()
	d := Description{
		State: p.State(), ControllerEpoch: r.controllerEpoch, Adding: slices.Clone(r.adding), Removing: slices.Clone(r.removing), EpochStart: r.epochStart,
		LogStart: -1, LagTolerance: p.env.lag,
	}
	if r.pending != nil {
		d.Proposed = slices.Clone(r.pending.isr)
	}
	if log != nil {
		d.LogStart, d.Dir, d.MinInSync = log.LogStartOffset(), log.Dir(), p.effectiveMinISR(r, log)
	}
	if r.isLeader {
		d.Followers = p.followerStates()
	} else {
		d.Fetch = m.fetchers.state(tp)
	}
	return d, true
}

func (p *Partition) followerStates() []FollowerState {
	p.followers.Lock()
	states := make([]FollowerState, 0, len(p.followers.byID))
	for id, f := range p.followers.byID {
		states = append(states, FollowerState{ID: id, LogStart: f.logStart, LogEnd: f.end, CaughtUp: timeOf(f.caughtUpAt()), Fetched: timeOf(f.fetched)})
	}
	p.followers.Unlock()
	for i := range states {
		states[i].Alive = p.env.isAlive(states[i].ID)
	}
	slices.SortFunc(states, func(x, y FollowerState) int { return cmp.Compare(x.ID, y.ID) })
	return states
}

// timeOf is the time of Unix milliseconds, zero for 0.
func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// state tells how the fetching of one partition goes.
func (fs *fetchers) state(tp TopicPartition) FetchState {
	fs.Lock()
	f := fs.byPart[tp]
	_, failed := fs.failed[tp]
	fs.Unlock()
	s := FetchState{Failed: failed, Leader: -1, Offset: -1, Lag: -1}
	if f == nil {
		return s
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if own := f.mu.parts[tp]; own != nil {
		s.Active, s.Delayed, s.Leader, s.Offset, s.Lag = true, !own.until.IsZero(), f.key.leader, own.offset, own.lag
	}
	return s
}
