// AlterPartition is sent by a leader to the controller to change the in-sync replicas of partitions.
//
// Versions: v1 adds the leader recovery state; v2 has topic ids instead of names; v3 the broker epoch of each
// member of the new ISR.

package wire

// AlterPartitionRequest proposes in-sync replicas.
type AlterPartitionRequest struct {
	BrokerID int32 `wire:"0+"`
	// BrokerEpoch is the sender's.
	BrokerEpoch int64                        `wire:"0+,default=-1"`
	Topics      []AlterPartitionRequestTopic `wire:"0+"`
}

// APIKey returns AlterPartition.
func (*AlterPartitionRequest) APIKey() APIKey { return AlterPartition }

func (*AlterPartitionRequest) isRequest() {}

// AlterPartitionRequestTopic has the partitions of one topic.
type AlterPartitionRequestTopic struct {
	TopicName string `wire:"0-1,ignorable"`
	// TopicID is zero when it is not known or the version has names.
	TopicID    UUID                             `wire:"2+,ignorable"`
	Partitions []AlterPartitionRequestPartition `wire:"0+"`
}

// AlterPartitionRequestPartition is the proposal for one partition.
type AlterPartitionRequestPartition struct {
	PartitionIndex int32 `wire:"0+"`
	LeaderEpoch    int32 `wire:"0+"`
	// NewIsr is the ISR wanted, before version 3.
	NewIsr []int32 `wire:"0-2"`
	// NewIsrWithEpochs is the ISR wanted, from version 3.
	NewIsrWithEpochs []AlterPartitionRequestBrokerState `wire:"3+"`
	// LeaderRecoveryState is 0 when recovered, 1 after an unclean election.
	LeaderRecoveryState int8 `wire:"1+"`
	// PartitionEpoch is the version of the state that the proposal builds on.
	PartitionEpoch int32 `wire:"0+"`
}

// AlterPartitionRequestBrokerState is a member of the ISR wanted.
type AlterPartitionRequestBrokerState struct {
	BrokerID int32 `wire:"3+"`
	// BrokerEpoch is the registration by which the leader knows it; -1 if not known.
	BrokerEpoch int64 `wire:"3+,default=-1"`
}

// AlterPartitionResponse has the state of each partition after the request.
type AlterPartitionResponse struct {
	ThrottleTimeMs int32 `wire:"0+"`
	// ErrorCode is about the whole request.
	ErrorCode Error                         `wire:"0+"`
	Topics    []AlterPartitionResponseTopic `wire:"0+"`
}

// APIKey returns AlterPartition.
func (*AlterPartitionResponse) APIKey() APIKey { return AlterPartition }

func (*AlterPartitionResponse) isResponse() {}

// AlterPartitionResponseTopic has the partitions of one topic.
type AlterPartitionResponseTopic struct {
	TopicName string `wire:"0-1,ignorable"`
	// TopicID is zero when it is not known or the version has names.
	TopicID    UUID                              `wire:"2+,ignorable"`
	Partitions []AlterPartitionResponsePartition `wire:"0+"`
}

// AlterPartitionResponsePartition is the state of one partition.
type AlterPartitionResponsePartition struct {
	PartitionIndex int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
	LeaderID       int32 `wire:"0+"`
	LeaderEpoch    int32 `wire:"0+"`
	// Isr are the replicas in sync.
	Isr []int32 `wire:"0+"`
	// LeaderRecoveryState is 0 when recovered, 1 after an unclean election.
	LeaderRecoveryState int8 `wire:"1+,ignorable"`
	// PartitionEpoch is the version of the state znode.
	PartitionEpoch int32 `wire:"0+"`
}
