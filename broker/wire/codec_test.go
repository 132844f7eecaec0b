package wire

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNewHasKafkasDefaults(t *testing.T) {
	p := New[FetchResponsePartition]()
	require.Equal(t, int64(-1), p.LastStableOffset)
	require.Equal(t, int64(-1), p.LogStartOffset)
	require.Equal(t, int32(-1), p.PreferredReadReplica)
	require.Equal(t, LeaderIDAndEpoch{-1, -1}, p.CurrentLeader)
	require.Equal(t, FetchResponseEpochEndOffset{-1, -1}, p.DivergingEpoch)
	require.Equal(t, FetchResponseSnapshotID{-1, -1}, p.SnapshotID)
	require.NotNil(t, p.AbortedTransactions, "nullable with an empty default")
	require.Equal(t, int32(math.MaxInt32), New[FetchRequest]().MaxBytes)
	require.True(t, New[MetadataRequest]().AllowAutoTopicCreation)
	require.NotNil(t, New[MetadataRequest]().Topics)
	require.Nil(t, New[ListPartitionReassignmentsRequest]().Topics, "nullable with a null default")
	require.Equal(t, int32(math.MinInt32), New[MetadataResponseTopic]().TopicAuthorizedOperations)

	dirty := &FetchResponse{ThrottleTimeMs: 5, Responses: make([]FetchResponseTopic, 3)}
	SetDefaults(dirty)
	require.Equal(t, &FetchResponse{}, dirty)
	require.Equal(t, &FetchRequest{
		ReplicaID: -1, ReplicaState: FetchRequestReplicaState{-1, -1}, MaxBytes: math.MaxInt32, SessionEpoch: -1,
	}, NewRequest(Fetch))
	require.Nil(t, NewRequest(52))
	require.Nil(t, NewResponse(-1))
	require.Panics(t, func() { New[int]() })
	require.Panics(t, func() { New[struct{ A int32 }]() })
}

// Two values of New must not share memory that one of them could change.
func TestNewSharesNothing(t *testing.T) {
	a, b := New[MetadataRequest](), New[MetadataRequest]()
	a.Topics = append(a.Topics, MetadataRequestTopic{Name: String("t")})
	require.Empty(t, b.Topics)
	require.Empty(t, New[MetadataRequest]().Topics)
}

// What a version lacks is set to its default, whatever was in the message before.
func TestDecodeResets(t *testing.T) {
	old := &FetchResponse{
		ThrottleTimeMs: 9, SessionID: 8, Responses: []FetchResponseTopic{{Topic: "x", Partitions: []FetchResponsePartition{{}}}},
		NodeEndpoints: []NodeEndpoint{{}},
	}
	p := New[FetchResponsePartition]()
	p.PartitionIndex, p.HighWatermark, p.Records = 3, 4, []byte("r")
	body, err := Encode(nil, &FetchResponse{Responses: []FetchResponseTopic{{Topic: "t", Partitions: []FetchResponsePartition{p}}}}, 0)
	require.NoError(t, err)
	require.NoError(t, Decode(append(body, "trailing bytes"...), old, 0))
	require.Equal(t, &FetchResponse{Responses: []FetchResponseTopic{{Topic: "t", Partitions: []FetchResponsePartition{p}}}}, old)
	require.Equal(t, 1, cap(old.Responses[0].Partitions[0].Records), "records alias the frame with a clipped capacity")
	body[len(body)-1] = 'R'
	require.Equal(t, "r", string(p.Records))
}

func TestDecodeAliasesBytesAndCopiesStrings(t *testing.T) {
	body, err := Encode(nil, &SyncGroupRequest{GroupID: "group", Assignments: []SyncGroupRequestAssignment{{"m", []byte("plan")}}}, 3)
	require.NoError(t, err)
	var r SyncGroupRequest
	require.NoError(t, Decode(body, &r, 3))
	for i := range body {
		body[i] = 'X'
	}
	require.Equal(t, "group", r.GroupID)
	require.Equal(t, "XXXX", string(r.Assignments[0].Assignment))
}

