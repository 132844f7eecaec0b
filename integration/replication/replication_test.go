package replication_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

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
	victim := leader(c, "orders", 0)
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
