package commitlog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/record"
)

// patched returns a batch with bytes changed and the checksum right again.
func patched(b record.Batch, change func(record.Batch)) record.Batch {
	b = slices.Clone(b)
	change(b)
	b.RecomputeCRC()
	return b
}

// Storage.md §3.5: what is refused, and how.
func TestRefusedAppends(t *testing.T) {
	good := produced(t, 3, nil)
	nullKey, err := record.Build(record.BuilderOptions{PartitionLeaderEpoch: -1}, record.Record{Timestamp: testTime.UnixMilli(), Value: []byte("v")})
	require.NoError(t, err)
	broken := produced(t, 3, func(o *record.BuilderOptions) { o.Codec = record.CodecGzip })
	for name, c := range map[string]struct {
		records []byte
		change  func(*Config)
		want    error
	}{
		"checksum":              {func() []byte { b := slices.Clone(good); b[70] ^= 1; return b }(), nil, ErrCorruptMessage},
		"size below minimum":    {binary.BigEndian.AppendUint32(make([]byte, 8), 5), nil, ErrCorruptMessage},
		"magic":                 {func() []byte { b := slices.Clone(good); b[record.MagicOffset] = 3; return b }(), nil, ErrCorruptMessage},
		"incomplete":            {good[:len(good)-1], nil, ErrInvalidRecord},
		"two batches":           {append(slices.Clone(good), good...), nil, ErrInvalidRecord},
		"base offset":           {func() []byte { b := slices.Clone(good); b.SetBaseOffset(1); return b }(), nil, ErrInvalidRecord},
		"count":                 {patched(good, func(b record.Batch) { b[60]++ }), nil, ErrInvalidRecord},
		"last offset":           {patched(good, func(b record.Batch) { b[26]++ }), nil, ErrInvalidRecord},
		"control batch":         {marker(t, 1, 0, true, 0), nil, ErrInvalidRecord},
		"no sequence":           {patched(produced(t, 1, idempotent(1, 0, 0)), func(b record.Batch) { binary.BigEndian.PutUint32(b[53:], 1<<32-1) }), nil, ErrInvalidRecord},
		"record length":         {patched(good, func(b record.Batch) { b[61] += 2 }), nil, ErrInvalidRecord},
		"unknown codec":         {patched(good, func(b record.Batch) { b[22] = 5 }), nil, ErrUnknownServer},
		"broken compression":    {patched(broken, func(b record.Batch) { b[75] ^= 0xff; b[76] ^= 0xff }), nil, nil},
		"too large":             {good, func(c *Config) { c.MaxMessageBytes = len(good) - 1 }, ErrMessageTooLarge},
		"exactly large enough":  {slices.Clone(good), func(c *Config) { c.MaxMessageBytes = len(good) }, nil},
		"larger than a segment": {good, func(c *Config) { c.SegmentBytes = len(good) - 1 }, ErrRecordListTooLarge},
		"null key, compacted":   {nullKey, func(c *Config) { c.CleanupCompact = true }, ErrInvalidRecord},
		"too old":               {good, func(c *Config) { c.TimestampBeforeMaxMs = 10 }, ErrInvalidTimestamp},
		"too new":               {good, func(c *Config) { c.TimestampAfterMaxMs = 10 }, ErrInvalidTimestamp},
		"nothing":               {nil, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, l := newTestLog(t, c.change)
			now := testTime
			switch name {
			case "too old":
				now = now.Add(time.Second)
			case "too new":
				now = now.Add(-time.Second)
			}
			info, err := l.AppendAsLeader(slices.Clone(c.records), AppendOptions{Now: now})
			if name == "broken compression" {
				require.Error(t, err)
				require.Contains(t, []Kind{KindUnknownServer, KindInvalidRecord}, KindOf(err))
			} else if c.want == nil {
				require.NoError(t, err)
				return
			} else {
				require.ErrorIs(t, err, c.want)
			}
			require.Equal(t, int64(-1), info.FirstOffset)
			require.Zero(t, l.LogEndOffset())
			require.Zero(t, l.Size())
			require.NoError(t, l.dir.offline())
			l.SetConfig(DefaultConfig())
			require.Equal(t, int64(0), mustAppend(t, l, at(t, 0)).FirstOffset)
		})
	}
}

