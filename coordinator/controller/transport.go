package controller

import (
	"context"

	"github.com/prekraft/prekraft/broker/wire"
)

// Endpoint is where the controller reaches a broker: the endpoint of its registration that belongs to the listener the
// controller uses.
type Endpoint struct {
	BrokerID         int32
	Host             string
	Port             int32
	Listener         string // Listener name as registered, for example INTERNAL.
	SecurityProtocol string // PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
}

// Transport opens connections to brokers.
type Transport interface {
	// Dial connects, authenticates and returns a connection ready for requests. If nobody listens at the address, the
	// error satisfies errors.Is(err, syscall.ECONNREFUSED).
	Dial(ctx context.Context, to Endpoint) (Conn, error)
}

// Conn is one connection to a broker. The controller has one request in flight at a time.
type Conn interface {
	// Do sends a request with the given correlation id and returns its response. After an error the connection is not used again.
	Do(ctx context.Context, req wire.Request, version int16, correlationID int32) (wire.Response, error)
	// Close closes the connection; a Do under way returns an error.
	Close() error
}

// Notifier is implemented by a Conn that notices when the other side goes away although nothing is being sent. With it
// a crashed broker is found in about a millisecond instead of at the next request.
type Notifier interface {
	// Done is closed when the connection is broken or closed.
	Done() <-chan struct{}
}
