package record

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Sizes and positions of the entry header, in bytes. Source: Records.java, DefaultRecordBatch.java.
const (
	// LogOverhead is the size of what precedes the counted bytes of an entry of any magic: offset and size.
	LogOverhead = 12
	// HeaderSizeUpToMagic is how much of an entry must be there to know its format.
	HeaderSizeUpToMagic = 17
	// BatchOverhead is the size of a batch's header, and so of a batch without records.
	BatchOverhead = 61
	// HeaderSize is BatchOverhead: what ParseHeader needs of a batch.
	HeaderSize = BatchOverhead
	// MagicOffset is where the magic byte stands in every format.
	MagicOffset = 16

	minEntrySize = 14 // smallest size field that any log reader accepts

	posBaseOffset      = 0
	posLength          = 8
	posLeaderEpoch     = 12
	posCRC             = 17
	posAttributes      = 21
	posLastOffsetDelta = 23
	posBaseTimestamp   = 27
	posMaxTimestamp    = 35
	posProducerID      = 43
	posProducerEpoch   = 51
	posBaseSequence    = 53
	posRecordsCount    = 57
)

// Attribute bits of a batch. Only the low byte means anything.
const (
	attrCodec         = 0x07
	attrLogAppendTime = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
	attrDeleteHorizon = 0x40
)

// Values that stand for "none". Source: RecordBatch.java.
const (
	NoTimestamp     int64 = -1
	NoProducerID    int64 = -1
	NoProducerEpoch int16 = -1
	NoSequence      int32 = -1
	NoLeaderEpoch   int32 = -1
	NoOffset        int64 = -1
)

// TimestampType says what a batch's timestamps mean.
type TimestampType int8

// The timestamp types; the numbers are those of the attribute bit. Messages of magic 0 have none.
const (
	NoTimestampType TimestampType = -1
	CreateTime      TimestampType = 0
	LogAppendTime   TimestampType = 1
)

// String returns Kafka's name of the type, as in message.timestamp.type and in the dump tool.
func (t TimestampType) String() string {
	switch t {
	case CreateTime:
		return "CreateTime"
	case LogAppendTime:
		return "LogAppendTime"
	case NoTimestampType:
		return "NoTimestampType"
	}
	return fmt.Sprintf("TimestampType(%d)", int8(t))
}

// castagnoli is the table of CRC-32C; crc32 uses the CPU's instructions for it.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Batch is a view of exactly one record batch of magic 2. The bytes belong to the caller; setters write into them.
// Get one from ReadBatch or a Builder: accessors of a slice shorter than BatchOverhead panic.
type Batch []byte

// ReadBatch cuts the first batch off b. It looks at size and magic only: use CheckCRC before trusting the rest.
// Errors: ErrIncomplete when b ends before the batch, ErrCorrupt when the header can't be one,
// ErrUnsupportedMagic for a message set of magic 0 or 1. After an error rest is b.
func ReadBatch(b []byte) (batch Batch, rest []byte, err error) {
	entry, rest, err := ReadEntry(b)
	if err != nil {
		return nil, b, err
	}
	if entry[MagicOffset] != 2 {
		return nil, b, fmt.Errorf("%w %d", ErrUnsupportedMagic, entry[MagicOffset])
	}
	return Batch(entry), rest, nil
}

// BaseOffset is the offset of the first record the batch had when it was appended.
func (b Batch) BaseOffset() int64 { return int64(binary.BigEndian.Uint64(b[posBaseOffset:])) }

// Length is the size field: the bytes of the batch after the first LogOverhead.
func (b Batch) Length() int32 { return int32(binary.BigEndian.Uint32(b[posLength:])) }

// SizeInBytes is the size of the whole batch.
func (b Batch) SizeInBytes() int { return len(b) }

// PartitionLeaderEpoch is the epoch of the leader that appended the batch, -1 before that.
func (b Batch) PartitionLeaderEpoch() int32 {
	return int32(binary.BigEndian.Uint32(b[posLeaderEpoch:]))
}

// Magic is the format, 2 for every Batch that ReadBatch returned.
func (b Batch) Magic() int8 { return int8(b[MagicOffset]) }

// CRC is the stored checksum.
func (b Batch) CRC() uint32 { return binary.BigEndian.Uint32(b[posCRC:]) }

