package commitlog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var movedTP = TopicPartition{Topic: "moved", Partition: 3}

// copyTo appends to a future log what its log has beyond it.
func copyTo(t *testing.T, l, future *Log) {
	t.Helper()
	for future.LogEndOffset() < l.LogEndOffset() {
		fetched, err := l.Read(max(future.LogEndOffset(), l.LogStartOffset()), ReadOptions{MaxBytes: 300, UpTo: l.LogEndOffset(), MinOneMessage: true})
		require.NoError(t, err)
		data, err := fetched.Span.AppendTo(nil)
		fetched.Span.Release()
		require.NoError(t, err)
		_, err = future.AppendAsFollower(data)
		require.NoError(t, err)
	}
}

// movedLog makes a partition in one directory with a copy of it in another.
func movedLog(t *testing.T, one, two string, small bool) (*Manager, *Log, *Log) {
	t.Helper()
	c := testConfig()
	if small {
		c.Defaults.SegmentBytes = 1000
	}
	m := openManager(t, c, one, two)
	require.NoError(t, m.Prefer(movedTP, one))
	l, err := m.GetOrCreate(movedTP, TopicID{9}, true)
	require.NoError(t, err)
	require.Equal(t, one, l.Dir())
	for i := range 20 {
		mustAppend(t, l, produced(t, 3, idempotent(7, 0, int32(3*i))))
	}
	l.SetHighWatermark(50)
	require.NoError(t, l.DeleteRecords(10))
	future, err := m.CreateFuture(movedTP, two)
	require.NoError(t, err)
	require.NoError(t, future.TruncateFullyAndStartAt(9)) // the batch with the log start
	return m, l, future
}

func dirNames(t *testing.T, dir string) (plain, future, deleted int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		switch name := e.Name(); {
		case name == movedTP.String():
			plain++
		case strings.HasPrefix(name, "moved-3.") && strings.HasSuffix(name, futureDirSuffix):
			future++
		case strings.HasPrefix(name, "moved-3.") && strings.HasSuffix(name, deleteDirSuffix):
			deleted++
		}
	}
	return plain, future, deleted
}

func TestFutureTakesItsPlace(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	m, l, future := movedLog(t, one, two, true)
	again, err := m.CreateFuture(movedTP, two)
	require.NoError(t, err)
	require.Same(t, future, again)
	_, err = m.ReplaceByFuture(movedTP)
	require.ErrorIs(t, err, ErrNotMoved)
	copyTo(t, l, future)
	require.NoError(t, l.AssignEpoch(7, l.LogEndOffset()))
	epochs := l.Epochs()
	require.Equal(t, []TopicPartition{movedTP}, m.Futures())
	require.Len(t, m.Logs(), 1)
	dirs := m.Dirs()
	require.False(t, dirs[0].Logs[0].Future)
	require.True(t, dirs[1].Logs[0].Future)
	before := readAll(t, l, 10)
	span, err := l.Read(10, ReadOptions{MaxBytes: 100, UpTo: 60, MinOneMessage: true})
	require.NoError(t, err)
	held, err := span.Span.AppendTo(nil)
	require.NoError(t, err)

	next, err := m.ReplaceByFuture(movedTP)
	require.NoError(t, err)
	require.Equal(t, two, next.Dir())
	require.Equal(t, TopicID{9}, next.TopicID())
	require.Equal(t, []int64{10, 50, 60}, []int64{next.LogStartOffset(), next.HighWatermark(), next.LogEndOffset()})
	require.Equal(t, before, readAll(t, next, 10))
	require.Equal(t, epochs, next.Epochs(), "with the one that has no record yet")
	require.Empty(t, m.Futures())
	_, err = l.AppendAsLeader(produced(t, 1, nil), AppendOptions{})
	require.ErrorIs(t, err, ErrClosed, "the old log is stopped")
	still, err := span.Span.AppendTo(nil)
	require.NoError(t, err)
	require.Equal(t, held, still, "a span that a reader holds")
	span.Span.Release()
	plain, _, deleted := dirNames(t, one)
	require.Equal(t, []int{0, 1}, []int{plain, deleted})
	require.NoFileExists(t, filepath.Join(next.path, movedFile))
	mustAppend(t, next, produced(t, 1, idempotent(7, 0, 60)))
	info := mustAppend(t, next, produced(t, 1, idempotent(7, 0, 60)))
	require.True(t, info.Duplicate, "producers are known in the new directory")

	require.NoError(t, m.Shutdown())
	m = openManager(t, testConfig(), one, two)
	l, ok := m.Log(movedTP)
	require.True(t, ok)
	require.Equal(t, []int64{10, 50, 61}, []int64{l.LogStartOffset(), l.HighWatermark(), l.LogEndOffset()})
}

