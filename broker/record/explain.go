package record

import "fmt"

// verdict on one record's timestamp.
type verdict int8

const (
	timestampFine verdict = iota
	timestampOutOfRange
	timestampTypeSet // the client marked the batch as LogAppendTime
)

// judge applies the topic's rules to a timestamp of a batch that is, or isn't, marked LogAppendTime. The differences wrap
// like Java's. Source: LogValidator.validateTimestamp.
func (o *ValidateOptions) judge(timestamp int64, appended bool) verdict {
	if o.TimestampType == CreateTime && timestamp != NoTimestamp {
		age := o.NowMs - timestamp
		if o.CheckTimestamps && (age > o.BeforeMaxMs || -age > o.AfterMaxMs) {
			return timestampOutOfRange
		}
		return timestampFine
	}
	if appended {
		return timestampTypeSet
	}
	return timestampFine
}

// explain looks again at every record of a batch whose structure is right and adds to r which ones break a rule, and how.
func explain(b Batch, o *ValidateOptions, r *ValidateResult) error {
	c, err := o.Codecs.open(b.Codec(), 2, b.Payload(), o.MaxDecompressed, true)
	if err != nil {
		return err
	}
	defer c.close()
	limit := o.MaxErrors
	if limit <= 0 {
		limit = MaxRecordErrors
	}
	appended := b.TimestampType() == LogAppendTime
	for index := range b.RecordsCount() {
		f, err := readFields(c)
		if err != nil {
			return err
		}
		timestamp := b.BaseTimestamp() + f.timestampDelta
		if appended {
			timestamp = b.MaxTimestamp()
		}
		e := RecordError{Index: index}
		v := o.judge(timestamp, appended)
		nullKey := o.Compacted && f.keySize < 0
		switch {
		case nullKey: // Kafka looks at the key first and stops there
		case v == timestampFine:
			continue
		default:
			e.InvalidTimestamp = true
			r.InvalidTimestamp = true
		}
		if r.ErrorCount++; r.ErrorCount > limit {
			continue // only counted
		}
		offset := b.BaseOffset() + int64(f.offsetDelta)
		switch {
		case nullKey:
			e.Message = "Compacted topic cannot accept message without key in topic partition " + o.TopicPartition
		case v == timestampOutOfRange:
			e.Message = fmt.Sprintf("Timestamp %d of message with offset %d is out of range. The timestamp should be within [%d, %d]",
				timestamp, offset, o.NowMs-o.BeforeMaxMs, o.NowMs+o.AfterMaxMs)
		default:
			class, key, value := "DefaultRecord", max(f.keySize, 0), max(f.valueSize, 0)
			if b.Codec() != CodecNone {
				class, key, value = "PartialDefaultRecord", f.keySize, f.valueSize
			}
			e.Message = fmt.Sprintf("Invalid timestamp type in message %s(offset=%d, timestamp=%d, key=%d bytes, value=%d bytes). "+
				"Producer should not set timestamp type to LogAppendTime.", class, offset, timestamp, key, value)
		}
		r.Errors = append(r.Errors, e)
	}
	return nil
}
