package groups

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// committers commit ever larger offsets of orders-0, each for a group of its own, as fast as they are answered.
type committers struct {
	t       *testing.T
	c       *cluster.Cluster
	names   []string
	acked   []int64 // the last that was answered, by group
	tried   []int64
	stop    chan struct{}
	running sync.WaitGroup
}

func startCommitters(t *testing.T, c *cluster.Cluster, groups int) *committers {
	t.Helper()
	all := &committers{t: t, c: c, acked: make([]int64, groups), tried: make([]int64, groups), stop: make(chan struct{})}
	for g := range groups {
		name := fmt.Sprintf("group-%d", g)
		all.names = append(all.names, name)
		client := c.Client(t, func(config *sarama.Config) {
			config.Metadata.Retry.Max, config.Metadata.Retry.Backoff = 100, 20*time.Millisecond
		})
		all.running.Go(func() {
			for n := int64(1); ; n++ {
				select {
				case <-all.stop:
					return
				default:
				}
				all.tried[g] = n
				if commitOnce(client, name, n) {
					all.acked[g] = n
				}
			}
		})
	}
	return all
}

// goOn waits until the brokers that run have taken some more commits.
func (all *committers) goOn() {
	all.t.Helper()
	before := committedBy(all.c)
	all.c.Wait("commits to go on", func() error {
		if now := committedBy(all.c); now < before+50 {
			return fmt.Errorf("%d commits", now-before)
		}
		return nil
	})
}

// check stops the committers: what was answered is there, and both stores agree.
func (all *committers) check() {
	all.t.Helper()
	close(all.stop)
	all.running.Wait()
	idle(all.c)
	for g, name := range all.names {
		got := saramaCommitted(all.t, all.c, name, "orders")
		require.Positive(all.t, all.acked[g], name)
		require.True(all.t, got >= all.acked[g] && got <= all.tried[g], "%s: %d was answered, %d tried, and %d is there", name, all.acked[g], all.tried[g], got)
		require.Equal(all.t, fmt.Sprint(got), inZooKeeper(all.c, name, "orders", 0), name)
	}
}

// Every partition of __consumer_offsets is moved to other brokers while groups commit: the new coordinators have what the old ones answered.
func TestOffsetsPartitionsReassignedUnderLoad(t *testing.T) {
	t.Parallel()
	const partitions = 6
	c := cluster.Start(t, cluster.Brokers(4), cluster.Set("offsets.topic.num.partitions", fmt.Sprint(partitions)), cluster.Set("offsets.topic.replication.factor", "2"))
	makeTopic(t, c, "orders", 1)
	all := startCommitters(t, c, 8)
	all.goOn()
	for _, target := range [][2][]int32{{{1, 2}, {3, 4}}, {{3, 4}, {1, 2}}, {{2, 3}, {4, 1}}} { // even partitions, odd ones
		plan := make([][]int32, partitions)
		for p := range plan {
			plan[p] = target[p%2]
		}
		require.NoError(t, c.Admin(t).AlterPartitionReassignments("__consumer_offsets", plan))
		for p, want := range plan {
			c.WaitISR(cluster.TP("__consumer_offsets", int32(p)), want...)
		}
		all.goOn()
	}
	all.check()
}

// While ZooKeeper is slow commits don't wait for it, and the znodes that it writes are the latest; those of offsets.storage=zookeeper wait, and say so when that takes too long.
func TestZooKeeperSlowDuringCommits(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Set("offsets.commit.timeout.ms", "1000"), cluster.SessionTimeout(time.Minute))
	makeTopic(t, c, "orders", 1)
	m := dial(t, c, "g")
	m.session = patience
	together(t, m)
	require.Equal(t, wire.None, m.commit(1))
	idle(c)
	transactions := func() (n int64) {
		for _, id := range c.IDs() {
			n += c.Broker(id).Offsets().Stats().Mirror.Transactions
		}
		return n
	}
	before := transactions()
	path := znode.ConsumerOffsetPath("g", znode.TopicPartition{Topic: "orders"})
	slow := func(d time.Duration) (undo func()) {
		return c.ZooKeeper().OnRequest(func(r *zkserver.Request) bool { return r.Write() && r.Touches(path) }, zkserver.Delay(d), 0)
	}
	undo := slow(time.Second)
	for i := range int64(300) {
		require.Equal(t, wire.None, m.commit(2+i))
	}
	require.Less(t, transactions()-before, int64(100), "a transaction takes a second, 300 commits took less than 100 of them")
	undo()
	idle(c)
	require.Equal(t, "301", inZooKeeper(c, "g", "orders", 0))

	useStorage(t, c, "zookeeper")
	undo = slow(100 * time.Millisecond)
	began := time.Now()
	require.Equal(t, wire.None, m.commit(400))
	require.GreaterOrEqual(t, time.Since(began), 100*time.Millisecond)
	require.Equal(t, "400", inZooKeeper(c, "g", "orders", 0))
	undo()
	undo = slow(2 * time.Second)
	require.Equal(t, wire.RequestTimedOut, m.commit(401))
	undo()
	c.Wait("a commit to be answered again", func() error {
		if code := m.commit(402); code != wire.None {
			return code
		}
		return nil
	})
	require.Equal(t, "402", inZooKeeper(c, "g", "orders", 0))
	require.Equal(t, wire.None, m.beat(), "the member has noticed nothing")
}

// What a member says of itself may be larger than a record of the group can be: it joins, its group's state can't be stored, and that is its leader's error. Without it the group goes on.
func TestOversizedMetadata(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(1))
	makeTopic(t, c, "orders", 1)
	m := dial(t, c, "g")
	m.session, m.metadata = patience, append(subscription("orders"), make([]byte, 2<<20)...)
	require.Equal(t, wire.None, m.join())
	require.Equal(t, wire.UnknownServerError, m.sync())
	require.Equal(t, wire.RebalanceInProgress, m.beat())
	m.metadata = nil
	require.Equal(t, wire.None, m.join())
	require.Equal(t, wire.None, m.sync())
	require.Equal(t, wire.None, m.commit(3))
	c.Restart(1)
	m.conn = dial(t, c, "g").conn
	require.Equal(t, wire.None, m.beat(), "it was stored")
}

// Two consumers with one instance id: the later one has the place, and whatever the other asks is answered FENCED_INSTANCE_ID.
func TestDuplicateInstanceID(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(1))
	makeTopic(t, c, "orders", 1)
	first, second := dial(t, c, "g"), dial(t, c, "g")
	for _, m := range []*member{first, second} {
		m.session, m.instance = patience, new("one")
		require.Equal(t, wire.None, m.join())
		require.Equal(t, wire.None, m.sync())
	}
	require.Equal(t, wire.FencedInstanceID, first.beat())
	require.Equal(t, wire.FencedInstanceID, first.sync())
	require.Equal(t, wire.FencedInstanceID, first.commit(7))
	require.Equal(t, wire.FencedInstanceID, first.join())
	require.Equal(t, wire.FencedInstanceID, first.leave())
	require.Equal(t, wire.None, second.beat())
	require.Equal(t, wire.None, second.commit(8))
	offset, _ := second.committed()
	require.EqualValues(t, 8, offset)
}
