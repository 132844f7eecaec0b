package commitlog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"
)

// ManagerConfig is what a Manager needs. The zero value of everything but Dirs and Defaults is usable.
type ManagerConfig struct {
	// Dirs are log.dirs: made if they don't exist, locked while the manager is open.
	Dirs []string
	// BrokerID and ClusterID must be those of each directory's meta.properties, which is written where there is none. An empty ClusterID isn't compared.
	BrokerID  int32
	ClusterID string
	// Defaults is the configuration of logs that ConfigFor doesn't know.
	Defaults Config
	// ConfigFor returns a log's configuration; nil means Defaults. It is called when a log is opened.
	ConfigFor func(tp TopicPartition) Config
	// RecoveryThreads is num.recovery.threads.per.data.dir. At least as many as there are CPUs are used.
	RecoveryThreads int
	// OpenFiles limits how many .log files are kept open; 0 means 4096.
	OpenFiles int
	// ProducerExpiration is producer.id.expiration.ms; 0 means a day.
	ProducerExpiration time.Duration
	// Intervals are how often Run does what.
	Intervals Intervals
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Hooks are told what happens.
	Hooks Hooks
}

// Intervals are the periods of the manager's background tasks; 0 means Kafka's default, negative never.
type Intervals struct {
	Retention                time.Duration // log.retention.check.interval.ms, 5 min
	InitialDelay             time.Duration // log.initial.task.delay.ms, 30 s: before the first retention
	RecoveryPoints           time.Duration // log.flush.offset.checkpoint.interval.ms, 1 min
	LogStarts                time.Duration // log.flush.start.offset.checkpoint.interval.ms, 1 min
	HighWatermarks           time.Duration // replica.high.watermark.checkpoint.interval.ms, 5 s
	Flush                    time.Duration // log.flush.scheduler.interval.ms; 0 means one second, as flush.ms decides
	ProducerExpiration       time.Duration // producer.id.expiration.check.interval.ms, 10 min
	CloseIdleFilesAfterAbout time.Duration // our own: files unused for this long, or up to twice as long, are closed; 1 min
}

const (
	defaultOpenFiles          = 4096
	defaultProducerExpiration = 24 * time.Hour
	syncWholeFileSystemFrom   = 32 // more logs than this are synced by one syncfs
)

// Manager owns the log directories of a broker and the logs in them.
type Manager struct {
	config ManagerConfig
	shared *shared
	dirs   []*logDir

	mu struct {
		sync.RWMutex
		logs   map[TopicPartition]*Log
		making map[TopicPartition]*making
		// futures are the logs that grow in another directory; preferred is where logs are to be made that aren't here yet.
		futures   map[TopicPartition]*Log
		preferred map[TopicPartition]*logDir
		counts    map[*logDir]int // of logs, with those that are being made
		closed    bool
	}

	creating sync.RWMutex // held shared while a log is made, alone while one is deleted and to close

	removals struct {
		sync.Mutex
		list []removal
	}
	rolled struct {
		sync.Mutex
		logs map[*Log]struct{}
		wake chan struct{}
	}
}

// removal is a file or directory that is to be removed at a time.
type removal struct {
	path string
	due  time.Time
}

