package wire

import (
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// unhex turns hex with spaces into bytes.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

// Frames put together by hand from the protocol guide.
func TestFramesByHand(t *testing.T) {
	name, replicas := "t", []int32{1, 2}
	for _, c := range []struct {
		what    string
		version int16
		message Message
		frame   string
	}{
		{"header v0: ControlledShutdown v0 has no client id", 0, &ControlledShutdownRequest{BrokerID: 5, BrokerEpoch: -1}, `
			0000000c  0007 0000 00000007  00000005`},
		{"header v1", 1, &ControlledShutdownRequest{BrokerID: 5, BrokerEpoch: -1}, `
			0000000f  0007 0001 00000007 0001 63  00000005`},
		{"header v2: the client id keeps its int16 length", 3, &ControlledShutdownRequest{BrokerID: 5, BrokerEpoch: 9}, `
			00000019  0007 0003 00000007 0001 63 00  00000005 0000000000000009 00`},
		{"compact strings", 3, &ApiVersionsRequest{ClientSoftwareName: "go", ClientSoftwareVersion: "1"}, `
			00000012  0012 0003 00000007 0001 63 00  03 676f  02 31  00`},
		{"all topics in v0 is an empty list", 0, &MetadataRequest{Topics: []MetadataRequestTopic{}, AllowAutoTopicCreation: true}, `
			0000000f  0003 0000 00000007 0001 63  00000000`},
		{"all topics from v1 is null", 1, &MetadataRequest{AllowAutoTopicCreation: true}, `
			0000000f  0003 0001 00000007 0001 63  ffffffff`},
		{"compact arrays and null strings", 12, &MetadataRequest{
			Topics: []MetadataRequestTopic{{Name: &name}, {TopicID: UUID{15: 1}}}, AllowAutoTopicCreation: true,
		}, `
			00000035  0003 000c 00000007 0001 63 00
			03  00000000000000000000000000000000 02 74 00  00000000000000000000000000000001 00 00
			01 00 00`},
		{"is_kraft_controller stands before the epoch", 4, &StopReplicaRequest{
			ControllerID: 1, ControllerEpoch: 2, BrokerEpoch: 3, TopicStates: []StopReplicaTopicState{{
				TopicName: "t", PartitionStates: []StopReplicaPartitionState{{PartitionIndex: 4, LeaderEpoch: 5, DeletePartition: true}},
			}},
		}, `
			0000002d  0005 0004 00000007 0001 63 00
			00000001 00 00000002 0000000000000003  02 02 74  02 00000004 00000005 01 00  00  00`},
		{"tagged field", 8, &UpdateMetadataRequest{
			ControllerID: 1, Type: 2, ControllerEpoch: 2, BrokerEpoch: 3,
			TopicStates: []UpdateMetadataTopicState{}, LiveBrokers: []UpdateMetadataBroker{},
		}, `
			00000023  0006 0008 00000007 0001 63 00
			00000001 00 00000002 0000000000000003 01 01  01 00 01 02`},
		{"records and acks", 9, &ProduceRequest{
			Acks: -1, TimeoutMs: 1000, TopicData: []ProduceRequestTopic{{
				Name: "t", PartitionData: []ProduceRequestPartition{{Index: 1, Records: []byte("rec")}},
			}},
		}, `
			00000022  0000 0009 00000007 0001 63 00
			00 ffff 000003e8  02 02 74  02 00000001 04 726563 00  00  00`},
		{"nullable array of a reassignment", 0, &AlterPartitionReassignmentsRequest{
			TimeoutMs: 1, Topics: []AlterPartitionReassignmentsRequestTopic{{
				Name: "t", Partitions: []AlterPartitionReassignmentsRequestPartition{{PartitionIndex: 0, Replicas: replicas}, {PartitionIndex: 1}},
			}},
		}, `
			0000002a  002d 0000 00000007 0001 63 00
			00000001  02 02 74  03 00000000 03 00000001 00000002 00  00000001 00 00  00  00`},
	} {
		h := RequestHeader{APIVersion: c.version, CorrelationID: 7, ClientID: "c"}
		got, err := AppendRequest(nil, h, c.message.(Request))
		require.NoError(t, err, c.what)
		require.Equal(t, hex.EncodeToString(unhex(t, c.frame)), hex.EncodeToString(got), c.what)

		parsed, body, err := ParseRequestHeader(got[4:])
		require.NoError(t, err, c.what)
		h.APIKey = c.message.APIKey()
		if h.APIKey == ControlledShutdown && c.version == 0 {
			h.ClientID = ""
		}
		require.Equal(t, h, parsed, c.what)
		back := NewRequest(h.APIKey)
		require.NoError(t, Decode(body, back, c.version), c.what)
		require.Equal(t, c.message, Message(back), c.what)
	}
}

func TestResponseFrames(t *testing.T) {
	frame, err := AppendResponse([]byte("before"), 4, 7, &HeartbeatResponse{ErrorCode: RebalanceInProgress})
	require.NoError(t, err)
	require.Equal(t, append([]byte("before"), unhex(t, "0000000c 00000007 00 00000000 001b 00")...), frame)
	id, body, err := ParseResponseHeader(frame[10:], Heartbeat, 4)
	require.NoError(t, err)
	require.Equal(t, int32(7), id)
	var back HeartbeatResponse
	require.NoError(t, Decode(body, &back, 4))
	require.Equal(t, RebalanceInProgress, back.ErrorCode)

	// ApiVersions: flexible body, header without a tag section.
	frame, err = AppendResponse(nil, 3, 7, NewResponse(ApiVersions))
	require.NoError(t, err)
	require.Equal(t, unhex(t, "0000000c 00000007 0000 01 00000000 00"), frame)
	_, body, err = ParseResponseHeader(frame[4:], ApiVersions, 3)
	require.NoError(t, err)
	require.Len(t, body, 8)

	_, _, err = ParseResponseHeader(frame[4:], 54, 0)
	require.ErrorIs(t, err, ErrUnknownAPI)
	_, _, err = ParseResponseHeader([]byte{0, 0, 0}, Heartbeat, 0)
	require.ErrorIs(t, err, ErrTruncated)
	_, _, err = ParseResponseHeader([]byte{0, 0, 0, 1, 1}, Heartbeat, 4)
	require.ErrorIs(t, err, ErrTruncated)
}

func TestRequestHeaderErrors(t *testing.T) {
	for name, c := range map[string]struct {
		frame string
		err   error
	}{
		"empty":              {"", ErrTruncated},
		"short":              {"0003 0000 000000", ErrTruncated},
		"unknown key":        {"0034 0000 00000001 ffff", ErrUnknownAPI},
		"negative key":       {"ffff 0000 00000001 ffff", ErrUnknownAPI},
		"key after the last": {"0046 0000 00000001 ffff", ErrUnknownAPI},
		"version too high":   {"0003 000d 00000001 ffff 00", ErrUnsupportedVersion},
		"version negative":   {"0012 ffff 00000001 ffff", ErrUnsupportedVersion},
		"no client id":       {"0003 0000 00000001 00", ErrTruncated},
		"client id cut":      {"0003 0000 00000001 0002 61", ErrTruncated},
		"client id of -2":    {"0003 0000 00000001 fffe", ErrMalformed},
		"no tag section":     {"0003 000c 00000001 ffff", ErrTruncated},
		"many tags":          {"0003 000c 00000001 ffff ffffffff0f 0000", ErrTruncated},
		"tag too long":       {"0003 000c 00000001 ffff 01 00 05 0102", ErrTruncated},
		"overlong varint":    {"0003 000c 00000001 ffff ffffffffff01 00", ErrMalformed},
	} {
		_, _, err := ParseRequestHeader(unhex(t, c.frame))
		require.ErrorIs(t, err, c.err, name)
	}

	h, body, err := ParseRequestHeader(unhex(t, "0003 000c 00000001 ffff 02 05 01 aa 06 00  ee"))
	require.NoError(t, err, "unknown tags are skipped, a null client id is empty")
	require.Equal(t, RequestHeader{APIKey: Metadata, APIVersion: 12, CorrelationID: 1}, h)
	require.Equal(t, []byte{0xee}, body)

	h, _, err = ParseRequestHeader(unhex(t, "0003 000d 00000009 ffff"))
	require.Error(t, err)
	require.Equal(t, RequestHeader{APIKey: Metadata, APIVersion: 13, CorrelationID: 9}, h, "known as far as it was read")
}

// A client that knows a newer ApiVersions gets an answer it can read: version 0 with the one row it needs.
func TestApiVersionsOfTheFuture(t *testing.T) {
	h, body, err := ParseRequestHeader(unhex(t, "0012 0063 00000007 ffee"))
	require.NoError(t, err)
	require.Equal(t, RequestHeader{APIKey: ApiVersions, APIVersion: 99, CorrelationID: 7}, h)
	require.Nil(t, body)
	info, _ := Info(h.APIKey)
	require.False(t, info.Supports(h.APIVersion))

	frame, err := AppendResponse(nil, 0, h.CorrelationID, ApiVersionsFallback())
	require.NoError(t, err)
	require.Equal(t, unhex(t, "00000010 00000007 0023 00000001 0012 0000 0004"), frame)
}

func TestFrameLimits(t *testing.T) {
	long := strings.Repeat("x", math.MaxInt16+1)
	_, err := AppendRequest([]byte("a"), RequestHeader{}, &HeartbeatRequest{GroupID: long})
	require.ErrorIs(t, err, ErrTooLarge)
	require.ErrorContains(t, err, "HeartbeatRequest.GroupID")
	header := AppendRequestHeader(nil, RequestHeader{APIKey: Heartbeat, ClientID: long})
	h, _, err := ParseRequestHeader(header)
	require.NoError(t, err)
	require.Len(t, h.ClientID, math.MaxInt16)
	require.Equal(t, unhex(t, "0034 0000 00000000 0000"), AppendRequestHeader(nil, RequestHeader{APIKey: 52}))

	out, err := finishFrame([]byte("a"), make([]byte, 10), 0, math.MaxInt32-6)
	require.NoError(t, err)
	require.Len(t, out, 10)
	out, err = finishFrame([]byte("a"), make([]byte, 10), 0, math.MaxInt32-5)
	require.ErrorIs(t, err, ErrTooLarge)
	require.Equal(t, []byte("a"), out)
}
