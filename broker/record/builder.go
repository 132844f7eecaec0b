package record

import (
	"encoding/binary"
	"fmt"
	"math"
)

// ProducerState identifies an idempotent producer's batch.
type ProducerState struct {
	ID           int64
	Epoch        int16
	BaseSequence int32 // NoSequence in control batches
}

// BuilderOptions are the fields of a batch that don't follow from its records.
type BuilderOptions struct {
	// Codecs pools encoders; nil allocates one anew.
	Codecs *Codecs
	// Codec compresses the records, with Level; DefaultLevel is the codec's default. Not CodecProducer.
	Codec Codec
	Level int
	// BaseOffset is the first offset: 0 in a produced batch.
	BaseOffset int64
	// PartitionLeaderEpoch is the epoch of the leader that appends the batch; a producer sends NoLeaderEpoch.
	PartitionLeaderEpoch int32
	// TimestampType: with LogAppendTime the batch gets AppendTimeMs as its largest timestamp.
	TimestampType TimestampType
	AppendTimeMs  int64
	// Producer is nil for a producer that isn't idempotent.
	Producer *ProducerState
	// Transactional and Control set the bits of those names.
	Transactional, Control bool
	// HasDeleteHorizon marks the batch as cleaned; DeleteHorizonMs then takes the place of the base timestamp.
	HasDeleteHorizon bool
	DeleteHorizonMs  int64
	// MaxBytes limits the size of the batch: ErrBatchTooLarge. 0 is the format's own limit, 2 GiB.
	MaxBytes int
}

// Builder builds one batch of magic 2 after another: Start, Append or AppendRecord once per record, Finish. The bytes are
// those Kafka's MemoryRecordsBuilder lays out. The zero value is ready; a Builder isn't safe for concurrent use.
type Builder struct {
	options       BuilderOptions
	encoder       encoder
	start         int // where the batch begins in the encoder's output
	count         int32
	lastOffset    int64
	baseTimestamp int64
	maxTimestamp  int64
	uncompressed  int64
	scratch       []byte
	err           error
}

// Start begins a batch that is appended to dst, which then belongs to the Builder until Finish returns it.
// A batch that wasn't finished is forgotten. Errors: ErrUnknownCodec, ErrBuild.
func (b *Builder) Start(dst []byte, o BuilderOptions) error {
	b.Abort()
	switch {
	case o.Producer != nil && (o.Producer.ID < 0 || o.Producer.Epoch < 0 || o.Producer.BaseSequence < 0 && !o.Control):
		return fmt.Errorf("%w: producer %+v", ErrBuild, *o.Producer)
	case o.Producer == nil && o.Transactional:
		return fmt.Errorf("%w: transactional without a producer id", ErrBuild)
	}
	e, err := o.Codecs.encoder(o.Codec, o.Level)
	if err != nil {
		return err
	}
	var header [BatchOverhead]byte
	*b = Builder{
		options: o, encoder: e, start: len(dst), scratch: b.scratch[:0],
		lastOffset: o.BaseOffset - 1, maxTimestamp: NoTimestamp,
	}
	e.reset(append(dst, header[:]...))
	return nil
}

// Abort forgets the batch that was started.
func (b *Builder) Abort() {
	if b.encoder != nil {
		_, _ = b.encoder.finish() // into memory that nobody will look at
		b.put()
	}
}

func (b *Builder) put() {
	b.options.Codecs.putEncoder(b.options.Codec, b.options.Level, b.encoder)
	b.encoder = nil
}

// Append adds a record at the next offset. Timestamp is in milliseconds, or NoTimestamp; a nil key or value is null.
// Errors: ErrBuild, ErrBatchTooLarge. After an error the batch can't be finished.
func (b *Builder) Append(timestamp int64, key, value []byte, headers ...RecordHeader) error {
	return b.append(b.lastOffset+1, timestamp, key, value, headers)
}

// AppendRecord adds a record with its own offset, which must be above the one before: for the cleaner, which leaves gaps.
// Only Offset, Timestamp, Key, Value and Headers of r are used. Errors as of Append.
func (b *Builder) AppendRecord(r *Record) error {
	return b.append(r.Offset, r.Timestamp, r.Key, r.Value, r.Headers)
}

func (b *Builder) append(offset, timestamp int64, key, value []byte, headers []RecordHeader) error {
	if b.err == nil {
		b.err = b.add(offset, timestamp, key, value, headers)
	}
	return b.err
}

