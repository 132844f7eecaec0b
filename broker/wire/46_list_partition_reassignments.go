// ListPartitionReassignments lists the reassignments that go on. It goes to the controller.

package wire

// ListPartitionReassignmentsRequest names partitions.
type ListPartitionReassignmentsRequest struct {
	// TimeoutMs bounds the time the broker may take.
	TimeoutMs int32 `wire:"0+,default=60000"`
	// Topics is null for all.
	Topics []ListPartitionReassignmentsRequestTopic `wire:"0+,nullable=0+,default=null"`
}

// APIKey returns ListPartitionReassignments.
func (*ListPartitionReassignmentsRequest) APIKey() APIKey { return ListPartitionReassignments }

func (*ListPartitionReassignmentsRequest) isRequest() {}

// ListPartitionReassignmentsRequestTopic has the partitions of one topic.
type ListPartitionReassignmentsRequestTopic struct {
	Name             string  `wire:"0+"`
	PartitionIndexes []int32 `wire:"0+"`
}

// ListPartitionReassignmentsResponse has the partitions that are being moved.
type ListPartitionReassignmentsResponse struct {
	ThrottleTimeMs int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string                                   `wire:"0+,nullable=0+"`
	Topics       []ListPartitionReassignmentsResponseTopic `wire:"0+"`
}

// APIKey returns ListPartitionReassignments.
func (*ListPartitionReassignmentsResponse) APIKey() APIKey { return ListPartitionReassignments }

func (*ListPartitionReassignmentsResponse) isResponse() {}

// ListPartitionReassignmentsResponseTopic has the partitions of one topic.
type ListPartitionReassignmentsResponseTopic struct {
	Name       string                                        `wire:"0+"`
	Partitions []ListPartitionReassignmentsResponsePartition `wire:"0+"`
}

// ListPartitionReassignmentsResponsePartition is one partition that is being moved.
type ListPartitionReassignmentsResponsePartition struct {
	PartitionIndex int32 `wire:"0+"`
	// Replicas are all current replicas, those being added and removed included.
	Replicas         []int32 `wire:"0+"`
	AddingReplicas   []int32 `wire:"0+"`
	RemovingReplicas []int32 `wire:"0+"`
}
