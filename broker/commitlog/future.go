package commitlog

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// A future log is the copy of a partition's log that grows in another log directory until it takes the log's place (Kafka: "future replica", reference replication.md §13). Its
// directory is named topic-partition.<32 hex>-future until then.
//
// Taking the place is two renames, the future one's to the plain name first: a crash between them leaves two directories of one partition, and Apache refuses to start then. Here the
// new one carries a mark until the other is gone: the old log stays in charge until it is renamed, and at the next start the marked one is finished off.

// movedFile is the mark. It holds the log directory that the log comes from, or movedForGood. It is our own.
const (
	movedFile    = "moved-here"
	movedForGood = "for good" // the old directory may still be there, but isn't in charge any more: its disk failed just then
)

// ErrNotMoved says that a future log can't take its log's place: one of them is gone, or they don't end alike.
var ErrNotMoved = errors.New("the future log can't take the log's place")

// futureHost is a manager that doesn't tell of what happens to a future log: its name is that of the partition's log.
type futureHost struct{ *Manager }

func (h futureHost) hooks() *Hooks {
	return &Hooks{BeforeAppend: h.config.Hooks.BeforeAppend, Error: h.config.Hooks.Error}
}

// dirAt returns the log directory with a path, nil if there is none.
func (m *Manager) dirAt(path string) *logDir {
	for _, d := range m.dirs {
		if d.path == filepath.Clean(path) {
			return d
		}
	}
	return nil
}

// maxPreferred bounds what [Manager.Prefer] remembers.
const maxPreferred = 100_000

// Prefer remembers in which log directory a partition's log is to be made that isn't here yet. ErrLogDirNotFound when there is no such directory, ErrStorage when it is offline.
func (m *Manager) Prefer(tp TopicPartition, dir string) error {
	d, err := m.liveDir(dir)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.logs[tp] == nil && (len(m.mu.preferred) < maxPreferred || m.mu.preferred[tp] != nil) {
		m.mu.preferred[tp] = d
	}
	return nil
}

func (m *Manager) liveDir(path string) (*logDir, error) {
	d := m.dirAt(path)
	if d == nil {
		return nil, errorf(KindLogDirNotFound, "%s is not one of log.dirs", path)
	}
	return d, d.offline()
}

// Future returns a partition's future log.
func (m *Manager) Future(tp TopicPartition) (*Log, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	l, ok := m.mu.futures[tp]
	return l, ok
}

// HasFutures tells whether any partition has a future log.
func (m *Manager) HasFutures() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.mu.futures) > 0
}

// SameDir tells whether a log is in the log directory with that path.
func (m *Manager) SameDir(l *Log, path string) bool { return m.dirAt(path) == l.dir }

// Futures returns the partitions that have a future log, in order.
func (m *Manager) Futures() []TopicPartition {
	m.mu.RLock()
	defer m.mu.RUnlock()
	tps := make([]TopicPartition, 0, len(m.mu.futures))
	for tp := range m.mu.futures {
		tps = append(tps, tp)
	}
	slices.SortFunc(tps, TopicPartition.compare)
	return tps
}

// CreateFuture makes an empty future log of a partition in another log directory, or returns the one that is there. A future log in a third directory has to be deleted first.
// Errors: ErrUnknownLog without a log, ErrLogDirNotFound, ErrStorage, ErrInvalidName when the directory's name would be too long.
func (m *Manager) CreateFuture(tp TopicPartition, dir string) (*Log, error) {
	d, err := m.liveDir(dir)
	if err != nil {
		return nil, err
	}
	m.creating.Lock()
	defer m.creating.Unlock()
	m.mu.RLock()
	current, future, closed := m.mu.logs[tp], m.mu.futures[tp], m.mu.closed
	m.mu.RUnlock()
	switch {
	case closed:
		return nil, ErrClosed
	case current == nil:
		return nil, errorf(KindUnknownLog, "%v", tp)
	case future != nil && future.dir == d:
		return future, nil
	case future != nil || current.dir == d:
		return nil, fmt.Errorf("%v is in %s already, or on its way to another directory", tp, d.path)
	}
	var unique TopicID
	if _, err := rand.Read(unique[:]); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%v.%x%s", tp, unique[:], futureDirSuffix)
	if len(name) > maxDirName {
		return nil, errorf(KindInvalidName, "%s is too long for a directory's name", name)
	}
	l := m.newFuture(d, tp, name)
	if id := current.TopicID(); !id.IsZero() {
		l.topicID.Store(&id)
		l.idDirty = true
	}
	if err := os.Mkdir(l.path, 0o755); err != nil {
		return nil, d.fail(fmt.Errorf("create %s: %w", name, err))
	}
	l.epochs.path = filepath.Join(l.path, epochFile)
	l.epochs.mu.dirty = true
	if err := l.startEmpty(0, m.now()); err != nil {
		return nil, d.fail(fmt.Errorf("create %s: %w", name, err))
	}
	m.mu.Lock()
	m.mu.futures[tp] = l
	m.mu.counts[d]++
	m.mu.Unlock()
	m.shared.chores.want(metadata)
	m.shared.chores.want(recoveryPoints)
	return l, nil
}

