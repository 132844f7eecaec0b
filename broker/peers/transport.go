package peers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/controller"
)

// Dialer opens a network connection; a test or an in-memory network brings its own.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Config is what connections to brokers have in common.
type Config struct {
	Dial           Dialer
	ClientID       string
	ConnectTimeout time.Duration // controller.socket.timeout.ms
	RequestTimeout time.Duration // request.timeout.ms
	Inline         bool          // the goroutine that asks reads the response: see network.DialConfig
	ReceiveBuffer  int           // SO_RCVBUF in bytes; 0 leaves it to the system, which knows better than a fixed size
}

// DialBroker connects to the given listener of a broker, at the address that the metadata has for it now.
func (c Config) DialBroker(ctx context.Context, cache *metadata.Cache, listener string, id int32) (*network.Client, error) {
	broker := cache.Broker(id)
	if broker == nil {
		return nil, fmt.Errorf("broker %d: %w", id, ErrNotAlive)
	}
	endpoint, ok := broker.Endpoint(listener)
	if !ok {
		return nil, fmt.Errorf("broker %d has no listener %s: %w", id, listener, ErrNotAlive)
	}
	return c.dial(ctx, endpoint.Host, endpoint.Port)
}

// ErrNotAlive says that a broker isn't known to be alive, or not on that listener.
var ErrNotAlive = errors.New("broker is not available")

func (c Config) dial(ctx context.Context, host string, port int32) (*network.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, c.ConnectTimeout)
	defer cancel()
	return network.Dial(ctx, network.DialConfig{
		Dial: c.Dial, ClientID: c.ClientID, SetupTimeout: c.ConnectTimeout, RequestTimeout: c.RequestTimeout, MaxInFlight: 1, Inline: c.Inline, ReceiveBuffer: c.ReceiveBuffer,
	}, net.JoinHostPort(host, strconv.Itoa(int(port))))
}

// Transport opens the controller's connections. It implements controller.Transport.
type Transport struct{ Config }

// Dial connects to a broker.
func (t Transport) Dial(ctx context.Context, to controller.Endpoint) (controller.Conn, error) {
	client, err := t.dial(ctx, to.Host, to.Port)
	if err != nil {
		return nil, err
	}
	return conn{client}, nil
}

// conn narrows a client to what the controller uses, its Done included.
type conn struct{ *network.Client }

// Do sends one request.
func (c conn) Do(ctx context.Context, req wire.Request, version int16, correlationID int32) (wire.Response, error) {
	return c.DoNumbered(ctx, req, version, correlationID)
}
