package record_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/stretchr/testify/require"
)

var allCodecs = []record.Codec{record.CodecNone, record.CodecGzip, record.CodecSnappy, record.CodecLZ4, record.CodecZstd}

// jsonRecords returns n records with values of about size bytes that compress as text does.
func jsonRecords(n, size int) []record.Record {
	rnd := rand.New(rand.NewPCG(1, uint64(n*size)))
	records := make([]record.Record, n)
	for i := range records {
		var v bytes.Buffer
		for v.Len() < size {
			fmt.Fprintf(&v, `{"user":%d,"item":"product-%d","price":%d.%02d}`, rnd.IntN(5000), rnd.IntN(300), rnd.IntN(200), rnd.IntN(100))
		}
		v.Truncate(size)
		records[i] = record.Record{Timestamp: 1_700_000_000_000 + int64(i)*3, Key: fmt.Appendf(nil, "key-%d", rnd.IntN(1000)), Value: v.Bytes()}
	}
	return records
}

func collect(t testing.TB, b record.Batch, o record.ReadOptions) []record.Record {
	t.Helper()
	var got []record.Record
	for r, err := range b.Records(o) {
		require.NoError(t, err)
		got = append(got, r.Clone())
	}
	return got
}

// Every codec and level gives back what went in, with a shared pool and without one.
func TestRoundTrip(t *testing.T) {
	levels := map[record.Codec][]int{
		record.CodecGzip: {0, -1, 1, 6, 9}, record.CodecLZ4: {0, 1, 2, 9, 12, 17},
		record.CodecZstd: {0, -131072, -5, 1, 3, 9, 22}, record.CodecNone: {0}, record.CodecSnappy: {0},
	}
	shapes := map[string][]record.Record{
		"one":     jsonRecords(1, 10),
		"many":    jsonRecords(1000, 150),
		"large":   jsonRecords(3, 250_000),
		"null":    {{Timestamp: -1}, {Timestamp: -1, Key: []byte{}, Value: []byte{}}},
		"headers": {{Timestamp: 5, Value: []byte("v"), Headers: []record.RecordHeader{{Key: []byte("a"), Value: nil}, {Key: []byte(""), Value: []byte{}}, {Key: []byte("a"), Value: []byte("x")}}}, {Timestamp: 3}},
	}
	for _, pool := range []*record.Codecs{nil, new(record.Codecs)} {
		for _, codec := range allCodecs {
			for _, level := range levels[codec] {
				if pool == nil && level != record.DefaultLevel {
					continue // the levels' encoders are costly to make
				}
				for name, records := range shapes {
					t.Run(fmt.Sprintf("%v/%d/%s/pool=%t", codec, level, name, pool != nil), func(t *testing.T) {
						b, err := record.Build(record.BuilderOptions{Codecs: pool, Codec: codec, Level: level, BaseOffset: 40, PartitionLeaderEpoch: 7}, records...)
						require.NoError(t, err)
						require.NoError(t, b.Validate())
						require.Equal(t, codec, b.Codec())
						got := collect(t, b, record.ReadOptions{Codecs: pool})
						require.Len(t, got, len(records))
						for i, r := range got {
							want := records[i]
							if r.Offset != int64(40+i) || r.Timestamp != want.Timestamp || !bytes.Equal(r.Key, want.Key) || !bytes.Equal(r.Value, want.Value) ||
								(r.Key == nil) != (want.Key == nil) || (r.Value == nil) != (want.Value == nil) {
								require.FailNow(t, "records differ", "%d: %+v instead of %+v", i, r, want)
							}
							require.Len(t, r.Headers, len(want.Headers))
							for j, h := range r.Headers {
								require.Equal(t, want.Headers[j], h)
							}
						}
						b.SetBaseOffset(0)
						require.NoError(t, b.CheckProduced())
						res, err := record.ValidateRecords(b, record.ValidateOptions{Codecs: pool})
						require.NoError(t, err)
						require.True(t, res.ConsecutiveOffsets)
						require.Zero(t, res.ErrorCount)
						require.Equal(t, b.MaxTimestamp(), res.MaxTimestamp)
						require.False(t, record.NeedsRebuild(b, res, record.CodecProducer))
					})
				}
			}
		}
	}
}
