package zkserver

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prekraft/prekraft/zkutil/sasl"
)

// readBatch is how much a reader hands to the core at once: all whole frames within it, or one larger frame.
const readBatch = 64 << 10

var errFrameLength = errors.New("frame length out of range")

// blockReason says why the requests of a connection are not handled for the moment.
type blockReason uint8

const (
	blockApply  blockReason = 1 << iota // its head has not applied the write whose reply is due
	blockDelay                          // a fault rule delays the next request
	blockFrozen                         // the next request writes below a frozen path
	blockOutput                         // the client does not read its replies
	blockStall                          // the handshake is not answered: PauseAccepted
)

// conn is one client connection. Two goroutines serve it: serve reads, write writes. Neither decides anything.
type conn struct {
	// Fixed.
	id     uint64
	nc     net.Conn
	remote string
	head   *head

	// Shared.
	heard atomic.Int64  // Server.clock of the last frame read
	ack   chan struct{} // the core has handled the last event of this connection; capacity 1
	stop  chan struct{} // closed when the connection is cut
	wake  chan struct{} // there is output; capacity 1
	once  sync.Once
	out   struct {
		sync.Mutex
		buf     []byte
		writing int  // bytes the writer took and has not written yet
		fin     bool // close after buf
		drain   bool // the core wants to hear when buf is empty
	}

	// The core's.
	gone     bool // cut or finished: nothing is handled or answered any more
	session  *session
	asked    int64 // session id of the handshake
	ids      []authID
	sasl     *sasl.Server // of the exchange under way or done; nil before the first message
	batch    []byte       // frames not handled yet, each with its length
	owed     bool         // the reader waits for an ack
	blocked  blockReason
	delayed  bool   // the rules were asked about the frame at the head of batch
	waitZxid int64  // blockApply
	waiting  []byte // the reply that waits, complete but for its zxid
	waitFin  bool   // close after it
	connect  *connectRequest
	pend     []byte // output of this turn of the core
	dirty    bool
	fin      bool
	outSize  int // upper bound of what the writer has not written yet
	holding  bool
	held     []byte
	heldFin  bool
	heldZxid int64
	stamp    uint64 // last event told, to tell each connection once

	watchBytes int64 // of the paths of all its watches
	received   int64
	sent       int64
}

func newConn(s *Server, nc net.Conn, h *head, name string) *conn {
	if name == "" {
		name = nc.RemoteAddr().String()
	}
	c := &conn{
		id: s.nextID.Add(1), nc: nc, head: h, remote: name,
		ack: make(chan struct{}, 1), stop: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	c.ids = []authID{{"ip", ipOf(nc.RemoteAddr())}}
	c.heard.Store(s.clock())
	return c
}

// ipOf returns the address the ip scheme knows a connection by; in-process ones count as loopback.
func ipOf(a net.Addr) string {
	if host, _, err := net.SplitHostPort(a.String()); err == nil && a.Network() != "mem" {
		return host
	}
	return "127.0.0.1"
}

// cut ends the connection without writing what is queued. It does not wait: the deadline wakes both goroutines, which close.
func (c *conn) cut() {
	c.once.Do(func() {
		close(c.stop)
		_ = c.nc.SetDeadline(time.Unix(1, 0))
	})
}

// serve reads the handshake and then batches of frames until the connection ends.
func (c *conn) serve(s *Server) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.write(s)
	}()
	known, err := c.readAll(s)
	c.cut()
	<-done
	_ = c.nc.Close()
	if known {
		s.post(event{kind: evGone, c: c, err: err})
	} else if err != nil && !errors.Is(err, io.EOF) {
		s.tell(Event{Kind: ConnectionRejected, Remote: c.remote, Err: err})
	}
}

// readAll returns whether the core was told of the connection.
func (c *conn) readAll(s *Server) (bool, error) {
	if err := c.nc.SetReadDeadline(time.Now().Add(s.opts.HandshakeTimeout)); err != nil {
		return false, err
	}
	if tc, ok := c.nc.(*tls.Conn); ok {
		if err := tc.Handshake(); err != nil {
			return false, err
		}
		if certs := tc.ConnectionState().PeerCertificates; s.opts.X509 && len(certs) > 0 {
			name, err := distinguishedName(certs[0].RawSubject)
			if err != nil {
				return false, err
			}
			c.ids = append(c.ids, authID{"x509", name}) // nobody else has seen the connection yet
		}
	}
	var first [4]byte
	if _, err := io.ReadFull(c.nc, first[:]); err != nil {
		return false, err
	}
	if isWord(string(first[:])) {
		s.post(event{kind: evWord, c: c, word: string(first[:])})
		<-c.stop // the writer's, after the answer
		return true, nil
	}
	size := int(int32(binary.BigEndian.Uint32(first[:])))
	// The original takes any length up to its maximum; a handshake has 44 or 45 bytes, but the password's length is the client's.
	if size < 0 || size > s.opts.MaxFrame {
		return false, errFrameLength
	}
	frame, err := readGrowing(c.nc, nil, size)
	if err != nil {
		return false, err
	}
	req, err := decodeConnect(frame)
	if err != nil {
		return false, err
	}
	c.heard.Store(s.clock())
	if !s.post(event{kind: evConnect, c: c, connect: &req}) {
		return false, nil
	}
	select {
	case <-c.ack:
	case <-c.stop:
		return true, nil
	}
	if err := c.nc.SetReadDeadline(time.Time{}); err != nil {
		return true, err
	}
	select {
	case <-c.stop: // cut between the answer and the line above, which undid cut's deadline
		return true, nil
	default:
	}
	return true, c.readFrames(s)
}

