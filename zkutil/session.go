package zkutil

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
)

// SessionState says how sure we are of the session.
type SessionState uint8

// The states of a session.
const (
	// Connected: requests are answered.
	Connected SessionState = iota + 1
	// Suspended: the connection is lost, the session surely lives.
	Suspended
	// PossiblyExpired: nothing was heard for two thirds of the session timeout. Somebody else may soon be, or already be, in our place: stop acting on
	// "I am the controller".
	PossiblyExpired
	// Expired: the server ended the session. A new one follows.
	Expired
)

// String gives the name of the state.
func (s SessionState) String() string {
	switch s {
	case Connected:
		return "connected"
	case Suspended:
		return "suspended"
	case PossiblyExpired:
		return "possibly expired"
	case Expired:
		return "expired"
	}
	return "unknown"
}

// Session names a session. A new session id is a new incarnation.
type Session struct {
	ID          int64
	Incarnation int // 1 for the first session of a client
	Timeout     time.Duration
}

// SessionEventKind names what happened to a session.
type SessionEventKind string

// The kinds of session events.
const (
	EventConnecting      SessionEventKind = "connecting"
	EventNewSession      SessionEventKind = "new session"
	EventReconnected     SessionEventKind = "reconnected"
	EventDisconnected    SessionEventKind = "disconnected"
	EventPossiblyExpired SessionEventKind = "session possibly expired"
	EventExpired         SessionEventKind = "session expired"
	EventDialFailed      SessionEventKind = "dial failed"
	EventAuthFailed      SessionEventKind = "authentication failed"
	EventClosed          SessionEventKind = "closed"
)

// SessionEvent is telemetry about a session.
type SessionEvent struct {
	Kind    SessionEventKind
	Session Session // ID is 0 before the first answer
	Server  string
	Err     error // of EventDialFailed and EventAuthFailed
}

const (
	// minBackoff and maxBackoff bound the pause after all servers were tried in vain.
	minBackoff = 50 * time.Millisecond
	maxBackoff = time.Second
	// maxHandshakeTimeout bounds the wait for a server that accepts connections and does not answer.
	maxHandshakeTimeout = 2 * time.Second
	// refusalsForExpiry is how many servers in a row must close the connection instead of answering the handshake, and wipedFactor for how many
	// session timeouts, until a session is given up. It happens when ZooKeeper lost its data: it then refuses all old clients, forever.
	refusalsForExpiry = 5
	wipedFactor       = 2
)

// session is one incarnation. Its zk.Conn serves this session only: after the end of the session the dialer refuses.
type session struct {
	c           *core
	incarnation int
	conn        *zk.Conn
	events      <-chan zk.Event // the library's channel; closed when its goroutines are gone
	ctx         context.Context
	cancel      context.CancelFunc

	first   chan struct{} // closed when the session exists
	done    chan struct{} // closed when the session has ended
	endOnce sync.Once

	id        atomic.Int64
	timeoutNs atomic.Int64
	closing   atomic.Bool
	contactNs atomic.Int64 // when the server was last heard, in nanoseconds since 1970

	mu struct {
		sync.Mutex
		connected   chan struct{} // closed while connected
		up          bool
		opened      bool // was connected once
		reconnected bool // to be handled by run
		fenced      bool // PossiblyExpired was reported
		wires       map[*wire]struct{}
		lastErr     error
		rejected    error // the server does not accept the identity
	}

	// Used by the library's connecting goroutine only.
	next     int
	failures int // dials in a row
	refusals int // handshakes in a row that ended without a byte
	pending  *wire
}

