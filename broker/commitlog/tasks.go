package commitlog

import (
	"cmp"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

func (i Intervals) withDefaults() Intervals {
	i.Retention = cmp.Or(i.Retention, 5*time.Minute)
	i.InitialDelay = cmp.Or(i.InitialDelay, 30*time.Second)
	i.RecoveryPoints = cmp.Or(i.RecoveryPoints, time.Minute)
	i.LogStarts = cmp.Or(i.LogStarts, time.Minute)
	i.HighWatermarks = cmp.Or(i.HighWatermarks, 5*time.Second)
	i.Flush = cmp.Or(i.Flush, time.Second)
	i.ProducerExpiration = cmp.Or(i.ProducerExpiration, 10*time.Minute)
	i.CloseIdleFilesAfterAbout = cmp.Or(i.CloseIdleFilesAfterAbout, time.Minute)
	return i
}

// persistLogStart writes the log start offsets of l's directory.
func (m *Manager) persistLogStart(l *Log) error { return m.checkpointLogStart(l.dir) }

func (m *Manager) checkpointLogStart(d *logDir) error {
	return d.logStarts.write(d, func() []byte {
		offsets := map[TopicPartition]int64{}
		for _, l := range m.each(d) {
			if start := l.logStart.Load(); start > l.list()[0].base {
				offsets[l.tp] = start
			}
		}
		return formatOffsets(offsets)
	})
}

// persistRecoveryPoints writes the recovery points of l's directory if the file has a later one for l.
func (m *Manager) persistRecoveryPoints(l *Log) error {
	if l.checkpointed.Load() <= l.recoveryPoint.Load() {
		return nil
	}
	return m.checkpointRecoveryPoints(l.dir)
}

func (m *Manager) checkpointRecoveryPoints(d *logDir) error {
	var points map[*Log]int64
	err := d.recoveryPoints.write(d, func() []byte {
		points = map[*Log]int64{}
		offsets := map[TopicPartition]int64{}
		for _, l := range m.each(d) {
			points[l] = l.safeRecoveryPoint()
			offsets[l.tp] = points[l]
		}
		return formatOffsets(offsets)
	})
	if err == nil {
		for l, point := range points {
			l.checkpointed.Store(point)
		}
	}
	return err
}

// everyDir calls f for each live directory and returns the first error.
func (m *Manager) everyDir(f func(*logDir) error) error {
	var first error
	for _, d := range m.dirs {
		if d.offline() != nil {
			continue
		}
		if err := f(d); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// CheckpointRecoveryPoints writes recovery-point-offset-checkpoint in each directory.
func (m *Manager) CheckpointRecoveryPoints() error {
	return m.everyDir(m.checkpointRecoveryPoints)
}

// CheckpointLogStart writes log-start-offset-checkpoint in each directory.
func (m *Manager) CheckpointLogStart() error { return m.everyDir(m.checkpointLogStart) }

// CheckpointHighWatermarks writes replication-offset-checkpoint in each directory, from the logs.
func (m *Manager) CheckpointHighWatermarks() error {
	return m.everyDir(func(d *logDir) error {
		return d.highWatermarks.write(d, func() []byte {
			offsets := map[TopicPartition]int64{}
			for _, l := range m.each(d) {
				offsets[l.tp] = l.HighWatermark()
			}
			return formatOffsets(offsets)
		})
	})
}

// ReadHighWatermarks returns the high watermarks in the checkpoint files. Logs start with theirs when they're loaded.
func (m *Manager) ReadHighWatermarks() (map[TopicPartition]int64, error) {
	all := map[TopicPartition]int64{}
	err := m.everyDir(func(d *logDir) error {
		offsets, err := readOffsets(filepath.Join(d.path, highWatermarkFile))
		for tp, offset := range offsets {
			all[tp] = offset
		}
		return err
	})
	return all, err
}

// ReplaceHighWatermarks writes replication-offset-checkpoint in each directory with the given offsets, each in the directory of its log. Logs that aren't given keep
// their own.
func (m *Manager) ReplaceHighWatermarks(given map[TopicPartition]int64) error {
	return m.everyDir(func(d *logDir) error {
		return d.highWatermarks.write(d, func() []byte {
			offsets := map[TopicPartition]int64{}
			for _, l := range m.each(d) {
				offset, ok := given[l.tp]
				if !ok {
					offset = l.HighWatermark()
				}
				offsets[l.tp] = offset
			}
			return formatOffsets(offsets)
		})
	})
}

// Retention removes old segments of all logs, by each one's cleanup.policy, and returns how many.
func (m *Manager) Retention(now time.Time) int {
	total := 0
	for _, l := range m.Logs() {
		n, err := l.DeleteOldSegments(now)
		total += n
		if err != nil && l.dir.offline() == nil {
			m.report("retention", err)
		}
	}
	return total
}

// FlushDue flushes the logs whose flush.ms has passed, and returns when the next one is due: the zero time if none has anything to flush.
func (m *Manager) FlushDue(now time.Time) time.Time {
	var next time.Time
	for _, l := range m.each(nil) {
		if l.dir.offline() != nil {
			continue
		}
		_ = l.FlushDue(now) // takes the directory offline, which is told by its hook
		next = earlier(next, l.nextFlush())
	}
	return next
}

// ExpireProducers forgets idle producers in all logs, and returns how many.
func (m *Manager) ExpireProducers(now time.Time) int {
	total := 0
	for _, l := range m.each(nil) {
		total += l.ExpireProducers(now)
	}
	return total
}

func (m *Manager) flushLater(l *Log) {
	m.rolled.Lock()
	m.rolled.logs[l] = struct{}{}
	m.rolled.Unlock()
	select {
	case m.rolled.wake <- struct{}{}:
	default: // already awake
	}
}

// FlushRolled makes the closed segments of the logs that have rolled durable.
func (m *Manager) FlushRolled() {
	m.rolled.Lock()
	logs := m.rolled.logs
	m.rolled.logs = map[*Log]struct{}{}
	m.rolled.Unlock()
	for l := range logs {
		l.mu.Lock()
		stopped := l.stopped
		l.mu.Unlock()
		if !stopped && l.dir.offline() == nil {
			_ = l.flushRolled() // takes the directory offline, which is told by its hook
		}
	}
}

// WriteMetadata writes the epoch files and topic ids that have changed since the last time. They are also written when logs roll, flush and close.
func (m *Manager) WriteMetadata() {
	for _, l := range m.each(nil) {
		if l.dir.offline() == nil {
			_ = l.dir.fail(l.writeMetadata())
		}
	}
}

func (l *Log) writeMetadata() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return nil
	}
	if err := l.writeTopicIDLocked(); err != nil {
		return err
	}
	return l.epochs.flush(false)
}

// Shutdown closes all logs so that the next start needs no recovery: everything is written and synced, checkpoints and the clean shutdown marker follow, and the
// directories are unlocked. Run must have ended. Directories that have failed are only unlocked.
func (m *Manager) Shutdown() error {
	if !m.close() {
		return nil
	}
	var first error
	for _, d := range m.dirs {
		if d.offline() == nil {
			if err := m.shutdownDir(d); err != nil && first == nil {
				first = err
			}
		}
	}
	m.unlock()
	return first
}

func (m *Manager) close() bool {
	m.creating.Lock()
	defer m.creating.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.mu.closed
	m.mu.closed = true
	return !was
}

func (m *Manager) shutdownDir(d *logDir) error {
	logs := m.each(d)
	work := make(chan *Log)
	var group sync.WaitGroup
	var mu sync.Mutex
	var first error
	for range min(runtime.GOMAXPROCS(0), len(logs)) {
		group.Go(func() {
			for l := range work {
				if err := l.finish(); err != nil {
					mu.Lock()
					first = cmp.Or(first, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, l := range logs {
		work <- l
	}
	close(work)
	group.Wait()
	if first != nil {
		return first
	}
	err := m.syncLogs(d, logs)
	for _, l := range logs {
		l.stop()
	}
	if err != nil {
		return d.fail(err)
	}
	if err := m.CheckpointHighWatermarks(); err != nil {
		return err
	}
	if err := m.checkpointRecoveryPoints(d); err != nil {
		return err
	}
	if err := m.checkpointLogStart(d); err != nil {
		return err
	}
	return d.fail(replaceFile(filepath.Join(d.path, cleanShutdownFile), []byte(`{"version":0,"brokerEpoch":-1}`), true))
}

// syncLogs makes logs that are finished and stopped durable: one by one, or, when they are many, the whole file system at once, which takes one pass over the disk
// instead of thousands.
func (m *Manager) syncLogs(d *logDir, logs []*Log) error {
	dirty := logs[:0:0]
	for _, l := range logs {
		l.mu.Lock()
		if l.touched {
			dirty = append(dirty, l)
		}
		l.mu.Unlock()
	}
	if len(dirty) >= syncWholeFileSystemFrom {
		done, err := syncFileSystem(d.path)
		if err != nil {
			return err
		}
		if done {
			for _, l := range dirty {
				l.recoveryPoint.Store(l.logEnd.Load())
				l.sealedPoint.Store(l.active().base)
			}
			return nil
		}
	}
	for _, l := range dirty {
		if err := l.syncAll(); err != nil {
			return err
		}
	}
	return nil
}

// Abort closes all files and unlocks the directories without writing anything, as if the process had been killed.
func (m *Manager) Abort() {
	if !m.close() {
		return
	}
	for _, l := range m.each(nil) {
		l.stop()
	}
	m.unlock()
}

func (m *Manager) unlock() {
	for _, d := range m.dirs {
		if d.lock != nil {
			_ = d.lock.Close() // closing gives up the lock; nothing was written
			d.lock = nil
		}
	}
}