func (b *Builder) add(offset, timestamp int64, key, value []byte, headers []RecordHeader) error {
	switch {
	case b.encoder == nil:
		return fmt.Errorf("%w: not started", ErrBuild)
	case offset <= b.lastOffset:
		return fmt.Errorf("%w: offset %d after %d", ErrBuild, offset, b.lastOffset)
	case offset-b.options.BaseOffset > math.MaxInt32:
		return fmt.Errorf("%w: offset %d is too far from the base %d", ErrBuild, offset, b.options.BaseOffset)
	case timestamp < NoTimestamp:
		return fmt.Errorf("%w: timestamp %d", ErrBuild, timestamp)
	}
	if b.count == 0 {
		b.baseTimestamp = timestamp
		if b.options.HasDeleteHorizon {
			b.baseTimestamp = b.options.DeleteHorizonMs
		}
	}
	timestampDelta, offsetDelta := timestamp-b.baseTimestamp, offset-b.options.BaseOffset
	size := recordBodySize(timestampDelta, offsetDelta, key, value, headers)
	if size > math.MaxInt32 {
		return fmt.Errorf("%w: record of %d bytes", ErrBatchTooLarge, size)
	}

	s := appendVarint(b.scratch[:0], size)
	s = append(s, 0) // attributes
	s = appendVarint(s, timestampDelta)
	s = appendVarint(s, offsetDelta)
	s = appendVarint(s, lengthOf(key))
	var err error
	if size <= smallRecord {
		s = append(s, key...)
		s = appendVarint(s, lengthOf(value))
		s = append(s, value...)
	} else { // key and value go to the encoder as they are; what stands between them goes through scratch
		err = b.write(s, key)
		s = appendVarint(s[:0], lengthOf(value))
		if err == nil {
			err = b.write(s, value)
		}
		s = s[:0]
	}
	s = appendVarint(s, int64(len(headers)))
	for _, h := range headers {
		s = appendVarint(s, int64(len(h.Key)))
		s = append(s, h.Key...)
		s = appendVarint(s, lengthOf(h.Value))
		s = append(s, h.Value...)
	}
	if err == nil {
		err = b.write(s, nil)
	}
	b.scratch = keep(s)
	if err != nil {
		return err
	}
	b.count++
	b.lastOffset = offset
	b.maxTimestamp = max(b.maxTimestamp, timestamp)
	b.uncompressed += size + int64(varintSize(size))
	return b.checkSize(int64(b.encoder.size() - b.start))
}

// smallRecord is the size up to which a record is put together before it goes to the encoder: a copy of so few bytes costs less than four more calls.
const smallRecord = 512

func (b *Builder) write(p, q []byte) error {
	if err := b.encoder.write(p); err != nil {
		return fmt.Errorf("compress records: %w", err)
	}
	if len(q) > 0 {
		if err := b.encoder.write(q); err != nil {
			return fmt.Errorf("compress records: %w", err)
		}
	}
	return nil
}

func (b *Builder) checkSize(size int64) error {
	limit := int64(math.MaxInt32)
	if b.options.MaxBytes > 0 {
		limit = min(limit, int64(b.options.MaxBytes))
	}
	if size > limit {
		return fmt.Errorf("%w of %d bytes", ErrBatchTooLarge, limit)
	}
	return nil
}

// lengthOf is the length that stands for b: -1 for null.
func lengthOf(b []byte) int64 {
	if b == nil {
		return -1
	}
	return int64(len(b))
}

// recordBodySize is the size of a record after its length.
func recordBodySize(timestampDelta, offsetDelta int64, key, value []byte, headers []RecordHeader) int64 {
	size := int64(1 + varintSize(timestampDelta) + varintSize(offsetDelta))
	size += int64(varintSize(lengthOf(key)) + len(key))
	size += int64(varintSize(lengthOf(value)) + len(value))
	size += int64(varintSize(int64(len(headers))))
	for _, h := range headers {
		size += int64(varintSize(int64(len(h.Key))) + len(h.Key))
		size += int64(varintSize(lengthOf(h.Value)) + len(h.Value))
	}
	return size
}

// Count is the number of records so far.
func (b *Builder) Count() int { return int(b.count) }

// UncompressedSize is the size the batch would have without compression.
func (b *Builder) UncompressedSize() int64 { return BatchOverhead + b.uncompressed }

// ExtendTo makes the batch end at lastOffset rather than at its last record's offset: the cleaner keeps the range of the
// batch it cleans. Error: ErrBuild when it is below that offset.
func (b *Builder) ExtendTo(lastOffset int64) error {
	switch {
	case b.err != nil:
		return b.err
	case lastOffset < b.lastOffset || lastOffset-b.options.BaseOffset > math.MaxInt32:
		b.err = fmt.Errorf("%w: last offset %d after %d", ErrBuild, lastOffset, b.lastOffset)
		return b.err
	}
	b.lastOffset = lastOffset
	return nil
}

