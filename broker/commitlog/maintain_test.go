package commitlog

import (
	"math"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/record"
)

// at shifts a batch's timestamps by a duration.
func at(t testing.TB, d time.Duration) record.Batch {
	t.Helper()
	b, err := record.Build(record.BuilderOptions{PartitionLeaderEpoch: -1}, record.Record{Timestamp: testTime.Add(d).UnixMilli(), Value: make([]byte, 100)})
	require.NoError(t, err)
	return b
}

func TestRollBySize(t *testing.T) {
	_, l := newTestLog(t, func(c *Config) { c.SegmentBytes = 400 })
	for range 5 {
		mustAppend(t, l, at(t, 0)) // 170 bytes each: two to a segment
	}
	require.Equal(t, []int64{0, 2, 4}, l.SegmentBases())
	_, err := l.AppendAsLeader(produced(t, 20, nil), AppendOptions{Now: testTime})
	require.ErrorIs(t, err, ErrRecordListTooLarge)
}

func TestRollByTime(t *testing.T) {
	_, l := newTestLog(t, func(c *Config) { c.SegmentMs = 1000 })
	mustAppend(t, l, at(t, 0))
	mustAppend(t, l, at(t, time.Second))
	require.Equal(t, []int64{0}, l.SegmentBases(), "exactly segment.ms isn't more")
	mustAppend(t, l, at(t, time.Second+time.Millisecond))
	require.Equal(t, []int64{0, 2}, l.SegmentBases())
	mustAppend(t, l, at(t, -time.Hour))
	require.Equal(t, []int64{0, 2}, l.SegmentBases(), "record time going back doesn't roll")
}

func TestRollByIndexSize(t *testing.T) {
	_, l := newTestLog(t, func(c *Config) { c.SegmentIndexBytes, c.IndexIntervalBytes = 60, 0 })
	for i := range 8 {
		mustAppend(t, l, at(t, time.Duration(i)*time.Millisecond))
	}
	require.Equal(t, []int64{0, 5}, l.SegmentBases(), "the time index has 5 slots, one is for the roll")
}

func TestRetention(t *testing.T) {
	hour := func(t testing.TB, l *Log) {
		for i := range 5 {
			mustAppend(t, l, at(t, time.Duration(i)*time.Hour))
			require.NoError(t, l.Roll())
		}
	}
	for name, c := range map[string]struct {
		change func(*Config)
		hw     int64
		now    time.Duration
		want   []int64
	}{
		"nothing is old":                    {func(*Config) {}, 5, 5 * time.Hour, []int64{0, 1, 2, 3, 4, 5}},
		"time":                              {func(c *Config) { c.RetentionMs = 3600_000 }, 5, 3 * time.Hour, []int64{2, 3, 4, 5}},
		"not above the high watermark":      {func(c *Config) { c.RetentionMs = 3600_000 }, 1, 3 * time.Hour, []int64{1, 2, 3, 4, 5}},
		"everything":                        {func(c *Config) { c.RetentionMs = 0 }, 5, 9 * time.Hour, []int64{5}},
		"size":                              {func(c *Config) { c.RetentionBytes = 170*3 + 1 }, 5, 0, []int64{1, 2, 3, 4, 5}},
		"size, exactly":                     {func(c *Config) { c.RetentionBytes = 170 * 3 }, 5, 0, []int64{2, 3, 4, 5}},
		"no delete policy":                  {func(c *Config) { c.RetentionMs, c.CleanupDelete = 0, false }, 5, 9 * time.Hour, []int64{0, 1, 2, 3, 4, 5}},
		"unlimited":                         {func(c *Config) { c.RetentionMs = -1 }, 5, 1e6 * time.Hour, []int64{0, 1, 2, 3, 4, 5}},
		"stops at the first that must stay": {func(c *Config) { c.RetentionMs = 3600_000 }, 5, time.Hour + time.Millisecond, []int64{1, 2, 3, 4, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			m, l := newTestLog(t, c.change)
			hour(t, l)
			l.SetHighWatermark(c.hw)
			before := len(l.SegmentBases())
			n := m.Retention(testTime.Add(c.now))
			require.Equal(t, c.want, l.SegmentBases())
			require.Equal(t, before-len(c.want), n)
			require.Equal(t, c.want[0], l.LogStartOffset())
			left, err := readNames(l.path)
			require.NoError(t, err)
			m.RemoveDeleted(testTime.Add(time.Hour))
			after, err := readNames(l.path)
			require.NoError(t, err)
			require.LessOrEqual(t, len(after), len(left)-3*n)
			require.NotContains(t, after, fileName(0, logSuffix+deletedSuffix))
		})
	}
}

