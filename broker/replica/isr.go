package replica

import (
	"slices"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// proposal is a change of the ISR that was sent, or is to be sent, to the controller. Its identity is the partition's pending state: an answer to one that isn't
// pending any more is ignored.
type proposal struct {
	partition      *Partition
	topicID        wire.UUID
	isr            []int32
	leaderEpoch    int32
	partitionEpoch int32
	// controllerEpoch is that of the controller that made this broker the leader.
	controllerEpoch int32
}

// proposeLocked makes the change to isr this partition's pending state and returns it for submission. Leadership is held alone.
func (p *Partition) proposeLocked(r *role, isr []int32) *proposal {
	change := &proposal{partition: p, topicID: p.TopicID(), isr: isr, leaderEpoch: r.leaderEpoch, partitionEpoch: r.partitionEpoch, controllerEpoch: r.controllerEpoch}
	next := *r
	next.pending = change
	// A replica that is being added holds the high watermark back already, since the controller may have committed it. One that is being removed still does, since the controller
	// may refuse (KIP-497).
	next.maximal = slices.Clone(r.isr)
	for _, id := range isr {
		if !contains(next.maximal, id) && !planted(ignoreJoining) {
			next.maximal = append(next.maximal, id)
		}
	}
	p.role.Store(&next)
	if told := p.env.events.ISRProposed; told != nil {
		told(ISRProposal{TopicPartition: p.tp, LeaderEpoch: r.leaderEpoch, PartitionEpoch: r.partitionEpoch, From: slices.Clone(r.isr), To: slices.Clone(isr)})
	}
	return change
}

// maybeExpand proposes that a follower joins the ISR when it has reached the high watermark and the start of this leader epoch (replication.md §6.2).
func (p *Partition) maybeExpand(id int32) *proposal {
	if r := p.role.Load(); !r.isLeader || r.pending != nil || contains(r.isr, id) {
		return nil
	}
	p.leadership.Lock()
	defer p.leadership.Unlock()
	r, log := p.role.Load(), p.log.Load()
	if !r.isLeader || r.pending != nil || log == nil || contains(r.isr, id) || !p.env.isAlive(id) {
		return nil
	}
	p.followers.Lock()
	f := p.followers.byID[id]
	joins := f != nil && f.end >= log.HighWatermark() && (f.end >= r.epochStart || planted(joinEarly))
	p.followers.Unlock()
	if !joins {
		return nil
	}
	return p.proposeLocked(r, append(slices.Clone(r.isr), id))
}

// maybeShrink proposes that the members which are out of sync leave the ISR, all at once (replication.md §6.1).
func (p *Partition) maybeShrink(now time.Time) *proposal {
	if r := p.role.Load(); !r.isLeader || r.pending != nil || len(r.isr) < 2 {
		return nil
	}
	p.leadership.Lock()
	defer p.leadership.Unlock()
	r, log := p.role.Load(), p.log.Load()
	if !r.isLeader || r.pending != nil || log == nil || p.offline.Load() {
		return nil
	}
	leaderEnd := log.LogEndOffset()
	p.followers.Lock()
	stay := slices.DeleteFunc(slices.Clone(r.isr), func(id int32) bool {
		if id == p.env.brokerID {
			return false
		}
		f := p.followers.byID[id]
		return f == nil || !f.inSync(leaderEnd, now.UnixMilli(), p.env.lag)
	})
	p.followers.Unlock()
	if len(stay) == len(r.isr) {
		return nil
	}
	return p.proposeLocked(r, stay)
}

// outcome is the controller's answer to a proposal.
type outcome struct {
	code           wire.Error
	leaderEpoch    int32
	partitionEpoch int32
	isr            []int32
}

// settle takes in the controller's answer (replication.md §6.4). again is a proposal to be sent at once, nil for none; changed tells that the ISR was committed, from
// the old one.
func (p *Partition) settle(change *proposal, o outcome) (again *proposal, changed *ISRChange, failed bool) {
	p.leadership.Lock()
	r, log := p.role.Load(), p.log.Load()
	if r.pending != change || log == nil {
		p.leadership.Unlock()
		return nil, nil, false
	}
	switch o.code {
	case wire.None:
		if o.leaderEpoch != r.leaderEpoch || o.partitionEpoch < r.partitionEpoch {
			p.leadership.Unlock()
			return nil, nil, true
		}
		next := *r
		next.isr, next.maximal, next.pending, next.partitionEpoch = o.isr, o.isr, nil, o.partitionEpoch
		p.role.Store(&next)
		advanced := p.advanceHighWatermark(&next, log)
		changed = &ISRChange{TopicPartition: p.tp, From: slices.Clone(r.isr), To: slices.Clone(o.isr), HighWatermark: log.HighWatermark()}
		p.leadership.Unlock()
		p.waiting.notify(p, advanced, true)
		return nil, changed, false
	case wire.OperationNotAttempted, wire.IneligibleReplica:
		next := *r
		next.maximal, next.pending = r.isr, nil
		p.role.Store(&next)
		advanced := p.advanceHighWatermark(&next, log)
		p.leadership.Unlock()
		p.waiting.notify(p, advanced, true)
		return nil, nil, true
	case wire.UnknownTopicOrPartition, wire.UnknownTopicID, wire.FencedLeaderEpoch, wire.InvalidUpdateVersion, wire.InvalidRequest, wire.NewLeaderElected:
		p.leadership.Unlock()
		return nil, nil, true // the controller knows better: LeaderAndIsr will tell
	}
	p.leadership.Unlock()
	return change, nil, true
}

// ISRProposal is a change of an ISR that this leader asks the controller for.
type ISRProposal struct {
	TopicPartition
	LeaderEpoch, PartitionEpoch int32
	From, To                    []int32
}

// ISRChange is a committed change of an ISR that this leader proposed.
type ISRChange struct {
	TopicPartition
	From, To      []int32
	HighWatermark int64
}