func TestRecordErrorsAreTold(t *testing.T) {
	_, l := newTestLog(t, func(c *Config) { c.CleanupCompact = true })
	b, err := record.Build(record.BuilderOptions{PartitionLeaderEpoch: -1},
		record.Record{Timestamp: 1, Key: []byte("k")}, record.Record{Offset: 1, Timestamp: 1})
	require.NoError(t, err)
	info, err := l.AppendAsLeader(b, AppendOptions{Now: testTime})
	require.ErrorIs(t, err, ErrInvalidRecord)
	require.Equal(t, []RecordError{{Index: 1, Message: "Compacted topic cannot accept message without key in topic partition t-0"}}, info.RecordErrors)
	require.Contains(t, info.ErrorMessage, "1 record errors in total")
}

// Source: LogValidator paths A and B: the header is put right, the payload stays.
func TestTimestampsArePutRight(t *testing.T) {
	for _, codec := range []record.Codec{record.CodecNone, record.CodecZstd} {
		_, l := newTestLog(t, nil)
		b := patched(produced(t, 3, func(o *record.BuilderOptions) { o.Codec = codec }), func(b record.Batch) { binary.BigEndian.PutUint64(b[35:], 5) })
		info := mustAppend(t, l, b)
		require.Equal(t, testTime.UnixMilli()+2, info.MaxTimestamp)
		require.Equal(t, testTime.UnixMilli()+2, record.Batch(readAll(t, l, 0)).MaxTimestamp())

		c := l.Config()
		c.TimestampType = record.LogAppendTime
		l.SetConfig(c)
		info = mustAppend(t, l, produced(t, 3, func(o *record.BuilderOptions) { o.Codec = codec }))
		require.Equal(t, testTime.UnixMilli(), info.LogAppendTime)
		got := record.Batch(readAll(t, l, 3))
		require.Equal(t, record.LogAppendTime, got.TimestampType())
		require.Equal(t, testTime.UnixMilli(), got.MaxTimestamp())
	}
}

// With compression.type set, the batch is encoded anew and keeps its producer.
func TestTopicCodec(t *testing.T) {
	_, l := newTestLog(t, func(c *Config) { c.Compression = record.CodecGzip })
	info := mustAppend(t, l, produced(t, 30, idempotent(8, 2, 0)))
	require.Equal(t, 30, info.NumRecords)
	got := record.Batch(readAll(t, l, 0))
	require.Equal(t, record.CodecGzip, got.Codec())
	require.Equal(t, int64(8), got.ProducerID())
	require.Equal(t, int16(2), got.ProducerEpoch())
	require.Equal(t, int32(29), got.LastSequence())
	require.Equal(t, int32(3), got.PartitionLeaderEpoch())
	require.True(t, mustAppend(t, l, produced(t, 30, idempotent(8, 2, 0))).Duplicate)
}

// messageSet returns a message set of magic 0 or 1 as clients of Kafka before 0.11 send it.
func messageSet(magic int8, n int) []byte {
	var set []byte
	for i := range n {
		m := []byte{0, 0, 0, 0, byte(magic), 0}
		if magic == 1 {
			m = binary.BigEndian.AppendUint64(m, uint64(testTime.UnixMilli()+int64(i)))
		}
		m = binary.BigEndian.AppendUint32(m, 1<<32-1)
		value := fmt.Sprint("value ", i)
		m = binary.BigEndian.AppendUint32(m, uint32(len(value)))
		m = append(m, value...)
		binary.BigEndian.PutUint32(m, crc32.ChecksumIEEE(m[4:]))
		set = binary.BigEndian.AppendUint64(set, uint64(i))
		set = binary.BigEndian.AppendUint32(set, uint32(len(m)))
		set = append(set, m...)
	}
	return set
}

