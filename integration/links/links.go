// Package links cuts the links of a network in userspace: what is sent over a cut link arrives when it is healed, as TCP retransmits, and neither end gets an error. [Links] is
// the state of all links; [Links.Wrap] puts a connection of one participant under it, proxies ask it with [Links.Pass].
//
// A link is a direction. Cuts of one link add up: it is open again when all are healed.
package links

import (
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// Link is a direction between two participants, by their names.
type Link struct{ From, To string }

// Links are the links of a network. Create it with New. All methods may be called concurrently.
type Links struct {
	// Changed, when not nil, is called when a link was cut (true) or has healed (false), one call at a time. It must not use the Links. It is set before they are used.
	Changed func(l Link, cut bool)

	mu     sync.Mutex
	cuts   map[Link]int
	change chan struct{}     // closed and replaced when a link has healed
	later  map[Link][]func() // what happens when the link has healed
}

// New returns links that are all open.
func New() *Links {
	return &Links{cuts: map[Link]int{}, change: make(chan struct{}), later: map[Link][]func(){}}
}

// Cut cuts a link until heal is called.
func (s *Links) Cut(from, to string) (heal func()) {
	l := Link{from, to}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cuts[l]++; s.cuts[l] == 1 && s.Changed != nil {
		s.Changed(l, true)
	}
	return sync.OnceFunc(func() { s.heal(l) })
}

func (s *Links) heal(l Link) {
	s.mu.Lock()
	if s.cuts[l]--; s.cuts[l] > 0 {
		s.mu.Unlock()
		return
	}
	delete(s.cuts, l)
	if s.Changed != nil {
		s.Changed(l, false)
	}
	late := s.later[l]
	delete(s.later, l)
	close(s.change)
	s.change = make(chan struct{})
	s.mu.Unlock()
	for _, f := range late {
		f()
	}
}

// HealAll ends all cuts, and what they held back happens.
func (s *Links) HealAll() {
	s.mu.Lock()
	cut := slices.Collect(maps.Keys(s.cuts))
	for _, l := range cut {
		s.cuts[l] = 1
	}
	s.mu.Unlock()
	for _, l := range cut {
		s.heal(l)
	}
}

// IsCut tells whether a link is cut.
func (s *Links) IsCut(l Link) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cuts[l] > 0
}

// Pass waits until a link isn't cut; false when done is closed first.
func (s *Links) Pass(l Link, done <-chan struct{}) bool {
	for {
		cut, changed := s.look(l)
		if !cut {
			return true
		}
		select {
		case <-changed:
		case <-done:
			return false
		}
	}
}

func (s *Links) look(l Link) (cut bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cuts[l] > 0, s.change
}

// whenHealed calls f when a link isn't cut: at once, or when it has healed.
func (s *Links) whenHealed(l Link, f func()) {
	s.mu.Lock()
	if s.cuts[l] > 0 {
		s.later[l] = append(s.later[l], f)
		f = func() {}
	}
	s.mu.Unlock()
	f()
}

// Wrap puts a connection that a participant made to another under the links: what it writes waits while the link to the other is cut, what it reads while the one from it is. Closing it
// behind a cut closes the connection itself when the cut has healed: until then the other end takes it for alive.
func (s *Links) Wrap(c net.Conn, self, other string) net.Conn {
	w := &conn{Conn: c, links: s, out: Link{self, other}, in: Link{other, self}, closed: make(chan struct{})}
	w.reading.changed, w.writing.changed = make(chan struct{}), make(chan struct{})
	return w
}

// conn is a connection under links.
type conn struct {
	net.Conn
	links     *Links
	in, out   Link
	closed    chan struct{}
	closeOnce sync.Once

	reading, writing deadline

	readMu sync.Mutex // one reader at a time
	held   []byte     // was read while the link was cut
	err    error      // came after it
}

// deadline is a deadline that waits in this package watch too.
type deadline struct {
	mu      sync.Mutex
	at      time.Time
	changed chan struct{} // closed and replaced by each change
}

func (d *deadline) set(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = at
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *deadline) get() (at time.Time, changed <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at, d.changed
}

// wait waits until a link isn't cut.
func (c *conn) wait(l Link, d *deadline) error {
	for {
		cut, healed := c.links.look(l)
		if !cut {
			return nil
		}
		at, moved := d.get()
		var passed <-chan time.Time
		var timer *time.Timer
		if !at.IsZero() {
			timer = time.NewTimer(time.Until(at))
			passed = timer.C
		}
		var err error
		select {
		case <-healed:
		case <-moved:
		case <-passed:
			err = os.ErrDeadlineExceeded
		case <-c.closed:
			err = net.ErrClosed
		}
		if timer != nil {
			timer.Stop()
		}
		if err != nil {
			return err
		}
	}
}

// Read reads what has come over an open link.
func (c *conn) Read(b []byte) (int, error) {
	c.readMu.Lock()
	defer c.readMu.Unlock()
	for {
		if len(c.held) > 0 || c.err != nil {
			if err := c.wait(c.in, &c.reading); err != nil {
				return 0, err
			}
			n := copy(b, c.held)
			if c.held = c.held[n:]; n > 0 {
				return n, nil
			}
			err := c.err
			c.held, c.err = nil, nil
			return 0, err
		}
		n, err := c.Conn.Read(b)
		select {
		case <-c.closed:
			return 0, net.ErrClosed
		default:
		}
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() || !c.links.IsCut(c.in) { //nolint:errorlint // a deadline is this connection's own, never wrapped
			return n, err
		}
		c.held, c.err = append([]byte(nil), b[:n]...), err
	}
}

// Write writes when the link is open.
func (c *conn) Write(b []byte) (int, error) {
	if err := c.wait(c.out, &c.writing); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// Close ends the use of the connection at once, and the connection when the link to the other end isn't cut.
func (c *conn) Close() error {
	err := net.ErrClosed
	c.closeOnce.Do(func() {
		close(c.closed)
		if !c.links.IsCut(c.out) {
			err = c.Conn.Close()
			return
		}
		_ = c.Conn.SetReadDeadline(time.Now()) // a reader looks up, and finds it closed
		c.links.whenHealed(c.out, func() { _ = c.Conn.Close() })
		err = nil
	})
	return err
}

// SetDeadline sets both deadlines.
func (c *conn) SetDeadline(t time.Time) error {
	c.reading.set(t)
	c.writing.set(t)
	return c.Conn.SetDeadline(t)
}

// SetReadDeadline sets the deadline of reads.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.reading.set(t)
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline sets the deadline of writes.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.writing.set(t)
	return c.Conn.SetWriteDeadline(t)
}
