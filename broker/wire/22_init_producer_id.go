// InitProducerId gives a producer its id and epoch; for a transactional id it ends what an older producer left
// open.
//
// Versions: v2 is flexible; v3 sends the id to bump; v4 may answer PRODUCER_FENCED; v5 may answer
// TRANSACTION_ABORTABLE.

package wire

// InitProducerIdRequest asks for a producer id.
type InitProducerIdRequest struct {
	// TransactionalID is null for a producer that is only idempotent.
	TransactionalID *string `wire:"0+,nullable=0+"`
	// TransactionTimeoutMs is how long a transaction may stay open.
	TransactionTimeoutMs int32 `wire:"0+"`
	// ProducerID is the id that the producer has and wants a new epoch for; -1 if it has none.
	ProducerID int64 `wire:"3+,default=-1"`
	// ProducerEpoch is the epoch that goes with ProducerID.
	ProducerEpoch int16 `wire:"3+,default=-1"`
}

// APIKey returns InitProducerId.
func (*InitProducerIdRequest) APIKey() APIKey { return InitProducerId }

func (*InitProducerIdRequest) isRequest() {}

// InitProducerIdResponse has id and epoch.
type InitProducerIdResponse struct {
	ThrottleTimeMs int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
	ProducerID     int64 `wire:"0+,default=-1"`
	ProducerEpoch  int16 `wire:"0+"`
}

// APIKey returns InitProducerId.
func (*InitProducerIdResponse) APIKey() APIKey { return InitProducerId }

func (*InitProducerIdResponse) isResponse() {}