// open starts a session and waits until it exists.
func (c *core) open(ctx context.Context, incarnation int) (*session, error) {
	s := &session{c: c, incarnation: incarnation, first: make(chan struct{}), done: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.mu.connected = make(chan struct{})
	s.mu.wires = make(map[*wire]struct{})
	s.timeoutNs.Store(int64(c.cfg.SessionTimeout))
	s.contactNs.Store(time.Now().UnixNano())
	conn, events, err := zk.Connect(c.servers, c.cfg.SessionTimeout,
		zk.WithDialer(s.dial), zk.WithHostProvider(s), zk.WithEventCallback(s.onEvent), zk.WithLogger(silence{}), zk.WithLogInfo(false),
		zk.WithMaxBufferSize(maxResponseBytes))
	if err != nil {
		s.cancel()
		return nil, fmt.Errorf("connect to ZooKeeper at %s: %w", c.cfg.Connect, err)
	}
	s.conn, s.events = conn, events
	select {
	case <-s.first:
		if err = s.authenticate(ctx); err == nil {
			return s, nil
		}
	case <-s.done:
		err = s.endCause()
	case <-ctx.Done():
		err = s.connectError(ctx)
	}
	s.close()
	return nil, err
}

func (s *session) connectError(ctx context.Context) error {
	s.mu.Lock()
	cause := s.mu.lastErr
	s.mu.Unlock()
	if cause == nil {
		cause = errors.New("no answer")
	}
	return fmt.Errorf("connect to ZooKeeper at %s: %w (%w); check that it runs and that zookeeper.connect names it", s.c.cfg.Connect, cause, context.Cause(ctx))
}

// authenticate sends the identities. The library sends them again on every further connection of this session.
func (s *session) authenticate(ctx context.Context) error {
	for _, a := range s.c.cfg.Auth {
		for {
			ch := make(chan error, 1)
			go func() { ch <- s.conn.AddAuth(a.Scheme, a.Data) }()
			var err error
			select {
			case err = <-ch:
			case <-s.done:
				return ErrSessionExpired
			case <-ctx.Done():
				return s.connectError(ctx)
			}
			if err == nil {
				break
			}
			if o, err := translate(err); o == answered {
				return fmt.Errorf("authenticate with ZooKeeper at %s, scheme %s: %w", s.c.cfg.Connect, a.Scheme, err)
			}
		}
	}
	return nil
}

// close ends the session on the server if it is connected, and returns when the library's goroutines are gone.
func (s *session) close() {
	s.mu.Lock()
	up := s.mu.up
	s.mu.Unlock()
	closed := make(chan struct{})
	s.closing.Store(true)
	go func() {
		defer close(closed)
		s.conn.Close()
	}()
	if up {
		<-closed // sends closeSession and waits for the answer, a second at most
	}
	s.end(false)
	s.cancel() // ends dialing
	s.mu.Lock()
	for w := range s.mu.wires {
		go func() { _ = w.Close() }()
	}
	s.mu.Unlock()
	for range s.events {
		continue // until the library is gone
	}
	<-closed
}

// end marks the session as over.
func (s *session) end(tell bool) {
	s.endOnce.Do(func() {
		close(s.done)
		if tell {
			s.c.event(SessionEvent{Kind: EventExpired, Session: s.name()})
			s.c.wake()
		}
	})
}

func (s *session) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

func (s *session) name() Session {
	return Session{ID: s.id.Load(), Incarnation: s.incarnation, Timeout: time.Duration(s.timeoutNs.Load())}
}

// fence is when the session must be taken for possibly expired. The server counts from when it last heard us, which is at most a ping
// interval, a third of the timeout, before we last heard it.
func (s *session) fence() time.Time {
	return time.Unix(0, s.contactNs.Load()).Add(time.Duration(s.timeoutNs.Load()) * 2 / 3)
}

func (s *session) state(now time.Time) SessionState {
	if s.ended() {
		return Expired
	}
	s.mu.Lock()
	up := s.mu.up
	s.mu.Unlock()
	switch {
	case !now.Before(s.fence()):
		return PossiblyExpired
	case up:
		return Connected
	}
	return Suspended
}

// gate returns a channel that is closed while the session is connected.
func (s *session) gate() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.connected
}

// onEvent is the library's callback. It runs on the library's goroutines and only takes notes.
func (s *session) onEvent(ev zk.Event) {
	if ev.Type != zk.EventSession {
		s.onWatch(ev)
		return
	}
	switch ev.State {
	case zk.StateConnecting:
		if !s.ended() {
			s.c.event(SessionEvent{Kind: EventConnecting, Session: s.name(), Server: ev.Server})
		}
	case zk.StateHasSession:
		s.onConnected(ev.Server)
	case zk.StateExpired:
		s.end(true)
	case zk.StateDisconnected:
		s.onDisconnected(ev.Server)
	default:
	}
}

func (s *session) onConnected(server string) {
	s.failures, s.refusals = 0, 0
	s.mu.Lock()
	again := s.mu.opened
	s.mu.opened, s.mu.up, s.mu.fenced = true, true, false
	s.mu.reconnected = again
	if !again {
		close(s.first)
	}
	close(s.mu.connected)
	s.mu.Unlock()
	if again {
		s.c.event(SessionEvent{Kind: EventReconnected, Session: s.name(), Server: server})
		s.c.wake()
	}
}

// closeGrace is how long the library's last act waits for its Close to queue the request that ends the session. Without it that request
// would come too late to be failed, and Close would wait a second for the answer.
const closeGrace = 5 * time.Millisecond

