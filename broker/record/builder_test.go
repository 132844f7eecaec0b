package record_test

import (
	"math"
	"sync"
	"testing"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/stretchr/testify/require"
)

func TestBuilderRefuses(t *testing.T) {
	start := func(t *testing.T, o record.BuilderOptions) *record.Builder {
		var b record.Builder
		require.NoError(t, b.Start(nil, o))
		return &b
	}
	t.Run("nothing", func(t *testing.T) {
		_, buffer, err := start(t, record.BuilderOptions{}).Finish()
		require.ErrorIs(t, err, record.ErrBuild)
		require.Empty(t, buffer)
	})
	t.Run("before Start", func(t *testing.T) {
		var b record.Builder
		require.ErrorIs(t, b.Append(0, nil, nil), record.ErrBuild)
		_, _, err := b.Finish()
		require.ErrorIs(t, err, record.ErrBuild)
	})
	t.Run("falling offset", func(t *testing.T) {
		b := start(t, record.BuilderOptions{BaseOffset: 10})
		require.NoError(t, b.AppendRecord(&record.Record{Offset: 12}))
		require.ErrorIs(t, b.AppendRecord(&record.Record{Offset: 12}), record.ErrBuild)
		require.ErrorIs(t, b.Append(0, nil, nil), record.ErrBuild) // and nothing goes on after that
		_, _, err := b.Finish()
		require.ErrorIs(t, err, record.ErrBuild)
	})
	t.Run("offset too far", func(t *testing.T) {
		b := start(t, record.BuilderOptions{BaseOffset: 10})
		require.NoError(t, b.AppendRecord(&record.Record{Offset: 10 + math.MaxInt32}))
		require.ErrorIs(t, b.Append(0, nil, nil), record.ErrBuild)
	})
	t.Run("negative timestamp", func(t *testing.T) {
		require.ErrorIs(t, start(t, record.BuilderOptions{}).Append(-2, nil, nil), record.ErrBuild)
	})
	t.Run("range that ends early", func(t *testing.T) {
		b := start(t, record.BuilderOptions{BaseOffset: 10})
		require.NoError(t, b.Append(0, nil, nil))
		require.ErrorIs(t, b.ExtendTo(9), record.ErrBuild)
	})
	for name, o := range map[string]record.BuilderOptions{
		"transactional without producer": {Transactional: true},
		"producer without sequence":      {Producer: &record.ProducerState{ID: 1, BaseSequence: record.NoSequence}},
		"negative producer id":           {Producer: &record.ProducerState{ID: -1}},
		"negative epoch":                 {Producer: &record.ProducerState{ID: 1, Epoch: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			var b record.Builder
			require.ErrorIs(t, b.Start(nil, o), record.ErrBuild)
		})
	}
}

func TestMaxBytes(t *testing.T) {
	for _, codec := range allCodecs {
		records := jsonRecords(200, 1000)
		b, err := record.Build(record.BuilderOptions{Codec: codec}, records...)
		require.NoError(t, err)
		same, err := record.Build(record.BuilderOptions{Codec: codec, MaxBytes: len(b)}, records...)
		require.NoError(t, err)
		require.Equal(t, b, same)
		_, err = record.Build(record.BuilderOptions{Codec: codec, MaxBytes: len(b) - 1}, records...)
		require.ErrorIs(t, err, record.ErrBatchTooLarge)
		_, rest, err := record.Rebuild([]byte("x"), b, record.RebuildOptions{MaxBytes: 1000})
		require.ErrorIs(t, err, record.ErrBatchTooLarge)
		require.Equal(t, []byte("x"), rest)
	}
}

// One builder makes many batches into one buffer, and forgets one that wasn't finished.
func TestBuilderIsReused(t *testing.T) {
	pool := new(record.Codecs)
	for _, codec := range allCodecs {
		var b record.Builder
		var buffer []byte
		for i := range 5 {
			o := record.BuilderOptions{Codecs: pool, Codec: codec, BaseOffset: int64(i)}
			require.NoError(t, b.Start(nil, o))
			require.NoError(t, b.Append(1, []byte("forgotten"), nil))
			require.NoError(t, b.Start(buffer, o))
			require.NoError(t, b.Append(1, nil, []byte("kept")))
			require.Equal(t, 1, b.Count())
			var err error
			_, buffer, err = b.Finish()
			require.NoError(t, err)
		}
		var offsets []int64
		for r, err := range record.Records(buffer, record.ReadOptions{Codecs: pool}) {
			require.NoError(t, err)
			require.Equal(t, "kept", string(r.Value))
			offsets = append(offsets, r.Offset)
		}
		require.Equal(t, []int64{0, 1, 2, 3, 4}, offsets)
	}
}

