package commitlog

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prekraft/prekraft/broker/record"
)

// Recovery is what loading a log after an unclean shutdown found.
type Recovery struct {
	// Segments is how many segments were read through, Bytes how many bytes.
	Segments int
	Bytes    int64
	// TruncatedBytes is what didn't hold whole, right batches and was cut off.
	TruncatedBytes int64
	// Corrupt says where the first bad batch was, nil if there was none.
	Corrupt  *CorruptError
	Duration time.Duration
}

// loadOptions is what the log directory's checkpoints say about a log.
type loadOptions struct {
	clean                                  bool
	recoveryPoint, logStart, highWatermark int64
	settle                                 bool // a mark decides whether this log is in charge
}

// replicaFiles is what a replica directory holds.
type replicaFiles struct {
	segments   []*segment
	snapshots  []int64
	txnIndexes []int64
	marked     bool // the log was moved here
}

// errNotInCharge says that a log was moved here, but that the one it comes from can't be looked at.
var errNotInCharge = errors.New("the log was moved here from a directory that is offline")

// load reads the directory and, if the last shutdown wasn't clean, checks everything behind the recovery point. Source: LogLoader.java, storage.md §7.3.
func (l *Log) load(o loadOptions) error {
	files, err := l.readDirectory()
	if err != nil {
		return err
	}
	if files.marked && o.settle && !l.host.takeCharge(l) {
		return errNotInCharge
	}
	id, err := readPartitionMetadata(l.path)
	if err != nil {
		return err
	}
	l.topicID.Store(&id)
	noEpochs, badEpochs := l.epochs.load(l.path)
	if badEpochs != nil && !errors.Is(badEpochs, errMalformed) {
		return badEpochs
	}
	now := l.host.now()
	o.logStart = max(o.logStart, 0)
	if len(files.segments) == 0 {
		return l.startEmpty(o.logStart, now)
	}
	l.setSegments(files.segments)
	if badEpochs != nil || noEpochs {
		if err := l.rebuildEpochs(); err != nil {
			return err
		}
	}
	recovered := false
	if o.clean {
		var corrupt *CorruptError
		if err := l.loadClean(files, o.logStart); errors.As(err, &corrupt) {
			o.clean = false // the marker lied: look closer
			l.active().firstTimestamp = -1
			o.recoveryPoint = min(o.recoveryPoint, corrupt.Base)
		} else if err != nil {
			return err
		}
	}
	if !o.clean {
		if err := l.recoverSplitting(max(o.recoveryPoint, 0), files); err != nil {
			return err
		}
		recovered = true
	}
	segments := l.list()
	end := l.logEnd.Load()
	if end < o.logStart {
		return l.startOverLocked(o.logStart)
	}
	l.logStart.Store(max(o.logStart, segments[0].base))
	l.epochs.truncateFromEnd(end)
	l.epochs.truncateFromStart(o.logStart)
	for _, s := range segments {
		s.createdMs = now.UnixMilli()
	}
	active := l.active()
	active.jitterMs = l.jitter(min(l.config.Load().SegmentJitterMs, l.config.Load().SegmentMs))
	l.tail.reset(active, end)
	if recovered {
		l.recoveryPoint.Store(min(max(o.recoveryPoint, 0), end))
	} else {
		l.recoveryPoint.Store(end)
		l.sealedPoint.Store(active.base)
	}
	if err := l.firstTimestampOf(active); err != nil {
		return err
	}
	l.highWatermark.Store(min(max(o.highWatermark, l.logStart.Load()), end))
	l.producers.onHighWatermark(l.highWatermark.Load())
	l.lastFlushMs.Store(now.UnixMilli())
	for _, s := range segments {
		s.close() // opened anew when it is needed: most logs of a broker are idle
	}
	return nil
}

