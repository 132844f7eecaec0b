package record

import (
	"errors"
	"io"
)

// cursor reads the decompressed bytes of a batch piece by piece.
type cursor struct {
	piece   []byte  // what is left of the current piece
	source  decoder // nil when piece is all there is
	left    int64   // how many decompressed bytes may still come
	scratch []byte  // a record that spans pieces, for whoever needs it in one
	pool    *Codecs
	codec   Codec
}

// open returns a cursor over payload. Close it. Only who runs no foreign code before that may set serial: see wideWindow.
func (s *Codecs) open(codec Codec, magic int8, payload []byte, limit int64, serial bool) (*cursor, error) {
	c := s.cursor()
	c.pool, c.codec = s, codec
	if codec == CodecNone {
		c.piece = payload
		return c, nil
	}
	switch {
	case limit == 0:
		limit = DefaultMaxDecompressed
	case limit < 0:
		limit = 1<<63 - 1
	}
	c.left = limit
	var err error
	if c.source, err = s.decoder(codec); err == nil {
		if z, ok := c.source.(*zstdDecoder); ok && serial && s != nil {
			z.serial = &s.wideWindow
		}
		err = c.source.reset(payload, magic, limit)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (s *Codecs) cursor() *cursor {
	if s != nil {
		if c, ok := s.cursors.Get().(*cursor); ok {
			return c
		}
	}
	return new(cursor)
}

func (c *cursor) close() {
	s := c.pool
	if c.source != nil {
		s.putDecoder(c.codec, c.source)
	}
	*c = cursor{scratch: keep(c.scratch)}
	if s != nil {
		s.cursors.Put(c)
	}
}

// fill makes piece non-empty when it is empty. At the end of the records it returns io.EOF.
func (c *cursor) fill() error {
	for len(c.piece) == 0 {
		if c.source == nil {
			return io.EOF
		}
		p, err := c.source.next()
		if err != nil {
			return err
		}
		if int64(len(p)) > c.left {
			return ErrDecompressedTooLarge
		}
		c.left -= int64(len(p))
		c.piece = p
	}
	return nil
}

// need is fill where records must follow.
func (c *cursor) need() error {
	if len(c.piece) > 0 {
		return nil
	}
	err := c.fill()
	if errors.Is(err, io.EOF) {
		return invalid("the records end early")
	}
	return err
}

// end returns nil if there are no more bytes.
func (c *cursor) end() error {
	switch err := c.fill(); {
	case err == nil:
		return invalid("bytes remain after the last record")
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

// length reads the varint before a record.
func (c *cursor) length() (int, error) {
	var v uint64
	for shift := 0; ; shift += 7 {
		if err := c.need(); err != nil {
			return 0, err
		}
		b := c.piece[0]
		c.piece = c.piece[1:]
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			break
		}
		if shift == 28 {
			return 0, errVarint
		}
	}
	n := int(unzigzag32(uint32(v)))
	if n < 0 {
		return 0, invalid("record length %d", n)
	}
	return n, nil
}

// record returns the body of the next record in one piece: a part of the current piece or of scratch, which the next
// call overwrites. Memory for it grows only with what really is there.
func (c *cursor) record() ([]byte, error) {
	n, err := c.length()
	if err != nil {
		return nil, err
	}
	if n <= len(c.piece) {
		body := c.piece[:n:n]
		c.piece = c.piece[n:]
		return body, nil
	}
	return c.gather(n)
}

// gather copies the next n bytes into scratch.
func (c *cursor) gather(n int) ([]byte, error) {
	if c.source == nil || int64(n)-int64(len(c.piece)) > c.left {
		return nil, c.short(n)
	}
	c.scratch = c.scratch[:0]
	for len(c.scratch) < n {
		if err := c.need(); err != nil {
			return nil, err
		}
		part := c.piece[:min(len(c.piece), n-len(c.scratch))]
		c.scratch = append(c.scratch, part...)
		c.piece = c.piece[len(part):]
	}
	return c.scratch, nil
}

// short is the error for a length of n that is more than there can be.
func (c *cursor) short(n int) error {
	if c.source == nil {
		return invalid("length %d, but %d bytes remain", n, len(c.piece))
	}
	return ErrDecompressedTooLarge
}
