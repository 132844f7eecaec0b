package clients

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/clients/legacy"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

func topics(t *testing.T, streams int, names ...string) legacy.Subscription {
	t.Helper()
	counts := map[string]int{}
	for _, name := range names {
		counts[name] = streams
	}
	s, err := legacy.Topics(counts)
	require.NoError(t, err)
	return s
}

// TestLegacyGroupShares is what the old documentation promised: two consumers share a topic, a third joins, one leaves, one is killed. Nothing is read twice that was committed,
// nothing is skipped.
func TestLegacyGroupShares(t *testing.T) {
	t.Parallel()
	c := start(t)
	makeTopic(t, c, "orders", 6)
	produce(t, c, "orders", 6, 20)
	l := newLedger()
	one := join(t, c, l, topics(t, 1, "orders"))
	two := join(t, c, l, topics(t, 1, "orders"))
	shared(t, c, "orders", map[*member]int{one: 3, two: 3})
	l.waitFor(c, 120)
	three := join(t, c, l, topics(t, 1, "orders"))
	shared(t, c, "orders", map[*member]int{one: 2, two: 2, three: 2})
	produce(t, c, "orders", 6, 20)
	l.waitFor(c, 240)
	one.leave(t)
	shared(t, c, "orders", map[*member]int{two: 3, three: 3})
	l.once(t)

	// Killed: what it had read since its last commit is read again, so there must be none.
	c.Wait("everything to be committed", func() error {
		for partition := range int32(6) {
			if offset := legacyOffset(t, c, "g", "orders", partition); offset != 40 {
				return fmt.Errorf("partition %d: %d", partition, offset)
			}
		}
		return nil
	})
	two.kill(t)
	shared(t, c, "orders", map[*member]int{three: 6})
	produce(t, c, "orders", 6, 20)
	l.waitFor(c, 360)
	l.once(t)
}

// TestLegacyZnodes holds the bytes to what ZookeeperConsumerConnector wrote.
func TestLegacyZnodes(t *testing.T) {
	t.Parallel()
	c := start(t)
	makeTopic(t, c, "orders", 3)
	produce(t, c, "orders", 3, 5)
	l := newLedger()
	began := time.Now().UnixMilli()
	one := join(t, c, l, topics(t, 2, "orders"))
	l.waitFor(c, 15)

	host, err := os.Hostname()
	require.NoError(t, err)
	require.Regexp(t, `^g_`+regexp.QuoteMeta(host)+`-\d{13}-[0-9a-f]{8}$`, one.ID())
	zk := c.ZooKeeperClient()
	data, stat, err := zk.Get(t.Context(), "/consumers/g/ids/"+one.ID())
	require.NoError(t, err)
	require.NotZero(t, stat.EphemeralOwner)
	require.Regexp(t, `^{"version":1,"subscription":{"orders":2},"pattern":"static","timestamp":"\d{13}"}$`, string(data))
	registration, err := znode.DecodeConsumerRegistration(data)
	require.NoError(t, err)
	require.GreaterOrEqual(t, registration.TimestampMs, began)

	require.Equal(t, map[string]string{"0": one.ID() + "-0", "1": one.ID() + "-0", "2": one.ID() + "-1"}, owners(t, c, "orders"))
	_, owner, err := zk.Get(t.Context(), "/consumers/g/owners/orders/0")
	require.NoError(t, err)
	require.Equal(t, stat.EphemeralOwner, owner.EphemeralOwner)

	require.NoError(t, one.Commit(t.Context()))
	data, stat, err = zk.Get(t.Context(), "/consumers/g/offsets/orders/2")
	require.NoError(t, err)
	require.Equal(t, "5", string(data))
	require.Zero(t, stat.EphemeralOwner)

	one.leave(t)
	require.Empty(t, owners(t, c, "orders"))
	names, _, err := zk.Children(t.Context(), "/consumers/g/ids")
	require.NoError(t, err)
	require.Empty(t, names)

	white, err := legacy.WhiteList(` "or.*,pay" `, 3)
	require.NoError(t, err)
	two := join(t, c, l, white)
	data, _, err = zk.Get(t.Context(), "/consumers/g/ids/"+two.ID())
	require.NoError(t, err)
	require.Regexp(t, `^{"version":1,"subscription":{"or\.\*\|pay":3},"pattern":"white_list","timestamp":"\d{13}"}$`, string(data))
	shared(t, c, "orders", map[*member]int{two: 3})
}

