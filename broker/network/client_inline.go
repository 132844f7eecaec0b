package network

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/prekraft/prekraft/broker/wire"
)

// inlineBuffer is the least memory that an answer is read into: most answers come with one read.
const inlineBuffer = 64 << 10

// exchange sends a request and reads its response in the caller's goroutine. The slot is taken: there is no other request.
func (c *Client) exchange(ctx context.Context, call *call, req wire.Request) result {
	stop := context.AfterFunc(ctx, func() { c.end(ctx.Err()) })
	defer stop()
	if err := c.send(ctx, call, req); err != nil { // which gave the slot back if nothing was sent
		return result{err: err}
	}
	frame, buf, err := c.readAnswer(call)
	if err != nil {
		c.end(err)
		return result{err: c.Err()}
	}
	correlation, body, err := wire.ParseResponseHeader(frame, call.key, call.version)
	if err == nil && correlation != call.correlation {
		err = fmt.Errorf("response has correlation id %d, not %d", correlation, call.correlation)
	}
	if err != nil {
		c.end(err)
		return result{err: c.Err()}
	}
	<-c.slots
	return result{body: body, buf: buf}
}

// readAnswer reads a response, its size included, into the call's memory or what replaces it. Nothing comes after it: there was one request.
func (c *Client) readAnswer(call *call) (frame, buf []byte, err error) {
	buf = call.buf[:cap(call.buf)]
	if len(buf) < inlineBuffer {
		buf = make([]byte, inlineBuffer)
	}
	have, size := 0, -1
	for {
		n, err := c.nc.Read(buf[have:])
		have += n
		if size < 0 && have >= 4 {
			var bad error
			if size, bad = c.answerSize(buf); bad != nil {
				return nil, nil, bad
			}
		}
		switch {
		case size >= 0 && have > size:
			return nil, nil, errors.New("response without request")
		case have == size:
			return buf[4:size], buf, nil
		case err != nil:
			return nil, nil, fmt.Errorf("read response: %w", err)
		case have == len(buf): // memory grows with what arrives: the peer may not be a broker
			bigger := make([]byte, min(size, max(4*have, trustedResponse)))
			copy(bigger, buf)
			buf = bigger
		}
	}
}

// answerSize is how many bytes a response has, its size included.
func (c *Client) answerSize(b []byte) (int, error) {
	size := int(int32(binary.BigEndian.Uint32(b)))
	if size < 4 || size > c.config.MaxResponseSize {
		return 0, fmt.Errorf("response of %d bytes, limit %d: %w", size, c.config.MaxResponseSize, ErrFrameSize)
	}
	return 4 + size, nil
}
