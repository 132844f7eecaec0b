// DeleteRecords moves the start of a log forward, at the leader.
//
// Versions: v2 is flexible.

package wire

// DeleteRecordsRequest names partitions and their new log start offsets.
type DeleteRecordsRequest struct {
	Topics []DeleteRecordsRequestTopic `wire:"0+"`
	// TimeoutMs bounds the wait for all replicas.
	TimeoutMs int32 `wire:"0+"`
}

// APIKey returns DeleteRecords.
func (*DeleteRecordsRequest) APIKey() APIKey { return DeleteRecords }

func (*DeleteRecordsRequest) isRequest() {}

// DeleteRecordsRequestTopic has the partitions of one topic.
type DeleteRecordsRequestTopic struct {
	Name       string                          `wire:"0+"`
	Partitions []DeleteRecordsRequestPartition `wire:"0+"`
}

// DeleteRecordsRequestPartition is one partition.
type DeleteRecordsRequestPartition struct {
	PartitionIndex int32 `wire:"0+"`
	// Offset is the new first offset, -1 for the high watermark.
	Offset int64 `wire:"0+"`
}

// DeleteRecordsResponse has the result for each partition.
type DeleteRecordsResponse struct {
	ThrottleTimeMs int32                        `wire:"0+"`
	Topics         []DeleteRecordsResponseTopic `wire:"0+"`
}

// APIKey returns DeleteRecords.
func (*DeleteRecordsResponse) APIKey() APIKey { return DeleteRecords }

func (*DeleteRecordsResponse) isResponse() {}

// DeleteRecordsResponseTopic has the partitions of one topic.
type DeleteRecordsResponseTopic struct {
	Name       string                           `wire:"0+"`
	Partitions []DeleteRecordsResponsePartition `wire:"0+"`
}

// DeleteRecordsResponsePartition is the result for one partition.
type DeleteRecordsResponsePartition struct {
	PartitionIndex int32 `wire:"0+"`
	// LowWatermark is the least log start offset of all live replicas; -1 on an error.
	LowWatermark int64 `wire:"0+"`
	ErrorCode    Error `wire:"0+"`
}
