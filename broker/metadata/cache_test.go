package metadata

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
)

func partition(index, leader int32) wire.UpdateMetadataPartitionState {
	return wire.UpdateMetadataPartitionState{PartitionIndex: index, Leader: leader, LeaderEpoch: 1, Isr: []int32{1}, Replicas: []int32{1}}
}

func update(controller int32, brokers []int32, topics ...wire.UpdateMetadataTopicState) *wire.UpdateMetadataRequest {
	req := &wire.UpdateMetadataRequest{ControllerID: controller, TopicStates: topics}
	for _, id := range brokers {
		req.LiveBrokers = append(req.LiveBrokers, wire.UpdateMetadataBroker{ID: id, Endpoints: []wire.UpdateMetadataEndpoint{{Host: "h", Port: 9092, Listener: "PLAINTEXT"}}})
	}
	return req
}

func TestBrokersAreReplacedPartitionsMerged(t *testing.T) {
	c := New()
	select {
	case <-c.Known():
		t.Fatal("an empty cache knows nothing")
	default:
	}
	id := wire.NewUUID()
	c.Update(update(1, []int32{1, 2}, wire.UpdateMetadataTopicState{TopicName: "t", TopicID: id, PartitionStates: []wire.UpdateMetadataPartitionState{partition(1, 2), partition(0, 1)}}))
	<-c.Known()
	require.Equal(t, int32(1), c.Controller())
	require.Len(t, c.Brokers(), 2)
	before := c.Topic("t")
	require.Equal(t, before, c.TopicByID(id))
	require.Equal(t, int32(2), before.Partition(1).Leader)
	require.Nil(t, before.Partition(2))

	c.Update(update(2, []int32{2}, wire.UpdateMetadataTopicState{TopicName: "t", TopicID: id, PartitionStates: []wire.UpdateMetadataPartitionState{partition(0, -1)}}))
	require.Nil(t, c.Broker(1), "the request has all live brokers: one that is missing is gone")
	require.Equal(t, NoLeader, c.Topic("t").Partition(0).Leader)
	require.Equal(t, int32(2), c.Topic("t").Partition(1).Leader, "partitions that aren't mentioned stay")
	require.Equal(t, int32(1), before.Partition(0).Leader, "what a reader holds doesn't change")
}

func TestDeletionRemovesTheTopicWithItsLastPartition(t *testing.T) {
	c := New()
	id := wire.NewUUID()
	topic := func(states ...wire.UpdateMetadataPartitionState) wire.UpdateMetadataTopicState {
		return wire.UpdateMetadataTopicState{TopicName: "t", TopicID: id, PartitionStates: states}
	}
	c.Update(update(1, []int32{1}, topic(partition(0, 1), partition(1, 1))))
	removed := c.Update(update(1, []int32{1}, topic(partition(0, LeaderDuringDelete))))
	require.Equal(t, []TopicPartition{{"t", 0}}, removed)
	require.NotNil(t, c.Topic("t"))
	c.Update(update(1, []int32{1}, topic(partition(1, LeaderDuringDelete))))
	require.Nil(t, c.Topic("t"))
	require.Nil(t, c.TopicByID(id))
}

func TestARecreatedTopicForgetsItsOldID(t *testing.T) {
	c := New()
	first, second := wire.NewUUID(), wire.NewUUID()
	for _, id := range []wire.UUID{first, second} {
		c.Update(update(1, nil, wire.UpdateMetadataTopicState{TopicName: "t", TopicID: id, PartitionStates: []wire.UpdateMetadataPartitionState{partition(0, 1)}}))
	}
	require.Nil(t, c.TopicByID(first))
	require.Equal(t, second, c.Topic("t").ID)
}

func TestVersionsBelowFiveNameTheTopicInEachPartition(t *testing.T) {
	c := New()
	p := partition(3, 1)
	p.TopicName = "old"
	c.Update(&wire.UpdateMetadataRequest{ControllerID: -1, UngroupedPartitionStates: []wire.UpdateMetadataPartitionState{p}})
	require.Equal(t, int32(3), c.Topic("old").Partition(3).Index)
	require.Equal(t, NoController, c.Controller())
}

func TestWaitIsAnsweredByTheUpdateThatSatisfiesItOrByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		exists := func(c *Cache) bool { return c.Topic("t") != nil }
		var answers []bool
		c.Wait(time.Second, exists, func(holds bool) { answers = append(answers, holds) })
		c.Update(update(1, nil))
		require.Empty(t, answers)
		c.Update(update(1, nil, wire.UpdateMetadataTopicState{TopicName: "t", PartitionStates: []wire.UpdateMetadataPartitionState{partition(0, 1)}}))
		require.Equal(t, []bool{true}, answers)

		late := make(chan bool, 1)
		start := time.Now()
		c.Wait(3*time.Second, func(c *Cache) bool { return c.Topic("never") != nil }, func(holds bool) { late <- holds })
		require.False(t, <-late)
		require.Equal(t, 3*time.Second, time.Since(start))

		c.Wait(0, exists, func(holds bool) { late <- holds })
		require.True(t, <-late, "what holds already needs no time")
		c.Wait(0, func(*Cache) bool { return false }, func(holds bool) { late <- holds })
		require.False(t, <-late)

		c.Wait(time.Hour, func(*Cache) bool { return false }, func(holds bool) { late <- holds })
		c.Close()
		require.False(t, <-late, "closing leaves nobody waiting")
	})
}
