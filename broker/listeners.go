package broker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// networkConfig brings the listener and socket configs into the form of the network server.
func networkConfig(c *config.Config, o *Options) (network.Config, error) {
	n := network.Config{
		Listen:         o.Listen,
		MaxRequestSize: c.Int(config.SocketRequestMaxBytes),
		QueuedMaxBytes: c.Long(config.QueuedMaxRequestBytes),
		IdleTimeout:    c.Duration(config.ConnectionsMaxIdleMs),
		SendBuffer:     socketBuffer(c, config.SocketSendBufferBytes),
		ReceiveBuffer:  socketBuffer(c, config.SocketReceiveBufferBytes),
	}
	limits := networkLimits(c)
	n.Limits = &limits
	interBroker := c.Listeners().InterBroker
	for _, e := range c.Listeners().Bound {
		if e.Protocol != config.Plaintext {
			return n, fmt.Errorf("listener %s: security protocol %s is not served by this broker yet; use PLAINTEXT", e.Name, e.Protocol)
		}
		n.Listeners = append(n.Listeners, network.Listener{
			Name: e.Name, SecurityProtocol: e.Protocol.String(), Host: e.Host, Port: e.Port, Protected: e.Name == interBroker,
		})
	}
	return n, nil
}

// socketBuffer is the size of a socket's buffer if somebody has given one, else 0: the system then lets it grow with what the connection carries. Kafka's defaults of 64 and 100 KiB are fixed
// sizes, with which a megabyte takes a dozen turns of sleeping and waking on either side.
func socketBuffer(c *config.Config, key config.IntKey) int {
	if !c.Given(string(key)) {
		return 0
	}
	return c.Int(key)
}

// networkLimits are the connection limits, which may change while the broker runs.
func networkLimits(c *config.Config) network.Limits {
	l := network.Limits{
		MaxConnections: c.Int(config.MaxConnections), MaxPerIP: c.Int(config.MaxConnectionsPerIP), PerIP: c.MaxConnectionsPerIPOverrides(),
		CreationRate: float64(c.Int(config.MaxConnectionCreationRate)), Listeners: map[string]network.ListenerLimits{},
	}
	for _, e := range c.Listeners().Bound {
		own := c.ForListener(e.Name)
		l.Listeners[e.Name] = network.ListenerLimits{MaxConnections: own.Int(config.MaxConnections), CreationRate: float64(own.Int(config.MaxConnectionCreationRate))}
	}
	return l
}

// advertised returns the endpoints that this broker publishes. A port that was left to the system is filled in from the bound listener, an empty host with this
// machine's name, as Kafka does.
func advertised(c *config.Config, bound func(listener string) net.Addr) ([]znode.Endpoint, error) {
	var endpoints []znode.Endpoint
	for _, e := range c.Listeners().Advertised {
		port := e.Port
		if port == 0 {
			_, text, err := net.SplitHostPort(bound(e.Name).String())
			if err != nil {
				return nil, err
			}
			if port, err = strconv.Atoi(text); err != nil {
				return nil, err
			}
		}
		host := e.Host
		if host == "" {
			name, err := os.Hostname()
			if err != nil {
				return nil, errors.New("no host to advertise: set advertised.listeners")
			}
			host = name
		}
		endpoints = append(endpoints, znode.Endpoint{Listener: e.Name, Protocol: e.Protocol.String(), Host: host, Port: int32(port)})
	}
	return endpoints, nil
}

// misleading returns a warning about an advertised address that can't be what its operator wants: one that only this machine can use behind a listener that others reach.
func misleading(c *config.Config) string {
	for _, e := range c.Listeners().Advertised {
		bound, ok := config.Named(c.Listeners().Bound, e.Name)
		if ok && isLoopbackName(e.Host) && !isLoopbackName(bound.Host) {
			return fmt.Sprintf("listener %s is reachable from other machines (%s) but advertises %s: clients elsewhere will connect to themselves; set advertised.listeners",
				e.Name, bound.Address(), e.Address())
		}
	}
	return ""
}

func isLoopbackName(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
