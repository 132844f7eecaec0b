// UpdateMetadata is sent by the controller: it keeps the broker's picture of the cluster up to date.
//
// Versions: v1 has several endpoints per broker; v2 racks; v3 listener names; v4 offline replicas; v5 groups
// partitions by topic and adds the broker epoch; v6 is flexible; v7 topic ids; v8 says whether a KRaft controller
// sends it, and the type of the request.

package wire

// UpdateMetadataRequest has all live brokers, and the partitions that changed.
type UpdateMetadataRequest struct {
	ControllerID int32 `wire:"0+"`
	// IsKRaftController is true during a migration only.
	IsKRaftController bool `wire:"8+"`
	// Type is 0 from a ZooKeeper controller; 1 (incremental) and 2 (full) come from KRaft controllers.
	Type int8 `wire:"8+,tag=0"`
	// ControllerEpoch is the epoch of the sender, which fences old controllers.
	ControllerEpoch int32 `wire:"0+"`
	// BrokerEpoch is the receiver's registration as the controller knows it; -1 skips the check.
	BrokerEpoch int64 `wire:"5+,default=-1,ignorable"`
	// UngroupedPartitionStates has the partitions in versions 0 to 4.
	UngroupedPartitionStates []UpdateMetadataPartitionState `wire:"0-4"`
	// TopicStates has the partitions from version 5.
	TopicStates []UpdateMetadataTopicState `wire:"5+"`
	LiveBrokers []UpdateMetadataBroker     `wire:"0+"`
}

// APIKey returns UpdateMetadata.
func (*UpdateMetadataRequest) APIKey() APIKey { return UpdateMetadata }

func (*UpdateMetadataRequest) isRequest() {}

// UpdateMetadataPartitionState is the state of one partition.
type UpdateMetadataPartitionState struct {
	// TopicName is set in versions 0 to 4, where partitions are not grouped.
	TopicName      string `wire:"0-4,ignorable"`
	PartitionIndex int32  `wire:"0+"`
	// ControllerEpoch is the epoch of the controller that decided this state, not of the sender.
	ControllerEpoch int32 `wire:"0+"`
	// Leader is -1 when there is none, -2 when the partition is being deleted.
	Leader      int32 `wire:"0+"`
	LeaderEpoch int32 `wire:"0+"`
	// Isr are the replicas in sync.
	Isr []int32 `wire:"0+"`
	// ZkVersion is the version of the partition's state znode.
	ZkVersion int32 `wire:"0+"`
	// Replicas are all replicas, preferred leader first.
	Replicas []int32 `wire:"0+"`
	// OfflineReplicas are the replicas that are not online.
	OfflineReplicas []int32 `wire:"4+,ignorable"`
}

// UpdateMetadataTopicState has the partitions of one topic.
type UpdateMetadataTopicState struct {
	TopicName string `wire:"5+"`
	// TopicID is zero when it is not known or the version has names.
	TopicID         UUID                           `wire:"7+,ignorable"`
	PartitionStates []UpdateMetadataPartitionState `wire:"5+"`
}

// UpdateMetadataBroker is a live broker.
type UpdateMetadataBroker struct {
	ID int32 `wire:"0+"`
	// V0Host is the address of the plaintext listener, in version 0.
	V0Host string `wire:"0,ignorable"`
	// V0Port is the port of the plaintext listener, in version 0.
	V0Port    int32                    `wire:"0,ignorable"`
	Endpoints []UpdateMetadataEndpoint `wire:"1+,ignorable"`
	Rack      *string                  `wire:"2+,nullable=2+,ignorable"`
}

// UpdateMetadataEndpoint is one listener of a broker.
type UpdateMetadataEndpoint struct {
	Port int32  `wire:"1+"`
	Host string `wire:"1+"`
	// Listener is the name of the listener.
	Listener string `wire:"3+,ignorable"`
	// SecurityProtocol is 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
	SecurityProtocol int16 `wire:"1+"`
}

// UpdateMetadataResponse says whether the update was taken.
type UpdateMetadataResponse struct {
	ErrorCode Error `wire:"0+"`
}

// APIKey returns UpdateMetadata.
func (*UpdateMetadataResponse) APIKey() APIKey { return UpdateMetadata }

func (*UpdateMetadataResponse) isResponse() {}
