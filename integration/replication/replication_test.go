package replication_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/integration/cluster"
)

func TestFollowersHoldWhatWasAcked(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Set("min.insync.replicas", "2"))
	createTopic(t, c, "orders", 3, nil)
	waitISR(c, "orders", 1, 2, 3)
	producer := c.SyncProducer(t, durable)
	began := time.Now()
	for i := range 300 {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Partition: int32(i % 3), Value: sarama.StringEncoder(fmt.Sprint(i))})
		require.NoError(t, err)
	}
	t.Logf("300 acks=all in %v", time.Since(began))
	waitSameEnds(t, c, "orders", 3)
	requireSameBytes(t, c, "orders", 3)
}

func TestLeaderIsKilled(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Set("min.insync.replicas", "2"))
	createTopic(t, c, "orders", 6, nil)
	producer := c.SyncProducer(t, durable)
	send := func(value string) {
		for partition := range int32(6) {
			_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Partition: partition, Value: sarama.StringEncoder(value)})
			require.NoError(t, err)
		}
	}
	send("before")
	// Each broker leads two of the six. The controller's own death would show by its session alone.
	controller, _ := c.Controller()
	victim := controller%3 + 1
	began := time.Now()
	c.Kill(victim)
	send("while")
	t.Logf("six partitions take records again %v after the kill of broker %d", time.Since(began), victim)
	require.Less(t, time.Since(began), 3*time.Second, "faster than the session timeout")
	c.Start(victim)
	waitISR(c, "orders", 1, 2, 3)
	send("after")
	waitSameEnds(t, c, "orders", 6)
	requireSameBytes(t, c, "orders", 6)
	for partition := range int32(6) {
		require.Equal(t, []string{"before", "while", "after"}, values(t, c, "orders", partition))
	}
}

func TestDeletedRecordsAreGoneFromEveryReplica(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Set("min.insync.replicas", "2"))
	createTopic(t, c, "orders", 1, nil)
	producer := c.SyncProducer(t, durable)
	for i := range 10 {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Value: sarama.StringEncoder(fmt.Sprint(i))})
		require.NoError(t, err)
	}
	require.NoError(t, c.Admin(t).DeleteRecords("orders", map[int32]int64{0: 7}))
	for _, id := range c.IDs() {
		p, code := c.Broker(id).Replicas().Partition(commitlog.TopicPartition{Topic: "orders"})
		require.Zero(t, code)
		require.EqualValues(t, 7, p.Log().LogStartOffset(), "broker %d, when the answer came", id)
	}
}

// An idle follower costs a fetch every half second, whatever the number of its partitions, and each of those names none of them.
func TestIdlePartitionsAreNotVisited(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t)
	createTopic(t, c, "many", 60, nil)
	for _, id := range c.IDs() {
		c.Wait("the fetch sessions of the followers", func() error {
			stats := c.Broker(id).Replicas().SessionStats()
			// At least: a session whose first answer never reached its follower stays until it is evicted, as in Kafka.
			if stats.Sessions < 2 || stats.Partitions < 40 {
				return fmt.Errorf("broker %d has %+v", id, stats)
			}
			return nil
		})
	}
	producer := c.SyncProducer(t, durable)
	_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "many", Partition: 42, Value: sarama.StringEncoder("one")})
	require.NoError(t, err)
	waitSameEnds(t, c, "many", 60)
}
