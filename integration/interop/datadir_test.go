package interop

import (
	"fmt"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
)

// TestDataDirectory starts each maker's broker on what the other one left after a clean stop, and the first one again on that.
func TestDataDirectory(t *testing.T) {
	z := apacheZooKeeper(t)
	for _, makers := range [][2]maker{{ours, apache}, {apache, ours}} {
		t.Run(fmt.Sprintf("%s to %s and back", makers[0], makers[1]), func(t *testing.T) { handOver(t, z.address+"/"+string(makers[0])+"-first", makers) })
	}
}

// history is what must survive every change of the broker.
type history struct {
	records  map[int32][]message
	epochs   map[int32]int64 // end offset of each leader epoch of partition 0
	oldest   int64           // of partition 0
	id       int64
	epoch    int16
	sequence int32 // next one of the producer in partition 0
	last     int64 // offset of its last batch
	codec    int
}

func handOver(t *testing.T, connect string, makers [2]maker) {
	const topic = "heirloom"
	// A controller that stays, without partitions: it makes each stop and start of the other a new leader epoch.
	n, controller := newNode(t, makers[0], connect, 1), newNode(t, makers[0], connect, 2)
	controller.start()
	n.start()
	c := &cluster{t: t, nodes: []*node{n, controller}}
	c.agreed()
	small := "16384"
	tiny := "512"
	require.NoError(t, c.admin(t).CreateTopic(topic, &sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: {1}, 1: {1}},
		ConfigEntries: map[string]*string{"segment.bytes": &small, "index.interval.bytes": &tiny}}, false))
	c.led(topic, 2)
	h := &history{records: map[int32][]message{}, epochs: map[int32]int64{}}
	r := dial(t, n.address)
	h.id, h.epoch = r.producerID()
	h.write(t, r, topic)
	low, err := deleteRecords(c.admin(t), topic, 0, 105)
	require.NoError(t, err)
	h.oldest = low
	h.remember(t, n, topic)
	// First once more on the same maker's, so that the other one finds a leader epoch that has ended.
	for _, next := range []maker{makers[0], makers[1], makers[0], makers[1]} {
		n.p.stop()
		c.agreed()
		n.maker = next
		n.start()
		c.led(topic, 2)
		h.check(t, n, topic)
		require.False(t, n.p.logged("Recovering unflushed"), "the stop was clean: nothing to recover")
		h.remember(t, n, topic)
	}
	require.Len(t, h.epochs, 4, "each start was a leader epoch")
}

func deleteRecords(admin sarama.ClusterAdmin, topic string, partition int32, before int64) (int64, error) {
	return before, admin.DeleteRecords(topic, map[int32]int64{partition: before})
}

// write appends batches of every codec with the producer's sequence going on.
func (h *history) write(t *testing.T, r *raw, topic string) {
	t.Helper()
	for range 40 {
		values := make([]string, 5)
		for i := range values {
			values[i] = fmt.Sprintf("%d %s", h.sequence+int32(i), strings.Repeat("abcdefgh", int(h.sequence)%40))
		}
		codec := record.Codec(h.codec % 5)
		code, offset := r.produce(topic, 0, h.id, h.epoch, h.sequence, codec, values...)
		require.Equal(t, wire.Error(0), code)
		require.Equal(t, int64(h.sequence), offset, "one producer alone writes: sequence and offset are the same")
		h.last, h.sequence, h.codec = offset, h.sequence+5, h.codec+1
	}
}

// remember notes what the broker serves now.
func (h *history) remember(t *testing.T, n *node, topic string) {
	t.Helper()
	client := newClient(t, n.address)
	for p := range int32(2) {
		h.records[p] = readPartition(t, client, topic, p)
	}
	require.Len(t, h.records[0], int(int64(h.sequence)-h.oldest))
	h.epochs = map[int32]int64{}
	r := dial(t, n.address)
	for epoch := range int32(30) {
		code, known, end := r.epochEnd(topic, 0, epoch)
		require.Equal(t, wire.Error(0), code)
		if known == epoch && end != int64(h.sequence) { // an older one; the newest goes on growing
			h.epochs[epoch] = end
		}
	}
}

// check compares what this broker serves with what the one before served, then goes on writing where it ended.
func (h *history) check(t *testing.T, n *node, topic string) {
	t.Helper()
	client := newClient(t, n.address)
	oldest, err := client.GetOffset(topic, 0, sarama.OffsetOldest)
	require.NoError(t, err)
	require.Equal(t, h.oldest, oldest, "log start offset")
	for p := range int32(2) {
		require.Equal(t, h.records[p], readPartition(t, client, topic, p), "partition %d", p)
	}
	middle := h.records[0][len(h.records[0])/2]
	offset, err := client.GetOffset(topic, 0, middle.time)
	require.NoError(t, err)
	require.LessOrEqual(t, offset, middle.offset)
	require.Equal(t, middle.time, h.records[0][offset-h.oldest].time, "look-up by time")
	r := dial(t, n.address)
	for epoch, end := range h.epochs {
		code, known, got := r.epochEnd(topic, 0, epoch)
		require.Equal(t, []any{wire.Error(0), epoch, end}, []any{code, known, got}, "leader epoch %d", epoch)
	}
	last := h.sequence - 5
	code, offset := r.produce(topic, 0, h.id, h.epoch, last, record.CodecNone, "1", "2", "3", "4", "5")
	require.Equal(t, []any{wire.Error(0), h.last}, []any{code, offset}, "the last batch again is a duplicate")
	code, _ = r.produce(topic, 0, h.id, h.epoch, h.sequence+1, record.CodecNone, "gap")
	require.Equal(t, wire.OutOfOrderSequenceNumber, code)
	h.write(t, r, topic)
	end, err := client.GetOffset(topic, 0, sarama.OffsetNewest)
	require.NoError(t, err)
	require.Equal(t, int64(h.sequence), end)
}
