package zkutil

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prekraft/prekraft/zkutil/sasl"
)

// wire is the connection that the library reads and writes. It sees every byte, and uses that for what the library does not offer:
//
//   - it sets the watch flag of requests whose path has a handler,
//   - it bounds the wait for the handshake's answer, for which the library would wait 6.7 session timeouts,
//   - it learns the session's id and negotiated timeout, and when the server was last heard,
//   - it reads many nodes with one request (multiread.go),
//   - it reads ahead: the library reads each answer with two calls,
//   - it proves who the client is (identify.go).
//
// The library writes one whole frame per Write: first the handshake, then requests.
type wire struct {
	net.Conn
	watched func(kind watchKind, path string) bool
	heard   func(time.Time)
	opened  func(sessionID int64, timeout time.Duration)
	timeout time.Duration // for the handshake
	shook   bool          // the handshake was written; used by the writing goroutine only

	answer struct { // the first bytes of the handshake's answer; used by the reading goroutine only
		buf  [20]byte
		have int
	}
	// ahead is what was read ahead, left how much of a frame the library is still to get. Both are used by the reading goroutine only.
	ahead *bufio.Reader
	left  int
	reads reads

	// login is who to prove to be, nil: nobody. replay is what was read ahead for that. failed hears of an exchange that failed. The first
	// three are used by the reading goroutine only.
	login        *sasl.Login
	identified   bool
	replay       []byte
	failed       func(error)
	unidentified atomic.Bool

	gotByte atomic.Bool
	refused atomic.Bool // the server closed the connection instead of answering the handshake
	closing sync.Once
	closed  func(w *wire)
}

// Operation codes of the requests that can set a watch. Each has the body: path, watch flag.
const (
	opExists       = 3
	opGetData      = 4
	opGetChildren2 = 12
)

// Write passes a frame on. A frame whose watch flag must change is copied: the buffer belongs to the library.
func (w *wire) Write(p []byte) (int, error) {
	n := len(p)
	if w.shook {
		if together := asReads(p); together != nil {
			w.reads.add(binary.BigEndian.Uint32(together[4:]))
			p = together
		} else {
			p = w.arm(p)
		}
	}
	w.shook = true
	if _, err := w.Conn.Write(p); err != nil {
		return 0, err
	}
	return n, nil
}

// arm sets the watch flag. Frame: length, xid, op (4 bytes each), length of the path (4), path, flag (1).
func (w *wire) arm(p []byte) []byte {
	const fixed = 4 + 4 + 4 + 4
	if len(p) < fixed+1 || int(binary.BigEndian.Uint32(p)) != len(p)-4 || int(binary.BigEndian.Uint32(p[12:])) != len(p)-fixed-1 {
		return p
	}
	kind := watchData
	switch binary.BigEndian.Uint32(p[8:]) {
	case opExists, opGetData:
	case opGetChildren2:
		kind = watchChildren
	default:
		return p
	}
	if !w.watched(kind, string(p[fixed:len(p)-1])) {
		return p
	}
	out := append([]byte(nil), p...)
	out[len(out)-1] = 1
	return out
}

// Read gives the library what the server sends, from the answer to the handshake on; SASL messages are kept from it.
func (w *wire) Read(p []byte) (int, error) {
	if w.login != nil && !w.identified {
		w.identified = true
		if err := w.identify(); err != nil {
			return 0, err
		}
	}
	if len(w.replay) > 0 {
		n := copy(p, w.replay)
		w.replay = w.replay[n:]
		return n, nil
	}
	return w.pass(p)
}

// readAhead is how much is read at a time.
const readAhead = 16 << 10

// received makes receive a reader.
type received struct{ w *wire }

// Read is receive.
func (r received) Read(p []byte) (int, error) { return r.w.receive(p) }

// pass gives the library what was read ahead, frame by frame. The answer to a multiRead is translated.
func (w *wire) pass(p []byte) (int, error) {
	if w.ahead == nil {
		w.ahead = bufio.NewReaderSize(received{w}, readAhead)
	}
	if w.left == 0 {
		head, err := w.ahead.Peek(4 + 4) // length, xid; no frame is shorter
		if err != nil {
			return 0, err
		}
		length := int64(int32(binary.BigEndian.Uint32(head)))
		if length < 4 {
			length = math.MaxInt32 // the library says what it thinks of that
		}
		if w.reads.take(binary.BigEndian.Uint32(head[4:])) {
			if w.replay, err = w.together(4 + length); err != nil {
				return 0, err
			}
			n := copy(p, w.replay)
			w.replay = w.replay[n:]
			return n, nil
		}
		w.left = int(4 + length)
	}
	n, err := w.ahead.Read(p[:min(len(p), w.left)])
	w.left -= n
	return n, err
}

// together reads the answer to a multiRead.
func (w *wire) together(size int64) ([]byte, error) {
	f := make([]byte, min(size, maxResponseBytes))
	if _, err := io.ReadFull(w.ahead, f); err != nil {
		return nil, err
	}
	rest := size - int64(len(f))
	if rest == 0 {
		return asCreated(f), nil
	}
	if _, err := w.ahead.Discard(int(rest)); err != nil {
		return nil, err
	}
	return failedRead(f, codeTooLarge), nil
}

// receive notes that the server was heard.
func (w *wire) receive(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.gotByte.Store(true)
		w.heard(time.Now())
		w.handshake(p[:n])
	} else if errors.Is(err, io.EOF) && !w.gotByte.Load() {
		w.refused.Store(true)
	}
	return n, err
}

// handshake collects the start of the answer: length, protocol, timeout in ms (4 bytes each), session id (8).
func (w *wire) handshake(p []byte) {
	a := &w.answer
	if a.have == len(a.buf) {
		return
	}
	a.have += copy(a.buf[a.have:], p)
	if a.have < len(a.buf) {
		return
	}
	timeout := time.Duration(int32(binary.BigEndian.Uint32(a.buf[8:]))) * time.Millisecond
	if id := int64(binary.BigEndian.Uint64(a.buf[12:])); id != 0 {
		w.opened(id, timeout)
	}
}

// SetReadDeadline caps the deadline until the first byte has come.
func (w *wire) SetReadDeadline(t time.Time) error { return w.Conn.SetReadDeadline(w.capped(t)) }

// SetWriteDeadline caps the deadline until the first byte has come.
func (w *wire) SetWriteDeadline(t time.Time) error { return w.Conn.SetWriteDeadline(w.capped(t)) }

func (w *wire) capped(t time.Time) time.Time {
	if w.gotByte.Load() {
		return t
	}
	if limit := time.Now().Add(w.timeout); t.IsZero() || t.After(limit) {
		return limit
	}
	return t
}

// Close closes the connection once.
func (w *wire) Close() error {
	err := net.ErrClosed
	w.closing.Do(func() {
		err = w.Conn.Close()
		w.closed(w)
	})
	return err
}
