package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// fetchResponse makes a response with partitions whose records have the given sizes.
func fetchResponse(sizes ...int) (*FetchResponse, [][]byte) {
	rnd := rand.New(rand.NewPCG(1, 2))
	r := New[FetchResponse]()
	var records [][]byte
	for i, size := range sizes {
		p := New[FetchResponsePartition]()
		p.PartitionIndex, p.HighWatermark = int32(i), int64(i)*1000
		if i%3 == 1 {
			p.CurrentLeader = LeaderIDAndEpoch{LeaderID: 1, LeaderEpoch: 2}
		}
		p.Records = make([]byte, size)
		for j := range p.Records {
			p.Records[j] = byte(rnd.Uint32())
		}
		if size > 0 {
			records = append(records, p.Records)
		}
		r.Responses = append(r.Responses, FetchResponseTopic{Partitions: []FetchResponsePartition{p}})
	}
	return &r, records
}

// A response in pieces, put together with its records, is the response encoded as a whole.
func TestFetchResponseInPieces(t *testing.T) {
	r, records := fetchResponse(100, 0, 1, 70_000, 0, 127, 128)
	for version := int16(0); version <= 17; version++ {
		if version < 12 { // tagged fields cannot be lost, the older versions have none
			for i := range r.Responses {
				r.Responses[i].Partitions[0].CurrentLeader = LeaderIDAndEpoch{-1, -1}
			}
		}
		want, err := AppendResponse([]byte("dst"), version, 5, r)
		require.NoError(t, err)

		pieces := *r
		pieces.Responses = nil
		for _, topic := range r.Responses {
			p := topic.Partitions[0]
			p.RecordsSize, p.Records = int32(len(p.Records)), nil
			topic.Partitions = []FetchResponsePartition{p}
			pieces.Responses = append(pieces.Responses, topic)
		}
		// One partition keeps its records in memory.
		pieces.Responses[2].Partitions[0].Records = r.Responses[2].Partitions[0].Records
		external := append(records[:1:1], records[2:]...)

		out, gaps, err := AppendFetchResponseFrame([]byte("dst"), version, 5, &pieces)
		require.NoError(t, err)
		require.Equal(t, want, join(t, out, gaps, external), "v%d", version)

		body, bodyGaps, err := AppendFetchResponse(nil, &pieces, version)
		require.NoError(t, err)
		whole, err := Encode(nil, r, version)
		require.NoError(t, err)
		require.Equal(t, whole, join(t, body, bodyGaps, external), "v%d", version)

		_, err = Encode(nil, &pieces, version)
		require.ErrorIs(t, err, ErrMalformed, "external records must not be lost")
	}
}

// join puts records into the gaps.
func join(t *testing.T, out []byte, gaps []RecordGap, records [][]byte) []byte {
	t.Helper()
	require.Len(t, gaps, len(records))
	var whole []byte
	from := 0
	for i, gap := range gaps {
		require.Len(t, records[i], int(gap.Size))
		whole = append(whole, out[from:gap.Offset]...)
		whole = append(whole, records[i]...)
		from = gap.Offset
	}
	return append(whole, out[from:]...)
}

func TestFetchResponseRecordsNullAndEmpty(t *testing.T) {
	r := &FetchResponse{Responses: []FetchResponseTopic{{Partitions: []FetchResponsePartition{New[FetchResponsePartition]()}}}}
	body, err := Encode(nil, r, 3)
	require.NoError(t, err)
	require.Equal(t, []byte{0xff, 0xff, 0xff, 0xff}, body[len(body)-4:], "Encode: nil is null")
	body, gaps, err := AppendFetchResponse(nil, r, 3)
	require.NoError(t, err)
	require.Empty(t, gaps)
	require.Equal(t, []byte{0, 0, 0, 0}, body[len(body)-4:], "AppendFetchResponse: nil is no records")
}

