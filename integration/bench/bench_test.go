//go:build linux

package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	inprocess "github.com/prekraft/prekraft/integration/cluster"
)

// The benchmarks here run a cluster inside the test's process, for profiles (-cpuprofile, -memprofile) and for what is allocated per request. Processor time is
// measured by the program, with the broker in a process of its own.

func startOne(b *testing.B) *client {
	b.Helper()
	cl := inprocess.Start(b, inprocess.Brokers(1), inprocess.Discard())
	c, err := dial(cl.Addr(1))
	require.NoError(b, err)
	b.Cleanup(c.close)
	return c
}

func BenchmarkCreatePartitions(b *testing.B) {
	c := startOne(b)
	b.ResetTimer()
	for range b.N {
		require.NoError(b, c.createTopics(topics(manyTopics, manyPartitions)))
		require.NoError(b, c.awaitLed(topics(manyTopics, manyPartitions)))
	}
}

func BenchmarkProduce(b *testing.B) {
	for _, s := range append(shapes(), shape{"one record", 1}) {
		b.Run(s.name, func(b *testing.B) {
			c := startOne(b)
			require.NoError(b, c.topic("load", loadPartitions))
			frames, err := produceFrames("load", loadPartitions, s.records)
			require.NoError(b, err)
			b.SetBytes(int64(len(frames[0])))
			b.ReportAllocs()
			b.ResetTimer()
			_, err = c.replay(frames, int64(b.N)*int64(len(frames[0])), func() error { _, err := c.receive(); return err })
			require.NoError(b, err)
		})
	}
}

func BenchmarkFetch(b *testing.B) {
	for _, s := range append(shapes(), shape{"one record", 1}) {
		b.Run(s.name, func(b *testing.B) {
			c := startOne(b)
			require.NoError(b, c.topic("load", loadPartitions))
			frames, err := produceFrames("load", loadPartitions, s.records)
			require.NoError(b, err)
			_, err = c.replay(frames, 8<<20, func() error { _, err := c.produced(); return err })
			require.NoError(b, err)
			r := newReader(c, "load")
			r.request.Topics[0].Partitions[0].PartitionMaxBytes = 1
			request, err := encodeFetch(r)
			require.NoError(b, err)
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				require.NoError(b, c.send(request))
				answer, err := c.receive()
				require.NoError(b, err)
				b.SetBytes(int64(len(answer)))
			}
		})
	}
}

// BenchmarkCommit is an OffsetCommit of ten partitions, over one connection.
func BenchmarkCommit(b *testing.B) {
	c := startOne(b)
	require.NoError(b, c.topic("orders", commitPartitions))
	group := newCommitter(c, 0)
	group.groups = []string{"group"}
	require.NoError(b, group.await())
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, group.commit("group"))
	}
}

// BenchmarkReplicatedProduce has three brokers in the process: what a batch costs all of them and the client together.
func BenchmarkReplicatedProduce(b *testing.B) {
	for _, s := range append(shapes(), shape{"one record", 1}) {
		b.Run(s.name, func(b *testing.B) {
			cl := inprocess.Start(b, inprocess.Brokers(replicaBrokers), inprocess.Discard(), inprocess.Set("min.insync.replicas", "2"))
			c, err := dial(cl.Addr(1))
			require.NoError(b, err)
			b.Cleanup(c.close)
			controller, _ := cl.Controller()
			admin, err := dial(cl.Addr(controller))
			require.NoError(b, err)
			b.Cleanup(admin.close)
			require.NoError(b, admin.createTopics([]wire.CreateTopicsRequestTopic{assigned(loadPartitions, replicaBrokers)}))
			cl.WaitTopic("load", loadPartitions)
			frames, err := ackedFrames("load", loadPartitions, s.records, -1)
			require.NoError(b, err)
			done := func() error { _, err := c.produced(); return err }
			b.SetBytes(int64(len(frames[0])))
			b.ReportAllocs()
			b.ResetTimer()
			_, err = c.replay(frames, int64(b.N)*int64(len(frames[0])), done)
			require.NoError(b, err)
		})
	}
}

// BenchmarkClusterStart is the time until three brokers serve and agree on the metadata. The clusters are torn down after the measurement.
func BenchmarkClusterStart(b *testing.B) {
	for range b.N {
		inprocess.Start(b, inprocess.Brokers(3), inprocess.Discard())
	}
}
