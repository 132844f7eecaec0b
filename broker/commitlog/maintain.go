package commitlog

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"
)

func msDuration(ms int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(max(0, min(ms, most))) * time.Millisecond
}

// Flush makes everything below the log end offset durable and moves the recovery point there.
func (l *Log) Flush() error { return l.flushTo(l.logEnd.Load()) }

// flushRolled makes everything below the active segment durable.
func (l *Log) flushRolled() error { return l.flushTo(l.active().base) }

func (l *Log) flushTo(target int64) error {
	if err := l.dir.offline(); err != nil {
		return err
	}
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	if l.retired {
		return nil // its directory may have another name already
	}
	point := l.recoveryPoint.Load()
	// Truncation takes flushMu too, so the segments stay but for those that retention removes.
	segments := l.list()
	last := segments[len(segments)-1]
	if target <= point && l.sealedPoint.Load() >= last.base {
		return nil
	}
	crossed := false
	first := floorSegment(segments, min(point, l.sealedPoint.Load()))
	for i := max(first, 0); i < len(segments) && segments[i].base < target; i++ {
		active := i == len(segments)-1
		crossed = crossed || segments[i].base >= point || !active
		if err := segments[i].sync(active); err != nil {
			if segments[i].isGone() {
				continue // retention was faster
			}
			return l.dir.fail(fmt.Errorf("flush %s: %w", l.name, err))
		}
	}
	// The active segment's epochs can be read from its batches again. Those of older ones, and new files' names, must be there.
	if crossed {
		if err := l.epochs.flush(true); err != nil {
			return l.dir.fail(err)
		}
		if err := syncFile(l.path + "/" + partitionFile); err != nil {
			return l.dir.fail(err)
		}
		if err := syncDir(l.path); err != nil {
			return l.dir.fail(err)
		}
	}
	if target >= last.base {
		l.sealedPoint.Store(last.base)
	}
	l.recoveryPoint.Store(max(target, point))
	l.shared.chores.want(recoveryPoints)
	l.lastFlushMs.Store(l.host.now().UnixMilli())
	return nil
}

// FlushDue flushes the log if flush.ms has passed since the last time and something was appended.
func (l *Log) FlushDue(now time.Time) error {
	c := l.config.Load()
	if l.recoveryPoint.Load() >= l.logEnd.Load() || now.UnixMilli()-l.lastFlushMs.Load() < c.FlushMs {
		return nil
	}
	return l.Flush()
}

// flushSoon has the time of the next flush looked at, where flush.ms asks for flushes at all.
func (l *Log) flushSoon(c *Config) {
	if c.FlushMs < math.MaxInt64 {
		l.shared.chores.want(flushing)
	}
}

// nextFlush is when flush.ms will have passed for what isn't flushed, the zero time if there is nothing or no flush.ms.
func (l *Log) nextFlush() time.Time {
	c := l.config.Load()
	if c.FlushMs == math.MaxInt64 || l.recoveryPoint.Load() >= l.logEnd.Load() {
		return time.Time{}
	}
	return time.UnixMilli(l.lastFlushMs.Load()).Add(msDuration(c.FlushMs))
}

// TruncateTo cuts the log so that it ends at an offset, and returns whether it changed. A batch that straddles the offset goes as a whole, but the log end offset is
// the given one. Source: UnifiedLog.truncateTo, storage.md §7.2.
func (l *Log) TruncateTo(offset int64) (bool, error) {
	if offset < 0 {
		return false, errorf(KindOffsetOutOfRange, "truncation to offset %d", offset)
	}
	if err := l.dir.offline(); err != nil {
		return false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return false, ErrClosed
	}
	l.touched = true
	end := l.logEnd.Load()
	if offset >= end {
		l.epochs.truncateFromEnd(end)
		return false, nil
	}
	err := l.truncateLocked(offset)
	if err == nil {
		err = l.host.persistRecoveryPoints(l)
	}
	if err == nil {
		if f := l.host.hooks().Truncated; f != nil {
			f(l.tp, end, offset)
		}
	}
	return true, l.dir.fail(err)
}

