package commitlog

import (
	"errors"
	"fmt"
	"math"

	"github.com/prekraft/prekraft/broker/record"
)

// prepareLeader checks what a client or coordinator sent and leaves in r.data what is to be written, but for offsets and leader epoch. None of it needs the log's lock, so
// that checksums and records of many callers are looked at side by side. Source: UnifiedLog.analyzeAndValidateRecords, LogValidator.java, storage.md §3.
func (l *Log) prepareLeader(r *appendRequest, records []byte, c *Config) error {
	magic, err := checkShallow(records, r.origin, c)
	if err != nil {
		return err
	}
	if magic < 0 {
		if r.origin == OriginClient && len(records) > 0 {
			return errorf(KindInvalidRecord, "no complete record batch in %d bytes", len(records))
		}
		return nil
	}
	if magic < 2 {
		return l.convert(r, records, c)
	}
	one, rest, err := record.ReadBatch(records)
	if err != nil {
		return recordError(err)
	}
	if len(rest) > 0 && r.origin == OriginClient {
		if _, more, err := record.ReadEntry(rest); err == nil || len(more) == 0 {
			return errorf(KindInvalidRecord, "compressed outer or magic 2 record batch has more than one batch")
		}
	}
	r.maxTime = record.NoTimestamp
	if len(rest) == 0 || r.origin == OriginClient { // an incomplete batch behind the first is left out
		r.single = true
		r.data, err = l.prepareBatch(r, one, c)
		return err
	}
	return l.prepareSeveral(r, records, c)
}

// prepareSeveral prepares a coordinator's batches, of which none may be of an idempotent producer: their checks depend on each other.
func (l *Log) prepareSeveral(r *appendRequest, records []byte, c *Config) error {
	var joined []byte
	for len(records) > 0 {
		b, rest, err := record.ReadBatch(records)
		if errors.Is(err, record.ErrIncomplete) {
			break
		}
		if err != nil {
			return recordError(err)
		}
		if b.HasProducerID() {
			return errorf(KindInvalidRecord, "several batches of producer %d in one append", b.ProducerID())
		}
		data, err := l.prepareBatch(r, b, c)
		if err != nil {
			return err
		}
		joined = append(joined, data...)
		records = rest
	}
	r.data = joined
	return nil
}

// checkShallow makes the checks that need only headers and checksums. It returns the magic of the first batch, -1 when there is no whole batch.
func checkShallow(records []byte, origin Origin, c *Config) (magic int8, err error) {
	magic = -1
	for rest := records; len(rest) > 0; {
		entry, more, err := record.ReadEntry(rest)
		if errors.Is(err, record.ErrIncomplete) {
			break
		}
		if err != nil {
			return -1, recordError(err)
		}
		rest = more
		h, err := record.ParseHeader(entry)
		if err != nil {
			return -1, recordError(err)
		}
		if h.Magic == 2 && h.BaseOffset != 0 && origin == OriginClient {
			return -1, errorf(KindInvalidRecord, "base offset %d of the batch is not 0", h.BaseOffset)
		}
		if len(entry) > c.MaxMessageBytes {
			return -1, errorf(KindMessageTooLarge, "batch of %d bytes exceeds the maximum of %d", len(entry), c.MaxMessageBytes)
		}
		if err := record.CheckEntryCRC(entry); err != nil {
			return -1, recordError(err)
		}
		if !h.Codec().Valid() {
			return -1, recordError(fmt.Errorf("%w %d", record.ErrUnknownCodec, h.Codec()))
		}
		if magic < 0 {
			magic = h.Magic
		}
	}
	return magic, nil
}

