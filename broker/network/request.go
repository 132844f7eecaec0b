package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// Handler serves requests.
type Handler interface {
	// ServeRequest is called in the connection's goroutine, in order of arrival, one call per connection at a time. The
	// request must be finished exactly once (Reply, ReplyFetch, ReplyBytes, NoReply or Close): during the call or at any time later,
	// from any goroutine. ServeRequest must not wait for anything but a file; a request that has to wait is kept and finished
	// later.
	//
	// A reply given during the call may be sent before the call returns.
	ServeRequest(r *Request)
}

// HandlerFunc makes a function a [Handler].
type HandlerFunc func(r *Request)

// ServeRequest calls f.
func (f HandlerFunc) ServeRequest(r *Request) { f(r) }

// Span is a range of a file that is part of a response.
type Span struct {
	// File is open for reading and stays so until Release is called.
	File *os.File
	// Offset is where the range begins, in bytes. The file's own position is neither used nor moved.
	Offset int64
	// Length is the range's length in bytes.
	Length int
	// Release, when not nil, is called exactly once: when the range has been sent, or will not be. It is called by whoever
	// writes and must not wait.
	Release func()
}

func (s *Span) release() {
	if s.Release != nil {
		s.Release()
	}
}

// Request is one request of a client.
//
// Body and all that is decoded from it without copying is lent until ServeRequest returns, whether or not the request is
// finished by then. A handler that keeps the request and needs those bytes later calls Retain first, or copies what it
// needs: retained memory may be a whole read buffer (16 KiB) for a small request, so what waits for minutes had better
// copy. The handler may write to Body (Kafka's log patches batch headers in place).
type Request struct {
	// Header is the parsed header.
	Header wire.RequestHeader
	// Body is the frame after the header.
	Body []byte
	// Conn is the connection it came on.
	Conn *Conn
	// Principal is who sent it ("User:alice"), as of its arrival.
	Principal string
	// Received is when the last of its bytes had been read.
	Received time.Time

	buf    *buffer // where Body is, while retained
	size   int     // of the frame, with its size field
	timing *Timing // nil when nobody asks
	done   func(Outcome)
	// follows tells that a request of the same API is buffered behind this one.
	follows bool
	held    bool // whoever finishes it calls Conn.Send afterwards

	// The rest is guarded by Conn.mu.

	next     *Request // the request after this one; later, the next one whose response ends in the same piece
	inServe  bool     // ServeRequest has not returned
	corked   bool     // another whole frame is buffered: the reply need not leave at once
	finished bool
	failed   bool    // finished by closing the connection: nothing after it is sent
	pieces   []piece // the response
	one      [1]piece
}

// Outcome is how a request made by [NewRequest] was finished.
type Outcome struct {
	// Frame is the response without its size field: header and body, file ranges read in. Nil when there is none.
	Frame []byte
	// Err is the reason of Close, or the error of a response that could not be encoded.
	Err error
}

// NewRequest makes a request that came over no connection, for calling a handler directly. done is called once, by whoever finishes the
// request. conn says who asks; only its exported fields are used. Body belongs to the request.
func NewRequest(conn *Conn, principal string, header wire.RequestHeader, body []byte, done func(Outcome)) *Request {
	return &Request{Header: header, Body: body, Conn: conn, Principal: principal, Received: time.Now(), size: len(body), done: done}
}

// Retain keeps Body valid until the request is finished. It must be called within ServeRequest.
func (r *Request) Retain() {
	if r.done != nil || r.buf != nil {
		return
	}
	r.buf = r.Conn.current
	r.buf.retain()
}

// Follows tells whether another request of the same API has come with this one, and will be served as soon as ServeRequest returns. Then what need not be done for each of them may
// be left to [Request.Defer].
func (r *Request) Follows() bool { return r.follows }

// Defer has f called in the connection's goroutine once the requests that came with this one are served, and before it waits for anything. It must be called within ServeRequest, and only if
// Follows says so. Like ServeRequest, f must not wait.
func (r *Request) Defer(f func()) { r.Conn.deferred = append(r.Conn.deferred, f) }

// Hold lets the answer, which must follow, be ready without being sent: [Conn.Send] must follow that. For one who finishes several requests of a connection. Within ServeRequest it changes
// nothing.
func (r *Request) Hold() { r.held = true }

// Reply finishes the request with resp, encoded in the request's version. resp is not used after Reply returns. A response that
// can't be encoded closes the connection.
func (r *Request) Reply(resp wire.Response) {
	if r.dropped() {
		r.finish(nil, nil)
		return
	}
	buf, out := r.lend()
	out, err := wire.AppendResponse(out, r.Header.APIVersion, r.Header.CorrelationID, resp)
	if err != nil {
		buf.release()
		r.finish(nil, &closeError{ClosedBadResponse, fmt.Errorf("response to %v v%d: %w", r.Header.APIKey, r.Header.APIVersion, err)})
		return
	}
	r.finish(r.single(buf, out), nil)
}

