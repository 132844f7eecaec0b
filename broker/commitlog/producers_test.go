package commitlog

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/record"
)

// step is one append of a producer and how it ends.
type step struct {
	epoch    int16
	sequence int32
	records  int
	txn      bool
	marker   string // "commit" or "abort" instead of records
	coord    int32  // coordinator epoch of the marker
	origin   Origin
	want     error
	same     bool // a duplicate
}

// Storage.md §8 and transactions.md §10.1, case by case. All steps of a case are of one producer.
func TestProducerRules(t *testing.T) {
	for name, steps := range map[string][]step{
		"sequences follow": {{sequence: 0, records: 3}, {sequence: 3, records: 2}, {sequence: 5, records: 1}},
		"gap":              {{sequence: 0, records: 3}, {sequence: 4, records: 1, want: ErrOutOfOrderSequence}},
		"older than the known ones": {
			{sequence: 0, records: 1}, {sequence: 1, records: 1}, {sequence: 2, records: 1}, {sequence: 3, records: 1}, {sequence: 4, records: 1}, {sequence: 5, records: 1},
			{sequence: 1, records: 1, same: true}, {sequence: 0, records: 1, want: ErrOutOfOrderSequence},
		},
		"same first but not same last sequence": {{sequence: 0, records: 2}, {sequence: 0, records: 3, want: ErrOutOfOrderSequence}},
		"unknown producer with any sequence":    {{sequence: 77, records: 1}, {sequence: 78, records: 1}},
		"wraps":                                 {{sequence: math.MaxInt32 - 1, records: 2}, {sequence: 0, records: 1}, {sequence: math.MaxInt32 - 1, records: 2, same: true}},
		"wraps inside a batch":                  {{sequence: math.MaxInt32 - 1, records: 4}, {sequence: 2, records: 1}, {sequence: math.MaxInt32 - 1, records: 4, same: true}},
		"new epoch begins at 0":                 {{sequence: 5, records: 1}, {epoch: 1, sequence: 6, records: 1, want: ErrOutOfOrderSequence}, {epoch: 1, records: 1}},
		"old epoch":                             {{epoch: 2, records: 1}, {epoch: 1, records: 1, want: ErrInvalidProducerEpoch}},
		"old epoch, coordinator":                {{epoch: 2, records: 1}, {epoch: 1, records: 1, origin: OriginCoordinator, want: ErrInvalidProducerEpoch}},
		"coordinator needs no sequence":         {{sequence: 0, records: 1, origin: OriginCoordinator}, {sequence: 9, records: 1, origin: OriginCoordinator}},
		"plain write in a transaction":          {{records: 1, txn: true}, {sequence: 1, records: 1, want: ErrInvalidTxnState}},
		"plain write after it":                  {{records: 1, txn: true}, {marker: "commit"}, {sequence: 1, records: 1}},
		"marker of an old epoch":                {{epoch: 3, records: 1, txn: true}, {epoch: 2, marker: "abort", want: ErrInvalidProducerEpoch}},
		"marker of a fenced coordinator":        {{records: 1, txn: true}, {marker: "abort", coord: 4}, {marker: "commit", coord: 3, want: ErrTransactionCoordinatorFenced}, {marker: "commit", coord: 4}},
		"marker with a new epoch":               {{records: 2, txn: true}, {epoch: 1, marker: "abort"}, {epoch: 1, sequence: 2, records: 1, want: ErrOutOfOrderSequence}, {epoch: 1, records: 1}},
		"first thing is a marker":               {{epoch: 1, marker: "abort"}, {epoch: 1, sequence: 3, records: 1, want: ErrOutOfOrderSequence}, {epoch: 1, records: 1}},
		"duplicate in a transaction":            {{records: 2, txn: true}, {records: 2, txn: true, same: true}},
	} {
		t.Run(name, func(t *testing.T) {
			_, l := newTestLog(t, nil)
			first := map[int32]int64{}
			for i, s := range steps {
				origin := s.origin
				var b record.Batch
				if s.marker != "" {
					b, origin = marker(t, 42, s.epoch, s.marker == "commit", s.coord), OriginCoordinator
				} else {
					b = produced(t, s.records, func(o *record.BuilderOptions) {
						idempotent(42, s.epoch, s.sequence)(o)
						o.Transactional = s.txn
					})
				}
				before := l.LogEndOffset()
				info, err := l.AppendAsLeader(b, AppendOptions{LeaderEpoch: 1, Origin: origin, Now: testTime})
				if s.want != nil {
					require.ErrorIs(t, err, s.want, "step %d", i)
					require.Equal(t, int64(-1), info.FirstOffset)
					require.Equal(t, before, l.LogEndOffset(), "nothing is appended")
					continue
				}
				require.NoError(t, err, "step %d", i)
				require.Equal(t, s.same, info.Duplicate, "step %d", i)
				if s.same {
					require.Equal(t, first[s.sequence], info.FirstOffset, "step %d", i)
					require.Equal(t, b.MaxTimestamp(), info.LogAppendTime)
					require.Equal(t, before, l.LogEndOffset(), "nothing is appended")
				} else if s.marker == "" {
					first[s.sequence] = info.FirstOffset
				}
			}
		})
	}
}

