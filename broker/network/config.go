package network

import (
	"context"
	"crypto/tls"
	"math"
	"net"
	"time"
)

// Defaults of [Config], and limits that are not configurable.
const (
	// DefaultMaxRequestSize is Kafka's socket.request.max.bytes, in bytes.
	DefaultMaxRequestSize = 100 << 20
	// DefaultMaxRequestSizePreAuth is Kafka's sasl.server.max.receive.size, in bytes.
	DefaultMaxRequestSizePreAuth = 512 << 10
	// DefaultIdleTimeout is Kafka's connections.max.idle.ms.
	DefaultIdleTimeout = 10 * time.Minute
	// DefaultSetupTimeout bounds the TLS handshake and authentication together.
	DefaultSetupTimeout = 30 * time.Second
	// DefaultMaxPending is how many requests of one connection may be unfinished.
	DefaultMaxPending = 64
	// DefaultSendfileMin is the length in bytes from which a file range to another machine is sent with sendfile.
	DefaultSendfileMin = 128 << 10
	// DefaultCopyBudget bounds the memory, in bytes, that file ranges wait in for slow readers, over all connections.
	DefaultCopyBudget = 32 << 20

	// chunkSize is the buffer that a connection reads small frames into.
	chunkSize = 16 << 10
	// bulkChunkSize takes its place on a connection that has filled one: several batches of a producer then come with one system call.
	bulkChunkSize = 64 << 10
	// maxUnsent is how many response bytes in memory a connection may have queued before it stops reading.
	maxUnsent = 4 << 20
	// tryBudget is how many bytes a goroutine that is not the connection's own writes on its behalf.
	tryBudget = 64 << 10
	// copyChunk is how much of a file range is read and written at a time.
	copyChunk = 256 << 10
	// frameAhead bounds, over all connections, frame memory that was allocated before its bytes arrived. Above it frames
	// grow by doubling only.
	frameAhead = 64 << 20
)

// Unlimited is a limit that is never reached, Kafka's Int.MAX.
const Unlimited = math.MaxInt32

// Config says how a [Server] listens and what bounds it. The zero value of a field means its default.
type Config struct {
	// Listeners are bound by Start, in this order. At least one.
	Listeners []Listener
	// Listen makes the sockets; nil means a net.ListenConfig. Tests pass an in-memory network's.
	Listen func(ctx context.Context, network, addr string) (net.Listener, error)

	// MaxRequestSize is the largest frame in bytes (socket.request.max.bytes). A larger one closes the connection.
	MaxRequestSize int
	// MaxRequestSizePreAuth is the same until the connection is authenticated (sasl.server.max.receive.size).
	MaxRequestSizePreAuth int
	// QueuedMaxBytes bounds the bytes of unfinished requests over all connections (queued.max.request.bytes). When it is
	// used up connections stop reading. As in Kafka the last request let in may exceed it. <= 0 means no bound.
	QueuedMaxBytes int64
	// MaxPending is how many requests of one connection may be unfinished before it stops reading. 1 is Kafka's muting.
	MaxPending int

	// IdleTimeout closes connections on which nothing was read or written for so long and no request is unfinished
	// (connections.max.idle.ms), as well as those in the middle of a frame, or that take no response, for so long. <0
	// means never.
	IdleTimeout time.Duration
	// SetupTimeout bounds TLS handshake plus authentication. <0 means that only IdleTimeout does.
	SetupTimeout time.Duration
	// FailedAuthenticationDelay is waited between the answer to a failed authentication and closing
	// (connection.failed.authentication.delay.ms).
	FailedAuthenticationDelay time.Duration

	// Limits are the connection limits at the start; nil means none. See [Server.SetLimits].
	Limits *Limits

	// SendBuffer and ReceiveBuffer set SO_SNDBUF and SO_RCVBUF in bytes (socket.send.buffer.bytes, socket.receive.buffer.bytes). <= 0
	// leaves them to the system. Both are set on accepted sockets.
	SendBuffer, ReceiveBuffer int

	// Sendfile says when file ranges bypass memory.
	Sendfile SendfilePolicy
	// SendfileMin is the shortest range in bytes for which sendfile is taken.
	SendfileMin int
	// CopyBudget bounds the memory in bytes lent to file ranges on their way to slow readers. Above it sendfile is
	// taken where the connection allows, else small pieces.
	CopyBudget int64

	// Hooks are told what happens.
	Hooks Hooks
}

// SendfilePolicy says when a file range is sent with sendfile. It never is over TLS, in memory, or off Linux.
type SendfilePolicy uint8

const (
	// SendfileAuto takes sendfile for long ranges to other machines. On loopback copying is cheaper.
	SendfileAuto SendfilePolicy = iota
	// SendfileNever always copies.
	SendfileNever
	// SendfileAlways takes sendfile for long ranges to anyone.
	SendfileAlways
)