// OpenManager locks the directories and loads all logs. A directory that can't be used is offline from the start (see OfflineDirs), but one that is in use by another
// process, belongs to another broker or cluster, or holds a directory that is no replica's is an error, and so is having none left.
func OpenManager(config ManagerConfig) (*Manager, error) {
	if len(config.Dirs) == 0 {
		return nil, errors.New("no log directories")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	config.OpenFiles = cmp.Or(config.OpenFiles, defaultOpenFiles)
	config.ProducerExpiration = cmp.Or(config.ProducerExpiration, defaultProducerExpiration)
	config.Intervals = config.Intervals.withDefaults()
	m := &Manager{config: config, shared: newShared(config.OpenFiles)}
	m.mu.logs, m.mu.making, m.mu.counts = map[TopicPartition]*Log{}, map[TopicPartition]*making{}, map[*logDir]int{}
	m.mu.futures, m.mu.preferred = map[TopicPartition]*Log{}, map[TopicPartition]*logDir{}
	m.rolled.logs = map[*Log]struct{}{}
	m.rolled.wake = make(chan struct{}, 1)
	for _, path := range config.Dirs {
		m.dirs = append(m.dirs, newLogDir(filepath.Clean(path), config.Hooks.DirFailed))
	}
	err := m.open()
	if err == nil && len(m.LiveDirs()) == 0 {
		err = errors.New("no log directory can be used")
		for _, d := range m.dirs {
			err = errors.Join(err, d.offline())
		}
	}
	if err != nil {
		m.Abort()
		return nil, err
	}
	return m, nil
}

// open takes every directory, and then loads them side by side.
func (m *Manager) open() error {
	var todo []*loading
	for _, d := range m.dirs {
		if err := m.takeDir(d); err != nil {
			return err
		}
		if d.offline() != nil {
			continue
		}
		logs, err := m.listDir(d)
		if err != nil {
			return err
		}
		todo = append(todo, logs...)
	}
	todo, err := m.settle(todo)
	if err != nil {
		return err
	}
	m.loadAll(todo)
	return nil
}

// settle leaves one directory for each partition, and one for its future.
func (m *Manager) settle(found []*loading) ([]*loading, error) {
	type slot struct {
		tp     TopicPartition
		future bool
	}
	bySlot := map[slot]*loading{}
	for _, one := range found {
		at := slot{one.log.tp, one.log.future}
		other := bySlot[at]
		if other == nil {
			bySlot[at] = one
			continue
		}
		kept, err := m.settleMoved(other, one)
		if err != nil {
			return nil, err
		}
		bySlot[at] = kept
	}
	return slices.DeleteFunc(found, func(one *loading) bool {
		return bySlot[slot{one.log.tp, one.log.future}] != one
	}), nil
}

// takeDir makes sure that a directory exists, is ours alone, and belongs to this broker.
func (m *Manager) takeDir(d *logDir) error {
	if err := os.MkdirAll(d.path, 0o755); err != nil {
		_ = d.fail(err)
		return nil
	}
	lock, err := LockDir(d.path)
	if errors.Is(err, ErrLocked) {
		return err
	}
	if err != nil {
		_ = d.fail(err)
		return nil
	}
	d.lock = lock
	meta, err := ReadMetaProperties(d.path)
	if err != nil {
		if errors.Is(err, errMalformed) {
			return err
		}
		_ = d.fail(err)
		return nil
	}
	switch {
	case !meta.Exists:
		if err := WriteMetaProperties(d.path, MetaProperties{BrokerID: m.config.BrokerID, ClusterID: m.config.ClusterID}); err != nil {
			_ = d.fail(err)
		}
	case meta.BrokerID >= 0 && meta.BrokerID != m.config.BrokerID:
		return fmt.Errorf("%s belongs to broker %d, not %d", d.path, meta.BrokerID, m.config.BrokerID)
	case meta.ClusterID != "" && m.config.ClusterID != "" && meta.ClusterID != m.config.ClusterID:
		return fmt.Errorf("%s belongs to cluster %s, not %s", d.path, meta.ClusterID, m.config.ClusterID)
	}
	return nil
}

// loading is a log that is to be loaded.
type loading struct {
	log     *Log
	options loadOptions
}

// listDir reads a directory's checkpoints and finds its logs. The clean shutdown marker goes first: from here on a crash is one.
func (m *Manager) listDir(d *logDir) ([]*loading, error) {
	clean := true
	err := os.Remove(filepath.Join(d.path, cleanShutdownFile))
	if errors.Is(err, fs.ErrNotExist) {
		clean, err = false, nil
	} else if err == nil {
		err = syncDir(d.path)
	}
	_ = d.fail(err)
	read := func(name string) map[TopicPartition]int64 {
		offsets, err := readOffsets(filepath.Join(d.path, name))
		if err == nil {
			return offsets
		}
		if !errors.Is(err, errMalformed) {
			_ = d.fail(err)
		} else if f := m.config.Hooks.Error; f != nil {
			f("read checkpoint", err)
		}
		return nil
	}
	recoveryPoints, logStarts, highWatermarks := read(recoveryPointFile), read(logStartFile), read(highWatermarkFile)
	entries, err := os.ReadDir(d.path)
	if err != nil {
		_ = d.fail(err)
	}
	if d.failed.Load() != nil {
		return nil, nil
	}
	var todo []*loading
	for _, e := range entries {
		name := e.Name()
		if !e.IsDir() || name == "remote-log-index-cache" || name == "__cluster_metadata-0" || name == "lost+found" {
			continue
		}
		tp, kind, err := parseReplicaDir(name)
		if err != nil {
			return nil, fmt.Errorf("log directory %s: %w", d.path, err)
		}
		path := filepath.Join(d.path, name)
		switch kind {
		case dirDelete:
			m.removeLater([]string{path}, msDuration(m.config.Defaults.FileDeleteDelayMs))
		case dirReplica:
			todo = append(todo, &loading{m.newLog(d, tp), loadOptions{clean, recoveryPoints[tp], logStarts[tp], highWatermarks[tp], true}})
		case dirFuture:
			todo = append(todo, &loading{m.newFuture(d, tp, name), loadOptions{clean, recoveryPoints[tp], logStarts[tp], highWatermarks[tp], false}})
		case dirStray: // another program's business
		}
	}
	return todo, nil
}

func (m *Manager) newLog(d *logDir, tp TopicPartition) *Log {
	l := &Log{tp: tp, name: tp.String(), dir: d, shared: m.shared, host: m, jitter: jitter}
	l.path = filepath.Join(d.path, l.name)
	c := m.config.Defaults
	if f := m.config.ConfigFor; f != nil {
		c = f(tp)
	}
	l.config.Store(&c)
	l.epochs.chores = m.shared.chores
	l.topicID.Store(&TopicID{})
	l.producers.init()
	return l
}

// jitter returns a random part of limitMs, so that not all segments roll at once.
func jitter(limitMs int64) int64 {
	if limitMs <= 0 {
		return 0
	}
	return mathrand.Int64N(limitMs)
}

// loadAll loads logs with several goroutines. A log that can't be loaded takes its directory offline.
func (m *Manager) loadAll(todo []*loading) {
	workers := min(max(m.config.RecoveryThreads*len(m.dirs), runtime.GOMAXPROCS(0)), len(todo))
	work := make(chan *loading)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for one := range work {
				m.loadOne(one)
			}
		})
	}
	for _, one := range todo {
		work <- one
	}
	close(work)
	group.Wait()
}

