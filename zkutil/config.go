package zkutil

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/prekraft/prekraft/zkutil/sasl"
)

// Config says how to reach ZooKeeper. Names in brackets are Kafka's.
type Config struct {
	// Connect is host:port,host:port/chroot (zookeeper.connect). The port is 2181 if absent.
	Connect string

	// SessionTimeout is what is asked for; the server may grant another (zookeeper.session.timeout.ms). Default 18 s. Too short: pauses
	// of the process cost the session; too long: a dead broker stays registered.
	SessionTimeout time.Duration

	// ConnectionTimeout bounds Connect only (zookeeper.connection.timeout.ms). Default: SessionTimeout.
	ConnectionTimeout time.Duration

	// MaxInFlight bounds the requests under way (zookeeper.max.in.flight.requests). Default 10.
	MaxInFlight int

	// MaxRequestBytes bounds the data of one request. Default 1,000,000, which leaves room for the path below the server's default
	// of 1,048,575 (jute.maxbuffer). More would make the server cut the connection.
	MaxRequestBytes int

	// SetACL protects what is created (zookeeper.set.acl). It needs an identity: SASL, a TLS with a certificate, or Auth.
	SetACL bool

	// SASL is who the client proves to be on every new connection before anything else is sent (DIGEST-MD5); nil: nobody. When the server
	// does not accept it, Connect fails at once with ErrAuthFailed, and a session that lived before is given up.
	SASL *sasl.Login

	// TLS secures every connection, above what Dial opens; nil: plain text. An empty ServerName becomes the host of the address. A client certificate in it is an
	// identity: ZooKeeper's scheme x509.
	TLS *tls.Config

	// Auth is sent on every new connection.
	Auth []AuthInfo

	// Dial opens connections; nil is a net.Dialer. It is called from a goroutine of the client and must return when ctx ends.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// OnEvent hears of what happens to the session, for telemetry. It is called from several goroutines and must never block nor call
	// the client.
	OnEvent func(SessionEvent)
}

// AuthInfo is an identity: the scheme "digest" with "user:password".
type AuthInfo struct {
	Scheme string
	Data   []byte
}

// Defaults of Config.
const (
	DefaultSessionTimeout  = 18 * time.Second
	DefaultMaxInFlight     = 10
	DefaultMaxRequestBytes = 1_000_000
	defaultPort            = "2181"

	// maxResponseBytes is what Kafka's client accepts (jute.maxbuffer).
	maxResponseBytes = 4 << 20
)

func (c Config) withDefaults() (Config, error) {
	if c.SessionTimeout == 0 {
		c.SessionTimeout = DefaultSessionTimeout
	}
	if c.ConnectionTimeout == 0 {
		c.ConnectionTimeout = c.SessionTimeout
	}
	if c.MaxInFlight == 0 {
		c.MaxInFlight = DefaultMaxInFlight
	}
	if c.MaxRequestBytes == 0 {
		c.MaxRequestBytes = DefaultMaxRequestBytes
	}
	switch {
	case c.SessionTimeout < time.Millisecond:
		return c, fmt.Errorf("session timeout %v is below 1 ms", c.SessionTimeout)
	case c.ConnectionTimeout < 0:
		return c, fmt.Errorf("connection timeout %v is negative", c.ConnectionTimeout)
	case c.MaxInFlight < 0:
		return c, fmt.Errorf("max in flight requests %d is negative", c.MaxInFlight)
	case c.MaxRequestBytes < 0:
		return c, fmt.Errorf("max request bytes %d is negative", c.MaxRequestBytes)
	case c.SetACL && len(c.Auth) == 0 && c.SASL == nil && !hasCertificate(c.TLS):
		return c, errors.New("ACLs are to be set, but the connection to ZooKeeper has no identity: configure authentication or turn ACLs off")
	}
	if c.SASL != nil {
		if err := c.SASL.Check(); err != nil {
			return c, fmt.Errorf("SASL: %w", err)
		}
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	return c, nil
}

func hasCertificate(c *tls.Config) bool {
	return c != nil && (len(c.Certificates) > 0 || c.GetClientCertificate != nil)
}

// ParseConnect splits a connect string into servers, each with a port, and the chroot, which is empty or starts with a slash and
// does not end with one.
func ParseConnect(s string) (servers []string, chroot string, err error) {
	hosts := s
	if i := strings.IndexByte(s, '/'); i >= 0 {
		hosts, chroot = s[:i], s[i:]
	}
	if chroot == "/" {
		chroot = ""
	}
	if strings.HasSuffix(chroot, "/") || strings.Contains(chroot, "//") {
		return nil, "", fmt.Errorf("chroot %q of connect string %q is no path", chroot, s)
	}
	if strings.Contains(chroot, ",") {
		return nil, "", fmt.Errorf("connect string %q: the chroot comes once, after the last server", s)
	}
	for h := range strings.SplitSeq(hosts, ",") {
		h = strings.TrimSpace(h)
		if h == "" {
			continue
		}
		host, port, err := net.SplitHostPort(h)
		if err != nil { // no port, or an IPv6 address without brackets
			host, port = strings.Trim(h, "[]"), defaultPort
		}
		servers = append(servers, net.JoinHostPort(host, port))
	}
	if len(servers) == 0 {
		return nil, "", fmt.Errorf("connect string %q names no server", s)
	}
	return servers, chroot, nil
}