// A leader stores what old clients produce as one batch of magic 2.
func TestOldMessageSetsAreConverted(t *testing.T) {
	for magic := range int8(2) {
		_, l := newTestLog(t, nil)
		mustAppend(t, l, produced(t, 2, nil))
		info := mustAppend(t, l, messageSet(magic, 3))
		require.Equal(t, int64(2), info.FirstOffset)
		require.Equal(t, int64(4), info.LastOffset)
		b, rest, err := record.ReadBatch(readAll(t, l, 2))
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Equal(t, int32(3), b.RecordsCount())
		i := 0
		for r, err := range b.Records(record.ReadOptions{}) {
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint("value ", i), string(r.Value))
			want := testTime.UnixMilli() + int64(i)
			if magic == 0 {
				want = -1
			}
			require.Equal(t, want, r.Timestamp)
			i++
		}
	}
}

// Segments of magic 0 and 1, as a broker of old left them or a leader sends them, are kept and read.
func TestOldSegments(t *testing.T) {
	_, l := newTestLog(t, nil)
	require.NoError(t, l.AssignEpoch(1, 0))
	_, err := l.AppendAsFollower(messageSet(1, 5))
	require.NoError(t, err)
	require.Equal(t, int64(5), l.LogEndOffset())
	require.Equal(t, int32(-1), l.LatestEpoch(), "such messages have no epoch")
	f, err := l.Read(3, ReadOptions{MaxBytes: 1, UpTo: 5, MinOneMessage: true})
	require.NoError(t, err)
	b, err := f.Span.AppendTo(nil)
	f.Span.Release()
	require.NoError(t, err)
	entry, rest, err := record.ReadLegacy(b)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, int64(3), entry.Offset())
	found, ok, err := l.OffsetForTimestamp(testTime.UnixMilli()+2, 5)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, int64(2), found.Offset)
}

// A follower keeps the leader's bytes, cuts an incomplete batch off and takes pieces that fit its segments.
func TestFollower(t *testing.T) {
	_, leader := newTestLog(t, nil)
	for range 50 {
		mustAppend(t, leader, produced(t, 3, nil))
	}
	all := readAll(t, leader, 0)
	_, l := newTestLog(t, func(c *Config) { c.SegmentBytes = 1000 })
	info, err := l.AppendAsFollower(all[:len(all)-1])
	require.NoError(t, err)
	require.Equal(t, int64(0), info.FirstOffset)
	require.Equal(t, int64(146), info.LastOffset)
	require.Equal(t, int32(3), info.LeaderEpoch)
	require.Equal(t, 147, info.NumRecords)
	require.Greater(t, len(l.SegmentBases()), 5)
	got := readAll(t, l, 0)
	require.Equal(t, all[:len(got)], got)
	info, err = l.AppendAsFollower(all[len(got):])
	require.NoError(t, err)
	require.Equal(t, int64(147), info.FirstOffset)
	require.Equal(t, all, readAll(t, l, 0))

	bad := slices.Clone(all)
	bad[len(bad)-1] ^= 1
	_, l = newTestLog(t, nil)
	_, err = l.AppendAsFollower(bad)
	require.ErrorIs(t, err, ErrCorruptMessage)
	require.Zero(t, l.LogEndOffset(), "all or nothing")
	b := slices.Clone(all[:2*len(all)/50])
	copy(b, b[len(all)/50:len(all)/50+8]) // the first batch has the second one's offset
	_, err = l.AppendAsFollower(b)
	require.ErrorIs(t, err, ErrOffsetsOutOfOrder)
}

