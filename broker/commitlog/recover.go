package commitlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/prekraft/prekraft/broker/record"
)

// recover reads every segment that may hold bytes which weren't flushed, checks each batch, and rebuilds indexes, epochs, producer state and transaction indexes from them. At
// the first batch that isn't whole and right the log ends. Source: LogLoader.recoverLog, LogSegment.recover, storage.md §7.4.
//
// Beside the checksum, which doesn't cover a batch's offset and epoch, both are compared with the batches before and after: see consistent.
func (l *Log) recover(recoveryPoint int64, files *replicaFiles) error {
	l.touched = true
	started := l.host.now()
	segments := l.list()
	first := max(floorSegment(segments, recoveryPoint), 0)
	l.logStart.Store(segments[0].base)
	if _, err := l.readNewestSnapshot(files.snapshots, segments[first].base); err != nil {
		return err
	}
	l.logEnd.Store(segments[first].base)
	// The snapshot may be older than the first segment that is checked; what lies between was flushed.
	from := l.producers.end()
	err := l.replayProducers(from, segments[first].base)
	var corrupt *CorruptError
	if errors.As(err, &corrupt) && corrupt.Base < segments[first].base {
		first = floorSegment(segments, corrupt.Base) // even flushed bytes can rot
		_, err = l.readNewestSnapshot(files.snapshots, segments[first].base)
		if err == nil {
			err = l.replayProducers(l.producers.end(), segments[first].base)
		}
	}
	if err != nil {
		return err
	}
	l.sealedPoint.Store(segments[first].base) // their indexes are made anew
	var result Recovery
	for i := first; i < len(segments); i++ {
		s := segments[i]
		if i > first {
			if err := l.writeSnapshotLocked(s.base); err != nil {
				return err
			}
		}
		// A gap between segments is as in a compacted log.
		l.logEnd.Store(max(l.logEnd.Load(), s.base))
		if i == first {
			l.logEnd.Store(s.base)
		}
		bad, err := l.recoverSegment(s, segments[i+1:], &result)
		if err != nil {
			return err
		}
		if bad == nil {
			continue
		}
		result.Corrupt = bad
		if later := segments[i+1:]; len(later) > 0 {
			for _, gone := range later {
				result.TruncatedBytes += gone.size.Load()
			}
			l.setSegments(segments[: i+1 : i+1])
			if err := l.removeSegments(later, reasonRecovery); err != nil {
				return err
			}
		}
		break
	}
	end := l.logEnd.Load()
	l.producers.setEnd(end)
	l.epochs.truncateFromEnd(end)
	// Other than Kafka, no snapshot is written here: it would cost each log a file at each start, and a crash before the next one only means replaying a little more.
	result.Duration = l.host.now().Sub(started)
	if f := l.host.hooks().Recovered; f != nil {
		f(l.tp, result)
	}
	return nil
}

// recoverSegment checks one segment and cuts it off at the first bad batch, which it returns. later are the segments after it.
func (l *Log) recoverSegment(s *segment, later []*segment, result *Recovery) (*CorruptError, error) {
	h, err := s.acquire()
	if err != nil {
		return nil, err
	}
	defer h.release()
	if err := s.resetAborted(); err != nil {
		return nil, err
	}
	s.index.Lock()
	err = s.resetIndexLocked()
	s.index.Unlock()
	if err != nil {
		return nil, err
	}
	size := s.size.Load()
	window := int(min(max(size, 1), recoverWindow))
	sc := newScanner(h.f, 0, size, make([]byte, window))
	epoch := l.epochs.at(s.base - 1)
	var bad error
	for {
		b, err := sc.nextWhole()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = l.consistent(s, later, h.f, sc, epoch)
		}
		if err != nil {
			if !isCorrupt(err) {
				return nil, err
			}
			bad = err
			break
		}
		if err := l.recoverBatch(s, sc.at, &sc.header, b); err != nil {
			return nil, err
		}
		epoch = max(epoch, sc.header.PartitionLeaderEpoch)
	}
	valid := sc.pos
	s.index.Lock()
	if len(later) > 0 { // the active segment's goes on growing, and is written when it's closed
		if err = s.noteMaxTimestampLocked(); err == nil {
			err = s.writeIndexLocked(true)
		}
	}
	s.index.Unlock()
	if err != nil {
		return nil, err
	}
	result.Segments++
	result.Bytes += valid
	s.size.Store(valid)
	// Also when nothing is cut off: that gives back space which was reserved behind the end.
	if valid < size || size >= reserveFrom {
		if err := h.f.Truncate(valid); err != nil {
			return nil, err
		}
	}
	if bad == nil {
		return nil, nil
	}
	result.TruncatedBytes += size - valid
	return &CorruptError{Dir: s.dir, Base: s.base, Pos: valid, Err: bad}, nil
}

// recoverBatch takes a good batch into everything that is derived from the log.
func (l *Log) recoverBatch(s *segment, at int64, h *record.Header, b []byte) error {
	s.index.Lock()
	err := s.noteBatchLocked(at, h.SizeInBytes(), h.LastOffset, h.MaxTimestamp)
	s.index.Unlock()
	if err != nil {
		return err
	}
	if h.PartitionLeaderEpoch > l.epochs.latest() {
		l.epochs.assign(h.PartitionLeaderEpoch, h.BaseOffset)
	}
	if h.Magic == 2 && h.ProducerID >= 0 {
		if aborted := l.producers.apply(b); aborted != nil {
			if err := s.appendAborted(*aborted); err != nil {
				return err
			}
		}
	}
	l.logEnd.Store(h.NextOffset())
	return nil
}

