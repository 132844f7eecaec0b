package zkserver

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Server is an embedded ZooKeeper. All its methods are safe from any goroutine except its own: functions given to
// Do, OnRequest, Trace and Options.Sink must not call it.
type Server struct {
	opts    Options
	heads   []*head
	events  chan event
	control chan func(*core)
	quit    chan struct{} // closed by Close
	dead    chan struct{} // closed when the core has ended
	wg      sync.WaitGroup
	nextID  atomic.Uint64
	started time.Time

	mu struct {
		sync.Mutex
		closed    bool
		listeners map[net.Listener]struct{}
		addrs     []net.Addr
		conns     map[*conn]struct{}
		failure   error
	}
}

// New makes a server and, with Options.Dir, reads its log. It serves nothing until Serve or Dial is called.
func New(opts Options) (*Server, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		opts: opts, started: time.Now(),
		events: make(chan event, 64), control: make(chan func(*core)),
		quit: make(chan struct{}), dead: make(chan struct{}),
	}
	s.mu.listeners = map[net.Listener]struct{}{}
	s.mu.conns = map[*conn]struct{}{}
	k := newCore(s, opts)
	s.heads = k.heads
	last := int64(0)
	if opts.Dir != "" {
		if last, err = k.recover(); err != nil {
			return nil, err
		}
	}
	start := opts.StartZxid
	if start == 0 {
		start = zxidFromClock(k.now)
	}
	// Sessions of a log do not tell what their clients have seen: a torn tail may be missing. A new epoch is ahead of all.
	if last > 0 {
		start = max(start, (last>>32+1)<<32)
	}
	k.leader.zxid = start
	for _, h := range k.heads {
		h.applied = start
	}
	if opts.Dir != "" {
		if err := k.afterRecovery(); err != nil {
			return nil, err
		}
	}
	s.wg.Go(k.run)
	return s, nil
}

// Serve accepts connections to head 0 from l until Close, which makes it return nil, or until l fails for good. It
// closes l. Any number of listeners may be served at once.
func (s *Server) Serve(l net.Listener) error { return s.ServeHead(0, l) }

// ServeHead is Serve for another head.
func (s *Server) ServeHead(i int, l net.Listener) error {
	if i < 0 || i >= len(s.heads) {
		return ErrNoHead
	}
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		_ = l.Close()
		return ErrClosed
	}
	s.mu.listeners[l] = struct{}{}
	s.mu.addrs = append(s.mu.addrs, l.Addr())
	s.mu.Unlock()
	defer func() {
		_ = l.Close()
		s.mu.Lock()
		delete(s.mu.listeners, l)
		s.mu.Unlock()
	}()
	wait := time.Millisecond
	for {
		nc, err := l.Accept()
		if err == nil {
			wait = time.Millisecond
			s.start(nc, s.heads[i], "")
			continue
		}
		if closed, failure := s.state(); closed {
			return failure
		}
		var ne net.Error
		if errors.Is(err, net.ErrClosed) || !errors.As(err, &ne) {
			return err
		}
		// Out of file descriptors, most likely: connections that end make room.
		select {
		case <-time.After(wait):
			wait = min(2*wait, time.Second)
		case <-s.dead:
		}
	}
}

func (s *Server) state() (closed bool, failure error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.closed, s.mu.failure
}

// start serves one connection, or closes it if the server is closed or full.
func (s *Server) start(nc net.Conn, h *head, name string) bool {
	c := newConn(s, nc, h, name)
	s.mu.Lock()
	ok := !s.mu.closed && len(s.mu.conns) < s.opts.MaxConnections
	if ok {
		s.mu.conns[c] = struct{}{}
		s.wg.Go(func() {
			c.serve(s)
			s.mu.Lock()
			delete(s.mu.conns, c)
			s.mu.Unlock()
		})
	}
	s.mu.Unlock()
	if !ok {
		_ = nc.Close()
		s.tell(Event{Kind: ConnectionRejected, Remote: c.remote, Err: errTooMany})
	}
	return ok
}

var errTooMany = errors.New("too many connections")

// Addr returns the address of the first listener served, nil before.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.addrs) == 0 {
		return nil
	}
	return s.mu.addrs[0]
}

// Dial opens a connection to head 0 inside the process. It is buffered both ways, as sockets are, and works in a
// testing/synctest bubble if the server was made in it.
func (s *Server) Dial(ctx context.Context) (net.Conn, error) { return s.DialAs(ctx, 0, "mem") }

// DialAs is Dial to a head, under a name by which faults can choose the connection (ConnInfo.Remote).
func (s *Server) DialAs(ctx context.Context, i int, name string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if i < 0 || i >= len(s.heads) {
		return nil, ErrNoHead
	}
	a, b := memPipe(name, "zkserver")
	if !s.start(b, s.heads[i], name) {
		return nil, &net.OpError{Op: "dial", Net: "mem", Addr: memAddr("zkserver"), Err: ErrClosed}
	}
	return a, nil
}

// Close ends all connections and listeners and waits until the goroutines are gone and the log is closed. Sessions are
// not ended: with Options.Dir they resume. Further calls wait too and return the same.
func (s *Server) Close() error {
	s.mu.Lock()
	first := !s.mu.closed
	s.mu.closed = true
	s.mu.Unlock()
	if first {
		close(s.quit)
	}
	<-s.dead
	s.wg.Wait()
	_, failure := s.state()
	return failure
}

// coreDone is the core's last act: nothing is accepted or answered from here on.
func (s *Server) coreDone(failure error) {
	s.mu.Lock()
	s.mu.closed = true
	s.mu.failure = failure
	for l := range s.mu.listeners {
		_ = l.Close()
	}
	for c := range s.mu.conns {
		c.cut()
	}
	s.mu.Unlock()
	close(s.dead)
}

// clock is the time since the server started. It is monotonic: a corrected wall clock ends no sessions.
func (s *Server) clock() int64 { return int64(time.Since(s.started)) }

// post gives the core an event; false means that it has ended.
func (s *Server) post(e event) bool {
	select {
	case s.events <- e:
		return true
	case <-s.dead:
		return false
	}
}

// do runs f on the core's goroutine and waits for it; on a closed server it does nothing.
func (s *Server) do(f func(*core)) {
	done := make(chan struct{})
	select {
	case s.control <- func(k *core) { defer close(done); f(k) }:
		<-done
	case <-s.dead:
	}
}

func (s *Server) tell(e Event) {
	if s.opts.Sink != nil {
		s.opts.Sink(e)
	}
}
