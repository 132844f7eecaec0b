package network

// Anonymous is the principal of a connection nobody authenticated, as Kafka writes it.
const Anonymous = "User:ANONYMOUS"

// Authenticator finds out who is on the other side of a connection before the handler sees a request of it.
type Authenticator interface {
	// Begin is called in the connection's goroutine, after the TLS handshake. A listener that knows the peer from its
	// certificate alone returns an [Authentication] that is done.
	Begin(c *Conn) (Authentication, error)
}

// Authentication is the state of one connection's authentication; it is used by one goroutine. SASL fits here: its frames
// are Kafka requests first (ApiVersions, SaslHandshake), and then either SaslAuthenticate requests or bare tokens, so what
// it gets is the frame and not a parsed request.
type Authentication interface {
	// Principal returns the peer's principal ("User:alice") once it is known.
	Principal() (name string, done bool)
	// Frame takes the next frame without its size field, lent until it returns. A reply that is not nil is sent, with a size
	// field before it, also when err is not nil; an error then closes the connection after
	// Config.FailedAuthenticationDelay. The reply must stay unchanged until the next call.
	Frame(frame []byte) (reply []byte, err error)
}