// The newest segment goes too when all of it is old: a new one is made first.
func TestRetentionOfTheActiveSegment(t *testing.T) {
	_, l := newTestLog(t, func(c *Config) { c.RetentionMs = 1000 })
	mustAppend(t, l, at(t, 0))
	l.SetHighWatermark(1)
	n, err := l.DeleteOldSegments(testTime.Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, []int64{1}, l.SegmentBases())
	require.Equal(t, int64(1), l.LogStartOffset())
	n, err = l.DeleteOldSegments(testTime.Add(time.Minute))
	require.NoError(t, err)
	require.Zero(t, n, "an empty segment stays")
	require.Equal(t, int64(1), mustAppend(t, l, at(t, 0)).FirstOffset)
}

// What a reader holds is not changed by deletion, nor by truncation and other records in the same place.
func TestSpansStayAsTheyWere(t *testing.T) {
	for _, idleFiles := range []bool{false, true} {
		m, l := newTestLog(t, nil)
		want := concat([]record.Batch{produced(t, 3, nil), produced(t, 3, nil)})
		mustAppend(t, l, produced(t, 3, nil))
		mustAppend(t, l, produced(t, 3, nil))
		f, err := l.Read(0, ReadOptions{MaxBytes: 1 << 20, UpTo: 6})
		require.NoError(t, err)
		want, err = f.Span.AppendTo(want[:0])
		require.NoError(t, err)
		if idleFiles { // the span's file isn't the one that the segment opens next
			m.shared.files.sweep()
			m.shared.files.sweep()
			require.Zero(t, m.shared.files.count())
		}
		changed, err := l.TruncateTo(3)
		require.NoError(t, err)
		require.True(t, changed)
		mustAppend(t, l, produced(t, 20, nil))
		got, err := f.Span.AppendTo(nil)
		require.NoError(t, err)
		require.Equal(t, want, got)

		require.NoError(t, l.TruncateFullyAndStartAt(100))
		m.RemoveDeleted(testTime.Add(time.Hour))
		got, err = f.Span.AppendTo(nil)
		require.NoError(t, err)
		require.Equal(t, want, got)

		require.NoError(t, m.AsyncDelete(testPartition))
		m.RemoveDeleted(testTime.Add(time.Hour))
		got, err = f.Span.AppendTo(nil)
		require.NoError(t, err)
		require.Equal(t, want, got)
		f.Span.Release()
		_, err = f.Span.AppendTo(nil)
		require.ErrorIs(t, err, os.ErrClosed, "the last reader closed it")
		_, err = l.Read(100, ReadOptions{MaxBytes: 1, UpTo: 200})
		require.NoError(t, err, "nothing to read at the end")
		_, err = l.AppendAsLeader(produced(t, 1, nil), AppendOptions{Now: testTime})
		require.ErrorIs(t, err, ErrClosed)
	}
}