func (m *Manager) loadOne(one *loading) {
	l := one.log
	if l.dir.offline() != nil {
		return
	}
	if err := l.load(one.options); errors.Is(err, errNotInCharge) {
		return
	} else if err != nil {
		_ = l.dir.takeOffline(fmt.Errorf("load %s: %w", l.name, err))
		return
	}
	l.checkpointed.Store(one.options.recoveryPoint)
	m.mu.Lock()
	if l.future {
		m.mu.futures[l.tp] = l
	} else {
		m.mu.logs[l.tp] = l
	}
	m.mu.counts[l.dir]++
	m.mu.Unlock()
}

// Log returns a partition's log.
func (m *Manager) Log(tp TopicPartition) (*Log, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	l, ok := m.mu.logs[tp]
	return l, ok
}

// Logs returns all logs, in the order of their partitions.
func (m *Manager) Logs() []*Log {
	logs := slices.DeleteFunc(m.each(nil), func(l *Log) bool { return l.future })
	slices.SortFunc(logs, func(a, b *Log) int { return a.tp.compare(b.tp) })
	return logs
}

// each returns the logs of a directory, nil for all, and the future ones.
func (m *Manager) each(d *logDir) []*Log {
	m.mu.RLock()
	defer m.mu.RUnlock()
	logs := make([]*Log, 0, len(m.mu.logs))
	for _, l := range m.mu.logs {
		if d == nil || l.dir == d {
			logs = append(logs, l)
		}
	}
	for _, l := range m.mu.futures {
		if d == nil || l.dir == d {
			logs = append(logs, l)
		}
	}
	return logs
}

// making is a log that is being made. log and err are set when done is closed.
type making struct {
	done chan struct{}
	log  *Log
	err  error
}

