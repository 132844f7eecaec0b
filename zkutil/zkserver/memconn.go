package zkserver

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// memBuffer is the capacity of one direction of an in-process connection, like a socket's buffer.
const memBuffer = 256 << 10

// memAddr is the address of one end of an in-process connection.
type memAddr string

func (memAddr) Network() string  { return "mem" }
func (a memAddr) String() string { return string(a) }

// memStream is one direction: a bounded buffer. Its lock is never held while waiting, except in Cond.Wait, which gives
// it up and which testing/synctest understands.
type memStream struct {
	mu     sync.Mutex
	cond   sync.Cond
	buf    []byte
	closed bool // by the writer: the reader drains, then gets EOF
	broken bool // by the reader: writes fail
}

func newMemStream() *memStream {
	s := &memStream{}
	s.cond.L = &s.mu
	return s
}

// memDeadline wakes the waiters of a stream when its time comes. Guarded by the stream's lock.
type memDeadline struct {
	timer   *time.Timer
	expired bool
	gen     int
}

func (d *memDeadline) set(s *memStream, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.gen++
	d.expired = false
	if t.IsZero() {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		d.expired = true
		s.cond.Broadcast()
		return
	}
	gen := d.gen
	d.timer = time.AfterFunc(left, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if d.gen == gen {
			d.expired = true
			s.cond.Broadcast()
		}
	})
}

// memConn is one end of an in-process connection, buffered both ways as sockets are: net.Pipe would make the server's
// writer wait for a client that waits for the server.
type memConn struct {
	in, out       *memStream
	rd, wd        memDeadline
	local, remote memAddr
}

func memPipe(client, server string) (*memConn, *memConn) {
	a, b := newMemStream(), newMemStream()
	return &memConn{in: a, out: b, local: memAddr(client), remote: memAddr(server)},
		&memConn{in: b, out: a, local: memAddr(server), remote: memAddr(client)}
}

func (c *memConn) Read(p []byte) (int, error) {
	s := c.in
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.broken:
			return 0, net.ErrClosed
		case c.rd.expired:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case len(s.buf) > 0:
			n := copy(p, s.buf)
			s.buf = s.buf[:copy(s.buf, s.buf[n:])]
			s.cond.Broadcast()
			return n, nil
		case s.closed:
			return 0, io.EOF
		}
		s.cond.Wait()
	}
}

func (c *memConn) Write(p []byte) (int, error) {
	s := c.out
	s.mu.Lock()
	defer s.mu.Unlock()
	done := 0
	for {
		switch {
		case s.closed:
			return done, net.ErrClosed
		case s.broken:
			return done, io.ErrClosedPipe
		case c.wd.expired:
			return done, os.ErrDeadlineExceeded
		}
		if n := min(memBuffer-len(s.buf), len(p)-done); n > 0 {
			s.buf = append(s.buf, p[done:done+n]...)
			done += n
			s.cond.Broadcast()
		}
		if done == len(p) {
			return done, nil
		}
		s.cond.Wait()
	}
}

// Close ends both directions. What was written before can still be read at the other end.
func (c *memConn) Close() error {
	_ = c.SetDeadline(time.Time{})
	c.in.mu.Lock()
	c.in.broken = true
	c.in.buf = nil
	c.in.cond.Broadcast()
	c.in.mu.Unlock()
	c.out.mu.Lock()
	c.out.closed = true
	c.out.cond.Broadcast()
	c.out.mu.Unlock()
	return nil
}

func (c *memConn) LocalAddr() net.Addr  { return c.local }
func (c *memConn) RemoteAddr() net.Addr { return c.remote }

func (c *memConn) SetDeadline(t time.Time) error {
	c.rd.set(c.in, t)
	c.wd.set(c.out, t)
	return nil
}

func (c *memConn) SetReadDeadline(t time.Time) error {
	c.rd.set(c.in, t)
	return nil
}

func (c *memConn) SetWriteDeadline(t time.Time) error {
	c.wd.set(c.out, t)
	return nil
}
