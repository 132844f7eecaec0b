package group

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/offsets"
)

// JoinGroup makes a client a member. r.Done is called when the next generation begins, or with an error.
func (c *Coordinator) JoinGroup(r *JoinRequest) {
	fail := func(code wire.Error) { r.Done(JoinResult{Code: code, MemberID: r.MemberID, Generation: noGeneration}) }
	if _, code := c.lookup(r.Group, false); code != wire.None {
		fail(code)
		return
	}
	if r.SessionTimeout < c.config.Settings.MinSessionTimeout || r.SessionTimeout > c.config.Settings.MaxSessionTimeout {
		fail(wire.InvalidSessionTimeout)
		return
	}
	code := c.with(r.Group, false, r.MemberID == "", func(now time.Time, _ *shard, g *group, fx *effects) {
		if g == nil {
			fx.failJoin(r.Done, r.MemberID, wire.UnknownMemberID)
			return
		}
		g.join(now, r, fx)
	})
	if code != wire.None {
		fail(code)
	}
}

// SyncGroup asks for a member's assignment; the leader brings everybody's. r.Done is called when it is stored, or with an error.
func (c *Coordinator) SyncGroup(r *SyncRequest) {
	code := c.with(r.Group, false, false, func(now time.Time, _ *shard, g *group, fx *effects) {
		if g == nil {
			fx.failSync(r.Done, wire.UnknownMemberID)
			return
		}
		g.syncGroup(now, r, fx)
	})
	if code == wire.CoordinatorLoadInProgress {
		// The group's generation is in the log with its assignments, or isn't over: either way joining again is what helps.
		code = wire.RebalanceInProgress
	}
	if code != wire.None {
		r.Done(SyncResult{Code: code})
	}
}

// Heartbeat notes that a member lives. It is REBALANCE_IN_PROGRESS when the member has to join again.
func (c *Coordinator) Heartbeat(groupID string, generation int32, memberID string, instanceID *string) wire.Error {
	result := wire.UnknownMemberID
	code := c.with(groupID, false, false, func(now time.Time, _ *shard, g *group, _ *effects) {
		if g != nil {
			result = g.heartbeat(now, generation, memberID, instanceID)
		}
	})
	switch code {
	case wire.None:
		return result
	case wire.CoordinatorLoadInProgress:
		return wire.None // the member need do nothing: its session begins when the group is loaded
	}
	return code
}

// LeaveGroup takes members out. The code is about the group, the other codes are the members', in the order of the request.
func (c *Coordinator) LeaveGroup(groupID string, members []wire.LeaveGroupRequestMember) ([]wire.Error, wire.Error) {
	codes := make([]wire.Error, len(members))
	dead := false
	code := c.with(groupID, false, false, func(now time.Time, _ *shard, g *group, fx *effects) {
		for i := range members {
			m := &members[i]
			if g == nil {
				codes[i] = wire.UnknownMemberID
				continue
			}
			reason := ""
			if m.Reason != nil {
				reason = *m.Reason
			}
			codes[i] = g.leave(now, m.MemberID, m.GroupInstanceID, reason, fx)
		}
		dead = g != nil && g.state == Dead
	})
	if code == wire.None && dead {
		code = wire.CoordinatorNotAvailable
	}
	if code != wire.None {
		return nil, code
	}
	return codes, wire.None
}

// CommitRequest is an OffsetCommit of version 1 or later.
type CommitRequest struct {
	Group      string
	Generation int32 // below 0 from outside a group
	MemberID   string
	InstanceID *string
	Items      []offsets.Item
	// Done is called once with the items, their codes set, from any goroutine, possibly before CommitOffsets returns.
	Done func([]offsets.Item)
}

// CommitOffsets stores offsets if they come from a member of the present generation, or from outside an empty group.
func (c *Coordinator) CommitOffsets(r *CommitRequest) {
	result, flush := wire.None, int32(-1)
	code := c.with(r.Group, true, r.Generation < 0, func(now time.Time, s *shard, g *group, _ *effects) {
		if g == nil {
			result = wire.IllegalGeneration
			return
		}
		if result = g.checkCommit(now, r.Generation, r.MemberID, r.InstanceID); result != wire.None {
			return
		}
		// Queued under the lock: a commit that was checked in this generation must not end up in the log after one of the next.
		c.config.Store.Commit(s.partition, g.id, r.Items, r.Done)
		flush = s.partition
	})
	if code == wire.None {
		code = result
	}
	if code != wire.None {
		for i := range r.Items {
			r.Items[i].Code = code
		}
		r.Done(r.Items)
		return
	}
	c.config.Store.Flush(flush)
}

// FetchOffsets returns what a group has committed: for the named partitions, or for all that have something when tps is nil. It asks neither for a member nor for the
// group's state.
func (c *Coordinator) FetchOffsets(ctx context.Context, groupID string, tps []offsets.TopicPartition, requireStable bool) ([]offsets.Fetched, wire.Error) {
	s, code := c.lookup(groupID, true)
	if code != wire.None {
		return nil, code
	}
	return c.config.Store.Fetch(ctx, s.partition, groupID, tps, requireStable)
}