// A log that was truncated into a batch ends where no batch ends. Its copy ends there, too, in whichever directory it is, and goes on there.
func TestFutureOfALogThatEndsInAGap(t *testing.T) {
	for name, cut := range map[string]int64{"some batches are left": 34, "the last offset of a batch": 59, "only the batch with the log start is left": 13, "no batch is left": 11} {
		t.Run(name, func(t *testing.T) {
			one, two := t.TempDir(), t.TempDir()
			m, l, future := movedLog(t, one, two, true)
			_, err := l.TruncateTo(cut)
			require.NoError(t, err)
			last := cut / 3 * 3
			for last > future.LogEndOffset() {
				fetched, err := l.Read(max(future.LogEndOffset(), l.LogStartOffset()), ReadOptions{MaxBytes: 300, UpTo: cut, MinOneMessage: true})
				require.NoError(t, err)
				data, err := fetched.Span.AppendTo(nil)
				fetched.Span.Release()
				require.NoError(t, err)
				_, err = future.AppendAsFollower(data)
				require.NoError(t, err)
			}
			require.NoError(t, future.SkipTo(cut))
			require.NoError(t, future.SkipTo(3), "nothing goes back")
			want := [3]int64{l.LogStartOffset(), l.HighWatermark(), cut}
			epochs := l.Epochs()
			next, err := m.ReplaceByFuture(movedTP)
			require.NoError(t, err)
			require.Equal(t, want, [3]int64{next.LogStartOffset(), next.HighWatermark(), next.LogEndOffset()})
			require.Equal(t, epochs, next.Epochs())
			fetched, err := next.Read(max(last, want[0]), ReadOptions{MaxBytes: 300, UpTo: cut, MinOneMessage: true})
			require.NoError(t, err)
			require.Zero(t, fetched.Span.Length)
			info := mustAppend(t, next, produced(t, 2, nil))
			require.Equal(t, cut, info.FirstOffset)
			fetched, err = next.Read(max(last, want[0]), ReadOptions{MaxBytes: 300, UpTo: cut + 2, MinOneMessage: true})
			require.NoError(t, err)
			require.Positive(t, fetched.Span.Length)
			fetched.Span.Release()
			require.NoError(t, m.Shutdown())
			m = openManager(t, testConfig(), one, two)
			l, ok := m.Log(movedTP)
			require.True(t, ok)
			require.Equal(t, cut+2, l.LogEndOffset())
		})
	}
}

func TestFutureGoesOnAfterARestart(t *testing.T) {
	for _, clean := range []bool{true, false} {
		one, two := t.TempDir(), t.TempDir()
		m, l, future := movedLog(t, one, two, false)
		copyTo(t, l, future)
		if clean {
			require.NoError(t, m.Shutdown())
		} else {
			m.Abort()
		}
		m = openManager(t, testConfig(), one, two)
		l, ok := m.Log(movedTP)
		require.True(t, ok)
		require.Equal(t, one, l.Dir())
		future, ok = m.Future(movedTP)
		require.True(t, ok)
		require.Equal(t, two, future.Dir())
		copyTo(t, l, future)
		_, err := m.ReplaceByFuture(movedTP)
		require.NoError(t, err)
	}
}

func TestFutureIsDeleted(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	m, _, _ := movedLog(t, one, two, false)
	require.NoError(t, m.DeleteFuture(movedTP))
	require.NoError(t, m.DeleteFuture(movedTP))
	_, future, deleted := dirNames(t, two)
	require.Equal(t, []int{0, 1}, []int{future, deleted})
	_, err := m.CreateFuture(movedTP, two)
	require.NoError(t, err)
	require.NoError(t, m.AsyncDelete(movedTP))
	require.Empty(t, m.Futures(), "it goes with its partition")
	for _, dir := range []string{one, two} {
		plain, future, _ := dirNames(t, dir)
		require.Zero(t, plain+future)
	}
}

func TestFutureErrors(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	m := openManager(t, testConfig(), one, two)
	_, err := m.CreateFuture(movedTP, two)
	require.ErrorIs(t, err, ErrUnknownLog)
	require.ErrorIs(t, m.Prefer(movedTP, "/elsewhere"), ErrLogDirNotFound)
	long := TopicPartition{Topic: strings.Repeat("x", 215)}
	for _, tp := range []TopicPartition{movedTP, long} {
		require.NoError(t, m.Prefer(tp, two))
		l, err := m.GetOrCreate(tp, TopicID{}, true)
		require.NoError(t, err)
		require.Equal(t, two, l.Dir(), "where it was to be made")
		_, err = m.CreateFuture(tp, two)
		require.Error(t, err)
	}
	_, err = m.CreateFuture(long, one)
	require.ErrorIs(t, err, ErrInvalidName)
	_, err = m.CreateFuture(movedTP, "/elsewhere")
	require.ErrorIs(t, err, ErrLogDirNotFound)
	require.True(t, m.FailDir(one, errors.New("broken")))
	_, err = m.CreateFuture(movedTP, one)
	require.ErrorIs(t, err, ErrStorage)
	require.ErrorIs(t, m.Prefer(movedTP, one), ErrStorage)
	require.NoError(t, m.Shutdown())
	_, err = m.CreateFuture(movedTP, two)
	require.ErrorIs(t, err, ErrClosed)
}

