package replication_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/integration/cluster"
)

// A replica that is added to a partition is held to the rate, by its leader or by itself, and is in the ISR in the end. Producers, for whom the others are enough, notice nothing; and
// when the limit goes the rest comes at once. All of it in virtual time.
func TestReplicationThrottle(t *testing.T) {
	for _, side := range []string{"leader", "follower"} {
		t.Run(side, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { growThrottled(t, side) })
		})
	}
}

func growThrottled(t *testing.T, side string) {
	const rate, chunk, chunks = 100_000, 50_000, 20
	c := cluster.Start(t, cluster.Brokers(3), cluster.Set("replica.fetch.max.bytes", "60000"), cluster.Set("min.insync.replicas", "2"))
	admin := c.Admin(t)
	set := func(kind sarama.ConfigResourceType, name, key, value string) {
		entry := map[string]sarama.IncrementalAlterConfigsEntry{side + ".replication.throttled." + key: {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}}
		require.NoError(t, admin.IncrementalAlterConfig(kind, name, entry, false))
	}
	limit := func(bytesPerSecond string) {
		for _, id := range []string{"1", "2", "3"} {
			set(sarama.BrokerResource, id, "rate", bytesPerSecond)
		}
	}
	limit("100000")
	producer := c.SyncProducer(t, durable)
	filled := func(topic string) {
		require.NoError(t, admin.CreateTopic(topic, &sarama.TopicDetail{
			NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: {1, 2}},
		}, false))
		c.WaitTopic(topic, 1)
		for range chunks {
			sendBytes(t, producer, topic, chunk)
		}
		set(sarama.TopicResource, topic, "replicas", "*") // not before: what members of the ISR get counts, too
	}
	// grow adds broker 3 and returns how long it takes to join the ISR.
	grow := func(topic string, meanwhile func()) time.Duration {
		began := time.Now()
		require.NoError(t, admin.AlterPartitionReassignments(topic, [][]int32{{1, 2, 3}}))
		meanwhile()
		waitISR(c, topic, 1, 2, 3)
		return time.Since(began)
	}

	filled("slow")
	took := grow("slow", func() {
		for range 20 {
			began := time.Now()
			sendBytes(t, producer, "slow", 100)
			require.Less(t, time.Since(began), 100*time.Millisecond, "the ISR is held back by the throttle of a replica outside of it")
		}
	})
	require.Greater(t, took, 7*time.Second, "1 MB at 100 kB/s, where the first window may be used up at once")
	require.Less(t, took, 15*time.Second)

	limit("1000")
	filled("freed")
	took = grow("freed", func() {
		<-time.After(5 * time.Second) // virtual time: that it passes is what is tested
		p := c.Broker(1).Metadata().Topic("freed").Partition(0)
		require.False(t, slices.Contains(p.ISR, 3), "at 1 kB/s it can't be")
		limit("9223372036854775807")
	})
	require.Less(t, took, 8*time.Second)
	requireSameBytes(t, c, "slow", 1)
	requireSameBytes(t, c, "freed", 1)
}

func sendBytes(t *testing.T, producer sarama.SyncProducer, topic string, bytes int) {
	t.Helper()
	_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(make([]byte, bytes))})
	require.NoError(t, err)
}
