package commitlog

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/record"
)

// benchBatch returns a batch of about the given size with 1 KiB records.
func benchBatch(b *testing.B, size int) record.Batch {
	b.Helper()
	var records []record.Record
	for i := range max(size/1034, 1) {
		records = append(records, record.Record{Offset: int64(i), Timestamp: testTime.UnixMilli(), Key: []byte("key"), Value: make([]byte, min(size, 1024))})
	}
	batch, err := record.Build(record.BuilderOptions{PartitionLeaderEpoch: -1}, records...)
	require.NoError(b, err)
	return batch
}

func benchLog(b *testing.B) *Log {
	b.Helper()
	_, l := newTestLog(b, func(c *Config) {
		c.SegmentBytes, c.MaxMessageBytes, c.RetentionBytes, c.FileDeleteDelayMs = 256<<20, 2<<20, 256<<20, 0
	})
	return l
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{100, 16 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l := benchLog(b)
			batch := benchBatch(b, size)
			b.SetBytes(int64(len(batch)))
			b.ReportAllocs()
			written := 0
			for b.Loop() {
				batch.SetBaseOffset(0)
				_, err := l.AppendAsLeader(batch, AppendOptions{Now: testTime})
				require.NoError(b, err)
				if written += len(batch); written > 512<<20 { // don't fill the disk
					b.StopTimer()
					require.NoError(b, l.TruncateFullyAndStartAt(l.LogEndOffset()))
					l.host.(*Manager).RemoveDeleted(testTime.Add(time.Hour))
					written = 0
					b.StartTimer()
				}
			}
		})
	}
}

// BenchmarkAppendParallel shows what group commit gains: many connections with small batches for one partition.
func BenchmarkAppendParallel(b *testing.B) {
	for _, goroutines := range []int{1, 16, 128} {
		b.Run(fmt.Sprint(goroutines), func(b *testing.B) {
			l := benchLog(b)
			size := len(benchBatch(b, 200))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.SetParallelism(max(goroutines/runtime.GOMAXPROCS(0), 1))
			var failed atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				batch := benchBatch(b, 200)
				for pb.Next() {
					batch.SetBaseOffset(0)
					if _, err := l.AppendAsLeader(batch, AppendOptions{Now: testTime}); err != nil {
						failed.Add(1)
					}
				}
			})
			require.Zero(b, failed.Load())
		})
	}
}

func BenchmarkAppendIdempotent(b *testing.B) {
	l := benchLog(b)
	o := record.BuilderOptions{PartitionLeaderEpoch: -1, Producer: &record.ProducerState{ID: 1}}
	batch, err := record.Build(o, record.Record{Timestamp: testTime.UnixMilli(), Value: make([]byte, 200)})
	require.NoError(b, err)
	b.ReportAllocs()
	sequence := int32(0)
	for b.Loop() {
		batch.SetBaseOffset(0)
		batch.SetProducer(1, 0, sequence)
		sequence = record.IncrementSequence(sequence, 1)
		_, err := l.AppendAsLeader(batch, AppendOptions{Now: testTime})
		require.NoError(b, err)
	}
}

func BenchmarkRead(b *testing.B) {
	l := benchLog(b)
	for range 10_000 {
		batch := benchBatch(b, 4<<10)
		_, err := l.AppendAsLeader(batch, AppendOptions{Now: testTime})
		require.NoError(b, err)
	}
	end := l.LogEndOffset()
	l.SetHighWatermark(end)
	for name, offset := range map[string]func(i int64) int64{
		"tail":   func(int64) int64 { return end - 3 },
		"middle": func(i int64) int64 { return (i * 7919) % (end - 1000) },
		"end":    func(int64) int64 { return end },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := int64(0); b.Loop(); i++ {
				f, err := l.Read(offset(i), ReadOptions{MaxBytes: 1 << 20, UpTo: end, MinOneMessage: true})
				if err != nil {
					b.Fatal(err)
				}
				f.Span.Release()
			}
		})
	}
}

// BenchmarkOpen measures the start of a broker with 1,000 partitions that hold a little.
func BenchmarkOpen(b *testing.B) {
	for _, clean := range []bool{true, false} {
		b.Run(fmt.Sprintf("clean=%v", clean), func(b *testing.B) {
			dir := b.TempDir()
			c := testConfig()
			c.Dirs = []string{dir}
			const partitions = 1000
			m, err := OpenManager(c)
			require.NoError(b, err)
			started := time.Now()
			for i := range int32(partitions) {
				l, err := m.GetOrCreate(TopicPartition{"t", i}, TopicID{1}, true)
				require.NoError(b, err)
				for range 5 {
					_, err = l.AppendAsLeader(benchBatch(b, 2000), AppendOptions{Now: testTime})
					require.NoError(b, err)
				}
			}
			b.ReportMetric(float64(time.Since(started).Microseconds())/partitions, "µs/partition-made")
			closed := time.Duration(0)
			rounds := 0
			for b.Loop() {
				b.StopTimer()
				if clean {
					t := time.Now()
					require.NoError(b, m.Shutdown())
					closed += time.Since(t)
					rounds++
				} else {
					m.Abort()
				}
				b.StartTimer()
				m, err = OpenManager(c)
				require.NoError(b, err)
			}
			if clean {
				b.ReportMetric(float64(closed.Milliseconds())/float64(rounds), "ms/shutdown")
			}
			m.Abort()
		})
	}
}
