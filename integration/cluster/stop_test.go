package cluster_test

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/integration/cluster"
	"github.com/prekraft/prekraft/integration/realzk"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// Brokers are stopped and started cleanly, one after the other, while a producer writes: it notices nothing but a pause.
func TestRollingRestartDuringLoad(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t)
	createTopic(t, c, "load", 6)
	producer := c.SyncProducer(t, func(config *sarama.Config) {
		config.Producer.Retry.Backoff, config.Metadata.Retry.Backoff = 10*time.Millisecond, 10*time.Millisecond
		config.Producer.Retry.Max, config.Metadata.Retry.Max = 1000, 1000
	})
	stopped := make(chan struct{})
	stop := sync.OnceFunc(func() { close(stopped) })
	sent := 0
	var producing sync.WaitGroup
	producing.Go(func() {
		for {
			select {
			case <-stopped:
				return
			default:
			}
			if _, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "load", Value: sarama.StringEncoder(fmt.Sprint(sent))}); err != nil {
				t.Errorf("record %d: %v", sent, err)
				return
			}
			sent++
		}
	})
	t.Cleanup(func() { stop(); producing.Wait() }) // before the producer is closed, also when the test fails
	for _, id := range c.IDs() {
		c.Restart(id)
		c.WaitTopic("load", 6)
	}
	stop()
	producing.Wait()
	found := readAll(t, c, "load", 6)
	for i := range sent {
		require.Equal(t, 1, found[fmt.Sprint(i)], "record %d", i)
	}
}

// stopTime is how long brokers that are asked to stop at the same time take, in virtual time.
func stopTime(c *cluster.Cluster, ids ...int32) time.Duration {
	began := time.Now()
	var stopping sync.WaitGroup
	for _, id := range ids {
		stopping.Go(func() { c.Stop(id) })
	}
	stopping.Wait()
	return time.Since(began)
}

// A broker whose partitions nobody alive could take over doesn't try again and again to hand them over, as Kafka's does for a quarter of a minute.
func TestNobodyTakesOver(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(c *cluster.Cluster, id int32){"stopped": (*cluster.Cluster).Stop, "killed": (*cluster.Cluster).Kill} {
		t.Run("the others were "+name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := cluster.Start(t)
				tp := replicated(t, c, "orders")
				sender(t, c, tp)("kept")
				last, _ := c.Controller()
				for _, id := range c.IDs() {
					if id != last {
						end(c, id)
					}
				}
				c.WaitISR(tp, last)
				require.LessOrEqual(t, stopTime(c, last), 2*time.Second)
				c.Start(last)
				c.WaitLeader(tp, last)
				require.Len(t, readAll(t, c, "orders", 1), 1)
			})
		})
	}
	t.Run("all stop together", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c := cluster.Start(t)
			sender(t, c, replicated(t, c, "orders"))("kept")
			ids := c.IDs()
			require.LessOrEqual(t, stopTime(c, ids...), 2*time.Second)
			for _, id := range ids {
				require.NoError(t, c.TryStart(id))
			}
			c.WaitReady()
			require.Len(t, readAll(t, c, "orders", 1), 1)
		})
	})
}

// While a replica lives that could take over, the broker that stops tries again, as Kafka's does, but doesn't pause after its last attempt. Whether that helps is another matter: from
// inter.broker.protocol.version 2.7 on no replica joins an ISR whose leader stops (KIP-841, as Kafka has it).
func TestControlledShutdownTriesAgain(t *testing.T) {
	t.Parallel()
	lagging := func(t *testing.T, options ...cluster.Option) (c *cluster.Cluster, tp cluster.TopicPartition, leader, follower int32, undo func()) {
		t.Helper()
		c = cluster.Start(t, options...)
		controller, _ := c.Controller()
		leader, follower = controller%3+1, (controller+1)%3+1
		require.NoError(t, c.Admin(t).CreateTopic("orders", &sarama.TopicDetail{
			NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: {leader, follower}},
		}, false))
		tp = cluster.TP("orders", 0)
		c.WaitISR(tp, leader, follower)
		undo = c.HoldFollower(tp, follower)
		sender(t, c, tp)("kept")
		c.WaitISR(tp, leader)
		return c, tp, leader, follower, undo
	}
	t.Run("it catches up", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c, tp, leader, follower, undo := lagging(t, cluster.Set("inter.broker.protocol.version", "2.6"))
			time.AfterFunc(2*time.Second, undo)
			took := stopTime(c, leader)
			require.InDelta(t, 5*time.Second, took, float64(2*time.Second), "one pause")
			c.WaitLeader(tp, follower)
			require.Len(t, readAll(t, c, "orders", 1), 1)
		})
	})
	t.Run("it doesn't", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c, tp, leader, follower, undo := lagging(t)
			require.InDelta(t, 10*time.Second, stopTime(c, leader), float64(2*time.Second), "two pauses")
			c.WaitNoLeader(tp)
			c.Start(leader)
			undo()
			c.WaitISR(tp, leader, follower)
			require.Len(t, readAll(t, c, "orders", 1), 1)
		})
	})
	t.Run("it dies", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c, tp, leader, follower, _ := lagging(t)
			time.AfterFunc(time.Second, func() { c.Kill(follower) })
			require.Less(t, stopTime(c, leader), 4*time.Second, "there is nothing to wait for any more")
			c.WaitNoLeader(tp)
		})
	})
}

