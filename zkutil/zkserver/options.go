package zkserver

import (
	"errors"
	"fmt"
	"time"
)

// Errors of the server's own methods.
var (
	// ErrClosed says that the server was closed before.
	ErrClosed = errors.New("zookeeper server closed")
	// ErrNoHead says that the number of a head is out of range.
	ErrNoHead = errors.New("no such head")
)

// Options configure a Server. The zero value is a server in memory that any client can use.
type Options struct {
	// TickTime is the granularity of session expiry: a session ends within one tick after its timeout. Default 200 ms.
	// The original's default of 2 s makes sessions end up to 2 s late and bounds them to 4 s from below.
	TickTime time.Duration

	// MinSessionTimeout and MaxSessionTimeout bound what clients ask for. Defaults: 2 ticks and 5 minutes
	// (20 ticks in the original, which with our short tick would be too little for the 18 s of a Kafka broker).
	MinSessionTimeout time.Duration
	MaxSessionTimeout time.Duration

	// MaxFrame is the largest request in bytes, without its length field (jute.maxbuffer). Default 1,048,575.
	// One byte more closes the connection.
	MaxFrame int

	// MaxConnections bounds the open connections; one more is closed at once. Default 4096.
	MaxConnections int

	// MaxQueue bounds the bytes that wait for one slow connection; beyond, it is closed. Default 32 MiB.
	MaxQueue int

	// MaxSessions bounds the sessions, MaxWatches the watches of one connection (and, at 64 bytes each, their paths), MaxData the
	// bytes of all paths, data and long ACLs. Defaults: 65,536, 1,048,576 and 1 GiB. The connection with a session or a watch
	// too many is closed; a write that does not fit is answered with QUOTAEXCEEDED.
	MaxSessions int
	MaxWatches  int
	MaxData     int64

	// HandshakeTimeout is how long a connection may stay open without a session. Default 10 s.
	HandshakeTimeout time.Duration

	// Dir keeps the tree and the sessions over restarts, in a log file in this directory, which is made if need be.
	// Empty: in memory only.
	Dir string

	// SyncInterval is the time between fsyncs of the log. A write is always in the page cache before it is answered, so
	// the death of the process loses nothing. Default 50 ms; negative: fsync before answering, batched over all clients.
	SyncInterval time.Duration

	// SnapshotBytes is the growth of the log after which it is rewritten as a snapshot of the tree. Default 64 MiB.
	SnapshotBytes int64

	// DropSessions forgets the sessions of the log, and their ephemerals, at start. Default: they resume with a fresh
	// timeout, as in the original.
	DropSessions bool

	// Heads is the number of servers that one state is seen through, like the members of an ensemble. Default 1.
	Heads int

	// ExtendedTypes allows TTL nodes (zookeeper.extendedTypesEnabled).
	ExtendedTypes bool

	// SweepInterval is the time between two sweeps of empty containers and old TTL nodes. Default 1 minute.
	SweepInterval time.Duration

	// SuperDigest is the id, as Digest makes it, whose owner passes every ACL. Empty: nobody.
	SuperDigest string

	// Users are the users of the SASL mechanism DIGEST-MD5, with their passwords: the options user_NAME of the section Server of a real
	// ZooKeeper's login configuration. A client that proves to be one of them has the identity sasl:NAME. With none, SASL messages are answered
	// as a server without such a section does, and there is no scheme sasl.
	Users map[string]string

	// X509 takes the identity x509:SUBJECT from the certificate of a client that comes through a TLS listener (Serve) and showed one.
	X509 bool

	// Seed makes passwords and the order of children and of deletions at a session's end repeatable. 0: random.
	Seed int64

	// StartZxid is the first transaction id's predecessor. 0: derived from the clock, so that a server that lost its
	// data is ahead of all its old clients. With Dir, the log's last one counts if it is higher.
	StartZxid int64

	// Sink hears of what happens to sessions, connections and the log. It is called from several of the server's goroutines,
	// also at once, and must neither block nor call the server.
	Sink func(Event)
}

// EventKind names what an Event tells.
type EventKind string

// The kinds of events.
const (
	SessionOpened      EventKind = "session opened"
	SessionResumed     EventKind = "session resumed"
	SessionClosed      EventKind = "session closed"
	SessionExpired     EventKind = "session expired"
	SessionRefused     EventKind = "session refused" // unknown id or wrong password
	Authenticated      EventKind = "client authenticated"
	AuthFailed         EventKind = "client authentication failed"
	ConnectionRejected EventKind = "connection rejected" // too many, bad handshake, or a client ahead of this server
	ConnectionCut      EventKind = "connection cut"      // protocol violation or full queue: see Err
	LogOpened          EventKind = "log opened"          // Err tells of a torn tail that was cut off, if any
	LogRewritten       EventKind = "log rewritten"
	ServerFailed       EventKind = "server failed" // the log cannot be written: the server is closing
)

// Event is one thing that happened.
type Event struct {
	Kind    EventKind
	Session int64  // 0 when there is none
	Remote  string // the connection's address or name; empty when there is none
	Err     error
}

func (o Options) withDefaults() (Options, error) {
	def := func(p *time.Duration, v time.Duration) {
		if *p == 0 {
			*p = v
		}
	}
	def(&o.TickTime, 200*time.Millisecond)
	def(&o.MinSessionTimeout, 2*o.TickTime)
	def(&o.MaxSessionTimeout, 5*time.Minute)
	def(&o.HandshakeTimeout, 10*time.Second)
	def(&o.SyncInterval, 50*time.Millisecond)
	def(&o.SweepInterval, time.Minute)
	if o.MaxFrame == 0 {
		o.MaxFrame = 0xfffff
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = 4096
	}
	if o.MaxQueue == 0 {
		o.MaxQueue = 32 << 20
	}
	if o.MaxSessions == 0 {
		o.MaxSessions = 1 << 16
	}
	if o.MaxWatches == 0 {
		o.MaxWatches = 1 << 20
	}
	if o.MaxData == 0 {
		o.MaxData = 1 << 30
	}
	if o.SnapshotBytes == 0 {
		o.SnapshotBytes = 64 << 20
	}
	if o.Heads == 0 {
		o.Heads = 1
	}
	switch {
	case o.TickTime < time.Millisecond:
		return o, fmt.Errorf("tick time %v below 1 ms", o.TickTime)
	case o.MinSessionTimeout < time.Millisecond || o.MaxSessionTimeout < o.MinSessionTimeout || o.MaxSessionTimeout > 1<<31*time.Millisecond-1:
		return o, fmt.Errorf("session timeout bounds [%v, %v] out of order", o.MinSessionTimeout, o.MaxSessionTimeout)
	case o.MaxFrame < 64 || o.MaxFrame > 1<<30:
		return o, fmt.Errorf("maximum frame %d out of [64, 2^30]", o.MaxFrame)
	case o.MaxConnections < 0 || o.MaxSessions < 0 || o.MaxWatches < 0 || o.MaxData < 0 || o.MaxQueue < 0 || o.SnapshotBytes < 0 || o.HandshakeTimeout < 0 || o.SweepInterval < 0 || o.StartZxid < 0:
		return o, errors.New("negative limit")
	case o.Heads < 0 || o.Heads > 64:
		return o, fmt.Errorf("%d heads out of [1, 64]", o.Heads)
	}
	return o, nil
}