func TestTruncate(t *testing.T) {
	_, l := newTestLog(t, func(c *Config) { c.SegmentBytes, c.IndexIntervalBytes = 700, 0 })
	var batches []record.Batch
	for i := range 20 {
		b := produced(t, 3, nil)
		_, err := l.AppendAsLeader(b, AppendOptions{LeaderEpoch: int32(i / 5), Now: testTime})
		require.NoError(t, err)
		batches = append(batches, b)
	}
	l.SetHighWatermark(60)
	require.NoError(t, l.Flush())
	require.Equal(t, []EpochEntry{{0, 0}, {1, 15}, {2, 30}, {3, 45}}, l.Epochs())
	changed, err := l.TruncateTo(60)
	require.NoError(t, err)
	require.False(t, changed)

	changed, err = l.TruncateTo(31) // in the middle of a batch
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, int64(31), l.LogEndOffset())
	require.Equal(t, int64(31), l.HighWatermark())
	require.Equal(t, int64(31), l.RecoveryPoint())
	require.Equal(t, []EpochEntry{{0, 0}, {1, 15}, {2, 30}}, l.Epochs())
	require.Equal(t, concat(batches[:10]), readAll(t, l, 0), "the batch that straddles the offset goes as a whole")
	f, err := l.Read(30, ReadOptions{MaxBytes: 100, UpTo: 31})
	require.NoError(t, err)
	require.Zero(t, f.Span.Length)

	info, err := l.AppendAsFollower(batches[19]) // 57 to 59
	require.NoError(t, err)
	require.Equal(t, int64(57), info.FirstOffset, "a gap, as compaction leaves")
	f, err = l.Read(31, ReadOptions{MaxBytes: 1 << 20, UpTo: 60})
	require.NoError(t, err)
	got, err := f.Span.AppendTo(nil)
	f.Span.Release()
	require.NoError(t, err)
	require.Equal(t, []byte(batches[19]), got)
	_, err = l.AppendAsFollower(batches[18])
	require.ErrorIs(t, err, ErrUnexpectedAppendOffset)

	_, err = l.TruncateTo(-1)
	require.ErrorIs(t, err, ErrOffsetOutOfRange)
	require.NoError(t, l.TruncateFullyAndStartAt(1000))
	require.Equal(t, int64(1000), l.LogStartOffset())
	require.Equal(t, int64(1000), l.LogEndOffset())
	require.Equal(t, int64(1000), l.HighWatermark())
	require.Empty(t, l.Epochs())
	require.Equal(t, int64(1000), mustAppend(t, l, produced(t, 1, nil)).FirstOffset)
}

// Replication.md §7.2.
func TestOffsetForLeaderEpoch(t *testing.T) {
	_, l := newTestLog(t, nil)
	ask := func(epoch int32, wantEpoch int32, wantEnd int64) {
		t.Helper()
		gotEpoch, gotEnd := l.OffsetForLeaderEpoch(epoch)
		require.Equal(t, wantEpoch, gotEpoch)
		require.Equal(t, wantEnd, gotEnd)
	}
	ask(0, -1, -1)
	for _, epoch := range []int32{2, 2, 4, 7} {
		_, err := l.AppendAsLeader(produced(t, 1, nil), AppendOptions{LeaderEpoch: epoch, Now: testTime})
		require.NoError(t, err)
	}
	ask(-1, -1, -1)
	ask(0, 0, 0)
	ask(2, 2, 2)
	ask(3, 2, 2)
	ask(4, 4, 3)
	ask(6, 4, 3)
	ask(7, 7, 4)
	ask(8, -1, -1)
	require.NoError(t, l.AssignEpoch(9, l.LogEndOffset()))
	require.Equal(t, int32(9), l.LatestEpoch())
	ask(7, 7, 4)
	ask(9, 9, 4)
	require.NoError(t, l.AssignEpoch(10, 4))
	require.Equal(t, []EpochEntry{{2, 0}, {4, 2}, {7, 3}, {10, 4}}, l.Epochs(), "epoch 9 appended nothing")
	require.NoError(t, l.AssignEpoch(8, 4))
	require.Equal(t, int32(10), l.LatestEpoch(), "epochs don't fall")
	l.SetHighWatermark(4)
	require.NoError(t, l.DeleteRecords(3))
	require.Equal(t, []EpochEntry{{7, 3}, {10, 4}}, l.Epochs())
	offset, epoch := l.EarliestOffset()
	require.Equal(t, int64(3), offset)
	require.Equal(t, int32(7), epoch)
}

