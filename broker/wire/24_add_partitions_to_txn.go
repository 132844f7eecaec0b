// AddPartitionsToTxn adds partitions to a transaction, at its coordinator.
//
// Versions: v2 may answer PRODUCER_FENCED; v3 is flexible; v4 is for brokers, which verify or add partitions of
// several transactions at once; v5 may answer TRANSACTION_ABORTABLE.

package wire

// AddPartitionsToTxnRequest names transactions and partitions.
type AddPartitionsToTxnRequest struct {
	// Transactions is the request of a broker, from version 4.
	Transactions []AddPartitionsToTxnRequestTransaction `wire:"4+"`
	// V3AndBelowTransactionalID and the fields after it are the request of a client, before version 4.
	V3AndBelowTransactionalID string                           `wire:"0-3"`
	V3AndBelowProducerID      int64                            `wire:"0-3"`
	V3AndBelowProducerEpoch   int16                            `wire:"0-3"`
	V3AndBelowTopics          []AddPartitionsToTxnRequestTopic `wire:"0-3"`
}

// APIKey returns AddPartitionsToTxn.
func (*AddPartitionsToTxnRequest) APIKey() APIKey { return AddPartitionsToTxn }

func (*AddPartitionsToTxnRequest) isRequest() {}

// AddPartitionsToTxnRequestTransaction is one transaction.
type AddPartitionsToTxnRequestTransaction struct {
	TransactionalID string `wire:"4+"`
	ProducerID      int64  `wire:"4+"`
	ProducerEpoch   int16  `wire:"4+"`
	// VerifyOnly asks whether the partitions are in the transaction and adds none.
	VerifyOnly bool                             `wire:"4+"`
	Topics     []AddPartitionsToTxnRequestTopic `wire:"4+"`
}

// AddPartitionsToTxnRequestTopic has the partitions of one topic.
type AddPartitionsToTxnRequestTopic struct {
	Name       string  `wire:"0+"`
	Partitions []int32 `wire:"0+"`
}

// AddPartitionsToTxnResponse has the result for each partition.
type AddPartitionsToTxnResponse struct {
	ThrottleTimeMs int32 `wire:"0+"`
	// ErrorCode is about the whole request.
	ErrorCode Error `wire:"4+,ignorable"`
	// ResultsByTransaction is the answer from version 4.
	ResultsByTransaction []AddPartitionsToTxnResponseTransaction `wire:"4+"`
	// ResultsByTopicV3AndBelow is the answer before version 4.
	ResultsByTopicV3AndBelow []AddPartitionsToTxnResponseTopic `wire:"0-3"`
}

// APIKey returns AddPartitionsToTxn.
func (*AddPartitionsToTxnResponse) APIKey() APIKey { return AddPartitionsToTxn }

func (*AddPartitionsToTxnResponse) isResponse() {}

// AddPartitionsToTxnResponseTransaction is the result for one transaction.
type AddPartitionsToTxnResponseTransaction struct {
	TransactionalID string                            `wire:"4+"`
	TopicResults    []AddPartitionsToTxnResponseTopic `wire:"4+"`
}

// AddPartitionsToTxnResponseTopic has the results for one topic.
type AddPartitionsToTxnResponseTopic struct {
	Name               string                                `wire:"0+"`
	ResultsByPartition []AddPartitionsToTxnResponsePartition `wire:"0+"`
}

// AddPartitionsToTxnResponsePartition is the result for one partition.
type AddPartitionsToTxnResponsePartition struct {
	PartitionIndex     int32 `wire:"0+"`
	PartitionErrorCode Error `wire:"0+"`
}
