package commitlog

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/record"
)

// smallSegments is a config with which a handful of batches makes a few segments with several index entries: few bytes, so that all of them can be tried.
func smallSegments() ManagerConfig {
	c := testConfig()
	c.Defaults.SegmentBytes, c.Defaults.IndexIntervalBytes = 350, 100
	return c
}

// crashedLog writes a log of a few segments with transactions and leaves it as a killed process does. It returns the directory and the batches.
func crashedLog(t *testing.T) (string, []record.Batch) {
	t.Helper()
	dir := t.TempDir()
	m := openManager(t, smallSegments(), dir)
	l, err := m.GetOrCreate(testPartition, TopicID{1}, true)
	require.NoError(t, err)
	var batches []record.Batch
	add := func(b record.Batch, origin Origin, epoch int32) {
		_, err := l.AppendAsLeader(b, AppendOptions{LeaderEpoch: epoch, Origin: origin, Now: testTime})
		require.NoError(t, err)
		batches = append(batches, b)
	}
	for i := range 2 {
		epoch := int32(1 + i)
		add(produced(t, 2, nil), OriginClient, epoch)
		add(produced(t, 1, func(o *record.BuilderOptions) {
			idempotent(5, 0, int32(i))(o)
			o.Transactional = true
		}), OriginClient, epoch)
		add(produced(t, 3, idempotent(6, 1, int32(3*i))), OriginClient, epoch)
		marker, err := record.EndTxnMarker{Type: record.ControlType(i % 2), CoordinatorEpoch: 2}.Build(record.EndTxnMarkerOptions{
			ProducerID: 5, ProducerEpoch: 0, TimestampMs: testTime.UnixMilli(), PartitionLeaderEpoch: -1,
		})
		require.NoError(t, err)
		add(marker, OriginCoordinator, epoch)
	}
	require.Greater(t, len(l.SegmentBases()), 2)
	m.Abort()
	return dir, batches
}

// lastSegment returns the path of the newest .log file.
func lastSegment(t *testing.T, dir string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, testPartition.String(), "*.log"))
	require.NoError(t, err)
	return paths[len(paths)-1]
}

// checkRecovered opens the directory and wants exactly the given batches, and a log that goes on working.
func checkRecovered(t *testing.T, dir string, want []record.Batch) {
	t.Helper()
	m := openManager(t, smallSegments(), dir)
	require.Empty(t, m.OfflineDirs())
	l, ok := m.Log(testPartition)
	require.True(t, ok)
	end := int64(0)
	if len(want) > 0 {
		end = want[len(want)-1].NextOffset()
	}
	require.Equal(t, end, l.LogEndOffset())
	require.Equal(t, concat(want), readAll(t, l, 0))
	expected := &producerState{}
	expected.init()
	for _, b := range want {
		if b.HasProducerID() {
			expected.apply(b)
		}
	}
	require.Equal(t, expected.active(), l.ActiveProducers())
	b := produced(t, 1, nil)
	info := mustAppend(t, l, b)
	require.Equal(t, end, info.FirstOffset)
	require.Equal(t, concat(append(want[:len(want):len(want)], b)), readAll(t, l, 0))
	m.Abort()
}

func concat(batches []record.Batch) []byte {
	var all []byte
	for _, b := range batches {
		all = append(all, b...)
	}
	return all
}

// A log that was cut anywhere keeps every batch that is whole.
func TestTornAtEveryByte(t *testing.T) {
	t.Parallel()
	dir, batches := crashedLog(t)
	path := lastSegment(t, dir)
	last, err := os.ReadFile(path)
	require.NoError(t, err)
	before := len(concat(batches)) - len(last)
	for size := range len(last) {
		copied := t.TempDir()
		require.NoError(t, os.CopyFS(copied, os.DirFS(dir)))
		require.NoError(t, os.Truncate(lastSegment(t, copied), int64(size)))
		var want []record.Batch
		total := 0
		for _, b := range batches {
			if total += len(b); total > before+size {
				break
			}
			want = append(want, b)
		}
		checkRecovered(t, copied, want)
	}
}

