// EndTxn commits or aborts a transaction, at its coordinator.
//
// Versions: v2 may answer PRODUCER_FENCED; v3 is flexible; v4 may answer TRANSACTION_ABORTABLE.

package wire

// EndTxnRequest ends a transaction.
type EndTxnRequest struct {
	TransactionalID string `wire:"0+"`
	ProducerID      int64  `wire:"0+"`
	ProducerEpoch   int16  `wire:"0+"`
	// Committed is true to commit, false to abort.
	Committed bool `wire:"0+"`
}

// APIKey returns EndTxn.
func (*EndTxnRequest) APIKey() APIKey { return EndTxn }

func (*EndTxnRequest) isRequest() {}

// EndTxnResponse says whether the end is decided; the markers are written afterwards.
type EndTxnResponse struct {
	ThrottleTimeMs int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
}

// APIKey returns EndTxn.
func (*EndTxnResponse) APIKey() APIKey { return EndTxn }

func (*EndTxnResponse) isResponse() {}
