package record_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"runtime"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/prekraft/prekraft/broker/record"
	"github.com/stretchr/testify/require"
)

// withPayload returns a batch of count records whose compressed bytes are payload.
func withPayload(codec record.Codec, count int32, payload []byte) record.Batch {
	b := make(record.Batch, record.BatchOverhead, record.BatchOverhead+len(payload))
	b[record.MagicOffset] = 2
	b[22] = byte(codec)
	binary.BigEndian.PutUint32(b[23:], uint32(count-1))
	binary.BigEndian.PutUint32(b[57:], uint32(count))
	b.SetProducer(-1, -1, -1)
	b = append(b, payload...)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-record.LogOverhead))
	b.RecomputeCRC()
	return b
}

// plainPayload returns records as they are before compression.
func plainPayload(t testing.TB, records ...record.Record) []byte {
	t.Helper()
	b, err := record.Build(record.BuilderOptions{}, records...)
	require.NoError(t, err)
	return b.Payload()
}

// What other writers of each format produce is read: the options they set are not the ones Kafka's producer sets.
func TestReadsOtherWriters(t *testing.T) {
	records := jsonRecords(2000, 120)
	plain := plainPayload(t, records...)
	written := func(w io.WriteCloser, out *bytes.Buffer, parts ...[]byte) []byte {
		for _, p := range parts {
			_, err := w.Write(p)
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		return out.Bytes()
	}
	lz4With := func(options ...lz4.Option) []byte {
		var out bytes.Buffer
		w := lz4.NewWriter(&out)
		require.NoError(t, w.Apply(options...))
		return written(w, &out, plain)
	}
	zstdWith := func(options ...zstd.EOption) []byte {
		var out bytes.Buffer
		w, err := zstd.NewWriter(&out, options...)
		require.NoError(t, err)
		return written(w, &out, plain[:1000], plain[1000:])
	}
	gzipOf := func(p []byte) []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		w.Name, w.Comment, w.Extra = "name", "comment", []byte("extra")
		return written(w, &out, p)
	}
	xerial := func(blockSize int, p []byte) []byte {
		out := []byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01")
		for len(p) > 0 {
			n := min(blockSize, len(p))
			block := snappy.Encode(nil, p[:n])
			out = append(binary.BigEndian.AppendUint32(out, uint32(len(block))), block...)
			p = p[n:]
		}
		return out
	}
	whole, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		codec   record.Codec
		payload []byte
	}{
		"lz4 4 MiB blocks, content checksum": {record.CodecLZ4, lz4With()},
		"lz4 block checksum":                 {record.CodecLZ4, lz4With(lz4.BlockSizeOption(lz4.Block64Kb), lz4.BlockChecksumOption(true))},
		"lz4 content size":                   {record.CodecLZ4, lz4With(lz4.SizeOption(uint64(len(plain))), lz4.BlockSizeOption(lz4.Block256Kb))},
		"lz4 and bytes after its end":        {record.CodecLZ4, append(lz4With(), 1, 2, 3)},
		"gzip members":                       {record.CodecGzip, append(gzipOf(plain[:500]), gzipOf(plain[500:])...)},
		"snappy raw block":                   {record.CodecSnappy, snappy.Encode(nil, plain)},
		"snappy small blocks":                {record.CodecSnappy, xerial(100, plain)},
		"snappy two streams":                 {record.CodecSnappy, append(xerial(32<<10, plain[:4000]), xerial(1<<20, plain[4000:])...)},
		"zstd frame of known size":           {record.CodecZstd, whole.EncodeAll(plain, nil)},
		"zstd checksum":                      {record.CodecZstd, zstdWith(zstd.WithEncoderCRC(true))},
		"zstd frames":                        {record.CodecZstd, whole.EncodeAll(plain[700:], whole.EncodeAll(plain[:700], nil))},
		"zstd window of 128 MiB":             {record.CodecZstd, zstdWith(zstd.WithWindowSize(128<<20), zstd.WithEncoderConcurrency(1))},
	} {
		t.Run(name, func(t *testing.T) {
			b := withPayload(c.codec, int32(len(records)), c.payload)
			_, err := record.ValidateRecords(b, record.ValidateOptions{})
			require.NoError(t, err)
			for i, r := range collect(t, b, record.ReadOptions{}) {
				require.Equal(t, records[i].Value, r.Value)
			}
		})
	}
}

