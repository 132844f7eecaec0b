// ListTransactions lists the transactional ids that the answering broker coordinates.
//
// Versions: v1 filters by duration.

package wire

// ListTransactionsRequest filters the transactions; empty filters mean all.
type ListTransactionsRequest struct {
	StateFilters      []string `wire:"0+"`
	ProducerIDFilters []int64  `wire:"0+"`
	// DurationFilter asks for transactions open for longer than that many milliseconds; -1 for all.
	DurationFilter int64 `wire:"1+,default=-1"`
}

// APIKey returns ListTransactions.
func (*ListTransactionsRequest) APIKey() APIKey { return ListTransactions }

func (*ListTransactionsRequest) isRequest() {}

// ListTransactionsResponse has the transactions.
type ListTransactionsResponse struct {
	ThrottleTimeMs int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
	// UnknownStateFilters are the states asked for that the broker does not know.
	UnknownStateFilters []string                              `wire:"0+"`
	TransactionStates   []ListTransactionsResponseTransaction `wire:"0+"`
}

// APIKey returns ListTransactions.
func (*ListTransactionsResponse) APIKey() APIKey { return ListTransactions }

func (*ListTransactionsResponse) isResponse() {}

// ListTransactionsResponseTransaction is one transactional id.
type ListTransactionsResponseTransaction struct {
	TransactionalID  string `wire:"0+"`
	ProducerID       int64  `wire:"0+"`
	TransactionState string `wire:"0+"`
}
