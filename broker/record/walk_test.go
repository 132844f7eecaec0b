package record

import (
	"bytes"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// sliced is a decoder that hands out its input in the given pieces.
type sliced struct{ pieces [][]byte }

func (d *sliced) reset([]byte, int8, int64) error { return nil }
func (d *sliced) release()                        {}
func (d *sliced) next() ([]byte, error) {
	if len(d.pieces) == 0 {
		return nil, io.EOF
	}
	p := d.pieces[0]
	d.pieces = d.pieces[1:]
	return p, nil
}

var bytesOrNil = rapid.Custom(func(t *rapid.T) []byte {
	if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
		return nil
	}
	return rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes")
})

// anyRecords draws records that a builder takes, with timestamps and lengths of every size of varint.
func anyRecords(t *rapid.T) []Record {
	records := make([]Record, rapid.IntRange(1, 20).Draw(t, "records"))
	for i := range records {
		r := &records[i]
		switch rapid.IntRange(0, 3).Draw(t, "time") {
		case 0:
			r.Timestamp = NoTimestamp
		case 1:
			r.Timestamp = rapid.Int64Range(-1, math.MaxInt64).Draw(t, "timestamp")
		default:
			r.Timestamp = rapid.Int64Range(1_700_000_000_000, 1_700_000_100_000).Draw(t, "timestamp")
		}
		r.Key, r.Value = bytesOrNil.Draw(t, "key"), bytesOrNil.Draw(t, "value")
		for range rapid.IntRange(0, 3).Draw(t, "headers") {
			r.Headers = append(r.Headers, RecordHeader{Key: rapid.SliceOfN(rapid.Byte(), 0, 10).Draw(t, "name"), Value: bytesOrNil.Draw(t, "header")})
		}
	}
	return records
}

// The walk learns the same of records that lie in one piece, in pieces of any sizes, and from reading them one by one,
// and it finds the same of them wrong after a byte was changed.
func TestWalkAnyPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, err := Build(BuilderOptions{}, anyRecords(t)...)
		require.NoError(t, err)
		if rapid.Bool().Draw(t, "damage") {
			at := rapid.IntRange(BatchOverhead, len(b)-1).Draw(t, "at")
			b[at] = rapid.Byte().Draw(t, "to")
		}
		o := &ValidateOptions{CheckTimestamps: true, NowMs: 1_700_000_050_000, BeforeMaxMs: 10_000, AfterMaxMs: 10_000}
		whole := newWalk(b, o)
		wholeErr := whole.all(b, o)

		d := new(sliced)
		for p := b.Payload(); len(p) > 0; {
			n := rapid.IntRange(1, min(len(p), 200)).Draw(t, "piece")
			d.pieces = append(d.pieces, p[:n])
			p = p[n:]
		}
		pieces := newWalk(b, o)
		piecesErr := pieces.pieces(&cursor{source: d, left: math.MaxInt64})

		slow := newWalk(b, o)
		slowErr := func() error {
			c := &cursor{piece: b.Payload()}
			for slow.index < slow.count {
				if err := slow.partial(c); err != nil {
					return err
				}
			}
			return c.end()
		}()

		var read []Record
		readErr := b.each(ReadOptions{}, func(r *Record) bool {
			read = append(read, r.Clone())
			return true
		})
		for _, err := range []error{piecesErr, slowErr, readErr} {
			require.Equal(t, wholeErr == nil, err == nil, "%v, but %v", wholeErr, err)
			if err != nil {
				require.ErrorIs(t, err, ErrInvalidRecord)
			}
		}
		if wholeErr != nil {
			return
		}
		require.Equal(t, whole, pieces)
		require.Equal(t, whole, slow)
		model := newWalk(b, o)
		for i, r := range read {
			model.index++
			model.gaps = model.gaps || r.OffsetDelta != int32(i)
			model.nullKey = model.nullKey || r.Key == nil
			if r.Timestamp > model.maxTimestamp {
				model.maxTimestamp, model.maxIndex = r.Timestamp, int32(i)
			}
			if r.Timestamp != NoTimestamp && o.judge(r.Timestamp, false) != timestampFine {
				require.True(t, whole.suspect) // it may suspect more, but not less
			}
		}
		model.suspect = whole.suspect
		require.Equal(t, model, whole)
	})
}

// What explain finds is what a plain application of the rules to each record finds.
func TestExplainAgainstTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := anyRecords(t)
		codec := Codec(rapid.IntRange(0, 4).Draw(t, "codec"))
		batchType := TimestampType(rapid.IntRange(0, 1).Draw(t, "batch type"))
		b, err := Build(BuilderOptions{Codec: codec, TimestampType: batchType, AppendTimeMs: records[0].Timestamp}, records...)
		require.NoError(t, err)
		limit := rapid.OneOf(rapid.Int64Range(0, 100_000), rapid.Just(int64(math.MaxInt64)))
		o := ValidateOptions{
			Compacted: rapid.Bool().Draw(t, "compacted"), TimestampType: TimestampType(rapid.IntRange(0, 1).Draw(t, "topic type")),
			CheckTimestamps: true, NowMs: rapid.Int64Range(0, 1_700_000_100_000).Draw(t, "now"),
			BeforeMaxMs: limit.Draw(t, "before"), AfterMaxMs: limit.Draw(t, "after"), MaxErrors: 5,
		}
		r, err := ValidateRecords(b, o)
		require.NoError(t, err)
		count, timestamps := 0, false
		for _, rec := range records {
			timestamp := rec.Timestamp
			if batchType == LogAppendTime {
				timestamp = records[0].Timestamp
			}
			wrong := o.judge(timestamp, batchType == LogAppendTime) != timestampFine
			switch {
			case o.Compacted && rec.Key == nil:
				count++
			case wrong:
				count++
				timestamps = true
			}
		}
		require.Equal(t, count, r.ErrorCount)
		require.Equal(t, timestamps, r.InvalidTimestamp)
		require.Len(t, r.Errors, min(count, 5))
		require.Equal(t, count == 0, r.ErrorMessage() == "")
	})
}

