package cluster_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

// overNetworks runs a test over the machine's network and over the one in memory.
func overNetworks(t *testing.T, test func(t *testing.T, opts ...cluster.Option)) {
	t.Helper()
	common := []cluster.Option{
		cluster.Set("min.insync.replicas", "2"), cluster.Set("replica.lag.time.max.ms", "1500"), cluster.Set("replica.socket.timeout.ms", "2000"),
		cluster.Set("controller.socket.timeout.ms", "2000"), cluster.SessionTimeout(2 * time.Second),
	}
	t.Run("sockets", func(t *testing.T) { t.Parallel(); test(t, common...) })
	t.Run("memory", func(t *testing.T) { t.Parallel(); test(t, append(common, cluster.InMemory())...) })
}

// replicated makes a topic of one partition on brokers 1, 2 and 3, led by the first.
func replicated(t *testing.T, c *cluster.Cluster, name string) cluster.TopicPartition {
	t.Helper()
	require.NoError(t, c.Admin(t).CreateTopic(name, &sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: {1, 2, 3}}}, false))
	tp := cluster.TP(name, 0)
	c.WaitISR(tp, 1, 2, 3)
	return tp
}

// sender returns a function that writes a record with acks=all, trying again as long as it takes, and returns its offset. It has its producer id before faults come.
func sender(t *testing.T, c *cluster.Cluster, tp cluster.TopicPartition) func(text string) int64 {
	t.Helper()
	producer := c.SyncProducer(t, manual, func(config *sarama.Config) {
		config.Producer.Retry.Max, config.Producer.Retry.Backoff = 1000, 20*time.Millisecond
		config.Metadata.Retry.Max, config.Metadata.Retry.Backoff = 1000, 20*time.Millisecond
		config.Net.ReadTimeout, config.Net.WriteTimeout, config.Producer.Timeout = 3*time.Second, 3*time.Second, time.Second
	})
	return func(text string) int64 {
		_, offset, err := producer.SendMessage(&sarama.ProducerMessage{Topic: tp.Topic, Partition: tp.Partition, Value: sarama.StringEncoder(text)})
		if !assert.NoError(t, err) {
			return -1
		}
		return offset
	}
}

// A follower that the leader doesn't hear falls out of the ISR, and comes back when the cut has healed.
func TestPartitionOneWay(t *testing.T) {
	t.Parallel()
	overNetworks(t, func(t *testing.T, opts ...cluster.Option) {
		c := cluster.Start(t, opts...)
		tp := replicated(t, c, "orders")
		send := sender(t, c, tp)
		leader, epoch := c.WaitLeader(tp, 1)
		require.EqualValues(t, 1, leader)
		// Not the controller: while it isn't heard by the leader, no ISR can change.
		deaf, stays := int32(3), int32(2)
		if controller, _ := c.Controller(); controller == deaf {
			deaf, stays = stays, deaf
		}
		first, second := c.PartitionOneWay(deaf, 1), c.PartitionOneWay(deaf, 1)
		done := make(chan int64)
		go func() { done <- send("while it is cut") }()
		c.WaitISR(tp, 1, stays)
		require.EqualValues(t, 0, <-done)
		first()
		require.EqualValues(t, 1, send("one of two is healed"))
		c.WaitISR(tp, 1, stays)
		second()
		c.WaitISR(tp, 1, 2, 3)
		c.WaitHighWatermark(tp, 2)
		_, after := c.WaitLeader(tp, 1)
		require.Equal(t, epoch, after, "nobody had to be elected")
	})
}

// A broker that ZooKeeper doesn't hear loses its session, and with it what it leads; healed, it is a follower.
func TestPartitionFromZooKeeper(t *testing.T) {
	t.Parallel()
	overNetworks(t, func(t *testing.T, opts ...cluster.Option) {
		c := cluster.Start(t, opts...)
		tp := replicated(t, c, "orders")
		send := sender(t, c, tp)
		heal := c.Partition(1, cluster.TheZooKeeper)
		c.WaitLeader(tp, 2, 3)
		require.EqualValues(t, 0, send("to the new leader"))
		heal()
		c.WaitISR(tp, 1, 2, 3)
		c.WaitReady()
	})
}

// Clients can be cut off from a broker that all others reach.
func TestPartitionFromClients(t *testing.T) {
	t.Parallel()
	overNetworks(t, func(t *testing.T, opts ...cluster.Option) {
		c := cluster.Start(t, opts...)
		tp := replicated(t, c, "orders")
		conn := c.Dial(t, 1)
		asked := make(chan error, 1)
		heal := c.PartitionOneWay(1, cluster.Clients)
		go func() {
			_, err := conn.Do(t.Context(), wire.NewRequest(wire.ApiVersions), 0)
			asked <- err
		}()
		c.WaitISR(tp, 1, 2, 3)
		select {
		case err := <-asked:
			t.Fatalf("an answer came through: %v", err)
		default:
		}
		heal()
		require.NoError(t, <-asked)
	})
}