// readFrames keeps at most one batch at the core and reads the next one meanwhile: a connection never costs more memory than two.
func (c *conn) readFrames(s *Server) error {
	in := frameReader{r: c.nc, max: s.opts.MaxFrame}
	for first := true; ; first = false {
		batch, err := in.next()
		if err != nil {
			return err
		}
		c.heard.Store(s.clock())
		if !first {
			select {
			case <-c.ack:
			case <-c.stop:
				return nil
			}
		}
		if !s.post(event{kind: evFrames, c: c, frames: batch}) {
			return nil
		}
	}
}

// frameReader cuts a stream into batches of whole frames. A batch is valid until the second call of next after the one
// that returned it: two buffers alternate.
type frameReader struct {
	r    io.Reader
	max  int
	bufs [2][]byte
	turn int
	rest []byte // read, but not handed out: part of the other buffer
}

// next returns one or more whole frames with their length fields.
func (f *frameReader) next() ([]byte, error) {
	f.turn ^= 1
	buf := append(f.bufs[f.turn][:0], f.rest...)
	f.rest = nil
	for {
		whole, need, err := f.whole(buf)
		if err != nil {
			return nil, err
		}
		if whole > 0 {
			f.rest = buf[whole:]
			f.keep(buf)
			return buf[:whole], nil
		}
		// Room grows with what has come, not with what a length field promises.
		if cap(buf)-len(buf) < min(need, 4096) {
			buf = append(make([]byte, 0, max(4096, min(2*len(buf), len(buf)+need))), buf...)
		}
		n, err := f.r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err != nil && n == 0 {
			return nil, err
		}
	}
}

// keep remembers a buffer for reuse unless one large frame blew it up.
func (f *frameReader) keep(buf []byte) {
	switch {
	case cap(buf) > 2*readBatch:
		f.bufs[f.turn] = nil
	case len(buf) == cap(buf) && cap(buf) < readBatch: // a busy connection earns larger batches
		f.bufs[f.turn] = make([]byte, 0, 2*cap(buf))
	default:
		f.bufs[f.turn] = buf
	}
}

// whole returns how many bytes of buf are whole frames, and else how many are missing for the first.
func (f *frameReader) whole(buf []byte) (whole, need int, err error) {
	for {
		left := len(buf) - whole
		if left < 4 {
			return whole, 4 - left, nil
		}
		size := int(int32(binary.BigEndian.Uint32(buf[whole:])))
		if size < 0 || size > f.max {
			if whole > 0 {
				return whole, 0, nil // what came before is answered first
			}
			return 0, 0, errFrameLength
		}
		if left < 4+size {
			return whole, 4 + size - left, nil
		}
		whole += 4 + size
	}
}

// readGrowing reads exactly size bytes, allocating as they come.
func readGrowing(r io.Reader, buf []byte, size int) ([]byte, error) {
	for len(buf) < size {
		n := len(buf)
		buf = append(buf, make([]byte, min(size-n, max(4096, n)))...)
		if _, err := io.ReadFull(r, buf[n:]); err != nil {
			return nil, err
		}
	}
	return buf, nil
}

// write sends what the core queued until the connection is cut or finished.
func (c *conn) write(s *Server) {
	var spare []byte
	for {
		select {
		case <-c.stop:
			return
		case <-c.wake:
		}
		for {
			c.out.Lock()
			buf, fin, drain := c.out.buf, c.out.fin, c.out.drain
			c.out.writing = len(buf)
			if len(buf) == 0 {
				c.out.drain = false
			} else {
				c.out.buf, spare = spare[:0], nil
			}
			c.out.Unlock()
			if len(buf) == 0 {
				if drain && !s.post(event{kind: evDrained, c: c}) {
					return
				}
				if fin {
					c.cut()
					return
				}
				break
			}
			if _, err := c.nc.Write(buf); err != nil {
				c.cut()
				return
			}
			if cap(buf) <= 2*readBatch {
				spare = buf
			}
		}
	}
}

// push hands the core's output to the writer and returns how much waits there.
func (c *conn) push(p []byte, fin, drain bool) int {
	c.out.Lock()
	c.out.buf = append(c.out.buf, p...)
	c.out.fin = c.out.fin || fin
	c.out.drain = c.out.drain || drain
	size := len(c.out.buf) + c.out.writing
	c.out.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return size
}
