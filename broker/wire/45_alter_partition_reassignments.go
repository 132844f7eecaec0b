// AlterPartitionReassignments moves partitions to other brokers, or cancels that. It goes to the controller.

package wire

// AlterPartitionReassignmentsRequest names partitions and their new replicas.
type AlterPartitionReassignmentsRequest struct {
	// TimeoutMs bounds the time the broker may take.
	TimeoutMs int32                                     `wire:"0+,default=60000"`
	Topics    []AlterPartitionReassignmentsRequestTopic `wire:"0+"`
}

// APIKey returns AlterPartitionReassignments.
func (*AlterPartitionReassignmentsRequest) APIKey() APIKey { return AlterPartitionReassignments }

func (*AlterPartitionReassignmentsRequest) isRequest() {}

// AlterPartitionReassignmentsRequestTopic has the partitions of one topic.
type AlterPartitionReassignmentsRequestTopic struct {
	Name       string                                        `wire:"0+"`
	Partitions []AlterPartitionReassignmentsRequestPartition `wire:"0+"`
}

// AlterPartitionReassignmentsRequestPartition is one partition.
type AlterPartitionReassignmentsRequestPartition struct {
	PartitionIndex int32 `wire:"0+"`
	// Replicas are the brokers it shall have, preferred leader first; null cancels the reassignment.
	Replicas []int32 `wire:"0+,nullable=0+,default=null"`
}

// AlterPartitionReassignmentsResponse has the result for each partition.
type AlterPartitionReassignmentsResponse struct {
	ThrottleTimeMs int32 `wire:"0+"`
	// ErrorCode is about the whole request.
	ErrorCode Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string                                    `wire:"0+,nullable=0+"`
	Responses    []AlterPartitionReassignmentsResponseTopic `wire:"0+"`
}

// APIKey returns AlterPartitionReassignments.
func (*AlterPartitionReassignmentsResponse) APIKey() APIKey { return AlterPartitionReassignments }

func (*AlterPartitionReassignmentsResponse) isResponse() {}

// AlterPartitionReassignmentsResponseTopic has the partitions of one topic.
type AlterPartitionReassignmentsResponseTopic struct {
	Name       string                                         `wire:"0+"`
	Partitions []AlterPartitionReassignmentsResponsePartition `wire:"0+"`
}

// AlterPartitionReassignmentsResponsePartition is the result for one partition.
type AlterPartitionReassignmentsResponsePartition struct {
	PartitionIndex int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string `wire:"0+,nullable=0+"`
}
