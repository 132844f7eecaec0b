package wire

import "strconv"

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
	// ClusterAction is true for requests that brokers send each other and clients do not.
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

// table is indexed by key; the keys of KRaft and share groups are left empty.
var table = [maxKey + 1]apiRow{ //nolint:gochecknoglobals // constant
	Produce: {
		info:    APIInfo{Key: Produce, Name: "Produce", MinVersion: 0, MaxVersion: 11, FirstFlexible: 9},
		request: func() Request { return new(ProduceRequest) }, response: func() Response { return new(ProduceResponse) },
	},
	Fetch: {
		info:    APIInfo{Key: Fetch, Name: "Fetch", MinVersion: 0, MaxVersion: 17, FirstFlexible: 12},
		request: func() Request { return new(FetchRequest) }, response: func() Response { return new(FetchResponse) },
	},
	ListOffsets: {
		info:    APIInfo{Key: ListOffsets, Name: "ListOffsets", MinVersion: 0, MaxVersion: 9, FirstFlexible: 6},
		request: func() Request { return new(ListOffsetsRequest) }, response: func() Response { return new(ListOffsetsResponse) },
	},
	Metadata: {
		info:    APIInfo{Key: Metadata, Name: "Metadata", MinVersion: 0, MaxVersion: 12, FirstFlexible: 9},
		request: func() Request { return new(MetadataRequest) }, response: func() Response { return new(MetadataResponse) },
	},
	LeaderAndIsr: {
		info:    APIInfo{Key: LeaderAndIsr, Name: "LeaderAndIsr", MinVersion: 0, MaxVersion: 7, FirstFlexible: 4, ClusterAction: true},
		request: func() Request { return new(LeaderAndIsrRequest) }, response: func() Response { return new(LeaderAndIsrResponse) },
	},
	StopReplica: {
		info:    APIInfo{Key: StopReplica, Name: "StopReplica", MinVersion: 0, MaxVersion: 4, FirstFlexible: 2, ClusterAction: true},
		request: func() Request { return new(StopReplicaRequest) }, response: func() Response { return new(StopReplicaResponse) },
	},
	UpdateMetadata: {
		info:    APIInfo{Key: UpdateMetadata, Name: "UpdateMetadata", MinVersion: 0, MaxVersion: 8, FirstFlexible: 6, ClusterAction: true},
		request: func() Request { return new(UpdateMetadataRequest) }, response: func() Response { return new(UpdateMetadataResponse) },
	},
	ControlledShutdown: {
		info:    APIInfo{Key: ControlledShutdown, Name: "ControlledShutdown", MinVersion: 0, MaxVersion: 3, FirstFlexible: 3, ClusterAction: true},
		request: func() Request { return new(ControlledShutdownRequest) }, response: func() Response { return new(ControlledShutdownResponse) },
	},
	OffsetCommit: {
		info:    APIInfo{Key: OffsetCommit, Name: "OffsetCommit", MinVersion: 0, MaxVersion: 9, FirstFlexible: 8},
		request: func() Request { return new(OffsetCommitRequest) }, response: func() Response { return new(OffsetCommitResponse) },
	},
	OffsetFetch: {
		info:    APIInfo{Key: OffsetFetch, Name: "OffsetFetch", MinVersion: 0, MaxVersion: 9, FirstFlexible: 6},
		request: func() Request { return new(OffsetFetchRequest) }, response: func() Response { return new(OffsetFetchResponse) },
	},
	FindCoordinator: {
		info:    APIInfo{Key: FindCoordinator, Name: "FindCoordinator", MinVersion: 0, MaxVersion: 6, FirstFlexible: 3},
		request: func() Request { return new(FindCoordinatorRequest) }, response: func() Response { return new(FindCoordinatorResponse) },
	},
	JoinGroup: {
		info:    APIInfo{Key: JoinGroup, Name: "JoinGroup", MinVersion: 0, MaxVersion: 9, FirstFlexible: 6},
		request: func() Request { return new(JoinGroupRequest) }, response: func() Response { return new(JoinGroupResponse) },
	},
	Heartbeat: {
		info:    APIInfo{Key: Heartbeat, Name: "Heartbeat", MinVersion: 0, MaxVersion: 4, FirstFlexible: 4},
		request: func() Request { return new(HeartbeatRequest) }, response: func() Response { return new(HeartbeatResponse) },
	},
	LeaveGroup: {
		info:    APIInfo{Key: LeaveGroup, Name: "LeaveGroup", MinVersion: 0, MaxVersion: 5, FirstFlexible: 4},
		request: func() Request { return new(LeaveGroupRequest) }, response: func() Response { return new(LeaveGroupResponse) },
	},
	SyncGroup: {
		info:    APIInfo{Key: SyncGroup, Name: "SyncGroup", MinVersion: 0, MaxVersion: 5, FirstFlexible: 4},
		request: func() Request { return new(SyncGroupRequest) }, response: func() Response { return new(SyncGroupResponse) },
	},
	DescribeGroups: {
		info:    APIInfo{Key: DescribeGroups, Name: "DescribeGroups", MinVersion: 0, MaxVersion: 5, FirstFlexible: 5},
		request: func() Request { return new(DescribeGroupsRequest) }, response: func() Response { return new(DescribeGroupsResponse) },
	},
	ListGroups: {
		info:    APIInfo{Key: ListGroups, Name: "ListGroups", MinVersion: 0, MaxVersion: 5, FirstFlexible: 3},
		request: func() Request { return new(ListGroupsRequest) }, response: func() Response { return new(ListGroupsResponse) },
	},
	SaslHandshake: {
		info:    APIInfo{Key: SaslHandshake, Name: "SaslHandshake", MinVersion: 0, MaxVersion: 1, FirstFlexible: -1},
		request: func() Request { return new(SaslHandshakeRequest) }, response: func() Response { return new(SaslHandshakeResponse) },
	},
	ApiVersions: {
		info:    APIInfo{Key: ApiVersions, Name: "ApiVersions", MinVersion: 0, MaxVersion: 4, FirstFlexible: 3},
		request: func() Request { return new(ApiVersionsRequest) }, response: func() Response { return new(ApiVersionsResponse) },
	},
	CreateTopics: {
		info:    APIInfo{Key: CreateTopics, Name: "CreateTopics", MinVersion: 0, MaxVersion: 7, FirstFlexible: 5},
		request: func() Request { return new(CreateTopicsRequest) }, response: func() Response { return new(CreateTopicsResponse) },
	},
	DeleteTopics: {
		info:    APIInfo{Key: DeleteTopics, Name: "DeleteTopics", MinVersion: 0, MaxVersion: 6, FirstFlexible: 4},
		request: func() Request { return new(DeleteTopicsRequest) }, response: func() Response { return new(DeleteTopicsResponse) },
	},
	DeleteRecords: {
		info:    APIInfo{Key: DeleteRecords, Name: "DeleteRecords", MinVersion: 0, MaxVersion: 2, FirstFlexible: 2},
		request: func() Request { return new(DeleteRecordsRequest) }, response: func() Response { return new(DeleteRecordsResponse) },
	},
	InitProducerId: {
		info:    APIInfo{Key: InitProducerId, Name: "InitProducerId", MinVersion: 0, MaxVersion: 5, FirstFlexible: 2},
		request: func() Request { return new(InitProducerIdRequest) }, response: func() Response { return new(InitProducerIdResponse) },
	},
	OffsetForLeaderEpoch: {
		info:    APIInfo{Key: OffsetForLeaderEpoch, Name: "OffsetForLeaderEpoch", MinVersion: 0, MaxVersion: 4, FirstFlexible: 4},
		request: func() Request { return new(OffsetForLeaderEpochRequest) }, response: func() Response { return new(OffsetForLeaderEpochResponse) },
	},
	AddPartitionsToTxn: {
		info:    APIInfo{Key: AddPartitionsToTxn, Name: "AddPartitionsToTxn", MinVersion: 0, MaxVersion: 5, FirstFlexible: 3},
		request: func() Request { return new(AddPartitionsToTxnRequest) }, response: func() Response { return new(AddPartitionsToTxnResponse) },
	},
	AddOffsetsToTxn: {
		info:    APIInfo{Key: AddOffsetsToTxn, Name: "AddOffsetsToTxn", MinVersion: 0, MaxVersion: 4, FirstFlexible: 3},
		request: func() Request { return new(AddOffsetsToTxnRequest) }, response: func() Response { return new(AddOffsetsToTxnResponse) },
	},
	EndTxn: {
		info:    APIInfo{Key: EndTxn, Name: "EndTxn", MinVersion: 0, MaxVersion: 4, FirstFlexible: 3},
		request: func() Request { return new(EndTxnRequest) }, response: func() Response { return new(EndTxnResponse) },
	},
	WriteTxnMarkers: {
		info:    APIInfo{Key: WriteTxnMarkers, Name: "WriteTxnMarkers", MinVersion: 0, MaxVersion: 1, FirstFlexible: 1, ClusterAction: true},
		request: func() Request { return new(WriteTxnMarkersRequest) }, response: func() Response { return new(WriteTxnMarkersResponse) },
	},
	TxnOffsetCommit: {
		info:    APIInfo{Key: TxnOffsetCommit, Name: "TxnOffsetCommit", MinVersion: 0, MaxVersion: 4, FirstFlexible: 3},
		request: func() Request { return new(TxnOffsetCommitRequest) }, response: func() Response { return new(TxnOffsetCommitResponse) },
	},
	DescribeAcls: {
		info:    APIInfo{Key: DescribeAcls, Name: "DescribeAcls", MinVersion: 0, MaxVersion: 3, FirstFlexible: 2},
		request: func() Request { return new(DescribeAclsRequest) }, response: func() Response { return new(DescribeAclsResponse) },
	},
	CreateAcls: {
		info:    APIInfo{Key: CreateAcls, Name: "CreateAcls", MinVersion: 0, MaxVersion: 3, FirstFlexible: 2},
		request: func() Request { return new(CreateAclsRequest) }, response: func() Response { return new(CreateAclsResponse) },
	},
	DeleteAcls: {
		info:    APIInfo{Key: DeleteAcls, Name: "DeleteAcls", MinVersion: 0, MaxVersion: 3, FirstFlexible: 2},
		request: func() Request { return new(DeleteAclsRequest) }, response: func() Response { return new(DeleteAclsResponse) },
	},
	DescribeConfigs: {
		info:    APIInfo{Key: DescribeConfigs, Name: "DescribeConfigs", MinVersion: 0, MaxVersion: 4, FirstFlexible: 4},
		request: func() Request { return new(DescribeConfigsRequest) }, response: func() Response { return new(DescribeConfigsResponse) },
	},
	AlterConfigs: {
		info:    APIInfo{Key: AlterConfigs, Name: "AlterConfigs", MinVersion: 0, MaxVersion: 2, FirstFlexible: 2},
		request: func() Request { return new(AlterConfigsRequest) }, response: func() Response { return new(AlterConfigsResponse) },
	},
	AlterReplicaLogDirs: {
		info:    APIInfo{Key: AlterReplicaLogDirs, Name: "AlterReplicaLogDirs", MinVersion: 0, MaxVersion: 2, FirstFlexible: 2},
		request: func() Request { return new(AlterReplicaLogDirsRequest) }, response: func() Response { return new(AlterReplicaLogDirsResponse) },
	},
	DescribeLogDirs: {
		info:    APIInfo{Key: DescribeLogDirs, Name: "DescribeLogDirs", MinVersion: 0, MaxVersion: 4, FirstFlexible: 2},
		request: func() Request { return new(DescribeLogDirsRequest) }, response: func() Response { return new(DescribeLogDirsResponse) },
	},
	SaslAuthenticate: {
		info:    APIInfo{Key: SaslAuthenticate, Name: "SaslAuthenticate", MinVersion: 0, MaxVersion: 2, FirstFlexible: 2},
		request: func() Request { return new(SaslAuthenticateRequest) }, response: func() Response { return new(SaslAuthenticateResponse) },
	},
	CreatePartitions: {
		info:    APIInfo{Key: CreatePartitions, Name: "CreatePartitions", MinVersion: 0, MaxVersion: 3, FirstFlexible: 2},
		request: func() Request { return new(CreatePartitionsRequest) }, response: func() Response { return new(CreatePartitionsResponse) },
	},
	CreateDelegationToken: {
		info:    APIInfo{Key: CreateDelegationToken, Name: "CreateDelegationToken", MinVersion: 0, MaxVersion: 3, FirstFlexible: 2},
		request: func() Request { return new(CreateDelegationTokenRequest) }, response: func() Response { return new(CreateDelegationTokenResponse) },
	},
	RenewDelegationToken: {
		info:    APIInfo{Key: RenewDelegationToken, Name: "RenewDelegationToken", MinVersion: 0, MaxVersion: 2, FirstFlexible: 2},
		request: func() Request { return new(RenewDelegationTokenRequest) }, response: func() Response { return new(RenewDelegationTokenResponse) },
	},
	ExpireDelegationToken: {
		info:    APIInfo{Key: ExpireDelegationToken, Name: "ExpireDelegationToken", MinVersion: 0, MaxVersion: 2, FirstFlexible: 2},
		request: func() Request { return new(ExpireDelegationTokenRequest) }, response: func() Response { return new(ExpireDelegationTokenResponse) },
	},
	DescribeDelegationToken: {
		info:    APIInfo{Key: DescribeDelegationToken, Name: "DescribeDelegationToken", MinVersion: 0, MaxVersion: 3, FirstFlexible: 2},
		request: func() Request { return new(DescribeDelegationTokenRequest) }, response: func() Response { return new(DescribeDelegationTokenResponse) },
	},
	DeleteGroups: {
		info:    APIInfo{Key: DeleteGroups, Name: "DeleteGroups", MinVersion: 0, MaxVersion: 2, FirstFlexible: 2},
		request: func() Request { return new(DeleteGroupsRequest) }, response: func() Response { return new(DeleteGroupsResponse) },
	},
	ElectLeaders: {
		info:    APIInfo{Key: ElectLeaders, Name: "ElectLeaders", MinVersion: 0, MaxVersion: 2, FirstFlexible: 2},
		request: func() Request { return new(ElectLeadersRequest) }, response: func() Response { return new(ElectLeadersResponse) },
	},
	IncrementalAlterConfigs: {
		info:    APIInfo{Key: IncrementalAlterConfigs, Name: "IncrementalAlterConfigs", MinVersion: 0, MaxVersion: 1, FirstFlexible: 1},
		request: func() Request { return new(IncrementalAlterConfigsRequest) }, response: func() Response { return new(IncrementalAlterConfigsResponse) },
	},
	AlterPartitionReassignments: {
		info:    APIInfo{Key: AlterPartitionReassignments, Name: "AlterPartitionReassignments", MinVersion: 0, MaxVersion: 0, FirstFlexible: 0},
		request: func() Request { return new(AlterPartitionReassignmentsRequest) }, response: func() Response { return new(AlterPartitionReassignmentsResponse) },
	},
	ListPartitionReassignments: {
		info:    APIInfo{Key: ListPartitionReassignments, Name: "ListPartitionReassignments", MinVersion: 0, MaxVersion: 0, FirstFlexible: 0},
		request: func() Request { return new(ListPartitionReassignmentsRequest) }, response: func() Response { return new(ListPartitionReassignmentsResponse) },
	},
	OffsetDelete: {
		info:    APIInfo{Key: OffsetDelete, Name: "OffsetDelete", MinVersion: 0, MaxVersion: 0, FirstFlexible: -1},
		request: func() Request { return new(OffsetDeleteRequest) }, response: func() Response { return new(OffsetDeleteResponse) },
	},
	DescribeClientQuotas: {
		info:    APIInfo{Key: DescribeClientQuotas, Name: "DescribeClientQuotas", MinVersion: 0, MaxVersion: 1, FirstFlexible: 1},
		request: func() Request { return new(DescribeClientQuotasRequest) }, response: func() Response { return new(DescribeClientQuotasResponse) },
	},
	AlterClientQuotas: {
		info:    APIInfo{Key: AlterClientQuotas, Name: "AlterClientQuotas", MinVersion: 0, MaxVersion: 1, FirstFlexible: 1},
		request: func() Request { return new(AlterClientQuotasRequest) }, response: func() Response { return new(AlterClientQuotasResponse) },
	},
	DescribeUserScramCredentials: {
		info:    APIInfo{Key: DescribeUserScramCredentials, Name: "DescribeUserScramCredentials", MinVersion: 0, MaxVersion: 0, FirstFlexible: 0},
		request: func() Request { return new(DescribeUserScramCredentialsRequest) }, response: func() Response { return new(DescribeUserScramCredentialsResponse) },
	},
	AlterUserScramCredentials: {
		info:    APIInfo{Key: AlterUserScramCredentials, Name: "AlterUserScramCredentials", MinVersion: 0, MaxVersion: 0, FirstFlexible: 0},
		request: func() Request { return new(AlterUserScramCredentialsRequest) }, response: func() Response { return new(AlterUserScramCredentialsResponse) },
	},
	AlterPartition: {
		info:    APIInfo{Key: AlterPartition, Name: "AlterPartition", MinVersion: 0, MaxVersion: 3, FirstFlexible: 0, ClusterAction: true},
		request: func() Request { return new(AlterPartitionRequest) }, response: func() Response { return new(AlterPartitionResponse) },
	},
	UpdateFeatures: {
		info:    APIInfo{Key: UpdateFeatures, Name: "UpdateFeatures", MinVersion: 0, MaxVersion: 1, FirstFlexible: 0},
		request: func() Request { return new(UpdateFeaturesRequest) }, response: func() Response { return new(UpdateFeaturesResponse) },
	},
	Envelope: {
		info:    APIInfo{Key: Envelope, Name: "Envelope", MinVersion: 0, MaxVersion: 0, FirstFlexible: 0, ClusterAction: true},
		request: func() Request { return new(EnvelopeRequest) }, response: func() Response { return new(EnvelopeResponse) },
	},
	DescribeCluster: {
		info:    APIInfo{Key: DescribeCluster, Name: "DescribeCluster", MinVersion: 0, MaxVersion: 1, FirstFlexible: 0},
		request: func() Request { return new(DescribeClusterRequest) }, response: func() Response { return new(DescribeClusterResponse) },
	},
	DescribeProducers: {
		info:    APIInfo{Key: DescribeProducers, Name: "DescribeProducers", MinVersion: 0, MaxVersion: 0, FirstFlexible: 0},
		request: func() Request { return new(DescribeProducersRequest) }, response: func() Response { return new(DescribeProducersResponse) },
	},
	DescribeTransactions: {
		info:    APIInfo{Key: DescribeTransactions, Name: "DescribeTransactions", MinVersion: 0, MaxVersion: 0, FirstFlexible: 0},
		request: func() Request { return new(DescribeTransactionsRequest) }, response: func() Response { return new(DescribeTransactionsResponse) },
	},
	ListTransactions: {
		info:    APIInfo{Key: ListTransactions, Name: "ListTransactions", MinVersion: 0, MaxVersion: 1, FirstFlexible: 0},
		request: func() Request { return new(ListTransactionsRequest) }, response: func() Response { return new(ListTransactionsResponse) },
	},
	AllocateProducerIds: {
		info:    APIInfo{Key: AllocateProducerIds, Name: "AllocateProducerIds", MinVersion: 0, MaxVersion: 0, FirstFlexible: 0, ClusterAction: true},
		request: func() Request { return new(AllocateProducerIdsRequest) }, response: func() Response { return new(AllocateProducerIdsResponse) },
	},
	ConsumerGroupHeartbeat: {
		info:    APIInfo{Key: ConsumerGroupHeartbeat, Name: "ConsumerGroupHeartbeat", MinVersion: 0, MaxVersion: 0, FirstFlexible: 0},
		request: func() Request { return new(ConsumerGroupHeartbeatRequest) }, response: func() Response { return new(ConsumerGroupHeartbeatResponse) },
	},
	ConsumerGroupDescribe: {
		info:    APIInfo{Key: ConsumerGroupDescribe, Name: "ConsumerGroupDescribe", MinVersion: 0, MaxVersion: 0, FirstFlexible: 0},
		request: func() Request { return new(ConsumerGroupDescribeRequest) }, response: func() Response { return new(ConsumerGroupDescribeResponse) },
	},
}