func TestNullAndEmpty(t *testing.T) {
	for _, c := range []struct {
		what    string
		message Message
		version int16
		body    string
	}{
		{"null array", &DescribeConfigsRequest{Resources: []DescribeConfigsRequestResource{{ResourceType: 2, ResourceName: "t"}}}, 1,
			"00000001 02 0001 74 ffffffff 00"},
		{"empty array", &DescribeConfigsRequest{Resources: []DescribeConfigsRequestResource{{ResourceType: 2, ResourceName: "t", ConfigurationKeys: []string{}}}}, 1,
			"00000001 02 0001 74 00000000 00"},
		{"null bytes", &EnvelopeResponse{ErrorCode: NotController}, 0, "00 0029 00"},
		{"empty bytes", &EnvelopeResponse{ResponseData: []byte{}}, 0, "01 0000 00"},
		{"null string", &HeartbeatRequest{GroupInstanceID: nil}, 3, "0000 00000000 0000 ffff"},
		{"empty string", &HeartbeatRequest{GroupInstanceID: String("")}, 3, "0000 00000000 0000 0000"},
		{"null struct", &ConsumerGroupHeartbeatResponse{}, 0, "00000000 0000 00 00 00000000 00000000 ff 00"},
		{"struct", &ConsumerGroupHeartbeatResponse{Assignment: &ConsumerGroupHeartbeatResponseAssignment{
			TopicPartitions: []ConsumerGroupHeartbeatResponseTopicPartitions{},
		}}, 0, "00000000 0000 00 00 00000000 00000000 01 01 00 00"},
	} {
		body, err := Encode(nil, c.message, c.version)
		require.NoError(t, err, c.what)
		require.Equal(t, unhex(t, c.body), body, c.what)
		back := reflect.New(reflect.TypeOf(c.message).Elem()).Interface().(Message)
		require.NoError(t, Decode(body, back, c.version), c.what)
		require.Equal(t, c.message, back, c.what)
	}

	// Where null is not allowed, nil is written as empty and null is refused.
	for _, c := range []struct {
		message Message
		version int16
		empty   string
		null    string
	}{
		{&OffsetFetchRequest{GroupID: "g"}, 1, "0001 67 00000000", "0001 67 ffffffff"},
		{&DeleteGroupsRequest{}, 0, "00000000", "ffffffff"},
		{&DeleteGroupsRequest{}, 2, "01 00", "00 00"},
		{&SaslAuthenticateRequest{}, 0, "00000000", "ffffffff"},
		{&FindCoordinatorRequest{}, 0, "0000", "ffff"},
		{&MetadataRequest{Topics: []MetadataRequestTopic{{}}, AllowAutoTopicCreation: true}, 9, "02 01 00 01 00 00 00", "02 00 00 01 00 00 00"},
	} {
		body, err := Encode(nil, c.message, c.version)
		require.NoError(t, err, "%T", c.message)
		require.Equal(t, unhex(t, c.empty), body, "%T", c.message)
		require.NoError(t, Decode(body, NewRequest(c.message.APIKey()), c.version), "%T", c.message)
		require.ErrorIs(t, Decode(unhex(t, c.null), NewRequest(c.message.APIKey()), c.version), ErrNull, "%T", c.message)
	}
	require.ErrorIs(t, Decode(unhex(t, "00000001 ffff"), &DeleteGroupsRequest{}, 0), ErrNull, "null inside an array")
}

