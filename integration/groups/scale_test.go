package groups

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

// A thousand groups, each with a member and a committed offset, are spread over the brokers; all are listed, described, and still there when a broker dies.
func TestThousandGroups(t *testing.T) {
	t.Parallel()
	const groups = 1000
	c := cluster.Start(t)
	makeTopic(t, c, "orders", 1)
	conns := map[int32]*member{}
	coordinator := func(group string) *member {
		id := c.WaitCoordinator(group)
		if conns[id] == nil {
			conns[id] = at(t, c, id, "")
		}
		return conns[id]
	}
	members := make([]*member, groups)
	work := make(chan *member, groups)
	for i := range members {
		name := fmt.Sprintf("group-%d", i)
		members[i] = &member{t: t, conn: coordinator(name).conn, group: name, gen: -1, session: 10 * time.Minute} // none is to end while a slow machine makes the others
		work <- members[i]
	}
	close(work)
	var working sync.WaitGroup
	for range 8 {
		working.Go(func() {
			for m := range work {
				if code := m.join(); code != wire.None {
					t.Errorf("%s joins: %v", m.group, code)
				}
				if code := m.sync(); code != wire.None {
					t.Errorf("%s syncs: %v", m.group, code)
				}
				if code := m.commit(int64(len(m.group))); code != wire.None {
					t.Errorf("%s commits: %v", m.group, code)
				}
			}
		})
	}
	working.Wait()
	listed := func() map[string]int32 {
		found := map[string]int32{}
		for _, id := range c.IDs() {
			resp := ask[*wire.ListGroupsResponse](t, at(t, c, id, "").conn, &wire.ListGroupsRequest{StatesFilter: []string{"stable"}}, 5)
			require.Equal(t, wire.None, resp.ErrorCode)
			for _, g := range resp.Groups {
				require.NotContains(t, found, g.GroupID)
				found[g.GroupID] = id
			}
		}
		return found
	}
	before := listed()
	require.Len(t, before, groups)
	spread := map[int32]int{}
	for _, id := range before {
		spread[id]++
	}
	require.Len(t, spread, 3, "every broker coordinates some: %v", spread)

	c.Kill(2)
	for _, m := range members {
		if before[m.group] != 2 {
			continue
		}
		m.conn = coordinator(m.group).conn
		require.Equal(t, wire.None, m.beat(), m.group)
		offset, code := m.committed()
		require.Equal(t, []any{int64(len(m.group)), wire.None}, []any{offset, code}, m.group)
	}
	require.Len(t, listed(), groups)
}

// A broker refuses new groups beyond group.max.count; those that are there go on, and make room when they go. What it takes over isn't refused.
func TestNumberOfGroups(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(1), cluster.Set("group.max.count", "2"))
	makeTopic(t, c, "orders", 1)
	group := func(name string) *member { return dial(t, c, name) }
	one, two, three := group("one"), group("two"), group("three")
	together(t, one)
	require.Equal(t, wire.None, two.commit(2))
	require.Equal(t, wire.CoordinatorNotAvailable, three.commit(3))
	require.Equal(t, wire.CoordinatorNotAvailable, three.join())
	require.Equal(t, wire.None, two.commit(3), "it is there")
	require.Equal(t, wire.None, one.beat())
	require.Equal(t, 2, c.Broker(1).Groups().Stats().Groups)
	require.Equal(t, wire.None, ask[*wire.DeleteGroupsResponse](t, two.conn, &wire.DeleteGroupsRequest{GroupsNames: []string{"two"}}, 2).Results[0].ErrorCode)
	require.Equal(t, wire.None, three.commit(3))
	require.Equal(t, wire.CoordinatorNotAvailable, two.commit(4))

	c.Restart(1)
	again := dial(t, c, "three")
	offset, code := again.committed()
	require.Equal(t, []any{int64(3), wire.None}, []any{offset, code})
	require.Equal(t, wire.None, again.commit(4))
	require.Equal(t, wire.CoordinatorNotAvailable, dial(t, c, "two").commit(4), "those that were loaded count")
}

// A group of 200 members over 2,000 partitions comes to rest, and does again when half of them leave.
func TestLargeGroup(t *testing.T) {
	t.Parallel()
	const members, partitions = 200, 2000
	c := cluster.Start(t, cluster.Brokers(1))
	id := c.WaitCoordinator("g")
	all := make([]*member, members)
	for i := range all {
		all[i] = at(t, c, id, "g")
		all[i].session, all[i].partitions = 2*time.Minute, partitions
	}
	together(t, all...)
	owned := func(members []*member) {
		t.Helper()
		owner := map[int]string{}
		for _, m := range members {
			for _, p := range m.shares() {
				require.NotContains(t, owner, p)
				owner[p] = m.id
			}
		}
		require.Len(t, owner, partitions)
	}
	owned(all)
	for _, code := range side(all[members/2:], (*member).leave) {
		require.Equal(t, wire.None, code)
	}
	together(t, all[:members/2]...)
	owned(all[:members/2])
}
