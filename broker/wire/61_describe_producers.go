// DescribeProducers tells which idempotent and transactional producers a replica remembers.

package wire

// DescribeProducersRequest names partitions.
type DescribeProducersRequest struct {
	Topics []DescribeProducersRequestTopic `wire:"0+"`
}

// APIKey returns DescribeProducers.
func (*DescribeProducersRequest) APIKey() APIKey { return DescribeProducers }

func (*DescribeProducersRequest) isRequest() {}

// DescribeProducersRequestTopic has the partitions of one topic.
type DescribeProducersRequestTopic struct {
	Name             string  `wire:"0+"`
	PartitionIndexes []int32 `wire:"0+"`
}

// DescribeProducersResponse has the producers of each partition.
type DescribeProducersResponse struct {
	ThrottleTimeMs int32                            `wire:"0+"`
	Topics         []DescribeProducersResponseTopic `wire:"0+"`
}

// APIKey returns DescribeProducers.
func (*DescribeProducersResponse) APIKey() APIKey { return DescribeProducers }

func (*DescribeProducersResponse) isResponse() {}

// DescribeProducersResponseTopic has the partitions of one topic.
type DescribeProducersResponseTopic struct {
	Name       string                               `wire:"0+"`
	Partitions []DescribeProducersResponsePartition `wire:"0+"`
}

// DescribeProducersResponsePartition is one partition.
type DescribeProducersResponsePartition struct {
	PartitionIndex int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage    *string                             `wire:"0+,nullable=0+"`
	ActiveProducers []DescribeProducersResponseProducer `wire:"0+"`
}

// DescribeProducersResponseProducer is one producer.
type DescribeProducersResponseProducer struct {
	ProducerID    int64 `wire:"0+"`
	ProducerEpoch int32 `wire:"0+"`
	// LastSequence is the sequence number of its last record; -1 if there is none.
	LastSequence int32 `wire:"0+,default=-1"`
	// LastTimestamp is the time of its last record in milliseconds; -1 if there is none.
	LastTimestamp    int64 `wire:"0+,default=-1"`
	CoordinatorEpoch int32 `wire:"0+"`
	// CurrentTxnStartOffset is where its open transaction begins; -1 if there is none.
	CurrentTxnStartOffset int64 `wire:"0+,default=-1"`
}
