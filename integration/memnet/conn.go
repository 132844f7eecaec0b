package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// session is a connection with its two ends. Its mutex guards everything of both.
type session struct {
	network *Network
	window  int

	mu      sync.Mutex
	changed sync.Cond // anything that a reader or writer of either end waits for
	ends    [2]*Conn  // the dialing one first
	streams [2]stream // streams[i] carries what ends[i] sends
	open    int       // ends not closed
}

// stream is one direction of a session.
type stream struct {
	unread  []byte   // has arrived
	flying  []packet // has not, in order
	size    int      // bytes in unread and flying
	fault   fault
	timer   *time.Timer // delivers the first packet; nil until a delay was used
	shut    bool        // the sender sends no more
	deaf    bool        // the receiver reads no more: what comes is thrown away
	finDone bool        // the receiver has been told of the end
	gone    bool        // the receiver has been told that the sender doesn't read either
	reset   bool        // the receiver has been told that the connection is broken
}

// packet is something on its way: bytes, or the sender's end.
type packet struct {
	data []byte
	end  ending
	at   time.Time // when it arrives; zero: when the cut is healed
}

type ending uint8

const (
	notEnd     ending = iota
	halfClosed        // sends no more
	closed            // neither sends nor reads
	broken            // reset
)

// Conn is one end of a connection. It implements net.Conn; its methods may be called concurrently.
type Conn struct {
	session       *session
	side          int
	local, remote Addr

	// Guarded by session.mu.
	closed          bool
	reading         deadline
	writing         deadline
	writeInProgress bool // writes are atomic among each other, as TCP's are in Go
}

var _ net.Conn = (*Conn)(nil)

// deadline wakes the session's waiters when it passes.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func newSession(n *Network, from, to Addr) *session {
	s := &session{network: n, window: n.window, open: 2}
	s.changed.L = &s.mu
	s.ends[0] = &Conn{session: s, side: 0, local: from, remote: to}
	s.ends[1] = &Conn{session: s, side: 1, local: to, remote: from}
	return s
}

// applyLocked takes over the state of the links from the network, whose mutex is held. The packets of a healed cut start again.
func (s *session) applyLocked(n *Network) {
	now := time.Now()
	for i := range s.streams {
		st := &s.streams[i]
		was := st.fault
		st.fault = n.faultLocked(s.ends[i].local.Host, s.ends[i].remote.Host)
		if was.cut && !st.fault.cut {
			for k := range st.flying {
				if st.flying[k].at.IsZero() {
					st.flying[k].at = now.Add(st.fault.delay)
				}
			}
		}
		s.deliverLocked(st, now)
	}
	s.changed.Broadcast()
}

// sendLocked puts a packet on its way.
func (s *session) sendLocked(st *stream, p packet) {
	now := time.Now()
	if !st.fault.cut {
		p.at = now.Add(st.fault.delay)
	}
	st.flying = append(st.flying, p)
	s.deliverLocked(st, now)
}

// deliverLocked lets the packets arrive whose time has come, in order.
func (s *session) deliverLocked(st *stream, now time.Time) {
	done := 0
	for done < len(st.flying) {
		p := &st.flying[done]
		if p.at.IsZero() {
			break
		}
		if wait := p.at.Sub(now); wait > 0 {
			s.alarmLocked(st, wait)
			break
		}
		st.arriveLocked(p)
		done++
	}
	if done > 0 {
		clear(st.flying[:done])
		if st.flying = st.flying[done:]; len(st.flying) == 0 {
			st.flying = nil
		}
		s.changed.Broadcast()
	}
}

func (st *stream) arriveLocked(p *packet) {
	if st.deaf {
		st.size -= len(p.data)
	} else {
		st.unread = append(st.unread, p.data...)
	}
	if p.end != notEnd {
		st.finDone = true
		st.gone = st.gone || p.end >= closed
		st.reset = st.reset || p.end == broken
	}
}

// alarmLocked delivers again after a while.
func (s *session) alarmLocked(st *stream, wait time.Duration) {
	if st.timer != nil {
		st.timer.Reset(wait)
		return
	}
	st.timer = time.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.deliverLocked(st, time.Now())
	})
}

// resetLocked breaks the connection for both ends, whatever is on its way.
func (s *session) resetLocked() {
	for i := range s.streams {
		st := &s.streams[i]
		st.flying = nil
		st.finDone, st.gone, st.reset, st.shut = true, true, true, true
	}
	s.changed.Broadcast()
}

func (c *Conn) in() *stream  { return &c.session.streams[1-c.side] }
func (c *Conn) out() *stream { return &c.session.streams[c.side] }