// TestLegacyTopicsGrow shows the two watches on topics: partitions that are added, and topics that a filter begins to match.
func TestLegacyTopicsGrow(t *testing.T) {
	t.Parallel()
	c := start(t)
	makeTopic(t, c, "in.a", 2)
	l := newLedger()
	black, err := legacy.BlackList(`out\..*`, 1)
	require.NoError(t, err)
	white, err := legacy.WhiteList(`in\..*`, 1)
	require.NoError(t, err)
	one, two := join(t, c, l, black), join(t, c, l, white)
	shared(t, c, "in.a", map[*member]int{one: 1, two: 1})
	makeTopic(t, c, "in.b", 2)
	makeTopic(t, c, "out.a", 2)
	shared(t, c, "in.b", map[*member]int{one: 1, two: 1})
	require.NoError(t, c.Admin(t).CreatePartitions("in.a", 4, nil, false))
	shared(t, c, "in.a", map[*member]int{one: 2, two: 2})
	c.WaitTopic("in.a", 4)
	produce(t, c, "in.a", 4, 3)
	produce(t, c, "in.b", 2, 3)
	produce(t, c, "out.a", 2, 3)
	l.waitFor(c, 18)
	l.once(t)
	require.Empty(t, owners(t, c, "out.a"))
}

// TestLegacySubscribesToWhatIsYetToCome: a topic that doesn't exist is watched until it does.
func TestLegacySubscribesToWhatIsYetToCome(t *testing.T) {
	t.Parallel()
	c := start(t)
	l := newLedger()
	one := join(t, c, l, topics(t, 1, "later"))
	makeTopic(t, c, "later", 2)
	shared(t, c, "later", map[*member]int{one: 2})
	produce(t, c, "later", 2, 3)
	l.waitFor(c, 6)
}

// TestLegacyRoundRobin: hash order over both topics and all threads, computed from Java's hash codes.
func TestLegacyRoundRobin(t *testing.T) {
	t.Parallel()
	c := start(t)
	makeTopic(t, c, "a", 3)
	makeTopic(t, c, "b", 2)
	l := newLedger()
	named := func(id string) func(*legacy.Config) {
		return func(config *legacy.Config) { config.ConsumerID, config.Strategy = id, legacy.RoundRobin }
	}
	one := join(t, c, l, topics(t, 2, "a", "b"), named("h1"))
	two := join(t, c, l, topics(t, 2, "a", "b"), named("h2"))
	shared(t, c, "a", map[*member]int{one: 2, two: 1})
	require.Equal(t, map[string]string{"0": "g_h1-0", "1": "g_h1-1", "2": "g_h2-0"}, owners(t, c, "a"))
	shared(t, c, "b", map[*member]int{two: 1, one: 1})
	require.Equal(t, map[string]string{"0": "g_h2-1", "1": "g_h1-0"}, owners(t, c, "b"))

	_, err := tryJoin(t, c, l, topics(t, 1, "a"), named("h3"), func(config *legacy.Config) { config.RebalanceMaxRetries = 2 })
	require.ErrorIs(t, err, legacy.ErrUnevenSubscriptions)
	require.ErrorContains(t, err, "can't rebalance after 2 retries")
}

