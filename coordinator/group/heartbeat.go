package group

import (
	"slices"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// heartbeat notes that a member lives.
func (g *group) heartbeat(now time.Time, generation int32, memberID string, instanceID *string) wire.Error {
	if g.state == Dead {
		return wire.CoordinatorNotAvailable
	}
	m, code := g.validate(memberID, instanceID)
	switch {
	case code != wire.None:
		return code
	case generation != g.generation:
		return wire.IllegalGeneration
	}
	switch g.state {
	case Empty:
		return wire.UnknownMemberID
	case PreparingRebalance:
		g.renew(now, m)
		return wire.RebalanceInProgress
	}
	g.renew(now, m)
	return wire.None
}

// leave takes one member out: by its id, or by its instance id alone (the form of an administrator).
func (g *group) leave(now time.Time, memberID string, instanceID *string, reason string, fx *effects) wire.Error {
	if g.state == Dead {
		return wire.CoordinatorNotAvailable
	}
	if memberID == "" && instanceID != nil {
		m := g.static[*instanceID]
		if m == nil {
			return wire.UnknownMemberID
		}
		g.drop(now, m, because("static member "+m.id+" was removed", reason), fx)
		return wire.None
	}
	if _, ok := g.pending[memberID]; ok {
		delete(g.pending, memberID)
		g.tryCompleteJoins(now, fx)
		return wire.None
	}
	m, code := g.validate(memberID, instanceID)
	if code != wire.None {
		return code
	}
	g.drop(now, m, because("member "+m.id+" left", reason), fx)
	return wire.None
}

// drop takes a member out and lets the others share its partitions.
func (g *group) drop(now time.Time, m *member, reason string, fx *effects) {
	g.remove(m, fx)
	switch g.state {
	case Stable, CompletingRebalance:
		g.prepareRebalance(now, reason, fx)
	case PreparingRebalance:
		g.tryCompleteJoins(now, fx)
	case Empty, Dead:
	}
}

// checkCommit tells whether an OffsetCommit may be stored. generation is below 0 for a client outside any group, which may commit while the group is empty.
func (g *group) checkCommit(now time.Time, generation int32, memberID string, instanceID *string) wire.Error {
	switch {
	case g.state == Dead:
		return wire.CoordinatorNotAvailable
	case generation < 0 && g.state == Empty:
		return wire.None
	case generation < 0 && memberID == "" && instanceID == nil:
		return wire.UnknownMemberID
	}
	m, code := g.validate(memberID, instanceID)
	switch {
	case code != wire.None:
		return code
	case generation != g.generation:
		return wire.IllegalGeneration
	case g.state == CompletingRebalance:
		return wire.RebalanceInProgress
	}
	g.renew(now, m)
	return wire.None
}

// tick does what is due and finds out when the next thing is.
func (g *group) tick(now time.Time, fx *effects) {
	for id, at := range g.pending {
		if !at.After(now) {
			delete(g.pending, id)
		}
	}
	for _, m := range slices.Clone(g.members) {
		if !due(m.deadline, now) {
			continue
		}
		if m.waits() && !m.isNew {
			m.deadline = time.Time{} // it gets another with the answer
			continue
		}
		if g.byID[m.id] == m {
			g.drop(now, m, "member "+m.id+" sent no heartbeat", fx)
		}
	}
	if due(g.joinDeadline, now) {
		g.joinsExpired(now, fx)
	}
	if due(g.syncDeadline, now) {
		g.syncsExpired(now, fx)
	}
	g.tryCompleteJoins(now, fx)
	g.wake = g.next()
}

func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

// next is the earliest deadline, zero without one.
func (g *group) next() time.Time {
	var first time.Time
	look := func(at time.Time) {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	look(g.joinDeadline)
	look(g.syncDeadline)
	for _, at := range g.pending {
		look(at)
	}
	for _, m := range g.members {
		look(m.deadline)
	}
	return first
}
