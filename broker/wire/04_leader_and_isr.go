// LeaderAndIsr is sent by the controller: it makes a broker leader or follower of partitions.
//
// Versions: v1 marks new partitions; v2 groups partitions by topic and adds the broker epoch; v3 reassignments; v4
// is flexible; v5 topic ids and the type of the request; v6 the leader recovery state; v7 says whether a KRaft
// controller sends it.

package wire

// LeaderAndIsrRequest carries the state of partitions of which the receiver is a replica.
type LeaderAndIsrRequest struct {
	ControllerID int32 `wire:"0+"`
	// IsKRaftController is true during a migration only.
	IsKRaftController bool `wire:"7+"`
	// ControllerEpoch is the epoch of the sender, which fences old controllers.
	ControllerEpoch int32 `wire:"0+"`
	// BrokerEpoch is the receiver's registration as the controller knows it; -1 skips the check.
	BrokerEpoch int64 `wire:"2+,default=-1,ignorable"`
	// Type is 0 from a ZooKeeper controller; 1 (incremental) and 2 (full) come from KRaft controllers.
	Type int8 `wire:"5+"`
	// UngroupedPartitionStates has the partitions in versions 0 and 1.
	UngroupedPartitionStates []LeaderAndIsrPartitionState `wire:"0-1"`
	// TopicStates has the partitions from version 2.
	TopicStates []LeaderAndIsrTopicState `wire:"2+"`
	// LiveLeaders has the addresses of the leaders named.
	LiveLeaders []LeaderAndIsrLiveLeader `wire:"0+"`
}

// APIKey returns LeaderAndIsr.
func (*LeaderAndIsrRequest) APIKey() APIKey { return LeaderAndIsr }

func (*LeaderAndIsrRequest) isRequest() {}

// LeaderAndIsrPartitionState is the state of one partition.
type LeaderAndIsrPartitionState struct {
	// TopicName is set in versions 0 and 1, where partitions are not grouped.
	TopicName      string `wire:"0-1,ignorable"`
	PartitionIndex int32  `wire:"0+"`
	// ControllerEpoch is the epoch of the controller that decided this state, not of the sender.
	ControllerEpoch int32 `wire:"0+"`
	// Leader is -1 when there is none.
	Leader      int32 `wire:"0+"`
	LeaderEpoch int32 `wire:"0+"`
	// Isr are the replicas in sync.
	Isr []int32 `wire:"0+"`
	// PartitionEpoch is the version of the partition's state znode.
	PartitionEpoch int32 `wire:"0+"`
	// Replicas are all replicas, preferred leader first.
	Replicas []int32 `wire:"0+"`
	// AddingReplicas and RemovingReplicas are those of a reassignment that goes on.
	AddingReplicas   []int32 `wire:"3+,ignorable"`
	RemovingReplicas []int32 `wire:"3+,ignorable"`
	// IsNew says that the replica is expected not to exist yet.
	IsNew bool `wire:"1+,ignorable"`
	// LeaderRecoveryState is 0 when recovered, 1 after an unclean election.
	LeaderRecoveryState int8 `wire:"6+"`
}

// LeaderAndIsrTopicState has the partitions of one topic.
type LeaderAndIsrTopicState struct {
	TopicName string `wire:"2+"`
	// TopicID is zero when it is not known or the version has names.
	TopicID         UUID                         `wire:"5+,ignorable"`
	PartitionStates []LeaderAndIsrPartitionState `wire:"2+"`
}

// LeaderAndIsrLiveLeader is the address of a broker that leads one of the partitions.
type LeaderAndIsrLiveLeader struct {
	BrokerID int32  `wire:"0+"`
	HostName string `wire:"0+"`
	Port     int32  `wire:"0+"`
}

// LeaderAndIsrResponse reports per partition whether the change was made.
type LeaderAndIsrResponse struct {
	ErrorCode Error `wire:"0+"`
	// PartitionErrors are the results in versions 0 to 4.
	PartitionErrors []LeaderAndIsrPartitionError `wire:"0-4"`
	// Topics are the results from version 5.
	Topics []LeaderAndIsrTopicError `wire:"5+"`
}

// APIKey returns LeaderAndIsr.
func (*LeaderAndIsrResponse) APIKey() APIKey { return LeaderAndIsr }

func (*LeaderAndIsrResponse) isResponse() {}

// LeaderAndIsrPartitionError is the result for one partition.
type LeaderAndIsrPartitionError struct {
	// TopicName is set in versions 0 to 4, where results are not grouped.
	TopicName      string `wire:"0-4,ignorable"`
	PartitionIndex int32  `wire:"0+"`
	ErrorCode      Error  `wire:"0+"`
}

// LeaderAndIsrTopicError has the results for one topic.
type LeaderAndIsrTopicError struct {
	// TopicID is zero when it is not known or the version has names.
	TopicID         UUID                         `wire:"5+"`
	PartitionErrors []LeaderAndIsrPartitionError `wire:"5+"`
}
