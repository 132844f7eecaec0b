package record

import (
	"fmt"
	"math"
)

// MaxRecordErrors is how many record errors ValidateRecords describes when the caller sets no limit; the rest is
// counted. Kafka describes them all, which for a batch of one-byte records is many times the batch.
const MaxRecordErrors = 1000

// ValidateOptions says what ValidateRecords looks for.
type ValidateOptions struct {
	// Codecs pools what decompressing needs; nil allocates it anew.
	Codecs *Codecs
	// Compacted: cleanup.policy contains compact, so that every record needs a key.
	Compacted bool
	// TimestampType is the topic's message.timestamp.type.
	TimestampType TimestampType
	// CheckTimestamps compares each record's timestamp with NowMs when the topic's type is CreateTime: an error is one
	// older by more than BeforeMaxMs or newer by more than AfterMaxMs (message.timestamp.before.max.ms, ...after.max.ms),
	// but not -1. False skips that, as do two limits of math.MaxInt64.
	CheckTimestamps         bool
	NowMs                   int64
	BeforeMaxMs, AfterMaxMs int64
	// MaxDecompressed limits the decompressed bytes: 0 is DefaultMaxDecompressed, less is no limit.
	MaxDecompressed int64
	// MaxErrors limits how many record errors are described; 0 is MaxRecordErrors.
	MaxErrors int
	// TopicPartition is named in the messages of record errors, as "topic-0".
	TopicPartition string
}

// ValidateResult is what ValidateRecords learned.
type ValidateResult struct {
	// MaxTimestamp is the largest timestamp of the records, -1 if all are less. For a batch marked LogAppendTime it is
	// the batch's.
	MaxTimestamp int64
	// MaxTimestampIndex is the index in the batch of the first record that has it; 0 when MaxTimestamp is -1.
	MaxTimestampIndex int32
	// ConsecutiveOffsets: the records' offset deltas are 0, 1, 2 and so on.
	ConsecutiveOffsets bool
	// ErrorCount is the number of records that must not be appended, Errors describes the first of them.
	ErrorCount int
	Errors     []RecordError
	// InvalidTimestamp: at least one of all ErrorCount errors is that, which decides the partition's error code.
	InvalidTimestamp bool
}

// RecordError is the reason why one record of a batch can't be appended.
type RecordError struct {
	// Index of the record in its batch, from 0.
	Index int32
	// InvalidTimestamp tells INVALID_TIMESTAMP (32) from INVALID_RECORD (87).
	InvalidTimestamp bool
	// Message is Kafka's.
	Message string
}

// ErrorMessage is the partition's error message that Kafka sends with the record errors, "" when there are none.
func (r *ValidateResult) ErrorMessage() string {
	switch {
	case r.ErrorCount == 0:
		return ""
	case r.InvalidTimestamp:
		return "One or more records have been rejected due to invalid timestamp"
	}
	list := ""
	for i, e := range r.Errors[:min(3, len(r.Errors))] {
		if i > 0 {
			list += ", "
		}
		list += fmt.Sprintf("RecordError(batchIndex=%d, message='%s')", e.Index, e.Message)
	}
	return fmt.Sprintf("One or more records have been rejected due to %d record errors in total, "+
		"and only showing the first three errors at most: [%s]", r.ErrorCount, list)
}

// NeedsRebuild says whether a leader must re-encode a validated batch rather than append its bytes: the target codec
// (CodecProducer keeps the batch's) is another one, or the batch is compressed and its offsets are not 0, 1, 2...
// Kafka lets uncompressed batches with such offsets pass, and never re-encodes an uncompressed control batch. For gaps in a
// compressed batch that keeps its codec, 3.9 means to re-encode it but fails (it has skipped the keys it needs then) and
// answers UNKNOWN_SERVER_ERROR; re-encoding is what its producers were promised.
func NeedsRebuild(b Batch, r ValidateResult, target Codec) bool {
	codec := b.Codec()
	if target == CodecProducer {
		target = codec
	}
	switch {
	case codec == CodecNone && (target == CodecNone || b.IsControl()):
		return false
	case codec != target:
		return true
	}
	return !r.ConsecutiveOffsets
}

// ValidateRecords checks every record of a batch as a leader must before it appends: that each fills its declared length
// exactly, that there are as many as the header says and nothing after them, and what ValidateOptions asks for. It
// decompresses in pieces and skips keys, values and headers, so memory use is constant. It doesn't check the header or
// the checksum: see Batch.Validate and Batch.CheckProduced.
//
// A record that breaks a rule of the topic is counted in the result, and the error is nil. Errors: ErrInvalidRecord when
// the structure is wrong, ErrUnknownCodec, ErrDecompress, ErrDecompressedTooLarge.
//
// Source: LogValidator.java. Kafka doesn't compare the declared length of records in compressed batches; here it is
// compared, because consumers do.
func ValidateRecords(b Batch, o ValidateOptions) (ValidateResult, error) {
	w := newWalk(b, &o)
	if err := w.all(b, &o); err != nil {
		return ValidateResult{}, err
	}
	r := ValidateResult{MaxTimestamp: w.maxTimestamp, MaxTimestampIndex: w.maxIndex, ConsecutiveOffsets: !w.gaps}
	if w.suspect || w.nullKey && o.Compacted {
		return r, explain(b, &o, &r)
	}
	return r, nil
}

