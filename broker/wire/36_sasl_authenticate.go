// SaslAuthenticate carries SASL tokens after SaslHandshake v1.
//
// Versions: v1 adds the session lifetime; v2 is flexible.

package wire

// SaslAuthenticateRequest is a token of the client.
type SaslAuthenticateRequest struct {
	// AuthBytes is the token as the mechanism defines it.
	AuthBytes []byte `wire:"0+"`
}

// APIKey returns SaslAuthenticate.
func (*SaslAuthenticateRequest) APIKey() APIKey { return SaslAuthenticate }

func (*SaslAuthenticateRequest) isRequest() {}

// SaslAuthenticateResponse is the broker's answer to it.
type SaslAuthenticateResponse struct {
	ErrorCode Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string `wire:"0+,nullable=0+"`
	// AuthBytes is the next token of the broker.
	AuthBytes []byte `wire:"0+"`
	// SessionLifetimeMs is when the client must authenticate again; 0 for never.
	SessionLifetimeMs int64 `wire:"1+,ignorable"`
}

// APIKey returns SaslAuthenticate.
func (*SaslAuthenticateResponse) APIKey() APIKey { return SaslAuthenticate }

func (*SaslAuthenticateResponse) isResponse() {}
