package group

import (
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// JoinRequest is a JoinGroup. What it holds must not be changed afterwards.
type JoinRequest struct {
	Group                string
	MemberID             string
	InstanceID           *string
	ClientID, ClientHost string
	ProtocolType         string
	Protocols            []Protocol
	SessionTimeout       time.Duration
	RebalanceTimeout     time.Duration
	Reason               string
	// RequireMemberID: a new dynamic member gets an id and has to come again with it (v4+, KIP-394).
	RequireMemberID bool
	// CanSkipAssignment: the version knows SkipAssignment (v9+, KIP-814).
	CanSkipAssignment bool
	// Done is called once, from any goroutine, possibly before JoinGroup returns.
	Done func(JoinResult)
}

// maxPending bounds the member ids that a group has handed out to clients that haven't come back with them.
const maxPending = 10_000

// join handles a JoinGroup whose session timeout was checked.
func (g *group) join(now time.Time, r *JoinRequest, fx *effects) {
	switch {
	case !g.accepts(r.MemberID):
		if m := g.byID[r.MemberID]; m != nil {
			g.remove(m, fx)
		}
		fx.failJoin(r.Done, "", wire.GroupMaxSizeReached)
	case r.MemberID == "":
		g.joinAnew(now, r, fx)
	default:
		g.joinAgain(now, r, fx)
	}
	g.tryCompleteJoins(now, fx)
}

// accepts tells whether there is room for a member. While members join, those who have joined count: nobody who is in may be shut out by those who come.
func (g *group) accepts(memberID string) bool {
	if len(g.members) < g.settings.MaxSize {
		return true
	}
	switch m := g.byID[memberID]; g.state {
	case PreparingRebalance:
		if m != nil && m.join != nil {
			return true
		}
		waiting := 0
		for _, one := range g.members {
			if one.join != nil {
				waiting++
			}
		}
		return waiting < g.settings.MaxSize
	case CompletingRebalance, Stable:
		return m != nil
	}
	return true
}

// joinAnew handles a client that has no member id yet.
func (g *group) joinAnew(now time.Time, r *JoinRequest, fx *effects) {
	switch {
	case g.state == Dead:
		fx.failJoin(r.Done, "", wire.CoordinatorNotAvailable)
		return
	case !g.supports(r.ProtocolType, r.Protocols):
		fx.failJoin(r.Done, "", wire.InconsistentGroupProtocol)
		return
	}
	if r.InstanceID != nil {
		id := *r.InstanceID + "-" + g.newID()
		if m := g.static[*r.InstanceID]; m != nil {
			g.replaceStatic(now, m, id, r, fx)
			return
		}
		g.addAndRebalance(now, id, r, fx)
		return
	}
	id := r.ClientID + "-" + g.newID()
	if !r.RequireMemberID {
		g.addAndRebalance(now, id, r, fx)
		return
	}
	if len(g.pending) >= maxPending {
		fx.limits = append(fx.limits, limit{"pending members of a group", maxPending})
		fx.failJoin(r.Done, "", wire.CoordinatorNotAvailable)
		return
	}
	g.pending[id] = now.Add(r.SessionTimeout)
	g.arm(g.pending[id])
	g.settle(now)
	fx.failJoin(r.Done, id, wire.MemberIDRequired)
}

// joinAgain handles a client that says which member it is.
func (g *group) joinAgain(now time.Time, r *JoinRequest, fx *effects) {
	switch {
	case g.state == Dead:
		fx.failJoin(r.Done, r.MemberID, wire.CoordinatorNotAvailable)
		return
	case !g.supports(r.ProtocolType, r.Protocols):
		fx.failJoin(r.Done, r.MemberID, wire.InconsistentGroupProtocol)
		return
	}
	if _, ok := g.pending[r.MemberID]; ok {
		if r.InstanceID != nil { // ids are pending for dynamic members only
			fx.failJoin(r.Done, r.MemberID, wire.UnknownServerError)
			return
		}
		g.addAndRebalance(now, r.MemberID, r, fx)
		return
	}
	m, code := g.validate(r.MemberID, r.InstanceID)
	if code != wire.None {
		fx.failJoin(r.Done, r.MemberID, code)
		return
	}
	switch g.state {
	case PreparingRebalance:
		g.update(m, r, fx)
	case CompletingRebalance:
		if !m.same(r.Protocols) {
			g.updateAndRebalance(now, m, r, "member "+m.id+" joins with other protocols", fx)
			return
		}
		// It didn't get the answer to its last join.
		result := g.current(m, g.leader)
		if g.isLeader(m) {
			result.Members = g.joinedMembers()
		}
		fx.join(r.Done, result)
	case Stable:
		switch {
		case g.isLeader(m):
			g.updateAndRebalance(now, m, r, "leader "+m.id+" joins again", fx)
		case !m.same(r.Protocols):
			g.updateAndRebalance(now, m, r, "member "+m.id+" joins with other protocols", fx)
		default:
			fx.join(r.Done, g.current(m, g.leader))
		}
	default:
		fx.failJoin(r.Done, r.MemberID, wire.UnknownMemberID)
	}
}

// addAndRebalance takes a new member in; its join waits.
func (g *group) addAndRebalance(now time.Time, id string, r *JoinRequest, fx *effects) {
	m := &member{
		id: id, instanceID: r.InstanceID, clientID: r.ClientID, clientHost: r.ClientHost, rebalanceTimeout: r.RebalanceTimeout, sessionTimeout: r.SessionTimeout,
		protocols: r.Protocols, join: r.Done, isNew: true,
	}
	if g.state == PreparingRebalance && g.generation == 0 {
		g.newMembers = true
	}
	g.add(m, r.ProtocolType)
	g.settle(now)
	m.deadline = now.Add(newMemberJoinTimeout)
	g.arm(m.deadline)
	g.prepareRebalance(now, because("member "+id+" joins", r.Reason), fx)
}

// because adds a client's reason to our own.
func because(what, reason string) string {
	if reason == "" {
		return what
	}
	return what + ": " + reason
}

// update takes over what a member says of itself, and lets its join wait. A join of the same member that waited already is from before the client gave
// up on it: it is answered so that its connection goes on.
func (g *group) update(m *member, r *JoinRequest, fx *effects) {
	fx.failJoin(m.join, m.id, wire.RebalanceInProgress)
	g.setProtocols(m, r.Protocols)
	m.rebalanceTimeout, m.sessionTimeout = r.RebalanceTimeout, r.SessionTimeout
	m.join, m.skip = r.Done, r.CanSkipAssignment
}

func (g *group) setProtocols(m *member, protocols []Protocol) {
	g.countSupport(m, -1)
	m.protocols = protocols
	g.countSupport(m, 1)
}

func (g *group) updateAndRebalance(now time.Time, m *member, r *JoinRequest, reason string, fx *effects) {
	g.update(m, r, fx)
	g.prepareRebalance(now, because(reason, r.Reason), fx)
}