func marker(t testing.TB, id int64, epoch int16, commit bool, coordinatorEpoch int32) record.Batch {
	t.Helper()
	kind := record.ControlAbort
	if commit {
		kind = record.ControlCommit
	}
	b, err := record.EndTxnMarker{Type: kind, CoordinatorEpoch: coordinatorEpoch}.Build(record.EndTxnMarkerOptions{
		ProducerID: id, ProducerEpoch: epoch, TimestampMs: testTime.UnixMilli(), PartitionLeaderEpoch: -1,
	})
	require.NoError(t, err)
	return b
}

func transactional(id int64, sequence int32) func(*record.BuilderOptions) {
	return func(o *record.BuilderOptions) {
		idempotent(id, 0, sequence)(o)
		o.Transactional = true
	}
}

func endTxn(t testing.TB, l *Log, id int64, commit bool) AppendInfo {
	t.Helper()
	info, err := l.AppendAsLeader(marker(t, id, 0, commit, 0), AppendOptions{Origin: OriginCoordinator, Now: testTime})
	require.NoError(t, err)
	return info
}

// The last stable offset waits for the oldest transaction to be decided, and for its marker to be replicated.
func TestLastStableOffset(t *testing.T) {
	_, l := newTestLog(t, nil)
	mustAppend(t, l, produced(t, 2, nil))                 // 0, 1
	mustAppend(t, l, produced(t, 2, transactional(1, 0))) // 2, 3
	mustAppend(t, l, produced(t, 1, transactional(2, 0))) // 4
	l.SetHighWatermark(1)
	require.Equal(t, int64(1), l.LastStableOffset())
	l.SetHighWatermark(5)
	require.Equal(t, int64(2), l.LastStableOffset())
	endTxn(t, l, 2, true) // 5
	l.SetHighWatermark(6)
	require.Equal(t, int64(2), l.LastStableOffset(), "the younger one is decided, the older isn't")
	endTxn(t, l, 1, false) // 6
	require.Equal(t, int64(2), l.LastStableOffset(), "the marker isn't replicated")
	l.SetHighWatermark(7)
	require.Equal(t, int64(7), l.LastStableOffset())
	require.NoError(t, l.DeleteRecords(7))
	mustAppend(t, l, produced(t, 1, transactional(1, 2)))
	require.Equal(t, int64(7), l.LastStableOffset())
}

// A reader with read_committed is told of every aborted transaction in what it reads, also of those whose marker is in a later segment.
func TestAbortedTransactions(t *testing.T) {
	_, l := newTestLog(t, func(c *Config) { c.IndexIntervalBytes = 0 })
	mustAppend(t, l, produced(t, 2, transactional(1, 0))) // 0, 1
	mustAppend(t, l, produced(t, 2, transactional(2, 0))) // 2, 3
	require.NoError(t, l.Roll())
	endTxn(t, l, 1, false)                                // 4
	endTxn(t, l, 2, true)                                 // 5
	mustAppend(t, l, produced(t, 1, transactional(1, 2))) // 6
	endTxn(t, l, 1, false)                                // 7
	require.NoError(t, l.Roll())
	mustAppend(t, l, produced(t, 1, nil)) // 8
	l.SetHighWatermark(9)
	read := func(offset int64) []AbortedTxn {
		f, err := l.Read(offset, ReadOptions{MaxBytes: 1 << 20, UpTo: l.LastStableOffset(), AbortedTxns: true})
		require.NoError(t, err)
		f.Span.Release()
		require.NotNil(t, f.AbortedTxns)
		return f.AbortedTxns
	}
	one, two := AbortedTxn{1, 0, 4, 2}, AbortedTxn{1, 6, 7, 8}
	require.Equal(t, []AbortedTxn{one}, read(0))
	require.Equal(t, []AbortedTxn{one, two}, read(4))
	require.Equal(t, []AbortedTxn{two}, read(5))
	require.Empty(t, read(8))
	f, err := l.Read(0, ReadOptions{MaxBytes: 1 << 20, UpTo: 9})
	require.NoError(t, err)
	f.Span.Release()
	require.Nil(t, f.AbortedTxns)

	_, err = l.TruncateTo(7)
	require.NoError(t, err)
	require.Equal(t, []AbortedTxn{one}, read(4), "the second one's marker is gone")
	require.Equal(t, int64(6), l.LastStableOffset(), "and it is open again")
}

