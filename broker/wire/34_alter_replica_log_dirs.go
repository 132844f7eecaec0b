// AlterReplicaLogDirs moves replicas between the log directories of the broker that gets it.
//
// Versions: v2 is flexible.

package wire

// AlterReplicaLogDirsRequest names directories and what belongs there.
type AlterReplicaLogDirsRequest struct {
	Dirs []AlterReplicaLogDirsRequestDir `wire:"0+"`
}

// APIKey returns AlterReplicaLogDirs.
func (*AlterReplicaLogDirsRequest) APIKey() APIKey { return AlterReplicaLogDirs }

func (*AlterReplicaLogDirsRequest) isRequest() {}

// AlterReplicaLogDirsRequestDir is one directory.
type AlterReplicaLogDirsRequestDir struct {
	// Path is the absolute path as in log.dirs.
	Path   string                            `wire:"0+"`
	Topics []AlterReplicaLogDirsRequestTopic `wire:"0+"`
}

// AlterReplicaLogDirsRequestTopic has the partitions of one topic.
type AlterReplicaLogDirsRequestTopic struct {
	Name       string  `wire:"0+"`
	Partitions []int32 `wire:"0+"`
}

// AlterReplicaLogDirsResponse has the result for each partition.
type AlterReplicaLogDirsResponse struct {
	ThrottleTimeMs int32                              `wire:"0+"`
	Results        []AlterReplicaLogDirsResponseTopic `wire:"0+"`
}

// APIKey returns AlterReplicaLogDirs.
func (*AlterReplicaLogDirsResponse) APIKey() APIKey { return AlterReplicaLogDirs }

func (*AlterReplicaLogDirsResponse) isResponse() {}

// AlterReplicaLogDirsResponseTopic has the partitions of one topic.
type AlterReplicaLogDirsResponseTopic struct {
	TopicName  string                                 `wire:"0+"`
	Partitions []AlterReplicaLogDirsResponsePartition `wire:"0+"`
}

// AlterReplicaLogDirsResponsePartition is the result for one partition.
type AlterReplicaLogDirsResponsePartition struct {
	PartitionIndex int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
}
