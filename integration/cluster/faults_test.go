package cluster_test

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker"
	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/integration/cluster"
	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// createTopic makes a topic through the cluster admin and waits until every broker knows its leaders.
func createTopic(t *testing.T, c *cluster.Cluster, name string, partitions int32) {
	t.Helper()
	require.NoError(t, c.Admin(t).CreateTopic(name, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false))
	c.WaitTopic(name, int(partitions))
}

// state reads a partition's state znode.
func state(t *testing.T, c *cluster.Cluster, topic string, partition int32) znode.PartitionState {
	t.Helper()
	var data []byte
	c.ZooKeeper().Do(func(v *zkserver.View) {
		data, _, _ = v.Get(znode.PartitionStatePath(znode.TopicPartition{Topic: topic, Partition: partition}))
	})
	decoded, err := znode.DecodePartitionState(data)
	require.NoError(t, err)
	return decoded
}

// ledBy returns a partition of a topic that a broker leads.
func ledBy(t *testing.T, c *cluster.Cluster, topic string, id int32) int32 {
	t.Helper()
	for _, other := range c.IDs() {
		for _, p := range c.Broker(other).Metadata().Topic(topic).Partitions {
			if p.Leader == id {
				return p.Index
			}
		}
	}
	t.Fatalf("broker %d leads nothing of %s", id, topic)
	return -1
}

func manual(config *sarama.Config) { config.Producer.Partitioner = sarama.NewManualPartitioner }

// TestControllerIsKilled is what people come to see: another broker wins, the epoch rises by one, the partitions of the dead one have no leader but keep their ISR, topics can be
// made meanwhile, and when it returns so do its partitions, with their data. Its port isn't looked for here: its session has to end.
func TestControllerIsKilled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cluster.Start(t, cluster.Set("broker.failure.detection", "session"))
		createTopic(t, c, "orders", 6)
		old, epoch := c.Controller()
		partition := ledBy(t, c, "orders", old)
		_, offset, err := c.SyncProducer(t, manual).SendMessage(&sarama.ProducerMessage{Topic: "orders", Partition: partition, Value: sarama.StringEncoder("kept")})
		require.NoError(t, err)
		require.Zero(t, offset)
		before := state(t, c, "orders", partition)

		killed := time.Now()
		c.Kill(old)
		now, next := c.WaitController(old)
		require.NotEqual(t, old, now)
		require.Equal(t, epoch+1, next)
		require.InDelta(t, cluster.DefaultSessionTimeout, time.Since(killed), float64(cluster.DefaultSessionTimeout)/2, "the session had to expire")
		c.WaitMetadata("the dead broker's partitions to be offline", func(cache *metadata.Cache) error {
			if p := cache.Topic("orders").Partition(partition); p.Leader != metadata.NoLeader {
				return fmt.Errorf("leader is %d", p.Leader)
			}
			return nil
		})
		dead := state(t, c, "orders", partition)
		require.Equal(t, int32(-1), dead.Leader)
		require.Equal(t, before.ISR, dead.ISR, "the ISR is kept")
		require.Equal(t, before.LeaderEpoch+1, dead.LeaderEpoch)
		createTopic(t, c, "meanwhile", 3)

		c.Start(old)
		c.WaitTopic("orders", 6)
		require.Equal(t, old, c.Broker(now).Metadata().Topic("orders").Partition(partition).Leader)
		claim, err := c.Consumer(t).ConsumePartition("orders", partition, sarama.OffsetOldest)
		require.NoError(t, err)
		require.Equal(t, "kept", string((<-claim.Messages()).Value))
		require.NoError(t, claim.Close())
	})
}

// A broker that isn't the controller is found dead by its refused port, long before its session ends.
func TestKilledBrokerIsFoundByItsPort(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.SessionTimeout(10*time.Minute), cluster.Patience(30*time.Second))
	createTopic(t, c, "orders", 6)
	controller, epoch := c.Controller()
	victim := controller%3 + 1
	partition := ledBy(t, c, "orders", victim)
	c.Kill(victim)
	c.WaitMetadata("the dead broker to be gone", func(cache *metadata.Cache) error {
		if cache.Broker(victim) != nil {
			return errors.New("it is listed")
		}
		return nil
	})
	_, same := c.Controller()
	require.Equal(t, epoch, same)
	c.Wait("its partition to have no leader", func() error {
		if s := state(t, c, "orders", partition); s.Leader != -1 {
			return fmt.Errorf("leader is %d", s.Leader)
		}
		return nil
	})
	c.Start(victim)
	c.WaitTopic("orders", 6)
}

