package record

import (
	"encoding/binary"
	"hash/crc32"
)

// Positions in a message set's entry (magic 0 and 1).
const (
	posLegacyCRC        = 12
	posLegacyAttributes = 17
	posLegacyTimestamp  = 18
	minEntryV0          = LogOverhead + 14
	minEntryV1          = LogOverhead + 22
)

// HeaderPeekSize is how many bytes of an entry ParseHeader may need: enough for every magic.
const HeaderPeekSize = BatchOverhead

// Header is what an entry's first bytes say, whatever its magic. For magic 0 and 1 the fields those formats don't have
// hold their "none" value.
type Header struct {
	// BaseOffset is the offset field. In a compressed message set it is the offset of the last inner message.
	BaseOffset int64
	// LastOffset is the offset of the last record.
	LastOffset int64
	// Length is the size field: the bytes of the entry after the first LogOverhead. At least 14.
	Length int32
	// Magic is 0, 1 or 2.
	Magic int8
	// CRC is the stored checksum: CRC-32C for magic 2, CRC-32 (IEEE) else.
	CRC uint32
	// Attributes are the raw bits.
	Attributes int16
	// PartitionLeaderEpoch: magic 2 only, else -1.
	PartitionLeaderEpoch int32
	// BaseTimestamp and MaxTimestamp in milliseconds; equal for magic 1, -1 for magic 0.
	BaseTimestamp, MaxTimestamp int64
	// ProducerID, ProducerEpoch and BaseSequence: magic 2 only, else -1.
	ProducerID    int64
	ProducerEpoch int16
	BaseSequence  int32
	// RecordsCount: magic 2 only, else -1: not known without decompressing.
	RecordsCount int32
}

// SizeInBytes is the size of the whole entry.
func (h *Header) SizeInBytes() int64 { return LogOverhead + int64(h.Length) }

// NextOffset is the offset after LastOffset.
func (h *Header) NextOffset() int64 { return h.LastOffset + 1 }

// Codec is what the records are compressed with. The value isn't checked.
func (h *Header) Codec() Codec { return Codec(h.Attributes & attrCodec) }

// TimestampType says what the timestamps mean.
func (h *Header) TimestampType() TimestampType {
	switch {
	case h.Magic == 0:
		return NoTimestampType
	case h.Attributes&attrLogAppendTime != 0:
		return LogAppendTime
	}
	return CreateTime
}

// IsTransactional says whether the entry belongs to a transaction.
func (h *Header) IsTransactional() bool { return h.Magic >= 2 && h.Attributes&attrTransactional != 0 }

// IsControl says whether the entry holds a control record.
func (h *Header) IsControl() bool { return h.Magic >= 2 && h.Attributes&attrControl != 0 }

// HasDeleteHorizon says whether BaseTimestamp is a delete horizon.
func (h *Header) HasDeleteHorizon() bool { return h.Magic >= 2 && h.Attributes&attrDeleteHorizon != 0 }

// LastSequence is the sequence number of the last record, -1 for none.
func (h *Header) LastSequence() int32 {
	if h.BaseSequence == NoSequence {
		return NoSequence
	}
	return IncrementSequence(h.BaseSequence, int32(h.LastOffset-h.BaseOffset))
}

// entrySize returns the size of the first entry of b after checking its size field and magic as Kafka's readers do
// (ByteBufferLogInputStream.nextBatchSize): ErrIncomplete when there is too little to know, ErrCorrupt.
func entrySize(b []byte) (int64, error) {
	if len(b) < LogOverhead {
		return 0, ErrIncomplete
	}
	size := int32(binary.BigEndian.Uint32(b[posLength:]))
	if size < minEntrySize {
		return 0, corrupt("size %d is less than the minimum %d", size, minEntrySize)
	}
	if len(b) < HeaderSizeUpToMagic {
		return 0, ErrIncomplete
	}
	total := LogOverhead + int64(size)
	switch magic := int8(b[MagicOffset]); {
	case magic < 0 || magic > 2:
		return 0, corrupt("unknown magic %d", magic)
	case magic == 2 && total < BatchOverhead, magic == 1 && total < minEntryV1:
		return 0, corrupt("size %d is less than the minimum of magic %d", size, magic)
	}
	return total, nil
}

// ReadEntry cuts the first entry, of any magic, off b. It looks at size and magic only.
// Errors: ErrIncomplete when b ends before the entry, ErrCorrupt. After an error rest is b.
func ReadEntry(b []byte) (entry, rest []byte, err error) {
	total, err := entrySize(b)
	if err != nil {
		return nil, b, err
	}
	if int64(len(b)) < total {
		return nil, b, ErrIncomplete
	}
	return b[:total:total], b[total:], nil
}

// ParseHeader reads the header of the entry that begins at b, which need not hold all of it: HeaderPeekSize bytes, or
// the whole entry if that is shorter, are enough. Nothing but size and magic is checked.
// Errors: ErrIncomplete, ErrCorrupt.
func ParseHeader(b []byte) (Header, error) {
	total, err := entrySize(b)
	if err != nil {
		return Header{}, err
	}
	h := Header{
		BaseOffset: int64(binary.BigEndian.Uint64(b)),
		Length:     int32(total - LogOverhead),
		Magic:      int8(b[MagicOffset]),
	}
	if h.Magic == 2 {
		if len(b) < BatchOverhead {
			return Header{}, ErrIncomplete
		}
		v := Batch(b)
		h.LastOffset = v.LastOffset()
		h.CRC = v.CRC()
		h.Attributes = v.Attributes()
		h.PartitionLeaderEpoch = v.PartitionLeaderEpoch()
		h.BaseTimestamp, h.MaxTimestamp = v.BaseTimestamp(), v.MaxTimestamp()
		h.ProducerID, h.ProducerEpoch, h.BaseSequence = v.ProducerID(), v.ProducerEpoch(), v.BaseSequence()
		h.RecordsCount = v.RecordsCount()
		return h, nil
	}
	if len(b) < minEntryV0 {
		return Header{}, ErrIncomplete
	}
	h.LastOffset = h.BaseOffset
	h.CRC = binary.BigEndian.Uint32(b[posLegacyCRC:])
	h.Attributes = int16(b[posLegacyAttributes])
	h.PartitionLeaderEpoch = NoLeaderEpoch
	h.BaseTimestamp = NoTimestamp
	if h.Magic == 1 {
		h.BaseTimestamp = int64(binary.BigEndian.Uint64(b[posLegacyTimestamp:]))
	}
	h.MaxTimestamp = h.BaseTimestamp
	h.ProducerID, h.ProducerEpoch, h.BaseSequence = NoProducerID, NoProducerEpoch, NoSequence
	h.RecordsCount = -1
	return h, nil
}

// CheckEntryCRC compares the checksum of one entry, of any magic, as ReadEntry returned it: nil or a *CRCError.
func CheckEntryCRC(entry []byte) error {
	if entry[MagicOffset] == 2 {
		return Batch(entry).CheckCRC()
	}
	stored, computed := binary.BigEndian.Uint32(entry[posLegacyCRC:]), crc32.ChecksumIEEE(entry[MagicOffset:])
	if stored != computed {
		return &CRCError{Stored: stored, Computed: computed}
	}
	return nil
}
