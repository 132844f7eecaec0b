// SaslHandshake chooses the SASL mechanism of a connection.
//
// Versions: after v0 the tokens follow as bare blobs, after v1 in SaslAuthenticate.

package wire

// SaslHandshakeRequest names the mechanism the client wants.
type SaslHandshakeRequest struct {
	// Mechanism is 1 for SCRAM-SHA-256, 2 for SCRAM-SHA-512.
	Mechanism string `wire:"0+"`
}

// APIKey returns SaslHandshake.
func (*SaslHandshakeRequest) APIKey() APIKey { return SaslHandshake }

func (*SaslHandshakeRequest) isRequest() {}

// SaslHandshakeResponse names the mechanisms the broker has, on success too: some clients check it.
type SaslHandshakeResponse struct {
	ErrorCode  Error    `wire:"0+"`
	Mechanisms []string `wire:"0+"`
}

// APIKey returns SaslHandshake.
func (*SaslHandshakeResponse) APIKey() APIKey { return SaslHandshake }

func (*SaslHandshakeResponse) isResponse() {}
