// ElectLeaders elects leaders of partitions. It goes to the controller.
//
// Versions: v1 adds the election type and an error for the whole request; v2 is flexible.

package wire

// ElectLeadersRequest names the partitions.
type ElectLeadersRequest struct {
	// ElectionType is 0 for the preferred replica, 1 for any live replica (unclean).
	ElectionType int8 `wire:"1+"`
	// TopicPartitions is null for all partitions.
	TopicPartitions []ElectLeadersRequestTopic `wire:"0+,nullable=0+"`
	// TimeoutMs bounds the time the broker may take.
	TimeoutMs int32 `wire:"0+,default=60000"`
}

// APIKey returns ElectLeaders.
func (*ElectLeadersRequest) APIKey() APIKey { return ElectLeaders }

func (*ElectLeadersRequest) isRequest() {}

// ElectLeadersRequestTopic has the partitions of one topic.
type ElectLeadersRequestTopic struct {
	Topic      string  `wire:"0+"`
	Partitions []int32 `wire:"0+"`
}

// ElectLeadersResponse has the result for each partition.
type ElectLeadersResponse struct {
	ThrottleTimeMs         int32                       `wire:"0+"`
	ErrorCode              Error                       `wire:"1+"`
	ReplicaElectionResults []ElectLeadersResponseTopic `wire:"0+"`
}

// APIKey returns ElectLeaders.
func (*ElectLeadersResponse) APIKey() APIKey { return ElectLeaders }

func (*ElectLeadersResponse) isResponse() {}

// ElectLeadersResponseTopic has the partitions of one topic.
type ElectLeadersResponseTopic struct {
	Topic           string                          `wire:"0+"`
	PartitionResult []ElectLeadersResponsePartition `wire:"0+"`
}

// ElectLeadersResponsePartition is the result for one partition.
type ElectLeadersResponsePartition struct {
	PartitionID int32 `wire:"0+"`
	ErrorCode   Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string `wire:"0+,nullable=0+"`
}
