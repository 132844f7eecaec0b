package commitlog

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/record"
)

// testTime is when tests append, unless they say otherwise.
var testTime = time.UnixMilli(1_700_000_000_000)

func testConfig() ManagerConfig {
	return ManagerConfig{Defaults: DefaultConfig(), BrokerID: 1, ClusterID: "c", Now: func() time.Time { return testTime }}
}

// openManager opens a manager and aborts it at the end of the test.
func openManager(t testing.TB, c ManagerConfig, dirs ...string) *Manager {
	t.Helper()
	c.Dirs = dirs
	m, err := OpenManager(c)
	require.NoError(t, err)
	t.Cleanup(m.Abort)
	return m
}

var testPartition = TopicPartition{"t", 0}

func newTestLog(t testing.TB, change func(*Config)) (*Manager, *Log) {
	t.Helper()
	c := testConfig()
	if change != nil {
		change(&c.Defaults)
	}
	m := openManager(t, c, t.TempDir())
	l, err := m.GetOrCreate(testPartition, TopicID{1}, true)
	require.NoError(t, err)
	return m, l
}

// produced returns a batch of n records as a client sends it.
func produced(t testing.TB, n int, change func(*record.BuilderOptions)) record.Batch {
	t.Helper()
	o := record.BuilderOptions{PartitionLeaderEpoch: -1}
	if change != nil {
		change(&o)
	}
	records := make([]record.Record, n)
	for i := range records {
		records[i] = record.Record{Offset: int64(i), Timestamp: testTime.UnixMilli() + int64(i), Key: fmt.Appendf(nil, "key-%d", i), Value: []byte("a value of some length")}
	}
	b, err := record.Build(o, records...)
	require.NoError(t, err)
	return b
}

func idempotent(id int64, epoch int16, sequence int32) func(*record.BuilderOptions) {
	return func(o *record.BuilderOptions) {
		o.Producer = &record.ProducerState{ID: id, Epoch: epoch, BaseSequence: sequence}
	}
}

func mustAppend(t testing.TB, l *Log, b record.Batch) AppendInfo {
	t.Helper()
	info, err := l.AppendAsLeader(b, AppendOptions{LeaderEpoch: 3, Now: testTime})
	require.NoError(t, err)
	return info
}

func readAll(t testing.TB, l *Log, from int64) []byte {
	t.Helper()
	var all []byte
	for from < l.LogEndOffset() {
		f, err := l.Read(from, ReadOptions{MaxBytes: 1 << 20, UpTo: l.LogEndOffset(), MinOneMessage: true})
		require.NoError(t, err)
		if f.Span.Length == 0 {
			break
		}
		n := len(all)
		all, err = f.Span.AppendTo(all)
		f.Span.Release()
		require.NoError(t, err)
		for rest := all[n:]; len(rest) > 0; {
			b, more, err := record.ReadBatch(rest)
			if err != nil {
				all = all[:len(all)-len(rest)]
				break
			}
			require.NoError(t, b.CheckCRC())
			from, rest = b.NextOffset(), more
		}
	}
	return all
}

func TestAppendAndRead(t *testing.T) {
	_, l := newTestLog(t, nil)
	var want []byte
	for i := range 100 {
		b := produced(t, 1+i%7, nil)
		info := mustAppend(t, l, b)
		require.Equal(t, l.LogEndOffset()-int64(1+i%7), info.FirstOffset)
		require.Equal(t, 1+i%7, info.NumRecords)
		require.Equal(t, testTime.UnixMilli()+int64(i%7), info.MaxTimestamp)
		require.Equal(t, info.LastOffset, info.OffsetOfMaxTimestamp)
		require.Equal(t, int64(-1), info.LogAppendTime)
		want = append(want, b...)
	}
	require.Equal(t, want, readAll(t, l, 0))
	require.Equal(t, int64(len(want)), l.Size())
	require.Equal(t, int32(3), l.LatestEpoch())
	require.Equal(t, []EpochEntry{{3, 0}}, l.Epochs())
}

func TestCleanRestart(t *testing.T) {
	dir := t.TempDir()
	m := openManager(t, testConfig(), dir)
	l, err := m.GetOrCreate(testPartition, TopicID{7}, true)
	require.NoError(t, err)
	var want []byte
	for i := range 500 {
		b := produced(t, 5, idempotent(9, 0, int32(i*5)))
		mustAppend(t, l, b)
		want = append(want, b...)
	}
	l.SetHighWatermark(1 << 40)
	require.NoError(t, m.Shutdown())

	m = openManager(t, testConfig(), dir)
	l, ok := m.Log(testPartition)
	require.True(t, ok)
	require.Equal(t, int64(2500), l.LogEndOffset())
	require.Equal(t, int64(2500), l.HighWatermark())
	require.Equal(t, int64(2500), l.RecoveryPoint())
	require.Equal(t, TopicID{7}, l.TopicID())
	require.Equal(t, want, readAll(t, l, 0))
	require.Equal(t, []ActiveProducer{{9, 0, 2499, testTime.UnixMilli() + 4, -1, -1}}, l.ActiveProducers())
	info := mustAppend(t, l, produced(t, 5, idempotent(9, 0, 2495)))
	require.True(t, info.Duplicate)
	require.Equal(t, int64(2495), info.FirstOffset)
}