// KIP-890 part 1: a transactional batch needs an open transaction or a guard that is still the producer's.
func TestTransactionVerification(t *testing.T) {
	_, l := newTestLog(t, func(c *Config) { c.TransactionVerification = true })
	add := func(sequence int32, g *VerificationGuard) error {
		_, err := l.AppendAsLeader(produced(t, 1, transactional(1, sequence)), AppendOptions{Now: testTime, Guard: g})
		return err
	}
	require.ErrorIs(t, add(0, nil), ErrInvalidTxnState)
	old := l.StartVerification(1, 0, 0)
	require.NotNil(t, old)
	require.Same(t, old, l.StartVerification(1, 1, 0), "one guard per producer")
	require.ErrorIs(t, add(1, old), ErrOutOfOrderSequence, "a lower sequence is known to come")
	require.NoError(t, add(0, old))
	require.True(t, l.HasOngoingTransaction(1))
	require.Nil(t, l.StartVerification(1, 1, 0), "not needed any more")
	require.NoError(t, add(1, nil))
	endTxn(t, l, 1, true)
	require.ErrorIs(t, add(2, old), ErrInvalidTxnState, "a marker came in between")
	require.NoError(t, add(1, nil), "a duplicate needs no guard")
	g := l.StartVerification(1, 2, 0)
	endTxn(t, l, 1, false)
	require.ErrorIs(t, add(2, g), ErrInvalidTxnState, "a marker came while the coordinator was asked")
}

func TestProducersExpire(t *testing.T) {
	_, l := newTestLog(t, nil)
	mustAppend(t, l, produced(t, 1, idempotent(1, 0, 0)))
	mustAppend(t, l, produced(t, 1, transactional(2, 0)))
	require.Zero(t, l.ExpireProducers(testTime.Add(24*time.Hour-time.Millisecond)))
	require.Equal(t, 1, l.ExpireProducers(testTime.Add(24*time.Hour)))
	require.Equal(t, []ActiveProducer{{2, 0, 0, testTime.UnixMilli(), -1, 1}}, l.ActiveProducers(), "an open transaction keeps its producer")
	mustAppend(t, l, produced(t, 1, idempotent(1, 0, 55)))
}

// A snapshot that is wrong anywhere is refused, whatever is wrong.
func TestSnapshotFlipped(t *testing.T) {
	var s producerState
	s.init()
	b := produced(t, 2, transactional(7, 3))
	b.SetBaseOffset(10)
	s.apply(b)
	good := s.encodeSnapshot()
	var back producerState
	back.init()
	require.NoError(t, back.decodeSnapshot(good, 12, 0, math.MaxInt64))
	require.Equal(t, s.active(), back.active())
	require.Equal(t, int64(10), back.firstUnstable.Load())
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 0x10
		require.ErrorIs(t, back.decodeSnapshot(bad, 12, 0, math.MaxInt64), errBadSnapshot, "byte %d", i)
		require.ErrorIs(t, back.decodeSnapshot(good[:i], 12, 0, math.MaxInt64), errBadSnapshot, "cut at %d", i)
	}
	huge := append([]byte(nil), good...)
	binary.BigEndian.PutUint32(huge[6:], math.MaxInt32)
	require.ErrorIs(t, back.decodeSnapshot(huge, 12, 0, math.MaxInt64), errBadSnapshot)
}

// A broken snapshot, or none at all, costs a look at the log, never the knowledge of the producers. (Apache forgets them when a cleanly closed log has none.)
func TestLostSnapshots(t *testing.T) {
	for _, damage := range []func(path string) error{
		os.Remove,
		func(path string) error { return os.Truncate(path, 20) },
		func(path string) error { return os.WriteFile(path, make([]byte, 100), 0o644) },
	} {
		dir := t.TempDir()
		m := openManager(t, testConfig(), dir)
		l, err := m.GetOrCreate(testPartition, TopicID{}, true)
		require.NoError(t, err)
		mustAppend(t, l, produced(t, 3, idempotent(4, 0, 0)))
		require.NoError(t, l.Roll())
		mustAppend(t, l, produced(t, 3, idempotent(4, 0, 3)))
		want := l.ActiveProducers()
		require.NoError(t, m.Shutdown())
		paths, err := filepath.Glob(filepath.Join(dir, "t-0", "*.snapshot"))
		require.NoError(t, err)
		require.Len(t, paths, 2)
		for _, path := range paths {
			require.NoError(t, damage(path))
		}
		m = openManager(t, testConfig(), dir)
		l, _ = m.Log(testPartition)
		require.Equal(t, want, l.ActiveProducers())
		require.True(t, mustAppend(t, l, produced(t, 3, idempotent(4, 0, 0))).Duplicate)
	}
}
