package replication_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

// TestReadFromTheClosestReplica: with the rack-aware selector a leader sends consumers to the replica in their rack (KIP-392), which serves them up to its high watermark.
func TestReadFromTheClosestReplica(t *testing.T) {
	options := []cluster.Option{cluster.Brokers(3), cluster.Set("replica.selector.class", "org.apache.kafka.common.replica.RackAwareReplicaSelector")}
	for id := int32(1); id <= 3; id++ {
		options = append(options, cluster.BrokerSet(id, "broker.rack", rack(id)))
	}
	c := cluster.Start(t, options...)
	createTopic(t, c, "near", 1, nil)
	lead := leader(c, "near", 0)
	follower, other := lead%3+1, (lead+1)%3+1
	producer := c.SyncProducer(t, func(s *sarama.Config) { s.Producer.RequiredAcks = sarama.WaitForAll })
	for i := range 100 {
		send(t, producer, i)
	}
	waitSameEnds(t, c, "near", 1)
	id := c.Broker(lead).Metadata().Topic("near").ID

	leading, following := c.Dial(t, lead), c.Dial(t, follower)
	t.Run("the leader sends a consumer to its rack, at once", func(t *testing.T) {
		p := fetchNear(t, leading, id, 12, rack(follower), 0, time.Hour, 1<<20)
		require.Equal(t, follower, p.PreferredReadReplica)
		require.Empty(t, p.Records)
		require.EqualValues(t, 100, p.HighWatermark)
	})
	for name, where := range map[string]string{"the leader's own": rack(lead), "one that nobody is in": "elsewhere", "none": ""} {
		t.Run("a consumer stays whose rack is "+name, func(t *testing.T) {
			p := fetchNear(t, leading, id, 13, where, 0, time.Second, 1)
			require.Equal(t, int32(-1), p.PreferredReadReplica)
			require.NotEmpty(t, p.Records)
		})
	}
	t.Run("versions before 11 know of leaders only", func(t *testing.T) {
		require.NotEmpty(t, fetchNear(t, leading, id, 10, "", 0, time.Second, 1).Records)
		require.Equal(t, wire.NotLeaderOrFollower, fetchNear(t, following, id, 10, "", 0, time.Second, 1).ErrorCode)
	})
	t.Run("an offset that the replica doesn't have", func(t *testing.T) {
		p := fetchNear(t, leading, id, 12, rack(follower), 1000, time.Second, 1)
		require.Equal(t, wire.OffsetOutOfRange, p.ErrorCode)
		require.Equal(t, int32(-1), p.PreferredReadReplica)
		require.Equal(t, wire.OffsetOutOfRange, fetchNear(t, following, id, 12, rack(follower), 1000, time.Second, 1).ErrorCode)
	})
	t.Run("a fetch that waits at a follower gets the next record", func(t *testing.T) {
		got := make(chan *wire.FetchResponsePartition, 1)
		ctx := t.Context()
		go func() {
			p, err := exchangeNear(ctx, following, id, 13, rack(follower), 100, time.Hour, 1)
			if err != nil {
				close(got)
				return
			}
			got <- p
		}()
		c.Wait("the fetch to wait", func() error {
			if n := c.Broker(follower).Replicas().Waiting(); n == 0 {
				return fmt.Errorf("nothing waits")
			}
			return nil
		})
		send(t, producer, 100)
		p, ok := <-got
		require.True(t, ok)
		require.Equal(t, wire.None, p.ErrorCode)
		require.NotEmpty(t, p.Records)
	})

	// sarama follows what it is told, and goes back to the leader when the replica is gone.
	near := func(s *sarama.Config) { s.RackID = rack(follower); s.Consumer.Retry.Backoff = 10 * time.Millisecond }
	consumer, err := c.Consumer(t, near).ConsumePartition("near", 0, sarama.OffsetOldest)
	require.NoError(t, err)
	defer consumer.Close()
	next := 0
	expect := func(until int) {
		for ; next < until; next++ {
			select {
			case m := <-consumer.Messages():
				require.Equal(t, fmt.Sprint(next), string(m.Value))
			case <-time.After(time.Minute):
				require.FailNow(t, "no message", "waiting for %d", next)
			}
		}
	}
	expect(101)
	require.NotEqual(t, other, lead)
	c.Kill(follower)
	for i := 101; i < 110; i++ {
		send(t, producer, i)
	}
	expect(110)
}

func rack(id int32) string { return fmt.Sprintf("rack-%d", id) }

func send(t *testing.T, producer sarama.SyncProducer, i int) {
	t.Helper()
	_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "near", Value: sarama.StringEncoder(fmt.Sprint(i))})
	require.NoError(t, err)
}

// fetchNear fetches the one partition as a consumer in a rack.
func fetchNear(t *testing.T, conn *network.Client, id wire.UUID, version int16, rack string, offset int64, wait time.Duration, minBytes int32) *wire.FetchResponsePartition {
	t.Helper()
	p, err := exchangeNear(t.Context(), conn, id, version, rack, offset, wait, minBytes)
	require.NoError(t, err)
	return p
}

func exchangeNear(
	ctx context.Context, conn *network.Client, id wire.UUID, version int16, rack string, offset int64, wait time.Duration, minBytes int32,
) (*wire.FetchResponsePartition, error) {
	req := wire.New[wire.FetchRequest]()
	req.ReplicaID, req.MaxWaitMs, req.MinBytes, req.MaxBytes, req.SessionEpoch, req.RackID = -1, int32(wait.Milliseconds()), minBytes, 1<<20, -1, rack
	p := wire.New[wire.FetchRequestPartition]()
	p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch, p.LastFetchedEpoch, p.LogStartOffset = offset, 1<<20, -1, -1, -1
	topic := wire.FetchRequestTopic{Partitions: []wire.FetchRequestPartition{p}}
	if version >= 13 {
		topic.TopicID = id
	} else {
		topic.Topic = "near"
	}
	req.Topics = []wire.FetchRequestTopic{topic}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	resp, err := conn.Do(ctx, &req, version)
	if err != nil {
		return nil, err
	}
	answer := resp.(*wire.FetchResponse)
	if answer.ErrorCode != wire.None || len(answer.Responses) != 1 {
		return nil, fmt.Errorf("answered %+v", answer)
	}
	return &answer.Responses[0].Partitions[0], nil
}
