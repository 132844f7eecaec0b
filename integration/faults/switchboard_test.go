package faults_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/prekraft/prekraft/integration/links"
)

// dialTimeout bounds connecting to a server behind a front.
const dialTimeout = 2 * time.Second

// sniffed is how many bytes of a connection's first request tell who sends it: size, API key, version, correlation id and the length of the client id.
const sniffed = 4 + 2 + 2 + 4 + 2

// link is a direction between two participants: "broker-1", "zookeeper", "client".
type link = links.Link

// switchboard carries all connections of a cluster, and cuts links. The end of a connection is something that is sent, too: behind a cut a dead peer looks alive.
type switchboard struct {
	links *links.Links

	mu      sync.Mutex
	open    map[net.Conn]link
	closed  chan struct{}
	serving sync.WaitGroup
}

func newSwitchboard() *switchboard {
	return &switchboard{links: links.New(), open: map[net.Conn]link{}, closed: make(chan struct{})}
}

// cut cuts a link until heal is called. Cuts of one link add up.
func (s *switchboard) cut(from, to string) (heal func()) { return s.links.Cut(from, to) }

// pass waits until a link isn't cut; false when the switchboard is closed.
func (s *switchboard) pass(l link) bool { return s.links.Pass(l, s.closed) }

// keep notes a connection, so that close ends it.
func (s *switchboard) keep(c net.Conn, l link) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		c.Close()
		return false
	default:
	}
	s.open[c] = l
	return true
}

func (s *switchboard) drop(c net.Conn) {
	c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// reset breaks the connections between two participants.
func (s *switchboard) reset(a, b string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, l := range s.open {
		if l == (link{From: a, To: b}) || l == (link{From: b, To: a}) {
			_ = c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	}
}

// close ends all connections and returns when nothing runs any more. The fronts must be down.
func (s *switchboard) close() {
	s.mu.Lock()
	close(s.closed)
	for c := range s.open {
		c.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
}

// front is an address that clients of a server use instead of the server's own. While it is down, connecting is refused, as it is to a server that died.
type front struct {
	board   *switchboard
	address string // where it listens
	target  string // the server's address
	owner   string // the server's name
	source  string // who connects; empty: the first request's client id tells

	mu       sync.Mutex
	listener net.Listener
	done     chan struct{}
}

// up listens. It does nothing when it listens already.
func (f *front) up() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.listener != nil {
		return nil
	}
	l, err := net.Listen("tcp4", f.address)
	if err != nil {
		return err
	}
	f.listener, f.done = l, make(chan struct{})
	go f.accept(l, f.done) // ends with down
	return nil
}

// down refuses new connections; those there are live on.
func (f *front) down() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.listener == nil {
		return
	}
	f.listener.Close()
	<-f.done
	f.listener = nil
}

func (f *front) accept(l net.Listener, done chan struct{}) {
	defer close(done)
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		f.board.serving.Go(func() { f.serve(c) })
	}
}

// serve carries one connection.
func (f *front) serve(c net.Conn) {
	if !f.board.keep(c, link{From: f.source, To: f.owner}) {
		return
	}
	defer f.board.drop(c)
	source, first := f.source, []byte(nil)
	if source == "" {
		var err error
		if source, first, err = sniff(c); err != nil {
			return
		}
		f.board.keep(c, link{From: source, To: f.owner})
	}
	there, back := link{From: source, To: f.owner}, link{From: f.owner, To: source}
	if !f.board.pass(there) || !f.board.pass(back) {
		return
	}
	upstream, err := net.DialTimeout("tcp4", f.target, dialTimeout)
	if err != nil || !f.board.keep(upstream, there) {
		return
	}
	defer f.board.drop(upstream)
	if _, err := upstream.Write(first); err != nil {
		return
	}
	var pumps sync.WaitGroup
	pumps.Go(func() { f.board.pump(there, c, upstream) })
	f.board.pump(back, upstream, c)
	pumps.Wait()
}

// pump carries one direction until it ends.
func (s *switchboard) pump(l link, from, to net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if !s.pass(l) {
			return
		}
		if n > 0 {
			if _, failed := to.Write(buf[:n]); failed != nil {
				from.Close() // nobody reads it any more
				return
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				_ = to.(*net.TCPConn).CloseWrite()
			} else {
				to.Close()
			}
			return
		}
	}
}

// sniff reads as much of a connection's first request as tells which broker sends it: brokers name themselves in the client id, as "1" or "broker-1-fetcher-0".
func sniff(c net.Conn) (source string, first []byte, err error) {
	first = make([]byte, sniffed)
	if _, err := io.ReadFull(c, first); err != nil {
		return "", nil, err
	}
	size := int(int16(binary.BigEndian.Uint16(first[sniffed-2:])))
	if size <= 0 {
		return "client", first, nil
	}
	first = append(first, make([]byte, size)...)
	if _, err := io.ReadFull(c, first[sniffed:]); err != nil {
		return "", nil, err
	}
	id := strings.TrimPrefix(string(first[sniffed:]), "broker-")
	id, _, _ = strings.Cut(id, "-")
	if len(id) != 1 || id < "1" || id > "3" {
		return "client", first, nil
	}
	return "broker-" + id, first, nil
}
