package record

// RebuildOptions says what a rebuilt batch is like.
type RebuildOptions struct {
	// Codecs pools what decompressing and compressing need; nil allocates it anew.
	Codecs *Codecs
	// Codec and Level of the new batch; CodecProducer keeps the codec.
	Codec Codec
	Level int
	// BaseOffset is the offset the first record gets; the others follow without gaps.
	BaseOffset           int64
	PartitionLeaderEpoch int32
	// TimestampType is the topic's; with LogAppendTime the batch gets NowMs.
	TimestampType TimestampType
	NowMs         int64
	// MaxBytes limits the size of the new batch, max.message.bytes: ErrBatchTooLarge. 0 is no limit but the format's.
	MaxBytes int
	// MaxDecompressed limits the decompressed bytes: 0 is DefaultMaxDecompressed, less is no limit.
	MaxDecompressed int64
}

// Rebuild re-encodes the records of a validated batch into a new one that is appended to dst, keeping its records'
// timestamps, producer id, epoch, base sequence and transactional bit: what a leader does when NeedsRebuild says so.
// The batch returned is the last part of buffer. Errors: as of Batch.Records, ErrBuild for timestamps below -1,
// ErrBatchTooLarge. Source: LogValidator.buildRecordsAndAssignOffsets.
func Rebuild(dst []byte, b Batch, o RebuildOptions) (batch Batch, buffer []byte, err error) {
	options := BuilderOptions{
		Codecs: o.Codecs, Codec: o.Codec, Level: o.Level, BaseOffset: o.BaseOffset, PartitionLeaderEpoch: o.PartitionLeaderEpoch,
		TimestampType: o.TimestampType, AppendTimeMs: o.NowMs, Transactional: b.IsTransactional(), Control: b.IsControl(),
		MaxBytes: o.MaxBytes,
	}
	if o.Codec == CodecProducer {
		options.Codec = b.Codec()
	}
	if b.HasProducerID() {
		options.Producer = &ProducerState{ID: b.ProducerID(), Epoch: b.ProducerEpoch(), BaseSequence: b.BaseSequence()}
	}
	var builder Builder
	if err := builder.Start(dst, options); err != nil {
		return nil, dst, err
	}
	var failed error
	err = b.each(ReadOptions{Codecs: o.Codecs, MaxDecompressed: o.MaxDecompressed, serial: true}, func(r *Record) bool {
		failed = builder.Append(r.Timestamp, r.Key, r.Value, r.Headers...)
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		builder.Abort()
		return nil, dst, err
	}
	return builder.Finish()
}