func (l *Log) truncateLocked(offset int64) error {
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	l.structure.Lock()
	defer l.structure.Unlock()
	segments := l.list()
	if segments[0].base > offset {
		return l.startOverLocked(offset)
	}
	keep := floorSegment(segments, offset) + 1
	gone := segments[keep:]
	active := segments[keep-1]
	if err := l.cutSegment(active, offset); err != nil {
		return err
	}
	l.setSegments(segments[:keep:keep])
	l.logEnd.Store(offset)
	l.logStart.Store(min(l.logStart.Load(), offset))
	l.recoveryPoint.Store(min(l.recoveryPoint.Load(), offset))
	l.sealedPoint.Store(min(l.sealedPoint.Load(), active.base))
	l.shared.chores.want(logStarts)
	l.shared.chores.want(recoveryPoints)
	l.clampHighWatermark()
	l.tail.reset(active, offset)
	l.epochs.truncateFromEnd(offset)
	if err := l.removeSnapshotsAbove(offset); err != nil {
		return err
	}
	if err := l.removeSegments(gone, reasonTruncation); err != nil {
		return err
	}
	return l.reloadProducers(offset)
}

// cutSegment removes the batches of a segment that reach an offset.
func (l *Log) cutSegment(s *segment, offset int64) error {
	b, ok, err := s.find(offset)
	if err != nil {
		return err
	}
	if !ok {
		return nil
	}
	if err := s.truncateAborted(offset); err != nil {
		return err
	}
	if err := s.cutFile(b.position); err != nil {
		return err
	}
	s.size.Store(b.position)
	s.allocated = 0
	if b.position == 0 {
		s.firstTimestamp = -1
	}
	return s.cutIndex(offset)
}

// cutFile shortens the .log file. If a reader holds a span of it, the kept part moves to a new file, and the old one stays as it is until the reader is done: a span
// that is being sent never changes.
func (s *segment) cutFile(size int64) error {
	h, err := s.acquire()
	if err != nil {
		return err
	}
	defer h.release()
	if s.spans.Load() == 0 {
		return h.f.Truncate(size)
	}
	path := s.path(logSuffix)
	f, err := openFile(path+".tmp", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, io.NewSectionReader(h.f, 0, size))
	if err == nil {
		err = f.Sync() // part of it may have counted as flushed
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		return errors.Join(err, removeIfExists(path+".tmp"))
	}
	s.close()
	return nil
}

// cutIndex drops the index entries at or behind an offset.
func (s *segment) cutIndex(offset int64) error {
	s.index.Lock()
	defer s.index.Unlock()
	if err := s.openIndexLocked(); err != nil {
		return err
	}
	// Where the file is read anyway, it's read with the new size: entries beyond it fail the check, and the index is made anew.
	x := &s.index
	if err := s.loadOffsetsLocked(); err != nil {
		return err
	}
	if err := s.loadTimesLocked(); err != nil {
		return err
	}
	relative := offset - s.base
	n := 0
	for n < x.offsets.count() {
		if r, _ := offsetEntry(x.offsets.entry(n)); int64(r) >= relative {
			break
		}
		n++
	}
	if err := x.offsets.truncate(s.path(indexSuffix), n); err != nil {
		return err
	}
	n = 0
	for n < x.times.count() {
		if _, r := timeEntry(x.times.entry(n)); int64(r) >= relative {
			break
		}
		n++
	}
	if err := x.times.truncate(s.path(timeIndexSuffix), n); err != nil {
		return err
	}
	return s.resumeIndexLocked()
}

// resumeIndexLocked sets the largest timestamp from what the indexes hold and the batches behind the last entry.
func (s *segment) resumeIndexLocked() error {
	x := &s.index
	x.lastTime, x.maxTimestamp, x.maxOffset, x.bytesSinceEntry = -1, -1, s.base, 0
	if n := x.times.count(); n > 0 {
		ts, r := timeEntry(x.times.entry(n - 1))
		x.lastTime, x.maxTimestamp, x.maxOffset = ts, ts, s.base+int64(r)
	}
	position := int64(0)
	if n := x.offsets.count(); n > 0 {
		_, position = offsetEntry(x.offsets.entry(n - 1))
	}
	h, err := s.acquire()
	if err != nil {
		return err
	}
	defer h.release()
	sc := newScanner(h.f, position, s.size.Load(), make([]byte, scanWindow))
	for {
		err := sc.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &CorruptError{Dir: s.dir, Base: s.base, Pos: sc.pos, Err: err}
		}
		if sc.header.MaxTimestamp > x.maxTimestamp {
			x.maxTimestamp, x.maxOffset = sc.header.MaxTimestamp, sc.header.LastOffset
		}
	}
}

