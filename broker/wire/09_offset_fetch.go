// OffsetFetch reads the offsets that groups have committed.
//
// Versions: v0 reads from ZooKeeper, v1 from the offsets topic; v2 may ask for all topics and has an error for the
// group; v3 adds the throttle time; v5 leader epochs; v6 is flexible; v7 can insist on stable offsets; v8 asks for
// several groups; v9 adds member id and epoch.

package wire

// OffsetFetchRequest names groups and partitions.
type OffsetFetchRequest struct {
	GroupID string `wire:"0-7"`
	// Topics is null for all topics of the group, from version 2.
	Topics []OffsetFetchRequestTopic `wire:"0-7,nullable=2-7"`
	// Groups replaces GroupID and Topics from version 8.
	Groups []OffsetFetchRequestGroup `wire:"8+"`
	// RequireStable answers UNSTABLE_OFFSET_COMMIT while a transaction with offsets is open.
	RequireStable bool `wire:"7+"`
}

// APIKey returns OffsetFetch.
func (*OffsetFetchRequest) APIKey() APIKey { return OffsetFetch }

func (*OffsetFetchRequest) isRequest() {}

// OffsetFetchRequestTopic has the partitions of one topic, before version 8.
type OffsetFetchRequestTopic struct {
	Name             string  `wire:"0-7"`
	PartitionIndexes []int32 `wire:"0-7"`
}

// OffsetFetchRequestGroup is one group.
type OffsetFetchRequestGroup struct {
	GroupID string `wire:"8+"`
	// MemberID is set by members of the new group protocol.
	MemberID *string `wire:"9+,nullable=9+,ignorable"`
	// MemberEpoch is set by members of the new group protocol; -1 otherwise.
	MemberEpoch int32 `wire:"9+,default=-1,ignorable"`
	// Topics is null for all topics of the group.
	Topics []OffsetFetchRequestGroupTopic `wire:"8+,nullable=8+"`
}

// OffsetFetchRequestGroupTopic has the partitions of one topic of a group.
type OffsetFetchRequestGroupTopic struct {
	Name             string  `wire:"8+"`
	PartitionIndexes []int32 `wire:"8+"`
}

// OffsetFetchResponse has the offsets; a partition without one has offset -1 and no error.
type OffsetFetchResponse struct {
	ThrottleTimeMs int32                      `wire:"3+,ignorable"`
	Topics         []OffsetFetchResponseTopic `wire:"0-7"`
	// ErrorCode is about the whole group.
	ErrorCode Error `wire:"2-7,ignorable"`
	// Groups has the answer from version 8.
	Groups []OffsetFetchResponseGroup `wire:"8+"`
}

// APIKey returns OffsetFetch.
func (*OffsetFetchResponse) APIKey() APIKey { return OffsetFetch }

func (*OffsetFetchResponse) isResponse() {}

// OffsetFetchResponseTopic has the partitions of one topic, before version 8.
type OffsetFetchResponseTopic struct {
	Name       string                         `wire:"0-7"`
	Partitions []OffsetFetchResponsePartition `wire:"0-7"`
}

// OffsetFetchResponsePartition is the offset of one partition, before version 8.
type OffsetFetchResponsePartition struct {
	PartitionIndex int32 `wire:"0-7"`
	// CommittedOffset is the next offset to read, -1 when there is none.
	CommittedOffset int64 `wire:"0-7"`
	// CommittedLeaderEpoch is the epoch of the last record read; -1 if not known.
	CommittedLeaderEpoch int32 `wire:"5-7,default=-1,ignorable"`
	// Metadata is the text that came with the commit.
	Metadata  *string `wire:"0-7,nullable=0-7"`
	ErrorCode Error   `wire:"0-7"`
}

// OffsetFetchResponseGroup is one group.
type OffsetFetchResponseGroup struct {
	GroupID   string                          `wire:"8+"`
	Topics    []OffsetFetchResponseGroupTopic `wire:"8+"`
	ErrorCode Error                           `wire:"8+"`
}

// OffsetFetchResponseGroupTopic has the partitions of one topic of a group.
type OffsetFetchResponseGroupTopic struct {
	Name       string                              `wire:"8+"`
	Partitions []OffsetFetchResponseGroupPartition `wire:"8+"`
}

// OffsetFetchResponseGroupPartition is the offset of one partition.
type OffsetFetchResponseGroupPartition struct {
	PartitionIndex int32 `wire:"8+"`
	// CommittedOffset is the next offset to read, -1 when there is none.
	CommittedOffset int64 `wire:"8+"`
	// CommittedLeaderEpoch is the epoch of the last record read; -1 if not known.
	CommittedLeaderEpoch int32 `wire:"8+,default=-1,ignorable"`
	// Metadata is the text that came with the commit.
	Metadata  *string `wire:"8+,nullable=8+"`
	ErrorCode Error   `wire:"8+"`
}