// walk is one pass over the records of a batch. It only notices that something may be wrong; explain finds out what.
type walk struct {
	count         int32
	index         int32 // of the next record
	base          int64 // base timestamp
	appended      bool  // LogAppendTime: the header's timestamp counts
	low, high     int64 // timestamps outside are suspect
	maxTimestamp  int64
	maxIndex      int32
	gaps, nullKey bool
	suspect       bool
}

func newWalk(b Batch, o *ValidateOptions) walk {
	w := walk{count: b.RecordsCount(), base: b.BaseTimestamp(), maxTimestamp: NoTimestamp, low: math.MinInt64, high: math.MaxInt64}
	if b.TimestampType() == LogAppendTime {
		w.appended = true
		w.maxTimestamp = max(b.MaxTimestamp(), NoTimestamp)
		w.suspect = o.judge(b.MaxTimestamp(), true) != timestampFine
		return w
	}
	if o.CheckTimestamps && o.TimestampType == CreateTime {
		// Saturating, and so at least as strict as the exact comparison.
		if o.BeforeMaxMs >= 0 && o.NowMs >= 0 {
			w.low = o.NowMs - o.BeforeMaxMs
		} else {
			w.low = math.MaxInt64
		}
		if w.high = o.NowMs + o.AfterMaxMs; o.AfterMaxMs < 0 || o.NowMs < 0 {
			w.high = math.MinInt64
		} else if w.high < 0 {
			w.high = math.MaxInt64
		}
	}
	return w
}

// all walks the whole batch.
func (w *walk) all(b Batch, o *ValidateOptions) error {
	if w.count < 0 {
		return invalid("records count %d", w.count)
	}
	if b.Codec() == CodecNone {
		// The ordinary case needs no cursor, unless something is wrong.
		rest := w.whole(b.Payload())
		if w.index == w.count && len(rest) == 0 {
			return nil
		}
		return w.pieces(&cursor{piece: rest})
	}
	c, err := o.Codecs.open(b.Codec(), 2, b.Payload(), o.MaxDecompressed, true)
	if err != nil {
		return err
	}
	defer c.close()
	return w.pieces(c)
}

func (w *walk) pieces(c *cursor) error {
	for {
		c.piece = w.whole(c.piece)
		if w.index == w.count {
			return c.end()
		}
		if err := w.partial(c); err != nil {
			return err
		}
	}
}

// whole walks the records that lie in p from end to end and returns the rest, which begins with a record that doesn't,
// or with one that is wrong. This loop is what every produced byte pays for: the usual varints are read in place, nothing
// is called, and anything unusual is left to partial, which reads one record carefully. Positions only grow, so it is
// enough to compare them with the end of p on the way and with the end of the record at last.
func (w *walk) whole(p []byte) []byte {
	index, count := w.index, w.count
	low, high, base := w.low, w.high, w.base
	maxTimestamp, maxIndex := w.maxTimestamp, w.maxIndex
	gaps, nullKey, suspect := w.gaps, w.nullKey, w.suspect
	start := 0 // of the record
outer:
	for ; index < count; index++ {
		i := start
		if i+7 > len(p) { // the shortest record
			break
		}
		// The length. Its lowest bit, as that of every varint, is the sign.
		u := uint32(p[i])
		if u < 0x80 {
			i++
		} else {
			var n int
			if u, n = varintAt(p, i); n == 0 {
				break
			}
			i += n
		}
		if u&1 != 0 {
			break
		}
		end := i + int(u>>1)
		if uint(end) > uint(len(p)) {
			break
		}
		i++ // the attributes

		// The timestamp delta.
		if uint(i) >= uint(len(p)) {
			break
		}
		var timestamp int64
		if u = uint32(p[i]); u < 0x80 {
			timestamp = int64(unzigzag32(u))
			i++
		} else if v, n := varintAt(p, i); n > 0 {
			timestamp = int64(unzigzag32(v))
			i += n
		} else if timestamp, i = varint64(p, i); i < 0 {
			break
		}
		timestamp += base

		// The offset delta.
		if uint(i) >= uint(len(p)) {
			break
		}
		if u = uint32(p[i]); u < 0x80 {
			i++
		} else {
			var n int
			if u, n = varintAt(p, i); n == 0 {
				break
			}
			i += n
		}
		offset := unzigzag32(u)

		// Key and value: null has length -1, and any negative length is null.
		var noKey bool
		for field := range 2 {
			if uint(i) >= uint(len(p)) {
				break outer
			}
			if u = uint32(p[i]); u < 0x80 {
				i++
			} else {
				var n int
				if u, n = varintAt(p, i); n == 0 {
					break outer
				}
				i += n
			}
			if u&1 == 0 {
				i += int(u >> 1)
			} else if field == 0 {
				noKey = true
			}
		}

		// The headers: mostly none, and then this byte is the last one.
		if uint(i) >= uint(len(p)) {
			break
		}
		if p[i] == 0 {
			i++
		} else if i = skipHeaders(p[:end], i); i < 0 {
			break
		}
		if i != end {
			break
		}

		// The record is well formed. What does it say?
		start = end
		if offset != index {
			gaps = true
		}
		if noKey {
			nullKey = true
		}
		if timestamp > maxTimestamp && !w.appended {
			maxTimestamp, maxIndex = timestamp, index
		}
		if (timestamp < low || timestamp > high) && timestamp != NoTimestamp {
			suspect = true
		}
	}
	w.index, w.maxTimestamp, w.maxIndex = index, maxTimestamp, maxIndex
	w.gaps, w.nullKey, w.suspect = gaps, nullKey, suspect
	return p[start:]
}