// Attributes are the raw attribute bits.
func (b Batch) Attributes() int16 { return int16(binary.BigEndian.Uint16(b[posAttributes:])) }

func (b Batch) attributes() byte { return b[posAttributes+1] }

// LastOffsetDelta is the last offset relative to BaseOffset.
func (b Batch) LastOffsetDelta() int32 {
	return int32(binary.BigEndian.Uint32(b[posLastOffsetDelta:]))
}

// LastOffset is the offset of the last record the batch had when it was appended.
func (b Batch) LastOffset() int64 { return b.BaseOffset() + int64(b.LastOffsetDelta()) }

// NextOffset is the offset after LastOffset.
func (b Batch) NextOffset() int64 { return b.LastOffset() + 1 }

// BaseTimestamp is what the records' timestamps are relative to, in milliseconds since 1970. When HasDeleteHorizon is
// true it is the delete horizon, and the records are relative to that.
func (b Batch) BaseTimestamp() int64 { return int64(binary.BigEndian.Uint64(b[posBaseTimestamp:])) }

// MaxTimestamp is the largest timestamp of the records or, with LogAppendTime, the time of the append.
func (b Batch) MaxTimestamp() int64 { return int64(binary.BigEndian.Uint64(b[posMaxTimestamp:])) }

// ProducerID is the id of the idempotent producer, -1 for none.
func (b Batch) ProducerID() int64 { return int64(binary.BigEndian.Uint64(b[posProducerID:])) }

// HasProducerID says whether the producer is an idempotent one.
func (b Batch) HasProducerID() bool { return b.ProducerID() > NoProducerID }

// ProducerEpoch is the epoch that belongs to ProducerID.
func (b Batch) ProducerEpoch() int16 { return int16(binary.BigEndian.Uint16(b[posProducerEpoch:])) }

// BaseSequence is the sequence number of the first record, -1 for none.
func (b Batch) BaseSequence() int32 { return int32(binary.BigEndian.Uint32(b[posBaseSequence:])) }

// LastSequence is the sequence number of the last record, -1 for none. Sequence numbers wrap from 2^31-1 to 0.
func (b Batch) LastSequence() int32 {
	base := b.BaseSequence()
	if base == NoSequence {
		return NoSequence
	}
	return IncrementSequence(base, b.LastOffsetDelta())
}

// IncrementSequence adds increment to a sequence number, wrapping from 2^31-1 to 0. Both are at least 0.
func IncrementSequence(sequence, increment int32) int32 {
	return int32((uint32(sequence) + uint32(increment)) & 0x7fffffff)
}

// RecordsCount is the number of records in the batch; 0 for one that compaction emptied.
func (b Batch) RecordsCount() int32 { return int32(binary.BigEndian.Uint32(b[posRecordsCount:])) }

// Codec is what the records are compressed with. The value isn't checked: see Codec.Valid.
func (b Batch) Codec() Codec { return Codec(b.attributes() & attrCodec) }

// TimestampType says whether MaxTimestamp replaces the records' own timestamps.
func (b Batch) TimestampType() TimestampType {
	if b.attributes()&attrLogAppendTime != 0 {
		return LogAppendTime
	}
	return CreateTime
}

// IsTransactional says whether the batch belongs to a transaction.
func (b Batch) IsTransactional() bool { return b.attributes()&attrTransactional != 0 }

// IsControl says whether the batch holds a control record, which consumers skip.
func (b Batch) IsControl() bool { return b.attributes()&attrControl != 0 }

// HasDeleteHorizon says whether the cleaner has set the time from which it may drop tombstones and markers.
func (b Batch) HasDeleteHorizon() bool { return b.attributes()&attrDeleteHorizon != 0 }

// DeleteHorizon is that time in milliseconds, and whether it is set.
func (b Batch) DeleteHorizon() (ms int64, ok bool) {
	if !b.HasDeleteHorizon() {
		return NoTimestamp, false
	}
	return b.BaseTimestamp(), true
}

// Payload is what follows the header: the records, compressed or not. It shares the batch's bytes.
func (b Batch) Payload() []byte { return b[BatchOverhead:] }