// Thousands of connections that say nothing hold nobody up, and are gone with the broker.
func TestManyIdleConnections(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(1), cluster.InMemory())
	conns := make([]net.Conn, 5000)
	for i := range conns {
		var err error
		conns[i], err = c.DialContext(t.Context(), "tcp", c.Addr(1))
		require.NoError(t, err)
	}
	roundTripOn(t, c, "orders")
	c.Stop(1)
	for _, conn := range conns {
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
		_, err := conn.Read(make([]byte, 1))
		require.Error(t, err)
		var failed net.Error
		require.False(t, errors.As(err, &failed) && failed.Timeout(), "a connection is open although the broker has stopped")
		require.NoError(t, conn.Close())
	}
}

// The same cluster on Apache's own ZooKeeper, side by side with another one in a chroot of its own.
func TestClusterOnRealZooKeeper(t *testing.T) {
	t.Parallel()
	zookeeper := realzk.Start(t, realzk.Options{})
	one := cluster.Start(t, cluster.ZooKeeper(zookeeper.Address()))
	other := cluster.Start(t, cluster.ZooKeeper(zookeeper.Address()), cluster.Brokers(1))
	require.Nil(t, one.ZooKeeper())
	require.NotEqual(t, one.ZooKeeperConnect(), other.ZooKeeperConnect())
	roundTripOn(t, one, "orders")
	old, epoch := one.Controller()
	one.Stop(old)
	_, next := one.WaitController(old)
	require.Equal(t, epoch+1, next)
	one.Start(old)
	roundTripOn(t, one, "again")
	require.Nil(t, other.Broker(1).Metadata().Topic("orders"))
}

// The controller and then another broker are killed: both are found by their ports and their registrations deleted on Apache's own ZooKeeper too, long before their sessions end, with
// the nodes of these sessions; and who comes back in time takes over what it left.
func TestDeathsOnRealZooKeeper(t *testing.T) {
	t.Parallel()
	zookeeper := realzk.Start(t, realzk.Options{})
	c := cluster.Start(t, cluster.ZooKeeper(zookeeper.Address()), cluster.SessionTimeout(30*time.Second))
	client := c.ZooKeeperClient()
	children := func(path string) []string {
		names, _, err := client.Children(t.Context(), path)
		require.NoError(t, err)
		return names
	}
	tp := replicated(t, c, "orders")
	send := sender(t, c, tp)
	send("before")
	require.Len(t, children(znode.OwnSessionsPath), 3)
	for _, isController := range []bool{true, false} {
		controller, _ := c.Controller()
		victim := controller
		if !isController {
			victim = controller%3 + 1
		}
		began, before := time.Now(), c.Broker(victim).Epoch()
		c.Kill(victim)
		c.Wait("the registration and its session's node to be gone", func() error {
			if ids, sessions := children(znode.BrokerIDsPath), children(znode.OwnSessionsPath); len(ids) > 2 || len(sessions) > 2 {
				return fmt.Errorf("there are %v and %v", ids, sessions)
			}
			return nil
		})
		require.Less(t, time.Since(began), 20*time.Second, "the sessions live")
		send("while")
		c.Start(victim)
		require.Greater(t, c.Broker(victim).Epoch(), before)
		c.WaitISR(tp, 1, 2, 3)
		require.Len(t, children(znode.OwnSessionsPath), 3)
	}
	// Nobody looks for this one: its restart finds its registration.
	late := cluster.Start(t, cluster.ZooKeeper(zookeeper.Address()), cluster.Brokers(1), cluster.SessionTimeout(30*time.Second))
	before := late.Broker(1).Epoch()
	late.Kill(1)
	late.Start(1)
	require.Greater(t, late.Broker(1).Epoch(), before)
	names, _, err := late.ZooKeeperClient().Children(t.Context(), znode.OwnSessionsPath)
	require.NoError(t, err)
	require.Len(t, names, 1)
	roundTripOn(t, late, "after")
}

// The leader of a ZooKeeper ensemble dies, and after it the next one: sessions, registrations and the controller stay, acks=all goes on, and topics can be made as soon as there is a leader.
func TestZooKeeperLeaderDies(t *testing.T) {
	t.Parallel()
	ensemble := realzk.StartEnsemble(t, 3, realzk.Options{})
	// The ensemble has to elect its next leader within the session.
	c := cluster.Start(t, cluster.ZooKeeper(ensemble.Address()), cluster.SessionTimeout(time.Minute))
	createTopic(t, c, "orders", 3)
	controller, epoch := c.WaitController(-1)
	registered := map[int32]int64{}
	for _, id := range c.IDs() {
		registered[id] = c.Broker(id).Epoch()
	}
	producer := c.SyncProducer(t)
	for round := range 2 {
		dead := ensemble.Leader()
		dead.Kill()
		for i := range 50 {
			_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Value: sarama.StringEncoder(fmt.Sprint(round, i))})
			require.NoError(t, err)
		}
		createTopic(t, c, fmt.Sprint("made-", round), 3)
		require.NotSame(t, dead, ensemble.Leader())
		dead.Restart()
	}
	now, nowEpoch := c.WaitController(-1)
	require.Equal(t, []int32{controller, epoch}, []int32{now, nowEpoch})
	for id, epoch := range registered {
		require.Equal(t, epoch, c.Broker(id).Epoch(), "broker %d lost its session", id)
	}
	require.Len(t, readAll(t, c, "orders", 3), 100)
}
