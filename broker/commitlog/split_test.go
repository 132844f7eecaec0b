package commitlog

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/record"
)

// wideSegment leaves a log of one segment that holds batches at the given offsets, as a broker of long ago did, after a crash.
func wideSegment(t *testing.T, offsets ...int64) (string, []record.Batch) {
	t.Helper()
	dir := t.TempDir()
	m := openManager(t, testConfig(), dir)
	l, err := m.GetOrCreate(testPartition, TopicID{}, true)
	require.NoError(t, err)
	var batches []record.Batch
	for _, base := range offsets {
		b := produced(t, 2, nil)
		b.SetBaseOffset(base)
		b.SetPartitionLeaderEpoch(0)
		_, err := l.AppendAsFollower(b)
		require.NoError(t, err)
		batches = append(batches, b)
	}
	m.Abort()
	path := filepath.Join(dir, testPartition.String())
	require.NoError(t, os.RemoveAll(path))
	require.NoError(t, os.Mkdir(path, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(path, fileName(0, logSuffix)), concat(batches), 0o644))
	return dir, batches
}

// readWide reads a log over its gaps.
func readWide(t *testing.T, l *Log, batches []record.Batch) []byte {
	t.Helper()
	var got []byte
	for _, b := range batches {
		f, err := l.Read(b.BaseOffset(), ReadOptions{MaxBytes: 1, MinOneMessage: true, UpTo: l.LogEndOffset()})
		require.NoError(t, err)
		got, err = f.Span.AppendTo(got)
		f.Span.Release()
		require.NoError(t, err)
	}
	return got
}

// A segment whose offsets go beyond what its indexes can say, as brokers before Kafka 1.1 left it, is split; nothing is lost, and the next start finds nothing to do.
func TestWideSegmentsAreSplit(t *testing.T) {
	const far, further = 5_000_000_000, 12_000_000_000
	for name, test := range map[string]struct{ offsets, bases []int64 }{
		"one far":        {[]int64{0, 5, 100, far, far + 3}, []int64{0, far}},
		"two far":        {[]int64{0, 5, far, far + 3, further, further + 9}, []int64{0, far, further}},
		"all far":        {[]int64{far, far + 3, far + 7}, []int64{0, far}},
		"at the border":  {[]int64{0, maxSegmentOffsets - 1, maxSegmentOffsets + 1, maxSegmentOffsets + 5}, []int64{0, maxSegmentOffsets + 1}},
		"as wide as can": {[]int64{0, maxSegmentOffsets - 1}, []int64{0}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, batches := wideSegment(t, test.offsets...)
			for range 2 {
				m := openManager(t, testConfig(), dir)
				l, ok := m.Log(testPartition)
				require.True(t, ok)
				require.Equal(t, test.bases, l.SegmentBases())
				require.Equal(t, batches[len(batches)-1].NextOffset(), l.LogEndOffset())
				require.Equal(t, concat(batches), readWide(t, l, batches))
				m.Abort()
			}
			names, err := readNames(filepath.Join(dir, testPartition.String()))
			require.NoError(t, err)
			for _, name := range names {
				require.NotContains(t, name, cleanedSuffix)
				require.NotContains(t, name, swapSuffix)
			}
		})
	}
}

// A single offset that is far away at the very end of a log is taken for damage: no checksum covers it.
func TestLastFarOffsetIsDamage(t *testing.T) {
	dir, batches := wideSegment(t, 0, 5, 5_000_000_000)
	m := openManager(t, testConfig(), dir)
	l, _ := m.Log(testPartition)
	require.Equal(t, []int64{0}, l.SegmentBases())
	require.Equal(t, batches[1].NextOffset(), l.LogEndOffset())
}

// Wherever a split is cut off, the next start has the old segment or the new ones, and with them every record.
func TestSplitIsCutOff(t *testing.T) {
	const far = 5_000_000_000
	first, second := fileName(0, logSuffix), fileName(far, logSuffix)
	for name, rename := range map[string][2]string{
		"written":          {first + cleanedSuffix, second + cleanedSuffix},
		"one renamed":      {first + cleanedSuffix, second + swapSuffix},
		"both renamed":     {first + swapSuffix, second + swapSuffix},
		"one in its place": {first, second + swapSuffix},
	} {
		t.Run(name, func(t *testing.T) {
			dir, batches := wideSegment(t, 0, 5, far, far+3)
			path := filepath.Join(dir, testPartition.String())
			require.NoError(t, os.WriteFile(filepath.Join(path, rename[0]), concat(batches[:2]), 0o644))
			require.NoError(t, os.WriteFile(filepath.Join(path, rename[1]), concat(batches[2:]), 0o644))
			m := openManager(t, testConfig(), dir)
			l, ok := m.Log(testPartition)
			require.True(t, ok)
			require.Equal(t, []int64{0, far}, l.SegmentBases())
			require.Equal(t, concat(batches), readWide(t, l, batches))
		})
	}
}
