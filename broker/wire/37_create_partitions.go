// CreatePartitions adds partitions to topics. It goes to the controller.
//
// Versions: v2 is flexible; v3 throttles with THROTTLING_QUOTA_EXCEEDED.

package wire

// CreatePartitionsRequest names topics and their new numbers of partitions.
type CreatePartitionsRequest struct {
	Topics []CreatePartitionsRequestTopic `wire:"0+"`
	// TimeoutMs bounds the wait until the partitions have leaders.
	TimeoutMs int32 `wire:"0+"`
	// ValidateOnly checks the request and creates nothing.
	ValidateOnly bool `wire:"0+"`
}

// APIKey returns CreatePartitions.
func (*CreatePartitionsRequest) APIKey() APIKey { return CreatePartitions }

func (*CreatePartitionsRequest) isRequest() {}

// CreatePartitionsRequestTopic is one topic.
type CreatePartitionsRequestTopic struct {
	Name string `wire:"0+"`
	// Count is the new total, not what is added.
	Count int32 `wire:"0+"`
	// Assignments places the new partitions by hand; null to let the broker choose.
	Assignments []CreatePartitionsRequestAssignment `wire:"0+,nullable=0+"`
}

// CreatePartitionsRequestAssignment places one new partition.
type CreatePartitionsRequestAssignment struct {
	// BrokerIDs are the replicas, preferred leader first.
	BrokerIDs []int32 `wire:"0+"`
}

// CreatePartitionsResponse has the result for each topic.
type CreatePartitionsResponse struct {
	ThrottleTimeMs int32                            `wire:"0+"`
	Results        []CreatePartitionsResponseResult `wire:"0+"`
}

// APIKey returns CreatePartitions.
func (*CreatePartitionsResponse) APIKey() APIKey { return CreatePartitions }

func (*CreatePartitionsResponse) isResponse() {}

// CreatePartitionsResponseResult is the result for one topic.
type CreatePartitionsResponseResult struct {
	Name      string `wire:"0+"`
	ErrorCode Error  `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string `wire:"0+,nullable=0+"`
}
