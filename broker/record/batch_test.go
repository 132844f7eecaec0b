package record_test

import (
	"encoding/binary"
	"io"
	"math"
	"testing"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/stretchr/testify/require"
)

func smallBatch(t testing.TB, codec record.Codec) record.Batch {
	t.Helper()
	b, err := record.Build(record.BuilderOptions{Codec: codec}, jsonRecords(5, 30)...)
	require.NoError(t, err)
	return b
}

// A buffer that is cut anywhere ends in ErrIncomplete, never in half a batch.
func TestCutAnywhere(t *testing.T) {
	b := smallBatch(t, record.CodecNone)
	two := append(append([]byte{}, b...), b...)
	for n := range two {
		first, rest, err := record.ReadBatch(two[:n])
		if n < len(b) {
			require.ErrorIs(t, err, record.ErrIncomplete)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.Len(t, rest, n)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, b, first)
		require.Len(t, rest, n-len(b))
	}
	for n := range b {
		_, err := record.ParseHeader(b[:n])
		if n < record.HeaderSize {
			require.ErrorIs(t, err, record.ErrIncomplete)
		} else {
			require.NoError(t, err)
		}
	}
}

// Appending to a batch that was cut off a buffer doesn't write over what follows it there.
func TestBatchIsCapped(t *testing.T) {
	b := smallBatch(t, record.CodecNone)
	buffer := append(append([]byte{}, b...), 1, 2, 3)
	first, rest, err := record.ReadBatch(buffer)
	require.NoError(t, err)
	_ = append(first, 9)
	require.Equal(t, []byte{1, 2, 3}, rest)
}

func TestImpossibleHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		change func(b []byte)
		want   error
	}{
		"negative size":          {func(b []byte) { binary.BigEndian.PutUint32(b[8:], 0x80000000) }, record.ErrCorrupt},
		"size below any format":  {func(b []byte) { binary.BigEndian.PutUint32(b[8:], 13) }, record.ErrCorrupt},
		"size below the header":  {func(b []byte) { binary.BigEndian.PutUint32(b[8:], 48) }, record.ErrCorrupt},
		"size beyond the buffer": {func(b []byte) { binary.BigEndian.PutUint32(b[8:], math.MaxInt32) }, record.ErrIncomplete},
		"magic 3":                {func(b []byte) { b[16] = 3 }, record.ErrCorrupt},
		"magic -1":               {func(b []byte) { b[16] = 0xff }, record.ErrCorrupt},
		"magic 1":                {func(b []byte) { b[16] = 1 }, record.ErrUnsupportedMagic},
	} {
		t.Run(name, func(t *testing.T) {
			b := smallBatch(t, record.CodecNone)
			c.change(b)
			_, rest, err := record.ReadBatch(b)
			require.ErrorIs(t, err, c.want)
			require.Len(t, rest, len(b))
		})
	}
}

// Every changed byte is noticed, except in the fields that a leader rewrites without touching the checksum.
func TestEveryFlippedByteIsNoticed(t *testing.T) {
	b := smallBatch(t, record.CodecLZ4)
	for i := range b {
		b[i] ^= 0x41
		err := b.Validate()
		switch {
		case i < 8 || i >= 12 && i < 16: // base offset, leader epoch
			require.NoError(t, err, i)
		case i >= 17:
			var crc *record.CRCError
			require.ErrorAs(t, err, &crc, i)
			require.ErrorIs(t, err, record.ErrCorrupt)
		default: // size, magic
			require.Error(t, err, i)
		}
		b[i] ^= 0x41
	}
	require.NoError(t, b.Validate())
}

func TestUnknownCodec(t *testing.T) {
	for codec := byte(5); codec < 8; codec++ {
		b := smallBatch(t, record.CodecNone)
		b[22] |= codec
		b.RecomputeCRC()
		require.ErrorIs(t, b.Validate(), record.ErrUnknownCodec)
		_, err := record.ValidateRecords(b, record.ValidateOptions{})
		require.ErrorIs(t, err, record.ErrUnknownCodec)
		for _, err := range b.Records(record.ReadOptions{}) {
			require.ErrorIs(t, err, record.ErrUnknownCodec)
		}
		_, _, err = record.Rebuild(nil, b, record.RebuildOptions{Codec: record.CodecNone})
		require.ErrorIs(t, err, record.ErrUnknownCodec)
	}
}

