package group

import (
	"time"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/offsets"
)

// record is the group as it is stored: with the given assignments, or with those it has.
func (g *group) record(assignments map[string][]byte) offsets.GroupMetadata {
	r := offsets.GroupMetadata{Generation: g.generation, Protocol: g.protocolName, StateTimestampMs: g.changedMs}
	if g.protocolType != nil {
		r.ProtocolType = *g.protocolType
	}
	if g.leader != "" {
		leader := g.leader
		r.Leader = &leader
	}
	for _, m := range g.members {
		assignment := m.assignment
		if assignments != nil {
			assignment = assignments[m.id]
		}
		one := offsets.GroupMember{
			MemberID: m.id, InstanceID: m.instanceID, ClientID: m.clientID, ClientHost: m.clientHost, RebalanceTimeoutMs: milliseconds(m.rebalanceTimeout),
			SessionTimeoutMs: milliseconds(m.sessionTimeout), Assignment: assignment,
		}
		if g.protocolName != nil {
			one.Subscription = m.metadata(*g.protocolName)
		}
		r.Members = append(r.Members, one)
	}
	return r
}

func milliseconds(d time.Duration) int32 { return int32(d / time.Millisecond) }

func fromMilliseconds(ms int32) time.Duration { return time.Duration(ms) * time.Millisecond }

// restore makes a group of what was stored. Its members' sessions begin anew.
func restore(loaded offsets.LoadedGroup, settings *Settings, newID func() string, now time.Time, fx *effects) *group {
	g := newGroup(loaded.Group, settings, newID, now)
	r := loaded.Metadata
	if r == nil {
		return g
	}
	g.generation, g.protocolName = r.Generation, r.Protocol
	g.changedMs = max(r.StateTimestampMs, 0)
	if r.ProtocolType != "" {
		g.protocolType = &r.ProtocolType
	}
	for i := range r.Members {
		one := &r.Members[i]
		m := &member{
			id: one.MemberID, instanceID: one.InstanceID, clientID: one.ClientID, clientHost: one.ClientHost,
			rebalanceTimeout: fromMilliseconds(one.RebalanceTimeoutMs), sessionTimeout: fromMilliseconds(one.SessionTimeoutMs), assignment: one.Assignment,
		}
		if g.byID[m.id] != nil {
			continue
		}
		if r.Protocol != nil {
			m.protocols = []Protocol{{Name: *r.Protocol, Metadata: one.Subscription}}
		}
		g.add(m, r.ProtocolType)
		g.renew(now, m)
	}
	if len(g.members) > 0 {
		g.state = Stable
		if g.protocolName == nil {
			g.protocolName = new(string)
		}
	}
	if r.Leader != nil && g.byID[*r.Leader] != nil {
		g.leader = *r.Leader
	}
	g.subscribed = g.subscriptions()
	if len(g.members) > settings.MaxSize {
		g.prepareRebalance(now, "the group is larger than group.max.size", fx)
	}
	return g
}

// end makes the group Dead and answers everybody who waits.
func (g *group) end(now time.Time, code wire.Error, reason string, fx *effects) {
	for _, m := range g.members {
		fx.failJoin(m.join, m.id, code)
		fx.failSync(m.sync, code)
		m.join, m.sync = nil, nil
	}
	g.to(Dead, now, reason, fx)
	g.wake = time.Time{}
}

// rule says when the group's offsets expire (KIP-211).
func (g *group) rule() offsets.Rule {
	switch {
	case g.protocolType == nil:
		return offsets.Rule{Enabled: true}
	case g.state == Empty:
		return offsets.Rule{Enabled: true, EmptySinceMs: g.changedMs}
	case g.state == Stable && *g.protocolType == consumerType && g.subscribed != nil:
		return offsets.Rule{Enabled: true, Subscribed: g.isSubscribed}
	}
	return offsets.Rule{}
}

// isSubscribed tells whether a member subscribes to a topic.
func (g *group) isSubscribed(topic string) bool {
	_, ok := g.subscribed[topic]
	return ok
}

// describe is the group as DescribeGroups tells it. Authorized operations are the handler's.
func (g *group) describe() wire.DescribeGroupsResponseGroup {
	d := wire.DescribeGroupsResponseGroup{GroupID: g.id, GroupState: g.state.String()}
	if g.protocolType != nil {
		d.ProtocolType = *g.protocolType
	}
	stable := g.state == Stable && g.protocolName != nil
	if stable {
		d.ProtocolData = *g.protocolName
	}
	for _, m := range g.members {
		one := wire.DescribeGroupsResponseMember{MemberID: m.id, GroupInstanceID: m.instanceID, ClientID: m.clientID, ClientHost: m.clientHost}
		if stable {
			one.MemberMetadata, one.MemberAssignment = m.metadata(d.ProtocolData), m.assignment
		}
		d.Members = append(d.Members, one)
	}
	return d
}
