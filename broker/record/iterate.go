package record

import (
	"iter"
	"slices"
)

// Record is one record of an entry of any magic.
type Record struct {
	// Offset is absolute, Timestamp in milliseconds, -1 for none. In a LogAppendTime batch it is the batch's.
	Offset    int64
	Timestamp int64
	// Key and Value: nil is null, which is not the same as empty.
	Key, Value []byte
	// Headers in their order, keys may repeat. Magic 2 only.
	Headers []RecordHeader
	// Magic is the record's own format: in a message set it may differ from the wrapper's.
	Magic int8
	// Attributes of the record itself: unused in magic 2.
	Attributes int8
	// TimestampDelta and OffsetDelta are what magic 2 stores; for magic 0 and 1 they are 0.
	TimestampDelta int64
	OffsetDelta    int32
}

// RecordHeader is one header of a record. Kafka reads keys as UTF-8, here they are the bytes.
type RecordHeader struct {
	Key   []byte
	Value []byte // nil is null
}

// Clone returns a copy that shares no memory with the batch.
func (r Record) Clone() Record {
	r.Key, r.Value = slices.Clone(r.Key), slices.Clone(r.Value)
	r.Headers = slices.Clone(r.Headers)
	for i, h := range r.Headers {
		r.Headers[i] = RecordHeader{Key: slices.Clone(h.Key), Value: slices.Clone(h.Value)}
	}
	return r
}

// ReadOptions says how records are read.
type ReadOptions struct {
	// Codecs pools what decompressing needs; nil allocates it anew.
	Codecs *Codecs
	// MaxDecompressed limits the decompressed bytes of each entry: 0 is DefaultMaxDecompressed, less is no limit.
	MaxDecompressed int64

	serial bool // see Codecs.open
}

// Records iterates over the records of the batch, in order, and checks their structure on the way as ValidateRecords does.
// The last pair holds an error if something is wrong: ErrInvalidRecord, ErrUnknownCodec, ErrDecompress,
// ErrDecompressedTooLarge. The checksum isn't looked at.
//
// What a Record points to may be overwritten by the next step: Clone what should last.
func (b Batch) Records(o ReadOptions) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if err := b.each(o, func(r *Record) bool { return yield(*r, nil) }); err != nil {
			yield(Record{}, err)
		}
	}
}

// each calls f for every record until it returns false.
func (b Batch) each(o ReadOptions, f func(*Record) bool) error {
	count := b.RecordsCount()
	if count < 0 {
		return invalid("records count %d", count)
	}
	c, err := o.Codecs.open(b.Codec(), 2, b.Payload(), o.MaxDecompressed, o.serial)
	if err != nil {
		return err
	}
	defer c.close()
	appended := b.TimestampType() == LogAppendTime
	baseOffset, baseTimestamp := b.BaseOffset(), b.BaseTimestamp()
	r := Record{Magic: 2}
	for i := range count {
		body, err := c.record()
		if err != nil {
			return err
		}
		if !r.parse(body) {
			return invalid("record %d: structure", i)
		}
		r.Offset = baseOffset + int64(r.OffsetDelta)
		r.Timestamp = baseTimestamp + r.TimestampDelta
		if appended {
			r.Timestamp = b.MaxTimestamp()
		}
		if !f(&r) {
			return nil
		}
	}
	return c.end()
}

// parse reads a record's body, all of it, and says whether it is well formed. It reuses the slice of headers.
func (r *Record) parse(body []byte) (ok bool) {
	if len(body) < 1 {
		return false
	}
	r.Attributes = int8(body[0])
	i := 1
	if r.TimestampDelta, i = varint64(body, i); i < 0 {
		return false
	}
	if r.OffsetDelta, i = varint32(body, i); i < 0 {
		return false
	}
	if r.Key, i = readBytes(body, i); i < 0 {
		return false
	}
	if r.Value, i = readBytes(body, i); i < 0 {
		return false
	}
	count, i := varint32(body, i)
	if i < 0 || count < 0 || int(count) > len(body)-i {
		return false
	}
	r.Headers = r.Headers[:0]
	for range count {
		var h RecordHeader
		if h.Key, i = readBytes(body, i); i < 0 || h.Key == nil {
			return false
		}
		if h.Value, i = readBytes(body, i); i < 0 {
			return false
		}
		r.Headers = append(r.Headers, h)
	}
	return i == len(body)
}

// readBytes reads a length and that many bytes at b[i:] and returns the position after them, or -1. A negative length is
// null: nil.
func readBytes(b []byte, i int) ([]byte, int) {
	n, i := varint32(b, i)
	switch {
	case i < 0:
		return nil, -1
	case n < 0:
		return nil, i
	case int(n) > len(b)-i:
		return nil, -1
	}
	end := i + int(n)
	return b[i:end:end], end
}

// Records iterates over all records of all entries in b, of any magic: the content of a segment or of a Fetch response.
// An entry that b doesn't hold completely ends it with ErrIncomplete; the rest is as for Batch.Records. Checksums of
// entries aren't looked at.
func Records(b []byte, o ReadOptions) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for len(b) > 0 {
			entry, rest, err := ReadEntry(b)
			if err != nil {
				yield(Record{}, err)
				return
			}
			b = rest
			going := true
			each := Batch(entry).each
			if entry[MagicOffset] != 2 {
				each = Legacy(entry).each
			}
			if err := each(o, func(r *Record) bool {
				going = yield(*r, nil)
				return going
			}); err != nil {
				yield(Record{}, err)
				return
			}
			if !going {
				return
			}
		}
	}
}