func TestOffsetForTimestamp(t *testing.T) {
	for _, codec := range []record.Codec{record.CodecNone, record.CodecLZ4} {
		_, l := newTestLog(t, func(c *Config) { c.SegmentBytes, c.IndexIntervalBytes = 500, 100 })
		type stamped struct{ offset, time int64 }
		var records []stamped
		for i := range 40 {
			// Times rise on the whole, but not record by record.
			times := []int64{int64(i * 100), int64(i*100 - 150), int64(i*100 + 70)}
			o := record.BuilderOptions{PartitionLeaderEpoch: -1, Codec: codec}
			var list []record.Record
			for j, ts := range times {
				list = append(list, record.Record{Offset: int64(j), Timestamp: testTime.UnixMilli() + ts, Value: []byte("0123456789")})
				records = append(records, stamped{int64(3*i + j), testTime.UnixMilli() + ts})
			}
			b, err := record.Build(o, list...)
			require.NoError(t, err)
			mustAppend(t, l, b)
		}
		l.SetHighWatermark(maxOffset)
		for _, start := range []int64{0, 40} {
			require.NoError(t, l.DeleteRecords(start))
			for ts := testTime.UnixMilli() - 300; ts < testTime.UnixMilli()+4200; ts += 35 {
				want := stamped{-1, -1}
				for _, r := range records {
					if r.time >= ts && r.offset >= start {
						want = r
						break
					}
				}
				found, ok, err := l.OffsetForTimestamp(ts, l.HighWatermark())
				require.NoError(t, err)
				require.Equal(t, want.offset >= 0, ok)
				if ok {
					require.Equal(t, want, stamped{found.Offset, found.Timestamp})
					require.Equal(t, int32(3), found.LeaderEpoch)
					_, ok, err = l.OffsetForTimestamp(ts, want.offset)
					require.NoError(t, err)
					require.False(t, ok, "not below the bound")
				}
			}
		}
		found, ok, err := l.MaxTimestampOffset()
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, TimestampOffset{119, testTime.UnixMilli() + 3970, 3}, found)
	}
}

const maxOffset = math.MaxInt64

func TestLegacyOffsets(t *testing.T) {
	_, l := newTestLog(t, nil)
	for range 3 {
		mustAppend(t, l, at(t, 0))
		require.NoError(t, l.Roll())
	}
	mustAppend(t, l, at(t, 0))
	ask := func(timestamp int64, most int) []int64 {
		offsets, err := l.LegacyOffsetsBefore(timestamp, most)
		require.NoError(t, err)
		return offsets
	}
	require.Equal(t, []int64{4, 3, 2, 1, 0}, ask(-1, 10))
	require.Equal(t, []int64{4, 3}, ask(-1, 2))
	require.Equal(t, []int64{0}, ask(-2, 10))
	require.Empty(t, ask(1, 10))
}

// Files of idle logs are closed, the least recently used ones go first when there are too many, and everything works on.
func TestOpenFilesAreLimited(t *testing.T) {
	c := testConfig()
	c.OpenFiles = 3
	m := openManager(t, c, t.TempDir())
	var logs []*Log
	for i := range 10 {
		l, err := m.GetOrCreate(TopicPartition{"t", int32(i)}, TopicID{}, true)
		require.NoError(t, err)
		logs = append(logs, l)
	}
	for range 3 {
		for _, l := range logs {
			mustAppend(t, l, produced(t, 1, nil))
			require.LessOrEqual(t, m.shared.files.count(), 3)
		}
	}
	for _, l := range logs {
		require.NotEmpty(t, readAll(t, l, 0))
		require.LessOrEqual(t, m.shared.files.count(), 3)
	}
	m.shared.files.sweep()
	m.shared.files.sweep()
	require.Zero(t, m.shared.files.count())
	for _, l := range logs {
		require.Equal(t, int64(3), mustAppend(t, l, produced(t, 1, nil)).FirstOffset)
	}
}

// The log's size on disk is what it holds, also while space is reserved behind its end.
func TestReservedSpaceDoesNotShow(t *testing.T) {
	_, l := newTestLog(t, nil)
	big := make([]byte, 100<<10)
	for range 10 {
		b, err := record.Build(record.BuilderOptions{PartitionLeaderEpoch: -1}, record.Record{Timestamp: 1, Value: big})
		require.NoError(t, err)
		mustAppend(t, l, b)
		st, err := os.Stat(l.active().path(logSuffix))
		require.NoError(t, err)
		require.Equal(t, l.Size(), st.Size())
	}
	before := l.active()
	require.NoError(t, l.Roll())
	require.Zero(t, before.allocated)
}