// What a crash leaves between any two steps of taking the place.
func TestCrashWhileTakingThePlace(t *testing.T) {
	rename := func(t *testing.T, dir, suffix, to string) {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(dir, "moved-3"+suffix))
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.NoError(t, os.Rename(found[0], filepath.Join(dir, to)))
	}
	const deleted = "moved-3.0123456789abcdef0123456789abcdef-delete"
	for _, c := range []struct {
		name  string
		crash func(t *testing.T, one, two string)
		dir   int // where the log is then
		moves bool
	}{
		{"before anything", func(*testing.T, string, string) {}, 1, true},
		{"marked", func(t *testing.T, one, two string) {
			found, err := filepath.Glob(filepath.Join(two, "moved-3.*-future"))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(found[0], movedFile), []byte(one), 0o600))
		}, 1, true},
		{"both have the name", func(t *testing.T, one, two string) {
			rename(t, two, ".*-future", "moved-3")
			require.NoError(t, os.WriteFile(filepath.Join(two, "moved-3", movedFile), []byte(one), 0o600))
		}, 1, false},
		{"the old one is renamed", func(t *testing.T, one, two string) {
			rename(t, two, ".*-future", "moved-3")
			require.NoError(t, os.WriteFile(filepath.Join(two, "moved-3", movedFile), []byte(one), 0o600))
			rename(t, one, "", deleted)
		}, 2, false},
		{"the old one's disk failed", func(t *testing.T, _, two string) {
			rename(t, two, ".*-future", "moved-3")
			require.NoError(t, os.WriteFile(filepath.Join(two, "moved-3", movedFile), []byte(movedForGood), 0o600))
		}, 2, false},
		{"the end", func(t *testing.T, one, two string) {
			rename(t, two, ".*-future", "moved-3")
			rename(t, one, "", deleted)
		}, 2, false},
	} {
		for _, swapped := range []bool{false, true} { // which directory is looked into first
			one, two := t.TempDir(), t.TempDir()
			m, l, future := movedLog(t, one, two, false)
			copyTo(t, l, future)
			want := readAll(t, l, 10)
			require.NoError(t, l.Flush())
			require.NoError(t, future.Flush())
			m.Abort()
			c.crash(t, one, two)
			dirs := []string{one, two}
			if swapped {
				dirs = []string{two, one}
			}
			m = openManager(t, testConfig(), dirs...)
			l, ok := m.Log(movedTP)
			require.True(t, ok, c.name)
			require.Equal(t, []string{one, two}[c.dir-1], l.Dir(), c.name)
			require.Equal(t, int64(60), l.LogEndOffset(), c.name)
			if c.dir == 1 {
				require.Equal(t, want, readAll(t, l, 10), c.name)
			}
			require.NoFileExists(t, filepath.Join(l.path, movedFile), c.name)
			future, ok = m.Future(movedTP)
			require.Equal(t, c.moves, ok, c.name)
			if ok {
				copyTo(t, l, future)
				l, err := m.ReplaceByFuture(movedTP)
				require.NoError(t, err, c.name)
				require.NoFileExists(t, filepath.Join(l.path, movedFile), c.name)
			}
			require.NoError(t, m.Shutdown())
			openManager(t, testConfig(), dirs...)
		}
	}
}

// Two directories that nobody has marked are somebody's copies: neither is touched. A marked one isn't used while the directory of the one that may be in charge can't be looked into.
func TestTwoDirectoriesOfAPartition(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	m, l, _ := movedLog(t, one, two, false)
	require.NoError(t, m.DeleteFuture(movedTP))
	require.NoError(t, m.Shutdown())
	require.NoError(t, os.CopyFS(filepath.Join(two, "moved-3"), os.DirFS(l.path)))
	c := testConfig()
	c.Dirs = []string{one, two}
	_, err := OpenManager(c)
	require.ErrorContains(t, err, "is in both")

	require.NoError(t, os.WriteFile(filepath.Join(two, "moved-3", movedFile), []byte(one), 0o600))
	require.NoError(t, os.Rename(one, one+"-away"))
	require.NoError(t, os.WriteFile(one, []byte("not a directory"), 0o600))
	m = openManager(t, c, one, two)
	_, ok := m.Log(movedTP)
	require.False(t, ok)
	_, err = m.GetOrCreate(movedTP, TopicID{9}, false)
	require.ErrorIs(t, err, ErrStorage)
	require.NoError(t, m.Shutdown())
	require.NoError(t, os.Remove(one))
	require.NoError(t, os.Rename(one+"-away", one))
	m = openManager(t, c, one, two)
	l, ok = m.Log(movedTP)
	require.True(t, ok)
	require.Equal(t, one, l.Dir())
}
