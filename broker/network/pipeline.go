package network

import (
	"encoding/binary"
	"sync"
	"time"
)

// piece is a part of a response: bytes in memory, or a file range, whose beginning may have been loaded into b.
type piece struct {
	b    []byte   // the next bytes to send
	buf  *buffer  // the memory to release when b has been sent; nil when another piece holds it
	span Span     // what follows b; its Offset and Length shrink as it is loaded or sent
	file bool     // it is a file range: b and buf are a loaded part of it
	last *Request // requests whose response ends here, linked by next
}

// pieces is a queue of them, pooled because idle connections have none.
type pieces struct{ list []piece }

// push appends a request for order's sake and waits while too much is unfinished or unsent. It tells why the connection should
// end, if it should.
func (c *Conn) push(r *Request) *closeError {
	more, follows := c.hasFrame(), c.hasFrameOf(r.Header.APIKey)
	c.mu.Lock()
	for c.stopped == nil && (c.pending >= c.server.config.MaxPending || c.unsent > maxUnsent) {
		c.attended = false
		if c.startWritingLocked() {
			c.mu.Unlock()
			c.write(true)
			c.mu.Lock()
			continue
		}
		if len(c.deferred) > 0 { // it may be what finishes the requests that are waited for
			c.mu.Unlock()
			c.runDeferred()
			c.mu.Lock()
			continue
		}
		c.waitLocked()
	}
	defer c.mu.Unlock()
	if c.stopped != nil {
		return c.stopped
	}
	c.attended = true
	r.follows = follows
	r.inServe, r.corked = true, more
	c.pending++
	if c.tail == nil {
		c.head = r
	} else {
		c.tail.next = r
	}
	c.tail = r
	return nil
}

// complete is where every request ends: it stores the response and sends what may go now.
func (c *Conn) complete(r *Request, response []piece, failure *closeError) {
	c.mu.Lock()
	if r.finished {
		c.mu.Unlock()
		(&pieces{list: response}).drop(c)
		if hook := c.server.hooks.FinishedTwice; hook != nil {
			hook(r)
		}
		return
	}
	r.finished, r.failed = true, failure != nil
	if r.timing != nil {
		r.timing.Finished = time.Now()
		for i := range response {
			r.timing.ResponseBytes += len(response[i].b) + response[i].span.Length
		}
	}
	closed := c.closing.Load()
	writer := false
	if !closed && failure == nil {
		r.pieces = response
		if !r.inServe {
			c.touch(time.Now()) // it may have been unfinished for longer than a connection may be idle
		}
		c.advanceLocked()
		// The connection's goroutine sends a reply given within ServeRequest, if it goes on serving anyway.
		leave := r.held
		if r.inServe {
			leave = r.corked
		}
		writer = !leave && c.startWritingLocked()
	}
	c.mu.Unlock()
	if r.buf != nil {
		r.buf.release()
		r.buf = nil
	}
	c.server.memory.give(int64(r.size))
	if closed || failure != nil {
		(&pieces{list: response}).drop(c)
		if failure != nil && !closed {
			c.stop(failure)
		}
		r.report()
		return
	}
	if writer {
		c.write(false)
	}
}

// advanceLocked moves the responses of the finished requests at the head to the out queue.
func (c *Conn) advanceLocked() {
	if c.head == nil || !c.head.finished || c.head.failed {
		return
	}
	var now time.Time
	for c.head != nil && c.head.finished && !c.head.failed {
		r := c.head
		c.head = r.next
		r.next = nil
		c.pending--
		if r.timing != nil {
			if now.IsZero() {
				now = time.Now()
			}
			r.timing.Ready = now
		}
		c.queueLocked(r)
	}
	if c.head == nil {
		c.tail = nil
	}
	c.wakeLocked()
}

// queueLocked appends r's response to the out queue. Small ones are copied behind one another, so that many leave as one range of
// memory; the rest stays where it is.
func (c *Conn) queueLocked(r *Request) {
	response := r.pieces
	r.pieces = nil
	if len(response) == 0 { // no reply
		if r.timing != nil {
			c.outLocked().list = append(c.outLocked().list, piece{last: r})
		}
		return
	}
	for i := range response {
		c.unsent += int64(len(response[i].b))
	}
	out := c.outLocked()
	if n := len(out.list); n > 0 && len(response) == 1 && !response[0].file {
		last := &out.list[n-1]
		if add := response[0].b; last.buf != nil && !last.file && cap(last.b)-len(last.b) >= len(add) {
			last.b = append(last.b, add...)
			response[0].buf.release()
			response[0] = piece{}
			if r.timing != nil {
				r.next = last.last
				last.last = r
			}
			return
		}
	}
	out.list = append(out.list, response...)
	if r.timing != nil {
		out.list[len(out.list)-1].last = r
	}
	clear(response)
}

func (c *Conn) outLocked() *pieces {
	if c.out == nil {
		c.out = c.server.lendPieces()
	}
	return c.out
}

