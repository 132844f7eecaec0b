package record_test

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/stretchr/testify/require"
)

// message returns an entry of a message set.
func message(magic int8, offset int64, attributes byte, timestamp int64, key, value []byte) []byte {
	m := []byte{0, 0, 0, 0, byte(magic), attributes}
	if magic == 1 {
		m = binary.BigEndian.AppendUint64(m, uint64(timestamp))
	}
	for _, field := range [][]byte{key, value} {
		if field == nil {
			m = binary.BigEndian.AppendUint32(m, 0xffffffff)
			continue
		}
		m = append(binary.BigEndian.AppendUint32(m, uint32(len(field))), field...)
	}
	binary.BigEndian.PutUint32(m, crc32.ChecksumIEEE(m[4:]))
	e := binary.BigEndian.AppendUint64(nil, uint64(offset))
	return append(binary.BigEndian.AppendUint32(e, uint32(len(m))), m...)
}

// wrapper returns an entry that holds a message set, snappy compressed as one raw block of literals.
func wrapper(magic int8, offset int64, attributes byte, timestamp int64, inner ...[]byte) []byte {
	var set []byte
	for _, m := range inner {
		set = append(set, m...)
	}
	block := binary.AppendUvarint(nil, uint64(len(set)))
	for len(set) > 0 {
		n := min(len(set), 60)
		block = append(append(block, byte(n-1)<<2), set[:n]...)
		set = set[n:]
	}
	return message(magic, offset, attributes|2, timestamp, nil, block)
}

func offsetsOf(t *testing.T, entry []byte) (offsets []int64, err error) {
	t.Helper()
	l, rest, err := record.ReadLegacy(entry)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.NoError(t, l.CheckCRC())
	for r, err := range l.Records(record.ReadOptions{}) {
		if err != nil {
			return offsets, err
		}
		offsets = append(offsets, r.Offset)
	}
	return offsets, nil
}

func plainMessages(magic int8, offsets ...int64) (all [][]byte) {
	for _, o := range offsets {
		all = append(all, message(magic, o, 0, 5, []byte("k"), []byte("v")))
	}
	return all
}

