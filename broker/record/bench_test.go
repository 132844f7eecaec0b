package record_test

import (
	"fmt"
	"testing"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/stretchr/testify/require"
)

// batchOf returns a batch of records with values of valueSize bytes whose records take about size bytes before
// compression.
func batchOf(tb testing.TB, codec record.Codec, size, valueSize int) record.Batch {
	tb.Helper()
	b, err := record.Build(record.BuilderOptions{Codec: codec}, jsonRecords(max(1, size/(valueSize+16)), valueSize)...)
	require.NoError(tb, err)
	return b
}

func eachBenchmark(b *testing.B, f func(b *testing.B, batch record.Batch)) {
	for _, codec := range allCodecs {
		for _, size := range []int{16 << 10, 1 << 20} {
			for _, value := range []int{100, 1024} {
				b.Run(fmt.Sprintf("%v/%dKiB/value=%d", codec, size>>10, value), func(b *testing.B) {
					batch := batchOf(b, codec, size, value)
					b.SetBytes(int64(size))
					b.ReportAllocs()
					f(b, batch)
				})
			}
		}
	}
}

// Bytes are those before compression.
func BenchmarkValidate(b *testing.B) {
	pool := new(record.Codecs)
	eachBenchmark(b, func(b *testing.B, batch record.Batch) {
		for b.Loop() {
			if err := batch.Validate(); err != nil {
				b.Fatal(err)
			}
			if err := batch.CheckProduced(); err != nil {
				b.Fatal(err)
			}
			if _, err := record.ValidateRecords(batch, record.ValidateOptions{Codecs: pool}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCRC(b *testing.B) {
	batch := batchOf(b, record.CodecNone, 1<<20, 1024)
	b.SetBytes(int64(len(batch)))
	for b.Loop() {
		if err := batch.CheckCRC(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRecords(b *testing.B) {
	pool := new(record.Codecs)
	eachBenchmark(b, func(b *testing.B, batch record.Batch) {
		for b.Loop() {
			for _, err := range batch.Records(record.ReadOptions{Codecs: pool}) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// Rebuild with the batch's own codec: decompress, re-encode, compress.
func BenchmarkRebuild(b *testing.B) {
	pool := new(record.Codecs)
	eachBenchmark(b, func(b *testing.B, batch record.Batch) {
		var buffer []byte
		for b.Loop() {
			var err error
			if _, buffer, err = record.Rebuild(buffer[:0], batch, record.RebuildOptions{Codecs: pool, Codec: record.CodecProducer}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
