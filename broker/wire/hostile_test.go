package wire

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// hostileFrames returns bodies of size bytes that claim as many elements as could be there: the count stands at each of
// many places, and the elements are of many sizes on the wire.
func hostileFrames(size int, flexible bool) [][]byte {
	fill := byte(0)
	if flexible {
		fill = 1 // a compact count or length of zero
	}
	var frames [][]byte
	for _, b := range []byte{0, 1, 0xff} {
		frames = append(frames, bytes.Repeat([]byte{b}, size))
	}
	for _, element := range []int{1, 3, 10, 30} {
		for _, prefix := range []int{0, 4, 6, 8, 13, 14, 17} {
			frame := bytes.Repeat([]byte{fill}, size)
			count := uint32(size-prefix-5) / uint32(element)
			if flexible {
				appendUvarint(frame[:prefix], count+1)
			} else {
				binary.BigEndian.PutUint32(frame[prefix:], count)
			}
			frames = append(frames, frame)
		}
	}
	return frames
}

// greediest returns, for each slice of structs in a message, a body of size bytes that fills the budget with as many
// empty elements of it as the budget allows.
func greediest(t *testing.T, info APIInfo, version int16, size int) [][]byte {
	var bodies [][]byte
	p, err := planOf(NewRequest(info.Key), version)
	require.NoError(t, err)
	for _, f := range p.fields {
		if f.kind != kindStructs && f.kind != kindStrings {
			continue
		}
		m := NewRequest(info.Key)
		field := reflect.ValueOf(m).Elem().FieldByName(f.name)
		wireSize := 2
		if f.elem != nil {
			wireSize = f.elem.minWire
		}
		n := min(decodeBudget(info.Key, false, size)/int(field.Type().Elem().Size()), (size-100)/wireSize)
		field.Set(reflect.MakeSlice(field.Type(), n, n))
		if f.elem != nil {
			defaults := defaults(f.elem.typ)
			for i := range n {
				initialize(field.Index(i).Addr().UnsafePointer(), defaults)
			}
		}
		body, err := Encode(nil, m, version)
		require.NoError(t, err)
		bodies = append(bodies, append(body, make([]byte, size-len(body))...))
	}
	return bodies
}

// A frame must not make us allocate much more than its size, whatever it claims to hold. kmsg allocates up to 1.2 GiB
// for frames of 8 MiB, because it trusts a count as soon as there is a byte for each element.
func TestHostileFramesAllocateLittle(t *testing.T) {
	const small, medium, large = 64 << 10, 1 << 20, 8 << 20
	frames := map[bool][][]byte{false: hostileFrames(small, false), true: hostileFrames(small, true)}
	worst := 0.0
	for _, info := range APIs() {
		measure := func(version int16, body []byte) {
			m := NewRequest(info.Key)
			n := allocated(func() { _ = Decode(body, m, version) })
			limit := uint64(decodeBudget(info.Key, false, len(body)))
			require.LessOrEqual(t, n, limit+limit/8, "%s v%d", info.Name, version)
			if len(body) == large {
				worst = max(worst, float64(n)/large)
			}
		}
		for _, version := range slices.Compact([]int16{info.MinVersion, max(info.FirstFlexible, info.MinVersion), info.MaxVersion}) {
			for _, body := range frames[info.IsFlexible(version)] {
				measure(version, body)
			}
		}
		for _, body := range greediest(t, info, info.MaxVersion, medium) {
			measure(info.MaxVersion, body)
		}
		if slices.Contains([]APIKey{Metadata, LeaderAndIsr, DeleteGroups}, info.Key) {
			for _, body := range greediest(t, info, info.MaxVersion, large) {
				measure(info.MaxVersion, body)
			}
		}
	}
	t.Logf("at most %.1f bytes for each byte of an 8 MiB frame", worst)
	require.Greater(t, worst, 4.0, "the frames do use the budget up")
	require.Less(t, worst, 5.25)
}

