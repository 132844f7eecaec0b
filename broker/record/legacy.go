package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
)

// Legacy is a view of exactly one entry of a message set of magic 0 or 1, as Kafka wrote before 0.11:
//
//	offset int64 | size int32 | crc uint32 | magic int8 | attributes int8 | magic 1: timestamp int64
//	  | keyLength int32 | key | valueLength int32 | value
//
// The crc is CRC-32 (IEEE) from the magic to the end. An entry with a codec is a wrapper: its value is a compressed
// message set. Inside, magic 0 has absolute offsets and magic 1 offsets relative to that of the first message, while the
// wrapper has the absolute offset of the last. Source: LegacyRecord.java, AbstractLegacyRecordBatch.java.
type Legacy []byte

// ReadLegacy cuts the first entry off b, which must be of magic 0 or 1; it looks at size and magic only.
// Errors: ErrIncomplete, ErrCorrupt, ErrUnsupportedMagic for a batch. After an error rest is b.
func ReadLegacy(b []byte) (entry Legacy, rest []byte, err error) {
	e, rest, err := ReadEntry(b)
	if err != nil {
		return nil, b, err
	}
	if e[MagicOffset] == 2 {
		return nil, b, fmt.Errorf("%w 2", ErrUnsupportedMagic)
	}
	return Legacy(e), rest, nil
}

// Offset is the offset field: absolute in the log, that of the last inner message for a wrapper.
func (l Legacy) Offset() int64 { return int64(binary.BigEndian.Uint64(l)) }

// Magic is 0 or 1.
func (l Legacy) Magic() int8 { return int8(l[MagicOffset]) }

// CRC is the stored checksum.
func (l Legacy) CRC() uint32 { return binary.BigEndian.Uint32(l[posLegacyCRC:]) }

// Attributes are the raw bits: three of codec and, for magic 1, the timestamp type.
func (l Legacy) Attributes() int8 { return int8(l[posLegacyAttributes]) }

// Codec is what the inner messages are compressed with, CodecNone for a message that is no wrapper. Zstd isn't allowed.
func (l Legacy) Codec() Codec { return Codec(l[posLegacyAttributes] & attrCodec) }

// TimestampType says what Timestamp means: NoTimestampType for magic 0.
func (l Legacy) TimestampType() TimestampType {
	switch {
	case l.Magic() == 0:
		return NoTimestampType
	case l[posLegacyAttributes]&attrLogAppendTime != 0:
		return LogAppendTime
	}
	return CreateTime
}

// Timestamp in milliseconds, -1 for magic 0. That of a wrapper is the largest inside, or the time of the append.
func (l Legacy) Timestamp() int64 {
	if l.Magic() == 0 {
		return NoTimestamp
	}
	return int64(binary.BigEndian.Uint64(l[posLegacyTimestamp:]))
}

// SizeInBytes is the size of the whole entry.
func (l Legacy) SizeInBytes() int { return len(l) }

// CheckCRC compares the stored checksum with the bytes: nil or a *CRCError.
func (l Legacy) CheckCRC() error { return CheckEntryCRC(l) }

// KeyValue returns key and value, nil for null, which share the entry's bytes. Error: ErrInvalidRecord when their lengths
// don't fit. As in Kafka, bytes after the value are ignored.
func (l Legacy) KeyValue() (key, value []byte, err error) {
	return legacyKeyValue(l[LogOverhead:])
}

// legacyKeyValue is KeyValue of what follows an entry's offset and size.
func legacyKeyValue(m []byte) (key, value []byte, err error) {
	at := posLegacyTimestamp - LogOverhead
	if m[MagicOffset-LogOverhead] == 1 {
		at += 8
	}
	read := func() (field []byte, ok bool) {
		if len(m)-at < 4 {
			return nil, false
		}
		n := int64(int32(binary.BigEndian.Uint32(m[at:])))
		at += 4
		if n < 0 {
			return nil, true
		}
		if n > int64(len(m)-at) {
			return nil, false
		}
		field = m[at : at+int(n) : at+int(n)]
		at += int(n)
		return field, true
	}
	key, ok := read()
	if ok {
		value, ok = read()
	}
	if !ok {
		return nil, nil, invalid("key or value exceeds the message")
	}
	return key, value, nil
}

// Records iterates over the messages of the entry: itself, or those inside the wrapper, with absolute offsets. The
// checksums of inner messages are checked (a *CRCError ends the iteration), the entry's own isn't. An inner message that
// is cut off at the end is left out, as in Kafka. Errors and ownership otherwise as for Batch.Records.
func (l Legacy) Records(o ReadOptions) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if err := l.each(o, func(r *Record) bool { return yield(*r, nil) }); err != nil {
			yield(Record{}, err)
		}
	}
}