// The controller is found by its port too, by the others: one of them is controller long before its session ends, and in no virtual time at all. The second that
// may pass is Kill's: the killed broker's ZooKeeper client waits that long for an answer to its goodbye.
func TestKilledControllerIsFoundByItsPort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cluster.Start(t, cluster.SessionTimeout(10*time.Minute))
		createTopic(t, c, "orders", 6)
		for range 2 {
			old, epoch := c.Controller()
			killed := time.Now()
			c.Kill(old)
			_, next := c.WaitController(old)
			require.Equal(t, epoch+1, next)
			c.WaitMetadata("the dead broker to be gone", func(cache *metadata.Cache) error {
				if cache.Broker(old) != nil {
					return errors.New("it is listed")
				}
				return nil
			})
			require.LessOrEqual(t, time.Since(killed), time.Second)
			c.Start(old)
			c.WaitTopic("orders", 6)
		}
	})
}

// A controller that is cut off from the others, but not from ZooKeeper, keeps its office: no answer isn't a refusal.
func TestControllerThatIsCutOffKeepsItsOffice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cluster.Start(t)
		createTopic(t, c, "orders", 3)
		old, epoch := c.Controller()
		for _, id := range c.IDs() {
			if id != old {
				c.Network().Cut(fmt.Sprintf("broker-%d", old), fmt.Sprintf("broker-%d", id))
			}
		}
		<-time.After(10 * cluster.DefaultSessionTimeout)
		id, same := c.Controller()
		require.Equal(t, old, id)
		require.Equal(t, epoch, same)
		c.Network().HealAll()
		createTopic(t, c, "after", 3)
	})
}

// A broker that is started again at once replaces the registration that its killed process left, whose session lives on for ten minutes.
func TestRestartTakesTheRegistrationOver(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.SessionTimeout(10*time.Minute), cluster.Patience(30*time.Second), cluster.Set("broker.failure.detection", "session"))
	createTopic(t, c, "orders", 6)
	controller, _ := c.Controller()
	victim := controller%3 + 1
	before := c.Broker(victim).Epoch()
	c.Kill(victim)
	c.Start(victim)
	require.Greater(t, c.Broker(victim).Epoch(), before)
	c.WaitTopic("orders", 6)
	_, _, err := c.SyncProducer(t, manual).SendMessage(&sarama.ProducerMessage{Topic: "orders", Partition: ledBy(t, c, "orders", victim), Value: sarama.StringEncoder("again")})
	require.NoError(t, err)
}

// ZooKeeper ends the controller's session although the broker is well: it registers again under a new epoch, and the cluster has a controller of the next epoch.
func TestSessionIsExpiredByForce(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t)
	createTopic(t, c, "orders", 6)
	old, epoch := c.Controller()
	before := c.Broker(old).Epoch()
	c.ExpireSession(old)
	c.Wait("another broker epoch", func() error {
		if now := c.Broker(old).Epoch(); now <= before {
			return fmt.Errorf("it is %d", now)
		}
		return nil
	})
	c.Wait("another controller epoch", func() error {
		if _, now := c.Controller(); now <= epoch {
			return fmt.Errorf("it is %d", now)
		}
		return nil
	})
	c.WaitReady()
	c.WaitTopic("orders", 6)
	roundTripOn(t, c, "after")
}

// ZooKeeper is away for three session timeouts. Clients are served all the time; afterwards everybody registers again and the cluster goes on.
func TestZooKeeperIsAwayForLongerThanTheSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cluster.Start(t)
		createTopic(t, c, "orders", 3)
		_, epoch := c.Controller()
		producer := c.SyncProducer(t, manual)
		send := func(partition int32) {
			_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Partition: partition, Value: sarama.StringEncoder("x")})
			require.NoError(t, err)
		}
		send(0)
		var epochs []int64
		for _, id := range c.IDs() {
			epochs = append(epochs, c.Broker(id).Epoch())
			c.Network().Cut("zookeeper", fmt.Sprintf("broker-%d", id))
		}
		<-time.After(3 * cluster.DefaultSessionTimeout)
		send(1)
		c.Network().HealAll()
		c.Wait("all brokers to be registered again", func() error {
			for i, id := range c.IDs() {
				if c.Broker(id).Epoch() <= epochs[i] {
					return fmt.Errorf("broker %d has its old epoch", id)
				}
			}
			return nil
		})
		c.WaitReady()
		_, next := c.Controller()
		require.Greater(t, next, epoch)
		c.WaitTopic("orders", 3)
		for partition := range int32(3) {
			send(partition)
		}
		createTopic(t, c, "after", 3)
	})
}