func TestDecodeMalformed(t *testing.T) {
	for name, c := range map[string]struct {
		message Message
		version int16
		body    string
		err     error
		where   string
	}{
		"nothing":               {&HeartbeatRequest{}, 0, "", ErrTruncated, "HeartbeatRequest.GroupID"},
		"string beyond the end": {&HeartbeatRequest{}, 0, "0005 61", ErrTruncated, "HeartbeatRequest.GroupID"},
		"string of -2":          {&HeartbeatRequest{}, 0, "fffe", ErrMalformed, "HeartbeatRequest.GroupID"},
		"long compact string":   {&HeartbeatRequest{}, 4, "818002", ErrMalformed, "HeartbeatRequest.GroupID"},
		"int cut":               {&HeartbeatRequest{}, 0, "0000 0000", ErrTruncated, "HeartbeatRequest.GenerationID"},
		"array of -2":           {&DeleteGroupsRequest{}, 0, "fffffffe", ErrMalformed, "DeleteGroupsRequest.GroupsNames"},
		"array beyond the end":  {&DeleteGroupsRequest{}, 0, "7fffffff 0000", ErrTruncated, "DeleteGroupsRequest.GroupsNames"},
		"huge compact array":    {&DeleteGroupsRequest{}, 2, "ffffffff0f 0000", ErrTruncated, "DeleteGroupsRequest.GroupsNames"},
		"varint without end":    {&DeleteGroupsRequest{}, 2, "8080808080 8080", ErrMalformed, "DeleteGroupsRequest.GroupsNames"},
		"varint above 32 bits":  {&DeleteGroupsRequest{}, 2, "ffffffff10 0000", ErrMalformed, "DeleteGroupsRequest.GroupsNames"},
		"varint cut":            {&DeleteGroupsRequest{}, 2, "80", ErrTruncated, "DeleteGroupsRequest.GroupsNames"},
		"ints beyond the end":   {&AddPartitionsToTxnRequest{}, 0, "0000 0000000000000000 0000 00000001 0000 00000002 00000000", ErrTruncated, "AddPartitionsToTxnRequestTopic.Partitions"},
		"longs beyond the end":  {&ListTransactionsRequest{}, 0, "01 03 0000000000000000", ErrTruncated, "ListTransactionsRequest.ProducerIDFilters"},
		"bytes of -2":           {&SaslAuthenticateRequest{}, 0, "fffffffe", ErrMalformed, "SaslAuthenticateRequest.AuthBytes"},
		"bytes beyond the end":  {&SaslAuthenticateRequest{}, 0, "00000002 01", ErrTruncated, "SaslAuthenticateRequest.AuthBytes"},
		"uuid cut":              {&MetadataRequest{}, 12, "02 0000000000000000", ErrTruncated, "MetadataRequest.Topics"},
		"no tag section":        {&HeartbeatResponse{}, 4, "00000000 0000", ErrTruncated, "HeartbeatResponse: tag section"},
		"more tags than bytes":  {&ApiVersionsRequest{}, 3, "01 01 ffffffff0f", ErrTruncated, "ApiVersionsRequest: tag section"},
		"tag beyond the end":    {&ApiVersionsRequest{}, 3, "01 01 01 09 02 00", ErrTruncated, "ApiVersionsRequest: tag section"},
		"tag of wrong size":     {&UpdateMetadataRequest{}, 8, "00000001 00 00000002 0000000000000003 01 01  01 00 02 02 03", ErrMalformed, "UpdateMetadataRequest.Type"},
		"tag too short":         {&ApiVersionsResponse{}, 3, "0000 01 00000000 01 01 04 00000000", ErrTruncated, "ApiVersionsResponse.FinalizedFeaturesEpoch"},
		"nullable struct cut":   {&ConsumerGroupHeartbeatResponse{}, 0, "00000000 0000 00 00 00000000 00000000", ErrTruncated, "ConsumerGroupHeartbeatResponse.Assignment"},
	} {
		err := Decode(unhex(t, c.body), c.message, c.version)
		require.ErrorIs(t, err, c.err, name)
		require.ErrorContains(t, err, c.where+": ", name)
	}
}