// Magic 1 has relative offsets inside; the wrapper tells the absolute offset of the last.
func TestWrapperOffsets(t *testing.T) {
	for name, c := range map[string]struct {
		entry []byte
		want  []int64
	}{
		"magic 1":                        {wrapper(1, 102, 0, 5, plainMessages(1, 0, 1, 2)...), []int64{100, 101, 102}},
		"magic 1, compacted":             {wrapper(1, 109, 0, 5, plainMessages(1, 0, 4, 9)...), []int64{100, 104, 109}},
		"magic 1, wrapper 0":             {wrapper(1, 0, 0, 5, plainMessages(1, 0, 1, 2)...), []int64{0, 1, 2}},
		"magic 1, last is the wrapper's": {wrapper(1, 2, 0, 5, plainMessages(1, 0, 1, 2)...), []int64{0, 1, 2}},
		"magic 0":                        {wrapper(0, 102, 0, 5, plainMessages(0, 100, 101, 102)...), []int64{100, 101, 102}},
		"magic 0 inside 1":               {wrapper(1, 11, 0, 5, plainMessages(0, 0, 1)...), []int64{10, 11}},
		"cut inner message":              {wrapper(1, 11, 0, 5, append(plainMessages(1, 0, 1), message(1, 2, 0, 5, nil, nil)[:20])...), []int64{10, 11}},
		"cut inner header":               {wrapper(1, 11, 0, 5, append(plainMessages(1, 0, 1), make([]byte, 11))...), []int64{10, 11}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := offsetsOf(t, c.entry)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestWrappersThatAreWrong(t *testing.T) {
	flipped := message(1, 1, 0, 5, nil, []byte("v"))
	flipped[len(flipped)-1] ^= 1
	small := append(make([]byte, 11), 13)
	for name, c := range map[string]struct {
		entry []byte
		want  error
	}{
		"wrapper offset below the last inner": {wrapper(1, 1, 0, 5, plainMessages(1, 0, 1, 2)...), record.ErrInvalidRecord},
		"no messages":                         {wrapper(1, 1, 0, 5), record.ErrInvalidRecord},
		"no value":                            {message(1, 1, 2, 5, nil, nil), record.ErrInvalidRecord},
		"nested":                              {wrapper(1, 5, 0, 5, wrapper(1, 0, 0, 5, plainMessages(1, 0)...)), record.ErrInvalidRecord},
		"zstd":                                {message(1, 1, 4, 5, nil, []byte("x")), record.ErrInvalidRecord},
		"unknown codec":                       {message(1, 1, 7, 5, nil, []byte("x")), record.ErrUnknownCodec},
		"inner crc":                           {wrapper(1, 5, 0, 5, flipped), record.ErrCorrupt},
		"inner magic 2":                       {wrapper(1, 5, 0, 5, message(2, 0, 0, 5, nil, nil)), record.ErrCorrupt},
		"inner size":                          {wrapper(1, 5, 0, 5, small), record.ErrCorrupt},
		"not snappy":                          {message(1, 1, 2, 5, nil, []byte("xxxx")), record.ErrDecompress},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := offsetsOf(t, c.entry)
			require.ErrorIs(t, err, c.want)
		})
	}
}

// With LogAppendTime on the wrapper every inner message has its time.
func TestWrapperTimestamps(t *testing.T) {
	times := func(entry []byte) (all []int64) {
		for r, err := range record.Records(entry, record.ReadOptions{}) {
			require.NoError(t, err)
			all = append(all, r.Timestamp)
		}
		return all
	}
	inner := [][]byte{message(1, 0, 0, 5, nil, nil), message(1, 1, 0, 6, nil, nil), message(0, 2, 0, 0, nil, nil)}
	require.Equal(t, []int64{5, 6, -1}, times(wrapper(1, 2, 0, 6, inner...)))
	require.Equal(t, []int64{99, 99, -1}, times(wrapper(1, 2, 8, 99, inner...)))
	require.Equal(t, []int64{-1}, times(wrapper(0, 0, 0, 0, message(0, 0, 0, 0, nil, nil))))
}

func TestLegacyFields(t *testing.T) {
	e := message(1, 70, 8, 123, []byte("key"), nil)
	l, _, err := record.ReadLegacy(e)
	require.NoError(t, err)
	key, value, err := l.KeyValue()
	require.NoError(t, err)
	require.Equal(t, []byte("key"), key)
	require.Nil(t, value)
	require.Equal(t, record.LogAppendTime, l.TimestampType())
	require.Equal(t, int64(123), l.Timestamp())
	h, err := record.ParseHeader(e)
	require.NoError(t, err)
	require.Equal(t, record.Header{
		BaseOffset: 70, LastOffset: 70, Length: int32(len(e) - 12), Magic: 1, CRC: l.CRC(), Attributes: 8, PartitionLeaderEpoch: -1,
		BaseTimestamp: 123, MaxTimestamp: 123, ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1, RecordsCount: -1,
	}, h)
	require.Equal(t, record.LogAppendTime, h.TimestampType())
	require.Equal(t, int32(-1), h.LastSequence())

	for i := range e {
		e[i] ^= 0x41
		if i >= 12 && i != 16 {
			require.ErrorIs(t, record.CheckEntryCRC(e), record.ErrCorrupt, i)
		}
		e[i] ^= 0x41
	}
	binary.BigEndian.PutUint32(e[26:], 1000) // the key's length
	_, _, err = l.KeyValue()
	require.ErrorIs(t, err, record.ErrInvalidRecord)

	v2 := smallBatch(t, record.CodecNone)
	_, _, err = record.ReadLegacy(v2)
	require.ErrorIs(t, err, record.ErrUnsupportedMagic)
}

// A loop that ends early stops the reading, in every format.
func TestBreakingOff(t *testing.T) {
	buffer := append(wrapper(1, 102, 0, 5, plainMessages(1, 0, 1, 2)...), plainMessages(0, 103)[0]...)
	buffer = append(buffer, smallBatch(t, record.CodecGzip)...)
	for stop := 1; stop <= 9; stop++ {
		n := 0
		for _, err := range record.Records(buffer, record.ReadOptions{Codecs: new(record.Codecs)}) {
			require.NoError(t, err)
			if n++; n == stop {
				break
			}
		}
		require.Equal(t, stop, n)
	}
}
