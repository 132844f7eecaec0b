// TxnOffsetCommit stores offsets of a group as part of a transaction, at the group's coordinator.
//
// Versions: v2 adds leader epochs; v3 is flexible and adds the member; v4 may answer TRANSACTION_ABORTABLE.

package wire

// TxnOffsetCommitRequest has the offsets; they count when the transaction commits.
type TxnOffsetCommitRequest struct {
	TransactionalID string `wire:"0+"`
	GroupID         string `wire:"0+"`
	ProducerID      int64  `wire:"0+"`
	ProducerEpoch   int16  `wire:"0+"`
	// GenerationID is -1 outside a group.
	GenerationID int32  `wire:"3+,default=-1"`
	MemberID     string `wire:"3+"`
	// GroupInstanceID is the name of a static member, null for a dynamic one.
	GroupInstanceID *string                       `wire:"3+,nullable=3+"`
	Topics          []TxnOffsetCommitRequestTopic `wire:"0+"`
}

// APIKey returns TxnOffsetCommit.
func (*TxnOffsetCommitRequest) APIKey() APIKey { return TxnOffsetCommit }

func (*TxnOffsetCommitRequest) isRequest() {}

// TxnOffsetCommitRequestTopic has the partitions of one topic.
type TxnOffsetCommitRequestTopic struct {
	Name       string                            `wire:"0+"`
	Partitions []TxnOffsetCommitRequestPartition `wire:"0+"`
}

// TxnOffsetCommitRequestPartition is the offset of one partition.
type TxnOffsetCommitRequestPartition struct {
	PartitionIndex int32 `wire:"0+"`
	// CommittedOffset is the next offset to read.
	CommittedOffset int64 `wire:"0+"`
	// CommittedLeaderEpoch is the epoch of the last record read; -1 if not known.
	CommittedLeaderEpoch int32 `wire:"2+,default=-1,ignorable"`
	// CommittedMetadata is any text of the client.
	CommittedMetadata *string `wire:"0+,nullable=0+"`
}

// TxnOffsetCommitResponse has the result for each partition.
type TxnOffsetCommitResponse struct {
	ThrottleTimeMs int32                          `wire:"0+"`
	Topics         []TxnOffsetCommitResponseTopic `wire:"0+"`
}

// APIKey returns TxnOffsetCommit.
func (*TxnOffsetCommitResponse) APIKey() APIKey { return TxnOffsetCommit }

func (*TxnOffsetCommitResponse) isResponse() {}

// TxnOffsetCommitResponseTopic has the partitions of one topic.
type TxnOffsetCommitResponseTopic struct {
	Name       string                             `wire:"0+"`
	Partitions []TxnOffsetCommitResponsePartition `wire:"0+"`
}

// TxnOffsetCommitResponsePartition is the result for one partition.
type TxnOffsetCommitResponsePartition struct {
	PartitionIndex int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
}
