package commitlog

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/broker/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDirectoryIsLocked(t *testing.T) {
	dir := t.TempDir()
	m := openManager(t, testConfig(), dir)
	c := testConfig()
	c.Dirs = []string{t.TempDir(), dir}
	for range 2 { // the failed attempt doesn't give up the other's lock
		_, err := OpenManager(c)
		require.ErrorIs(t, err, ErrLocked)
	}
	require.NoError(t, m.Shutdown())
	openManager(t, testConfig(), dir)
}

func TestDirectoryOfAnotherBroker(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, openManager(t, testConfig(), dir).Shutdown())
	for _, change := range []func(*ManagerConfig){
		func(c *ManagerConfig) { c.BrokerID = 2 },
		func(c *ManagerConfig) { c.ClusterID = "other" },
	} {
		c := testConfig()
		c.Dirs = []string{dir}
		change(&c)
		_, err := OpenManager(c)
		require.ErrorContains(t, err, "belongs to")
	}
	meta, err := ReadMetaProperties(dir)
	require.NoError(t, err)
	require.Equal(t, MetaProperties{Exists: true, BrokerID: 1, ClusterID: "c"}, meta)
	meta, err = ReadMetaProperties(goldenDir)
	require.NoError(t, err)
	require.Equal(t, MetaProperties{Exists: true, BrokerID: 1, ClusterID: "oZ4fHSCMQKmj2ImTrwmqPw"}, meta)
	meta, err = ReadMetaProperties(filepath.Join(dir, "nothing"))
	require.NoError(t, err)
	require.Equal(t, MetaProperties{BrokerID: -1}, meta)
	require.NoError(t, os.WriteFile(filepath.Join(dir, metaFile), []byte("#\n#x\nversion=1\nnode.id=3\n"), 0o644))
	_, err = ReadMetaProperties(dir)
	require.ErrorIs(t, err, errMalformed, "of a KRaft broker")
}