// Describe returns a group as DescribeGroups tells it; one that isn't there is Dead.
func (c *Coordinator) Describe(groupID string) wire.DescribeGroupsResponseGroup {
	d := wire.DescribeGroupsResponseGroup{GroupID: groupID, GroupState: Dead.String()}
	code := c.with(groupID, true, false, func(_ time.Time, _ *shard, g *group, _ *effects) {
		if g != nil {
			d = g.describe()
		}
	})
	if code != wire.None {
		d.ErrorCode, d.GroupState = code, ""
	}
	return d
}

// groupType is the one type of group there is with ZooKeeper.
const groupType = "classic"

// List returns the groups of this broker, by id, that are in one of the states and of one of the types, in whatever case those are written; no state means any. With
// COORDINATOR_LOAD_IN_PROGRESS there will be more.
func (c *Coordinator) List(states, types []string) ([]wire.ListGroupsResponseGroup, wire.Error) {
	c.mu.RLock()
	closed := c.mu.closed
	c.mu.RUnlock()
	if closed {
		return nil, wire.CoordinatorNotAvailable
	}
	code := wire.None
	for partition := range c.config.Partitions() {
		if c.config.Store.Check(partition) == wire.CoordinatorLoadInProgress {
			code = wire.CoordinatorLoadInProgress
			break
		}
	}
	has := func(list []string, text string) bool {
		return len(list) == 0 || slices.ContainsFunc(list, func(one string) bool { return strings.EqualFold(one, text) })
	}
	var list []wire.ListGroupsResponseGroup
	if has(types, groupType) {
		for _, s := range c.shards() {
			s.mu.Lock()
			for _, g := range s.groups {
				if !has(states, g.state.String()) {
					continue
				}
				one := wire.ListGroupsResponseGroup{GroupID: g.id, GroupState: g.state.String(), GroupType: groupType}
				if g.protocolType != nil {
					one.ProtocolType = *g.protocolType
				}
				list = append(list, one)
			}
			s.mu.Unlock()
		}
	}
	slices.SortFunc(list, func(a, b wire.ListGroupsResponseGroup) int { return strings.Compare(a.GroupID, b.GroupID) })
	return list, code
}

// DeleteGroup removes a group without members, with its offsets.
func (c *Coordinator) DeleteGroup(groupID string) wire.Error {
	result, flush := wire.GroupIDNotFound, int32(-1)
	code := c.with(groupID, true, false, func(now time.Time, s *shard, g *group, fx *effects) {
		switch {
		case g == nil:
		case g.state != Empty:
			result = wire.NonEmptyGroup
		default:
			c.removeLocked(now, s, g, "it was deleted", fx)
			result, flush = wire.None, s.partition
		}
	})
	if code != wire.None {
		return code
	}
	if flush >= 0 {
		c.config.Store.Flush(flush)
	}
	return result
}

// DeleteOffsets removes committed offsets of partitions that the group isn't subscribed to. The code is about the group, the other codes are the partitions',
// in the order of the request.
func (c *Coordinator) DeleteOffsets(groupID string, tps []offsets.TopicPartition) ([]wire.Error, wire.Error) {
	codes := make([]wire.Error, len(tps))
	result, flush := wire.None, int32(-1)
	code := c.with(groupID, false, false, func(now time.Time, s *shard, g *group, fx *effects) {
		switch {
		case g == nil:
			result = wire.GroupIDNotFound
			return
		case g.state != Empty && (g.protocolType == nil || *g.protocolType != consumerType):
			result = wire.NonEmptyGroup
			return
		}
		remove := make([]offsets.TopicPartition, 0, len(tps))
		for i, tp := range tps {
			if _, subscribed := g.subscribed[tp.Topic]; g.state != Empty && (subscribed || g.subscribed == nil) {
				codes[i] = wire.GroupSubscribedToTopic
				continue
			}
			remove = append(remove, tp)
		}
		if len(remove) == 0 {
			return
		}
		left := c.config.Store.RemoveOffsets(s.partition, groupID, remove)
		if left == 0 && g.state == Empty && len(g.pending) == 0 {
			c.removeLocked(now, s, g, "its offsets were deleted", fx)
		}
		flush = s.partition
	})
	if code == wire.None {
		code = result
	}
	if code != wire.None {
		return nil, code
	}
	if flush >= 0 {
		c.config.Store.Flush(flush)
	}
	return codes, wire.None
}

// Stats counts the groups of this broker by state.
type Stats struct {
	Groups, Empty, PreparingRebalance, CompletingRebalance, Stable, Dead int
}

// Stats returns how many groups are in which state.
func (c *Coordinator) Stats() Stats {
	var n Stats
	for _, s := range c.shards() {
		s.mu.Lock()
		for _, g := range s.groups {
			n.Groups++
			switch g.state {
			case Empty:
				n.Empty++
			case PreparingRebalance:
				n.PreparingRebalance++
			case CompletingRebalance:
				n.CompletingRebalance++
			case Stable:
				n.Stable++
			case Dead:
				n.Dead++
			}
		}
		s.mu.Unlock()
	}
	return n
}
