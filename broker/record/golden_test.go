package record_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/stretchr/testify/require"
)

// The files in testdata/java were written by Apache Kafka's own classes: see Golden.java there.

type goldenEntry struct {
	name    string
	bytes   []byte
	records []string
}

func goldenLines(t testing.TB, name string) []string {
	t.Helper()
	f, err := os.Open("testdata/java/" + name)
	require.NoError(t, err)
	defer f.Close()
	var lines []string
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	require.NoError(t, s.Err())
	return lines
}

func unbase64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	require.NoError(t, err)
	return b
}

func goldenEntries(t testing.TB) []goldenEntry {
	t.Helper()
	var all []goldenEntry
	lines := goldenLines(t, "entries.txt")
	for i := 0; i < len(lines); i++ {
		if name, ok := strings.CutPrefix(lines[i], "entry "); ok {
			i++
			all = append(all, goldenEntry{name: name, bytes: unbase64(t, lines[i])})
			continue
		}
		last := &all[len(all)-1]
		last.records = append(last.records, lines[i])
	}
	require.NotEmpty(t, all)
	return all
}

func goldenEntryNamed(t testing.TB, name string) goldenEntry {
	t.Helper()
	for _, e := range goldenEntries(t) {
		if e.name == name {
			return e
		}
	}
	require.FailNow(t, "no golden entry", name)
	return goldenEntry{}
}

func describeBytes(b []byte) string {
	switch {
	case b == nil:
		return "null"
	case len(b) > 40:
		return fmt.Sprintf("%d:%x", len(b), crc32.ChecksumIEEE(b))
	}
	return fmt.Sprintf("'%x'", b)
}

func describe(r record.Record) string {
	s := fmt.Sprintf("record %d %d %s %s", r.Offset, r.Timestamp, describeBytes(r.Key), describeBytes(r.Value))
	for _, h := range r.Headers {
		s += fmt.Sprintf(" %s=%s", h.Key, describeBytes(h.Value))
	}
	return s
}

// What Kafka wrote, in every format and codec, reads as Kafka reads it.
func TestReadsWhatKafkaWrote(t *testing.T) {
	for _, pool := range []*record.Codecs{nil, new(record.Codecs)} {
		for _, e := range goldenEntries(t) {
			t.Run(e.name, func(t *testing.T) {
				var got []string
				for r, err := range record.Records(e.bytes, record.ReadOptions{Codecs: pool}) {
					require.NoError(t, err)
					got = append(got, describe(r))
				}
				require.Equal(t, e.records, got)
				for rest := e.bytes; len(rest) > 0; {
					var entry []byte
					var err error
					entry, rest, err = record.ReadEntry(rest)
					require.NoError(t, err)
					require.NoError(t, record.CheckEntryCRC(entry))
					h, err := record.ParseHeader(entry[:min(len(entry), record.HeaderPeekSize)])
					require.NoError(t, err)
					require.Equal(t, int64(len(entry)), h.SizeInBytes())
					require.True(t, h.Codec().Valid())
					if h.Magic == 2 {
						require.NoError(t, record.Batch(entry).Validate())
						_, err := record.ValidateRecords(record.Batch(entry), record.ValidateOptions{Codecs: pool})
						require.NoError(t, err)
					}
				}
			})
		}
	}
}

// What we build from the same records is what Kafka built, byte for byte, where the compressor allows it: no codec, and
// LZ4 at its default level, for which both use the reference implementation's algorithm.
func TestBuildsWhatKafkaBuilds(t *testing.T) {
	for _, e := range goldenEntries(t) {
		if !strings.HasPrefix(e.name, "v2-none") && !strings.HasPrefix(e.name, "v2-lz4-") && !strings.HasPrefix(e.name, "marker") || e.name == "v2-lz4-17" {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			want, rest, err := record.ReadBatch(e.bytes)
			require.NoError(t, err)
			require.Empty(t, rest)
			o := record.BuilderOptions{
				Codec: want.Codec(), BaseOffset: want.BaseOffset(), PartitionLeaderEpoch: want.PartitionLeaderEpoch(),
				TimestampType: want.TimestampType(), AppendTimeMs: want.MaxTimestamp(),
				Transactional: want.IsTransactional(), Control: want.IsControl(),
			}
			o.DeleteHorizonMs, o.HasDeleteHorizon = want.DeleteHorizon()
			if want.HasProducerID() {
				o.Producer = &record.ProducerState{ID: want.ProducerID(), Epoch: want.ProducerEpoch(), BaseSequence: want.BaseSequence()}
			}
			var b record.Builder
			require.NoError(t, b.Start([]byte("before"), o))
			for r, err := range want.Records(record.ReadOptions{}) {
				require.NoError(t, err)
				r.Timestamp = want.BaseTimestamp() + r.TimestampDelta // what LogAppendTime hides
				require.NoError(t, b.AppendRecord(&r))
			}
			require.NoError(t, b.ExtendTo(want.LastOffset()))
			got, buffer, err := b.Finish()
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.Equal(t, "before"+string(want), string(buffer))
		})
	}
}

// What compaction leaves of a batch whose records are all gone.
func TestEmptiesAsKafkaDoes(t *testing.T) {
	full, _, err := record.ReadBatch(goldenEntryNamed(t, "v2-none-delete-horizon").bytes)
	require.NoError(t, err)
	horizon, ok := full.DeleteHorizon()
	require.True(t, ok)
	require.Equal(t, int64(1_700_000_000_000-1234), horizon)
	want := goldenEntryNamed(t, "emptied-delete-horizon").bytes
	require.Equal(t, append([]byte("before"), want...), record.AppendEmptied([]byte("before"), full))
	require.Empty(t, collect(t, record.Batch(want), record.ReadOptions{}))
}

