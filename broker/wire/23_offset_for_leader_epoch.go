// OffsetForLeaderEpoch finds where a leader epoch ends in the leader's log. Followers truncate by it, consumers
// detect truncation.
//
// Versions: v1 returns the epoch; v2 adds the epoch the client knows and the throttle time; v3 the replica id; v4
// is flexible.

package wire

// OffsetForLeaderEpochRequest names partitions and epochs.
type OffsetForLeaderEpochRequest struct {
	// ReplicaID is the broker id of a follower, -1 for a consumer, -2 (the default) for a debugging one.
	ReplicaID int32                              `wire:"3+,default=-2,ignorable"`
	Topics    []OffsetForLeaderEpochRequestTopic `wire:"0+"`
}

// APIKey returns OffsetForLeaderEpoch.
func (*OffsetForLeaderEpochRequest) APIKey() APIKey { return OffsetForLeaderEpoch }

func (*OffsetForLeaderEpochRequest) isRequest() {}

// OffsetForLeaderEpochRequestTopic has the partitions of one topic.
type OffsetForLeaderEpochRequestTopic struct {
	Topic      string                                 `wire:"0+"`
	Partitions []OffsetForLeaderEpochRequestPartition `wire:"0+"`
}

// OffsetForLeaderEpochRequestPartition is one partition.
type OffsetForLeaderEpochRequestPartition struct {
	Partition int32 `wire:"0+"`
	// CurrentLeaderEpoch is the leader epoch the client knows, -1 to skip the check.
	CurrentLeaderEpoch int32 `wire:"2+,default=-1,ignorable"`
	// LeaderEpoch is the epoch to look for.
	LeaderEpoch int32 `wire:"0+"`
}

// OffsetForLeaderEpochResponse has the end of the epoch for each partition.
type OffsetForLeaderEpochResponse struct {
	ThrottleTimeMs int32                               `wire:"2+,ignorable"`
	Topics         []OffsetForLeaderEpochResponseTopic `wire:"0+"`
}

// APIKey returns OffsetForLeaderEpoch.
func (*OffsetForLeaderEpochResponse) APIKey() APIKey { return OffsetForLeaderEpoch }

func (*OffsetForLeaderEpochResponse) isResponse() {}

// OffsetForLeaderEpochResponseTopic has the partitions of one topic.
type OffsetForLeaderEpochResponseTopic struct {
	Topic      string                                  `wire:"0+"`
	Partitions []OffsetForLeaderEpochResponsePartition `wire:"0+"`
}

// OffsetForLeaderEpochResponsePartition is the end of the epoch in one partition.
type OffsetForLeaderEpochResponsePartition struct {
	ErrorCode Error `wire:"0+"`
	Partition int32 `wire:"0+"`
	// LeaderEpoch is the largest epoch not above the one asked; -1 if there is none.
	LeaderEpoch int32 `wire:"1+,default=-1,ignorable"`
	// EndOffset is the first offset after that epoch; -1 if there is none.
	EndOffset int64 `wire:"0+,default=-1"`
}
