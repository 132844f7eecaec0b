package commitlog

import (
	"errors"
	"io"

	"github.com/prekraft/prekraft/broker/record"
)

// TimestampOffset is the answer to a look-up by time.
type TimestampOffset struct {
	Offset      int64
	Timestamp   int64 // milliseconds
	LeaderEpoch int32 // of the batch, -1 unknown
}

// OffsetForTimestamp returns the first record with a timestamp of at least timestamp, in milliseconds, an offset from the log start on and below upTo; false when there
// is none. Source: UnifiedLog.fetchOffsetByTimestamp, storage.md §12.
func (l *Log) OffsetForTimestamp(timestamp, upTo int64) (TimestampOffset, bool, error) {
	if err := l.dir.offline(); err != nil {
		return TimestampOffset{}, false, err
	}
	l.structure.RLock()
	defer l.structure.RUnlock()
	start := l.logStart.Load()
	for _, s := range l.list() {
		largest, _, err := s.largestTimestamp()
		if err != nil {
			return TimestampOffset{}, false, l.dir.fail(err)
		}
		if largest < timestamp {
			continue
		}
		found, ok, err := l.findTimestamp(s, timestamp, start)
		if err != nil {
			return TimestampOffset{}, false, l.dir.fail(err)
		}
		if ok {
			return found, found.Offset < upTo, nil
		}
	}
	return TimestampOffset{}, false, nil
}

// findTimestamp looks in one segment.
func (l *Log) findTimestamp(s *segment, timestamp, start int64) (TimestampOffset, bool, error) {
	offset, err := s.floorTime(timestamp)
	if err != nil {
		return TimestampOffset{}, false, err
	}
	position, err := s.floorPosition(max(offset, start))
	if err != nil {
		return TimestampOffset{}, false, err
	}
	return l.findRecord(s, position,
		func(h *record.Header) bool { return h.MaxTimestamp >= timestamp && h.LastOffset >= start },
		func(r *record.Record) bool { return r.Timestamp >= timestamp && r.Offset >= start })
}

// findRecord returns the first record that match accepts, of the batches that maybe accepts.
func (l *Log) findRecord(s *segment, position int64, maybe func(*record.Header) bool, match func(*record.Record) bool) (TimestampOffset, bool, error) {
	h, err := s.acquire()
	if err != nil {
		return TimestampOffset{}, false, err
	}
	defer h.release()
	window := l.shared.window()
	defer l.shared.windows.Put(window)
	sc := newScanner(h.f, position, s.size.Load(), *window)
	for {
		err := sc.next()
		if errors.Is(err, io.EOF) {
			return TimestampOffset{}, false, nil
		}
		if err != nil {
			return TimestampOffset{}, false, &CorruptError{Dir: s.dir, Base: s.base, Pos: sc.pos, Err: err}
		}
		if !maybe(&sc.header) {
			continue
		}
		b, err := sc.batch()
		if err != nil {
			return TimestampOffset{}, false, err
		}
		for r, err := range record.Records(b, record.ReadOptions{Codecs: &l.shared.codecs}) {
			if err != nil {
				return TimestampOffset{}, false, recordError(err)
			}
			if match(&r) {
				return TimestampOffset{r.Offset, r.Timestamp, sc.header.PartitionLeaderEpoch}, true, nil
			}
		}
	}
}

// MaxTimestampOffset returns the first record with the largest timestamp in the log; false when no record has one. Source: UnifiedLog.fetchOffsetByTimestamp
// with MAX_TIMESTAMP (KIP-734).
func (l *Log) MaxTimestampOffset() (TimestampOffset, bool, error) {
	if err := l.dir.offline(); err != nil {
		return TimestampOffset{}, false, err
	}
	l.structure.RLock()
	defer l.structure.RUnlock()
	var best *segment
	most, at := record.NoTimestamp, int64(0)
	for _, s := range l.list() {
		largest, offset, err := s.largestTimestamp()
		if err != nil {
			return TimestampOffset{}, false, l.dir.fail(err)
		}
		if largest > most {
			best, most, at = s, largest, offset
		}
	}
	if best == nil {
		return TimestampOffset{}, false, nil
	}
	position, err := best.floorPosition(at)
	if err != nil {
		return TimestampOffset{}, false, l.dir.fail(err)
	}
	found, ok, err := l.findRecord(best, position,
		func(h *record.Header) bool { return h.MaxTimestamp >= most },
		func(r *record.Record) bool { return r.Timestamp >= most })
	return found, ok, l.dir.fail(err)
}

// EarliestOffset returns the log start offset and the leader epoch it belongs to, -1 when that isn't known.
func (l *Log) EarliestOffset() (offset int64, leaderEpoch int32) {
	start := l.logStart.Load()
	return start, l.epochs.at(start)
}

// LegacyOffsetsBefore answers ListOffsets v0: the base offsets of the segments last written before a time, newest first, then at most the given number. timestamp -1 asks
// for the log end offset too, -2 for the log start offset alone. Source: LogOffsetSnapshot, UnifiedLog.legacyFetchOffsetsBefore.
func (l *Log) LegacyOffsetsBefore(timestamp int64, most int) ([]int64, error) {
	if err := l.dir.offline(); err != nil {
		return nil, err
	}
	l.structure.RLock()
	defer l.structure.RUnlock()
	segments := l.list()
	type entry struct{ offset, modified int64 }
	entries := make([]entry, 0, len(segments)+1)
	for _, s := range segments {
		modified, err := s.modified()
		if err != nil {
			return nil, l.dir.fail(err)
		}
		entries = append(entries, entry{max(s.base, l.logStart.Load()), modified})
	}
	if last := segments[len(segments)-1]; last.size.Load() > 0 {
		entries = append(entries, entry{l.logEnd.Load(), l.host.now().UnixMilli()})
	}
	from := len(entries) - 1
	switch timestamp {
	case -1:
	case -2:
		from = 0
	default:
		for from >= 0 && entries[from].modified > timestamp {
			from--
		}
	}
	offsets := []int64{}
	for i := from; i >= 0 && len(offsets) < most; i-- {
		offsets = append(offsets, entries[i].offset)
	}
	return offsets, nil
}