// newFuture is newLog for a future log in the directory of that name.
func (m *Manager) newFuture(d *logDir, tp TopicPartition, name string) *Log {
	l := m.newLog(d, tp)
	l.future, l.name, l.path, l.host = true, name, filepath.Join(d.path, name), futureHost{m}
	return l
}

// DeleteFuture takes a partition's future log away, as AsyncDelete does with its log. It does nothing when there is none. Nothing may be appending to it.
func (m *Manager) DeleteFuture(tp TopicPartition) error {
	m.creating.Lock()
	defer m.creating.Unlock()
	return m.deleteFutureLocked(tp)
}

func (m *Manager) deleteFutureLocked(tp TopicPartition) error {
	m.mu.Lock()
	l := m.mu.futures[tp]
	delete(m.mu.futures, tp)
	if l != nil {
		m.mu.counts[l.dir]--
	}
	m.mu.Unlock()
	if l == nil {
		return nil
	}
	l.stop()
	m.shared.chores.want(staleNames)
	return m.renameForDeletion(l)
}

// renameForDeletion gives a log's directory the suffix -delete and has it removed later. The log is stopped.
func (m *Manager) renameForDeletion(l *Log) error {
	if err := l.dir.offline(); err != nil {
		return err
	}
	var unique TopicID
	if _, err := rand.Read(unique[:]); err != nil {
		return err
	}
	renamed := filepath.Join(l.dir.path, suffixedDirName(l.tp, unique, deleteDirSuffix))
	if err := os.Rename(l.path, renamed); err != nil {
		return l.dir.fail(fmt.Errorf("delete %s: %w", l.name, err))
	}
	m.removeLater([]string{renamed}, msDuration(l.config.Load().FileDeleteDelayMs))
	return nil
}

// ReplaceByFuture lets a partition's future log take its log's place, and returns the log that is the partition's now. They must end at the same offset; nothing may append to,
// truncate or delete from either of them meanwhile. The old log is stopped and its directory removed after file.delete.delay.ms; spans that readers hold stay readable. The new one has the
// old one's high watermark and log start offset.
//
// Errors: ErrNotMoved; anything else is a failure of the future log's directory. In either case the old log goes on, and the future one, unless it is gone with its directory, too.
func (m *Manager) ReplaceByFuture(tp TopicPartition) (*Log, error) {
	m.creating.Lock()
	defer m.creating.Unlock()
	m.mu.RLock()
	current, future, closed := m.mu.logs[tp], m.mu.futures[tp], m.mu.closed
	m.mu.RUnlock()
	if closed || current == nil || future == nil || current.LogEndOffset() != future.LogEndOffset() {
		return nil, ErrNotMoved
	}
	d := future.dir
	future.SetHighWatermark(current.HighWatermark())
	if err := future.IncrementLogStartOffset(current.LogStartOffset()); err != nil {
		return nil, err
	}
	next, err := m.takePlace(current, future)
	if err != nil {
		// The directory that the partition was to move to has failed: the future log is lost with it.
		err = d.fail(err)
		_ = m.deleteFutureLocked(tp)
		return nil, err
	}
	// An epoch that has begun without a record yet isn't in what was copied. A log's latest epoch never falls but with its end: whoever fetches goes by it.
	for _, e := range current.Epochs() {
		if e.Epoch > next.LatestEpoch() {
			next.epochs.assign(e.Epoch, e.StartOffset)
		}
	}
	// The point of no return: without its directory the old log isn't in charge any more.
	current.stop()
	if err := m.renameForDeletion(current); err == nil && current.dir.fail(syncDir(current.dir.path)) == nil {
		_ = d.fail(os.Remove(filepath.Join(next.path, movedFile)))
	} else {
		_ = d.fail(replaceFile(filepath.Join(next.path, movedFile), []byte(movedForGood), true))
	}
	m.mu.Lock()
	delete(m.mu.futures, tp)
	m.mu.logs[tp] = next
	m.mu.counts[current.dir]--
	m.mu.Unlock()
	current.checkpointed.Store(0)
	for _, c := range [...]chore{metadata, highWatermarks, recoveryPoints, staleNames} {
		m.shared.chores.want(c)
	}
	return next, nil
}