func (s *session) onDisconnected(server string) {
	if s.closing.Load() {
		grace := time.NewTimer(closeGrace)
		defer grace.Stop()
		<-grace.C
	}
	s.mu.Lock()
	up := s.mu.up
	if up {
		s.mu.up = false
		s.mu.connected = make(chan struct{})
	}
	s.mu.Unlock()
	if up && !s.ended() {
		s.c.event(SessionEvent{Kind: EventDisconnected, Session: s.name(), Server: server})
		s.c.wake()
	}
}

func (s *session) onWatch(ev zk.Event) {
	switch ev.Type {
	case zk.EventNodeCreated:
		s.c.watches.fire(watchKey{watchData, ev.Path}, Created)
	case zk.EventNodeDataChanged:
		s.c.watches.fire(watchKey{watchData, ev.Path}, DataChanged)
	case zk.EventNodeDeleted:
		s.c.watches.fire(watchKey{watchData, ev.Path}, Deleted)
	case zk.EventNodeChildrenChanged:
		s.c.watches.fire(watchKey{watchChildren, ev.Path}, ChildrenChanged)
	default:
	}
}

// Init, Len, Next and Connected make the session the library's host provider. Names are not resolved here: the dialer does that each time.
func (s *session) Init([]string) error { return nil }

// Len gives the number of servers.
func (s *session) Len() int { return len(s.c.servers) }

// Next gives the next server. Asking the library to start over makes it fail queued requests and pause for a second; it is also the only
// place where it notices that it was closed.
func (s *session) Next() (server string, retryStart bool) {
	server = s.c.servers[s.next%len(s.c.servers)]
	s.next++
	return server, s.ended() || s.ctx.Err() != nil
}

// Connected is called after a handshake.
func (s *session) Connected() {}

// dial opens a connection for the library. After all servers have failed it waits a little before the next round.
func (s *session) dial(network, addr string, _ time.Duration) (net.Conn, error) {
	if w := s.pending; w != nil {
		s.pending = nil
		switch {
		case !w.gotByte.Load():
			s.handshakeFailed(w.refused.Load())
		case w.unidentified.Load():
			s.failures++
		}
	}
	if n := s.failures / len(s.c.servers); n > 0 && s.failures%len(s.c.servers) == 0 {
		pause := time.NewTimer(min(minBackoff<<min(n-1, 10), maxBackoff))
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-s.ctx.Done():
		case <-s.done:
		}
	}
	if s.ended() || s.ctx.Err() != nil {
		return nil, ErrSessionExpired
	}
	timeout := min(max(s.c.cfg.SessionTimeout/3, 10*time.Millisecond), maxHandshakeTimeout)
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	nc, err := s.c.cfg.Dial(ctx, network, addr)
	if err == nil && s.c.cfg.TLS != nil {
		nc, err = secure(ctx, nc, s.c.cfg.TLS, addr)
	}
	if err != nil {
		s.failures++
		s.note(err)
		s.c.event(SessionEvent{Kind: EventDialFailed, Session: s.name(), Server: addr, Err: err})
		return nil, err
	}
	w := &wire{
		Conn: nc, timeout: timeout, watched: s.c.watches.watched, heard: s.heard, opened: s.onHandshake, closed: s.forget,
		login: s.c.cfg.SASL, failed: s.identityFailed,
	}
	s.mu.Lock()
	s.mu.wires[w] = struct{}{}
	s.mu.Unlock()
	s.pending = w
	return w, nil
}

// handshakeFailed counts a server that accepted the connection and then closed it, or said nothing.
func (s *session) handshakeFailed(refused bool) {
	s.failures++
	if !refused {
		s.refusals = 0
		s.note(errors.New("the server accepted the connection and did not answer"))
		return
	}
	s.refusals++
	s.note(errors.New("the server closed the connection instead of answering"))
	silent := time.Since(time.Unix(0, s.contactNs.Load()))
	if s.refusals >= refusalsForExpiry && silent > wipedFactor*time.Duration(s.timeoutNs.Load()) {
		s.end(true)
	}
}

// identityFailed hears of a SASL exchange that failed: for good, or because the connection broke.
func (s *session) identityFailed(err error) {
	if errors.Is(err, ErrAuthFailed) {
		s.reject(err)
		return
	}
	s.note(err)
}

func (s *session) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.lastErr = err
}

func (s *session) heard(now time.Time) { s.contactNs.Store(now.UnixNano()) }

func (s *session) onHandshake(id int64, timeout time.Duration) {
	s.id.Store(id)
	s.timeoutNs.Store(int64(timeout))
}

func (s *session) forget(w *wire) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.wires, w)
}

// silence swallows the library's log lines; what they say arrives as events.
type silence struct{}

// Printf does nothing.
func (silence) Printf(string, ...any) {}