// A paused leader is replaced when its session ends. Awake, it can't do harm, and follows.
func TestPause(t *testing.T) {
	t.Parallel()
	overNetworks(t, func(t *testing.T, opts ...cluster.Option) {
		c := cluster.Start(t, opts...)
		tp := replicated(t, c, "orders")
		send := sender(t, c, tp)
		require.EqualValues(t, 0, send("before"))
		resume := c.Pause(1)
		leader, epoch := c.WaitLeader(tp, 2, 3)
		require.EqualValues(t, 1, send("while"))
		resume()
		c.WaitISR(tp, 1, 2, 3)
		c.WaitHighWatermark(tp, 2)
		again, same := c.WaitLeader(tp)
		require.Equal(t, leader, again)
		require.Equal(t, epoch, same)
	})
}

// In virtual time nothing of it takes long.
func TestPauseInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cluster.Start(t, cluster.Set("min.insync.replicas", "2"))
		tp := replicated(t, c, "orders")
		resume := c.Pause(1)
		c.WaitLeader(tp, 2, 3)
		resume()
		c.WaitISR(tp, 1, 2, 3)
	})
}

func TestSlowDiskDelaysAcks(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Set("min.insync.replicas", "2"))
	tp := replicated(t, c, "orders")
	send := sender(t, c, tp)
	send("quick")
	const slow = 300 * time.Millisecond
	undo := c.SlowDisk(2, slow)
	began := time.Now()
	send("slow")
	require.GreaterOrEqual(t, time.Since(began), slow, "acks=all waits for every replica")
	undo()
	send("quick again")
	c.WaitHighWatermark(tp, 3)
}

// A follower that is held falls out of the ISR of that partition alone.
func TestHoldFollower(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Set("min.insync.replicas", "2"), cluster.Set("replica.lag.time.max.ms", "1000"))
	held, other := replicated(t, c, "held"), replicated(t, c, "other")
	toHeld, toOther := sender(t, c, held), sender(t, c, other)
	undo := c.HoldFollower(held, 3)
	for i := range 3 {
		toHeld(fmt.Sprint(i))
		toOther(fmt.Sprint(i))
	}
	c.WaitISR(held, 1, 2)
	c.WaitISR(other, 1, 2, 3)
	undo()
	c.WaitISR(held, 1, 2, 3)
	c.WaitHighWatermark(held, 3)
}

func TestFailLogDir(t *testing.T) {
	t.Parallel()
	one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	c := cluster.Start(t, cluster.Set("min.insync.replicas", "2"), cluster.BrokerSet(1, "log.dirs", one+","+two))
	first, second := replicated(t, c, "first"), replicated(t, c, "second")
	send := sender(t, c, first)
	send("before")
	p, code := c.Broker(1).Replicas().Partition(first)
	require.Zero(t, code)
	dir := p.Log().Dir()
	if q, code := c.Broker(1).Replicas().Partition(second); code == 0 {
		require.NotEqual(t, dir, q.Log().Dir(), "one in each")
	}
	undo := c.FailLogDir(1, dir)
	c.WaitLeader(first, 2, 3)
	c.WaitLeader(second, 1)
	send("while")
	c.WaitISR(first, 2, 3)
	c.Restart(1)
	c.WaitISR(second, 1, 2, 3)
	c.Wait("the directory to be offline still", func() error {
		if p, code := c.Broker(1).Replicas().Partition(first); code == 0 && !p.State().Offline {
			return fmt.Errorf("it is %+v", p.State())
		}
		return nil
	})
	undo()
	c.Restart(1)
	c.WaitISR(first, 1, 2, 3)
	c.WaitHighWatermark(first, 2)
}

// What a wait that fails tells.
func TestWaitsFailWithReasons(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t)
	tp := replicated(t, c, "orders")
	c.Stop(3)
	c.WaitISR(tp, 1, 2)
	reason := c.Describe(tp)
	require.Contains(t, reason, "ZooKeeper says leader 1 in epoch")
	require.Contains(t, reason, "ISR [1 2]")
	require.Contains(t, reason, "broker 1 leads with the ISR [1 2] in epoch")
	require.Contains(t, reason, "broker 2 follows 1 in epoch")
	require.Contains(t, reason, "broker 3 doesn't run")
	require.Contains(t, c.Describe(cluster.TP("nothing", 0)), "it has no state in ZooKeeper")
}
