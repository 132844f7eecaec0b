package api_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

// The topics of one request are made side by side; the answer is as if they were made one after the other, also for names that collide.
func TestManyTopicsInOneRequest(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(1))
	conn := c.Dial(t, brokerID)
	req := &wire.CreateTopicsRequest{TimeoutMs: 60_000}
	want := map[string]wire.Error{}
	add := func(name string, partitions int32, code wire.Error) {
		req.Topics = append(req.Topics, wire.CreateTopicsRequestTopic{Name: name, NumPartitions: partitions, ReplicationFactor: 1})
		want[name] = code
	}
	for i := range 20 {
		add(fmt.Sprintf("topic-%d", i), 2, wire.None)
	}
	add("large", 150, wire.None)
	add("a.b", 1, wire.None)
	add("a_b", 1, wire.InvalidTopicException)
	add("bad/name", 1, wire.InvalidTopicException)
	add("none", 0, wire.InvalidPartitions)
	resp := ask[*wire.CreateTopicsResponse](t, conn, req, 7)
	require.Len(t, resp.Topics, len(req.Topics))
	led := 0
	for i, topic := range resp.Topics {
		require.Equal(t, req.Topics[i].Name, topic.Name, "in the order of the request")
		require.Equal(t, want[topic.Name], topic.ErrorCode, topic.Name)
		if topic.ErrorCode == wire.None {
			require.Equal(t, req.Topics[i].NumPartitions, topic.NumPartitions)
			led += int(topic.NumPartitions)
		}
	}
	hosted := 0
	for p := range c.Broker(brokerID).Replicas().All() {
		require.True(t, p.IsLeader(), p.TopicPartition())
		hosted++
	}
	require.Equal(t, led, hosted)
	again := ask[*wire.CreateTopicsResponse](t, conn, &wire.CreateTopicsRequest{Topics: req.Topics[:5], TimeoutMs: 60_000}, 7)
	for _, topic := range again.Topics {
		require.Equal(t, wire.TopicAlreadyExists, topic.ErrorCode)
	}
}