func TestVarintLimits(t *testing.T) {
	for _, c := range []struct {
		bytes []byte
		want  int64
		ok32  bool
		ok64  bool
	}{
		{[]byte{0}, 0, true, true},
		{[]byte{1}, -1, true, true},
		{[]byte{0xfe, 0xff, 0xff, 0xff, 0x0f}, math.MaxInt32, true, true},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, math.MinInt32, true, true},
		{[]byte{0x80, 0x80, 0x80, 0x80, 0x00}, 0, true, true}, // longer than need be
		{[]byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, 0, false, true},
		{[]byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, math.MaxInt64, false, true},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, math.MinInt64, false, true},
		{[]byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, 0, false, false},
		{[]byte{0x80}, 0, false, false},
		{nil, 0, false, false},
	} {
		v32, n := varint32(c.bytes, 0)
		require.Equal(t, c.ok32, n > 0, "%x", c.bytes)
		if c.ok32 {
			require.Equal(t, c.want, int64(v32), "%x", c.bytes)
			require.Equal(t, len(c.bytes), n)
		}
		v64, n := varint64(c.bytes, 0)
		require.Equal(t, c.ok64, n > 0, "%x", c.bytes)
		if c.ok64 {
			require.Equal(t, c.want, v64, "%x", c.bytes)
			require.Equal(t, len(c.bytes), n)
		}
		for size, ok := range map[int]bool{5: c.ok32, 10: c.ok64} {
			s := skipper{c: &cursor{piece: c.bytes}, left: len(c.bytes)}
			got := s.varint(size)
			require.Equal(t, ok, s.err == nil, "%x", c.bytes)
			if ok {
				require.Equal(t, c.want, got, "%x", c.bytes)
			}
		}
	}
}

func TestVarintsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-300, 300), rapid.Int64Range(math.MinInt32, math.MaxInt32)).Draw(t, "v")
		b := appendVarint(nil, v)
		require.Len(t, b, varintSize(v))
		got, n := varint64(b, 0)
		require.Equal(t, v, got)
		require.Equal(t, len(b), n)
		if v == int64(int32(v)) {
			got, n := varint32(b, 0)
			require.Equal(t, int32(v), got)
			require.Equal(t, len(b), n)
		}
		u, n := varintAt(append(b, 0xff, 0xff, 0xff), 0)
		if len(b) > 4 {
			require.Zero(t, n)
		} else {
			require.Equal(t, len(b), n)
			require.Equal(t, v, int64(unzigzag32(u)))
		}
	})
}

// Against values of the reference implementation.
func TestXXH32(t *testing.T) {
	for in, want := range map[string]uint32{
		"": 0x02cc5d05, "a": 0x550d7456, "abc": 0x32d153ff, "abcd": 0xa3643705,
		"Nobody inspects the spammish repetition": 0xe2293b2f,
	} {
		require.Equal(t, want, xxh32([]byte(in)), in)
	}
}

// The bound on what a frame expands to holds, and is near where it can be.
func TestZstdBound(t *testing.T) {
	for _, options := range [][]zstd.EOption{
		nil, {zstd.WithEncoderCRC(false)}, {zstd.WithSingleSegment(true)}, {zstd.WithWindowSize(1 << 10)}, {zstd.WithEncoderLevel(zstd.SpeedBestCompression)},
	} {
		enc, err := zstd.NewWriter(nil, options...)
		require.NoError(t, err)
		for _, size := range []int{0, 1, 200, 256, 300, 70_000, 1 << 20} {
			random := make([]byte, size)
			_, _ = rand.NewChaCha8([32]byte{1}).Read(random)
			for _, data := range [][]byte{random, make([]byte, size), bytes.Repeat([]byte("abcdefg"), size/7)} {
				frame := enc.EncodeAll(data, nil)
				skip := append([]byte{0x52, 0x2a, 0x4d, 0x18, 3, 0, 0, 0}, 1, 2, 3)
				for name, b := range map[string][]byte{"one": frame, "two": append(bytes.Clone(frame), frame...), "skip": append(skip, frame...)} {
					want := int64(len(data))
					if name == "two" {
						want *= 2
					}
					got := zstdBound(b)
					require.GreaterOrEqual(t, got, want)
					require.LessOrEqual(t, got, 2*(want+128<<10))
				}
			}
		}
	}
}

// A frame that wants a large window is decoded under the pool's lock, which is given back.
func TestWideWindowIsSerial(t *testing.T) {
	pool := new(Codecs)
	// One frame: window 64 MiB, then blocks of 128 KiB that repeat one byte, more than is decoded in one go.
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 16 << 3}
	for i := range 48 {
		last := byte(0)
		if i == 47 {
			last = 1
		}
		frame = append(frame, last|1<<1, 0, 0x10, 0)
	}
	require.True(t, wideWindow(frame))
	c, err := pool.open(CodecZstd, 2, frame, 0, true)
	require.NoError(t, err)
	require.False(t, pool.wideWindow.TryLock())
	total := 0
	for c.fill() == nil {
		total += len(c.piece)
		c.piece = nil
	}
	require.Equal(t, 48*128<<10, total)
	c.close()
	require.True(t, pool.wideWindow.TryLock())
	// Iterating doesn't wait for it.
	c, err = pool.open(CodecZstd, 2, frame, 0, false)
	require.NoError(t, err)
	require.NoError(t, c.fill())
	c.close()
	pool.wideWindow.Unlock()
}
