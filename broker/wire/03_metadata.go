// Metadata tells which brokers there are, which topics, and who leads each partition. Every client begins with it.
//
// Versions: v0 asks for all topics by an empty list, v1 by null; v1 adds racks, the controller and internal
// topics; v2 the cluster id; v3 the throttle time; v4 the choice not to create topics; v5 offline replicas; v7
// leader epochs; v8 authorized operations; v9 is flexible; v10 has topic ids in the response, v12 in requests; v11
// drops the cluster's authorized operations.

package wire

// MetadataRequest names topics by name or id.
type MetadataRequest struct {
	// Topics is null for all topics from version 1. In version 0 an empty list asks for all.
	Topics []MetadataRequestTopic `wire:"0+,nullable=1+"`
	// AllowAutoTopicCreation lets the broker create topics that do not exist, if it is configured so.
	AllowAutoTopicCreation bool `wire:"4+,default=true"`
	// IncludeClusterAuthorizedOperations asks for ClusterAuthorizedOperations.
	IncludeClusterAuthorizedOperations bool `wire:"8-10"`
	// IncludeTopicAuthorizedOperations asks for TopicAuthorizedOperations.
	IncludeTopicAuthorizedOperations bool `wire:"8+"`
}

// APIKey returns Metadata.
func (*MetadataRequest) APIKey() APIKey { return Metadata }

func (*MetadataRequest) isRequest() {}

// MetadataRequestTopic is one topic, by name or by id.
type MetadataRequestTopic struct {
	// TopicID is zero when it is not known or the version has names.
	TopicID UUID `wire:"10+,ignorable"`
	// Name is null when the topic is asked by id.
	Name *string `wire:"0+,nullable=10+"`
}

// MetadataResponse is the cluster as the answering broker knows it.
type MetadataResponse struct {
	ThrottleTimeMs int32                    `wire:"3+,ignorable"`
	Brokers        []MetadataResponseBroker `wire:"0+"`
	ClusterID      *string                  `wire:"2+,nullable=2+,ignorable"`
	// ControllerID is the active controller, -1 if there is none or it is not alive.
	ControllerID int32                   `wire:"1+,default=-1,ignorable"`
	Topics       []MetadataResponseTopic `wire:"0+"`
	// ClusterAuthorizedOperations is a bit set by ACL operation code; the least int32 when not asked.
	ClusterAuthorizedOperations int32 `wire:"8-10,default=-2147483648"`
}

// APIKey returns Metadata.
func (*MetadataResponse) APIKey() APIKey { return Metadata }

func (*MetadataResponse) isResponse() {}

// MetadataResponseBroker is a live broker on the listener that was asked.
type MetadataResponseBroker struct {
	NodeID int32   `wire:"0+"`
	Host   string  `wire:"0+"`
	Port   int32   `wire:"0+"`
	Rack   *string `wire:"1+,nullable=1+,ignorable"`
}

// MetadataResponseTopic is one topic.
type MetadataResponseTopic struct {
	ErrorCode Error `wire:"0+"`
	// Name is null when an unknown topic was asked by id.
	Name *string `wire:"0+,nullable=12+"`
	// TopicID is zero when it is not known or the version has names.
	TopicID UUID `wire:"10+,ignorable"`
	// IsInternal is true for __consumer_offsets and __transaction_state.
	IsInternal bool                        `wire:"1+,ignorable"`
	Partitions []MetadataResponsePartition `wire:"0+"`
	// TopicAuthorizedOperations is a bit set by ACL operation code; the least int32 when not asked.
	TopicAuthorizedOperations int32 `wire:"8+,default=-2147483648"`
}

// MetadataResponsePartition is one partition.
type MetadataResponsePartition struct {
	// ErrorCode is LEADER_NOT_AVAILABLE when there is no leader, LISTENER_NOT_FOUND when it lacks this listener.
	ErrorCode      Error `wire:"0+"`
	PartitionIndex int32 `wire:"0+"`
	// LeaderID is -1 when there is no leader.
	LeaderID    int32 `wire:"0+"`
	LeaderEpoch int32 `wire:"7+,default=-1,ignorable"`
	// ReplicaNodes are all replicas; the first is the preferred leader.
	ReplicaNodes []int32 `wire:"0+"`
	// IsrNodes are the replicas in sync.
	IsrNodes []int32 `wire:"0+"`
	// OfflineReplicas are the replicas on dead brokers or failed directories.
	OfflineReplicas []int32 `wire:"5+,ignorable"`
}