// TestLegacySessionExpires: the consumer registers again under its name and goes on from what it committed.
func TestLegacySessionExpires(t *testing.T) {
	t.Parallel()
	c := start(t)
	makeTopic(t, c, "orders", 4)
	produce(t, c, "orders", 4, 5)
	l := newLedger()
	one, two := join(t, c, l, topics(t, 1, "orders")), join(t, c, l, topics(t, 1, "orders"))
	shared(t, c, "orders", map[*member]int{one: 2, two: 2})
	l.waitFor(c, 20)
	before := one.session(t)
	require.True(t, c.ZooKeeper().ExpireSession(before))
	c.Wait("the expiry to be noticed", func() error {
		if !one.happened(legacy.SessionExpired) {
			return fmt.Errorf("it was not")
		}
		return nil
	})
	shared(t, c, "orders", map[*member]int{one: 2, two: 2})
	require.NotEqual(t, before, one.session(t))
	produce(t, c, "orders", 4, 5)
	l.waitFor(c, 40)
}

// TestLegacyClaimsAreRespected: a partition that somebody else claims is never read, and what was claimed beside it is given back.
func TestLegacyClaimsAreRespected(t *testing.T) {
	t.Parallel()
	c := start(t)
	makeTopic(t, c, "orders", 2)
	produce(t, c, "orders", 2, 1)
	zk := c.ZooKeeperClient()
	path := znode.ConsumerOwnerPath("g", znode.TopicPartition{Topic: "orders", Partition: 1})
	require.NoError(t, zk.EnsurePath(t.Context(), "/consumers/g/owners/orders"))
	_, err := zk.Create(t.Context(), path, []byte("g_other-0"), zkutil.Ephemeral)
	require.NoError(t, err)
	l := newLedger()
	_, err = tryJoin(t, c, l, topics(t, 1, "orders"), func(config *legacy.Config) { config.RebalanceMaxRetries = 3 })
	require.ErrorIs(t, err, legacy.ErrOwned)
	require.ErrorContains(t, err, "orders-1 belongs to g_other-0")
	require.Equal(t, map[string]string{"1": "g_other-0"}, owners(t, c, "orders"))

	// Given up in time, it is taken by one of the next attempts.
	joined, orders := make(chan error, 1), topics(t, 1, "orders")
	failed := make(chan struct{}, 1000)
	go func() {
		_, err := tryJoin(t, c, l, orders, func(config *legacy.Config) {
			config.OnEvent = func(e legacy.Event) {
				if e.Kind == legacy.RebalanceFailed {
					failed <- struct{}{}
				}
			}
		})
		joined <- err
	}()
	<-failed
	require.NoError(t, zk.Delete(t.Context(), path, znode.AnyVersion))
	require.NoError(t, <-joined)
	l.waitFor(c, 2)
}

// TestLegacyMovesToKafka is the recipe of the 0.8.2 release notes: all members to both stores, then all to Kafka alone. No record is read twice or skipped.
func TestLegacyMovesToKafka(t *testing.T) {
	t.Parallel()
	c := start(t)
	admin := c.Admin(t)
	makeTopic(t, c, "orders", 2)
	l := newLedger()
	total := 0
	for _, step := range []struct {
		storage          legacy.Storage
		zookeeper, kafka int64 // where the stores stand after ten more records
	}{
		{legacy.StorageZooKeeper, 10, -1},
		{legacy.StorageDual, 20, 20},
		{legacy.StorageKafka, 20, 30},
		{legacy.StorageDual, 40, 40}, // and back
		{legacy.StorageZooKeeper, 50, 40},
		{legacy.StorageDual, 60, 60}, // the higher of the two
	} {
		m := join(t, c, l, topics(t, 1, "orders"), func(config *legacy.Config) { config.Storage = step.storage })
		produce(t, c, "orders", 2, 10)
		total += 20
		l.waitFor(c, total)
		m.leave(t)
		require.Equal(t, step.zookeeper, legacyOffset(t, c, "g", "orders", 1), step)
		require.Equal(t, step.kafka, kafkaOffset(t, admin, "g", "orders", 1), step)
	}
	l.once(t)
}