func TestPropertiesEscapes(t *testing.T) {
	p, err := parseProperties([]byte("# c\n a\\=b : x\\:y\\u0041 \nempty\n k=v=w\\\\\n"))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a=b": "x:yA", "empty": "", "k": `v=w\`}, p)
	for _, s := range []string{"a=b:c#!", `\`, "x\ny"} {
		p, err := parseProperties([]byte("k=" + escapeProperty(s)))
		require.NoError(t, err)
		require.Equal(t, s, p["k"])
	}
}

func TestStrangeDirectories(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "not a replica"), 0o755))
	c := testConfig()
	c.Dirs = []string{dir}
	_, err := OpenManager(c)
	require.ErrorIs(t, err, errNotReplicaDir)
	require.NoError(t, os.Remove(filepath.Join(dir, "not a replica")))
	hex := strings.Repeat("0a", 16)
	for _, name := range []string{"remote-log-index-cache", "t-0." + hex + "-future", "t-1." + hex + "-stray", "t-2." + hex + "-delete"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	m := openManager(t, c, dir)
	require.Empty(t, m.Logs())
	m.RemoveDeleted(testTime.Add(time.Minute))
	names, err := readNames(dir)
	require.NoError(t, err)
	require.NotContains(t, names, "t-2."+hex+"-delete")
	require.Contains(t, names, "t-1."+hex+"-stray")
}

func TestReplicaDirNames(t *testing.T) {
	hex := strings.Repeat("0123456789abcdef", 2)
	for name, want := range map[string]struct {
		tp   TopicPartition
		kind dirKind
	}{
		"a-0":                      {TopicPartition{"a", 0}, dirReplica},
		"a-b.c-12":                 {TopicPartition{"a-b.c", 12}, dirReplica},
		"a-delete-1":               {TopicPartition{"a-delete", 1}, dirReplica},
		"a-0." + hex + "-delete":   {TopicPartition{"a", 0}, dirDelete},
		"a.b-3." + hex + "-future": {TopicPartition{"a.b", 3}, dirFuture},
		"a-0." + hex + "-stray":    {TopicPartition{"a", 0}, dirStray},
		"__consumer_offsets-49":    {TopicPartition{"__consumer_offsets", 49}, dirReplica},
		"x-0.delete-2147483647":    {TopicPartition{"x-0.delete", math.MaxInt32}, dirReplica},
		"-0." + hex + "-delete":    {TopicPartition{"", 0}, dirDelete},
	} {
		tp, kind, err := parseReplicaDir(name)
		require.NoError(t, err, name)
		require.Equal(t, want.tp, tp)
		require.Equal(t, want.kind, kind)
	}
	for _, name := range []string{"a", "a-", "-1", "a-x", "a-2147483648", "a-delete", "a-0.zz-delete"} {
		_, _, err := parseReplicaDir(name)
		require.ErrorIs(t, err, errNotReplicaDir, name)
	}
	long := suffixedDirName(TopicPartition{strings.Repeat("n", 249), 7}, TopicID{1}, deleteDirSuffix)
	require.Len(t, long, maxDirName)
	tp, kind, err := parseReplicaDir(long)
	require.NoError(t, err)
	require.Equal(t, dirDelete, kind)
	require.Equal(t, int32(7), tp.Partition)
}

func TestCheckpointFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c")
	offsets := map[TopicPartition]int64{{"b", 10}: 5, {"b", 9}: 7, {"a", 0}: math.MaxInt64}
	require.Equal(t, "0\n3\na 0 9223372036854775807\nb 9 7\nb 10 5\n", string(formatOffsets(offsets)))
	require.NoError(t, replaceFile(path, formatOffsets(offsets), true))
	got, err := readOffsets(path)
	require.NoError(t, err)
	require.Equal(t, offsets, got)
	for content, good := range map[string]bool{
		"": true, "0\n0\n": true, "0\n1\na 0 1\n": true, "0\n1\na 0 1": true, "0\n1\na  0\t1\n": true,
		"1\n0\n": false, "0\n": false, "0\n2\na 0 1\n": false, "0\n0\na 0 1\n": false, "0\n1\na 0\n": false,
		"0\n1\na 0 1 2\n": false, "0\n1\na x 1\n": false, "0\n1\na 0 y\n": false, "x": false, "0\n-1\n": false,
	} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
		_, err := readOffsets(path)
		require.Equal(t, good, err == nil, "%q: %v", content, err)
	}
	got, err = readOffsets(path + "nothing")
	require.NoError(t, err)
	require.Empty(t, got)
}

// DeleteRecords isn't undone by kill -9, whatever else was or wasn't written.
func TestDeletedRecordsStayDeleted(t *testing.T) {
	dir := t.TempDir()
	m := openManager(t, testConfig(), dir)
	l, err := m.GetOrCreate(testPartition, TopicID{}, true)
	require.NoError(t, err)
	for range 10 {
		mustAppend(t, l, produced(t, 1, nil))
	}
	l.SetHighWatermark(8)
	require.ErrorIs(t, l.DeleteRecords(9), ErrOffsetOutOfRange)
	require.NoError(t, l.DeleteRecords(5))
	require.NoError(t, l.DeleteRecords(4), "less changes nothing")
	m.Abort()
	m = openManager(t, testConfig(), dir)
	l, _ = m.Log(testPartition)
	require.Equal(t, int64(5), l.LogStartOffset())
	require.Equal(t, int64(10), l.LogEndOffset())
	_, err = l.Read(4, ReadOptions{MaxBytes: 1, UpTo: 10})
	require.ErrorIs(t, err, ErrOffsetOutOfRange)

	// A topic that is made again under the name begins at 0.
	require.NoError(t, m.AsyncDelete(testPartition))
	require.ErrorIs(t, m.AsyncDelete(testPartition), ErrUnknownLog)
	l, err = m.GetOrCreate(testPartition, TopicID{}, true)
	require.NoError(t, err)
	mustAppend(t, l, produced(t, 1, nil))
	m.Abort()
	m = openManager(t, testConfig(), dir)
	l, _ = m.Log(testPartition)
	require.Equal(t, int64(0), l.LogStartOffset())
	require.Equal(t, int64(1), l.LogEndOffset())
}

func TestTopicIDs(t *testing.T) {
	dir := t.TempDir()
	m := openManager(t, testConfig(), dir)
	l, err := m.GetOrCreate(testPartition, TopicID{}, true)
	require.NoError(t, err)
	require.True(t, l.TopicID().IsZero())
	same, err := m.GetOrCreate(testPartition, TopicID{5}, false)
	require.NoError(t, err)
	require.Same(t, l, same)
	_, err = m.GetOrCreate(testPartition, TopicID{6}, false)
	require.ErrorIs(t, err, ErrInconsistentTopicID)
	m.Abort()
	m = openManager(t, testConfig(), dir)
	l, _ = m.Log(testPartition)
	require.Equal(t, TopicID{5}, l.TopicID())
	id, err := ParseTopicID("W-6Q0_eJTUSqPlhxK8eZ1w")
	require.NoError(t, err)
	require.Equal(t, "W-6Q0_eJTUSqPlhxK8eZ1w", id.String())
	for _, bad := range []string{"", "x", "W-6Q0_eJTUSqPlhxK8eZ1", "W+6Q0/eJTUSqPlhxK8eZ1w"} {
		_, err = ParseTopicID(bad)
		require.Error(t, err, bad)
	}
}

func TestHighWatermarkCheckpoint(t *testing.T) {
	dir := t.TempDir()
	m := openManager(t, testConfig(), dir)
	for i := range int32(3) {
		l, err := m.GetOrCreate(TopicPartition{"t", i}, TopicID{}, true)
		require.NoError(t, err)
		for range 5 {
			mustAppend(t, l, produced(t, 1, nil))
		}
		require.Equal(t, int64(i), l.SetHighWatermark(int64(i)))
		require.Equal(t, int64(i), l.SetHighWatermark(0), "it doesn't fall")
		if i == 2 {
			require.Equal(t, int64(5), l.SetHighWatermark(77), "nor does it pass the end")
		}
	}
	require.NoError(t, m.ReplaceHighWatermarks(map[TopicPartition]int64{{"t", 0}: 2, {"t", 1}: 3, {"u", 0}: 9}))
	got, err := m.ReadHighWatermarks()
	require.NoError(t, err)
	require.Equal(t, map[TopicPartition]int64{{"t", 0}: 2, {"t", 1}: 3, {"t", 2}: 5}, got)
	m.Abort()
	require.NoError(t, os.WriteFile(filepath.Join(dir, highWatermarkFile), []byte("0\n2\nt 0 2\nt 1 99\n"), 0o644))
	m = openManager(t, testConfig(), dir)
	for i, want := range []int64{2, 5, 0} {
		l, _ := m.Log(TopicPartition{"t", int32(i)})
		require.Equal(t, want, l.HighWatermark())
	}
}

// An error of the file system takes the directory offline: whoever asks it is refused at once, the other directories go on.
func TestDirectoryFails(t *testing.T) {
	var failed []string
	c := testConfig()
	c.Hooks.DirFailed = func(dir string, err error) {
		require.Error(t, err)
		failed = append(failed, dir)
	}
	dirs := []string{t.TempDir(), t.TempDir()}
	m := openManager(t, c, dirs...)
	one, err := m.GetOrCreate(TopicPartition{"t", 0}, TopicID{}, true)
	require.NoError(t, err)
	two, err := m.GetOrCreate(TopicPartition{"t", 1}, TopicID{}, true)
	require.NoError(t, err)
	require.NotEqual(t, one.Dir(), two.Dir(), "logs are spread")
	mustAppend(t, one, produced(t, 1, nil))
	mustAppend(t, two, produced(t, 1, nil))

	require.NoError(t, one.active().files.open.f.Close()) // the next write fails as on a broken disk
	_, err = one.AppendAsLeader(produced(t, 1, nil), AppendOptions{Now: testTime})
	require.ErrorIs(t, err, ErrStorage)
	require.Equal(t, int64(1), one.LogEndOffset())
	require.Equal(t, []string{one.Dir()}, failed)
	require.Equal(t, []string{one.Dir()}, m.OfflineDirs())
	require.Equal(t, []string{two.Dir()}, m.LiveDirs())
	_, err = one.Read(0, ReadOptions{MaxBytes: 1, UpTo: 1})
	require.ErrorIs(t, err, ErrStorage)
	_, err = one.AppendAsFollower(produced(t, 1, nil))
	require.ErrorIs(t, err, ErrStorage)
	_, err = one.TruncateTo(0)
	require.ErrorIs(t, err, ErrStorage)
	require.ErrorIs(t, one.Flush(), ErrStorage)
	require.ErrorIs(t, one.DeleteRecords(0), ErrStorage)
	require.ErrorIs(t, m.AsyncDelete(TopicPartition{"t", 0}), ErrStorage)
	require.Len(t, failed, 1, "told once")

	_, err = m.GetOrCreate(TopicPartition{"t", 2}, TopicID{}, false)
	require.ErrorIs(t, err, ErrStorage, "it may be on the directory that failed")
	three, err := m.GetOrCreate(TopicPartition{"t", 2}, TopicID{}, true)
	require.NoError(t, err)
	require.Equal(t, two.Dir(), three.Dir())
	info := m.Dirs()
	require.Len(t, info, 2)
	for _, d := range info {
		if d.Path == one.Dir() {
			require.ErrorIs(t, d.Err, ErrStorage)
			continue
		}
		require.NoError(t, d.Err)
		require.Len(t, d.Logs, 2)
		require.Positive(t, d.TotalBytes)
		require.Positive(t, d.UsableBytes)
		require.Equal(t, LogInfo{TopicPartition{"t", 1}, two.Size(), false, 0}, d.Logs[0])
	}
	require.NoError(t, m.Shutdown())
	require.NoFileExists(t, filepath.Join(one.Dir(), cleanShutdownFile))
	require.FileExists(t, filepath.Join(two.Dir(), cleanShutdownFile))
}

// A directory that can't be used at the start is offline; with none left there is no manager.
func TestUnusableDirectories(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	c := testConfig()
	c.Dirs = []string{file}
	_, err := OpenManager(c)
	require.ErrorIs(t, err, ErrStorage)
	c.Dirs = []string{file, t.TempDir()}
	m, err := OpenManager(c)
	require.NoError(t, err)
	require.Equal(t, []string{file}, m.OfflineDirs())
	require.NoError(t, m.Shutdown())

	c.Dirs = []string{t.TempDir(), t.TempDir()}
	require.NoError(t, os.WriteFile(filepath.Join(c.Dirs[0], logStartFile), []byte("0\n1\n"), 0o644))
	var told []error
	c.Hooks.Error = func(_ string, err error) { told = append(told, err) }
	m, err = OpenManager(c)
	require.NoError(t, err)
	require.Len(t, told, 1, "a checkpoint file that is broken is told and done without")
	require.Empty(t, m.OfflineDirs())
	m.Abort()
	_, err = OpenManager(ManagerConfig{})
	require.Error(t, err)
}

func TestPartitionInTwoDirectories(t *testing.T) {
	c := testConfig()
	c.Dirs = []string{t.TempDir(), t.TempDir()}
	for _, dir := range c.Dirs {
		require.NoError(t, os.Mkdir(filepath.Join(dir, "t-0"), 0o755))
	}
	_, err := OpenManager(c)
	require.ErrorContains(t, err, "is in both")
}

func TestBadPartitionNames(t *testing.T) {
	m := openManager(t, testConfig(), t.TempDir())
	for _, topic := range []string{"", "a/b", "../x", strings.Repeat("x", 300)} {
		_, err := m.GetOrCreate(TopicPartition{topic, 0}, TopicID{}, true)
		require.Error(t, err, topic)
	}
	require.Empty(t, m.OfflineDirs())
}

// The background work happens at its time, and ends with the context.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := testConfig()
		c.Now = time.Now
		c.Defaults.FlushMs = 2000
		c.Defaults.RetentionMs = 3600_000
		c.Defaults.FileDeleteDelayMs = 60_000
		c.Dirs = []string{dir}
		m, err := OpenManager(c)
		require.NoError(t, err)
		defer m.Abort()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.Run(ctx)
		}()
		l, err := m.GetOrCreate(testPartition, TopicID{9}, true)
		require.NoError(t, err)
		b, err := record.Build(record.BuilderOptions{PartitionLeaderEpoch: -1}, record.Record{Timestamp: time.Now().UnixMilli(), Value: []byte("v")})
		require.NoError(t, err)
		_, err = l.AppendAsLeader(b, AppendOptions{Now: time.Now(), LeaderEpoch: 4})
		require.NoError(t, err)
		l.SetHighWatermark(1)
		path := filepath.Join(dir, "t-0")

		// A log without records and flush.ms has nobody else to write its id.
		idle, err := m.GetOrCreate(TopicPartition{"idle", 0}, TopicID{9}, true)
		require.NoError(t, err)
		defaults := idle.Config()
		defaults.FlushMs = math.MaxInt64
		idle.SetConfig(defaults)
		wait(1500 * time.Millisecond)
		require.NoFileExists(t, filepath.Join(idle.path, partitionFile))
		require.NoFileExists(t, filepath.Join(dir, highWatermarkFile))
		wait(5 * time.Second)
		require.FileExists(t, filepath.Join(path, epochFile))
		require.FileExists(t, filepath.Join(path, partitionFile))
		require.FileExists(t, filepath.Join(idle.path, epochFile))
		require.FileExists(t, filepath.Join(idle.path, partitionFile))
		require.Equal(t, int64(1), l.RecoveryPoint(), "flush.ms")
		offsets, err := m.ReadHighWatermarks()
		require.NoError(t, err)
		require.Equal(t, map[TopicPartition]int64{testPartition: 1, idle.tp: 0}, offsets)
		wait(time.Minute)
		points, err := readOffsets(filepath.Join(dir, recoveryPointFile))
		require.NoError(t, err)
		require.Equal(t, map[TopicPartition]int64{testPartition: 1, idle.tp: 0}, points)
		wait(2 * time.Minute)
		require.Zero(t, m.shared.files.count(), "idle")
		wait(65 * time.Minute)
		require.Equal(t, []int64{1}, l.SegmentBases(), "retention")
		require.NoFileExists(t, filepath.Join(path, fileName(0, logSuffix+deletedSuffix)))
		require.Equal(t, int64(1), l.RecoveryPoint())
		require.NoError(t, m.AsyncDelete(testPartition))
		wait(62 * time.Second)
		names, err := readNames(dir)
		require.NoError(t, err)
		for _, name := range names {
			require.NotContains(t, name, "t-0")
		}
		cancel()
		<-done
	})
}

// A manager with nothing to do sleeps but for retention and the expiry of producers; what is asked for wakes it once, however often that is.
func TestIdleManagerSleeps(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := testConfig()
		c.Now = time.Now
		c.Defaults.RetentionMs = -1
		c.Dirs = []string{dir}
		m, err := OpenManager(c)
		require.NoError(t, err)
		defer m.Abort()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.Run(ctx)
		}()
		defer func() { cancel(); <-done }()
		l, err := m.GetOrCreate(testPartition, TopicID{9}, true)
		require.NoError(t, err)
		appendOne := func() {
			b, err := record.Build(record.BuilderOptions{PartitionLeaderEpoch: -1}, record.Record{Timestamp: time.Now().UnixMilli(), Value: []byte("v")})
			require.NoError(t, err)
			info, err := l.AppendAsLeader(b, AppendOptions{Now: time.Now(), LeaderEpoch: 4})
			require.NoError(t, err)
			l.SetHighWatermark(info.LastOffset + 1)
		}
		appendOne()
		wait(10 * time.Minute)
		before := m.Wakeups()
		const week = 7 * 24 * time.Hour
		wait(week)
		idle := m.Wakeups() - before
		require.InDelta(t, uint64(week/(5*time.Minute)+week/(10*time.Minute)), idle, 2)

		before = m.Wakeups()
		for range 600 {
			appendOne()
			wait(100 * time.Millisecond)
		}
		require.Less(t, m.Wakeups()-before, uint64(60), "a minute of appends: a checkpoint of the high watermark every five seconds, and little else")
	})
}

// The checkpoint of high watermarks is written within its interval after one has moved, also when that was right after the last time.
func TestCheckpointAfterEveryMove(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := testConfig()
		c.Now = time.Now
		c.Dirs = []string{dir}
		m, err := OpenManager(c)
		require.NoError(t, err)
		defer m.Abort()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.Run(ctx)
		}()
		defer func() { cancel(); <-done }()
		l, err := m.GetOrCreate(testPartition, TopicID{9}, true)
		require.NoError(t, err)
		for i := range int64(20) {
			b, err := record.Build(record.BuilderOptions{PartitionLeaderEpoch: -1}, record.Record{Timestamp: time.Now().UnixMilli(), Value: []byte("v")})
			require.NoError(t, err)
			_, err = l.AppendAsLeader(b, AppendOptions{Now: time.Now()})
			require.NoError(t, err)
			l.SetHighWatermark(i + 1)
			wait(5*time.Second + time.Duration(i)*100*time.Millisecond)
			offsets, err := m.ReadHighWatermarks()
			require.NoError(t, err)
			require.Equal(t, i+1, offsets[testPartition])
		}
	})
}

// wait lets virtual time pass in a bubble.
func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// What a cleanly closed directory holds is what storage.md §17 asks for.
func TestFilesAfterCleanShutdown(t *testing.T) {
	dir := t.TempDir()
	m := openManager(t, testConfig(), dir)
	_, err := m.GetOrCreate(testPartition, TopicID{1}, true)
	require.NoError(t, err)
	l, err := m.GetOrCreate(TopicPartition{"t", 1}, TopicID{2}, true)
	require.NoError(t, err)
	mustAppend(t, l, produced(t, 1, nil))
	require.NoError(t, m.Shutdown())
	require.NoError(t, m.Shutdown(), "again")
	var files []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if !d.IsDir() {
			st, _ := d.Info()
			files = append(files, fmt.Sprintf("%s %d", strings.TrimPrefix(path, dir+"/"), st.Size()))
		}
		return err
	}))
	require.Equal(t, []string{
		".kafka_cleanshutdown 30", ".lock 0", "log-start-offset-checkpoint 4", "meta.properties 35", "recovery-point-offset-checkpoint 16",
		"replication-offset-checkpoint 16",
		"t-0/00000000000000000000.index 0", "t-0/00000000000000000000.log 0", "t-0/00000000000000000000.timeindex 0", "t-0/leader-epoch-checkpoint 4", "t-0/partition.metadata 43",
		"t-1/00000000000000000000.index 0", fmt.Sprintf("t-1/00000000000000000000.log %d", l.Size()), "t-1/00000000000000000000.timeindex 12",
		"t-1/00000000000000000001.snapshot 10", "t-1/leader-epoch-checkpoint 8", "t-1/partition.metadata 43",
	}, files)
	_, err = m.GetOrCreate(TopicPartition{"t", 9}, TopicID{}, true)
	require.ErrorIs(t, err, ErrClosed)
}

// Logs are made side by side: each once, spread evenly over the directories, whoever asks first.
func TestManyAreMadeAtOnce(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir()}
	m := openManager(t, testConfig(), dirs...)
	const partitions, askers = 100, 4
	made := make([][askers]*Log, partitions)
	var asking sync.WaitGroup
	for a := range askers {
		asking.Go(func() {
			for i := range partitions {
				l, err := m.GetOrCreate(TopicPartition{"t", int32(i)}, TopicID{1}, true)
				if err != nil {
					t.Errorf("partition %d: %v", i, err)
				}
				made[i][a] = l
			}
		})
	}
	asking.Wait()
	perDir := map[string]int{}
	for i := range partitions {
		for a := range askers {
			require.Same(t, made[i][0], made[i][a])
		}
		perDir[made[i][0].Dir()]++
	}
	require.Equal(t, map[string]int{dirs[0]: partitions / 2, dirs[1]: partitions / 2}, perDir)
	for i := range partitions / 2 {
		if l, ok := m.Log(TopicPartition{"t", int32(i)}); ok && l.Dir() == dirs[0] {
			require.NoError(t, m.AsyncDelete(l.TopicPartition()))
		}
	}
	l, err := m.GetOrCreate(TopicPartition{"u", 0}, TopicID{2}, true)
	require.NoError(t, err)
	require.Equal(t, dirs[0], l.Dir(), "the one that has become emptier")
	_, err = m.GetOrCreate(TopicPartition{"u", 0}, TopicID{3}, true)
	require.ErrorIs(t, err, ErrInconsistentTopicID)
}