// consistent judges the fields that no checksum covers: base offset and leader epoch. Both may only rise. When they rise by a jump, the batch after this one tells whether
// this one is wrong: if it falls back, but not below what came before, its neighbours agree against it. A gap alone is right in a log that was compacted.
func (l *Log) consistent(s *segment, later []*segment, r io.ReaderAt, sc *scanner, epoch int32) error {
	h := &sc.header
	first := h.BaseOffset
	if h.Magic < 2 {
		first = h.LastOffset
	}
	next := l.logEnd.Load()
	var problem string
	switch {
	case first < next || first < s.base:
		problem = fmt.Sprintf("offset %d after %d", first, next-1)
	case s.overflows(h.LastOffset):
		wide, err := l.wide(s, later, r, sc, epoch)
		if err != nil {
			return err
		}
		if wide {
			return &overflowError{s}
		}
		problem = fmt.Sprintf("offset %d in segment %d", h.LastOffset, s.base)
	case len(later) > 0 && h.LastOffset >= later[0].base:
		problem = fmt.Sprintf("offset %d before segment %d", h.LastOffset, later[0].base)
	case h.Magic == 2 && h.PartitionLeaderEpoch < epoch:
		problem = fmt.Sprintf("leader epoch %d after %d", h.PartitionLeaderEpoch, epoch)
	case first > next || h.PartitionLeaderEpoch > epoch:
		ahead := &lookahead{scanner: newScanner(r, sc.pos, sc.end, make([]byte, record.HeaderPeekSize)), later: later}
		defer ahead.release()
		err := ahead.next()
		if err != nil && !isCorrupt(err) && !errors.Is(err, io.EOF) {
			return err
		}
		if err != nil || ahead.header.Magic != h.Magic {
			return nil // the last one, or followed by rubbish: nothing speaks against it
		}
		a := ahead.header
		fell := a.PartitionLeaderEpoch < h.PartitionLeaderEpoch && a.PartitionLeaderEpoch >= epoch
		if fell && epoch < 0 {
			// Nothing came before: the batch after the next one decides between the two.
			fell = ahead.next() == nil && ahead.header.PartitionLeaderEpoch < h.PartitionLeaderEpoch
		}
		// Where this one's offset is the next, it is the other's that is wrong.
		if fell || first > next && a.BaseOffset < h.NextOffset() && a.BaseOffset >= next {
			problem = fmt.Sprintf("offset %d and leader epoch %d before %d and %d", h.BaseOffset, h.PartitionLeaderEpoch, a.BaseOffset, a.PartitionLeaderEpoch)
		}
	}
	if problem == "" {
		return nil
	}
	sc.reject()
	return fmt.Errorf("%s: %w", problem, record.ErrCorrupt)
}

// lookahead reads the headers of batches that recovery hasn't come to, over the ends of segments.
type lookahead struct {
	*scanner
	later []*segment
	held  []*handle
}

// next is the scanner's, going on in the next segment.
func (a *lookahead) next() error {
	for {
		err := a.scanner.next()
		if !errors.Is(err, io.EOF) || len(a.later) == 0 {
			return err
		}
		h, err := a.later[0].acquire()
		if err != nil {
			return err
		}
		a.held = append(a.held, h)
		a.scanner = newScanner(h.f, 0, a.later[0].size.Load(), a.buf)
		a.later = a.later[1:]
	}
}

func (a *lookahead) release() {
	for _, h := range a.held {
		h.release()
	}
}

// Why segments are deleted, as hooks are told.
const (
	reasonLogStart   = "log start offset"
	reasonSize       = "retention size"
	reasonTime       = "retention time"
	reasonTruncation = "truncation"
	reasonRecovery   = "recovery"
)

// removeSegments deletes segments that are no longer in the list, and the snapshots at their bases. They are renamed to *.deleted now, so that a crash finishes it, and
// removed after file.delete.delay.ms.
func (l *Log) removeSegments(segments []*segment, reason string) error {
	var names []string
	bases := make([]int64, 0, len(segments))
	for _, s := range segments {
		renamed, err := s.markDeleted()
		if err != nil {
			return err
		}
		names = append(names, renamed...)
		bases = append(bases, s.base)
		snapshot := s.path(snapshotSuffix)
		if s.base <= l.logEnd.Load() && (reason == reasonTruncation || reason == reasonRecovery) {
			continue // still right, and needed to rebuild the producer state
		}
		if _, err := os.Stat(snapshot); err == nil {
			if err := os.Rename(snapshot, snapshot+deletedSuffix); err != nil {
				return err
			}
			names = append(names, snapshot+deletedSuffix)
		}
	}
	l.host.removeLater(names, msDuration(l.config.Load().FileDeleteDelayMs))
	if f := l.host.hooks().SegmentsDeleted; f != nil && len(bases) > 0 {
		f(l.tp, bases, reason)
	}
	return nil
}

// removeSnapshotsAbove removes the producer snapshots above an offset.
func (l *Log) removeSnapshotsAbove(offset int64) error {
	names, err := readNames(l.path)
	if err != nil {
		return err
	}
	for _, name := range names {
		if at, ok := parseFileName(name, snapshotSuffix); ok && at > offset {
			if err := removeIfExists(filepath.Join(l.path, name)); err != nil {
				return err
			}
		}
	}
	return nil
}
