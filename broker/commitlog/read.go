package commitlog

import (
	"errors"
	"io"
	"os"
)

// ReadOptions says how much of a log is read.
type ReadOptions struct {
	// MaxBytes limits the bytes; the last batch may be cut off.
	MaxBytes int
	// UpTo is the offset before which reading ends: the high watermark, last stable offset or log end offset, by who reads.
	UpTo int64
	// MinOneMessage makes the first batch whole even if it exceeds MaxBytes.
	MinOneMessage bool
	// AbortedTxns asks for the aborted transactions in the range.
	AbortedTxns bool
}

// Fetched is what a Read found.
type Fetched struct {
	// Span are the bytes; its Length is 0 when there are none. It must be released.
	Span Span
	// FirstIncomplete says that MaxBytes cut off the first batch, so that the span holds no whole one.
	FirstIncomplete bool
	// AbortedTxns are the aborted transactions that touch the span, perhaps with some that don't; not nil if they were asked for.
	AbortedTxns []AbortedTxn
	// SegmentBase is the base offset of the segment that was read.
	SegmentBase int64
}

// Span is a stretch of a segment's file. It holds the file: neither deletion nor truncation takes it away or changes the bytes before Release.
type Span struct {
	// File may be shared: read from it with explicit offsets only, and don't close it. nil when Length is 0.
	File     *os.File
	Position int64
	Length   int

	handle *handle
}

// Release gives the file back. It does nothing for a Span without a file, and must be called once for any other.
func (s Span) Release() {
	if s.handle != nil {
		s.handle.seg.spans.Add(-1)
		s.handle.release()
	}
}

// AppendTo appends the span's bytes to b.
func (s Span) AppendTo(b []byte) ([]byte, error) {
	if s.Length == 0 {
		return b, nil
	}
	n := len(b)
	if cap(b)-n < s.Length {
		b = append(make([]byte, 0, n+s.Length), b...)
	}
	b = b[:n+s.Length]
	if _, err := s.File.ReadAt(b[n:], s.Position); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return b[:n], err
	}
	return b, nil
}

// Read finds the batches from the one that holds offset on. That batch may begin below offset: clients skip what they didn't ask for. Nothing is copied:
// the result is a place in a file, and lies in one segment. An offset at or beyond UpTo gives an empty result.
//
// Errors: ErrOffsetOutOfRange below the log start offset and beyond the log end offset, ErrStorage.
func (l *Log) Read(offset int64, o ReadOptions) (Fetched, error) {
	if err := l.dir.offline(); err != nil {
		return Fetched{}, err
	}
	l.structure.RLock()
	defer l.structure.RUnlock()
	f, err := l.readShared(offset, &o)
	return f, l.dir.fail(err)
}

func (l *Log) readShared(offset int64, o *ReadOptions) (Fetched, error) {
	f := Fetched{}
	if o.AbortedTxns {
		f.AbortedTxns = []AbortedTxn{}
	}
	end := l.logEnd.Load()
	if start := l.logStart.Load(); offset < start || offset > end {
		return Fetched{}, errorf(KindOffsetOutOfRange, "offset %d of %s is not in [%d, %d]", offset, l.name, start, end)
	}
	upTo := min(o.UpTo, end)
	if offset >= upTo {
		return f, nil
	}
	segments := l.list()
	i := max(floorSegment(segments, offset), 0)
	for ; i < len(segments); i++ {
		s := segments[i]
		if s.base >= upTo {
			return f, nil
		}
		position, batchEnd, ok, err := l.locate(s, offset)
		if err != nil {
			return Fetched{}, err
		}
		if !ok {
			continue // compacted away up to the end of the segment
		}
		limit, err := l.limitPosition(s, i+1 < len(segments) && upTo >= segments[i+1].base, upTo, position, int64(o.MaxBytes))
		if err != nil {
			return Fetched{}, err
		}
		length := limit - position
		if length <= 0 {
			return f, nil
		}
		most := int64(max(o.MaxBytes, 0))
		if o.MinOneMessage {
			most = max(most, batchEnd-position)
		}
		length = min(length, most)
		f.SegmentBase, f.FirstIncomplete = s.base, most < batchEnd-position
		if length > 0 {
			h, err := s.acquire()
			if err != nil {
				return Fetched{}, err
			}
			s.spans.Add(1)
			f.Span = Span{File: h.f, Position: position, Length: int(length), handle: h}
		}
		if o.AbortedTxns {
			if f.AbortedTxns, err = l.abortedIn(segments[i:], offset, position+length, end); err != nil {
				f.Span.Release()
				return Fetched{}, err
			}
		}
		return f, nil
	}
	return f, nil
}

// locate returns where the batch that holds offset, or the next one in the segment, begins and ends.
func (l *Log) locate(s *segment, offset int64) (position, end int64, ok bool, err error) {
	l.tail.Lock()
	if l.tail.segment == s {
		if position, end, ok = l.tail.findLocked(offset); ok {
			l.tail.Unlock()
			return position, end, true, nil
		}
	}
	l.tail.Unlock()
	b, ok, err := s.find(offset)
	return b.position, b.position + b.size, ok, err
}

// limitPosition returns where reading up to an offset must end in a segment. Beyond position+maxBytes it needn't be exact.
func (l *Log) limitPosition(s *segment, whole bool, upTo, position, maxBytes int64) (int64, error) {
	if whole {
		return s.size.Load(), nil
	}
	l.tail.Lock()
	if l.tail.segment == s {
		if upTo == l.tail.end {
			size := l.tail.size
			l.tail.Unlock()
			return size, nil
		}
		if p, _, ok := l.tail.findLocked(upTo); ok {
			l.tail.Unlock()
			return p, nil
		}
	}
	l.tail.Unlock()
	floor, err := s.floorPosition(upTo)
	if err != nil {
		return 0, err
	}
	if floor >= position+maxBytes && floor > position {
		return floor, nil // all before an index entry at or below upTo lies below upTo
	}
	b, ok, err := s.scan(floor, headerEndsAtOrAfter(upTo))
	if err != nil {
		return 0, err
	}
	if !ok {
		return s.size.Load(), nil
	}
	return b.position, nil
}

// abortedIn collects the aborted transactions that a reader of [offset, the offset at position) needs.
func (l *Log) abortedIn(segments []*segment, offset, position, end int64) ([]AbortedTxn, error) {
	upper, ok, err := segments[0].ceilingPosition(position)
	if err != nil {
		return nil, err
	}
	if !ok {
		upper = end
		if len(segments) > 1 {
			upper = segments[1].base
		}
	}
	list := []AbortedTxn{}
	for _, s := range segments {
		var complete bool
		if list, complete, err = s.collectAborted(list, offset, upper); err != nil {
			return nil, err
		}
		if complete {
			break
		}
	}
	return list, nil
}
