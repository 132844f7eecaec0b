package wire

import (
	"reflect"
	"strconv"
	"strings"
)

// APIKey says which API a request belongs to.
type APIKey int16

// The APIs that a Kafka 3.9 broker in ZooKeeper mode knows, by Kafka's names.
const (
	Produce                      APIKey = 0
	Fetch                        APIKey = 1
	ListOffsets                  APIKey = 2
	Metadata                     APIKey = 3
	LeaderAndIsr                 APIKey = 4
	StopReplica                  APIKey = 5
	UpdateMetadata               APIKey = 6
	ControlledShutdown           APIKey = 7
	OffsetCommit                 APIKey = 8
	OffsetFetch                  APIKey = 9
	FindCoordinator              APIKey = 10
	JoinGroup                    APIKey = 11
	Heartbeat                    APIKey = 12
	LeaveGroup                   APIKey = 13
	SyncGroup                    APIKey = 14
	DescribeGroups               APIKey = 15
	ListGroups                   APIKey = 16
	SaslHandshake                APIKey = 17
	ApiVersions                  APIKey = 18
	CreateTopics                 APIKey = 19
	DeleteTopics                 APIKey = 20
	DeleteRecords                APIKey = 21
	InitProducerId               APIKey = 22
	OffsetForLeaderEpoch         APIKey = 23
	AddPartitionsToTxn           APIKey = 24
	AddOffsetsToTxn              APIKey = 25
	EndTxn                       APIKey = 26
	WriteTxnMarkers              APIKey = 27
	TxnOffsetCommit              APIKey = 28
	DescribeAcls                 APIKey = 29
	CreateAcls                   APIKey = 30
	DeleteAcls                   APIKey = 31
	DescribeConfigs              APIKey = 32
	AlterConfigs                 APIKey = 33
	AlterReplicaLogDirs          APIKey = 34
	DescribeLogDirs              APIKey = 35
	SaslAuthenticate             APIKey = 36
	CreatePartitions             APIKey = 37
	CreateDelegationToken        APIKey = 38
	RenewDelegationToken         APIKey = 39
	ExpireDelegationToken        APIKey = 40
	DescribeDelegationToken      APIKey = 41
	DeleteGroups                 APIKey = 42
	ElectLeaders                 APIKey = 43
	IncrementalAlterConfigs      APIKey = 44
	AlterPartitionReassignments  APIKey = 45
	ListPartitionReassignments   APIKey = 46
	OffsetDelete                 APIKey = 47
	DescribeClientQuotas         APIKey = 48
	AlterClientQuotas            APIKey = 49
	DescribeUserScramCredentials APIKey = 50
	AlterUserScramCredentials    APIKey = 51
	AlterPartition               APIKey = 56
	UpdateFeatures               APIKey = 57
	Envelope                     APIKey = 58
	DescribeCluster              APIKey = 60
	DescribeProducers            APIKey = 61
	DescribeTransactions         APIKey = 65
	ListTransactions             APIKey = 66
	AllocateProducerIds          APIKey = 67
	ConsumerGroupHeartbeat       APIKey = 68
	ConsumerGroupDescribe        APIKey = 69
)

// maxKey is the largest key of the table.
const maxKey = ConsumerGroupDescribe

// String returns Kafka's name of the API, or its number when it is not in the table.
func (k APIKey) String() string {
	if r := row(k); r != nil {
		return r.info.Name
	}
	return "APIKey(" + strconv.Itoa(int(k)) + ")"
}

// APIInfo is one row of the table of APIs. Which of them a broker advertises is not decided here.
type APIInfo struct {
	// Key is the key in request headers.
	Key APIKey
	// Name is Kafka's name without the suffix Request.
	Name string
	// MinVersion and MaxVersion are the first and last version that Kafka 3.9 speaks.
	MinVersion, MaxVersion int16
	// FirstFlexible is the first version with compact lengths and tag sections, -1 if there is none.
	FirstFlexible int16
	// ClusterAction is Kafka's mark of requests that brokers send each other. UpdateFeatures has it too, though
	// tools send it.
	ClusterAction bool
}

// Supports says whether version is in the table.
func (i APIInfo) Supports(version int16) bool {
	return i.MinVersion <= version && version <= i.MaxVersion
}

// IsFlexible says whether a version has compact lengths and tag sections.
func (i APIInfo) IsFlexible(version int16) bool {
	return i.FirstFlexible >= 0 && version >= i.FirstFlexible
}

