// DescribeTransactions tells the state of transactional ids, at their coordinators.

package wire

// DescribeTransactionsRequest names transactional ids.
type DescribeTransactionsRequest struct {
	TransactionalIDs []string `wire:"0+"`
}

// APIKey returns DescribeTransactions.
func (*DescribeTransactionsRequest) APIKey() APIKey { return DescribeTransactions }

func (*DescribeTransactionsRequest) isRequest() {}

// DescribeTransactionsResponse has their states.
type DescribeTransactionsResponse struct {
	ThrottleTimeMs    int32                                     `wire:"0+"`
	TransactionStates []DescribeTransactionsResponseTransaction `wire:"0+"`
}

// APIKey returns DescribeTransactions.
func (*DescribeTransactionsResponse) APIKey() APIKey { return DescribeTransactions }

func (*DescribeTransactionsResponse) isResponse() {}

// DescribeTransactionsResponseTransaction is one transactional id.
type DescribeTransactionsResponseTransaction struct {
	ErrorCode       Error  `wire:"0+"`
	TransactionalID string `wire:"0+"`
	// TransactionState is Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort, Dead or
	// PrepareEpochFence.
	TransactionState     string `wire:"0+"`
	TransactionTimeoutMs int32  `wire:"0+"`
	// TransactionStartTimeMs is -1 when no transaction is open.
	TransactionStartTimeMs int64                               `wire:"0+"`
	ProducerID             int64                               `wire:"0+"`
	ProducerEpoch          int16                               `wire:"0+"`
	Topics                 []DescribeTransactionsResponseTopic `wire:"0+"`
}

// DescribeTransactionsResponseTopic has the partitions of one topic in the transaction.
type DescribeTransactionsResponseTopic struct {
	Topic      string  `wire:"0+"`
	Partitions []int32 `wire:"0+"`
}