// prepareBatch checks one batch of magic 2 and its records and returns its bytes as they are to be written, patched in place or rebuilt.
func (l *Log) prepareBatch(r *appendRequest, b record.Batch, c *Config) ([]byte, error) {
	if r.origin == OriginClient {
		if err := b.CheckProduced(); err != nil {
			return nil, recordError(err)
		}
	} else if int64(b.LastOffsetDelta())+1 != int64(b.RecordsCount()) || b.RecordsCount() <= 0 {
		return nil, errorf(KindInvalidRecord, "%d records with a last offset delta of %d", b.RecordsCount(), b.LastOffsetDelta())
	}
	nowMs := r.now.UnixMilli()
	if c.TrustRecords && !c.CleanupCompact && c.TimestampType == record.CreateTime && c.TimestampBeforeMaxMs == math.MaxInt64 &&
		c.TimestampAfterMaxMs == math.MaxInt64 && (c.Compression == record.CodecProducer || c.Compression == b.Codec()) && b.TimestampType() == record.CreateTime {
		l.noteBatch(r, b)
		return b, nil
	}
	result, err := record.ValidateRecords(b, record.ValidateOptions{
		Codecs: &l.shared.codecs, Compacted: c.CleanupCompact && !b.IsControl(), TimestampType: c.TimestampType,
		CheckTimestamps: c.TimestampBeforeMaxMs != math.MaxInt64 || c.TimestampAfterMaxMs != math.MaxInt64,
		NowMs:           nowMs, BeforeMaxMs: c.TimestampBeforeMaxMs, AfterMaxMs: c.TimestampAfterMaxMs, TopicPartition: l.name,
	})
	if err != nil {
		return nil, recordError(err)
	}
	if result.ErrorCount > 0 {
		r.info.RecordErrors, r.info.ErrorMessage = result.Errors, result.ErrorMessage()
		kind := KindInvalidRecord
		if result.InvalidTimestamp {
			kind = KindInvalidTimestamp
		}
		return nil, &Error{Kind: kind, Detail: r.info.ErrorMessage}
	}
	if record.NeedsRebuild(b, result, c.Compression) {
		return l.rebuild(r, b, c, nowMs)
	}
	if c.TimestampType == record.LogAppendTime {
		b.SetMaxTimestamp(record.LogAppendTime, nowMs)
		r.info.LogAppendTime = nowMs
	} else {
		b.SetMaxTimestamp(record.CreateTime, result.MaxTimestamp)
	}
	l.noteBatch(r, b)
	return b, nil
}

// rebuild encodes a batch anew, with the topic's codec.
func (l *Log) rebuild(r *appendRequest, b record.Batch, c *Config, nowMs int64) ([]byte, error) {
	codec, level := c.Compression, c.CompressionLevel
	if codec == record.CodecProducer {
		codec, level = b.Codec(), record.DefaultLevel
	}
	rebuilt, _, err := record.Rebuild(nil, b, record.RebuildOptions{
		Codecs: &l.shared.codecs, Codec: codec, Level: level, TimestampType: c.TimestampType, NowMs: nowMs,
		PartitionLeaderEpoch: r.leaderEpoch, MaxBytes: c.MaxMessageBytes,
	})
	if err != nil {
		return nil, recordError(err)
	}
	if c.TimestampType == record.LogAppendTime {
		r.info.LogAppendTime = nowMs
	}
	l.noteBatch(r, rebuilt)
	return rebuilt, nil
}

// noteBatch takes a batch that will be appended into the request's summary.
func (l *Log) noteBatch(r *appendRequest, b record.Batch) {
	r.info.Bytes += len(b)
	if t := b.MaxTimestamp(); t > r.maxTime {
		r.maxTime, r.info.MaxTimestamp = t, t
	}
}