// ReplyBytes finishes the request with a response body that is already encoded, in the request's version. body is copied.
func (r *Request) ReplyBytes(body []byte) {
	if r.dropped() {
		r.finish(nil, nil)
		return
	}
	buf, out := r.lend()
	out = append(out, 0, 0, 0, 0)
	out = wire.AppendResponseHeader(out, r.Header.APIKey, r.Header.APIVersion, r.Header.CorrelationID)
	out = append(out, body...)
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	r.finish(r.single(buf, out), nil)
}

// ReplyFetch finishes the request with a fetch response whose records are, where a partition has RecordsSize and no Records, in
// spans, in order. Each such partition takes as many of the spans as make up its RecordsSize. The spans are released when
// they have been sent, or when they won't be.
func (r *Request) ReplyFetch(resp *wire.FetchResponse, spans []Span) {
	if r.dropped() {
		releaseAll(spans)
		r.finish(nil, nil)
		return
	}
	pieces, err := r.fetchPieces(resp, spans)
	if err != nil {
		releaseAll(spans)
		r.finish(nil, &closeError{ClosedBadResponse, fmt.Errorf("fetch response v%d: %w", r.Header.APIVersion, err)})
		return
	}
	r.finish(pieces, nil)
}

// errSpans is a handler's bug: what it announced and what it gave differ.
var errSpans = errors.New("spans do not make up the announced sizes")

func (r *Request) fetchPieces(resp *wire.FetchResponse, spans []Span) ([]piece, error) {
	buf, out := r.lend()
	out, gaps, err := wire.AppendFetchResponseFrame(out, r.Header.APIVersion, r.Header.CorrelationID, resp)
	if err != nil {
		buf.release()
		return nil, err
	}
	if cap(out) > len(buf.b) {
		buf.adopt(out)
	}
	pieces := make([]piece, 0, len(spans)+len(gaps)+1)
	from, next := 0, 0
	for _, gap := range gaps {
		if gap.Offset > from {
			pieces = append(pieces, piece{b: out[from:gap.Offset:gap.Offset]})
			from = gap.Offset
		}
		left := int64(gap.Size)
		for ; left > 0 && next < len(spans); next++ {
			span := spans[next]
			if span.Length < 0 || span.File == nil && span.Length > 0 {
				break
			}
			left -= int64(span.Length)
			pieces = append(pieces, piece{span: span})
		}
		if left != 0 {
			buf.release()
			return nil, fmt.Errorf("partition with %d bytes: %w", gap.Size, errSpans)
		}
	}
	if next != len(spans) {
		buf.release()
		return nil, fmt.Errorf("%d spans left: %w", len(spans)-next, errSpans)
	}
	// The last piece holds the buffer: everything before it has been sent when it has.
	return append(pieces, piece{b: out[from:], buf: buf}), nil
}

// NoReply finishes the request without a response (Produce with acks=0).
func (r *Request) NoReply() { r.finish(nil, nil) }

// Close finishes the request by closing the connection: malformed or unsupported requests, and acks=0 errors. Responses to
// requests before it are sent if they are ready and the socket takes them at once.
func (r *Request) Close(reason error) {
	r.finish(nil, &closeError{ClosedByHandler, reason})
}

// lend returns memory for a response.
func (r *Request) lend() (*buffer, []byte) {
	if r.done != nil {
		buf := &buffer{pool: new(buffers)}
		buf.refs.Store(1)
		return buf, nil
	}
	buf := r.Conn.server.pool.get(responseSize)
	return buf, buf.b[:0]
}

// responseSize is the buffer a response is first encoded into; most fit.
const responseSize = 4 << 10

func (r *Request) single(buf *buffer, out []byte) []piece {
	if cap(out) > len(buf.b) {
		buf.adopt(out)
	}
	r.one[0] = piece{b: out, buf: buf}
	return r.one[:]
}

// dropped tells that nobody waits for the response, so that encoding it is in vain.
func (r *Request) dropped() bool {
	return r.done == nil && r.Conn.closing.Load()
}

func (r *Request) finish(pieces []piece, failure *closeError) {
	if r.done != nil {
		r.finishDetached(pieces, failure)
		return
	}
	r.Conn.complete(r, pieces, failure)
}

func (r *Request) finishDetached(pieces []piece, failure *closeError) {
	var out Outcome
	if failure != nil {
		out.Err = failure
	}
	for i := range pieces {
		p := &pieces[i]
		out.Frame = append(out.Frame, p.b...)
		if p.span.Length > 0 && out.Err == nil {
			start := len(out.Frame)
			out.Frame = append(out.Frame, make([]byte, p.span.Length)...)
			if err := readSpan(&p.span, out.Frame[start:]); err != nil {
				out.Err = err
			}
		}
		p.span.release()
	}
	if out.Err != nil {
		out.Frame = nil
	}
	if len(out.Frame) >= 4 {
		out.Frame = out.Frame[4:]
	}
	r.done(out)
}

func releaseAll(spans []Span) {
	for i := range spans {
		spans[i].release()
	}
}