// ZooKeeper isn't there when a broker starts: it waits for zookeeper.connection.timeout.ms and then says which server couldn't be reached.
func TestZooKeeperIsAbsentAtStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cluster.Start(t, cluster.Brokers(1))
		c.Network().Host("broker-9")
		o, err := c.BrokerOptions(9, map[string]string{"zookeeper.connect": "zookeeper:2999", "zookeeper.connection.timeout.ms": "5000"})
		require.NoError(t, err)
		b, err := broker.New(o)
		require.NoError(t, err)
		began := time.Now()
		err = b.Start(t.Context())
		require.ErrorContains(t, err, "zookeeper:2999")
		require.InDelta(t, 5*time.Second, time.Since(began), float64(time.Second))
		require.NoError(t, b.Close(t.Context()))

		// And when ZooKeeper comes in time nothing is said but that it was waited for.
		c.Network().Refuse("zookeeper:2181")
		o, err = c.BrokerOptions(9, map[string]string{"zookeeper.connection.timeout.ms": "60000"})
		require.NoError(t, err)
		b, err = broker.New(o)
		require.NoError(t, err)
		started := make(chan error, 1)
		go func() { started <- b.Start(t.Context()) }()
		<-time.After(10 * time.Second)
		synctest.Wait()
		require.False(t, b.Readiness().Ready())
		c.Network().Allow("zookeeper:2181")
		require.NoError(t, <-started)
		require.NoError(t, b.Ready(t.Context()))
		require.NoError(t, b.Close(t.Context()))
	})
}

// refused starts a broker that must not start, and returns its error.
func refused(t *testing.T, c *cluster.Cluster, id int32, set map[string]string) error {
	t.Helper()
	o, err := c.BrokerOptions(id, set)
	require.NoError(t, err)
	b, err := broker.New(o)
	require.NoError(t, err)
	err = b.Start(t.Context())
	require.Error(t, err)
	require.NoError(t, b.Close(t.Context()))
	return err
}

func TestBrokersThatMustNotStart(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(2), cluster.SessionTimeout(time.Second))
	other := cluster.Start(t, cluster.Brokers(1))
	anyPort := map[string]string{"listeners": "PLAINTEXT://127.0.0.1:0"}
	with := func(key, value string) map[string]string {
		set := map[string]string{key: value}
		for k, v := range anyPort {
			set[k] = v
		}
		return set
	}
	require.ErrorContains(t, refused(t, c, 1, with("log.dirs", t.TempDir())), "registered", "two brokers with one id")
	require.ErrorContains(t, refused(t, c, 1, anyPort), "lock", "two brokers on one directory")
	c.Stop(2)
	require.ErrorContains(t, refused(t, c, 7, with("log.dirs", c.Dir(2))), "broker.id=2", "a directory of another broker")
	require.ErrorContains(t, refused(t, other, 2, with("log.dirs", c.Dir(2))), "cluster", "a directory of another cluster")
	require.ErrorContains(t, refused(t, c, 8, map[string]string{"listeners": "PLAINTEXT://" + c.Addr(1)}), "address already in use")
	require.ErrorContains(t, refused(t, c, 8, with("advertised.listeners", "PLAINTEXT://"+c.Addr(1))), "broker 1 advertises")
	// What was refused has left nothing: the cluster goes on, and the directory can be used.
	c.Start(2)
	roundTripOn(t, c, "after")
}