// TestLegacyStartsWhereThereIsNoOffset: auto.offset.reset, also for an offset that the log has lost.
func TestLegacyStartsWhereThereIsNoOffset(t *testing.T) {
	t.Parallel()
	c := start(t)
	makeTopic(t, c, "orders", 1)
	produce(t, c, "orders", 1, 10)
	require.NoError(t, c.Admin(t).DeleteRecords("orders", map[int32]int64{0: 4}))
	zk := c.ZooKeeperClient()
	path := znode.ConsumerOffsetPath("g", znode.TopicPartition{Topic: "orders", Partition: 0})
	require.NoError(t, zk.EnsurePath(t.Context(), path))
	for _, stored := range []int64{2, 1000} {
		_, err := zk.Set(t.Context(), path, []byte(strconv.FormatInt(stored, 10)), znode.AnyVersion)
		require.NoError(t, err)
		l := newLedger()
		m := join(t, c, l, topics(t, 1, "orders"))
		l.waitFor(c, 6)
		m.leave(t)
	}
	l := newLedger()
	m := join(t, c, l, topics(t, 1, "orders"), func(config *legacy.Config) { config.Group, config.FromSmallest = "fresh", false })
	c.Wait("the end to be found", func() error {
		if err := m.Commit(t.Context()); err != nil {
			return err
		}
		if offset := legacyOffset(t, c, "fresh", "orders", 0); offset != 10 {
			return fmt.Errorf("it is %d", offset)
		}
		return nil
	})
	produce(t, c, "orders", 1, 2)
	l.waitFor(c, 2)

	_, err := zk.Set(t.Context(), path, []byte("ten"), znode.AnyVersion)
	require.NoError(t, err)
	_, err = tryJoin(t, c, l, topics(t, 1, "orders"), func(config *legacy.Config) { config.RebalanceMaxRetries = 1 })
	require.ErrorContains(t, err, `"ten" is not a long`)
}

// TestLegacyLeadersMove: the fetchers follow a partition to its next leader.
func TestLegacyLeadersMove(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.Start(2)
	require.NoError(t, c.Admin(t).CreateTopic("orders", &sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: {1, 2}, 1: {2, 1}}}, false))
	c.WaitTopic("orders", 2)
	l := newLedger()
	join(t, c, l, topics(t, 1, "orders"))
	produce(t, c, "orders", 2, 5)
	l.waitFor(c, 10)
	c.Stop(2)
	c.WaitTopic("orders", 2)
	produce(t, c, "orders", 2, 5)
	l.waitFor(c, 20)
	l.once(t)
}

// TestLegacyChurn: members come and go in every order, whole sets of them at once, while records are written. Whoever leaves properly leaves nothing to be read twice, and nothing is skipped; at no time
// does a partition have an owner that isn't a member.
func TestLegacyChurn(t *testing.T) {
	t.Parallel()
	c := start(t)
	makeTopic(t, c, "a", 5)
	makeTopic(t, c, "b", 3)
	l := newLedger()
	random := rand.New(rand.NewPCG(5, 4))
	var members []*member
	produced := 0
	for range 12 {
		for range 1 + random.IntN(2) {
			members = append(members, join(t, c, l, topics(t, 1+random.IntN(2), "a", "b")))
		}
		produce(t, c, "a", 5, 3)
		produce(t, c, "b", 3, 3)
		produced += 24
		var leaving sync.WaitGroup
		for len(members) > 1 && random.IntN(3) > 0 {
			i := random.IntN(len(members))
			m := members[i]
			members = append(members[:i:i], members[i+1:]...)
			leaving.Go(func() {
				if err := m.Close(); err != nil {
					t.Errorf("close %s: %v", m.ID(), err)
				}
			})
		}
		leaving.Wait()
	}
	l.waitFor(c, produced)
	l.once(t)
	c.Wait("all partitions to have an owner that is a member", func() error {
		all := slices.AppendSeq(slices.Collect(maps.Values(owners(t, c, "a"))), maps.Values(owners(t, c, "b")))
		if len(all) != 8 {
			return fmt.Errorf("%d of 8 have one", len(all))
		}
		for _, owner := range all {
			if !slices.ContainsFunc(members, func(m *member) bool { return strings.HasPrefix(owner, m.ID()+"-") }) {
				return fmt.Errorf("%s is none of %d members", owner, len(members))
			}
		}
		return nil
	})
}
