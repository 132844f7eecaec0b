package groups

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/offsets"
	"github.com/prekraft/prekraft/integration/cluster"
)

// A group goes on in its generation when its coordinator is killed: members, assignments and committed offsets are at the next one, and nobody joins again.
func TestCoordinatorKilled(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t)
	makeTopic(t, c, "orders", 1)
	dead := c.WaitCoordinator("g")
	one, two := at(t, c, dead, "g"), at(t, c, dead, "g")
	together(t, one, two)
	require.Equal(t, wire.None, two.commit(41))
	c.Kill(dead)
	next := c.WaitCoordinator("g")
	require.NotEqual(t, dead, next)
	for _, m := range []*member{one, two} {
		m.conn = at(t, c, next, "g").conn
		require.Equal(t, wire.None, m.beat())
		was := m.assigned
		m.members = nil
		require.Equal(t, wire.None, m.sync())
		require.Equal(t, was, m.assigned)
	}
	offset, code := one.committed()
	require.Equal(t, []any{int64(41), wire.None}, []any{offset, code})
	require.Equal(t, wire.None, two.commit(42))
	described := ask[*wire.DescribeGroupsResponse](t, one.conn, &wire.DescribeGroupsRequest{Groups: []string{"g"}}, 5).Groups[0]
	require.Equal(t, "Stable", described.GroupState)
	require.Len(t, described.Members, 2)
	require.Equal(t, "raw", described.Members[0].ClientID)
	require.Equal(t, "/127.0.0.1", described.Members[0].ClientHost)
	require.Equal(t, subscription("orders"), described.Members[0].MemberMetadata)
	c.Wait("the load to be told", func() error {
		for _, loaded := range loads(c, next) {
			if loaded.Entries >= 2 && !loaded.CauseID().IsZero() { // the group and its offset
				return nil
			}
		}
		return fmt.Errorf("%+v", loads(c, next))
	})
}

// loads are the partitions of __consumer_offsets that a broker has told of reading.
func loads(c *cluster.Cluster, broker int32) []telemetry.CoordinatorLoaded {
	var told []telemetry.CoordinatorLoaded
	backlog, events := c.Events(broker).Subscribe(0, 1)
	events.Close()
	for _, r := range backlog {
		if e, ok := r.Event.(telemetry.CoordinatorLoaded); ok {
			told = append(told, e)
		}
	}
	return told
}

// A join that waits is told to look for the new coordinator when the partition moves.
func TestCoordinatorMovesWhileMembersJoin(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t)
	first := c.WaitCoordinator("g")
	one, two := at(t, c, first, "g"), at(t, c, first, "g")
	together(t, one)
	joined := make(chan wire.Error, 1)
	go func() { joined <- two.join() }()
	c.Wait("the group to rebalance", func() error {
		if s := c.Broker(first).Groups().Stats(); s.PreparingRebalance != 1 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	c.Stop(first) // its leaderships move before it goes
	select {
	case code := <-joined:
		require.Equal(t, wire.NotCoordinator, code)
	case <-time.After(patience):
		t.Fatal("the join isn't answered")
	}
	one.conn = at(t, c, c.WaitCoordinator("g"), "g").conn
	require.Equal(t, wire.None, one.beat(), "the generation that was stored goes on")
}

// A whole cluster is restarted: groups and offsets are there.
func TestClusterRestarts(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(1))
	makeTopic(t, c, "orders", 1)
	one := dial(t, c, "g")
	one.session = time.Minute
	together(t, one)
	require.Equal(t, wire.None, one.commit(3))
	c.Kill(1)
	c.Start(1)
	one.conn = dial(t, c, "g").conn
	require.Equal(t, wire.None, one.beat())
	offset, code := one.committed()
	require.Equal(t, []any{int64(3), wire.None}, []any{offset, code})
}

// Consumers read on while coordinators are killed one after the other: no record is skipped, and what was committed isn't read again by a group that begins anew.
func TestConsumersOutliveCoordinators(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t)
	makeTopic(t, c, "orders", 4)
	b := newBoard()
	join(t, c, b, "g", "one", []string{"orders"})
	join(t, c, b, "g", "two", []string{"orders"})
	b.shared(t, "orders", 4, "one", "two")
	total := 0
	for range 3 {
		fill(t, c, "orders", 4, 25)
		total += 100
		dead := c.WaitCoordinator("g")
		c.Kill(dead)
		c.WaitCoordinator("g")
		fill(t, c, "orders", 4, 25)
		total += 100
		b.wait(t, "every record", func() error {
			if len(b.read) != total {
				return fmt.Errorf("%d of %d records were read", len(b.read), total)
			}
			return nil
		})
		c.Start(dead)
		c.WaitReady()
	}
	committed := func() int64 {
		var sum int64
		tps := []offsets.TopicPartition{{Topic: "orders", Partition: 0}, {Topic: "orders", Partition: 1}, {Topic: "orders", Partition: 2}, {Topic: "orders", Partition: 3}}
		found, _ := c.Broker(c.WaitCoordinator("g")).Groups().FetchOffsets(t.Context(), "g", tps, false)
		for _, one := range found {
			sum += one.Offset
		}
		return sum
	}
	c.Wait("everything to be committed", func() error {
		if n := committed(); n != int64(total) {
			return fmt.Errorf("%d of %d", n, total)
		}
		return nil
	})
}

