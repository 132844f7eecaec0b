package network

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// Conn is a client's connection. The exported fields do not change.
type Conn struct {
	// ID is unique among the connections of a server.
	ID uint64
	// ListenerName and SecurityProtocol are those of its [Listener].
	ListenerName, SecurityProtocol string
	// LocalAddr and RemoteAddr are the ends of the connection.
	LocalAddr, RemoteAddr net.Addr

	server   *Server
	listener *listener
	base     net.Conn        // as accepted
	nc       net.Conn        // base, or the TLS connection over it
	raw      syscall.RawConn // of base, if it can be read and written without waiting
	sendfile bool            // the policy allows sendfile to this peer
	canSend  bool            // sendfile is possible at all

	active    atomic.Int64 // when bytes last moved, in nanoseconds since the server's start
	closing   atomic.Bool  // set under mu; nothing is sent any more
	principal atomic.Pointer[string]
	software  atomic.Pointer[[2]string]
	quit      chan struct{} // closed when the connection is to end: stop or close

	// Owned by the connection's goroutine.

	in       *buffer     // bytes read and not yet served: in.b[from:to]; nil while idle
	from, to int         //
	bulk     bool        // a read has filled the buffer: the next one is larger
	current  *buffer     // the memory of the request being served
	taken    int64       // of Server.memory, for the frame being read
	readAt   time.Time   // of the last successful read
	idle     idleRead    // the state of waiting without a buffer
	few      [16]byte    // for waiting where that is not possible
	deferred []func()    // what requests of this API leave until those that came with them are served
	mu       sync.Mutex  // guards the rest
	room     *sync.Cond  // on mu; made when first waited for
	head     *Request    // unfinished or held back requests, in order of arrival
	tail     *Request    //
	pending  int         // their number
	unsent   int64       // bytes in memory in out and writer
	out      *pieces     // what may go, after what the writer has; nil when empty
	writer   *writer     // what is being written; nil when nothing is
	writing  bool        // someone owns writer
	attended bool        // the connection's goroutine will look at out before it next waits
	stopped  *closeError // why no more requests are read
	reason   *closeError // why it was closed
	mutedTo  time.Time   // no request is served before
}

// Principal returns who is on the other side, as of now.
func (c *Conn) Principal() string {
	if p := c.principal.Load(); p != nil {
		return *p
	}
	return Anonymous
}

// SetPrincipal changes who is on the other side, for requests to come (re-authentication).
func (c *Conn) SetPrincipal(principal string) { c.principal.Store(&principal) }

// SetClientSoftware notes what the client said of itself in ApiVersions (KIP-511).
func (c *Conn) SetClientSoftware(name, version string) { c.software.Store(&[2]string{name, version}) }

// ClientSoftware returns what SetClientSoftware noted, or "unknown" twice, as Kafka says.
func (c *Conn) ClientSoftware() (name, version string) {
	if s := c.software.Load(); s != nil {
		return s[0], s[1]
	}
	return "unknown", "unknown"
}

// TLS returns the state of a TLS connection after its handshake.
func (c *Conn) TLS() (state tls.ConnectionState, ok bool) {
	t, ok := c.nc.(*tls.Conn)
	if !ok {
		return state, false
	}
	return t.ConnectionState(), true
}

// String returns Kafka's form of a connection id: local address, remote address and a number.
func (c *Conn) String() string {
	return fmt.Sprintf("%v-%v-%d", c.LocalAddr, c.RemoteAddr, c.ID)
}

// Done returns a channel that is closed when no more requests will be read from the connection. It is nil for a Conn that no
// server made.
func (c *Conn) Done() <-chan struct{} { return c.quit }

// Close closes the connection at once.
func (c *Conn) Close() { c.close(&closeError{reason: ClosedByServer}) }

// Mute stops serving the connection's requests for d from now, as Kafka does with a client over its quota (KIP-219): its response, with
// the throttle time, has been sent or may still be. The longest of several calls counts. A muted connection is not read, so
// that the client feels it.
func (c *Conn) Mute(d time.Duration) {
	until := time.Now().Add(d)
	c.mu.Lock()
	defer c.mu.Unlock()
	if until.After(c.mutedTo) {
		c.mutedTo = until
	}
}

// touch notes that bytes moved.
func (c *Conn) touch(now time.Time) { c.active.Store(int64(now.Sub(c.server.started))) }

// run is the connection's goroutine.
func (c *Conn) run() {
	end := c.serve()
	c.runDeferred()
	c.finishSending(end)
	c.close(end)
	if c.in != nil {
		c.in.release()
		c.in = nil
	}
	c.server.forget(c)
	if hook := c.server.hooks.ConnectionClosed; hook != nil {
		hook(c, c.reason.reason, c.reason.err)
	}
}

// serve sets the connection up and serves its requests until there is a reason to end.
func (c *Conn) serve() *closeError {
	if end := c.setUp(); end != nil {
		return end
	}
	for {
		if end := c.mayGoOn(); end != nil {
			return end
		}
		frame, owned, end := c.nextFrame(c.server.config.MaxRequestSize)
		if end != nil {
			return end
		}
		end = c.serveFrame(frame)
		if owned != nil {
			owned.release()
		}
		if end != nil {
			return end
		}
	}
}

// setUp does the TLS handshake and authentication.
func (c *Conn) setUp() *closeError {
	authenticator := c.listener.config.Authenticator
	t, isTLS := c.nc.(*tls.Conn)
	if !isTLS && authenticator == nil {
		return nil
	}
	if timeout := c.server.config.SetupTimeout; timeout > 0 {
		timer := time.AfterFunc(timeout, func() {
			c.close(&closeError{ClosedAuthentication, fmt.Errorf("not set up after %v: %w", timeout, os.ErrDeadlineExceeded)})
		})
		defer timer.Stop()
	}
	if isTLS {
		if err := t.Handshake(); err != nil {
			var record tls.RecordHeaderError
			if errors.As(err, &record) {
				return &closeError{ClosedWrongProtocol, fmt.Errorf("plaintext on a TLS listener: %w", err)}
			}
			return &closeError{ClosedTLS, err}
		}
	}
	if authenticator == nil {
		return nil
	}
	return c.authenticate(authenticator)
}