// Streams that Kafka's own readers refuse are refused, so that no consumer meets them.
func TestRefusesStreams(t *testing.T) {
	records := jsonRecords(400, 120)
	plain := plainPayload(t, records...)
	good := map[record.Codec][]byte{}
	for _, codec := range allCodecs[1:] {
		b, err := record.Build(record.BuilderOptions{Codec: codec}, records...)
		require.NoError(t, err)
		good[codec] = b.Payload()
	}
	changed := func(codec record.Codec, at int, to byte) []byte {
		p := bytes.Clone(good[codec])
		p[at] = to
		return p
	}
	var dependent bytes.Buffer
	{
		// The library writes independent blocks only: say otherwise in the header, with a right checksum.
		w := lz4.NewWriter(&dependent)
		require.NoError(t, w.Apply(lz4.ChecksumOption(false), lz4.BlockSizeOption(lz4.Block64Kb)))
		_, err := w.Write(plain)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		copy(dependent.Bytes()[4:], []byte{0x40, 0x40, 0xc0})
	}
	for name, c := range map[string]struct {
		codec   record.Codec
		payload []byte
		want    error
	}{
		"lz4 dependent blocks":     {record.CodecLZ4, dependent.Bytes(), record.ErrDecompress},
		"lz4 header checksum":      {record.CodecLZ4, changed(record.CodecLZ4, 6, 0), record.ErrDecompress},
		"lz4 magic":                {record.CodecLZ4, changed(record.CodecLZ4, 0, 0), record.ErrDecompress},
		"lz4 without end mark":     {record.CodecLZ4, good[record.CodecLZ4][:len(good[record.CodecLZ4])-4], record.ErrDecompress},
		"lz4 empty":                {record.CodecLZ4, nil, record.ErrDecompress},
		"gzip cut":                 {record.CodecGzip, good[record.CodecGzip][:1000], record.ErrInvalidRecord}, // as Kafka
		"gzip empty":               {record.CodecGzip, nil, record.ErrInvalidRecord},
		"gzip checksum":            {record.CodecGzip, changed(record.CodecGzip, len(good[record.CodecGzip])-8, 1), record.ErrDecompress},
		"gzip magic":               {record.CodecGzip, changed(record.CodecGzip, 0, 0), record.ErrDecompress},
		"snappy version 0":         {record.CodecSnappy, changed(record.CodecSnappy, 11, 0), record.ErrDecompress},
		"snappy cut":               {record.CodecSnappy, good[record.CodecSnappy][:1000], record.ErrDecompress},
		"snappy s2 repeat":         {record.CodecSnappy, []byte{10, 4 << 2, 'a', 'b', 'c', 'd', 'e', 1 | 1<<2, 0}, record.ErrDecompress},
		"snappy declares 4 GiB":    {record.CodecSnappy, []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0}, record.ErrDecompress},
		"zstd empty":               {record.CodecZstd, nil, record.ErrDecompress},
		"zstd cut":                 {record.CodecZstd, good[record.CodecZstd][:1000], record.ErrDecompress},
		"zstd declares 1 TiB":      {record.CodecZstd, []byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0}, record.ErrDecompress},
		"zstd window of 256 MiB":   {record.CodecZstd, append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 18 << 3}, 1, 0, 0), record.ErrDecompress},
		"zstd needs a dictionary":  {record.CodecZstd, []byte{0x28, 0xb5, 0x2f, 0xfd, 0x21, 0x09, 0x01, 0x09, 0, 0, 'x'}, record.ErrDecompress},
		"nothing in it":            {record.CodecSnappy, []byte{0}, record.ErrInvalidRecord},
		"fewer records than count": {record.CodecSnappy, snappy.Encode(nil, plain[:5000]), record.ErrInvalidRecord},
		"more than count":          {record.CodecSnappy, snappy.Encode(nil, append(bytes.Clone(plain), 0)), record.ErrInvalidRecord},
	} {
		t.Run(name, func(t *testing.T) {
			b := withPayload(c.codec, int32(len(records)), c.payload)
			before := allocated()
			_, err := record.ValidateRecords(b, record.ValidateOptions{})
			require.ErrorIs(t, err, c.want)
			var last error
			for _, last = range b.Records(record.ReadOptions{}) {
			}
			require.ErrorIs(t, last, c.want)
			require.Less(t, allocated()-before, uint64(40<<20))
		})
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// A small batch that stands for a very large one is checked in little memory, and given up at the limit.
func TestDecompressionBombs(t *testing.T) {
	const size = 40 << 20
	value := make([]byte, size)
	for _, codec := range allCodecs[1:] {
		t.Run(codec.String(), func(t *testing.T) {
			b, err := record.Build(record.BuilderOptions{Codec: codec}, record.Record{Value: value}, record.Record{Value: []byte("small")})
			require.NoError(t, err)
			require.Less(t, len(b), size/10)
			pool := new(record.Codecs)
			// Each of these may cost a few buffers, whatever the batch expands to.
			frugally := func(f func() error) error {
				before := allocated()
				err := f()
				require.Less(t, allocated()-before, uint64(16<<20))
				return err
			}
			validate := func(limit int64) error {
				return frugally(func() error {
					_, err := record.ValidateRecords(b, record.ValidateOptions{Codecs: pool, MaxDecompressed: limit})
					return err
				})
			}
			require.NoError(t, validate(0))
			for _, limit := range []int64{1, 1000, 1 << 20, size} {
				require.ErrorIs(t, validate(limit), record.ErrDecompressedTooLarge)
				require.ErrorIs(t, frugally(func() (last error) {
					for _, last = range b.Records(record.ReadOptions{Codecs: pool, MaxDecompressed: min(limit, 1<<20)}) {
					}
					return last
				}), record.ErrDecompressedTooLarge)
				require.ErrorIs(t, frugally(func() error {
					_, _, err := record.Rebuild(nil, b, record.RebuildOptions{Codecs: pool, Codec: record.CodecGzip, MaxDecompressed: min(limit, 1<<20)})
					return err
				}), record.ErrDecompressedTooLarge)
			}
			_, err = record.ValidateRecords(b, record.ValidateOptions{Codecs: pool, MaxDecompressed: -1})
			require.NoError(t, err)
		})
	}
}

// A record that claims to be 2 GiB long takes no memory for that.
func TestDeclaredLengthsAreNotTrusted(t *testing.T) {
	huge := []byte{0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0} // 2^31-1
	for _, codec := range allCodecs {
		payload := huge
		if codec != record.CodecNone {
			var b bytes.Buffer
			switch codec {
			case record.CodecSnappy:
				b.Write(snappy.Encode(nil, huge))
			case record.CodecGzip:
				w := gzip.NewWriter(&b)
				_, _ = w.Write(huge)
				require.NoError(t, w.Close())
			case record.CodecLZ4:
				w := lz4.NewWriter(&b)
				_, _ = w.Write(huge)
				require.NoError(t, w.Close())
			case record.CodecZstd:
				w, err := zstd.NewWriter(&b)
				require.NoError(t, err)
				_, _ = w.Write(huge)
				require.NoError(t, w.Close())
			}
			payload = b.Bytes()
		}
		batch := withPayload(codec, 1, payload)
		before := allocated()
		_, err := record.ValidateRecords(batch, record.ValidateOptions{MaxDecompressed: -1})
		require.ErrorIs(t, err, record.ErrInvalidRecord)
		for _, err := range batch.Records(record.ReadOptions{MaxDecompressed: -1}) {
			require.ErrorIs(t, err, record.ErrInvalidRecord)
		}
		require.Less(t, allocated()-before, uint64(20<<20))
	}
}

// Checking allocates nothing once the pool is warm.
func TestValidateDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	pool := new(record.Codecs)
	for _, codec := range allCodecs {
		b := batchOf(t, codec, 64<<10, 500)
		o := record.ValidateOptions{Codecs: pool, CheckTimestamps: true, NowMs: 1_700_000_000_000, BeforeMaxMs: 1 << 40, AfterMaxMs: 1 << 40}
		got := testing.AllocsPerRun(200, func() {
			if _, err := record.ValidateRecords(b, o); err != nil {
				t.Error(err)
			}
		})
		require.Zero(t, got, "%v", codec)
	}
}