// Commits go on while the group rebalances again and again; none goes back by itself.
func TestCommitsDuringRebalances(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t)
	makeTopic(t, c, "orders", 6)
	fill(t, c, "orders", 6, 2000)
	b := newBoard()
	join(t, c, b, "g", "steady", []string{"orders"})
	watch := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		highest := map[int32]int64{}
		for {
			select {
			case <-watch:
				return
			case <-time.After(5 * time.Millisecond):
			}
			for _, id := range c.IDs() {
				found, code := c.Broker(id).Groups().FetchOffsets(t.Context(), "g", nil, false)
				if code != wire.None {
					continue
				}
				for _, one := range found {
					if one.Offset < highest[one.Partition] {
						t.Errorf("the offset of %d goes back from %d to %d", one.Partition, highest[one.Partition], one.Offset)
					}
					highest[one.Partition] = one.Offset
				}
			}
		}
	})
	for i := range 6 {
		name := fmt.Sprint("passing-", i)
		passing := join(t, c, b, "g", name, []string{"orders"})
		b.shared(t, "orders", 6, "steady", name)
		passing.close()
		b.shared(t, "orders", 6, "steady")
	}
	b.wait(t, "every record", func() error {
		if len(b.read) != 12_000 {
			return fmt.Errorf("%d of 12000 records were read", len(b.read))
		}
		return nil
	})
	close(watch)
	watching.Wait()
}

// A static member of sarama's is restarted: the other's partitions stay where they are, and it gets its own back.
func TestStaticSaramaMember(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(1))
	makeTopic(t, c, "orders", 4)
	static := func(id string) func(*sarama.Config) {
		return func(config *sarama.Config) { config.Consumer.Group.InstanceId = id }
	}
	b := newBoard()
	join(t, c, b, "g", "one", []string{"orders"}, static("first"))
	two := join(t, c, b, "g", "two", []string{"orders"}, static("second"))
	b.shared(t, "orders", 4, "one", "two")
	two.close()
	b.wait(t, "the second's partitions to be nobody's", func() error {
		if n := len(b.owners["orders"]); n != 2 {
			return fmt.Errorf("%d have an owner", n)
		}
		return nil
	})
	before := stateChanges(c)
	join(t, c, b, "g", "two", []string{"orders"}, static("second"))
	b.shared(t, "orders", 4, "one", "two")
	require.Equal(t, before, stateChanges(c), "nobody joined again")
}

// stateChanges counts what the groups of broker 1 went through.
func stateChanges(c *cluster.Cluster) int {
	changes := 0
	backlog, events := c.Events(1).Subscribe(0, 1)
	events.Close()
	for _, r := range backlog {
		if r.Event.Kind() == "GroupStateChanged" {
			changes++
		}
	}
	return changes
}

// A consumer is killed (it doesn't leave): its partitions go to the other when its session ends.
func TestConsumerKilled(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(1), cluster.Set("group.min.session.timeout.ms", "500"))
	makeTopic(t, c, "orders", 4)
	fill(t, c, "orders", 4, 50)
	b := newBoard()
	short := func(config *sarama.Config) { config.Consumer.Group.Session.Timeout = time.Second }
	join(t, c, b, "g", "one", []string{"orders"}, short)
	b.shared(t, "orders", 4, "one")
	// The one that is killed is a member by hand: it takes its share, and is heard of no more.
	killed := dial(t, c, "g")
	killed.session = time.Second
	c.Wait("the other to join", func() error {
		if code := killed.join(); code != wire.None {
			return code
		}
		return nil
	})
	killed.members = nil
	b.wait(t, "the topic to be shared again", func() error {
		if n := len(b.owners["orders"]); n != 4 {
			return fmt.Errorf("%d partitions have an owner", n)
		}
		if len(b.read) != 200 {
			return fmt.Errorf("%d of 200 were read", len(b.read))
		}
		return nil
	})
	require.Equal(t, wire.UnknownMemberID, killed.beat())
}
