package controller

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// bigWorld has five brokers and 5,000 partitions of replication factor 3, as a controller finds them at failover.
func bigWorld(b *testing.B) *world {
	w := newWorld(b)
	w.silent, w.keep = true, true
	for id := int32(1); id <= 5; id++ {
		w.register(w.member(id))
	}
	for t := range 100 {
		name := fmt.Sprintf("topic-%03d", t)
		var lists [][]int32
		for p := range 50 {
			var l []int32
			for r := range 3 {
				l = append(l, int32((t+p+r*(1+p%2))%5+1))
			}
			lists = append(lists, l)
		}
		w.topic(name, lists...)
		for p, l := range lists {
			w.tree.mustCreate(znode.PartitionStatePath(TopicPartition{Topic: name, Partition: int32(p)}),
				znode.PartitionState{Leader: l[0], ISR: l, ControllerEpoch: 1}.Encode(), nil)
		}
	}
	return w
}

// active makes an elected controller whose loop does not run: the benchmark calls its handlers.
func (w *world) active(b *testing.B) *Controller {
	m := w.member(1)
	c, err := New(Config{BrokerID: 1, Listener: "PLAINTEXT", Store: m.session, Transport: &memTransport{w, 1}, KeepDeadBrokers: true})
	require.NoError(b, err)
	c.cluster.epoch, c.cluster.epochVersion, err = m.session.Elect(context.Background(), 1)
	require.NoError(b, err)
	c.active.Store(true)
	return c
}

func (w *world) reset(b *testing.B, c *Controller) {
	c.shutdown()
	w.tree.remove(znode.ControllerPath)
}

// BenchmarkFailover5000 is everything a new controller does with 5,000 partitions, ZooKeeper being a map in memory: read,
// take the replicas of a dead broker out of the ISRs, elect, tell the others.
func BenchmarkFailover5000(b *testing.B) {
	w := bigWorld(b)
	for b.Loop() {
		b.StopTimer()
		c := w.active(b)
		b.StartTimer()
		require.NoError(b, c.failover(context.Background()))
		b.StopTimer()
		w.reset(b, c)
		b.StartTimer()
	}
}

// BenchmarkBrokerDeath5000 is the death of one of five brokers: it leads 1,000 of 5,000 partitions and follows 2,000.
func BenchmarkBrokerDeath5000(b *testing.B) {
	w := bigWorld(b)
	for b.Loop() {
		b.StopTimer()
		c := w.active(b)
		require.NoError(b, c.failover(context.Background()))
		writes := c.cfg.Store.(*session).writes
		b.StartTimer()
		require.NoError(b, c.brokersDied(context.Background(), []int32{3}, BrokerDied))
		b.StopTimer()
		b.ReportMetric(float64(c.cfg.Store.(*session).writes-writes), "writes/op")
		w.reset(b, c)
		w = bigWorld(b)
		b.StartTimer()
	}
}

// BenchmarkElect5000 is the decision alone: 1,000 elections and 2,000 ISR removals, no writing, no requests.
func BenchmarkElect5000(b *testing.B) {
	w := bigWorld(b)
	c := w.active(b)
	require.NoError(b, c.failover(context.Background()))
	delete(c.cluster.brokers, 3)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		c.cluster.allPartitions(func(p *partition) {
			if !c.cluster.online(p, p.lead.Leader) {
				if _, ok := Elect(StrategyOffline, c.cluster.candidates(p, false)); ok {
					n++
				}
			}
		})
		if n != 1000 {
			b.Fatal(n)
		}
	}
	w.reset(b, c)
}