func (c *Conn) authenticate(authenticator Authenticator) *closeError {
	state, err := authenticator.Begin(c)
	if err != nil {
		return &closeError{ClosedAuthentication, err}
	}
	for {
		if name, done := state.Principal(); done {
			c.SetPrincipal(name)
			return nil
		}
		frame, owned, end := c.nextFrame(c.server.config.MaxRequestSizePreAuth)
		if end != nil {
			return end
		}
		reply, err := state.Frame(frame)
		if owned != nil {
			owned.release()
		}
		c.giveBack()
		if reply != nil {
			c.sendFrame(reply)
			c.settle()
		}
		if err != nil {
			if delay := c.server.config.FailedAuthenticationDelay; delay > 0 {
				c.pause(delay)
			}
			return &closeError{ClosedAuthentication, err}
		}
	}
}

// serveFrame makes a request of a frame and has it served.
func (c *Conn) serveFrame(frame []byte) *closeError {
	header, body, err := wire.ParseRequestHeader(frame)
	if err != nil {
		c.giveBack()
		return &closeError{ClosedBadHeader, err}
	}
	r := &Request{Header: header, Body: body, Conn: c, Principal: c.Principal(), Received: c.readAt, size: len(frame) + 4}
	if c.server.hooks.RequestDone != nil {
		r.timing = &Timing{Received: c.readAt, RequestBytes: r.size}
	}
	if end := c.push(r); end != nil {
		c.giveBack()
		return end
	}
	c.taken = 0 // given back when r is finished
	c.server.handler.ServeRequest(r)
	c.mu.Lock()
	r.inServe = false
	if r.timing != nil && !r.finished {
		r.timing.Pending, r.timing.Served = true, time.Now()
	}
	c.mu.Unlock()
	if !r.follows || len(c.deferred) >= maxDeferred {
		c.runDeferred()
	}
	return nil
}

// maxDeferred limits how many requests may be served before what the first of them deferred is done.
const maxDeferred = 32

// runDeferred does what requests have deferred. The connection's goroutine calls it before it waits for anything.
func (c *Conn) runDeferred() {
	for i, f := range c.deferred {
		c.deferred[i] = nil
		f()
	}
	c.deferred = c.deferred[:0]
}

// mayGoOn waits while the connection is muted and tells why it should end, if it should.
func (c *Conn) mayGoOn() *closeError {
	for {
		c.mu.Lock()
		end, until := c.stopped, c.mutedTo
		c.mu.Unlock()
		if end != nil {
			return end
		}
		if until.IsZero() {
			return nil
		}
		left := time.Until(until)
		if left <= 0 {
			c.mu.Lock()
			if c.mutedTo.Equal(until) {
				c.mutedTo = time.Time{}
			}
			c.mu.Unlock()
			c.touch(time.Now()) // muted is not idle
			continue
		}
		c.settle()
		c.pause(left)
	}
}

// pause waits for d, or until the connection is to end.
func (c *Conn) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.quit:
	}
}

// stop ends the connection in order: its goroutine reads no more requests, sends what is ready (and, at shutdown, what is still pending), and
// closes.
func (c *Conn) stop(end *closeError) {
	c.mu.Lock()
	if c.stopped != nil || c.closing.Load() {
		c.mu.Unlock()
		return
	}
	c.stopped = end
	close(c.quit)
	c.wakeLocked()
	c.mu.Unlock()
	// A goroutine that waits for input is woken by a deadline in the past.
	_ = c.base.SetReadDeadline(time.Unix(1, 0))
}

// close ends the connection at once. Only the first call counts.
func (c *Conn) close(end *closeError) {
	c.mu.Lock()
	if c.closing.Load() {
		c.mu.Unlock()
		return
	}
	c.closing.Store(true)
	c.reason = end
	if c.stopped == nil {
		c.stopped = end
		close(c.quit)
	}
	var dropped pieces
	var requests []*Request
	for r := c.head; r != nil; {
		next := r.next
		r.next = nil
		if r.finished && !r.failed {
			dropped.list = append(dropped.list, r.pieces...)
			requests = append(requests, r)
		}
		r = next
	}
	c.head, c.tail, c.pending = nil, nil, 0
	if !c.writing {
		dropped.list = append(dropped.list, c.takeQueuedLocked()...)
	}
	c.wakeLocked()
	c.mu.Unlock()
	// The connection's own goroutine, and nobody else, may wait for a farewell of TLS.
	if end.reason == ClosedByPeer || end.reason == ClosedShutdown || end.reason == ClosedByHandler {
		_ = c.nc.SetWriteDeadline(time.Now().Add(time.Second))
		_ = c.nc.Close()
	} else {
		_ = c.base.Close()
	}
	dropped.drop(c)
	for _, r := range requests {
		r.report()
	}
}

// finishSending is the last thing before closing: it sends what may still go.
func (c *Conn) finishSending(end *closeError) {
	switch end.reason {
	case ClosedShutdown:
		c.drain()
	case ClosedByHandler, ClosedBadHeader, ClosedFrameSize, ClosedWrongProtocol, ClosedBadResponse, ClosedByPeer, ClosedMidFrame:
		// Answers that are ready go first; a peer that doesn't take them gets a second.
		_ = c.base.SetWriteDeadline(time.Now().Add(time.Second))
		c.settle()
	}
}