// RequestHeaderVersion returns the version (0, 1 or 2) of the header before a request of the given version.
func (i APIInfo) RequestHeaderVersion(version int16) int16 {
	switch {
	case i.IsFlexible(version):
		return 2
	case i.Key == ControlledShutdown && version == 0:
		return 0
	}
	return 1
}

// ResponseHeaderVersion returns the version (0 or 1) of the header before a response of the given version. That of
// ApiVersions is always 0, because its reader may not know yet which version it gets.
func (i APIInfo) ResponseHeaderVersion(version int16) int16 {
	if i.IsFlexible(version) && i.Key != ApiVersions {
		return 1
	}
	return 0
}

// APIs returns the whole table in the order of keys. The slice is the caller's.
func APIs() []APIInfo {
	all := make([]APIInfo, 0, len(table))
	for key := range table {
		if table[key].request != nil {
			all = append(all, table[key].info)
		}
	}
	return all
}

// Info returns the row of an API, false when the key is not in the table.
func Info(key APIKey) (APIInfo, bool) {
	if r := row(key); r != nil {
		return r.info, true
	}
	return APIInfo{}, false
}

// apiRow is a row of the table with the constructors of its messages.
type apiRow struct {
	info     APIInfo
	request  func() Request
	response func() Response
}

// row returns the row of a key, or nil.
func row(key APIKey) *apiRow {
	if key < 0 || key > maxKey || table[key].request == nil {
		return nil
	}
	return &table[key]
}

// api makes a row from the request and response structs. The type parameters Q and P, which are inferred, say that a
// pointer to the struct is a request or a response.
func api[Req, Resp any, Q interface {
	*Req
	Request
}, P interface {
	*Resp
	Response
}](minVersion, maxVersion, firstFlexible int16) apiRow {
	key := Q(nil).APIKey()
	return apiRow{
		info: APIInfo{
			Key: key, Name: strings.TrimSuffix(reflect.TypeFor[Req]().Name(), "Request"),
			MinVersion: minVersion, MaxVersion: maxVersion, FirstFlexible: firstFlexible,
		},
		request:  func() Request { return Q(new(Req)) },
		response: func() Response { return P(new(Resp)) },
	}
}

// clusterAction sets the mark in a row.
func (r apiRow) clusterAction() apiRow {
	r.info.ClusterAction = true
	return r
}

