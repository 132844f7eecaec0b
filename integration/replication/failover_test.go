package replication_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

const failoverTopic = "many"

// produceBatch is how many partitions one request of acked writes to.
const produceBatch = 100

// acked writes a record with acks=all to every partition of failoverTopic through the given brokers until each partition has acknowledged one, and returns how long the
// slowest of them took. It asks every broker for every partition: whoever doesn't lead it says so, and is asked again a moment later.
func acked(t testing.TB, conns []*network.Client, partitions int) time.Duration {
	t.Helper()
	var b record.Builder
	require.NoError(t, b.Start(nil, record.BuilderOptions{PartitionLeaderEpoch: record.NoLeaderEpoch}))
	require.NoError(t, b.Append(time.Now().UnixMilli(), nil, []byte("x")))
	records, _, err := b.Finish()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answers := make(chan int32, 2*partitions)
	var asking sync.WaitGroup
	began := time.Now()
	for first := 0; first < partitions; first += produceBatch {
		pending := make([]int32, 0, produceBatch)
		for p := first; p < min(first+produceBatch, partitions); p++ {
			pending = append(pending, int32(p))
		}
		for _, conn := range conns {
			asking.Go(func() { produceAll(ctx, conn, slices.Clone(pending), records, answers) })
		}
	}
	var slowest time.Duration
	for done := map[int32]bool{}; len(done) < partitions; slowest = time.Since(began) {
		select {
		case p := <-answers:
			done[p] = true
		case <-ctx.Done():
			t.Fatalf("%d of %d partitions acknowledged", len(done), partitions)
		}
	}
	cancel()
	asking.Wait()
	return slowest
}

// produceAll writes to partitions and tells which acknowledged, until all have or ctx ends.
func produceAll(ctx context.Context, conn *network.Client, pending []int32, records []byte, acked chan<- int32) {
	for len(pending) > 0 {
		req := &wire.ProduceRequest{Acks: -1, TimeoutMs: 60_000, TopicData: []wire.ProduceRequestTopic{{Name: failoverTopic}}}
		for _, p := range pending {
			req.TopicData[0].PartitionData = append(req.TopicData[0].PartitionData, wire.ProduceRequestPartition{Index: p, Records: records})
		}
		resp, err := conn.Do(ctx, req, 9)
		if err != nil {
			return // ctx ended, or acked tells what is missing
		}
		pending = pending[:0]
		for _, p := range resp.(*wire.ProduceResponse).Responses[0].PartitionResponses {
			if p.ErrorCode == wire.None {
				acked <- p.Index
			} else {
				pending = append(pending, p.Index)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// failover kills a broker of a cluster of three and returns how long it took until every partition acknowledged a write.
func failover(t testing.TB, partitions int, controller bool, opts ...cluster.Option) time.Duration {
	t.Helper()
	c := cluster.Start(t, append([]cluster.Option{cluster.Set("min.insync.replicas", "2"), cluster.Discard()}, opts...)...)
	makeMany(t, c, partitions)
	old, _ := c.Controller()
	victim := old
	if !controller {
		victim = old%3 + 1
	}
	var conns []*network.Client
	for _, id := range c.IDs() {
		if id != victim {
			conns = append(conns, c.Dial(t, id))
		}
	}
	var killing sync.WaitGroup
	defer killing.Wait()
	killing.Go(func() { c.Kill(victim) }) // which returns when the last background task of the broker has ended: long after it is gone for the others
	return acked(t, conns, partitions)
}

func makeMany(t testing.TB, c *cluster.Cluster, partitions int) {
	t.Helper()
	old, _ := c.Controller()
	resp, err := c.Dial(t, old).Do(t.Context(), &wire.CreateTopicsRequest{
		Topics: []wire.CreateTopicsRequestTopic{{Name: failoverTopic, NumPartitions: int32(partitions), ReplicationFactor: 3}}, TimeoutMs: 60_000,
	}, 4)
	require.NoError(t, err)
	require.Equal(t, wire.None, resp.(*wire.CreateTopicsResponse).Topics[0].ErrorCode)
	c.WaitTopic(failoverTopic, partitions)
	waitISR(c, failoverTopic, 1, 2, 3)
}

// After a broker dies, controller or not, every partition takes acks=all again, those it led and those it followed, long before its session ends.
func TestWritesGoOnAfterADeath(t *testing.T) {
	t.Parallel()
	for name, controller := range map[string]bool{"controller": true, "other": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const session = 10 * time.Minute
			took := failover(t, 60, controller, cluster.SessionTimeout(session))
			t.Logf("60 partitions took acks=all %v after the kill", took.Round(time.Millisecond))
			require.Less(t, took, session/2)
		})
	}
}

// BenchmarkFailover is the time from the kill of a broker with 1,000 partitions until every partition took a write with acks=all. All brokers and the
// clients are one process here.
func BenchmarkFailover(b *testing.B) {
	for name, controller := range map[string]bool{"controller": true, "other": false} {
		for _, partitions := range []int{100, 1000} {
			b.Run(fmt.Sprintf("%s/%d", name, partitions), func(b *testing.B) {
				var total time.Duration
				for range b.N {
					took := failover(b, partitions, controller)
					b.Logf("%v", took.Round(time.Millisecond))
					total += took
				}
				b.ReportMetric(float64(total.Milliseconds())/float64(b.N), "ms/failover")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