// GetOrCreate returns a partition's log, which it makes if there is none, in the live directory with the fewest logs. isNew tells that the partition is new in the
// cluster; otherwise, with a directory offline, the log may be on that one, and ErrStorage is returned rather than an empty log made. ErrInconsistentTopicID when the log
// has another topic id; one without takes id. Logs of different partitions are made at the same time.
func (m *Manager) GetOrCreate(tp TopicPartition, id TopicID, isNew bool) (*Log, error) {
	if l, ok := m.Log(tp); ok {
		return l, l.AssignTopicID(id)
	}
	m.creating.RLock()
	defer m.creating.RUnlock()
	m.mu.Lock()
	if l, ok := m.mu.logs[tp]; ok {
		m.mu.Unlock()
		return l, l.AssignTopicID(id)
	}
	if other := m.mu.making[tp]; other != nil {
		m.mu.Unlock()
		<-other.done
		if other.err != nil {
			return nil, other.err
		}
		return other.log, other.log.AssignTopicID(id)
	}
	d, err := m.dirForNewLocked(tp, isNew)
	if err != nil {
		m.mu.Unlock()
		return nil, err
	}
	mine := &making{done: make(chan struct{})}
	m.mu.making[tp] = mine
	m.mu.counts[d]++
	m.mu.Unlock()

	mine.log, mine.err = m.create(d, tp, id)
	m.mu.Lock()
	delete(m.mu.making, tp)
	if mine.err != nil {
		m.mu.counts[d]--
	} else {
		m.mu.logs[tp] = mine.log
		delete(m.mu.preferred, tp)
	}
	m.mu.Unlock()
	close(mine.done)
	if mine.err != nil {
		return nil, mine.err
	}
	for _, c := range [...]chore{metadata, highWatermarks, recoveryPoints} {
		m.shared.chores.want(c)
	}
	return mine.log, nil
}

// create makes an empty log in a directory.
func (m *Manager) create(d *logDir, tp TopicPartition, id TopicID) (*Log, error) {
	l := m.newLog(d, tp)
	if !id.IsZero() {
		l.topicID.Store(&id)
		l.idDirty = true
	}
	if _, kind, err := parseReplicaDir(l.name); err != nil || kind != dirReplica || len(l.name) > maxDirName || filepath.Base(l.path) != l.name {
		return nil, fmt.Errorf("partition %q can't be a directory's name", l.name)
	}
	err := os.Mkdir(l.path, 0o755)
	if err == nil {
		l.epochs.path = filepath.Join(l.path, epochFile)
		l.epochs.mu.dirty = true
		err = l.startEmpty(0, m.now())
	}
	if err != nil {
		return nil, d.fail(fmt.Errorf("create %s: %w", l.name, err))
	}
	return l, nil
}

// dirForNewLocked chooses the directory of a new log.
func (m *Manager) dirForNewLocked(tp TopicPartition, isNew bool) (*logDir, error) {
	if m.mu.closed {
		return nil, ErrClosed
	}
	var best *logDir
	for _, d := range m.dirs {
		if err := d.offline(); err != nil {
			if !isNew {
				return nil, err
			}
			continue
		}
		if best == nil || m.mu.counts[d] < m.mu.counts[best] {
			best = d
		}
	}
	if best == nil {
		return nil, m.dirs[0].offline()
	}
	if d := m.mu.preferred[tp]; d != nil && d.offline() == nil {
		return d, nil
	}
	return best, nil
}

// AsyncDelete takes a partition's log away. Its directory gets the suffix -delete at once, so that a crash doesn't bring it back, and is removed after
// file.delete.delay.ms. Spans that readers hold stay readable. ErrUnknownLog when there is no such log.
func (m *Manager) AsyncDelete(tp TopicPartition) error {
	m.creating.Lock()
	defer m.creating.Unlock()
	m.mu.Lock()
	l, ok := m.mu.logs[tp]
	delete(m.mu.logs, tp)
	if ok {
		m.mu.counts[l.dir]--
	}
	m.mu.Unlock()
	if !ok {
		return errorf(KindUnknownLog, "%v", tp)
	}
	hadLogStart := l.logStart.Load() > l.list()[0].base
	l.stop()
	if err := errors.Join(m.renameForDeletion(l), m.deleteFutureLocked(tp)); err != nil {
		return err
	}
	if hadLogStart {
		// A log that is created again under this name must not inherit it.
		if err := m.persistLogStart(l); err != nil {
			return err
		}
	}
	l.checkpointed.Store(0)
	m.shared.chores.want(staleNames)
	if f := m.config.Hooks.LogDeleted; f != nil {
		f(tp)
	}
	return nil
}