// Read reads what has arrived, and waits for something if nothing has.
func (c *Conn) Read(b []byte) (int, error) {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		in := c.in()
		switch {
		case c.closed:
			return 0, c.fail("read", net.ErrClosed)
		case c.reading.passed():
			return 0, c.fail("read", os.ErrDeadlineExceeded)
		case len(b) == 0:
			return 0, nil
		case len(in.unread) > 0:
			n := copy(b, in.unread)
			if in.unread = in.unread[n:]; len(in.unread) == 0 {
				in.unread = nil
			}
			in.size -= n
			s.changed.Broadcast()
			return n, nil
		case in.reset:
			return 0, c.fail("read", os.NewSyscallError("read", syscall.ECONNRESET))
		case in.finDone || in.deaf:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

// Write sends b, and waits while as much as the window allows is unread. b is copied.
func (c *Conn) Write(b []byte) (int, error) {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	sent, mine := 0, false
	defer func() {
		if mine {
			c.writeInProgress = false
			s.changed.Broadcast()
		}
	}()
	for {
		in, out := c.in(), c.out()
		switch {
		case c.closed:
			return sent, c.fail("write", net.ErrClosed)
		case c.writing.passed():
			return sent, c.fail("write", os.ErrDeadlineExceeded)
		case in.reset:
			return sent, c.fail("write", os.NewSyscallError("write", syscall.ECONNRESET))
		case out.shut || in.gone:
			return sent, c.fail("write", os.NewSyscallError("write", syscall.EPIPE))
		case sent == len(b):
			return sent, nil
		}
		if !mine && !c.writeInProgress {
			mine, c.writeInProgress = true, true
		}
		if room := s.window - out.size; mine && room > 0 {
			n := min(room, len(b)-sent)
			switch {
			case out.deaf:
				n = len(b) - sent // thrown away where it arrives
			case len(out.flying) == 0 && out.fault == (fault{}):
				out.size += n
				out.unread = append(out.unread, b[sent:sent+n]...)
				s.changed.Broadcast()
			default:
				out.size += n
				s.sendLocked(out, packet{data: append([]byte(nil), b[sent:sent+n]...)})
			}
			if sent += n; sent == len(b) {
				return sent, nil
			}
			continue
		}
		s.changed.Wait()
	}
}

// CloseWrite ends what is sent; the other end reads the rest and then EOF.
func (c *Conn) CloseWrite() error {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	out := c.out()
	if c.closed {
		return c.fail("close", net.ErrClosed)
	}
	if !out.shut {
		out.shut = true
		s.sendLocked(out, packet{end: halfClosed})
		s.changed.Broadcast()
	}
	return nil
}

// CloseRead throws away what arrives.
func (c *Conn) CloseRead() error {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.closed {
		return c.fail("close", net.ErrClosed)
	}
	c.in().becomeDeafLocked()
	s.changed.Broadcast()
	return nil
}

func (st *stream) becomeDeafLocked() {
	st.deaf = true
	st.size -= len(st.unread)
	st.unread = nil
}

// Close closes this end. As with TCP the other end gets a reset if something that it sent was unread.
func (c *Conn) Close() error { return c.end(false) }

// Reset closes this end such that the other gets "connection reset by peer", as a process that dies does.
func (c *Conn) Reset() { _ = c.end(true) }

func (c *Conn) end(reset bool) error {
	s := c.session
	s.mu.Lock()
	if c.closed {
		s.mu.Unlock()
		return c.fail("close", net.ErrClosed)
	}
	c.closed = true
	c.reading.stop()
	c.writing.stop()
	in, out := c.in(), c.out()
	kind := closed
	if reset || len(in.unread) > 0 {
		kind = broken
	}
	in.becomeDeafLocked()
	out.shut = true
	s.sendLocked(out, packet{end: kind})
	s.open--
	last := s.open == 0
	if last {
		for i := range s.streams {
			if t := s.streams[i].timer; t != nil {
				t.Stop()
			}
		}
	}
	s.changed.Broadcast()
	s.mu.Unlock()
	if last {
		s.network.forget(s)
	}
	return nil
}

// LocalAddr returns this end's [Addr].
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the other end's [Addr].
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines; the zero time means none.
func (c *Conn) SetDeadline(t time.Time) error { return c.setDeadlines(t, true, true) }

// SetReadDeadline sets the deadline of reads, those in progress included.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, true, false) }

// SetWriteDeadline sets the deadline of writes, those in progress included.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, false, true) }

func (c *Conn) setDeadlines(t time.Time, read, write bool) error {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.closed {
		return c.fail("set", net.ErrClosed)
	}
	if read {
		c.reading.setLocked(s, t)
	}
	if write {
		c.writing.setLocked(s, t)
	}
	return nil
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}

func (d *deadline) setLocked(s *session, t time.Time) {
	d.at = t
	d.stop()
	if t.IsZero() {
		return
	}
	if wait := time.Until(t); wait <= 0 {
		s.changed.Broadcast()
	} else if d.timer != nil {
		d.timer.Reset(wait)
	} else {
		d.timer = time.AfterFunc(wait, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.changed.Broadcast()
		})
	}
}

func (c *Conn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}
