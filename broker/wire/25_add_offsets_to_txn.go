// AddOffsetsToTxn adds the offsets partition of a group to a transaction, at the transaction's coordinator.
//
// Versions: v2 may answer PRODUCER_FENCED; v3 is flexible; v4 may answer TRANSACTION_ABORTABLE.

package wire

// AddOffsetsToTxnRequest names a transaction and the group whose offsets it will commit.
type AddOffsetsToTxnRequest struct {
	TransactionalID string `wire:"0+"`
	ProducerID      int64  `wire:"0+"`
	ProducerEpoch   int16  `wire:"0+"`
	GroupID         string `wire:"0+"`
}

// APIKey returns AddOffsetsToTxn.
func (*AddOffsetsToTxnRequest) APIKey() APIKey { return AddOffsetsToTxn }

func (*AddOffsetsToTxnRequest) isRequest() {}

// AddOffsetsToTxnResponse says whether the group's offsets are part of the transaction now.
type AddOffsetsToTxnResponse struct {
	ThrottleTimeMs int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
}

// APIKey returns AddOffsetsToTxn.
func (*AddOffsetsToTxnResponse) APIKey() APIKey { return AddOffsetsToTxn }

func (*AddOffsetsToTxnResponse) isResponse() {}
