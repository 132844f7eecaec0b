package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/clients/kafka"
)

// callTimeout bounds one request of a command.
const callTimeout = 60 * time.Second

// caller speaks the protocol directly, for what sarama's admin doesn't give: error texts, requests about some partitions of a topic, newer versions.
// It belongs to one goroutine.
type caller struct {
	a        *app
	conns    map[string]*network.Client
	versions map[wire.APIKey]int16 // the newest that the first broker and we know
	cluster  *wire.MetadataResponse
}

// caller connects to the first bootstrap broker that answers; the caller closes it.
func (a *app) caller(ctx context.Context) (*caller, error) {
	c := &caller{a: a, conns: map[string]*network.Client{}}
	var errs []error
	for _, address := range kafka.Bootstrap(a.bootstrap) {
		conn, err := c.dial(ctx, address)
		if err == nil {
			err = c.negotiate(ctx, conn)
		}
		if err == nil {
			c.cluster, err = ask[*wire.MetadataResponse](ctx, conn, &wire.MetadataRequest{Topics: []wire.MetadataRequestTopic{}}, c.version(wire.Metadata))
		}
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	c.close()
	return nil, fmt.Errorf("no broker answers at %s; start a cluster with `prekraft dev`, or say where yours is with --bootstrap: %w", a.bootstrap, errors.Join(errs...))
}

func (c *caller) close() {
	for _, conn := range c.conns {
		_ = conn.Close() // nothing is under way on it
	}
}

func (c *caller) dial(ctx context.Context, address string) (*network.Client, error) {
	if conn := c.conns[address]; conn != nil && conn.Err() == nil {
		return conn, nil
	}
	conn, err := network.Dial(ctx, network.DialConfig{ClientID: "prekraft-cli", SetupTimeout: 5 * time.Second, RequestTimeout: callTimeout}, address)
	if err != nil {
		return nil, err
	}
	if old := c.conns[address]; old != nil {
		_ = old.Close()
	}
	c.conns[address] = conn
	return conn, nil
}

func (c *caller) negotiate(ctx context.Context, conn *network.Client) error {
	known, err := ask[*wire.ApiVersionsResponse](ctx, conn, &wire.ApiVersionsRequest{}, 0)
	if err != nil {
		return err
	}
	c.versions = map[wire.APIKey]int16{}
	for _, theirs := range known.APIKeys {
		for _, ours := range wire.APIs() {
			if ours.Key == theirs.APIKey && min(ours.MaxVersion, theirs.MaxVersion) >= max(ours.MinVersion, theirs.MinVersion) {
				c.versions[ours.Key] = min(ours.MaxVersion, theirs.MaxVersion)
			}
		}
	}
	return nil
}

// serves tells whether the brokers have an API.
func (c *caller) serves(key wire.APIKey) bool {
	_, ok := c.versions[key]
	return ok
}

// version is the newest version of an API that both sides know.
func (c *caller) version(key wire.APIKey) int16 { return c.versions[key] }

// addresses maps broker ids to where they listen.
func (c *caller) addresses() map[int32]string {
	addresses := map[int32]string{}
	for _, b := range c.cluster.Brokers {
		addresses[b.NodeID] = net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
	}
	return addresses
}

// metadata asks any broker about topics, all of them when names is nil.
func (c *caller) metadata(ctx context.Context, names []string) (*wire.MetadataResponse, error) {
	req := &wire.MetadataRequest{}
	if names != nil {
		req.Topics = []wire.MetadataRequestTopic{}
	}
	for _, name := range names {
		req.Topics = append(req.Topics, wire.MetadataRequestTopic{Name: &name})
	}
	resp, err := askAny[*wire.MetadataResponse](ctx, c, req)
	if err == nil {
		c.cluster = resp
	}
	return resp, err
}

// ask sends one request over a connection.
func ask[R wire.Response](ctx context.Context, conn *network.Client, req wire.Request, version int16) (R, error) {
	var none R
	resp, err := conn.Do(ctx, req, version)
	if err != nil {
		return none, err
	}
	return resp.(R), nil
}

// askBroker sends a request to one broker.
func askBroker[R wire.Response](ctx context.Context, c *caller, id int32, req wire.Request) (R, error) {
	var none R
	address, ok := c.addresses()[id]
	if !ok {
		return none, fmt.Errorf("broker %d isn't up", id)
	}
	if !c.serves(req.APIKey()) {
		return none, fmt.Errorf("the brokers don't serve %v", req.APIKey())
	}
	conn, err := c.dial(ctx, address)
	if err != nil {
		return none, err
	}
	return ask[R](ctx, conn, req, c.version(req.APIKey()))
}

// askAny sends a request to any broker that is up.
func askAny[R wire.Response](ctx context.Context, c *caller, req wire.Request) (R, error) {
	var errs []error
	for _, b := range c.cluster.Brokers {
		resp, err := askBroker[R](ctx, c, b.NodeID, req)
		if err == nil {
			return resp, nil
		}
		errs = append(errs, err)
	}
	var none R
	return none, errors.Join(append(errs, errors.New("no broker answers"))...)
}

// controllerPause is how long a command waits for a controller to be there, or to be another one.
const controllerPause = 100 * time.Millisecond

// askController sends a request to the controller, found anew until code says that the one that was asked is it or the time is over.
func askController[R wire.Response](ctx context.Context, c *caller, req wire.Request, code func(R) wire.Error) (R, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for {
		var resp R
		err := errors.New("there is no controller")
		if c.cluster.ControllerID >= 0 {
			resp, err = askBroker[R](ctx, c, c.cluster.ControllerID, req)
		}
		if err == nil && code(resp) != wire.NotController {
			return resp, nil
		}
		if err == nil {
			err = wire.NotController
		}
		if !c.serves(req.APIKey()) {
			return resp, err
		}
		select {
		case <-ctx.Done():
			return resp, err
		case <-time.After(controllerPause):
		}
		if _, again := c.metadata(ctx, []string{}); again != nil {
			return resp, errors.Join(err, again)
		}
	}
}

// responseError is the error of an answer with Kafka's text, nil for none.
func responseError(code wire.Error, message *string) error {
	switch {
	case code == wire.None:
		return nil
	case message != nil && *message != "":
		return fmt.Errorf("%s: %s", code.Name(), *message)
	}
	return code
}
