package group

import (
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// replacement is a static member that came back under another id while its record is being written.
type replacement struct {
	member    *member
	oldID     string
	newID     string
	oldLeader string
	done      func(JoinResult) // the join that waits for the record
	// what it said of itself before
	protocols                        []Protocol
	rebalanceTimeout, sessionTimeout time.Duration
}

// replaceStatic lets a static member that was restarted go on under a new id (KIP-345). Whoever still uses the old one is fenced.
func (g *group) replaceStatic(now time.Time, m *member, id string, r *JoinRequest, fx *effects) {
	was := &replacement{
		member: m, oldID: m.id, newID: id, oldLeader: g.leader, done: r.Done,
		protocols: m.protocols, rebalanceTimeout: m.rebalanceTimeout, sessionTimeout: m.sessionTimeout,
	}
	fx.failJoin(m.join, m.id, wire.FencedInstanceID)
	fx.failSync(m.sync, wire.FencedInstanceID)
	m.join, m.sync = nil, nil
	g.rename(m, id)
	g.update(m, r, fx)
	g.renew(now, m)
	switch g.state {
	case Stable:
		if next := g.selectProtocol(); g.protocolName == nil || *next != *g.protocolName {
			g.prepareRebalance(now, "static member "+id+" changes the selected protocol", fx)
			return
		}
		// The assignment stays; what has to be known after this coordinator is the new id.
		fx.writes = append(fx.writes, &write{purpose: replaced, metadata: g.record(nil), generation: g.generation, replaced: was})
	case CompletingRebalance:
		// The leader may be assigning to the old id already.
		g.prepareRebalance(now, "static member "+id+" came back while partitions are assigned", fx)
	case PreparingRebalance, Empty, Dead: // it waits with the others; the last two have no members
	}
}

// rename gives a member another id.
func (g *group) rename(m *member, id string) {
	delete(g.byID, m.id)
	if g.leader == m.id {
		g.leader = id
	}
	m.id = id
	g.byID[id] = m
}

// staticReplaced ends a replacement in a Stable group. When the group has moved on meanwhile, the join waits with the others, or was answered.
func (g *group) staticReplaced(now time.Time, w *write, code wire.Error, fx *effects) {
	was := w.replaced
	m := was.member
	if g.state != Stable || g.generation != w.generation || m.id != was.newID || g.byID[m.id] != m || m.join == nil {
		return
	}
	done := m.join
	m.join = nil
	if code != wire.None {
		g.setProtocols(m, was.protocols)
		m.rebalanceTimeout, m.sessionTimeout = was.rebalanceTimeout, was.sessionTimeout
		g.rename(m, was.oldID)
		g.renew(now, m)
		result := g.current(m, was.oldLeader)
		result.MemberID, result.Code = "", code
		fx.join(done, result)
		return
	}
	// Before version 9 a leader that came back is told of its old id as the leader, so that it doesn't assign.
	result := g.current(m, was.oldLeader)
	if m.skip {
		result = g.current(m, g.leader)
		if g.isLeader(m) {
			result.SkipAssignment, result.Members = true, g.joinedMembers()
		}
	}
	fx.join(done, result)
	g.renew(now, m)
}