func TestEndTxnMarkerOfKafka(t *testing.T) {
	for name, kind := range map[string]record.ControlType{"marker-abort": record.ControlAbort, "marker-commit": record.ControlCommit} {
		want, _, err := record.ReadBatch(goldenEntryNamed(t, name).bytes)
		require.NoError(t, err)
		m, ok, err := want.EndTxnMarker()
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, record.EndTxnMarker{Type: kind, CoordinatorEpoch: 11}, m)
		got, err := m.Build(record.EndTxnMarkerOptions{ProducerID: 4242, ProducerEpoch: 3, TimestampMs: 1_700_000_000_000, BaseOffset: 77, PartitionLeaderEpoch: 6})
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

type goldenCase struct {
	name         string
	fields       map[string]string
	recordErrors []string
}

func goldenCases(t testing.TB) []goldenCase {
	t.Helper()
	var all []goldenCase
	for _, line := range goldenLines(t, "validate.txt") {
		if name, ok := strings.CutPrefix(line, "case "); ok {
			all = append(all, goldenCase{name: name, fields: map[string]string{}})
			continue
		}
		last := &all[len(all)-1]
		key, value, ok := strings.Cut(line, "=")
		require.True(t, ok, line)
		if key == "record-error" {
			last.recordErrors = append(last.recordErrors, value)
		} else {
			last.fields[key] = value
		}
	}
	require.NotEmpty(t, all)
	return all
}

// A leader that validates, patches and rebuilds with this package makes of each produced batch what Kafka's LogValidator
// makes of it: the same bytes, or the same error with the same record errors.
func TestLeadsAsKafkaDoes(t *testing.T) {
	const now = 1_700_000_000_010
	pool := new(record.Codecs)
	number := func(t *testing.T, s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		require.NoError(t, err)
		return n
	}
	for _, c := range goldenCases(t) {
		t.Run(c.name, func(t *testing.T) {
			b, rest, err := record.ReadBatch(unbase64(t, c.fields["in"]))
			require.NoError(t, err)
			require.Empty(t, rest)
			require.NoError(t, b.Validate())
			target, err := record.ParseCodec(c.fields["target"])
			require.NoError(t, err)
			topicType := record.CreateTime
			if c.fields["append-time"] == "true" {
				topicType = record.LogAppendTime
			}
			r, err := func() (record.ValidateResult, error) {
				if err := b.CheckProduced(); err != nil {
					return record.ValidateResult{}, err
				}
				return record.ValidateRecords(b, record.ValidateOptions{
					Codecs: pool, Compacted: c.fields["compacted"] == "true", TimestampType: topicType, CheckTimestamps: true, NowMs: now,
					BeforeMaxMs: number(t, c.fields["before"]), AfterMaxMs: number(t, c.fields["after"]), TopicPartition: "topic-3",
				})
			}()
			rebuild := err == nil && record.NeedsRebuild(b, r, target)
			switch c.fields["error"] {
			case "InvalidRecordException":
				require.ErrorIs(t, err, record.ErrInvalidRecord)
				return
			case "UnsupportedOperationException":
				// Kafka means to rebuild a batch with gaps in its offsets, but has skipped the keys and values it needs for
				// that, and answers UNKNOWN_SERVER_ERROR. We do rebuild it.
				require.True(t, rebuild)
				got, _, err := record.Rebuild(nil, b, record.RebuildOptions{Codecs: pool, Codec: target, BaseOffset: 5000, PartitionLeaderEpoch: 8})
				require.NoError(t, err)
				require.NoError(t, got.Validate())
				require.Equal(t, b.Codec(), got.Codec())
				require.Equal(t, int64(5002), got.LastOffset())
				require.Len(t, collect(t, got, record.ReadOptions{}), 3)
				return
			case "":
			default:
				require.FailNow(t, "unknown error of Kafka", c.fields["error"])
			}
			require.NoError(t, err)

			if invalid := c.fields["invalid"]; invalid != "" {
				require.Equal(t, invalid == "InvalidTimestampException", r.InvalidTimestamp)
				require.Len(t, c.recordErrors, r.ErrorCount)
				for i, e := range r.Errors {
					require.Equal(t, c.recordErrors[i], fmt.Sprintf("%d %s", e.Index, e.Message))
				}
				require.Equal(t, c.fields["message"], r.ErrorMessage())
				return
			}
			require.Zero(t, r.ErrorCount)
			require.Equal(t, c.fields["rebuilt"], strconv.FormatBool(rebuild))
			if rebuild {
				b, _, err = record.Rebuild(nil, b, record.RebuildOptions{
					Codecs: pool, Codec: target, BaseOffset: 5000, PartitionLeaderEpoch: 8, TimestampType: topicType, NowMs: now,
				})
				require.NoError(t, err)
			} else {
				b.SetLastOffset(5000 + int64(b.LastOffsetDelta()))
				b.SetPartitionLeaderEpoch(8)
				if topicType == record.LogAppendTime {
					b.SetMaxTimestamp(topicType, now)
				} else {
					b.SetMaxTimestamp(topicType, r.MaxTimestamp)
				}
			}
			require.Equal(t, record.Batch(unbase64(t, c.fields["out"])), b)
			require.Equal(t, c.fields["max-timestamp"], strconv.FormatInt(b.MaxTimestamp(), 10))
			require.NoError(t, b.Validate())
		})
	}
}
