package groups

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

// BenchmarkRebalance measures the time from the first member's FindCoordinator to the moment when all members of a new group have their assignment in one generation. The members
// come side by side, each on its own connection, and heartbeat every three seconds as Java's do. Cold: the broker has just started, and __consumer_offsets isn't there.
func BenchmarkRebalance(b *testing.B) {
	for _, size := range []struct{ members, partitions int }{{50, 200}, {100, 1000}} {
		for _, cold := range []bool{false, true} {
			b.Run(fmt.Sprintf("members=%d/partitions=%d/cold=%v", size.members, size.partitions, cold), func(b *testing.B) {
				var c *cluster.Cluster
				if !cold {
					c = cluster.Start(b, cluster.Brokers(1), cluster.Discard())
					c.WaitCoordinator("g")
				}
				for i := range b.N {
					b.StopTimer()
					if cold {
						c = cluster.Start(b, cluster.Brokers(1), cluster.Discard())
					}
					members := make([]*member, size.members)
					for k := range members {
						members[k] = at(b, c, 1, fmt.Sprint("g", i))
						members[k].partitions, members[k].session, members[k].heartbeat = size.partitions, time.Minute, 3*time.Second
					}
					b.StartTimer()
					side(members, (*member).find)
					together(b, members...)
					b.ReportMetric(float64(members[0].gen), "generations")
				}
			})
		}
	}
}

// find asks for the coordinator, until there is one.
func (m *member) find() wire.Error {
	for {
		if code := ask[*wire.FindCoordinatorResponse](m.t, m.conn, &wire.FindCoordinatorRequest{Key: m.group}, 2).ErrorCode; code == wire.None {
			return wire.None
		}
	}
}

// BenchmarkCommit measures the processor time of an OffsetCommit of ten partitions: the whole process's, client included.
func BenchmarkCommit(b *testing.B) {
	const partitions = 10
	for _, load := range []struct{ groups, conns int }{{1, 1}, {100, 20}} {
		for _, storage := range []string{"kafka", "dual"} {
			b.Run(fmt.Sprintf("groups=%d/conns=%d/storage=%s", load.groups, load.conns, storage), func(b *testing.B) {
				c := cluster.Start(b, cluster.Brokers(1), cluster.Discard(), cluster.Set("offsets.storage", storage))
				makeTopic(b, c, "orders", partitions)
				conns := make([]*member, load.conns)
				for i := range conns {
					conns[i] = dial(b, c, fmt.Sprint("g", i))
				}
				for i := range load.groups {
					c.WaitCoordinator(fmt.Sprint("g", i))
				}
				var next atomic.Int64
				var working sync.WaitGroup
				b.ReportAllocs()
				b.ResetTimer()
				before := processorTime(b)
				for i, m := range conns {
					working.Go(func() {
						req := commitRequest("", -1, "", nil, 0)
						req.Topics[0].Partitions = make([]wire.OffsetCommitRequestPartition, partitions)
						for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
							req.GroupID = fmt.Sprint("g", (int(n)*load.conns+i)%load.groups)
							for k := range req.Topics[0].Partitions {
								req.Topics[0].Partitions[k] = wire.OffsetCommitRequestPartition{PartitionIndex: int32(k), CommittedOffset: n, CommittedLeaderEpoch: -1, CommitTimestamp: -1}
							}
							resp := ask[*wire.OffsetCommitResponse](b, m.conn, req, 8)
							if code := resp.Topics[0].Partitions[0].ErrorCode; code != wire.None {
								b.Errorf("commit: %v", code)
							}
						}
					})
				}
				working.Wait()
				b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
			})
		}
	}
}

// BenchmarkGroupMemory measures what a group keeps of the heap: one that has committed an offset and nothing else, and one with a member and its assignment besides. With -benchtime 10000x there are so many.
func BenchmarkGroupMemory(b *testing.B) {
	for _, joined := range []bool{false, true} {
		b.Run(fmt.Sprintf("member=%v", joined), func(b *testing.B) {
			// The znodes of dual would be in the same process.
			c := cluster.Start(b, cluster.Brokers(1), cluster.Discard(), cluster.Set("offsets.storage", "kafka"))
			makeTopic(b, c, "orders", 1)
			m := dial(b, c, "first")
			require.Equal(b, wire.None, m.commit(1))
			before := liveHeap()
			for i := range b.N {
				*m = member{t: b, conn: m.conn, group: fmt.Sprint("group-", i), gen: -1, session: time.Minute}
				if joined {
					require.Equal(b, wire.None, m.join())
					require.Equal(b, wire.None, m.sync())
				}
				require.Equal(b, wire.None, m.commit(1))
			}
			b.ReportMetric((liveHeap()-before)/float64(b.N), "heap-B/group")
		})
	}
}

// liveHeap is how many bytes are in use after a collection.
func liveHeap() float64 {
	runtime.GC()
	runtime.GC() // what pools held at the first is gone after the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
