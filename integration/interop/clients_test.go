package interop

import (
	"context"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
)

// message is what a reader sees of a record.
type message struct {
	offset     int64
	time       int64
	key, value string
}

// readPartition reads a partition from its first offset to its end.
func readPartition(t testing.TB, client sarama.Client, topic string, partition int32) []message {
	t.Helper()
	oldest, err := client.GetOffset(topic, partition, sarama.OffsetOldest)
	require.NoError(t, err)
	newest, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
	require.NoError(t, err)
	if oldest == newest {
		return nil
	}
	consumer, err := sarama.NewConsumerFromClient(client)
	require.NoError(t, err)
	defer func() { require.NoError(t, consumer.Close()) }()
	pc, err := consumer.ConsumePartition(topic, partition, oldest)
	require.NoError(t, err)
	defer func() { require.NoError(t, pc.Close()) }()
	deadline := time.After(2 * patience)
	messages := make([]message, 0, newest-oldest)
	for {
		select {
		case m := <-pc.Messages():
			messages = append(messages, message{m.Offset, m.Timestamp.UnixMilli(), string(m.Key), string(m.Value)})
			if m.Offset == newest-1 {
				return messages
			}
		case err := <-pc.Errors():
			require.NoError(t, err)
		case <-deadline:
			t.Fatalf("%s-%d: %d records of offsets %d to %d", topic, partition, len(messages), oldest, newest)
		}
	}
}

func newClient(t testing.TB, addresses ...string) sarama.Client {
	t.Helper()
	config := saramaConfig()
	config.Consumer.Fetch.Default = 4 << 20
	client, err := sarama.NewClient(addresses, config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// raw speaks to one broker in single requests.
type raw struct {
	t testing.TB
	c *network.Client
}

func dial(t testing.TB, address string) *raw {
	t.Helper()
	c, err := network.Dial(context.Background(), network.DialConfig{ClientID: "interop"}, address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &raw{t: t, c: c}
}

func (r *raw) do(req wire.Request, version int16) wire.Response {
	r.t.Helper()
	resp, err := r.c.Do(context.Background(), req, version)
	require.NoError(r.t, err)
	return resp
}

// producerID asks for an id; a broker that has no block of ids yet is asked again.
func (r *raw) producerID() (id int64, epoch int16) {
	r.t.Helper()
	eventually(r.t, "a producer id is given out", func() bool {
		resp := r.do(&wire.InitProducerIdRequest{ProducerID: -1, ProducerEpoch: -1}, 4).(*wire.InitProducerIdResponse)
		id, epoch = resp.ProducerID, resp.ProducerEpoch
		return resp.ErrorCode == 0
	}, func() string { return "" })
	return id, epoch
}

// produce sends one batch of an idempotent producer.
func (r *raw) produce(topic string, partition int32, id int64, epoch int16, sequence int32, codec record.Codec, values ...string) (wire.Error, int64) {
	r.t.Helper()
	var records []record.Record
	for i, value := range values {
		records = append(records, record.Record{Offset: int64(i), Timestamp: time.Now().UnixMilli(), Key: []byte("k"), Value: []byte(value)})
	}
	batch, err := record.Build(record.BuilderOptions{Codec: codec, Level: record.DefaultLevel, PartitionLeaderEpoch: record.NoLeaderEpoch,
		Producer: &record.ProducerState{ID: id, Epoch: epoch, BaseSequence: sequence}}, records...)
	require.NoError(r.t, err)
	resp := r.do(&wire.ProduceRequest{Acks: -1, TimeoutMs: 10_000, TopicData: []wire.ProduceRequestTopic{{Name: topic,
		PartitionData: []wire.ProduceRequestPartition{{Index: partition, Records: batch}}}}}, 9).(*wire.ProduceResponse)
	p := resp.Responses[0].PartitionResponses[0]
	return p.ErrorCode, p.BaseOffset
}

// epochEnd asks where a leader epoch ended.
func (r *raw) epochEnd(topic string, partition, epoch int32) (wire.Error, int32, int64) {
	r.t.Helper()
	resp := r.do(&wire.OffsetForLeaderEpochRequest{ReplicaID: -1, Topics: []wire.OffsetForLeaderEpochRequestTopic{{Topic: topic,
		Partitions: []wire.OffsetForLeaderEpochRequestPartition{{Partition: partition, CurrentLeaderEpoch: -1, LeaderEpoch: epoch}}}}}, 4).(*wire.OffsetForLeaderEpochResponse)
	p := resp.Topics[0].Partitions[0]
	return p.ErrorCode, p.LeaderEpoch, p.EndOffset
}