// skipHeaders returns the position after the headers of a record, whose count begins at r[i], or -1 if they are wrong.
func skipHeaders(r []byte, i int) int {
	if i > len(r) {
		return -1
	}
	count, i := varint32(r, i)
	if i < 0 || count < 0 || int(count) > len(r)-i {
		return -1
	}
	for range count {
		var n int32
		if n, i = varint32(r, i); i < 0 || n < 0 || int(n) > len(r)-i {
			return -1
		}
		i += int(n)
		if n, i = varint32(r, i); i < 0 || int(n) > len(r)-i {
			return -1
		}
		i += max(int(n), 0)
	}
	return i
}

// partial walks one record that may span pieces, or be wrong: then it says how.
func (w *walk) partial(c *cursor) error {
	f, err := readFields(c)
	if err != nil {
		return fmt.Errorf("record %d: %w", w.index, err)
	}
	timestamp := w.base + f.timestampDelta
	if f.offsetDelta != w.index {
		w.gaps = true
	}
	if f.keySize < 0 {
		w.nullKey = true
	}
	if timestamp > w.maxTimestamp && !w.appended {
		w.maxTimestamp, w.maxIndex = timestamp, w.index
	}
	if (timestamp < w.low || timestamp > w.high) && timestamp != NoTimestamp {
		w.suspect = true
	}
	w.index++
	return nil
}

// fields are what a record says beside its key, value and headers.
type fields struct {
	timestampDelta     int64
	offsetDelta        int32
	keySize, valueSize int32 // negative for null
}

// readFields reads one record, skipping the rest of it, and checks its structure.
func readFields(c *cursor) (f fields, err error) {
	length, err := c.length()
	if err != nil {
		return f, err
	}
	if c.source == nil && length > len(c.piece) {
		return f, c.short(length)
	}
	s := skipper{c: c, left: length}
	s.skip(1) // attributes
	f.timestampDelta = s.varint(10)
	f.offsetDelta = int32(s.varint(5))
	f.keySize = int32(s.varint(5))
	s.skip(int64(f.keySize))
	f.valueSize = int32(s.varint(5))
	s.skip(int64(f.valueSize))
	headers := int32(s.varint(5))
	if s.err == nil && (headers < 0 || int(headers) > s.left) {
		return f, invalid("headers count %d", headers)
	}
	for ; headers > 0 && s.err == nil; headers-- {
		n := int32(s.varint(5))
		if n < 0 {
			return f, invalid("header key length %d", n)
		}
		s.skip(int64(n))
		s.skip(s.varint(5))
	}
	if s.err == nil && s.left != 0 {
		return f, invalid("%d bytes of the declared length %d are left", s.left, length)
	}
	return f, s.err
}

// skipper reads a record of left bytes across pieces. After the first error it does nothing.
type skipper struct {
	c    *cursor
	left int
	err  error
}

// varint reads one of at most size bytes, 5 or 10.
func (s *skipper) varint(size int) int64 {
	var u uint64
	for shift := 0; s.err == nil; shift += 7 {
		if s.left == 0 {
			s.err = invalid("fields exceed the record's length")
			break
		}
		if s.err = s.c.need(); s.err != nil {
			break
		}
		b := s.c.piece[0]
		s.c.piece = s.c.piece[1:]
		s.left--
		u |= uint64(b&0x7f) << shift
		if b < 0x80 {
			if size == 5 {
				return int64(unzigzag32(uint32(u)))
			}
			return unzigzag64(u)
		}
		if shift == 7*(size-1) {
			s.err = errVarint
		}
	}
	return 0
}

// skip passes n bytes; a negative n stands for null and is none.
func (s *skipper) skip(n int64) {
	if n <= 0 || s.err != nil {
		return
	}
	if n > int64(s.left) {
		s.err = invalid("fields exceed the record's length")
		return
	}
	s.left -= int(n)
	for n > 0 {
		if s.err = s.c.need(); s.err != nil {
			return
		}
		k := min(n, int64(len(s.c.piece)))
		s.c.piece = s.c.piece[k:]
		n -= k
	}
}
