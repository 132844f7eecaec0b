package peers

import (
	"context"
	"net"
	"strconv"
	"time"

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
}

func (c Config) dial(ctx context.Context, host string, port int32) (*network.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, c.ConnectTimeout)
	defer cancel()
	return network.Dial(ctx, network.DialConfig{
		Dial: c.Dial, ClientID: c.ClientID, SetupTimeout: c.ConnectTimeout, RequestTimeout: c.RequestTimeout, MaxInFlight: 1,
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
func (c conn) Do(ctx context.Context, req wire.Request, version int16) (wire.Response, error) {
	return c.Client.Do(ctx, req, version)
}
