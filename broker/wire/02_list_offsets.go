// ListOffsets finds the offset of a timestamp, or the first, last or stable offset of a partition.
//
// Versions: v0 answers a list of segment starts, v1 a single offset; v2 adds isolation levels and the throttle
// time; v4 leader epochs; v6 is flexible; v7 allows timestamp -3 (the record with the largest timestamp), v8 -4
// (first local), v9 -5 (last tiered).

package wire

// ListOffsetsRequest names partitions and the timestamps to look for.
type ListOffsetsRequest struct {
	// ReplicaID is the broker id of a follower, -1 for a consumer, -2 for a debugging tool.
	ReplicaID int32 `wire:"0+"`
	// IsolationLevel is 0 to see up to the high watermark, 1 up to the last stable offset.
	IsolationLevel int8                      `wire:"2+"`
	Topics         []ListOffsetsRequestTopic `wire:"0+"`
}

// APIKey returns ListOffsets.
func (*ListOffsetsRequest) APIKey() APIKey { return ListOffsets }

func (*ListOffsetsRequest) isRequest() {}

// ListOffsetsRequestTopic names partitions of one topic.
type ListOffsetsRequestTopic struct {
	Name       string                        `wire:"0+"`
	Partitions []ListOffsetsRequestPartition `wire:"0+"`
}

// ListOffsetsRequestPartition is one partition and what to look for.
type ListOffsetsRequestPartition struct {
	PartitionIndex int32 `wire:"0+"`
	// CurrentLeaderEpoch is the leader epoch the client knows, -1 to skip the check.
	CurrentLeaderEpoch int32 `wire:"4+,default=-1,ignorable"`
	// Timestamp is in milliseconds, or -1 for the latest offset, -2 the earliest, -3 to -5 as above.
	Timestamp int64 `wire:"0+"`
	// MaxNumOffsets limits OldStyleOffsets.
	MaxNumOffsets int32 `wire:"0,default=1"`
}

// ListOffsetsResponse has one offset for each partition asked.
type ListOffsetsResponse struct {
	ThrottleTimeMs int32                      `wire:"2+,ignorable"`
	Topics         []ListOffsetsResponseTopic `wire:"0+"`
}

// APIKey returns ListOffsets.
func (*ListOffsetsResponse) APIKey() APIKey { return ListOffsets }

func (*ListOffsetsResponse) isResponse() {}

// ListOffsetsResponseTopic has the partitions of one topic.
type ListOffsetsResponseTopic struct {
	Name       string                         `wire:"0+"`
	Partitions []ListOffsetsResponsePartition `wire:"0+"`
}

// ListOffsetsResponsePartition is the offset found in one partition.
type ListOffsetsResponsePartition struct {
	PartitionIndex int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
	// OldStyleOffsets is the whole answer of v0: offsets where segments begin, newest first.
	OldStyleOffsets []int64 `wire:"0"`
	// Timestamp is that of the record found; -1 if the offset was not found by time.
	Timestamp int64 `wire:"1+,default=-1"`
	// Offset is -1 when no record has such a timestamp.
	Offset int64 `wire:"1+,default=-1"`
	// LeaderEpoch is the epoch of the record at Offset; -1 if not known.
	LeaderEpoch int32 `wire:"4+,default=-1"`
}
