package commitlog

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/record"
)

// testdata/apache is a log directory as Apache Kafka 3.9.1 left it after a clean shutdown: topic golden with segment.bytes=8192 and
// index.interval.bytes=512, written in two runs of the broker by plain, idempotent and transactional producers. The first run ended at goldenRestart.
const (
	goldenDir           = "testdata/apache"
	goldenRestart int64 = 271
	goldenEnd     int64 = 543
)

var goldenPartition = TopicPartition{"golden", 0}

// goldenConfig is what the directory was written with. The clock stands at the time of writing: producers expire by the time of their records.
func goldenConfig() ManagerConfig {
	c := ManagerConfig{Defaults: DefaultConfig(), BrokerID: 1, ClusterID: "oZ4fHSCMQKmj2ImTrwmqPw"}
	c.Defaults.SegmentBytes, c.Defaults.IndexIntervalBytes = 8192, 512
	c.Now = func() time.Time { return time.UnixMilli(1795232580000) }
	return c
}

func copyGolden(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(goldenDir)))
	return dir
}

// goldenBatches returns all batches of the directory.
func goldenBatches(t *testing.T) []record.Batch {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(goldenDir, "golden-0", "*.log"))
	require.NoError(t, err)
	slices.Sort(paths)
	var batches []record.Batch
	for _, path := range paths {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		for len(b) > 0 {
			batch, rest, err := record.ReadBatch(b)
			require.NoError(t, err)
			batches, b = append(batches, batch), rest
		}
	}
	return batches
}

// replicaContent is every file of a replica directory; of snapshots the entries are sorted, as Kafka writes them in any order.
func replicaContent(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	content := map[string][]byte{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		if strings.HasSuffix(e.Name(), snapshotSuffix) {
			sorted := slices.SortedFunc(slices.Chunk(b[snapshotHeaderSize:], snapshotEntrySize), bytes.Compare)
			b = append(b[6:snapshotHeaderSize:snapshotHeaderSize], bytes.Join(sorted, nil)...) // without the checksum, which depends on the order
		}
		content[e.Name()] = b
	}
	return content
}

// The same batches, appended by us, with a restart at the same offset, leave the same bytes in every file.
func TestSameFilesAsApache(t *testing.T) {
	dir := t.TempDir()
	m := openManager(t, goldenConfig(), dir)
	id, err := readPartitionMetadata(filepath.Join(goldenDir, "golden-0"))
	require.NoError(t, err)
	l, err := m.GetOrCreate(goldenPartition, id, true)
	require.NoError(t, err)
	for _, b := range goldenBatches(t) {
		if b.BaseOffset() == goldenRestart {
			l.SetHighWatermark(goldenEnd)
			require.NoError(t, m.Shutdown())
			m = openManager(t, goldenConfig(), dir)
			l, _ = m.Log(goldenPartition)
			require.Equal(t, goldenRestart, l.LogEndOffset())
		}
		_, err := l.AppendAsFollower(b)
		require.NoError(t, err)
	}
	l.SetHighWatermark(goldenEnd)
	require.NoError(t, m.Shutdown())
	want, got := replicaContent(t, filepath.Join(goldenDir, "golden-0")), replicaContent(t, filepath.Join(dir, "golden-0"))
	for name := range want {
		require.Contains(t, got, name)
		require.Equal(t, want[name], got[name], name)
	}
	require.Len(t, got, len(want))
	for _, name := range []string{recoveryPointFile, highWatermarkFile, logStartFile, cleanShutdownFile} {
		w, err := os.ReadFile(filepath.Join(goldenDir, name))
		require.NoError(t, err)
		g, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, string(w), string(g), name)
	}
}

// A directory of Apache's opens, and says what its snapshots, indexes and epochs say.
func TestOpenApacheDirectory(t *testing.T) {
	for _, clean := range []bool{true, false} {
		dir := copyGolden(t)
		var recovered []Recovery
		c := goldenConfig()
		c.Hooks.Recovered = func(_ TopicPartition, r Recovery) { recovered = append(recovered, r) }
		if !clean {
			require.NoError(t, os.Remove(filepath.Join(dir, cleanShutdownFile)))
			// An Apache broker that is killed leaves preallocated indexes full of zeros, and its recovery point is where it was long ago.
			require.NoError(t, os.Truncate(filepath.Join(dir, "golden-0", fileName(539, indexSuffix)), 1<<20))
			require.NoError(t, os.Truncate(filepath.Join(dir, "golden-0", fileName(539, timeIndexSuffix)), 12<<10))
			require.NoError(t, os.WriteFile(filepath.Join(dir, recoveryPointFile), []byte("0\n1\ngolden 0 80\n"), 0o644))
		}
		m := openManager(t, c, dir)
		require.Empty(t, m.OfflineDirs())
		l, ok := m.Log(goldenPartition)
		require.True(t, ok)
		require.Equal(t, goldenEnd, l.LogEndOffset())
		require.Equal(t, goldenEnd, l.HighWatermark())
		require.Equal(t, int64(542), l.LastStableOffset(), "one transaction is open")
		require.Equal(t, []EpochEntry{{0, 0}}, l.Epochs())
		require.Len(t, l.ActiveProducers(), 4)
		if clean {
			require.Empty(t, recovered)
		} else {
			require.Len(t, recovered, 1)
			require.Equal(t, 7, recovered[0].Segments)
			require.Zero(t, recovered[0].TruncatedBytes)
		}
		var want []byte
		for _, b := range goldenBatches(t) {
			want = append(want, b...)
		}
		require.Equal(t, want, readAll(t, l, 0))
		for offset := range goldenEnd {
			f, err := l.Read(offset, ReadOptions{MaxBytes: 1, UpTo: goldenEnd, MinOneMessage: true, AbortedTxns: true})
			require.NoError(t, err)
			b, err := f.Span.AppendTo(nil)
			f.Span.Release()
			require.NoError(t, err)
			batch, rest, err := record.ReadBatch(b)
			require.NoError(t, err)
			require.Empty(t, rest)
			require.LessOrEqual(t, batch.BaseOffset(), offset)
			require.GreaterOrEqual(t, batch.LastOffset(), offset)
		}
		require.NoError(t, m.Shutdown())
		if !clean {
			// Everything that is derived was made anew from the batches, and came out as Apache had it.
			want, got := replicaContent(t, filepath.Join(goldenDir, "golden-0")), replicaContent(t, filepath.Join(dir, "golden-0"))
			for name := range want {
				if !strings.HasPrefix(name, fileName(228, "")) && name != fileName(goldenRestart, snapshotSuffix) { // was indexed in two runs
					require.Equal(t, want[name], got[name], name)
				}
			}
		}
	}
}