func TestSetters(t *testing.T) {
	b := smallBatch(t, record.CodecNone)
	crc := b.CRC()
	b.SetPartitionLeaderEpoch(12)
	b.SetLastOffset(104)
	require.Equal(t, crc, b.CRC())
	require.NoError(t, b.Validate())
	require.Equal(t, int64(100), b.BaseOffset())
	require.Equal(t, int64(104), b.LastOffset())
	require.Equal(t, int64(105), b.NextOffset())
	require.Equal(t, int32(12), b.PartitionLeaderEpoch())

	require.False(t, b.SetMaxTimestamp(record.CreateTime, b.MaxTimestamp()))
	require.Equal(t, crc, b.CRC())
	require.True(t, b.SetMaxTimestamp(record.LogAppendTime, 77))
	require.NotEqual(t, crc, b.CRC())
	require.NoError(t, b.Validate())
	require.Equal(t, record.LogAppendTime, b.TimestampType())
	require.Equal(t, int64(77), b.MaxTimestamp())
	for r, err := range b.Records(record.ReadOptions{}) {
		require.NoError(t, err)
		require.Equal(t, int64(77), r.Timestamp)
	}
	require.True(t, b.SetMaxTimestamp(record.CreateTime, 77))
	require.Equal(t, int16(0), b.Attributes())

	b.SetProducer(5, 6, 7)
	require.NoError(t, b.Validate())
	require.Equal(t, int64(5), b.ProducerID())
	require.Equal(t, int16(6), b.ProducerEpoch())
	require.Equal(t, int32(7), b.BaseSequence())
	require.Equal(t, int32(11), b.LastSequence())

	h, err := record.ParseHeader(b)
	require.NoError(t, err)
	require.Equal(t, record.Header{
		BaseOffset: 100, LastOffset: 104, Length: b.Length(), Magic: 2, CRC: b.CRC(), PartitionLeaderEpoch: 12,
		BaseTimestamp: b.BaseTimestamp(), MaxTimestamp: 77, ProducerID: 5, ProducerEpoch: 6, BaseSequence: 7, RecordsCount: 5,
	}, h)
	require.Equal(t, b.LastSequence(), h.LastSequence())
}

// Sequence numbers go from 2^31-1 to 0.
func TestSequenceWraps(t *testing.T) {
	require.Equal(t, int32(math.MaxInt32), record.IncrementSequence(math.MaxInt32-2, 2))
	require.Equal(t, int32(0), record.IncrementSequence(math.MaxInt32-2, 3))
	require.Equal(t, int32(4), record.IncrementSequence(math.MaxInt32, 5))
	b := smallBatch(t, record.CodecNone)
	require.Equal(t, record.NoSequence, b.LastSequence())
	b.SetProducer(1, 0, math.MaxInt32-1)
	require.Equal(t, int32(2), b.LastSequence())
}

func TestBaseOffsetOfProducedBatchIsZero(t *testing.T) {
	b := smallBatch(t, record.CodecNone)
	require.NoError(t, b.CheckProduced())
	b.SetBaseOffset(1)
	require.ErrorIs(t, b.CheckProduced(), record.ErrInvalidRecord)
}

func TestCodecTable(t *testing.T) {
	for codec, name := range map[record.Codec]string{
		record.CodecNone: "none", record.CodecGzip: "gzip", record.CodecSnappy: "snappy", record.CodecLZ4: "lz4",
		record.CodecZstd: "zstd", record.CodecProducer: "producer",
	} {
		require.Equal(t, name, codec.String())
		got, err := record.ParseCodec(name)
		require.NoError(t, err)
		require.Equal(t, codec, got)
		require.Equal(t, codec != record.CodecProducer, codec.Valid())
	}
	got, err := record.ParseCodec("Uncompressed")
	require.NoError(t, err)
	require.Equal(t, record.CodecNone, got)
	_, err = record.ParseCodec("brotli")
	require.ErrorIs(t, err, record.ErrUnknownCodec)

	for _, c := range []struct {
		codec record.Codec
		level int
		ok    bool
	}{
		{record.CodecGzip, -1, true}, {record.CodecGzip, 9, true}, {record.CodecGzip, 10, false}, {record.CodecGzip, -2, false},
		{record.CodecLZ4, 1, true}, {record.CodecLZ4, 17, true}, {record.CodecLZ4, 18, false}, {record.CodecLZ4, -1, false},
		{record.CodecZstd, -131072, true}, {record.CodecZstd, 22, true}, {record.CodecZstd, 23, false}, {record.CodecZstd, -131073, false},
		{record.CodecNone, 0, true}, {record.CodecNone, 1, false}, {record.CodecSnappy, 1, false}, {record.CodecProducer, 0, false},
	} {
		require.Equal(t, c.ok, c.codec.ValidLevel(c.level), "%v %d", c.codec, c.level)
		_, err := record.Build(record.BuilderOptions{Codec: c.codec, Level: c.level}, record.Record{})
		require.Equal(t, c.ok, err == nil, "%v %d: %v", c.codec, c.level, err)
	}
}
