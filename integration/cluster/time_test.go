package cluster_test

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

// A connection on which nothing happens is closed after connections.max.idle.ms, ten minutes, and not before.
func TestIdleConnectionIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cluster.Start(t, cluster.Brokers(1), cluster.SessionTimeout(time.Hour))
		idle, err := c.DialContext(t.Context(), "tcp", c.Addr(1))
		require.NoError(t, err)
		defer idle.Close()
		began := time.Now()
		require.NoError(t, idle.SetReadDeadline(began.Add(9*time.Minute)))
		_, err = idle.Read(make([]byte, 1))
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout(), "open after nine minutes")
		require.NoError(t, idle.SetReadDeadline(time.Time{}))
		_, err = idle.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		require.InDelta(t, 10*time.Minute, time.Since(began), float64(time.Minute))
	})
}

// quiet is one broker whose session isn't kept alive every few seconds, so that weeks pass quickly.
func quiet() []cluster.Option {
	return []cluster.Option{cluster.Brokers(1), cluster.SessionTimeout(24 * time.Hour)}
}

// unrefreshed keeps a client from asking for metadata every ten minutes.
func unrefreshed(config *sarama.Config) { config.Metadata.RefreshFrequency = 0 }

// The default retention is seven days: a record is there after six and gone after eight.
func TestSevenDaysOfRetention(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cluster.Start(t, quiet()...)
		admin := c.Admin(t, unrefreshed)
		require.NoError(t, admin.CreateTopic("orders", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false))
		c.WaitTopic("orders", 1)
		producer := c.SyncProducer(t, unrefreshed)
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Value: sarama.StringEncoder("old"), Timestamp: time.Now()})
		require.NoError(t, err)
		start := func() int64 {
			for p := range c.Broker(1).Replicas().All() {
				return p.Log().LogStartOffset()
			}
			return -1
		}
		<-time.After(6 * 24 * time.Hour)
		require.Zero(t, start())
		<-time.After(2 * 24 * time.Hour)
		require.Equal(t, int64(1), start())
		deleted := c.WaitEvent(1, 0, "segments deleted", func(r telemetry.Record) bool { _, ok := r.Event.(telemetry.SegmentsDeleted); return ok })
		require.Equal(t, "orders", deleted.Event.(telemetry.SegmentsDeleted).Topic)
		partition, offset, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Value: sarama.StringEncoder("new"), Timestamp: time.Now()})
		require.NoError(t, err)
		require.Zero(t, partition)
		require.Equal(t, int64(1), offset, "offsets are never used twice")
	})
}

// An idempotent producer that was silent for producer.id.expiration.ms, a day, is forgotten.
func TestProducerIDExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cluster.Start(t, quiet()...)
		createTopic(t, c, "orders", 1)
		producer := c.SyncProducer(t)
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Value: sarama.StringEncoder("x")})
		require.NoError(t, err)
		conn := c.Dial(t, 1)
		active := func() int {
			resp, err := conn.Do(t.Context(), &wire.DescribeProducersRequest{Topics: []wire.DescribeProducersRequestTopic{{Name: "orders", PartitionIndexes: []int32{0}}}}, 0)
			if err != nil { // idle connections are closed
				conn = c.Dial(t, 1)
				resp, err = conn.Do(t.Context(), &wire.DescribeProducersRequest{Topics: []wire.DescribeProducersRequestTopic{{Name: "orders", PartitionIndexes: []int32{0}}}}, 0)
			}
			require.NoError(t, err)
			return len(resp.(*wire.DescribeProducersResponse).Topics[0].Partitions[0].ActiveProducers)
		}
		require.Equal(t, 1, active())
		<-time.After(23 * time.Hour)
		require.Equal(t, 1, active())
		<-time.After(2 * time.Hour)
		require.Zero(t, active())
		_, offset, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Value: sarama.StringEncoder("y")})
		require.NoError(t, err, "a forgotten producer that goes on is known again")
		require.Equal(t, int64(1), offset)
	})
}