// TestKillDuringLoad kills brokers while producers write with acks=1 and acks=all, and starts them again on their directories: every record that was acked is there, once per
// ack of the idempotent producer.
func TestKillDuringLoad(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.SessionTimeout(2*time.Second))
	createTopic(t, c, "load", 6)
	var mu sync.Mutex
	acked := map[string]bool{}
	stopped := make(chan struct{})
	stop := sync.OnceFunc(func() { close(stopped) })
	var producing sync.WaitGroup
	progress := func() int { mu.Lock(); defer mu.Unlock(); return len(acked) }
	for i, acks := range []sarama.RequiredAcks{sarama.WaitForAll, sarama.WaitForLocal} {
		producer := c.SyncProducer(t, func(config *sarama.Config) {
			config.Producer.RequiredAcks, config.Producer.Idempotent = acks, acks == sarama.WaitForAll
			config.Producer.Retry.Backoff, config.Metadata.Retry.Backoff = 10*time.Millisecond, 10*time.Millisecond
			config.Producer.Retry.Max, config.Metadata.Retry.Max = 1000, 1000
		})
		producing.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stopped:
					return
				default:
				}
				value := fmt.Sprintf("%d-%d", i, n)
				if _, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "load", Key: sarama.StringEncoder(value), Value: sarama.StringEncoder(value)}); err == nil {
					mu.Lock()
					acked[value] = true
					mu.Unlock()
				}
			}
		})
	}
	t.Cleanup(func() { stop(); producing.Wait() }) // before the producers are closed, also when the test fails
	more := func(n int) {
		target := progress() + n
		c.Wait("more records to be acked", func() error {
			if now := progress(); now < target {
				return fmt.Errorf("%d of %d", now, target)
			}
			return nil
		})
	}
	for range 2 {
		for _, id := range []int32{1, 2, 3} {
			more(50)
			c.Kill(id)
			c.Start(id)
		}
	}
	more(50)
	stop()
	producing.Wait()
	c.WaitTopic("load", 6)
	found := readAll(t, c, "load", 6)
	for value := range acked {
		require.Positive(t, found[value], "%s was acked and is lost", value)
	}
	t.Logf("%d records acked over six kills", len(acked))
}

// readAll reads a topic from the start to its high watermarks and counts the values.
func readAll(t *testing.T, c *cluster.Cluster, topic string, partitions int32) map[string]int {
	t.Helper()
	client := c.Client(t)
	consumer, err := sarama.NewConsumerFromClient(client)
	require.NoError(t, err)
	var mu sync.Mutex
	found := map[string]int{}
	var reading sync.WaitGroup // side by side: closing a claim takes sarama a tenth of a second
	for partition := range partitions {
		oldest, err := client.GetOffset(topic, partition, sarama.OffsetOldest)
		require.NoError(t, err)
		end, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
		require.NoError(t, err)
		if oldest == end {
			continue
		}
		claim, err := consumer.ConsumePartition(topic, partition, oldest)
		require.NoError(t, err)
		reading.Go(func() {
			for m := range claim.Messages() {
				mu.Lock()
				found[string(m.Value)]++
				mu.Unlock()
				if m.Offset+1 >= end {
					break
				}
			}
			if err := claim.Close(); err != nil {
				t.Errorf("close partition %d: %v", partition, err)
			}
		})
	}
	reading.Wait()
	require.NoError(t, consumer.Close())
	return found
}

// DeleteRecords holds after kill -9, at once: Apache forgets it for up to a minute.
func TestDeleteRecordsSurvivesKill(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(1))
	createTopic(t, c, "orders", 1)
	producer := c.SyncProducer(t)
	for i := range 10 {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Value: sarama.StringEncoder(fmt.Sprint(i))})
		require.NoError(t, err)
	}
	require.NoError(t, c.Admin(t).DeleteRecords("orders", map[int32]int64{0: 7}))
	c.Kill(1)
	c.Start(1)
	c.WaitTopic("orders", 1)
	oldest, err := c.Client(t).GetOffset("orders", 0, sarama.OffsetOldest)
	require.NoError(t, err)
	require.Equal(t, int64(7), oldest)
	require.Len(t, readAll(t, c, "orders", 1), 3)
}

// Data stays where DataDir says.
func TestDataDirIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	t.Run("cluster", func(t *testing.T) {
		c := cluster.Start(t, cluster.Brokers(1), cluster.DataDir(dir))
		createTopic(t, c, "orders", 1)
	})
	entries, err := os.ReadDir(dir + "/broker-1")
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	require.Contains(t, names, "orders-0")
	require.Contains(t, names, "meta.properties")
	require.Contains(t, names, ".kafka_cleanshutdown", "it was stopped cleanly")
}

// roundTripOn produces to a new topic and reads it back.
func roundTripOn(t *testing.T, c *cluster.Cluster, topic string) {
	t.Helper()
	createTopic(t, c, topic, 3)
	producer := c.SyncProducer(t)
	for i := range 20 {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder(fmt.Sprint(i)), Value: sarama.StringEncoder(fmt.Sprint(i))})
		require.NoError(t, err)
	}
	require.Len(t, readAll(t, c, topic, 3), 20)
}