// DirInfo describes a log directory.
type DirInfo struct {
	Path string
	// Err is why the directory is offline, nil when it isn't.
	Err error
	// TotalBytes and UsableBytes are those of its file system; -1 when they aren't known.
	TotalBytes, UsableBytes int64
	// Logs are the logs in it, in the order of their partitions.
	Logs []LogInfo
}

// LogInfo describes a log for DescribeLogDirs.
type LogInfo struct {
	TopicPartition TopicPartition
	SizeBytes      int64
	// Future tells that the log is to take the place of the one in another directory, and Lag how many offsets it is behind that one, -1 when there is none. A log that isn't has a Lag of 0: its
	// high watermark is never beyond its end.
	Future bool
	Lag    int64
}

// Dirs describes all log directories, in the order of the configuration.
func (m *Manager) Dirs() []DirInfo {
	list := make([]DirInfo, 0, len(m.dirs))
	for _, d := range m.dirs {
		info := DirInfo{Path: d.path, Err: d.offline(), TotalBytes: -1, UsableBytes: -1}
		if info.Err == nil {
			if total, usable, err := diskSpace(d.path); err == nil {
				info.TotalBytes, info.UsableBytes = total, usable
			}
			for _, l := range m.each(d) {
				info.Logs = append(info.Logs, m.info(l))
			}
			slices.SortFunc(info.Logs, func(a, b LogInfo) int { return a.TopicPartition.compare(b.TopicPartition) })
		}
		list = append(list, info)
	}
	return list
}

func (m *Manager) info(l *Log) LogInfo {
	info := LogInfo{TopicPartition: l.tp, SizeBytes: l.Size(), Future: l.future}
	if l.future {
		info.Lag = -1
		if current, ok := m.Log(l.tp); ok {
			info.Lag = max(current.LogEndOffset()-l.LogEndOffset(), 0)
		}
	}
	return info
}

// FailDir takes a log directory offline as an error of its file system does. It is for tests. It returns false when there is no such directory.
func (m *Manager) FailDir(path string, err error) bool {
	for _, d := range m.dirs {
		if d.path == path {
			_ = d.takeOffline(err)
			return true
		}
	}
	return false
}

// LiveDirs returns the paths of the directories that work.
func (m *Manager) LiveDirs() []string { return m.dirsWhere(true) }

// OfflineDirs returns the paths of the directories that have failed.
func (m *Manager) OfflineDirs() []string { return m.dirsWhere(false) }

func (m *Manager) dirsWhere(live bool) []string {
	var paths []string
	for _, d := range m.dirs {
		if (d.offline() == nil) == live {
			paths = append(paths, d.path)
		}
	}
	return paths
}

func (m *Manager) now() time.Time              { return m.config.Now() }
func (m *Manager) producerExpirationMs() int64 { return m.config.ProducerExpiration.Milliseconds() }
func (m *Manager) hooks() *Hooks               { return &m.config.Hooks }

func (m *Manager) removeLater(paths []string, delay time.Duration) {
	due := m.now().Add(delay)
	m.removals.Lock()
	defer m.removals.Unlock()
	for _, path := range paths {
		m.removals.list = append(m.removals.list, removal{path, due})
	}
	m.shared.chores.want(removing)
}

// RemoveDeleted removes the files and directories whose delay has passed, and returns when the next one's has, the zero time for none.
func (m *Manager) RemoveDeleted(now time.Time) time.Time {
	var due []string
	var next time.Time
	m.removals.Lock()
	m.removals.list = slices.DeleteFunc(m.removals.list, func(r removal) bool {
		if r.due.After(now) {
			next = earlier(next, r.due)
			return false
		}
		due = append(due, r.path)
		return true
	})
	m.removals.Unlock()
	for _, path := range due {
		if err := os.RemoveAll(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			m.report("remove deleted", err)
		}
	}
	return next
}

func (m *Manager) report(what string, err error) {
	if f := m.config.Hooks.Error; f != nil && err != nil {
		f(what, err)
	}
}