// loadClean finds the end and the producer state of a log that was closed properly.
func (l *Log) loadClean(files *replicaFiles, logStart int64) error {
	end, err := l.findEnd()
	if err != nil {
		return err
	}
	l.logEnd.Store(end)
	l.logStart.Store(max(logStart, files.segments[0].base))
	for _, s := range files.segments {
		s.index.Lock()
		if !slices.Contains(files.txnIndexes, s.base) {
			s.index.abortedLoaded = true
		}
		err := s.loadAbortedLocked()
		s.index.Unlock()
		if errors.Is(err, errBadTxnIndex) {
			return &CorruptError{Dir: l.path, Base: s.base, Err: err} // only reading the segment through can make it anew
		}
		if err != nil {
			return err
		}
	}
	return l.loadProducers(files.snapshots, end)
}

// startEmpty makes the log one empty segment.
func (l *Log) startEmpty(at int64, now time.Time) error {
	l.touched = true
	l.epochs.clear()
	l.producers.clear(at)
	s, err := l.newActive(at, now)
	if err != nil {
		return err
	}
	l.setSegments([]*segment{s})
	l.logStart.Store(at)
	l.logEnd.Store(at)
	l.highWatermark.Store(at)
	l.recoveryPoint.Store(at)
	l.sealedPoint.Store(at)
	l.tail.reset(s, at)
	l.lastFlushMs.Store(now.UnixMilli())
	return nil
}

// readDirectory lists the files and finishes what a crash left half done: deletions, and the replacing of segments by the cleaner.
func (l *Log) readDirectory() (*replicaFiles, error) {
	names, err := readNames(l.path)
	if err != nil {
		return nil, err
	}
	if names, err = l.finishSwaps(names); err != nil {
		return nil, err
	}
	files := &replicaFiles{}
	bases := map[int64]bool{}
	for _, name := range names {
		if base, ok := parseFileName(name, logSuffix); ok {
			size, err := fileSize(l.path + string(os.PathSeparator) + name)
			if err != nil {
				return nil, err
			}
			if size > math.MaxInt32 {
				return nil, fmt.Errorf("segment %s has %d bytes: %w", name, size, record.ErrCorrupt)
			}
			s := newSegment(l.path, base, l.shared, &l.config)
			s.size.Store(size)
			files.segments = append(files.segments, s)
			bases[base] = true
		} else if offset, ok := parseFileName(name, snapshotSuffix); ok {
			files.snapshots = append(files.snapshots, offset)
		} else if base, ok := parseFileName(name, txnIndexSuffix); ok {
			files.txnIndexes = append(files.txnIndexes, base)
		} else if name == movedFile {
			files.marked = true
		}
	}
	slices.SortFunc(files.segments, func(a, b *segment) int { return int(max(min(a.base-b.base, 1), -1)) })
	slices.Sort(files.snapshots)
	for _, name := range names {
		for _, suffix := range []string{indexSuffix, timeIndexSuffix, txnIndexSuffix} {
			if base, ok := parseFileName(name, suffix); ok && !bases[base] {
				if err := os.Remove(filepath.Join(l.path, name)); err != nil {
					return nil, err
				}
			}
		}
	}
	return files, nil
}

