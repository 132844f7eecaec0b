// OffsetDelete deletes committed offsets of a group for topics it is not subscribed to.

package wire

// OffsetDeleteRequest names the partitions.
type OffsetDeleteRequest struct {
	GroupID string                     `wire:"0+"`
	Topics  []OffsetDeleteRequestTopic `wire:"0+"`
}

// APIKey returns OffsetDelete.
func (*OffsetDeleteRequest) APIKey() APIKey { return OffsetDelete }

func (*OffsetDeleteRequest) isRequest() {}

// OffsetDeleteRequestTopic has the partitions of one topic.
type OffsetDeleteRequestTopic struct {
	Name       string                         `wire:"0+"`
	Partitions []OffsetDeleteRequestPartition `wire:"0+"`
}

// OffsetDeleteRequestPartition is one partition.
type OffsetDeleteRequestPartition struct {
	PartitionIndex int32 `wire:"0+"`
}

// OffsetDeleteResponse has the result for each partition.
type OffsetDeleteResponse struct {
	// ErrorCode is about the group.
	ErrorCode      Error                       `wire:"0+"`
	ThrottleTimeMs int32                       `wire:"0+"`
	Topics         []OffsetDeleteResponseTopic `wire:"0+"`
}

// APIKey returns OffsetDelete.
func (*OffsetDeleteResponse) APIKey() APIKey { return OffsetDelete }

func (*OffsetDeleteResponse) isResponse() {}

// OffsetDeleteResponseTopic has the partitions of one topic.
type OffsetDeleteResponseTopic struct {
	Name       string                          `wire:"0+"`
	Partitions []OffsetDeleteResponsePartition `wire:"0+"`
}

// OffsetDeleteResponsePartition is the result for one partition.
type OffsetDeleteResponsePartition struct {
	PartitionIndex int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
}
