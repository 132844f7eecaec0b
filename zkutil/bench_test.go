package zkutil

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

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
	state := znode.PartitionState{Leader: 1, ISR: []int32{1, 2, 3}, ControllerEpoch: 1}.Encode()
	paths := make([]string, n)
	for i := range paths {
		tp := znode.TopicPartition{Topic: fmt.Sprintf("topic-%d", i/100), Partition: int32(i % 100)}
		paths[i] = znode.PartitionStatePath(tp)
		require.NoError(b, c.EnsurePath(ctx, znode.PartitionPath(tp)))
	}
	write := func(op func(path string) Op) time.Duration {
		groups := make([]Group, n)
		for i, p := range paths {
			groups[i] = Group{op(p)}
		}
		began := time.Now()
		res, err := f.Do(ctx, groups...)
		require.NoError(b, err)
		for _, r := range res {
			require.NoError(b, r.Err)
		}
		return time.Since(began)
	}
	var create, set, read time.Duration
	for b.Loop() {
		create += write(func(p string) Op { return CreateOp(p, state, Persistent) })
		set += write(func(p string) Op { return SetOp(p, state, 0) })
		began := time.Now()
		_, err := c.GetMany(ctx, paths)
		require.NoError(b, err)
		read += time.Since(began)
		write(func(p string) Op { return DeleteOp(p, 1) })
	}
	for name, d := range map[string]time.Duration{"create": create, "set": set, "read": read} {
		b.ReportMetric(float64(d.Milliseconds())/float64(b.N), "ms-"+name)
	}
}