func (l Legacy) each(o ReadOptions, f func(*Record) bool) error {
	codec := l.Codec()
	if codec == CodecNone {
		key, value, err := l.KeyValue()
		if err != nil {
			return err
		}
		f(&Record{
			Offset: l.Offset(), Timestamp: l.Timestamp(), Key: key, Value: value,
			Magic: l.Magic(), Attributes: l.Attributes(),
		})
		return nil
	}
	if !codec.Valid() {
		return fmt.Errorf("%w %d", ErrUnknownCodec, codec)
	}
	if codec == CodecZstd {
		return invalid("zstd in a message set of magic %d", l.Magic())
	}
	_, payload, err := l.KeyValue()
	if err != nil {
		return err
	}
	if payload == nil {
		return invalid("compressed message set without value")
	}
	base, err := l.baseOffset(o, payload)
	if err != nil {
		return err
	}
	return l.inner(o, payload, func(offset int64, m []byte) (bool, error) {
		r := Record{Offset: base + offset, Magic: int8(m[4]), Attributes: int8(m[5]), Timestamp: NoTimestamp}
		if stored, computed := binary.BigEndian.Uint32(m), crc32.ChecksumIEEE(m[4:]); stored != computed {
			return false, fmt.Errorf("inner message at offset %d: %w", r.Offset, &CRCError{Stored: stored, Computed: computed})
		}
		if r.Attributes&attrCodec != 0 {
			return false, invalid("inner message at offset %d is compressed", r.Offset)
		}
		if r.Magic == 1 {
			r.Timestamp = int64(binary.BigEndian.Uint64(m[6:]))
			if l.TimestampType() == LogAppendTime {
				r.Timestamp = l.Timestamp()
			}
		}
		var err error
		if r.Key, r.Value, err = legacyKeyValue(m); err != nil {
			return false, err
		}
		return f(&r), nil
	})
}

// baseOffset is what to add to the offsets inside a wrapper. It takes a pass over the inner messages, because only the
// last one tells.
func (l Legacy) baseOffset(o ReadOptions, payload []byte) (int64, error) {
	count, last := 0, int64(0)
	err := l.inner(o, payload, func(offset int64, _ []byte) (bool, error) {
		count++
		last = offset
		return true, nil
	})
	switch {
	case err != nil:
		return 0, err
	case count == 0:
		return 0, invalid("compressed message set without messages")
	case l.Magic() == 0:
		return 0, nil // absolute offsets
	case l.Offset() == 0:
		return 0, nil // some producers left 0 there
	case l.Offset() < last:
		return 0, invalid("wrapper offset %d is less than the last inner offset %d", l.Offset(), last)
	}
	return l.Offset() - last, nil
}

// inner calls f with offset field and body (crc to value) of each inner message until it returns false or an error. The
// body is valid during the call and long enough for its magic's fixed fields.
func (l Legacy) inner(o ReadOptions, payload []byte, f func(offset int64, m []byte) (bool, error)) error {
	c, err := o.Codecs.open(l.Codec(), l.Magic(), payload, o.MaxDecompressed, o.serial)
	if err != nil {
		return err
	}
	defer c.close()
	for {
		header, err := c.atMost(LogOverhead)
		if err != nil {
			return err
		}
		if len(header) < LogOverhead {
			return nil
		}
		offset, size := int64(binary.BigEndian.Uint64(header)), int32(binary.BigEndian.Uint32(header[posLength:]))
		if size < minEntrySize {
			return corrupt("inner message size %d", size)
		}
		m, err := c.atMost(int(size))
		if err != nil {
			return err
		}
		if len(m) < int(size) {
			return nil
		}
		if magic := int8(m[4]); magic < 0 || magic > 1 || magic == 1 && size < minEntryV1-LogOverhead {
			return corrupt("inner message of magic %d and size %d", magic, size)
		}
		if more, err := f(offset, m); !more || err != nil {
			return err
		}
	}
}

// atMost returns the next n bytes in one piece, or fewer if the payload ends: see gather.
func (c *cursor) atMost(n int) ([]byte, error) {
	if n <= len(c.piece) {
		part := c.piece[:n:n]
		c.piece = c.piece[n:]
		return part, nil
	}
	c.scratch = c.scratch[:0]
	for len(c.scratch) < n {
		switch err := c.fill(); {
		case errors.Is(err, io.EOF):
			return c.scratch, nil
		case err != nil:
			return nil, err
		}
		part := c.piece[:min(len(c.piece), n-len(c.scratch))]
		c.scratch = append(c.scratch, part...)
		c.piece = c.piece[len(part):]
	}
	return c.scratch, nil
}