// readNames lists a directory without looking at its entries.
func readNames(dir string) ([]string, error) {
	f, err := openFile(dir, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	names, err := f.Readdirnames(-1)
	return names, errors.Join(err, f.Close())
}

// finishSwaps removes *.deleted and *.cleaned files and completes *.swap ones: their segments replace those in their range. Source: LogLoader.removeTempFilesAndCollectSwapFiles.
func (l *Log) finishSwaps(names []string) ([]string, error) {
	minCleaned := int64(math.MaxInt64)
	var swaps []string
	remove := func(name string) error { return removeIfExists(filepath.Join(l.path, name)) }
	for _, name := range names {
		switch {
		case strings.HasSuffix(name, deletedSuffix):
			if err := remove(name); err != nil {
				return nil, err
			}
		case strings.HasSuffix(name, cleanedSuffix):
			if base, ok := parseFileName(strings.TrimSuffix(name, cleanedSuffix), logSuffix); ok {
				minCleaned = min(minCleaned, base)
			}
			if err := remove(name); err != nil {
				return nil, err
			}
		case strings.HasSuffix(name, swapSuffix):
			swaps = append(swaps, strings.TrimSuffix(name, swapSuffix))
		case strings.HasSuffix(name, ".log.tmp"):
			if err := remove(name); err != nil {
				return nil, err
			}
		}
	}
	if len(swaps) == 0 {
		return names, nil
	}
	type offsets struct{ base, next int64 }
	var ranges []offsets
	valid := swaps[:0]
	for _, name := range swaps {
		base, ok := baseOfFile(name)
		if ok && base >= minCleaned {
			if err := remove(name + swapSuffix); err != nil {
				return nil, err
			}
			continue
		}
		valid = append(valid, name)
		if strings.HasSuffix(name, logSuffix) {
			next, err := nextOffsetOfFile(filepath.Join(l.path, name+swapSuffix), base)
			if err != nil {
				return nil, err
			}
			ranges = append(ranges, offsets{base, next})
		}
	}
	for _, name := range names {
		base, ok := baseOfFile(name)
		if !ok || !slices.ContainsFunc(ranges, func(r offsets) bool { return base >= r.base && base < r.next }) {
			continue
		}
		if err := remove(name); err != nil {
			return nil, err
		}
	}
	for _, name := range valid {
		path := filepath.Join(l.path, name)
		if err := os.Rename(path+swapSuffix, path); err != nil {
			return nil, err
		}
	}
	return readNames(l.path)
}

// baseOfFile returns the base offset in the name of any of a segment's files.
func baseOfFile(name string) (int64, bool) {
	for _, suffix := range []string{logSuffix, indexSuffix, timeIndexSuffix, txnIndexSuffix} {
		if base, ok := parseFileName(name, suffix); ok {
			return base, true
		}
	}
	return 0, false
}

// nextOffsetOfFile scans a .log file for the offset after its last batch.
func nextOffsetOfFile(path string, base int64) (int64, error) {
	f, err := openFile(path, os.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	next := base + 1
	sc := newScanner(f, 0, st.Size(), make([]byte, scanWindow))
	for {
		err := sc.next()
		if errors.Is(err, io.EOF) {
			return next, nil
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		next = max(next, sc.header.NextOffset())
	}
}

// findEnd returns the log end offset after a clean shutdown: the index leads near the end of the last segment, the rest is scanned. A CorruptError means that the
// segment isn't what a clean shutdown leaves.
func (l *Log) findEnd() (int64, error) {
	s := l.active()
	position, err := s.floorPosition(math.MaxInt64)
	if err != nil {
		return 0, err
	}
	end, first := s.base, position == 0
	_, _, err = s.scan(position, func(h *record.Header) bool {
		if first {
			s.firstTimestamp, first = h.MaxTimestamp, false // firstTimestampOf needn't look again
		}
		end = h.NextOffset()
		return false
	})
	if err == nil && (end < s.base || s.overflows(end-1) && end > s.base) {
		err = &CorruptError{Dir: l.path, Base: s.base, Pos: position, Err: fmt.Errorf("end offset %d: %w", end, record.ErrCorrupt)}
	}
	return end, err
}

// rebuildEpochs reads the leader epochs from the batches of the whole log: the file is missing, empty or broken.
func (l *Log) rebuildEpochs() error {
	l.epochs.clear()
	for _, s := range l.list() {
		if s.size.Load() == 0 {
			continue
		}
		_, _, err := s.scan(0, func(h *record.Header) bool {
			l.epochs.assign(h.PartitionLeaderEpoch, h.BaseOffset)
			return false
		})
		var corrupt *CorruptError
		if errors.As(err, &corrupt) {
			return nil // recovery will find it too, and decide
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// firstTimestampOf learns the largest timestamp of a segment's first batch, from which its age is counted.
func (l *Log) firstTimestampOf(s *segment) error {
	if s.size.Load() == 0 || s.firstTimestamp >= 0 {
		return nil
	}
	b, ok, err := s.scan(0, func(*record.Header) bool { return true })
	if err == nil && ok {
		s.firstTimestamp = b.maxTimestamp
	}
	return err
}

// loadProducers brings the producer state to the end of the log: the newest good snapshot, and the batches after it. Other than Kafka, a clean log without a snapshot is
// read through rather than taken as one without producers.
func (l *Log) loadProducers(snapshots []int64, end int64) error {
	from, err := l.readNewestSnapshot(snapshots, end)
	if err != nil {
		return err
	}
	if err := l.replayProducers(from, end); err != nil {
		return err
	}
	return l.dropStraySnapshots(snapshots)
}

// readNewestSnapshot loads the newest snapshot that is at most end and above the log start, and returns up to which offset the state is known. Snapshots that can't be
// read, or lie beyond end, are removed.
func (l *Log) readNewestSnapshot(snapshots []int64, end int64) (int64, error) {
	start := l.logStart.Load()
	nowMs, expiration := l.host.now().UnixMilli(), l.host.producerExpirationMs()
	for i := len(snapshots) - 1; i >= 0; i-- {
		offset := snapshots[i]
		path := filepath.Join(l.path, fileName(offset, snapshotSuffix))
		if offset <= end && offset > start {
			err := l.producers.readSnapshot(path, offset, nowMs, expiration)
			if err == nil {
				l.producers.mu.snapshot = offset
				return offset, nil
			}
			if !errors.Is(err, errBadSnapshot) {
				return 0, err
			}
		} else if offset <= start {
			break
		}
		if err := removeIfExists(path); err != nil {
			return 0, err
		}
	}
	l.producers.clear(start)
	return start, nil
}

// replayProducers takes the batches in [from, end) into the producer state. Their transaction index entries are there already.
func (l *Log) replayProducers(from, end int64) error {
	segments := l.list()
	for i := max(floorSegment(segments, from), 0); i < len(segments) && from < end; i++ {
		s := segments[i]
		if s.size.Load() == 0 {
			continue
		}
		position, err := s.floorPosition(from)
		if err != nil {
			return err
		}
		if err := l.replaySegment(s, position, from); err != nil {
			return err
		}
	}
	l.producers.setEnd(end)
	return nil
}

func (l *Log) replaySegment(s *segment, position, from int64) error {
	h, err := s.acquire()
	if err != nil {
		return err
	}
	defer h.release()
	sc := newScanner(h.f, position, s.size.Load(), make([]byte, 64<<10))
	for {
		err := sc.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var b []byte
		if err == nil && sc.header.Magic == 2 && sc.header.ProducerID >= 0 && sc.header.LastOffset >= from {
			if sc.header.IsControl() {
				b, err = sc.batch()
			} else {
				b, err = sc.headerBytes() // only the header is looked at
			}
		}
		if err != nil {
			return &CorruptError{Dir: s.dir, Base: s.base, Pos: sc.pos, Err: err}
		}
		if b != nil {
			l.producers.apply(b)
		}
	}
}

// dropStraySnapshots removes the snapshots that no segment begins with, but for the newest.
func (l *Log) dropStraySnapshots(snapshots []int64) error {
	segments := l.list()
	for i, offset := range snapshots {
		at := floorSegment(segments, offset)
		if (at >= 0 && segments[at].base == offset) || i == len(snapshots)-1 {
			continue
		}
		if err := removeIfExists(filepath.Join(l.path, fileName(offset, snapshotSuffix))); err != nil {
			return err
		}
	}
	return nil
}

// writeSnapshotLocked writes the producer state at an offset, unless that snapshot is there.
func (l *Log) writeSnapshotLocked(offset int64) error {
	if l.producers.snapshotOffset() == offset || offset <= l.logStart.Load() {
		return nil // an empty log needs none
	}
	path := filepath.Join(l.path, fileName(offset, snapshotSuffix))
	f, err := openFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(l.producers.encodeSnapshot())
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		l.producers.setSnapshotOffset(offset)
	}
	return err
}
