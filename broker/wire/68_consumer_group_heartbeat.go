// ConsumerGroupHeartbeat is the one request of the new group protocol (KIP-848), which needs KRaft. A ZooKeeper
// broker answers UNSUPPORTED_VERSION.

package wire

// ConsumerGroupHeartbeatRequest keeps a member alive and tells what it has.
type ConsumerGroupHeartbeatRequest struct {
	GroupID  string `wire:"0+"`
	MemberID string `wire:"0+"`
	// MemberEpoch is 0 to join, -1 to leave, -2 for a static member that will be back.
	MemberEpoch int32 `wire:"0+"`
	// InstanceID is the name of a static member, null for a dynamic one.
	InstanceID *string `wire:"0+,nullable=0+"`
	RackID     *string `wire:"0+,nullable=0+"`
	// RebalanceTimeoutMs is -1 if it did not change since the last heartbeat.
	RebalanceTimeoutMs int32 `wire:"0+,default=-1"`
	// SubscribedTopicNames is null if it did not change since the last heartbeat.
	SubscribedTopicNames []string `wire:"0+,nullable=0+,default=null"`
	// ServerAssignor is null to let the coordinator choose, or if it did not change.
	ServerAssignor *string `wire:"0+,nullable=0+"`
	// TopicPartitions is what the member owns; null if it did not change.
	TopicPartitions []ConsumerGroupHeartbeatRequestTopicPartitions `wire:"0+,nullable=0+,default=null"`
}

// APIKey returns ConsumerGroupHeartbeat.
func (*ConsumerGroupHeartbeatRequest) APIKey() APIKey { return ConsumerGroupHeartbeat }

func (*ConsumerGroupHeartbeatRequest) isRequest() {}

// ConsumerGroupHeartbeatRequestTopicPartitions has the partitions of one topic.
type ConsumerGroupHeartbeatRequestTopicPartitions struct {
	// TopicID is zero when it is not known or the version has names.
	TopicID    UUID    `wire:"0+"`
	Partitions []int32 `wire:"0+"`
}

// ConsumerGroupHeartbeatResponse tells the member what it shall have.
type ConsumerGroupHeartbeatResponse struct {
	ThrottleTimeMs int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage        *string `wire:"0+,nullable=0+"`
	MemberID            *string `wire:"0+,nullable=0+"`
	MemberEpoch         int32   `wire:"0+"`
	HeartbeatIntervalMs int32   `wire:"0+"`
	// Assignment is null if it did not change.
	Assignment *ConsumerGroupHeartbeatResponseAssignment `wire:"0+,nullable=0+"`
}

// APIKey returns ConsumerGroupHeartbeat.
func (*ConsumerGroupHeartbeatResponse) APIKey() APIKey { return ConsumerGroupHeartbeat }

func (*ConsumerGroupHeartbeatResponse) isResponse() {}

// ConsumerGroupHeartbeatResponseAssignment is what the member shall have.
type ConsumerGroupHeartbeatResponseAssignment struct {
	TopicPartitions []ConsumerGroupHeartbeatResponseTopicPartitions `wire:"0+"`
}

// ConsumerGroupHeartbeatResponseTopicPartitions has the partitions of one topic.
type ConsumerGroupHeartbeatResponseTopicPartitions struct {
	// TopicID is zero when it is not known or the version has names.
	TopicID    UUID    `wire:"0+"`
	Partitions []int32 `wire:"0+"`
}