func TestRebuildKeepsTheProducer(t *testing.T) {
	records := jsonRecords(50, 200)
	b, err := record.Build(record.BuilderOptions{
		Codec: record.CodecSnappy, Transactional: true, Producer: &record.ProducerState{ID: 9, Epoch: 2, BaseSequence: 70},
	}, records...)
	require.NoError(t, err)
	for _, codec := range allCodecs {
		got, buffer, err := record.Rebuild([]byte("log"), b, record.RebuildOptions{
			Codec: codec, BaseOffset: 1000, PartitionLeaderEpoch: 4, TimestampType: record.LogAppendTime, NowMs: 123,
		})
		require.NoError(t, err)
		require.Equal(t, "log"+string(got), string(buffer))
		require.NoError(t, got.Validate())
		require.Equal(t, codec, got.Codec())
		require.Equal(t, int64(1049), got.LastOffset())
		require.Equal(t, int32(4), got.PartitionLeaderEpoch())
		require.Equal(t, int64(9), got.ProducerID())
		require.Equal(t, int16(2), got.ProducerEpoch())
		require.Equal(t, int32(70), got.BaseSequence())
		require.True(t, got.IsTransactional())
		require.Equal(t, int64(123), got.MaxTimestamp())
		require.Equal(t, records[0].Timestamp, got.BaseTimestamp())
		for i, r := range collect(t, got, record.ReadOptions{}) {
			require.Equal(t, records[i].Value, r.Value)
			require.Equal(t, records[i].Timestamp, got.BaseTimestamp()+r.TimestampDelta)
		}
	}
}

func TestNeedsRebuild(t *testing.T) {
	ordered, gaps := record.ValidateResult{ConsecutiveOffsets: true}, record.ValidateResult{}
	plain, lz4 := smallBatch(t, record.CodecNone), smallBatch(t, record.CodecLZ4)
	marker, err := record.EndTxnMarker{Type: record.ControlCommit}.Build(record.EndTxnMarkerOptions{ProducerID: 1})
	require.NoError(t, err)
	for _, c := range []struct {
		batch  record.Batch
		result record.ValidateResult
		target record.Codec
		want   bool
	}{
		{plain, ordered, record.CodecProducer, false},
		{plain, gaps, record.CodecProducer, false}, // as Kafka
		{plain, gaps, record.CodecNone, false},
		{plain, ordered, record.CodecZstd, true},
		{lz4, ordered, record.CodecProducer, false},
		{lz4, ordered, record.CodecLZ4, false},
		{lz4, gaps, record.CodecLZ4, true},
		{lz4, gaps, record.CodecProducer, true},
		{lz4, ordered, record.CodecNone, true},
		{marker, ordered, record.CodecZstd, false},
	} {
		require.Equal(t, c.want, record.NeedsRebuild(c.batch, c.result, c.target), "%v to %v", c.batch.Codec(), c.target)
	}
}

// A pool serves many goroutines.
func TestPoolIsShared(t *testing.T) {
	pool := new(record.Codecs)
	records := jsonRecords(300, 100)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			codec := allCodecs[i%len(allCodecs)]
			for range 10 {
				b, err := record.Build(record.BuilderOptions{Codecs: pool, Codec: codec}, records...)
				if err == nil {
					_, err = record.ValidateRecords(b, record.ValidateOptions{Codecs: pool})
				}
				if err == nil {
					b, _, err = record.Rebuild(nil, b, record.RebuildOptions{Codecs: pool, Codec: allCodecs[(i+1)%len(allCodecs)]})
				}
				n := 0
				for r, e := range b.Records(record.ReadOptions{Codecs: pool}) {
					if e != nil || string(r.Value) != string(records[n].Value) {
						t.Errorf("record %d: %v", n, e)
						return
					}
					n++
				}
				if err != nil || n != len(records) {
					t.Errorf("%v: %d records, %v", codec, n, err)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestControlRecords(t *testing.T) {
	for key, want := range map[string]record.ControlType{
		"\x00\x00\x00\x00": record.ControlAbort, "\x00\x00\x00\x01": record.ControlCommit, "\x00\x00\x00\x06": record.ControlKRaftVoters,
		"\x00\x00\x00\x07": record.ControlUnknown, "\x00\x00\xff\xff": record.ControlUnknown, "\x00\x05\x00\x01more": record.ControlCommit,
	} {
		got, err := record.ParseControlType([]byte(key))
		require.NoError(t, err)
		require.Equal(t, want, got, "%x", key)
	}
	for _, key := range []string{"", "\x00\x00\x00", "\xff\xff\x00\x00"} {
		_, err := record.ParseControlType([]byte(key))
		require.ErrorIs(t, err, record.ErrInvalidRecord, "%x", key)
	}
	commit := []byte{0, 0, 0, 1}
	m, err := record.ParseEndTxnMarker(commit, []byte{0, 9, 0, 0, 0, 5, 1, 2}) // a later version, with more
	require.NoError(t, err)
	require.Equal(t, record.EndTxnMarker{Type: record.ControlCommit, CoordinatorEpoch: 5}, m)
	for _, value := range [][]byte{nil, {0}, {0, 0, 0, 0, 1}, {0xff, 0xff, 0, 0, 0, 1}} {
		_, err := record.ParseEndTxnMarker(commit, value)
		require.ErrorIs(t, err, record.ErrInvalidRecord)
	}
	_, err = record.ParseEndTxnMarker([]byte{0, 0, 0, 2}, []byte{0, 0, 0, 0, 0, 1})
	require.ErrorIs(t, err, record.ErrInvalidRecord)
	_, err = record.EndTxnMarker{Type: record.ControlLeaderChange}.Build(record.EndTxnMarkerOptions{})
	require.ErrorIs(t, err, record.ErrBuild)
	_, ok, err := smallBatch(t, record.CodecNone).EndTxnMarker()
	require.NoError(t, err)
	require.False(t, ok)
}