// convert makes one batch of magic 2 of a message set of magic 0 or 1, as a leader does with what Produce v0 to v2 bring.
func (l *Log) convert(r *appendRequest, records []byte, c *Config) error {
	codec, level := c.Compression, c.CompressionLevel
	nowMs := r.now.UnixMilli()
	var magic int8 = -1
	source := record.CodecNone
	entries := 0
	for rest := records; len(rest) > 0; entries++ {
		entry, more, err := record.ReadLegacy(rest)
		if errors.Is(err, record.ErrIncomplete) {
			break
		}
		if err != nil {
			return recordError(err)
		}
		if magic >= 0 && entry.Magic() != magic {
			return errorf(KindInvalidRecord, "messages of magic %d and %d in one request", magic, entry.Magic())
		}
		magic, rest = entry.Magic(), more
		if entry.Codec() != record.CodecNone {
			source = entry.Codec()
		}
	}
	if entries > 1 && source != record.CodecNone {
		return errorf(KindInvalidRecord, "compressed outer record has more than one entry")
	}
	if codec == record.CodecProducer {
		codec, level = source, record.DefaultLevel
	}
	var b record.Builder
	err := b.Start(nil, record.BuilderOptions{
		Codecs: &l.shared.codecs, Codec: codec, Level: level, PartitionLeaderEpoch: r.leaderEpoch,
		TimestampType: c.TimestampType, AppendTimeMs: nowMs, MaxBytes: c.MaxMessageBytes,
	})
	if err != nil {
		return recordError(err)
	}
	defer b.Abort()
	for rest := records; len(rest) > 0; {
		entry, more, err := record.ReadLegacy(rest)
		if err != nil {
			break // the incomplete one at the end; anything else was found above
		}
		rest = more
		for rec, err := range entry.Records(record.ReadOptions{Codecs: &l.shared.codecs}) {
			if err != nil {
				return recordError(err)
			}
			if err := b.Append(rec.Timestamp, rec.Key, rec.Value); err != nil {
				return recordError(err)
			}
		}
	}
	batch, _, err := b.Finish()
	if err != nil {
		return recordError(err)
	}
	r.maxTime, r.single = record.NoTimestamp, true
	// The ordinary checks of timestamps and keys, now that there is one format.
	built := *c
	built.Compression = record.CodecProducer
	r.data, err = l.prepareBatch(r, batch, &built)
	return err
}

// prepareFollower checks what a leader sent: sizes, checksums, and that offsets rise. The bytes stay as they are.
func (l *Log) prepareFollower(r *appendRequest, records []byte) error {
	n := 0
	next := int64(-1)
	for rest := records; len(rest) > 0; {
		entry, more, err := record.ReadEntry(rest)
		if errors.Is(err, record.ErrIncomplete) {
			break
		}
		if err != nil {
			return recordError(err)
		}
		if err := record.CheckEntryCRC(entry); err != nil {
			return recordError(err)
		}
		h, err := record.ParseHeader(entry)
		if err != nil {
			return recordError(err)
		}
		base := h.BaseOffset
		if h.Magic < 2 && h.Codec() != record.CodecNone {
			base = max(next, 0) // the offset of a compressed message is its last one's; the first isn't known without decompressing
			base = min(base, h.LastOffset)
		}
		if base < 0 || h.LastOffset < base || base < next {
			return errorf(KindOffsetsOutOfOrder, "batch [%d, %d] after offset %d", h.BaseOffset, h.LastOffset, next-1)
		}
		if n == 0 {
			r.info.FirstOffset = base
			if h.Magic < 2 && h.Codec() != record.CodecNone {
				r.info.FirstOffset = h.LastOffset // as Kafka compares it
			}
		}
		next = h.NextOffset()
		if h.MaxTimestamp > r.info.MaxTimestamp {
			r.info.MaxTimestamp, r.info.OffsetOfMaxTimestamp = h.MaxTimestamp, h.LastOffset
		}
		if h.PartitionLeaderEpoch >= 0 {
			r.info.LeaderEpoch = h.PartitionLeaderEpoch
		}
		n += len(entry)
		rest = more
	}
	r.data = records[:n]
	r.info.Bytes = n
	if n > 0 {
		r.info.LastOffset = next - 1
		r.info.NumRecords = int(next - r.info.FirstOffset)
	}
	return nil
}