// reloadProducers sets the producer state back to an offset.
func (l *Log) reloadProducers(offset int64) error {
	names, err := readNames(l.path)
	if err != nil {
		return err
	}
	var snapshots []int64
	for _, name := range names {
		if at, ok := parseFileName(name, snapshotSuffix); ok {
			snapshots = append(snapshots, at)
		}
	}
	sortOffsets(snapshots)
	l.producers.setSnapshotOffset(-1)
	from, err := l.readNewestSnapshot(snapshots, offset)
	if err != nil {
		return err
	}
	if err := l.replayProducers(from, offset); err != nil {
		return err
	}
	l.producers.onHighWatermark(l.highWatermark.Load())
	return nil
}

// TruncateFullyAndStartAt deletes everything and lets the log begin at an offset: a follower's log when the leader's begins behind its end.
func (l *Log) TruncateFullyAndStartAt(offset int64) error {
	if offset < 0 {
		return errorf(KindOffsetOutOfRange, "log start offset %d", offset)
	}
	if err := l.dir.offline(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return ErrClosed
	}
	from := l.logEnd.Load()
	l.flushMu.Lock()
	l.structure.Lock()
	err := l.startOverLocked(offset)
	l.structure.Unlock()
	l.flushMu.Unlock()
	if err == nil {
		err = l.host.persistRecoveryPoints(l)
	}
	if err == nil {
		if f := l.host.hooks().Truncated; f != nil {
			f(l.tp, from, offset)
		}
	}
	return l.dir.fail(err)
}

// startOverLocked replaces all segments by an empty one.
func (l *Log) startOverLocked(offset int64) error {
	l.touched = true
	gone := l.list()
	l.producers.clear(offset)
	l.producers.setSnapshotOffset(-1)
	if err := l.removeSegments(gone, reasonTruncation); err != nil {
		return err
	}
	if err := l.removeSnapshotsAbove(-1); err != nil {
		return err
	}
	if err := l.startEmpty(offset, l.host.now()); err != nil {
		return err
	}
	for _, c := range [...]chore{logStarts, recoveryPoints, highWatermarks} {
		l.shared.chores.want(c)
	}
	return l.epochs.flush(false)
}

// IncrementLogStartOffset raises the log start offset: what a follower does when its leader's has moved. A smaller offset changes nothing. ErrOffsetOutOfRange above the high watermark.
func (l *Log) IncrementLogStartOffset(offset int64) error {
	_, err := l.incrementLogStart(offset)
	return err
}

func (l *Log) incrementLogStart(offset int64) (bool, error) {
	if err := l.dir.offline(); err != nil {
		return false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return false, ErrClosed
	}
	if highWatermark := l.highWatermark.Load(); offset > highWatermark {
		return false, errorf(KindOffsetOutOfRange, "log start offset %d is larger than the high watermark %d", offset, highWatermark)
	}
	if offset <= l.logStart.Load() {
		return false, nil
	}
	l.touched = true
	l.logStart.Store(offset)
	l.shared.chores.want(logStarts)
	l.epochs.truncateFromStart(offset)
	return true, nil
}

// DeleteRecords makes the records below an offset unreadable, for good: when it returns, the new log start offset is on disk, so that not even kill -9 brings the
// records back. (Apache Kafka writes it once a minute.) The segments that it empties are removed by DeleteOldSegments. ErrOffsetOutOfRange above the high watermark.
func (l *Log) DeleteRecords(offset int64) error {
	changed, err := l.incrementLogStart(offset)
	if err != nil || !changed {
		return err
	}
	return l.host.persistLogStart(l)
}

// DeleteOldSegments removes what retention doesn't keep, and returns how many segments went. Source: UnifiedLog.deleteOldSegments, storage.md §10.
func (l *Log) DeleteOldSegments(now time.Time) (int, error) {
	if err := l.dir.offline(); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return 0, nil
	}
	total := 0
	for _, pass := range l.retentionPasses(now) {
		n, err := l.deleteWhileLocked(pass.reason, pass.deletable, now)
		total += n
		if err != nil {
			return total, l.dir.fail(err)
		}
	}
	return total, nil
}

// deletable decides over a segment; next is the one after it, nil for the active one.
type deletable func(s, next *segment) (bool, error)

type retentionPass struct {
	reason    string
	deletable deletable
}