// A byte that has changed anywhere ends the log before the batch it is in: no bad byte is ever served, no good batch before it is lost.
func TestFlippedAtEveryByte(t *testing.T) {
	t.Parallel()
	dir, batches := crashedLog(t)
	segments, err := filepath.Glob(filepath.Join(dir, testPartition.String(), "*.log"))
	require.NoError(t, err)
	first := 0 // the segment's first batch
	for _, path := range segments {
		good, err := os.ReadFile(path)
		require.NoError(t, err)
		start := first
		for size := 0; size < len(good); first++ {
			size += len(batches[first])
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			index, inBatch := start, 0 // of the batch that the position is in
			for pos := range good {
				if inBatch == len(batches[index]) {
					index, inBatch = index+1, 0
				}
				if !undetectable(index, inBatch, len(batches)) {
					copied := t.TempDir()
					require.NoError(t, os.CopyFS(copied, os.DirFS(dir)))
					bad := bytes.Clone(good)
					bad[pos] ^= 1 << (pos % 8)
					require.NoError(t, os.WriteFile(filepath.Join(copied, testPartition.String(), filepath.Base(path)), bad, 0o644))
					t.Logf("position %d: byte %d of batch %d", pos, inBatch, index)
					checkRecovered(t, copied, batches[:index])
				}
				inBatch++
			}
		})
	}
	require.Equal(t, len(batches), first)
}

// undetectable tells whether nothing contradicts a flipped byte of a batch, which its checksum doesn't cover: a larger offset or epoch of the very last batch (offsets of one
// segment have 31 bits), and a smaller epoch of the very first.
func undetectable(index, inBatch, batches int) bool {
	last := index == batches-1
	return last && (inBatch >= 4 && inBatch < 8 || inBatch >= 12 && inBatch < 16) || index == 0 && inBatch == 15
}

// Gaps, as compaction leaves them on a follower, survive a crash: inside segments, between them, and before an empty last one.
func TestRecoveryKeepsGaps(t *testing.T) {
	dir := t.TempDir()
	m := openManager(t, testConfig(), dir)
	l, err := m.GetOrCreate(testPartition, TopicID{}, true)
	require.NoError(t, err)
	var want []record.Batch
	for i, base := range []int64{0, 5, 100, 101, 5_000_000_000} {
		b := produced(t, 1, nil)
		b.SetBaseOffset(base)
		b.SetPartitionLeaderEpoch(0)
		_, err := l.AppendAsFollower(b)
		require.NoError(t, err)
		want = append(want, b)
		if i == 1 {
			require.NoError(t, l.Roll())
		}
	}
	require.Equal(t, []int64{0, 6, 5_000_000_000}, l.SegmentBases(), "offsets of a segment have 31 bits")
	_, err = l.TruncateTo(5_000_000_000)
	require.NoError(t, err)
	want = want[:4]
	m.Abort()
	m = openManager(t, testConfig(), dir)
	l, _ = m.Log(testPartition)
	require.Equal(t, int64(5_000_000_000), l.LogEndOffset())
	require.Zero(t, l.RecoveryPoint())
	var got []byte
	for _, offset := range []int64{0, 6} {
		f, err := l.Read(offset, ReadOptions{MaxBytes: 1 << 20, UpTo: l.LogEndOffset()})
		require.NoError(t, err)
		got, err = f.Span.AppendTo(got)
		f.Span.Release()
		require.NoError(t, err)
	}
	require.Equal(t, concat(want), got)
	f, err := l.Read(102, ReadOptions{MaxBytes: 1 << 20, UpTo: l.LogEndOffset()})
	require.NoError(t, err)
	require.Zero(t, f.Span.Length)
}

