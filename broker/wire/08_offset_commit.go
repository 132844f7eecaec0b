// OffsetCommit stores how far a group has read.
//
// Versions: v0 stores in ZooKeeper; v1 in the offsets topic, with generation, member and a timestamp; v2 to v4
// have a retention time instead; v3 adds the throttle time; v6 leader epochs; v7 static members; v8 is flexible;
// v9 serves members of the new group protocol.

package wire

// OffsetCommitRequest has the offsets of one group.
type OffsetCommitRequest struct {
	GroupID string `wire:"0+"`
	// GenerationIDOrMemberEpoch is the generation of a member, -1 outside a group.
	GenerationIDOrMemberEpoch int32  `wire:"1+,default=-1,ignorable"`
	MemberID                  string `wire:"1+,ignorable"`
	// GroupInstanceID is the name of a static member, null for a dynamic one.
	GroupInstanceID *string `wire:"7+,nullable=7+"`
	// RetentionTimeMs is how long to keep the offsets; -1 for the broker's configured time.
	RetentionTimeMs int64                      `wire:"2-4,default=-1,ignorable"`
	Topics          []OffsetCommitRequestTopic `wire:"0+"`
}

// APIKey returns OffsetCommit.
func (*OffsetCommitRequest) APIKey() APIKey { return OffsetCommit }

func (*OffsetCommitRequest) isRequest() {}

// OffsetCommitRequestTopic has the partitions of one topic.
type OffsetCommitRequestTopic struct {
	Name       string                         `wire:"0+"`
	Partitions []OffsetCommitRequestPartition `wire:"0+"`
}

// OffsetCommitRequestPartition is the offset of one partition.
type OffsetCommitRequestPartition struct {
	PartitionIndex int32 `wire:"0+"`
	// CommittedOffset is the next offset to read.
	CommittedOffset int64 `wire:"0+"`
	// CommittedLeaderEpoch is the epoch of the last record read; -1 if not known.
	CommittedLeaderEpoch int32 `wire:"6+,default=-1,ignorable"`
	// CommitTimestamp is the time of the commit in milliseconds; -1 for the broker's.
	CommitTimestamp int64 `wire:"1,default=-1"`
	// CommittedMetadata is any text of the client.
	CommittedMetadata *string `wire:"0+,nullable=0+"`
}

// OffsetCommitResponse has the result for each partition.
type OffsetCommitResponse struct {
	ThrottleTimeMs int32                       `wire:"3+,ignorable"`
	Topics         []OffsetCommitResponseTopic `wire:"0+"`
}

// APIKey returns OffsetCommit.
func (*OffsetCommitResponse) APIKey() APIKey { return OffsetCommit }

func (*OffsetCommitResponse) isResponse() {}

// OffsetCommitResponseTopic has the partitions of one topic.
type OffsetCommitResponseTopic struct {
	Name       string                          `wire:"0+"`
	Partitions []OffsetCommitResponsePartition `wire:"0+"`
}

// OffsetCommitResponsePartition is the result for one partition.
type OffsetCommitResponsePartition struct {
	PartitionIndex int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
}
