package network

import (
	"fmt"
	"io"
	"time"
)

// writer sends a queue of pieces. It is lent to a connection while there is something to send, and used by whoever has
// the connection's right to write.
type writer struct {
	conn       *Conn
	pieces     *pieces
	next       int   // pieces before it have been sent
	memorySent int64 // bytes sent that counted as Conn.unsent, since they were last subtracted
	raw        rawWriter
}

// transmit sends what the writer has. Without block it stops before it would wait for the socket or a disk, or when budget, counted down
// by what it sends, is used up; done tells whether everything went. Sent is the number of bytes given to the socket.
func (w *writer) transmit(block bool, budget *int) (done bool, sent int, end *closeError) {
	if w.conn.raw != nil {
		return w.transmitRaw(block, budget)
	}
	if !block {
		return false, 0, nil
	}
	return w.transmitCopy()
}

// transmitCopy gathers pieces into one buffer and writes that: for TLS, where every write makes a record of its own, and for networks
// that know no vectors.
func (w *writer) transmitCopy() (done bool, sent int, end *closeError) {
	c := w.conn
	staging := c.server.pool.get(64 << 10)
	defer staging.release()
	for w.next < len(w.pieces.list) {
		n := 0
		for i := w.next; i < len(w.pieces.list) && n < len(staging.b); i++ {
			p := &w.pieces.list[i]
			k := copy(staging.b[n:], p.b)
			n += k
			if k < len(p.b) {
				break
			}
			if length := min(p.span.Length, len(staging.b)-n); length > 0 {
				if err := readSpan(&p.span, staging.b[n:n+length]); err != nil {
					return false, sent, err
				}
				n += length
			}
			if len(staging.b) == n {
				break
			}
		}
		if n > 0 {
			k, err := c.nc.Write(staging.b[:n])
			sent += k
			c.touch(time.Now())
			if err != nil {
				return false, sent, &closeError{ClosedWriteError, err}
			}
		}
		w.advance(n)
	}
	return true, sent, nil
}

// advance marks n bytes as sent and ends the pieces that are.
func (w *writer) advance(n int) {
	for w.next < len(w.pieces.list) {
		p := &w.pieces.list[w.next]
		k := min(n, len(p.b))
		p.b = p.b[k:]
		n -= k
		if !p.file {
			w.memorySent += int64(k)
		}
		if len(p.b) > 0 {
			return
		}
		if p.file {
			p.releaseBuffer(w.conn)
		}
		k = min(n, p.span.Length)
		p.span.Offset += int64(k)
		p.span.Length -= k
		n -= k
		if p.span.Length > 0 {
			return
		}
		var now time.Time
		if p.last != nil {
			now = time.Now()
		}
		p.end(w.conn, now)
		w.next++
	}
}

// readSpan reads the beginning of a range. A file that ends early can't be made up for: the response's size has been
// sent.
func readSpan(s *Span, b []byte) *closeError {
	n, err := s.File.ReadAt(b, s.Offset)
	if n == len(b) {
		return nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return &closeError{ClosedBadResponse, fmt.Errorf("file range at %d: %w", s.Offset, err)}
}

// giveBack returns an empty writer and its queue.
func (w *writer) giveBack() {
	s := w.conn.server
	s.returnPieces(w.pieces)
	w.conn, w.pieces, w.next, w.memorySent = nil, nil, 0, 0
	s.writers.Put(w)
}