// An append that fills the disk, or is cut short otherwise, takes the directory offline; what was written before stays, what wasn't doesn't appear.
func TestFullDisk(t *testing.T) {
	dir := smallFileSystem(t, 64<<10)
	m := openManager(t, testConfig(), dir)
	l, err := m.GetOrCreate(testPartition, TopicID{}, true)
	require.NoError(t, err)
	var kept []record.Batch
	for {
		b := produced(t, 50, nil)
		_, err := l.AppendAsLeader(b, AppendOptions{Now: testTime})
		if err != nil {
			require.ErrorIs(t, err, ErrStorage)
			break
		}
		kept = append(kept, b)
	}
	require.NotEmpty(t, kept)
	require.Equal(t, int64(50*len(kept)), l.LogEndOffset())
	require.Equal(t, []string{dir}, m.OfflineDirs())
	_, err = l.AppendAsLeader(produced(t, 1, nil), AppendOptions{Now: testTime})
	require.ErrorIs(t, err, ErrStorage)
	m.Abort()

	copied := t.TempDir()
	require.NoError(t, os.CopyFS(copied, os.DirFS(dir)))
	m = openManager(t, testConfig(), copied)
	l, _ = m.Log(testPartition)
	require.Equal(t, concat(kept), readAll(t, l, 0))
}

// A recovery point never lies beyond a segment whose indexes aren't on disk, so that a power failure can't leave a segment that is trusted with indexes that are not.
func TestRecoveryPointWaitsForIndexes(t *testing.T) {
	dir := t.TempDir()
	m := openManager(t, testConfig(), dir)
	l, err := m.GetOrCreate(testPartition, TopicID{}, true)
	require.NoError(t, err)
	checkpointed := func() int64 {
		require.NoError(t, m.CheckpointRecoveryPoints())
		points, err := readOffsets(filepath.Join(dir, recoveryPointFile))
		require.NoError(t, err)
		return points[testPartition]
	}
	mustAppend(t, l, produced(t, 4, nil))
	require.Zero(t, checkpointed())
	require.NoError(t, l.Flush())
	require.Equal(t, int64(4), l.RecoveryPoint())
	require.Equal(t, int64(4), checkpointed())
	require.NoError(t, l.Roll())
	require.Zero(t, checkpointed(), "the indexes of segment 0 were completed just now")
	m.FlushRolled()
	require.Equal(t, int64(4), checkpointed())
	mustAppend(t, l, produced(t, 4, nil))
	require.NoError(t, l.Roll())
	mustAppend(t, l, produced(t, 4, nil))
	require.Equal(t, int64(4), checkpointed())
	require.NoError(t, l.Flush())
	require.Equal(t, int64(12), checkpointed())
	_, err = l.TruncateTo(6)
	require.NoError(t, err)
	require.Equal(t, int64(6), checkpointed())
}

// A file system that turned read-only, as Linux does after errors, takes the directory offline at the next write; at the start it is offline at once.
func TestReadOnlyFileSystem(t *testing.T) {
	dir := smallFileSystem(t, 1<<20)
	other := t.TempDir()
	m := openManager(t, testConfig(), dir, other)
	one, err := m.GetOrCreate(TopicPartition{"t", 0}, TopicID{}, true)
	require.NoError(t, err)
	two, err := m.GetOrCreate(TopicPartition{"t", 1}, TopicID{}, true)
	require.NoError(t, err)
	if one.Dir() != dir {
		one, two = two, one
	}
	mustAppend(t, one, produced(t, 1, nil))
	m.shared.files.sweep()
	m.shared.files.sweep() // Linux doesn't remount while a file is open for writing
	remountReadOnly(t, dir, m)
	_, err = one.AppendAsLeader(produced(t, 1, nil), AppendOptions{Now: testTime})
	require.ErrorIs(t, err, ErrStorage)
	mustAppend(t, two, produced(t, 1, nil))
	require.Equal(t, []string{dir}, m.OfflineDirs())
	m.Abort()
	m = openManager(t, testConfig(), dir, other)
	require.Equal(t, []string{dir}, m.OfflineDirs())
	_, ok := m.Log(two.TopicPartition())
	require.True(t, ok)
}
