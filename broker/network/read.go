package network

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// hasFrame tells whether another whole frame is buffered.
func (c *Conn) hasFrame() bool {
	have := c.to - c.from
	if c.in == nil || have < 4 {
		return false
	}
	size := int32(binary.BigEndian.Uint32(c.in.b[c.from:]))
	return size >= 0 && int64(have) >= int64(size)+4
}

// hasFrameOf tells whether another whole frame is buffered, and is a request of that API.
func (c *Conn) hasFrameOf(key wire.APIKey) bool {
	return c.hasFrame() && c.to-c.from >= 6 && wire.APIKey(binary.BigEndian.Uint16(c.in.b[c.from+4:])) == key
}

// nextFrame reads a frame of at most limit bytes. It is valid until the next read; when it is too large for the read buffer it has memory of its
// own, which the caller releases. The frame's bytes have been taken from Server.memory, to be given back by giveBack or by
// finishing the request.
func (c *Conn) nextFrame(limit int) (frame []byte, owned *buffer, end *closeError) {
	for c.to-c.from < 4 {
		if end := c.fill(); end != nil {
			return nil, nil, end
		}
	}
	first := c.in.b[c.from : c.from+4]
	size := int(int32(binary.BigEndian.Uint32(first)))
	if size < 0 || size > limit {
		return nil, nil, sizeError(first, limit)
	}
	if end := c.take(int64(size) + 4); end != nil {
		return nil, nil, end
	}
	if size+4 > len(c.in.b) {
		c.from += 4
		if owned, end = c.largeFrame(size); end != nil {
			c.giveBack()
			return nil, nil, end
		}
		c.current = owned
		return owned.b[:size:size], owned, nil
	}
	for c.to-c.from < size+4 {
		if end := c.fill(); end != nil {
			c.giveBack()
			return nil, nil, end
		}
	}
	frame = c.in.b[c.from+4 : c.from+4+size : c.from+4+size]
	c.from += 4 + size
	c.current = c.in
	return frame, nil, nil
}

// largeFrame reads a frame that the read buffer can't hold, allocating as the bytes arrive: at most frameGrowth times
// what was sent, as long as such promises are kept small over all connections, else twice.
func (c *Conn) largeFrame(size int) (*buffer, *closeError) {
	if c.to == c.from {
		if end := c.fill(); end != nil {
			return nil, end
		}
	}
	const frameGrowth = 64
	var frame *buffer
	have := 0
	for have < size {
		arrived := have
		if frame == nil {
			arrived = c.to - c.from
		}
		growth := frameGrowth
		if c.server.ahead.Load() > frameAhead {
			growth = 2
		}
		bigger := c.server.pool.get(min(size, max(growth*arrived, chunkSize)))
		if frame == nil {
			have = copy(bigger.b[:min(len(bigger.b), size)], c.in.b[c.from:c.to])
			c.from += have
		} else {
			copy(bigger.b, frame.b[:have])
			frame.release()
		}
		frame = bigger
		until := min(len(frame.b), size)
		ahead := int64(until - have)
		c.server.ahead.Add(ahead)
		for have < until {
			c.settle()
			n, err := c.nc.Read(frame.b[have:until])
			have += n
			if n > 0 {
				c.noteRead(n)
			}
			if err != nil && have < until {
				c.server.ahead.Add(-ahead)
				frame.release()
				return nil, c.readError(err, true)
			}
		}
		c.server.ahead.Add(-ahead)
	}
	return frame, nil
}

// fill waits for input and reads at least a byte into the read buffer, which has or gets room for it.
func (c *Conn) fill() *closeError {
	c.settle()
	if c.in != nil && c.from == c.to && c.in.refs.Load() == 1 {
		c.from, c.to = 0, 0
		if len(c.in.b) < c.chunk() {
			c.in.release()
			c.in = nil
		}
	}
	var n int
	var err error
	switch {
	case c.in == nil || c.from == c.to && c.to == 0:
		n, err = c.readIdle()
	case c.to < len(c.in.b) && c.from < c.to && len(c.in.b)-c.from >= frameRoom(c.in.b[c.from:c.to], len(c.in.b)):
		n, err = c.nc.Read(c.in.b[c.to:])
	default:
		c.moveInput()
		if c.to == 0 {
			n, err = c.readIdle()
		} else {
			n, err = c.nc.Read(c.in.b[c.to:])
		}
	}
	c.to += n
	if n > 0 {
		c.bulk = c.bulk || c.to == len(c.in.b)
		c.noteRead(n)
		return nil
	}
	if err == nil {
		return nil // a reader may return nothing; try again
	}
	return c.readError(err, c.to != c.from)
}

// chunk is the size of the next read buffer. It grows with what the peer has shown to send, not with what it announces.
func (c *Conn) chunk() int {
	if c.bulk {
		return bulkChunkSize
	}
	return chunkSize
}

// frameRoom says how much room the frame that begins with b needs in a read buffer of limit bytes.
func frameRoom(b []byte, limit int) int {
	if len(b) < 4 {
		return 4
	}
	size := int(int32(binary.BigEndian.Uint32(b)))
	if size+4 > limit {
		return 4 // gets memory of its own
	}
	return size + 4
}

// moveInput makes room behind what is buffered: by moving it to the front, or to another buffer if requests still
// use this one.
func (c *Conn) moveInput() {
	rest := c.in.b[c.from:c.to]
	if c.in.refs.Load() == 1 {
		c.to = copy(c.in.b, rest)
		c.from = 0
		return
	}
	old := c.in
	c.in, c.from, c.to = nil, 0, 0
	if len(rest) > 0 {
		c.in = c.server.pool.get(c.chunk())
		c.to = copy(c.in.b, rest)
	}
	old.release()
}

func (c *Conn) noteRead(n int) {
	c.readAt = time.Now()
	c.touch(c.readAt)
	if hook := c.server.hooks.BytesIn; hook != nil {
		hook(c, n)
	}
}

// readError says what the end of reading means.
func (c *Conn) readError(err error, midFrame bool) *closeError {
	c.mu.Lock()
	stopped := c.stopped
	c.mu.Unlock()
	switch {
	case stopped != nil: // the deadline of stop, or the closed socket of close
		return stopped
	case errors.Is(err, io.EOF) && !midFrame:
		return &closeError{reason: ClosedByPeer}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &closeError{ClosedMidFrame, io.ErrUnexpectedEOF}
	case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
		return &closeError{ClosedReadError, err}
	}
	return &closeError{ClosedReadError, err}
}

// take waits until n bytes may be queued.
func (c *Conn) take(n int64) *closeError {
	for {
		wait := c.server.memory.take(n)
		if wait == nil {
			c.taken = n
			return nil
		}
		c.settle()
		select {
		case <-wait:
		case <-c.quit:
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.stopped
		}
	}
}

func (c *Conn) giveBack() {
	if c.taken > 0 {
		c.server.memory.give(c.taken)
		c.taken = 0
	}
}

// readIdleCopy is readIdle for connections that can't be asked whether there is input: it waits with a few bytes, and
// lends a buffer when they came. What follows them is read when it is missed.
func (c *Conn) readIdleCopy() (int, error) {
	if c.in != nil {
		c.in.release()
		c.in = nil
	}
	n, err := c.nc.Read(c.few[:])
	if n > 0 {
		c.in = c.server.pool.get(chunkSize)
		copy(c.in.b, c.few[:n])
	}
	return n, err
}
