// Envelope carries a request that a broker forwards to the controller. In ZooKeeper mode nothing is forwarded.

package wire

// EnvelopeRequest wraps the request of a client.
type EnvelopeRequest struct {
	// RequestData is the request with its header.
	RequestData []byte `wire:"0+"`
	// RequestPrincipal is the serialized principal of the client.
	RequestPrincipal []byte `wire:"0+,nullable=0+"`
	// ClientHostAddress is the client's address in network byte order.
	ClientHostAddress []byte `wire:"0+"`
}

// APIKey returns Envelope.
func (*EnvelopeRequest) APIKey() APIKey { return Envelope }

func (*EnvelopeRequest) isRequest() {}

// EnvelopeResponse wraps the response.
type EnvelopeResponse struct {
	// ResponseData is the response with its header; null on an error.
	ResponseData []byte `wire:"0+,nullable=0+,default=null"`
	ErrorCode    Error  `wire:"0+"`
}

// APIKey returns Envelope.
func (*EnvelopeResponse) APIKey() APIKey { return Envelope }

func (*EnvelopeResponse) isResponse() {}
