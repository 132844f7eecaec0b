package record_test

import (
	"errors"
	"math"
	"testing"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/stretchr/testify/require"
)

// known says whether err is one of the kinds that this package promises.
func known(err error) bool {
	for _, kind := range []error{
		record.ErrIncomplete, record.ErrCorrupt, record.ErrInvalidRecord, record.ErrUnsupportedMagic, record.ErrUnknownCodec,
		record.ErrDecompress, record.ErrDecompressedTooLarge, record.ErrBuild, record.ErrBatchTooLarge,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

const fuzzLimit = 1 << 20

// check reads b in every way and holds the readers against each other.
func check(t *testing.T, b []byte) {
	pool := new(record.Codecs)
	o := record.ReadOptions{Codecs: pool, MaxDecompressed: fuzzLimit}
	for rest := b; len(rest) > 0; {
		entry, after, err := record.ReadEntry(rest)
		if err != nil {
			require.True(t, known(err), err)
			break
		}
		require.Equal(t, len(rest), len(entry)+len(after))
		h, err := record.ParseHeader(entry)
		require.NoError(t, err)
		require.Equal(t, int64(len(entry)), h.SizeInBytes())
		_ = record.CheckEntryCRC(entry)
		rest = after
		if h.Magic != 2 {
			continue
		}
		batch := record.Batch(entry)
		count := 0
		var readErr error
		for _, err := range batch.Records(o) {
			if readErr = err; err == nil {
				count++
			}
		}
		r, err := record.ValidateRecords(batch, record.ValidateOptions{Codecs: pool, MaxDecompressed: fuzzLimit, Compacted: true, CheckTimestamps: true})
		require.Equal(t, readErr == nil, err == nil, "Records: %v, ValidateRecords: %v", readErr, err)
		if err != nil {
			require.True(t, known(err), err)
			require.True(t, known(readErr), readErr)
			continue
		}
		require.Equal(t, int(h.RecordsCount), count)
		if _, _, err := batch.EndTxnMarker(); err != nil {
			require.ErrorIs(t, err, record.ErrInvalidRecord)
		}
		if batch.TimestampType() == record.CreateTime {
			require.GreaterOrEqual(t, r.MaxTimestamp, record.NoTimestamp)
		}
		rebuilt, _, err := record.Rebuild(nil, batch, record.RebuildOptions{Codecs: pool, Codec: record.CodecLZ4, BaseOffset: 7, MaxDecompressed: fuzzLimit})
		if err != nil {
			require.True(t, known(err), err)
			continue
		}
		require.NoError(t, rebuilt.Validate())
		again, err := record.ValidateRecords(rebuilt, record.ValidateOptions{Codecs: pool})
		require.NoError(t, err)
		require.True(t, again.ConsecutiveOffsets)
		if batch.TimestampType() == record.CreateTime {
			require.Equal(t, r.MaxTimestamp, rebuilt.MaxTimestamp())
		}
	}
	for _, err := range record.Records(b, o) {
		if err != nil {
			require.True(t, known(err), err)
		}
	}
}

// FuzzEntries reads any bytes as entries.
func FuzzEntries(f *testing.F) {
	for _, e := range goldenEntries(f) {
		if len(e.bytes) < 2000 {
			f.Add(e.bytes)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) { check(t, b) })
}

// FuzzPayload reads any bytes as the payload of a batch whose header is right, with any codec.
func FuzzPayload(f *testing.F) {
	for _, e := range goldenEntries(f) {
		if b := record.Batch(e.bytes); b.Magic() == 2 && len(b) < 2000 {
			f.Add(byte(b.Codec()), b.RecordsCount(), b.Payload())
		}
	}
	f.Add(byte(2), int32(1), []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0})
	f.Add(byte(0), int32(math.MaxInt32), []byte{12, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, codec byte, count int32, payload []byte) {
		check(t, withPayload(record.Codec(codec&7), count, payload))
	})
}

// FuzzWrapper reads any bytes as the compressed messages of a wrapper whose header is right.
func FuzzWrapper(f *testing.F) {
	for _, e := range goldenEntries(f) {
		if e.bytes[record.MagicOffset] < 2 && len(e.bytes) < 2000 {
			l, _, err := record.ReadLegacy(e.bytes)
			require.NoError(f, err)
			_, value, err := l.KeyValue()
			require.NoError(f, err)
			f.Add(l.Magic(), byte(l.Attributes()), l.Offset(), value)
		}
	}
	f.Fuzz(func(t *testing.T, magic int8, attributes byte, offset int64, value []byte) {
		check(t, message(magic&1, offset, attributes, 5, nil, value))
	})
}