// A request that is as dense as an honest client makes it is well within the budget.
func TestHonestRequestsAreWithinTheBudget(t *testing.T) {
	leaderAndIsr := New[LeaderAndIsrRequest]()
	updateMetadata := New[UpdateMetadataRequest]()
	metadata := New[MetadataRequest]()
	commit := New[OffsetCommitRequest]()
	fetch := New[FetchRequest]()
	one := []int32{1}
	for i := range 20_000 {
		name := "topic" + string(rune('a'+i%26))
		leaderAndIsr.TopicStates = append(leaderAndIsr.TopicStates, LeaderAndIsrTopicState{
			TopicName: name, PartitionStates: []LeaderAndIsrPartitionState{{Isr: one, Replicas: one}},
		})
		updateMetadata.TopicStates = append(updateMetadata.TopicStates, UpdateMetadataTopicState{
			TopicName: name, PartitionStates: []UpdateMetadataPartitionState{{Isr: one, Replicas: one}},
		})
		metadata.Topics = append(metadata.Topics, MetadataRequestTopic{Name: &name})
		c := New[OffsetCommitRequestPartition]()
		commit.Topics = append(commit.Topics, OffsetCommitRequestTopic{Name: name, Partitions: []OffsetCommitRequestPartition{c}})
		f := New[FetchRequestPartition]()
		fetch.Topics = append(fetch.Topics, FetchRequestTopic{Topic: name, Partitions: []FetchRequestPartition{f}})
	}
	for _, m := range []Request{&leaderAndIsr, &updateMetadata, &metadata, &commit, &fetch} {
		info, _ := Info(m.APIKey())
		for version := info.MinVersion; version <= info.MaxVersion; version++ {
			body, err := Encode(nil, m, version)
			if err != nil { // the version does not have the field that was filled
				require.ErrorIs(t, err, ErrUnsupportedVersion)
				continue
			}
			require.NoError(t, Decode(body, NewRequest(info.Key), version), "%s v%d", info.Name, version)
		}
	}
}

// The tag section that keeps kmsg busy for 65 seconds: seven bytes that announce four billion tags.
func TestTagCountDoesNotSpin(t *testing.T) {
	start := time.Now()
	for _, info := range APIs() {
		if info.FirstFlexible < 0 {
			continue
		}
		body, err := Encode(nil, NewRequest(info.Key), info.MaxVersion)
		require.NoError(t, err)
		body = append(body[:len(body)-1], 0xff, 0xff, 0xff, 0xff, 0x0f)
		require.ErrorIs(t, Decode(body, NewRequest(info.Key), info.MaxVersion), ErrTruncated, info.Name)
	}
	require.Less(t, time.Since(start), 5*time.Second)
}

// Every message cut at every byte is an error and not a panic, unless what is cut off is ignored anyway.
func TestEveryCut(t *testing.T) {
	for _, v := range vectors(t) {
		for n := range v.body {
			require.Error(t, Decode(v.body[:n:n], v.message, v.version), "%s cut to %d bytes", v.name, n)
		}
	}
}

// Every byte of every message set to values that hurt: no panic, and what is accepted can be encoded again.
func TestEveryFlippedByte(t *testing.T) {
	for n, v := range vectors(t) {
		if testing.Short() && n%7 != 0 {
			continue
		}
		for i := range v.body {
			old := v.body[i]
			for _, b := range []byte{0x00, 0x7f, 0xff, old ^ 1} {
				v.body[i] = b
				checkDecode(t, v.message, v.version, v.body)
			}
			v.body[i] = old
		}
	}
}

// checkDecode decodes hostile bytes; if they are accepted, the message must survive another round.
func checkDecode(t *testing.T, m Message, version int16, body []byte) {
	t.Helper()
	if Decode(body, m, version) != nil {
		return
	}
	once, err := Encode(nil, m, version)
	require.NoError(t, err, "%T v%d of %x", m, version, body)
	require.NoError(t, Decode(once, m, version), "%T v%d of %x", m, version, body)
	twice, err := Encode(nil, m, version)
	require.NoError(t, err)
	require.Equal(t, string(once), string(twice), "%T v%d of %x", m, version, body)
}

// FuzzDecode feeds any bytes to any message in any version.
func FuzzDecode(f *testing.F) {
	for _, v := range vectors(f) {
		_, response := v.message.(Response)
		f.Add(int16(v.message.APIKey()), response, v.version, v.body)
	}
	f.Fuzz(func(t *testing.T, key int16, response bool, version int16, body []byte) {
		var m Message = NewRequest(APIKey(key))
		if response {
			m = NewResponse(APIKey(key))
		}
		if _, known := Info(APIKey(key)); known {
			checkDecode(t, m, version, body)
		}
	})
}

// FuzzRequestFrame takes a frame as a broker gets it.
func FuzzRequestFrame(f *testing.F) {
	for _, v := range vectors(f) {
		if _, ok := v.message.(Request); ok {
			h := RequestHeader{APIKey: v.message.APIKey(), APIVersion: v.version, CorrelationID: 1, ClientID: "c"}
			f.Add(append(AppendRequestHeader(nil, h), v.body...))
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, body, err := ParseRequestHeader(frame)
		if err != nil || body == nil {
			return
		}
		require.LessOrEqual(t, len(h.ClientID), math.MaxInt16)
		checkDecode(t, NewRequest(h.APIKey), h.APIVersion, body)
		if id, _, err := ParseResponseHeader(frame, h.APIKey, h.APIVersion); err == nil {
			require.Equal(t, int32(binary.BigEndian.Uint32(frame)), id)
		}
	})
}