// SetBaseOffset assigns the first offset. The checksum doesn't cover it.
func (b Batch) SetBaseOffset(offset int64) {
	binary.BigEndian.PutUint64(b[posBaseOffset:], uint64(offset))
}

// SetLastOffset assigns the base offset so that the last record gets offset.
func (b Batch) SetLastOffset(offset int64) { b.SetBaseOffset(offset - int64(b.LastOffsetDelta())) }

// SetPartitionLeaderEpoch assigns the leader's epoch. The checksum doesn't cover it.
func (b Batch) SetPartitionLeaderEpoch(epoch int32) {
	binary.BigEndian.PutUint32(b[posLeaderEpoch:], uint32(epoch))
}

// SetMaxTimestamp sets the timestamp type and the largest timestamp, and the checksum when that changes anything,
// which it reports. As in Kafka, rewriting the attributes clears the bits that have no meaning.
func (b Batch) SetMaxTimestamp(t TimestampType, ms int64) (changed bool) {
	if b.TimestampType() == t && b.MaxTimestamp() == ms {
		return false
	}
	attributes := b.attributes() &^ (attrLogAppendTime | 0x80)
	if t == LogAppendTime {
		attributes |= attrLogAppendTime
	}
	binary.BigEndian.PutUint16(b[posAttributes:], uint16(attributes))
	binary.BigEndian.PutUint64(b[posMaxTimestamp:], uint64(ms))
	b.RecomputeCRC()
	return true
}

// SetProducer sets producer id, epoch and first sequence number, and the checksum.
func (b Batch) SetProducer(id int64, epoch int16, baseSequence int32) {
	binary.BigEndian.PutUint64(b[posProducerID:], uint64(id))
	binary.BigEndian.PutUint16(b[posProducerEpoch:], uint16(epoch))
	binary.BigEndian.PutUint32(b[posBaseSequence:], uint32(baseSequence))
	b.RecomputeCRC()
}

// ComputeCRC is the checksum the batch should have: CRC-32C from the attributes to the end.
func (b Batch) ComputeCRC() uint32 { return crc32.Checksum(b[posAttributes:], castagnoli) }

// RecomputeCRC stores ComputeCRC.
func (b Batch) RecomputeCRC() { binary.BigEndian.PutUint32(b[posCRC:], b.ComputeCRC()) }

// CheckCRC compares the stored checksum with the bytes: nil or a *CRCError, which is an ErrCorrupt.
func (b Batch) CheckCRC() error {
	if stored, computed := b.CRC(), b.ComputeCRC(); stored != computed {
		return &CRCError{Stored: stored, Computed: computed}
	}
	return nil
}

// Validate makes the checks that Kafka makes before it trusts a batch from anywhere (client, leader, disk): size, magic,
// checksum and codec. Errors: ErrIncomplete, ErrCorrupt, ErrUnsupportedMagic, ErrUnknownCodec.
func (b Batch) Validate() error {
	one, rest, err := ReadBatch(b)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return corrupt("%d bytes after the batch", len(rest))
	}
	if err := one.CheckCRC(); err != nil {
		return err
	}
	if !one.Codec().Valid() {
		return fmt.Errorf("%w %d", ErrUnknownCodec, one.Codec())
	}
	return nil
}

// CheckProduced makes the header checks on a batch that a client produced: base offset 0, an offset range that is
// positive and agrees with the count, not a control batch, a sequence number when there is a producer id.
// Each failure is an ErrInvalidRecord. Source: UnifiedLog.analyzeAndValidateRecords, LogValidator.validateBatch.
func (b Batch) CheckProduced() error {
	if o := b.BaseOffset(); o != 0 {
		return invalid("base offset %d of a produced batch is not 0", o)
	}
	fromOffsets, count := int64(b.LastOffsetDelta())+1, int64(b.RecordsCount())
	switch {
	case fromOffsets <= 0:
		return invalid("offset range [0, %d]", fromOffsets-1)
	case count <= 0:
		return invalid("records count %d", count)
	case fromOffsets != count:
		return invalid("offset range [0, %d] and records count %d differ", fromOffsets-1, count)
	case b.IsControl():
		return invalid("control batch from a client")
	case b.HasProducerID() && b.BaseSequence() < 0:
		return invalid("sequence number %d with producer id %d", b.BaseSequence(), b.ProducerID())
	}
	return nil
}