func TestFetchResponseErrors(t *testing.T) {
	p := New[FetchResponsePartition]()
	p.RecordsSize = -1
	r := &FetchResponse{Responses: []FetchResponseTopic{{Partitions: []FetchResponsePartition{p}}}}
	out, gaps, err := AppendFetchResponse([]byte("a"), r, 12)
	require.ErrorIs(t, err, ErrMalformed)
	require.ErrorContains(t, err, "FetchResponsePartition.Records")
	require.Nil(t, gaps)
	require.Equal(t, []byte("a"), out)

	p.RecordsSize = math.MaxInt32 - 1
	r.Responses[0].Partitions[0] = p
	out, gaps, err = AppendFetchResponseFrame([]byte("a"), 12, 1, r)
	require.ErrorIs(t, err, ErrTooLarge, "the frame has a size of 31 bits")
	require.Nil(t, gaps)
	require.Equal(t, []byte("a"), out)

	_, _, err = AppendFetchResponseFrame(nil, 18, 1, r)
	require.ErrorIs(t, err, ErrUnsupportedVersion)
}

func produceRequest(partitions, size int) []byte {
	topic := ProduceRequestTopic{Name: "topic"}
	for i := range partitions {
		topic.PartitionData = append(topic.PartitionData, ProduceRequestPartition{Index: int32(i), Records: make([]byte, size)})
	}
	body, err := Encode(nil, &ProduceRequest{Acks: -1, TimeoutMs: 1000, TopicData: []ProduceRequestTopic{topic}}, 9)
	if err != nil {
		panic(err)
	}
	return body
}

func BenchmarkDecodeProduce(b *testing.B) {
	for _, partitions := range []int{1, 16} {
		b.Run(fmt.Sprintf("%d partitions", partitions), func(b *testing.B) {
			body := produceRequest(partitions, 1024)
			b.ReportAllocs()
			for b.Loop() {
				var r ProduceRequest
				if err := Decode(body, &r, 9); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecodeFetch100(b *testing.B) {
	r := New[FetchRequest]()
	topic := FetchRequestTopic{Topic: "topic"}
	for i := range 100 {
		p := New[FetchRequestPartition]()
		p.Partition = int32(i)
		topic.Partitions = append(topic.Partitions, p)
	}
	r.Topics = append(r.Topics, topic)
	body, err := Encode(nil, &r, 12)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		var r FetchRequest
		if err := Decode(body, &r, 12); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendFetchResponse(b *testing.B) {
	for _, partitions := range []int{1, 100} {
		b.Run(fmt.Sprintf("%d partitions", partitions), func(b *testing.B) {
			r := New[FetchResponse]()
			topic := FetchResponseTopic{Topic: "topic"}
			for i := range partitions {
				p := New[FetchResponsePartition]()
				p.PartitionIndex, p.RecordsSize = int32(i), 1<<20
				topic.Partitions = append(topic.Partitions, p)
			}
			r.Responses = append(r.Responses, topic)
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				out, _, err := AppendFetchResponseFrame(buf[:0], 12, 1, &r)
				if err != nil {
					b.Fatal(err)
				}
				buf = out
			}
		})
	}
}

func BenchmarkEncodeMetadata10000(b *testing.B) {
	r := New[MetadataResponse]()
	topic := New[MetadataResponseTopic]()
	topic.Name = String("topic")
	for i := range 10_000 {
		p := New[MetadataResponsePartition]()
		p.PartitionIndex, p.ReplicaNodes, p.IsrNodes = int32(i), []int32{1, 2, 3}, []int32{1, 2, 3}
		topic.Partitions = append(topic.Partitions, p)
	}
	r.Topics = append(r.Topics, topic)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		out, err := Encode(buf[:0], &r, 12)
		if err != nil {
			b.Fatal(err)
		}
		buf = out
	}
}

// The size in a frame counts what goes into the gaps.
func TestFetchResponseFrameSize(t *testing.T) {
	p := New[FetchResponsePartition]()
	p.RecordsSize = 1 << 30
	r := &FetchResponse{Responses: []FetchResponseTopic{{Partitions: []FetchResponsePartition{p}}}}
	out, gaps, err := AppendFetchResponseFrame(nil, 17, 1, r)
	require.NoError(t, err)
	require.Equal(t, uint32(len(out)-4+1<<30), binary.BigEndian.Uint32(out))
	require.Equal(t, []RecordGap{{Offset: bytes.Index(out, []byte{0x81, 0x80, 0x80, 0x80, 0x04}) + 5, Size: 1 << 30}}, gaps)
}
