// Produce appends record batches to partitions. Clients send it to the leader of each partition.
//
// Versions: v1 adds the throttle time; v2 the log append time; v3 the transactional id, and records must be one
// batch of magic 2; v5 the log start offset; v7 allows zstd; v8 adds errors of single records; v9 is flexible; v10
// names the new leader in tagged fields; v11 lets the broker answer TRANSACTION_ABORTABLE.

package wire

// ProduceRequest carries record batches for any number of partitions.
type ProduceRequest struct {
	// TransactionalID is set by a transactional producer only.
	TransactionalID *string `wire:"3+,nullable=3+"`
	// Acks is 0 (no response at all), 1 (leader only) or -1 (all in-sync replicas).
	Acks int16 `wire:"0+"`
	// TimeoutMs bounds the wait for the in-sync replicas with acks -1.
	TimeoutMs int32                 `wire:"0+"`
	TopicData []ProduceRequestTopic `wire:"0+"`
}

// APIKey returns Produce.
func (*ProduceRequest) APIKey() APIKey { return Produce }

func (*ProduceRequest) isRequest() {}

// ProduceRequestTopic is what goes to one topic.
type ProduceRequestTopic struct {
	Name          string                    `wire:"0+"`
	PartitionData []ProduceRequestPartition `wire:"0+"`
}

// ProduceRequestPartition is what goes to one partition.
type ProduceRequestPartition struct {
	Index int32 `wire:"0+"`
	// Records is the record batch as it stands in the log, aliasing the frame after Decode.
	Records []byte `wire:"0+,nullable=0+,default=null"`
}

// ProduceResponse tells for each partition where its records went.
type ProduceResponse struct {
	Responses      []ProduceResponseTopic `wire:"0+"`
	ThrottleTimeMs int32                  `wire:"1+,ignorable"`
	// NodeEndpoints has the addresses of the leaders named in CurrentLeader.
	NodeEndpoints []NodeEndpoint `wire:"10+,tag=0"`
}

// APIKey returns Produce.
func (*ProduceResponse) APIKey() APIKey { return Produce }

func (*ProduceResponse) isResponse() {}

// ProduceResponseTopic is the result for one topic.
type ProduceResponseTopic struct {
	Name               string                     `wire:"0+"`
	PartitionResponses []ProduceResponsePartition `wire:"0+"`
}

// ProduceResponsePartition is the result for one partition.
type ProduceResponsePartition struct {
	Index     int32 `wire:"0+"`
	ErrorCode Error `wire:"0+"`
	// BaseOffset is the offset of the first record appended; -1 on an error.
	BaseOffset int64 `wire:"0+"`
	// LogAppendTimeMs is the broker's time for topics with LogAppendTime, else -1.
	LogAppendTimeMs int64 `wire:"2+,default=-1,ignorable"`
	// LogStartOffset tells a producer whose id was forgotten whether retention was the reason.
	LogStartOffset int64 `wire:"5+,default=-1,ignorable"`
	// RecordErrors names the records that made the broker refuse the batch.
	RecordErrors []ProduceResponseRecordError `wire:"8+,ignorable"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string `wire:"8+,nullable=8+,ignorable"`
	// CurrentLeader is filled with NOT_LEADER_OR_FOLLOWER, so that the client need not ask for metadata.
	CurrentLeader LeaderIDAndEpoch `wire:"10+,tag=0"`
}

// ProduceResponseRecordError is one record that was refused.
type ProduceResponseRecordError struct {
	// BatchIndex counts from the first record of the batch.
	BatchIndex             int32   `wire:"8+"`
	BatchIndexErrorMessage *string `wire:"8+,nullable=8+"`
}
