package offsets

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
)

// BenchmarkLoad reads a partition with commits of ten partitions each, of 1,000 groups.
func BenchmarkLoad(b *testing.B) {
	const batches, perBatch = 20_000, 10
	log := newMemLog()
	for i := range batches {
		var records []record.Record
		for j := range perBatch {
			c := Committed{Offset: int64(i), CommitTimestampMs: int64(i), ExpireTimestampMs: NoTimestamp}
			records = append(records, record.Record{Key: AppendOffsetKey(nil, fmt.Sprintf("group-%d", i%1000), TopicPartition{Topic: "topic", Partition: int32(j)}), Value: AppendOffsetValue(nil, c)})
		}
		batch, err := record.Build(record.BuilderOptions{}, records...)
		if err != nil {
			b.Fatal(err)
		}
		log.Append(0, batch, 1, 0, func(int64, wire.Error) {})
	}
	s := New(Config{Log: log, Znodes: newMemZnodes(), Settings: func() Settings { return Settings{LoadBuffer: 5 << 20} }})
	defer s.Close()
	b.ReportAllocs()
	for b.Loop() {
		p := &partition{store: s}
		p.mu.groups = map[string]*group{}
		if _, report := s.load(context.Background(), p); report.Records != batches*perBatch || report.Err != nil {
			b.Fatal(report)
		}
	}
	b.ReportMetric(float64(b.N)*batches*perBatch/b.Elapsed().Seconds(), "records/s")
}

// nullLog takes everything and keeps nothing.
type nullLog struct{ next int64 }

func (l *nullLog) Append(_ int32, batch []byte, _ int16, _ time.Duration, done func(int64, wire.Error)) {
	l.next += int64(record.Batch(batch).RecordsCount())
	done(l.next, wire.None)
}
func (l *nullLog) Bounds(int32) (int64, int64, error)             { return 0, 0, nil }
func (l *nullLog) Read(int32, int64, int, []byte) ([]byte, error) { return nil, nil }

// BenchmarkCommit commits ten partitions at a time: what the store itself costs.
func BenchmarkCommit(b *testing.B) {
	for _, storage := range []Storage{Kafka, Dual} {
		b.Run(storage.String(), func(b *testing.B) {
			znodes := newMemZnodes()
			znodes.leader(0, 1, 1)
			settings := Settings{Storage: storage, MaxMetadata: 4096, Acks: -1, Timeout: time.Second}
			s := New(Config{BrokerID: 1, Log: &nullLog{}, Znodes: znodes, Settings: func() Settings { return settings }})
			defer s.Close()
			s.Start(&memGroups{loaded: map[int32][]LoadedGroup{}})
			s.Elected(0, 1)
			for s.Check(0) != wire.None {
				time.Sleep(time.Millisecond) //nolint:forbidigo // a benchmark's preparation
			}
			b.ReportAllocs()
			n := int64(0)
			for b.Loop() {
				n++
				items := make([]Item, 10)
				for i := range items {
					items[i] = Item{TopicPartition: TopicPartition{Topic: "topic", Partition: int32(i)}, Committed: Committed{Offset: n, ExpireTimestampMs: NoTimestamp}}
				}
				s.Commit(0, "group", items, func([]Item) {})
				s.Flush(0)
			}
		})
	}
}