// Listener is one entry of Kafka's listeners.
type Listener struct {
	// Name is the listener's name, unique among the listeners.
	Name string
	// SecurityProtocol is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL. It is information; TLS and Authenticator decide.
	SecurityProtocol string
	// Host is the address to bind; empty means all interfaces.
	Host string
	// Port is the port to bind; 0 lets the system choose, see [Server.Addr].
	Port int
	// TLS, when set, makes this a TLS listener. It must hold certificates or the callbacks that give them.
	TLS *tls.Config
	// Authenticator finds out who the peer is; nil makes everyone [Anonymous].
	Authenticator Authenticator
	// Paused binds the port but accepts nobody until [Server.Resume]: clients wait in the backlog.
	Paused bool
	// Protected listeners (Kafka: the inter-broker listener) are exempt from the broker-wide connection limits; when
	// those are full, the least recently used connection of another listener makes way. Without another listener it means
	// nothing.
	Protected bool
}

// Limits bound connections. A limit is exact: 0 admits none; use [Unlimited] for none.
type Limits struct {
	// MaxConnections is for the whole broker (max.connections). When it is reached accepting waits.
	MaxConnections int
	// MaxPerIP is per source address (max.connections.per.ip). A connection above it is closed at once.
	MaxPerIP int
	// PerIP replaces MaxPerIP for single addresses (max.connections.per.ip.overrides); the key is an address as
	// net.IP.String gives it.
	PerIP map[string]int
	// CreationRate is how many connections per second the broker accepts (max.connection.creation.rate); more wait.
	CreationRate float64
	// Listeners has further limits of single listeners, by name.
	Listeners map[string]ListenerLimits
}

// ListenerLimits are limits of one listener (listener.name.<name>.max.connections and max.connection.creation.rate).
type ListenerLimits struct {
	// MaxConnections is as in [Limits], for the listener.
	MaxConnections int
	// CreationRate is as in [Limits], for the listener.
	CreationRate float64
}

// NoLimits returns limits that are never reached.
func NoLimits() Limits {
	return Limits{MaxConnections: Unlimited, MaxPerIP: Unlimited, CreationRate: Unlimited}
}

// Hooks are told what happens; any may be nil. They are called from connection goroutines and from whoever finishes a
// request, at once and concurrently: they must be quick and must not call back into the server.
type Hooks struct {
	// ConnectionOpened is called for a connection that was let in, before TLS and authentication.
	ConnectionOpened func(c *Conn)
	// ConnectionClosed is called once for each opened connection. err says more where there is more to say.
	ConnectionClosed func(c *Conn, reason CloseReason, err error)
	// ConnectionRejected is called for a connection that a limit closed or made wait.
	ConnectionRejected func(listener string, remote net.Addr, reason RejectReason)
	// AcceptFailed is called when accepting failed (no file descriptors left, say); it is tried again after a pause.
	AcceptFailed func(listener string, err error)
	// BytesIn and BytesOut are called for bytes read from and written to a connection after TLS.
	BytesIn, BytesOut func(c *Conn, n int)
	// RequestDone is called when a request's response has been written, or it was finished without one, or its
	// connection closed first. The body is gone.
	RequestDone func(r *Request, t Timing)
	// FinishedTwice is called when a handler finishes a request again: a bug of the handler, otherwise ignored.
	FinishedTwice func(r *Request)
}

// Timing says how a request spent its time. Times that did not happen are zero.
type Timing struct {
	// Received is when its last bytes had been read.
	Received time.Time
	// Finished is when the handler finished it.
	Finished time.Time
	// Ready is when the requests before it had been answered, so that its response could go.
	Ready time.Time
	// Sent is when the last byte of the response had been given to the system. Zero when it was not sent.
	Sent time.Time
	// Pending tells that the request was still unfinished when ServeRequest returned; Served is when that was.
	Pending bool
	Served  time.Time
	// RequestBytes and ResponseBytes are frame sizes, including the size field.
	RequestBytes, ResponseBytes int
}

func (c *Config) withDefaults() Config {
	out := *c
	setDefault(&out.MaxRequestSize, DefaultMaxRequestSize)
	setDefault(&out.MaxRequestSizePreAuth, DefaultMaxRequestSizePreAuth)
	setDefault(&out.MaxPending, DefaultMaxPending)
	setDefault(&out.IdleTimeout, DefaultIdleTimeout)
	setDefault(&out.SetupTimeout, DefaultSetupTimeout)
	setDefault(&out.SendfileMin, DefaultSendfileMin)
	setDefault(&out.CopyBudget, DefaultCopyBudget)
	if out.Listen == nil {
		var lc net.ListenConfig
		out.Listen = lc.Listen
	}
	return out
}

func setDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}
