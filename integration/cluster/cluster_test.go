package cluster_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/integration/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// roundTrip produces a record to each partition of a new topic and reads them back.
func roundTrip(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	admin := c.Admin(t)
	require.NoError(t, admin.CreateTopic("orders", &sarama.TopicDetail{NumPartitions: 6, ReplicationFactor: 1}, false))
	producer := c.SyncProducer(t, func(config *sarama.Config) { config.Producer.Partitioner = sarama.NewManualPartitioner })
	for partition := range int32(6) {
		_, offset, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Partition: partition, Value: sarama.StringEncoder(fmt.Sprint("order ", partition))})
		require.NoError(t, err)
		require.Zero(t, offset)
	}
	consumer := c.Consumer(t)
	for partition := range int32(6) {
		claim, err := consumer.ConsumePartition("orders", partition, sarama.OffsetOldest)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("order ", partition), string((<-claim.Messages()).Value))
		require.NoError(t, claim.Close())
	}
}

func TestClusterIsReadyWhenStartReturns(t *testing.T) {
	t.Parallel()
	began := time.Now()
	c := cluster.Start(t)
	t.Logf("three brokers ready after %v", time.Since(began))
	require.Equal(t, []int32{1, 2, 3}, c.IDs())
	require.Len(t, c.Bootstrap(), 3)
	controller, epoch := c.Controller()
	require.Contains(t, c.IDs(), controller)
	require.Equal(t, int32(1), epoch)
	for _, id := range c.IDs() {
		require.Equal(t, controller, c.Broker(id).Metadata().Controller())
		require.Len(t, c.Broker(id).Metadata().Brokers(), 3)
		require.True(t, c.Broker(id).Readiness().Ready())
	}
	roundTrip(t, c)
}

func TestClusterInMemory(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.InMemory())
	require.Equal(t, []string{"broker-1:9092", "broker-2:9092", "broker-3:9092"}, c.Bootstrap())
	roundTrip(t, c)
}

func TestClusterInBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cluster.Start(t)
		require.NotNil(t, c.Network())
		roundTrip(t, c)
	})
}