// table is indexed by key; the keys of KRaft and share groups are left empty. The numbers are the first and last version
// and the first flexible one.
var table = [maxKey + 1]apiRow{ // constant
	Produce:                      api[ProduceRequest, ProduceResponse](0, 11, 9),
	Fetch:                        api[FetchRequest, FetchResponse](0, 17, 12),
	ListOffsets:                  api[ListOffsetsRequest, ListOffsetsResponse](0, 9, 6),
	Metadata:                     api[MetadataRequest, MetadataResponse](0, 12, 9),
	LeaderAndIsr:                 api[LeaderAndIsrRequest, LeaderAndIsrResponse](0, 7, 4).clusterAction(),
	StopReplica:                  api[StopReplicaRequest, StopReplicaResponse](0, 4, 2).clusterAction(),
	UpdateMetadata:               api[UpdateMetadataRequest, UpdateMetadataResponse](0, 8, 6).clusterAction(),
	ControlledShutdown:           api[ControlledShutdownRequest, ControlledShutdownResponse](0, 3, 3).clusterAction(),
	OffsetCommit:                 api[OffsetCommitRequest, OffsetCommitResponse](0, 9, 8),
	OffsetFetch:                  api[OffsetFetchRequest, OffsetFetchResponse](0, 9, 6),
	FindCoordinator:              api[FindCoordinatorRequest, FindCoordinatorResponse](0, 6, 3),
	JoinGroup:                    api[JoinGroupRequest, JoinGroupResponse](0, 9, 6),
	Heartbeat:                    api[HeartbeatRequest, HeartbeatResponse](0, 4, 4),
	LeaveGroup:                   api[LeaveGroupRequest, LeaveGroupResponse](0, 5, 4),
	SyncGroup:                    api[SyncGroupRequest, SyncGroupResponse](0, 5, 4),
	DescribeGroups:               api[DescribeGroupsRequest, DescribeGroupsResponse](0, 5, 5),
	ListGroups:                   api[ListGroupsRequest, ListGroupsResponse](0, 5, 3),
	SaslHandshake:                api[SaslHandshakeRequest, SaslHandshakeResponse](0, 1, -1),
	ApiVersions:                  api[ApiVersionsRequest, ApiVersionsResponse](0, 4, 3),
	CreateTopics:                 api[CreateTopicsRequest, CreateTopicsResponse](0, 7, 5),
	DeleteTopics:                 api[DeleteTopicsRequest, DeleteTopicsResponse](0, 6, 4),
	DeleteRecords:                api[DeleteRecordsRequest, DeleteRecordsResponse](0, 2, 2),
	InitProducerId:               api[InitProducerIdRequest, InitProducerIdResponse](0, 5, 2),
	OffsetForLeaderEpoch:         api[OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse](0, 4, 4),
	AddPartitionsToTxn:           api[AddPartitionsToTxnRequest, AddPartitionsToTxnResponse](0, 5, 3),
	AddOffsetsToTxn:              api[AddOffsetsToTxnRequest, AddOffsetsToTxnResponse](0, 4, 3),
	EndTxn:                       api[EndTxnRequest, EndTxnResponse](0, 4, 3),
	WriteTxnMarkers:              api[WriteTxnMarkersRequest, WriteTxnMarkersResponse](0, 1, 1).clusterAction(),
	TxnOffsetCommit:              api[TxnOffsetCommitRequest, TxnOffsetCommitResponse](0, 4, 3),
	DescribeAcls:                 api[DescribeAclsRequest, DescribeAclsResponse](0, 3, 2),
	CreateAcls:                   api[CreateAclsRequest, CreateAclsResponse](0, 3, 2),
	DeleteAcls:                   api[DeleteAclsRequest, DeleteAclsResponse](0, 3, 2),
	DescribeConfigs:              api[DescribeConfigsRequest, DescribeConfigsResponse](0, 4, 4),
	AlterConfigs:                 api[AlterConfigsRequest, AlterConfigsResponse](0, 2, 2),
	AlterReplicaLogDirs:          api[AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse](0, 2, 2),
	DescribeLogDirs:              api[DescribeLogDirsRequest, DescribeLogDirsResponse](0, 4, 2),
	SaslAuthenticate:             api[SaslAuthenticateRequest, SaslAuthenticateResponse](0, 2, 2),
	CreatePartitions:             api[CreatePartitionsRequest, CreatePartitionsResponse](0, 3, 2),
	CreateDelegationToken:        api[CreateDelegationTokenRequest, CreateDelegationTokenResponse](0, 3, 2),
	RenewDelegationToken:         api[RenewDelegationTokenRequest, RenewDelegationTokenResponse](0, 2, 2),
	ExpireDelegationToken:        api[ExpireDelegationTokenRequest, ExpireDelegationTokenResponse](0, 2, 2),
	DescribeDelegationToken:      api[DescribeDelegationTokenRequest, DescribeDelegationTokenResponse](0, 3, 2),
	DeleteGroups:                 api[DeleteGroupsRequest, DeleteGroupsResponse](0, 2, 2),
	ElectLeaders:                 api[ElectLeadersRequest, ElectLeadersResponse](0, 2, 2),
	IncrementalAlterConfigs:      api[IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse](0, 1, 1),
	AlterPartitionReassignments:  api[AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse](0, 0, 0),
	ListPartitionReassignments:   api[ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse](0, 0, 0),
	OffsetDelete:                 api[OffsetDeleteRequest, OffsetDeleteResponse](0, 0, -1),
	DescribeClientQuotas:         api[DescribeClientQuotasRequest, DescribeClientQuotasResponse](0, 1, 1),
	AlterClientQuotas:            api[AlterClientQuotasRequest, AlterClientQuotasResponse](0, 1, 1),
	DescribeUserScramCredentials: api[DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse](0, 0, 0),
	AlterUserScramCredentials:    api[AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse](0, 0, 0),
	AlterPartition:               api[AlterPartitionRequest, AlterPartitionResponse](0, 3, 0).clusterAction(),
	UpdateFeatures:               api[UpdateFeaturesRequest, UpdateFeaturesResponse](0, 1, 0).clusterAction(),
	Envelope:                     api[EnvelopeRequest, EnvelopeResponse](0, 0, 0).clusterAction(),
	DescribeCluster:              api[DescribeClusterRequest, DescribeClusterResponse](0, 1, 0),
	DescribeProducers:            api[DescribeProducersRequest, DescribeProducersResponse](0, 0, 0),
	DescribeTransactions:         api[DescribeTransactionsRequest, DescribeTransactionsResponse](0, 0, 0),
	ListTransactions:             api[ListTransactionsRequest, ListTransactionsResponse](0, 1, 0),
	AllocateProducerIds:          api[AllocateProducerIdsRequest, AllocateProducerIdsResponse](0, 0, 0).clusterAction(),
	ConsumerGroupHeartbeat:       api[ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse](0, 0, 0),
	ConsumerGroupDescribe:        api[ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse](0, 0, 0),
}
