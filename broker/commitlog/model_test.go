package commitlog

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/prekraft/prekraft/broker/record"
)

// model is a log as one would write it on a napkin.
type model struct {
	batches      []record.Batch // all that were appended and not truncated, also below the start
	start, end   int64
	hw           int64
	deletedBelow int64 // segments below may be gone
}

func (m *model) truncate(offset int64) {
	n := 0
	for n < len(m.batches) && m.batches[n].LastOffset() < offset {
		n++
	}
	m.batches = m.batches[:n]
	m.end, m.start, m.hw = offset, min(m.start, offset), min(m.hw, offset)
}

// producers is the state after all batches that are left.
func (m *model) producers() []ActiveProducer {
	var s producerState
	s.init()
	for _, b := range m.batches {
		if b.HasProducerID() {
			s.apply(b)
		}
	}
	return s.active()
}

// Any sequence of operations, with clean and unclean restarts between them, leaves the log as the model says.
func TestRandomOperations(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := testConfig()
		c.OpenFiles = rapid.IntRange(1, 4).Draw(rt, "open files")
		c.Defaults.SegmentBytes = rapid.IntRange(400, 3000).Draw(rt, "segment.bytes")
		c.Defaults.IndexIntervalBytes = rapid.IntRange(0, 500).Draw(rt, "index.interval.bytes")
		c.Defaults.RetentionBytes, c.Defaults.RetentionMs = 3000, -1
		c.Defaults.FileDeleteDelayMs = 0
		c.Dirs = []string{t.TempDir()}
		manager, err := OpenManager(c)
		require.NoError(rt, err)
		defer func() { manager.Abort() }()
		log, err := manager.GetOrCreate(testPartition, TopicID{1}, true)
		require.NoError(rt, err)
		m := &model{}
		sequence := map[int64]int32{}
		reopen := func(rt *rapid.T, clean bool) {
			if clean {
				require.NoError(rt, manager.Shutdown())
			} else {
				manager.Abort()
			}
			manager, err = OpenManager(c)
			require.NoError(rt, err)
			require.Empty(rt, manager.OfflineDirs())
			log, _ = manager.Log(testPartition)
			require.NotNil(rt, log)
			m.hw = log.HighWatermark()
			require.LessOrEqual(rt, m.hw, m.end)
			// A recovery reads segments whole: a producer that was forgotten, because all it had written is below the log start, may be known again. Its client has counted on.
			for _, p := range log.ActiveProducers() {
				if _, known := sequence[p.ProducerID]; !known {
					sequence[p.ProducerID] = p.LastSequence + 1
				}
			}
			if !clean {
				m.start = max(log.LogStartOffset(), m.deletedBelow) // only DeleteRecords must survive
				if log.LogStartOffset() < m.deletedBelow {
					rt.Fatalf("log start %d after DeleteRecords(%d)", log.LogStartOffset(), m.deletedBelow)
				}
			}
			// Kafka's epoch and end offset may differ after truncation into a batch: the end falls back to the batches.
			last := int64(0)
			if n := len(m.batches); n > 0 {
				last = m.batches[n-1].NextOffset()
			}
			m.end = max(last, log.ActiveSegmentBase()) // a roll after such a truncation keeps it
			m.start = log.LogStartOffset()
			m.hw = min(m.hw, m.end)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				n := rapid.IntRange(1, 5).Draw(rt, "records")
				change := func(*record.BuilderOptions) {}
				id := rapid.Int64Range(0, 2).Draw(rt, "producer")
				if id > 0 {
					next, known := sequence[id]
					if !known {
						next = 0
					}
					change = idempotent(id, 0, next)
				}
				b := produced(t, n, change)
				info, err := log.AppendAsLeader(b, AppendOptions{LeaderEpoch: 1, Now: testTime})
				require.NoError(rt, err)
				require.Equal(rt, m.end, info.FirstOffset)
				m.batches, m.end = append(m.batches, b), info.LastOffset+1
				if id > 0 {
					sequence[id] = b.LastSequence() + 1
				}
			},
			"raise high watermark": func(rt *rapid.T) {
				m.hw = max(m.hw, rapid.Int64Range(0, m.end).Draw(rt, "high watermark"))
				m.hw = max(m.hw, m.start)
				require.Equal(rt, m.hw, log.SetHighWatermark(m.hw))
			},
			"truncate": func(rt *rapid.T) {
				offset := rapid.Int64Range(m.start, m.end).Draw(rt, "to")
				_, err := log.TruncateTo(offset)
				require.NoError(rt, err)
				if offset < m.end {
					m.truncate(offset)
				}
				sequence = map[int64]int32{}
				for _, p := range log.ActiveProducers() {
					sequence[p.ProducerID] = p.LastSequence + 1
				}
			},
			"start over": func(rt *rapid.T) {
				offset := rapid.Int64Range(m.end, m.end+10).Draw(rt, "at")
				require.NoError(rt, log.TruncateFullyAndStartAt(offset))
				*m = model{start: offset, end: offset, hw: offset}
				sequence = map[int64]int32{}
			},
			"delete records": func(rt *rapid.T) {
				offset := rapid.Int64Range(m.start, max(m.hw, m.start)).Draw(rt, "below")
				require.NoError(rt, log.DeleteRecords(offset))
				m.start, m.deletedBelow = max(m.start, offset), max(m.deletedBelow, offset)
			},
			"retention": func(rt *rapid.T) {
				_, err := log.DeleteOldSegments(testTime)
				require.NoError(rt, err)
				require.GreaterOrEqual(rt, log.LogStartOffset(), m.start)
				require.LessOrEqual(rt, log.LogStartOffset(), m.hw)
				m.start = log.LogStartOffset()
				manager.RemoveDeleted(testTime)
			},
			"roll":         func(rt *rapid.T) { require.NoError(rt, log.Roll()) },
			"flush":        func(rt *rapid.T) { require.NoError(rt, log.Flush()) },
			"flush rolled": func(*rapid.T) { manager.FlushRolled() },
			"close idle files": func(*rapid.T) {
				manager.shared.files.sweep()
				manager.shared.files.sweep()
			},
			"checkpoint": func(rt *rapid.T) {
				require.NoError(rt, manager.CheckpointRecoveryPoints())
				require.NoError(rt, manager.CheckpointHighWatermarks())
				require.NoError(rt, manager.CheckpointLogStart())
				manager.WriteMetadata()
			},
			"clean restart": func(rt *rapid.T) { reopen(rt, true) },
			"kill":          func(rt *rapid.T) { reopen(rt, false) },
			"":              func(rt *rapid.T) { m.check(rt, log) },
		})
	})
}

