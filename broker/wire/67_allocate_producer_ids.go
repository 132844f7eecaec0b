// AllocateProducerIds is sent by a broker to the controller for its next block of producer ids.

package wire

// AllocateProducerIdsRequest asks for a block.
type AllocateProducerIdsRequest struct {
	BrokerID int32 `wire:"0+"`
	// BrokerEpoch is the sender's.
	BrokerEpoch int64 `wire:"0+,default=-1"`
}

// APIKey returns AllocateProducerIds.
func (*AllocateProducerIdsRequest) APIKey() APIKey { return AllocateProducerIds }

func (*AllocateProducerIdsRequest) isRequest() {}

// AllocateProducerIdsResponse is the block.
type AllocateProducerIdsResponse struct {
	ThrottleTimeMs int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
	// ProducerIDStart is the first id of the block.
	ProducerIDStart int64 `wire:"0+"`
	// ProducerIDLen is the number of ids.
	ProducerIDLen int32 `wire:"0+"`
}

// APIKey returns AllocateProducerIds.
func (*AllocateProducerIdsResponse) APIKey() APIKey { return AllocateProducerIds }

func (*AllocateProducerIdsResponse) isResponse() {}
