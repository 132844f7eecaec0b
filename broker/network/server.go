package network

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Server accepts connections and has their requests served.
type Server struct {
	config  Config
	handler Handler
	hooks   *Hooks
	started time.Time // what Conn.active counts from

	pool    buffers
	lists   sync.Pool // *pieces
	writers sync.Pool // *writer
	memory  memory
	copying atomic.Int64 // bytes lent to file ranges
	ahead   atomic.Int64 // frame memory allocated before its bytes arrived
	quotas  quotas

	noSendfile atomic.Bool // a file system refused it

	ids        atomic.Uint64
	goroutines sync.WaitGroup
	ctx        context.Context // ends when the server stops accepting
	cancel     context.CancelFunc

	mu        sync.Mutex // guards the rest
	state     serverState
	listeners []*listener
	conns     map[*Conn]struct{}
}

type serverState uint8

const (
	serverNew serverState = iota
	serverRunning
	serverStopping
)

// listener is a bound [Listener].
type listener struct {
	config Listener
	nl     net.Listener
	gate   gate
	ctx    context.Context // ends when the listener is to accept no more
	cancel context.CancelFunc
}

// New returns a server that listens nowhere yet.
func New(config Config, handler Handler) *Server {
	s := &Server{config: config.withDefaults(), handler: handler, conns: make(map[*Conn]struct{})}
	s.hooks = &s.config.Hooks
	s.memory.bounded, s.memory.available = config.QueuedMaxBytes > 0, config.QueuedMaxBytes
	s.ctx, s.cancel = context.WithCancel(context.Background())
	limits := NoLimits()
	if config.Limits != nil {
		limits = *config.Limits
	}
	s.quotas.set(limits)
	return s
}

// Start binds the listeners and begins to accept on those that aren't paused. ctx bounds the binding only. When one can't be
// bound none is.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != serverNew {
		return fmt.Errorf("start server: %w", ErrClosed)
	}
	if len(s.config.Listeners) == 0 {
		return errors.New("start server: no listeners")
	}
	s.started = time.Now()
	for _, config := range s.config.Listeners {
		if _, err := s.bindLocked(ctx, config); err != nil {
			for _, l := range s.listeners {
				l.close()
			}
			s.listeners = nil
			return err
		}
	}
	s.state = serverRunning
	for _, l := range s.listeners {
		s.goroutines.Go(func() { s.accept(l) })
	}
	if s.config.IdleTimeout > 0 {
		s.goroutines.Go(s.sweep)
	}
	return nil
}

func (s *Server) bindLocked(ctx context.Context, config Listener) (*listener, error) {
	for _, other := range s.listeners {
		if other.config.Name == config.Name {
			return nil, fmt.Errorf("listener %s: name used twice", config.Name)
		}
	}
	nl, err := s.config.Listen(ctx, "tcp", net.JoinHostPort(config.Host, strconv.Itoa(config.Port)))
	if err != nil {
		return nil, fmt.Errorf("listener %s: %w", config.Name, err)
	}
	l := &listener{config: config, nl: nl}
	l.ctx, l.cancel = context.WithCancel(s.ctx)
	if config.Paused {
		l.gate.pause()
	}
	s.listeners = append(s.listeners, l)
	return l, nil
}

// close ends accepting.
func (l *listener) close() {
	l.cancel()
	_ = l.nl.Close()
}

// AddListener binds a further listener while the server runs (listeners is a dynamic config). ctx bounds the binding only.
func (s *Server) AddListener(ctx context.Context, config Listener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != serverRunning {
		return fmt.Errorf("listener %s: %w", config.Name, ErrClosed)
	}
	l, err := s.bindLocked(ctx, config)
	if err != nil {
		return err
	}
	s.goroutines.Go(func() { s.accept(l) })
	return nil
}

// RemoveListener closes a listener at once and its connections in order, as Shutdown does, but does not wait for them. A listener
// that doesn't exist is no error.
func (s *Server) RemoveListener(name string) {
	s.mu.Lock()
	var conns []*Conn
	for i, l := range s.listeners {
		if l.config.Name == name {
			l.close()
			s.listeners = append(s.listeners[:i:i], s.listeners[i+1:]...)
			for c := range s.conns {
				if c.listener == l {
					conns = append(conns, c)
				}
			}
			break
		}
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.stop(&closeError{reason: ClosedShutdown})
	}
}

