package replication_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/integration/cluster"
)

// waitReplicas returns when every broker knows a partition with these replicas, all in sync, and led by the first of them if it is asked to be.
func waitReplicas(c *cluster.Cluster, topic string, partition int32, want []int32) {
	c.WaitMetadata(fmt.Sprintf("the replicas %v of %s-%d", want, topic, partition), func(cache *metadata.Cache) error {
		t := cache.Topic(topic)
		if t == nil {
			return errors.New("no topic")
		}
		p := t.Partition(partition)
		isr, sorted := slices.Sorted(slices.Values(p.ISR)), slices.Sorted(slices.Values(want))
		if !slices.Equal(p.Replicas, want) || !slices.Equal(isr, sorted) || !slices.Contains(want, p.Leader) {
			return fmt.Errorf("replicas %v, ISR %v, leader %d", p.Replicas, p.ISR, p.Leader)
		}
		return nil
	})
}

// Partitions move between brokers again and again while idempotent producers write with acks=all, and the controller dies in the middle of it: nothing acked is lost, the
// replicas are the same bytes, and nothing is left on the brokers that lost a replica.
func TestReassignmentUnderLoad(t *testing.T) {
	t.Parallel()
	const topic, partitions = "orders", 3
	c := cluster.Start(t, cluster.Brokers(4), cluster.Set("min.insync.replicas", "2"))
	createTopic(t, c, topic, partitions, nil)
	histories := make([]*history, partitions)
	stop := make(chan struct{})
	var producers sync.WaitGroup
	for partition := range int32(partitions) {
		h := &history{}
		histories[partition] = h
		producers.Go(func() { produce(t, c, topic, partition, h, stop) })
	}
	reassign := func(round int) [][]int32 {
		t.Helper()
		want := make([][]int32, partitions)
		for p := range want {
			for i := range 3 {
				want[p] = append(want[p], int32((p+round+i)%4+1))
			}
		}
		c.Wait("the reassignment to begin", func() error { return c.Admin(t).AlterPartitionReassignments(topic, want) })
		return want
	}
	settled := func(want [][]int32) {
		t.Helper()
		for p, replicas := range want {
			waitReplicas(c, topic, int32(p), replicas)
		}
	}
	for round := range 4 {
		settled(reassign(round))
	}
	want := reassign(5)
	old, _ := c.Controller()
	c.Kill(old)
	c.WaitController(old)
	c.Start(old)
	settled(want)
	close(stop)
	producers.Wait()

	c.Wait("the deleted replicas to be gone", func() error {
		for p, replicas := range want {
			for id := int32(1); id <= 4; id++ {
				_, err := os.Stat(c.Dir(id) + "/" + topic + "-" + strconv.Itoa(p))
				if err == nil && id != old && !slices.Contains(replicas, id) { // what was dead keeps what it had, as with Kafka
					return fmt.Errorf("broker %d has partition %d still", id, p)
				}
			}
		}
		return nil
	})
	for partition, h := range histories {
		checkHistory(t, h, values(t, c, topic, int32(partition)))
		require.Positive(t, h.count())
	}
}

// Cancelled, a reassignment leaves no trace; asked for brokers that aren't there, it isn't begun.
func TestReassignmentIsCancelled(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(4))
	createTopic(t, c, "orders", 1, nil)
	before := slices.Clone(c.Broker(1).Metadata().Topic("orders").Partition(0).Replicas)
	admin := c.Admin(t)
	require.Error(t, admin.AlterPartitionReassignments("orders", [][]int32{{1, 2, 9}}))
	require.Error(t, admin.AlterPartitionReassignments("orders", [][]int32{nil}), "there is none to cancel")
	spare := int32(10) - before[0] - before[1] - before[2]
	c.Kill(before[2]) // so that it can't come to an end
	c.WaitController()
	c.Wait("the dead broker to be out of the ISR", func() error {
		if isr := c.Broker(spare).Metadata().Topic("orders").Partition(0).ISR; slices.Contains(isr, before[2]) {
			return fmt.Errorf("it is %v", isr)
		}
		return nil
	})
	admin = c.Admin(t)
	require.NoError(t, admin.AlterPartitionReassignments("orders", [][]int32{{spare, before[2], before[0]}}))
	listed, err := admin.ListPartitionReassignments("orders", []int32{0})
	require.NoError(t, err)
	status := listed["orders"][0]
	require.Equal(t, []int32{spare, before[2], before[0], before[1]}, status.Replicas)
	require.Equal(t, []int32{spare}, status.AddingReplicas)
	require.Equal(t, []int32{before[1]}, status.RemovingReplicas)
	require.NoError(t, admin.AlterPartitionReassignments("orders", [][]int32{nil}))
	c.Start(before[2])
	waitReplicas(c, "orders", 0, []int32{before[2], before[0], before[1]}) // KIP-455 keeps the order of the targets, not the one before
	listed, err = admin.ListPartitionReassignments("orders", []int32{0})
	require.NoError(t, err)
	require.Empty(t, listed)
}
