package group

import (
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// SyncRequest is a SyncGroup. What it holds must not be changed afterwards.
type SyncRequest struct {
	Group      string
	MemberID   string
	InstanceID *string
	Generation int32
	// ProtocolType and ProtocolName are nil where the client doesn't say (before v5).
	ProtocolType, ProtocolName *string
	// Assignments are the leader's.
	Assignments []wire.SyncGroupRequestAssignment
	// Done is called once, from any goroutine, possibly before SyncGroup returns.
	Done func(SyncResult)
}

// syncGroup handles a SyncGroup.
func (g *group) syncGroup(now time.Time, r *SyncRequest, fx *effects) {
	m, code := g.checkSync(r)
	if code != wire.None {
		fx.failSync(r.Done, code)
		return
	}
	m.pendingSync = false
	g.dropSyncDeadline()
	if g.state == Stable {
		fx.sync(r.Done, g.assignment(m))
		g.renew(now, m)
		return
	}
	fx.failSync(m.sync, wire.RebalanceInProgress) // one that its client has given up on
	m.sync = r.Done
	if !g.isLeader(m) {
		return
	}
	assignments := make(map[string][]byte, len(g.members))
	for i := range r.Assignments {
		assignments[r.Assignments[i].MemberID] = r.Assignments[i].Assignment
	}
	fx.writes = append(fx.writes, &write{purpose: assigned, metadata: g.record(assignments), generation: g.generation, assignments: assignments})
}

// checkSync makes the checks of a SyncGroup, in Kafka's order.
func (g *group) checkSync(r *SyncRequest) (*member, wire.Error) {
	if g.state == Dead {
		return nil, wire.CoordinatorNotAvailable
	}
	m, code := g.validate(r.MemberID, r.InstanceID)
	switch {
	case code != wire.None:
		return nil, code
	case r.Generation != g.generation:
		return nil, wire.IllegalGeneration
	case differs(r.ProtocolType, g.protocolType), differs(r.ProtocolName, g.protocolName):
		return nil, wire.InconsistentGroupProtocol
	}
	switch g.state {
	case Empty:
		return nil, wire.UnknownMemberID
	case PreparingRebalance:
		return nil, wire.RebalanceInProgress
	}
	return m, wire.None
}

// differs tells whether a client names something else than the group has.
func differs(said, is *string) bool { return said != nil && (is == nil || *said != *is) }

// dropSyncDeadline ends the wait for syncs when all have come.
func (g *group) dropSyncDeadline() {
	for _, m := range g.members {
		if m.pendingSync {
			return
		}
	}
	g.syncDeadline = time.Time{}
}

// syncsExpired removes the members that haven't asked for their assignment, static ones too.
func (g *group) syncsExpired(now time.Time, fx *effects) {
	g.syncDeadline = time.Time{}
	if g.state != CompletingRebalance && g.state != Stable {
		return
	}
	var late []*member
	for _, m := range g.members {
		if m.pendingSync {
			late = append(late, m)
		}
	}
	for _, m := range late {
		g.remove(m, fx)
	}
	if len(late) > 0 {
		g.prepareRebalance(now, "members have not synced in time", fx)
	}
}

func (g *group) assignment(m *member) SyncResult {
	return SyncResult{ProtocolType: g.protocolType, ProtocolName: g.protocolName, Assignment: m.assignment}
}

// stored is called when a record is in the log of every replica, or isn't.
func (g *group) stored(now time.Time, w *write, code wire.Error, fx *effects) {
	switch w.purpose {
	case replaced:
		g.staticReplaced(now, w, code, fx)
	case assigned:
		if g.state != CompletingRebalance || g.generation != w.generation {
			return // a rebalance has begun meanwhile: everybody was told
		}
		if code != wire.None {
			g.failAssignment(now, code, fx)
			g.prepareRebalance(now, "the assignment could not be stored: "+code.Name(), fx)
			return
		}
		for _, m := range g.members {
			m.assignment = w.assignments[m.id]
		}
		g.to(Stable, now, "", fx)
		for _, m := range g.members {
			if m.sync != nil {
				fx.sync(m.sync, g.assignment(m))
				m.sync = nil
				g.renew(now, m)
			}
		}
	case emptied:
	}
}

// failAssignment takes the assignments back and answers the syncs that wait.
func (g *group) failAssignment(now time.Time, code wire.Error, fx *effects) {
	for _, m := range g.members {
		m.assignment = nil
		if m.sync != nil {
			fx.failSync(m.sync, code)
			m.sync = nil
			g.renew(now, m)
		}
	}
}