// sendFrame queues a frame that answers no request (authentication).
func (c *Conn) sendFrame(frame []byte) {
	buf := c.server.pool.get(len(frame) + 4)
	binary.BigEndian.PutUint32(buf.b, uint32(len(frame)))
	n := 4 + copy(buf.b[4:], frame)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Load() {
		buf.release()
		return
	}
	c.unsent += int64(n)
	out := c.outLocked()
	out.list = append(out.list, piece{b: buf.b[:n], buf: buf})
}

// startWritingLocked takes the right to write, if there is something to write and nobody has it.
func (c *Conn) startWritingLocked() bool {
	if c.writing || c.closing.Load() || c.out == nil && c.writer == nil {
		return false
	}
	c.writing = true
	return true
}

// Send sends what is ready, as far as the socket takes it without waiting. See [Request.Hold].
func (c *Conn) Send() {
	c.mu.Lock()
	start := c.startWritingLocked()
	c.mu.Unlock()
	if start {
		c.write(false)
	}
}

// settle is what the connection's goroutine does before it waits: it sends what may go, and leaves later responses to
// others.
func (c *Conn) settle() {
	c.mu.Lock()
	c.attended = false
	start := c.startWritingLocked()
	c.mu.Unlock()
	if start {
		c.write(true)
	}
	if len(c.deferred) > 0 {
		c.runDeferred()
	}
}

// drain sends everything, including responses still to come.
func (c *Conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attended = false
	for !c.closing.Load() {
		if c.startWritingLocked() {
			c.mu.Unlock()
			c.write(true)
			c.mu.Lock()
			continue
		}
		if !c.writing && (c.head == nil || c.head.failed) {
			return
		}
		c.waitLocked()
	}
}

// write sends until nothing is queued. The caller has the right to write, and has lost it when write returns. Without block it
// stops where it would have to wait, and sees to it that someone goes on from there.
func (c *Conn) write(block bool) {
	budget := tryBudget
	for {
		c.mu.Lock()
		if c.closing.Load() {
			dropped := pieces{list: c.takeQueuedLocked()}
			c.writing = false
			c.wakeLocked()
			c.mu.Unlock()
			dropped.drop(c)
			return
		}
		if c.writer == nil {
			if c.out == nil {
				c.writing = false
				c.wakeLocked()
				c.mu.Unlock()
				return
			}
			c.writer = c.server.lendWriter(c)
			c.writer.pieces, c.out = c.out, nil
		}
		w := c.writer
		c.mu.Unlock()

		done, sent, err := w.transmit(block, &budget)
		if hook := c.server.hooks.BytesOut; hook != nil && sent > 0 {
			hook(c, sent)
		}
		if err != nil {
			c.close(err)
			continue // drops what is left
		}
		c.mu.Lock()
		c.unsent -= w.memorySent
		w.memorySent = 0
		c.wakeLocked()
		if done {
			c.writer = nil
			c.mu.Unlock()
			w.giveBack()
			continue
		}
		if block || c.closing.Load() {
			c.mu.Unlock()
			continue
		}
		if c.attended {
			// The connection's goroutine settles this before it waits.
			c.writing = false
			c.wakeLocked()
			c.mu.Unlock()
			return
		}
		// The connection isn't closing, so its goroutine is still counted, and the count can be raised.
		c.server.goroutines.Add(1)
		c.mu.Unlock()
		go func() {
			defer c.server.goroutines.Done()
			c.write(true)
		}()
		return
	}
}

// takeQueuedLocked empties the queues for dropping.
func (c *Conn) takeQueuedLocked() []piece {
	var list []piece
	if w := c.writer; w != nil {
		list = append(list, w.pieces.list[w.next:]...)
		c.writer = nil
	}
	if c.out != nil {
		list = append(list, c.out.list...)
		c.out = nil
	}
	c.unsent = 0
	return list
}

func (c *Conn) waitLocked() {
	if c.room == nil {
		c.room = sync.NewCond(&c.mu)
	}
	c.room.Wait()
}

func (c *Conn) wakeLocked() {
	if c.room != nil {
		c.room.Broadcast()
	}
}

// drop releases what will not be sent.
func (p *pieces) drop(c *Conn) {
	for i := range p.list {
		p.list[i].end(c, time.Time{})
	}
	p.list = nil
}

// end releases what a piece holds and reports the requests that end with it.
func (p *piece) end(c *Conn, sent time.Time) {
	p.releaseBuffer(c)
	p.span.release()
	for r := p.last; r != nil; {
		next := r.next
		r.next = nil
		r.timing.Sent = sent
		r.report()
		r = next
	}
	*p = piece{}
}

func (p *piece) releaseBuffer(c *Conn) {
	if p.buf == nil {
		return
	}
	if p.file {
		c.server.copying.Add(-int64(len(p.buf.b)))
	}
	p.buf.release()
	p.buf = nil
}

// report tells the hook that the request is over.
func (r *Request) report() {
	if r.timing != nil {
		r.Conn.server.hooks.RequestDone(r, *r.timing)
	}
}
