// StopReplica is sent by the controller: the broker stops replicas and deletes them if told so.
//
// Versions: v0 has a flat list of partitions, v1 groups them by topic and adds the broker epoch; v2 is flexible;
// v3 decides per partition whether to delete, and carries leader epochs; v4 says whether a KRaft controller sends
// it.

package wire

// StopReplicaRequest names the replicas to stop.
type StopReplicaRequest struct {
	ControllerID int32 `wire:"0+"`
	// IsKRaftController is true during a migration only.
	IsKRaftController bool `wire:"4+"`
	// ControllerEpoch is the epoch of the sender, which fences old controllers.
	ControllerEpoch int32 `wire:"0+"`
	// BrokerEpoch is the receiver's registration as the controller knows it; -1 skips the check.
	BrokerEpoch int64 `wire:"1+,default=-1,ignorable"`
	// DeletePartitions holds for all partitions in versions 0 to 2.
	DeletePartitions bool `wire:"0-2"`
	// UngroupedPartitions has the partitions in version 0.
	UngroupedPartitions []StopReplicaPartitionV0 `wire:"0"`
	// Topics has the partitions in versions 1 and 2.
	Topics []StopReplicaTopicV1 `wire:"1-2"`
	// TopicStates has the partitions from version 3.
	TopicStates []StopReplicaTopicState `wire:"3+"`
}

// APIKey returns StopReplica.
func (*StopReplicaRequest) APIKey() APIKey { return StopReplica }

func (*StopReplicaRequest) isRequest() {}

// StopReplicaPartitionV0 is a partition in version 0.
type StopReplicaPartitionV0 struct {
	TopicName      string `wire:"0"`
	PartitionIndex int32  `wire:"0"`
}

// StopReplicaTopicV1 has the partitions of one topic in versions 1 and 2.
type StopReplicaTopicV1 struct {
	Name             string  `wire:"1-2"`
	PartitionIndexes []int32 `wire:"1-2"`
}

// StopReplicaTopicState has the partitions of one topic from version 3.
type StopReplicaTopicState struct {
	TopicName       string                      `wire:"3+"`
	PartitionStates []StopReplicaPartitionState `wire:"3+"`
}

// StopReplicaPartitionState is a partition from version 3.
type StopReplicaPartitionState struct {
	PartitionIndex int32 `wire:"3+"`
	// LeaderEpoch fences old requests; -1 skips the check, -2 says that the topic is being deleted.
	LeaderEpoch int32 `wire:"3+,default=-1"`
	// DeletePartition says that the log is to be deleted too.
	DeletePartition bool `wire:"3+"`
}

// StopReplicaResponse reports the result of each partition.
type StopReplicaResponse struct {
	ErrorCode       Error                       `wire:"0+"`
	PartitionErrors []StopReplicaPartitionError `wire:"0+"`
}

// APIKey returns StopReplica.
func (*StopReplicaResponse) APIKey() APIKey { return StopReplica }

func (*StopReplicaResponse) isResponse() {}

// StopReplicaPartitionError is the result for one partition.
type StopReplicaPartitionError struct {
	TopicName      string `wire:"0+"`
	PartitionIndex int32  `wire:"0+"`
	ErrorCode      Error  `wire:"0+"`
}
