package zkutil

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// partitions makes n partitions of topics with 100 each.
func partitions(n int) []PartitionWrite {
	out := make([]PartitionWrite, n)
	for i := range out {
		out[i] = PartitionWrite{
			TopicPartition: znode.TopicPartition{Topic: fmt.Sprintf("topic-%d", i/100), Partition: int32(i % 100)},
			State:          znode.PartitionState{Leader: 1, ISR: []int32{1, 2, 3}, ControllerEpoch: 1},
		}
	}
	return out
}

// BenchmarkPartitions shows what a controller spends in ZooKeeper on 5,000 partitions.
func BenchmarkPartitions(b *testing.B) {
	const n = 5000
	b.Run("embedded", func(b *testing.B) {
		srv, err := zkserver.New(zkserver.Options{})
		require.NoError(b, err)
		defer func() { require.NoError(b, srv.Close()) }()
		cfg := config(srv)
		cfg.SessionTimeout = 30 * time.Second
		benchmarkPartitions(b, cfg, n)
	})
	b.Run("real", func(b *testing.B) {
		cfg := Config{Connect: fmt.Sprintf("%s/bench%d", realZooKeeper(b), time.Now().UnixNano()), SessionTimeout: 30 * time.Second}
		benchmarkPartitions(b, cfg, n)
	})
}

func benchmarkPartitions(b *testing.B, cfg Config, n int) {
	c, err := Connect(b.Context(), cfg)
	require.NoError(b, err)
	defer func() { require.NoError(b, c.Close()) }()
	ctx := b.Context()
	f := elected(b, c)
	writes := partitions(n)
	tps := make([]znode.TopicPartition, n)
	for i, w := range writes {
		tps[i] = w.TopicPartition
		if w.Partition == 0 {
			require.NoError(b, c.EnsurePath(ctx, znode.TopicPath(w.Topic)))
		}
	}
	var create, set, read time.Duration
	for b.Loop() {
		began := time.Now()
		res, err := f.CreatePartitionStates(ctx, writes)
		require.NoError(b, err)
		create += time.Since(began)
		began = time.Now()
		for i := range writes {
			require.NoError(b, res[i].Err)
			writes[i].Version = res[i].Version
		}
		res, err = f.SetPartitionStates(ctx, writes)
		require.NoError(b, err)
		require.NoError(b, res[0].Err)
		set += time.Since(began)
		began = time.Now()
		states, err := c.PartitionStates(ctx, tps)
		require.NoError(b, err)
		require.Len(b, states, n)
		read += time.Since(began)
		for i := range 50 {
			require.NoError(b, f.DeleteRecursive(ctx, znode.PartitionsPath(fmt.Sprintf("topic-%d", i))))
		}
	}
	for name, d := range map[string]time.Duration{"create": create, "set": set, "read": read} {
		b.ReportMetric(float64(d.Milliseconds())/float64(b.N), "ms-"+name)
	}
}