// Finish ends the batch and returns it, a part of dst as given to Start with what was appended; buffer is all of it.
// Errors: the first of Append, ErrBuild without records, ErrBatchTooLarge.
func (b *Builder) Finish() (batch Batch, buffer []byte, err error) {
	if b.encoder == nil {
		return nil, nil, fmt.Errorf("%w: not started", ErrBuild)
	}
	out, err := b.encoder.finish()
	b.put()
	switch {
	case b.err != nil:
		err = b.err
	case err != nil:
		err = fmt.Errorf("compress records: %w", err)
	case b.count == 0:
		err = fmt.Errorf("%w: no records", ErrBuild)
	default:
		err = b.checkSize(int64(len(out) - b.start))
	}
	if err != nil {
		return nil, out[:b.start], err
	}
	batch = Batch(out[b.start:])
	b.header(batch)
	return batch, out, nil
}

func (b *Builder) header(batch Batch) {
	o := &b.options
	attributes := byte(o.Codec)
	maxTimestamp := b.maxTimestamp
	if o.TimestampType == LogAppendTime {
		attributes |= attrLogAppendTime
		maxTimestamp = o.AppendTimeMs
	}
	if o.Transactional {
		attributes |= attrTransactional
	}
	if o.Control {
		attributes |= attrControl
	}
	if o.HasDeleteHorizon {
		attributes |= attrDeleteHorizon
	}
	producer := ProducerState{ID: NoProducerID, Epoch: NoProducerEpoch, BaseSequence: NoSequence}
	if o.Producer != nil {
		producer = *o.Producer
	}
	writeHeader(batch, headerFields{
		baseOffset: o.BaseOffset, lastOffsetDelta: int32(b.lastOffset - o.BaseOffset), leaderEpoch: o.PartitionLeaderEpoch,
		attributes: attributes, baseTimestamp: b.baseTimestamp, maxTimestamp: maxTimestamp, producer: producer, count: b.count,
	})
}

type headerFields struct {
	baseOffset                  int64
	lastOffsetDelta             int32
	leaderEpoch                 int32
	attributes                  byte
	baseTimestamp, maxTimestamp int64
	producer                    ProducerState
	count                       int32
}

// writeHeader writes all of a batch's header, whose records are in place, and its checksum.
func writeHeader(b Batch, f headerFields) {
	binary.BigEndian.PutUint64(b[posBaseOffset:], uint64(f.baseOffset))
	binary.BigEndian.PutUint32(b[posLength:], uint32(len(b)-LogOverhead))
	binary.BigEndian.PutUint32(b[posLeaderEpoch:], uint32(f.leaderEpoch))
	b[MagicOffset] = 2
	binary.BigEndian.PutUint16(b[posAttributes:], uint16(f.attributes))
	binary.BigEndian.PutUint32(b[posLastOffsetDelta:], uint32(f.lastOffsetDelta))
	binary.BigEndian.PutUint64(b[posBaseTimestamp:], uint64(f.baseTimestamp))
	binary.BigEndian.PutUint64(b[posMaxTimestamp:], uint64(f.maxTimestamp))
	binary.BigEndian.PutUint64(b[posProducerID:], uint64(f.producer.ID))
	binary.BigEndian.PutUint16(b[posProducerEpoch:], uint16(f.producer.Epoch))
	binary.BigEndian.PutUint32(b[posBaseSequence:], uint32(f.producer.BaseSequence))
	binary.BigEndian.PutUint32(b[posRecordsCount:], uint32(f.count))
	b.RecomputeCRC()
}

// Build builds a batch of records in one call. Of each record Timestamp, Key, Value and Headers are used; offsets are
// counted from o.BaseOffset. The batch is the caller's.
func Build(o BuilderOptions, records ...Record) (Batch, error) {
	var b Builder
	if err := b.Start(nil, o); err != nil {
		return nil, err
	}
	for i := range records {
		r := &records[i]
		if err := b.Append(r.Timestamp, r.Key, r.Value, r.Headers...); err != nil {
			b.Abort()
			return nil, err
		}
	}
	batch, _, err := b.Finish()
	return batch, err
}

// AppendEmptied appends to dst the header that compaction leaves of a batch without records: offsets, epochs, producer
// and sequence stay, codec and delete horizon don't. Source: DefaultRecordBatch.writeEmptyHeader.
func AppendEmptied(dst []byte, b Batch) []byte {
	at := len(dst)
	dst = append(dst, b[:BatchOverhead]...)
	writeHeader(Batch(dst[at:]), headerFields{
		baseOffset: b.BaseOffset(), lastOffsetDelta: b.LastOffsetDelta(), leaderEpoch: b.PartitionLeaderEpoch(),
		attributes:    b.attributes() & (attrLogAppendTime | attrTransactional | attrControl),
		baseTimestamp: NoTimestamp, maxTimestamp: b.MaxTimestamp(),
		producer: ProducerState{ID: b.ProducerID(), Epoch: b.ProducerEpoch(), BaseSequence: b.BaseSequence()},
	})
	return dst
}