func TestTaggedFields(t *testing.T) {
	// Unknown tags are skipped; those of another version are unknown; the last of equal tags counts.
	var r FetchRequest
	body, err := Encode(nil, NewRequest(Fetch), 15)
	require.NoError(t, err)
	body = append(body[:len(body)-1], unhex(t, "04  01 0d 00000003 0000000000000004 00  01 0d 00000005 0000000000000006 00  00 02 02 61  07 01 ff")...)
	require.NoError(t, Decode(body, &r, 15))
	require.Equal(t, FetchRequestReplicaState{5, 6}, r.ReplicaState)
	require.Equal(t, "a", *r.ClusterID)

	// Decoded again from its own encoding without what was unknown.
	again, err := Encode(nil, &r, 15)
	require.NoError(t, err)
	var back FetchRequest
	require.NoError(t, Decode(again, &back, 15))
	require.Equal(t, r, back)

	// An empty string that is not null is not the default of a tagged field whose default is null.
	r.ClusterID = String("")
	again, err = Encode(nil, &r, 15)
	require.NoError(t, err)
	require.NoError(t, Decode(again, &back, 15))
	require.Empty(t, *back.ClusterID)

	// A tagged field longer than 127 bytes has a size of two bytes.
	p := &ProduceResponse{NodeEndpoints: []NodeEndpoint{{Host: strings.Repeat("h", 200)}, {Host: strings.Repeat("i", 20000)}}, Responses: []ProduceResponseTopic{}}
	body, err = Encode(nil, p, 10)
	require.NoError(t, err)
	var q ProduceResponse
	require.NoError(t, Decode(body, &q, 10))
	require.Equal(t, *p, q)
}

// A value in a field that the version lacks is an error, unless Kafka drops it silently.
func TestFieldsThatAVersionLacks(t *testing.T) {
	for _, c := range []struct {
		message Message
		version int16
		where   string
	}{
		{&HeartbeatRequest{GroupInstanceID: String("i")}, 2, "HeartbeatRequest.GroupInstanceID"},
		{&MetadataRequest{}, 3, "MetadataRequest.AllowAutoTopicCreation"},
		{&InitProducerIdRequest{ProducerID: 0, ProducerEpoch: -1}, 2, "InitProducerIdRequest.ProducerID"},
		{&FindCoordinatorRequest{CoordinatorKeys: []string{"a"}}, 3, "FindCoordinatorRequest.CoordinatorKeys"},
		{&ListOffsetsRequest{IsolationLevel: 1}, 1, "ListOffsetsRequest.IsolationLevel"},
		{&ProduceResponse{Responses: []ProduceResponseTopic{{PartitionResponses: []ProduceResponsePartition{{}}}}}, 9, "ProduceResponsePartition.CurrentLeader"},
		{&FetchRequest{ReplicaID: 1, ReplicaState: FetchRequestReplicaState{-1, -1}}, 15, "FetchRequest.ReplicaID"},
		{&FetchRequest{ReplicaID: -1, ReplicaState: FetchRequestReplicaState{1, -1}}, 14, "FetchRequest.ReplicaState"},
		{&LeaderAndIsrRequest{IsKRaftController: true}, 6, "LeaderAndIsrRequest.IsKRaftController"},
		{&StopReplicaRequest{TopicStates: []StopReplicaTopicState{{}}}, 2, "StopReplicaRequest.TopicStates"},
		{&ListTransactionsRequest{DurationFilter: 5}, 0, "ListTransactionsRequest.DurationFilter"},
	} {
		dst := []byte("kept")
		out, err := Encode(dst, c.message, c.version)
		require.ErrorIs(t, err, ErrUnsupportedVersion, c.where)
		require.ErrorContains(t, err, c.where+": ")
		require.Equal(t, dst, out)
	}
	for _, c := range []struct {
		message Message
		version int16
	}{
		{&HeartbeatRequest{GroupInstanceID: String("")}, 2},
		{&HeartbeatResponse{ThrottleTimeMs: 100}, 0},
		{&OffsetCommitRequest{GenerationIDOrMemberEpoch: 3, MemberID: "m", RetentionTimeMs: 9}, 0},
		{&JoinGroupRequest{RebalanceTimeoutMs: 4, Reason: String("because")}, 0},
		{&MetadataResponse{ClusterID: String("c"), ControllerID: 4, ClusterAuthorizedOperations: math.MinInt32}, 0},
	} {
		_, err := Encode(nil, c.message, c.version)
		require.NoError(t, err, "%T", c.message)
	}
}