// check compares what can be read from the log with the model.
func (m *model) check(rt *rapid.T, l *Log) {
	require.Equal(rt, m.end, l.LogEndOffset())
	require.Equal(rt, m.start, l.LogStartOffset())
	require.Equal(rt, m.hw, l.HighWatermark())
	require.LessOrEqual(rt, l.RecoveryPoint(), m.end)
	for _, offset := range []int64{m.start - 1, m.end + 1} {
		_, err := l.Read(offset, ReadOptions{MaxBytes: 1, UpTo: m.end})
		require.ErrorIs(rt, err, ErrOffsetOutOfRange)
	}
	left := m.batches
	for len(left) > 0 && left[0].LastOffset() < m.start {
		left = left[1:]
	}
	offset := m.start
	upTo := rapid.SampledFrom([]int64{m.end, m.hw}).Draw(rt, "up to")
	for offset < upTo {
		most := rapid.IntRange(0, 2000).Draw(rt, "max bytes")
		f, err := l.Read(offset, ReadOptions{MaxBytes: most, UpTo: upTo, MinOneMessage: true})
		require.NoError(rt, err)
		b, err := f.Span.AppendTo(nil)
		f.Span.Release()
		require.NoError(rt, err)
		if len(b) == 0 {
			break
		}
		require.NotEmpty(rt, left)
		require.LessOrEqual(rt, len(b), max(most, len(left[0])))
		for n := 0; len(b) > 0; n++ {
			batch, rest, err := record.ReadBatch(b)
			if err != nil {
				require.ErrorIs(rt, err, record.ErrIncomplete)
				require.Positive(rt, n, "the first batch is whole")
				break
			}
			require.NotEmpty(rt, left)
			require.Equal(rt, left[0], batch)
			require.Less(rt, batch.BaseOffset(), upTo)
			left, offset, b = left[1:], batch.NextOffset(), rest
		}
	}
	if len(left) > 0 {
		require.GreaterOrEqual(rt, left[0].LastOffset(), upTo)
	}
	if m.start == 0 {
		require.Equal(rt, m.producers(), l.ActiveProducers())
	}
}