// SkipTo lets a log end at an offset up to which the log that it is copied from holds no batch any more: that one was truncated into a batch, which went as a whole, or the cleaner has
// emptied what lay before an empty active segment. As there, the end is known only as long as the log is open. A smaller offset changes nothing.
func (l *Log) SkipTo(offset int64) error {
	if err := l.dir.offline(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return ErrClosed
	}
	if offset <= l.logEnd.Load() {
		return nil
	}
	l.touched = true
	l.logEnd.Store(offset)
	l.tail.reset(l.active(), offset)
	l.producers.setEnd(offset)
	return nil
}

// takePlace makes a future log durable and gives it the plain name.
func (m *Manager) takePlace(current, future *Log) (*Log, error) {
	if err := future.finish(); err != nil {
		return nil, err
	}
	if err := future.syncAll(); err != nil {
		return nil, err
	}
	if err := m.checkpointLogStart(future.dir); err != nil {
		return nil, err
	}
	future.stop()
	if err := replaceFile(filepath.Join(future.path, movedFile), []byte(current.dir.path), true); err != nil {
		return nil, err
	}
	next := m.newLog(future.dir, future.tp)
	if err := os.Rename(future.path, next.path); err != nil {
		return nil, err
	}
	future.path = next.path // where it is to be deleted if it fails now
	if err := syncDir(future.dir.path); err != nil {
		return nil, err
	}
	err := next.load(loadOptions{
		clean: true, recoveryPoint: current.LogEndOffset(), logStart: current.LogStartOffset(), highWatermark: current.HighWatermark(),
	})
	if err != nil {
		return nil, err
	}
	// What is loaded ends with the last batch. Whoever fetches from the log, or appends to it, has seen it end where it does.
	if err := next.SkipTo(current.LogEndOffset()); err != nil {
		return nil, err
	}
	next.SetHighWatermark(current.HighWatermark())
	next.touched = true
	return next, nil
}

// settleMoved decides between two directories of one partition, of which one carries the mark, and returns the log that is in charge. An error when neither or both carry it: somebody
// has copied directories.
func (m *Manager) settleMoved(one, other *loading) (*loading, error) {
	from, otherFrom := one.log.movedFrom(), other.log.movedFrom()
	switch {
	case (from == "") == (otherFrom == ""):
		return nil, fmt.Errorf("%v is in both %s and %s", one.log.tp, one.log.dir.path, other.log.dir.path)
	case from != "" && from != movedForGood, otherFrom == movedForGood:
		one, other = other, one
	}
	if err := m.renameForDeletion(other.log); err != nil {
		return nil, err
	}
	return one, nil
}

// movedFrom reads the mark, "" when there is none.
func (l *Log) movedFrom() string {
	text, err := os.ReadFile(filepath.Join(l.path, movedFile))
	if err != nil {
		return ""
	}
	return string(text)
}

// takeCharge takes the mark off a log that is the only one of its partition, and tells whether it is in charge: not while the directory that it comes from can't be looked into.
func (m *Manager) takeCharge(l *Log) (inCharge bool) {
	from := l.movedFrom()
	if from == "" {
		return true
	}
	if d := m.dirAt(from); from != movedForGood && d != nil && d.offline() != nil {
		return false
	}
	return l.dir.fail(os.Remove(filepath.Join(l.path, movedFile))) == nil
}
