package group

import (
	"slices"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// consumerType is the protocol type of consumers, the one whose metadata the coordinator understands (Kafka: ConsumerProtocol.PROTOCOL_TYPE).
const consumerType = "consumer"

// Settings are the configs that groups follow.
type Settings struct {
	// MinSessionTimeout and MaxSessionTimeout bound what a member may ask for (group.min.session.timeout.ms, group.max.session.timeout.ms).
	MinSessionTimeout, MaxSessionTimeout time.Duration
	// InitialDelay is how long an empty group waits for more members (group.initial.rebalance.delay.ms).
	InitialDelay time.Duration
	// Settle is for an InitialDelay of 0: how long an empty group waits after each newcomer (and, for up to maxSettle, for those who have been given a member id and are about to come
	// back with it), so that clients that are started together begin in one generation. A client that comes a moment too late makes the others join again, which they learn with their
	// next heartbeat, seconds later. 0 begins with the first member.
	Settle time.Duration
	// MaxSize is how many members a group may have (group.max.size).
	MaxSize int
}

// group is the state of one group. Its lock is its shard's.
type group struct {
	id       string
	settings *Settings
	newID    func() string // a random UUID

	state State
	// changedMs is when the state was entered, in ms since 1970; 0 when a record without it was loaded.
	changedMs    int64
	generation   int32
	protocolType *string // nil until it had a member
	protocolName *string // of the generation, nil between
	leader       string  // member id, empty without members

	members []*member // in order of arrival
	byID    map[string]*member
	static  map[string]*member   // by instance id
	pending map[string]time.Time // member ids that were handed out and not used yet, with when they lapse
	support map[string]int       // how many members know a protocol

	// subscribed are the topics of the consumers' subscriptions, nil when they aren't known.
	subscribed map[string]struct{}

	// A rebalance in progress: when it ends at the latest; initial: it waits that long, for more members to come, and newMembers says that some came.
	joinDeadline time.Time
	initial      bool
	newMembers   bool
	delay, left  time.Duration // initial: the wait under way, and how much more there may be
	settled      time.Time     // initial, without a delay: when those who are there begin, whoever may come
	// syncDeadline is when members that haven't synced are removed, zero when all have.
	syncDeadline time.Time

	// wake is no later than the earliest deadline, zero without one. timer is the heap's.
	wake  time.Time
	timer timerEntry
}

// newGroup returns a group that nobody knows yet.
func newGroup(id string, settings *Settings, newID func() string, now time.Time) *group {
	return &group{
		id: id, settings: settings, newID: newID, state: Empty, changedMs: now.UnixMilli(), byID: map[string]*member{}, static: map[string]*member{},
		pending: map[string]time.Time{}, support: map[string]int{}, timer: timerEntry{index: -1},
	}
}

// to changes the state.
func (g *group) to(s State, now time.Time, reason string, fx *effects) {
	if !s.follows(g.state) {
		panic("group " + g.id + " can't go from " + g.state.String() + " to " + s.String()) // a mistake in this package, whatever was asked
	}
	fx.changes = append(fx.changes, StateChange{Group: g.id, From: g.state, To: s, Generation: g.generation, Members: len(g.members), Reason: reason})
	g.state, g.changedMs = s, now.UnixMilli()
}

// is tells whether a member is the leader.
func (g *group) isLeader(m *member) bool { return m.id == g.leader }

// arm makes sure that the group is looked at no later than at a time.
func (g *group) arm(at time.Time) {
	if g.wake.IsZero() || at.Before(g.wake) {
		g.wake = at
	}
}

// renew starts a member's session timeout again.
func (g *group) renew(now time.Time, m *member) {
	m.deadline = now.Add(m.sessionTimeout)
	g.arm(m.deadline)
}

// add takes a member in.
func (g *group) add(m *member, protocolType string) {
	if len(g.members) == 0 {
		g.protocolType = &protocolType
	}
	if g.leader == "" {
		g.leader = m.id
	}
	g.members = append(g.members, m)
	g.byID[m.id] = m
	if m.static() {
		g.static[*m.instanceID] = m
	}
	delete(g.pending, m.id)
	g.countSupport(m, 1)
}

// remove takes a member out and answers what it waits for.
func (g *group) remove(m *member, fx *effects) {
	fx.failJoin(m.join, "", wire.UnknownMemberID)
	fx.failSync(m.sync, wire.UnknownMemberID)
	m.join, m.sync = nil, nil
	g.members = slices.DeleteFunc(g.members, func(one *member) bool { return one == m })
	delete(g.byID, m.id)
	if m.static() && g.static[*m.instanceID] == m {
		delete(g.static, *m.instanceID)
	}
	g.countSupport(m, -1)
	if g.leader == m.id {
		g.leader = ""
		if len(g.members) > 0 {
			g.leader = g.members[0].id
		}
	}
	g.dropSyncDeadline()
}

func (g *group) countSupport(m *member, by int) {
	distinct(m.protocols, func(name string) {
		if g.support[name] += by; g.support[name] == 0 {
			delete(g.support, name)
		}
	})
}

// validate checks that a request comes from a member (KIP-345: an instance id fences whoever had it before).
func (g *group) validate(memberID string, instanceID *string) (*member, wire.Error) {
	if instanceID != nil {
		switch m := g.static[*instanceID]; {
		case m == nil:
			return nil, wire.UnknownMemberID
		case m.id != memberID:
			return nil, wire.FencedInstanceID
		}
	}
	if m := g.byID[memberID]; m != nil {
		return m, wire.None
	}
	return nil, wire.UnknownMemberID
}

// rebalanceTimeout is the longest that a member needs to join.
func (g *group) rebalanceTimeout() time.Duration {
	var longest time.Duration
	for _, m := range g.members {
		longest = max(longest, m.rebalanceTimeout)
	}
	return longest
}

// prepareRebalance begins a rebalance, where the state allows one: during PreparingRebalance one is under way.
func (g *group) prepareRebalance(now time.Time, reason string, fx *effects) {
	if !PreparingRebalance.follows(g.state) {
		return
	}
	if g.state == CompletingRebalance {
		g.failAssignment(now, wire.RebalanceInProgress, fx)
	}
	g.syncDeadline = time.Time{}
	for _, m := range g.members {
		m.pendingSync = false
	}
	wait := g.rebalanceTimeout()
	if g.initial = g.state == Empty; g.initial {
		g.delay, g.left = g.settings.InitialDelay, max(wait-g.settings.InitialDelay, 0)
		g.settled = now.Add(maxSettle)
		if wait = g.delay; wait == 0 {
			wait = g.settings.Settle
		}
	}
	g.to(PreparingRebalance, now, reason, fx)
	g.waitForJoins(now, wait)
	if wait <= 0 {
		g.joinsExpired(now, fx)
		return
	}
	g.tryCompleteJoins(now, fx)
}

// maxSettle bounds how long a group without an initial delay waits for clients that come at the same time.
const maxSettle = 100 * time.Millisecond

// settle gives those who come after a newcomer the same time.
func (g *group) settle(now time.Time) {
	if g.state != PreparingRebalance || !g.initial || g.settings.InitialDelay > 0 {
		return
	}
	if at := now.Add(g.settings.Settle); at.Before(g.settled) {
		g.waitForJoins(now, g.settings.Settle)
	} else {
		g.waitForJoins(now, g.settled.Sub(now))
	}
}

func (g *group) waitForJoins(now time.Time, wait time.Duration) {
	g.joinDeadline = now.Add(wait)
	g.arm(g.joinDeadline)
}

// tryCompleteJoins ends the rebalance when everybody has joined. An initial rebalance always waits its time.
func (g *group) tryCompleteJoins(now time.Time, fx *effects) {
	if g.state != PreparingRebalance || g.initial || len(g.pending) > 0 {
		return
	}
	for _, m := range g.members {
		if m.join == nil {
			return
		}
	}
	g.completeJoins(now, fx)
}

// joinsExpired is called when the time to join is over.
func (g *group) joinsExpired(now time.Time, fx *effects) {
	if g.initial && g.settings.InitialDelay == 0 && g.settings.Settle > 0 && len(g.pending) > 0 && now.Before(g.settled) {
		g.waitForJoins(now, g.settled.Sub(now))
		return
	}
	if g.initial && g.newMembers && g.left > 0 {
		g.newMembers = false
		wait := min(g.settings.InitialDelay, g.left)
		g.left = max(g.left-g.delay, 0)
		g.delay = wait
		if wait > 0 {
			g.waitForJoins(now, wait)
			return
		}
	}
	g.completeJoins(now, fx)
}

// minStaticWait keeps a group of static members that asked for no time to join from being looked at all the time.
const minStaticWait = 100 * time.Millisecond

// completeJoins starts the next generation with those who have joined. Static members stay without having joined.
func (g *group) completeJoins(now time.Time, fx *effects) {
	g.joinDeadline, g.initial = time.Time{}, false
	for _, m := range slices.Clone(g.members) {
		if m.join == nil && !m.static() {
			g.remove(m, fx)
		}
	}
	if len(g.members) == 0 {
		g.becomeEmpty(now, fx)
		return
	}
	if !g.electLeader() {
		g.waitForJoins(now, max(g.rebalanceTimeout(), minStaticWait))
		return
	}
	g.generation++
	g.protocolName = g.selectProtocol()
	g.subscribed = g.subscriptions()
	g.to(CompletingRebalance, now, "", fx)
	everybody := g.joinedMembers()
	for _, m := range g.members {
		result := g.current(m, g.leader)
		if g.isLeader(m) {
			result.Members = everybody
		}
		fx.join(m.join, result)
		m.join, m.isNew, m.pendingSync = nil, false, true
		g.renew(now, m)
	}
	g.syncDeadline = now.Add(max(g.rebalanceTimeout(), 0))
	g.arm(g.syncDeadline)
}

// becomeEmpty ends the last generation. What is stored keeps a later coordinator from taking it for alive.
func (g *group) becomeEmpty(now time.Time, fx *effects) {
	g.generation++
	g.protocolName, g.leader = nil, ""
	g.subscribed = map[string]struct{}{}
	if g.protocolType == nil || *g.protocolType != consumerType {
		g.subscribed = nil
	}
	g.to(Empty, now, "the last member is gone", fx)
	fx.writes = append(fx.writes, &write{purpose: emptied, metadata: g.record(nil), generation: g.generation})
}

// electLeader keeps the leader if it has joined and otherwise takes another member that has; false when none has.
func (g *group) electLeader() bool {
	if m := g.byID[g.leader]; m != nil && m.join != nil {
		return true
	}
	for _, m := range g.members {
		if m.join != nil {
			g.leader = m.id
			return true
		}
	}
	return false
}

// current is the answer to a join that gets the generation as it is.
func (g *group) current(m *member, leader string) JoinResult {
	return JoinResult{MemberID: m.id, Generation: g.generation, ProtocolType: g.protocolType, ProtocolName: g.protocolName, Leader: leader}
}

// joinedMembers lists the members as the leader learns of them.
func (g *group) joinedMembers() []wire.JoinGroupResponseMember {
	list := make([]wire.JoinGroupResponseMember, len(g.members))
	for i, m := range g.members {
		list[i] = wire.JoinGroupResponseMember{MemberID: m.id, GroupInstanceID: m.instanceID, Metadata: m.metadata(*g.protocolName)}
	}
	return list
}
