// DescribeLogDirs tells the log directories of a broker and the sizes of its replicas.
//
// Versions: v2 is flexible; v3 adds an error for the whole request; v4 the size of the volume.

package wire

// DescribeLogDirsRequest names partitions.
type DescribeLogDirsRequest struct {
	// Topics is null for all partitions of the broker.
	Topics []DescribeLogDirsRequestTopic `wire:"0+,nullable=0+"`
}

// APIKey returns DescribeLogDirs.
func (*DescribeLogDirsRequest) APIKey() APIKey { return DescribeLogDirs }

func (*DescribeLogDirsRequest) isRequest() {}

// DescribeLogDirsRequestTopic has the partitions of one topic.
type DescribeLogDirsRequestTopic struct {
	Topic      string  `wire:"0+"`
	Partitions []int32 `wire:"0+"`
}

// DescribeLogDirsResponse has the directories.
type DescribeLogDirsResponse struct {
	ThrottleTimeMs int32                           `wire:"0+"`
	ErrorCode      Error                           `wire:"3+,ignorable"`
	Results        []DescribeLogDirsResponseResult `wire:"0+"`
}

// APIKey returns DescribeLogDirs.
func (*DescribeLogDirsResponse) APIKey() APIKey { return DescribeLogDirs }

func (*DescribeLogDirsResponse) isResponse() {}

// DescribeLogDirsResponseResult is one directory.
type DescribeLogDirsResponseResult struct {
	ErrorCode Error `wire:"0+"`
	// LogDir is its absolute path.
	LogDir string                         `wire:"0+"`
	Topics []DescribeLogDirsResponseTopic `wire:"0+"`
	// TotalBytes is the size of the volume; -1 if not known.
	TotalBytes int64 `wire:"4+,default=-1,ignorable"`
	// UsableBytes is what is free on the volume; -1 if not known.
	UsableBytes int64 `wire:"4+,default=-1,ignorable"`
}

// DescribeLogDirsResponseTopic has the partitions of one topic.
type DescribeLogDirsResponseTopic struct {
	Name       string                             `wire:"0+"`
	Partitions []DescribeLogDirsResponsePartition `wire:"0+"`
}

// DescribeLogDirsResponsePartition is one replica.
type DescribeLogDirsResponsePartition struct {
	PartitionIndex int32 `wire:"0+"`
	// PartitionSize is the bytes of its segments.
	PartitionSize int64 `wire:"0+"`
	// OffsetLag is how far its end is behind the high watermark, or a future replica behind the current one.
	OffsetLag int64 `wire:"0+"`
	// IsFutureKey says that the replica is being moved to this directory.
	IsFutureKey bool `wire:"0+"`
}