func (s *Server) listener(name string) *listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		if l.config.Name == name {
			return l
		}
	}
	return nil
}

// Addr returns the address a listener is bound to, with the port the system chose; nil when there is no such listener.
func (s *Server) Addr(listener string) net.Addr {
	if l := s.listener(listener); l != nil {
		return l.nl.Addr()
	}
	return nil
}

// Pause stops accepting on a listener. Its connections live on; new ones wait in the backlog.
func (s *Server) Pause(listener string) {
	if l := s.listener(listener); l != nil {
		l.gate.pause()
	}
}

// Resume accepts on a listener again, or for the first time.
func (s *Server) Resume(listener string) {
	if l := s.listener(listener); l != nil {
		l.gate.resume()
	}
}

// OpenForClients resumes all listeners.
func (s *Server) OpenForClients() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		l.gate.resume()
	}
}

// SetLimits replaces the connection limits. Connections above a lowered limit stay.
func (s *Server) SetLimits(limits Limits) { s.quotas.set(limits) }

// Connections returns the number of open connections of a listener; of all for "".
func (s *Server) Connections(listener string) int { return s.quotas.count(listener) }

// Shutdown stops the server in order: no more connections, no more requests, then the responses still pending, then closing. When ctx
// ends first the rest is closed as it is and ctx's error returned. No goroutine of the server is left when it returns.
func (s *Server) Shutdown(ctx context.Context) error {
	for _, c := range s.stopAccepting() {
		c.stop(&closeError{reason: ClosedShutdown})
	}
	done := make(chan struct{})
	go func() {
		s.goroutines.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.Close()
	<-done
	return ctx.Err()
}

// Close stops the server at once. No goroutine of the server is left when it returns.
func (s *Server) Close() {
	for _, c := range s.stopAccepting() {
		c.close(&closeError{reason: ClosedShutdown})
	}
	s.goroutines.Wait()
}

func (s *Server) stopAccepting() []*Conn {
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = serverStopping
	for _, l := range s.listeners {
		l.close()
	}
	conns := make([]*Conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}

// accept is a listener's goroutine.
func (s *Server) accept(l *listener) {
	const maxBackoff = time.Second
	backoff := 5 * time.Millisecond
	for l.ctx.Err() == nil {
		if !l.gate.wait(l.ctx) {
			return
		}
		nc, err := l.nl.Accept()
		if err != nil {
			if l.ctx.Err() != nil {
				return
			}
			if hook := s.hooks.AcceptFailed; hook != nil {
				hook(l.config.Name, err)
			}
			if !sleep(l.ctx, backoff) {
				return
			}
			backoff = min(2*backoff, maxBackoff)
			continue
		}
		backoff = 5 * time.Millisecond
		// It may have been paused while waiting.
		if !l.gate.wait(l.ctx) || !s.admit(l, nc) {
			_ = nc.Close()
			continue
		}
		s.open(l, nc)
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// admit applies the limits; it waits where Kafka does. What it let in is counted.
func (s *Server) admit(l *listener, nc net.Conn) bool {
	tell := func(reason RejectReason) {
		if hook := s.hooks.ConnectionRejected; hook != nil {
			hook(l.config.Name, nc.RemoteAddr(), reason)
		}
	}
	told := false
	for {
		protected := s.protects(l)
		verdict, wait := s.quotas.enter(l, remoteHost(nc.RemoteAddr()), protected)
		switch verdict {
		case admitted:
			if s.quotas.full() {
				s.evict()
			}
			delay, limiter := s.quotas.rate(l, protected)
			if delay <= 0 {
				return true
			}
			tell(DelayedCreationRate)
			if sleep(l.ctx, delay) {
				return true
			}
			limiter()
			s.quotas.leave(l.config.Name, remoteHost(nc.RemoteAddr()))
			return false
		case refused:
			tell(RejectedPerIP)
			return false
		}
		if !told {
			tell(DelayedMaxConnections)
			told = true
		}
		select {
		case <-wait:
		case <-l.ctx.Done():
			return false
		}
	}
}

// protects tells whether l is exempt from the broker-wide limits. The only listener never is: nobody could make way for
// it.
func (s *Server) protects(l *listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return l.config.Protected && len(s.listeners) > 1
}

// open starts a connection that was let in.
func (s *Server) open(l *listener, nc net.Conn) {
	if tcp, ok := nc.(*net.TCPConn); ok {
		if s.config.SendBuffer > 0 {
			_ = tcp.SetWriteBuffer(s.config.SendBuffer)
		}
		if s.config.ReceiveBuffer > 0 {
			_ = tcp.SetReadBuffer(s.config.ReceiveBuffer)
		}
	}
	c := &Conn{
		ID: s.ids.Add(1), ListenerName: l.config.Name, SecurityProtocol: l.config.SecurityProtocol,
		LocalAddr: nc.LocalAddr(), RemoteAddr: nc.RemoteAddr(),
		server: s, listener: l, base: nc, nc: nc, quit: make(chan struct{}),
	}
	if l.config.TLS != nil {
		c.nc = tls.Server(nc, l.config.TLS)
	} else if c.raw = rawConn(nc); c.raw != nil {
		c.canSend = canSendfile && s.config.Sendfile != SendfileNever
		c.sendfile = c.canSend && (s.config.Sendfile == SendfileAlways || !isLoopback(c.RemoteAddr))
	}
	c.touch(time.Now())
	s.mu.Lock()
	if l.ctx.Err() != nil {
		s.mu.Unlock()
		_ = nc.Close()
		s.quotas.leave(l.config.Name, remoteHost(c.RemoteAddr))
		return
	}
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	if hook := s.hooks.ConnectionOpened; hook != nil {
		hook(c)
	}
	s.goroutines.Add(1)
	go func() {
		defer s.goroutines.Done()
		c.run()
	}()
}

func (s *Server) forget(c *Conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.quotas.leave(c.ListenerName, remoteHost(c.RemoteAddr))
}

// evict closes the connection of an unprotected listener that was used least recently.
func (s *Server) evict() {
	s.mu.Lock()
	var oldest *Conn
	for c := range s.conns {
		if c.listener.config.Protected || c.closing.Load() {
			continue
		}
		if oldest == nil || c.active.Load() < oldest.active.Load() {
			oldest = c
		}
	}
	s.mu.Unlock()
	if oldest != nil {
		oldest.close(&closeError{reason: ClosedEvicted})
	}
}

// sweep is the goroutine that closes idle connections. One for all, because a deadline per read would cost every request
// more than looking at each connection now and then does.
func (s *Server) sweep() {
	timeout := s.config.IdleTimeout
	for sleep(s.ctx, s.sweepOnce(time.Now(), timeout)) {
	}
}

// sweepOnce returns how long to wait before the next time: until the next connection may expire, but connections that come and
// go must not make it busy.
func (s *Server) sweepOnce(now time.Time, timeout time.Duration) time.Duration {
	elapsed := now.Sub(s.started)
	next := timeout
	s.mu.Lock()
	var expired []*Conn
	for c := range s.conns {
		left := time.Duration(c.active.Load()) + timeout - elapsed
		if left <= 0 {
			expired = append(expired, c)
			continue
		}
		next = min(next, left)
	}
	s.mu.Unlock()
	for _, c := range expired {
		c.expire(timeout)
	}
	return max(next, timeout/64, time.Millisecond)
}

// expire closes the connection if it is idle or its peer takes nothing, but not while it waits for the handler.
func (c *Conn) expire(timeout time.Duration) {
	c.mu.Lock()
	stalled := c.writing || c.out != nil
	waits := c.pending > 0 || !c.mutedTo.IsZero() && time.Since(c.mutedTo) < timeout
	c.mu.Unlock()
	switch {
	case stalled:
		c.close(&closeError{ClosedStalled, fmt.Errorf("no response taken for %v", timeout)})
	case !waits:
		c.close(&closeError{ClosedIdle, fmt.Errorf("no request for %v", timeout)})
	}
}

func (s *Server) lendPieces() *pieces {
	if p, ok := s.lists.Get().(*pieces); ok {
		return p
	}
	return &pieces{list: make([]piece, 0, 8)}
}

// maxKeptPieces bounds what a pooled queue keeps of its size.
const maxKeptPieces = 1024

func (s *Server) returnPieces(p *pieces) {
	if cap(p.list) > maxKeptPieces {
		return
	}
	clear(p.list)
	p.list = p.list[:0]
	s.lists.Put(p)
}

func (s *Server) lendWriter(c *Conn) *writer {
	w, ok := s.writers.Get().(*writer)
	if !ok {
		w = new(writer)
	}
	w.conn = c
	return w
}