// Many producers append at once, readers read all the while: every batch is there once, at the offset it was told, and offsets have no gap.
func TestConcurrentAppends(t *testing.T) {
	_, l := newTestLog(t, func(c *Config) { c.SegmentBytes, c.IndexIntervalBytes, c.FlushMessages = 20_000, 200, 500 })
	const writers, each = 8, 150
	type place struct {
		offset   int64
		producer int64
		sequence int32
	}
	var places [writers][]place
	var group, readers sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			offset := int64(0)
			for {
				end := l.SetHighWatermark(l.LogEndOffset())
				f, err := l.Read(offset, ReadOptions{MaxBytes: 3000, UpTo: end, MinOneMessage: true})
				if err != nil {
					t.Error(err)
					return
				}
				b, err := f.Span.AppendTo(nil)
				f.Span.Release()
				if err != nil {
					t.Error(err)
					return
				}
				for len(b) > 0 {
					batch, rest, err := record.ReadBatch(b)
					if err != nil {
						break
					}
					if batch.CheckCRC() != nil || batch.BaseOffset() != offset || batch.LastOffset() >= end {
						t.Errorf("batch %d at offset %d, end %d", batch.BaseOffset(), offset, end)
						return
					}
					offset, b = batch.NextOffset(), rest
				}
				select {
				case <-done:
					if offset == l.LogEndOffset() {
						return
					}
				default:
				}
			}
		})
	}
	for w := range writers {
		group.Go(func() {
			for i := range each {
				b := produced(t, 2, idempotent(int64(w), 0, int32(2*i)))
				info, err := l.AppendAsLeader(b, AppendOptions{LeaderEpoch: 1, Now: testTime})
				if err != nil {
					t.Error(err)
					return
				}
				places[w] = append(places[w], place{info.FirstOffset, int64(w), int32(2 * i)})
			}
		})
	}
	group.Wait()
	close(done)
	readers.Wait()
	require.Equal(t, int64(2*writers*each), l.LogEndOffset())
	all := slices.SortedFunc(slices.Values(slices.Concat(places[:]...)), func(a, b place) int { return int(a.offset - b.offset) })
	b := readAll(t, l, 0)
	for _, p := range all {
		batch, rest, err := record.ReadBatch(b)
		require.NoError(t, err)
		require.Equal(t, place{batch.BaseOffset(), batch.ProducerID(), batch.BaseSequence()}, p)
		b = rest
	}
	require.Empty(t, b)
}

// A group's errors stay with the requests that caused them.
func TestGroupWithErrors(t *testing.T) {
	_, l := newTestLog(t, func(c *Config) { c.SegmentBytes = 400 })
	var group []*appendRequest
	add := func(b record.Batch) *appendRequest {
		r := l.newRequest()
		r.now, r.info, r.leaderEpoch = testTime, l.noInfo(), 1
		c := l.Config()
		require.NoError(t, l.prepareLeader(r, b, &c))
		group = append(group, r)
		return r
	}
	one := add(produced(t, 1, idempotent(1, 0, 0)))
	gap := add(produced(t, 1, idempotent(1, 0, 9)))
	again := add(produced(t, 1, idempotent(1, 0, 0)))
	two := add(produced(t, 1, idempotent(1, 0, 1)))
	big := add(produced(t, 8, nil)) // rolls
	three := add(produced(t, 1, nil))
	l.mu.Lock()
	l.appendGroupLocked(group)
	l.mu.Unlock()
	require.NoError(t, one.err)
	require.Equal(t, int64(0), one.info.FirstOffset)
	require.ErrorIs(t, gap.err, ErrOutOfOrderSequence)
	require.Equal(t, int64(-1), gap.info.FirstOffset)
	require.NoError(t, again.err)
	require.True(t, again.info.Duplicate)
	require.Equal(t, int64(0), again.info.FirstOffset)
	require.NoError(t, two.err)
	require.Equal(t, int64(1), two.info.FirstOffset)
	require.NoError(t, big.err)
	require.Equal(t, int64(2), big.info.FirstOffset)
	require.NoError(t, three.err)
	require.Equal(t, int64(10), three.info.FirstOffset)
	require.Equal(t, []int64{0, 2, 10}, l.SegmentBases())
	require.Equal(t, concat([]record.Batch{one.data, two.data, big.data, three.data}), readAll(t, l, 0))
}