func TestSetThrottle(t *testing.T) {
	without := 0
	for _, info := range APIs() {
		r := NewResponse(info.Key)
		if !SetThrottle(r, 123) {
			without++
			continue
		}
		require.Equal(t, int64(123), reflect.ValueOf(r).Elem().FieldByName("ThrottleTimeMs").Int())
	}
	require.Equal(t, 8, without, "4 to 7, 17, 27, 36 and 58")
}

func TestErrorValues(t *testing.T) {
	err := fmt.Errorf("append: %w", NotLeaderOrFollower)
	var code Error
	require.ErrorAs(t, err, &code)
	require.Equal(t, NotLeaderOrFollower, code)
	require.Equal(t, int16(6), code.Code())
	require.Equal(t, "NOT_LEADER_OR_FOLLOWER", code.Name())
	require.Equal(t, "NOT_LEADER_OR_FOLLOWER", code.String())
	require.True(t, code.Retriable())
	require.True(t, strings.HasPrefix(code.Error(), "NOT_LEADER_OR_FOLLOWER: For requests intended only for the leader"))
	require.NoError(t, None.Err())
	require.Equal(t, error(UnknownServerError), UnknownServerError.Err())
	require.Equal(t, "NONE", None.Error())
	for _, e := range []Error{-2, 128, math.MaxInt16, math.MinInt16} {
		require.Equal(t, fmt.Sprintf("UNKNOWN(%d)", int16(e)), e.Name())
		require.Empty(t, e.Message())
		require.False(t, e.Retriable())
	}
	require.Equal(t, "APIKey(52)", APIKey(52).String())
}

func TestUUID(t *testing.T) {
	seen := map[UUID]bool{}
	for range 1000 {
		u := NewUUID()
		require.False(t, seen[u])
		seen[u] = true
		require.NotEqual(t, byte('-'), u.String()[0])
		require.Len(t, u.String(), 22)
		require.Equal(t, byte(0x40), u[6]&0xf0)
		require.Equal(t, byte(0x80), u[8]&0xc0)
		back, err := ParseUUID(u.String())
		require.NoError(t, err)
		require.Equal(t, u, back)
	}
	require.True(t, UUID{}.IsZero())
	require.False(t, UUID{15: 1}.IsZero())
	require.Equal(t, "AAAAAAAAAAAAAAAAAAAAAA", UUID{}.String())
	for _, u := range []UUID{{}, {15: 1}, {0: 0xf8}} {
		require.False(t, u.usable(), u.String())
	}
	require.True(t, UUID{15: 2}.usable())
	padded, err := ParseUUID("AAAAAAAAAAAAAAAAAAAAAg==")
	require.NoError(t, err)
	require.Equal(t, UUID{15: 2}, padded)
	for _, bad := range []string{"", "AAAA", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA!", strings.Repeat("A", 25)} {
		_, err := ParseUUID(bad)
		require.Error(t, err, bad)
	}
}

// Many goroutines that need the same plans at once; run with -race.
func TestPlansAreSafeForConcurrentUse(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			eachMessage(func(_ APIInfo, m Message, version int16) {
				body, err := Encode(nil, m, version)
				if err == nil {
					err = Decode(body, m, version)
				}
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
	wg.Wait()
}