func (l *Log) retentionPasses(now time.Time) []retentionPass {
	c := l.config.Load()
	passes := []retentionPass{{reasonLogStart, func(_, next *segment) (bool, error) {
		return next != nil && next.base <= l.logStart.Load(), nil
	}}}
	if !c.CleanupDelete {
		return passes
	}
	if c.RetentionBytes >= 0 {
		var excess int64
		sized := false
		passes = append(passes, retentionPass{reasonSize, func(s, _ *segment) (bool, error) {
			if !sized { // after the first pass
				excess, sized = l.Size()-c.RetentionBytes, true
			}
			if excess-s.size.Load() < 0 {
				return false, nil
			}
			excess -= s.size.Load()
			return true, nil
		}})
	}
	if c.RetentionMs >= 0 {
		passes = append(passes, retentionPass{reasonTime, func(s, _ *segment) (bool, error) {
			largest, _, err := s.largestTimestamp()
			if err != nil {
				return false, err
			}
			if largest < 0 {
				st, err := os.Stat(s.path(logSuffix))
				if err != nil {
					return false, err
				}
				largest = st.ModTime().UnixMilli()
			}
			return now.UnixMilli()-largest > c.RetentionMs, nil
		}})
	}
	return passes
}

// deleteWhileLocked removes the oldest segments as long as they're deletable and below the high watermark.
func (l *Log) deleteWhileLocked(reason string, may deletable, now time.Time) (int, error) {
	segments := l.list()
	n := 0
	for n < len(segments) {
		s := segments[n]
		var next *segment
		upper := l.logEnd.Load()
		if n+1 < len(segments) {
			next = segments[n+1]
			upper = next.base
		} else if s.size.Load() == 0 {
			break // an empty active segment stays
		}
		ok, err := may(s, next)
		if err != nil {
			return 0, err
		}
		if !ok || l.highWatermark.Load() < upper {
			break
		}
		n++
	}
	if n == 0 {
		return 0, nil
	}
	if n == len(segments) {
		if err := l.rollLocked(l.logEnd.Load(), now); err != nil {
			return 0, err
		}
		segments = l.list()
	}
	// The start moves first, so that no reader is sent to a segment that is going.
	start := max(l.logStart.Load(), segments[n].base)
	l.logStart.Store(start)
	l.shared.chores.want(logStarts)
	l.epochs.truncateFromStart(start)
	l.structure.Lock() // a reader that is looking into one of them finishes first
	defer l.structure.Unlock()
	l.setSegments(append([]*segment(nil), segments[n:]...))
	return n, l.removeSegments(segments[:n], reason)
}

// Close ends the use of the log. With clean, everything is written and synced as an orderly shutdown leaves it; without, files are just closed.
func (l *Log) Close(clean bool) error {
	if clean {
		if err := l.finish(); err != nil {
			return err
		}
		if err := l.syncAll(); err != nil {
			return err
		}
	}
	l.stop()
	return nil
}

// finish refuses further changes and writes everything that is only in memory, as a clean shutdown needs it, but doesn't sync: the manager does that for all logs at once.
func (l *Log) finish() error {
	if err := l.dir.offline(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	stopped := l.stopped
	l.stopped = true
	if stopped || !l.touched {
		return nil
	}
	err := l.writeTopicIDLocked()
	if err == nil {
		err = l.active().finish()
	}
	if err == nil {
		err = l.writeSnapshotLocked(l.logEnd.Load())
	}
	if err == nil {
		err = l.epochs.flush(false)
	}
	return l.dir.fail(err)
}

// syncAll makes everything durable, whatever the recovery point says.
func (l *Log) syncAll() error {
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	segments := l.list()
	first := floorSegment(segments, min(l.recoveryPoint.Load(), l.sealedPoint.Load()))
	for i := max(first, 0); i < len(segments); i++ {
		if err := segments[i].sync(false); err != nil {
			return l.dir.fail(err)
		}
	}
	if err := errors.Join(l.epochs.flush(true), syncFile(l.path+"/"+partitionFile),
		syncFile(l.path+"/"+fileName(l.logEnd.Load(), snapshotSuffix)), syncDir(l.path)); err != nil {
		return l.dir.fail(err)
	}
	l.recoveryPoint.Store(l.logEnd.Load())
	l.sealedPoint.Store(l.active().base)
	return nil
}

// stop refuses further changes and reads and closes the files. It waits for a flush that is under way: one that comes later would look for a directory that may have been renamed, and take
// a healthy disk for a failed one.
func (l *Log) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	l.flushMu.Lock()
	l.retired = true
	l.flushMu.Unlock()
	l.structure.Lock()
	defer l.structure.Unlock()
	for _, s := range l.list() {
		s.retire()
	}
}
