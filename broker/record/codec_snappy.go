package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
)

// The framing of snappy-java's SnappyOutputStream ("xerial"): this header, then blocks, each an int32 length and a raw
// snappy block. Not the framing format of snappy itself.
const (
	snappyMagic      = "\x82SNAPPY\x00"
	snappyHeader     = snappyMagic + "\x00\x00\x00\x01" + "\x00\x00\x00\x01" // version, oldest compatible version
	snappyMagicInt   = 0x82534e41                                            // a length that is the beginning of another header
	snappyBlockSize  = 32 << 10
	snappyMaxExpands = 22 // a snappy block can't expand further: 3 bytes copy 64
)

var (
	errSnappyBlock = errors.New("block length")
	errSnappyTag   = errors.New("copy from offset 0")
)

// snappyDecoder reads xerial frames, several of them too, and also one bare raw block, which some clients send and
// Java's reader accepts.
type snappyDecoder struct {
	in    []byte
	raw   bool
	limit int64
	out   []byte
}

func (d *snappyDecoder) reset(in []byte, _ int8, limit int64) error {
	d.raw = len(in) < len(snappyHeader) || string(in[:len(snappyMagic)]) != snappyMagic
	d.limit = limit
	if !d.raw {
		if v := binary.BigEndian.Uint32(in[len(snappyMagic):]); v < 1 {
			return brokenStream(CodecSnappy, fmt.Errorf("version %d", v))
		}
		in = in[len(snappyHeader):]
	}
	d.in = in
	return nil
}

func (d *snappyDecoder) next() ([]byte, error) {
	if len(d.in) == 0 {
		return nil, io.EOF
	}
	block := d.in
	if d.raw {
		d.in = nil
		return d.block(block)
	}
	for {
		if len(d.in) < 4 {
			return nil, brokenStream(CodecSnappy, io.ErrUnexpectedEOF)
		}
		size := binary.BigEndian.Uint32(d.in)
		if size == snappyMagicInt && len(d.in) >= len(snappyHeader) && string(d.in[:len(snappyMagic)]) == snappyMagic {
			if d.in = d.in[len(snappyHeader):]; len(d.in) == 0 {
				return nil, io.EOF
			}
			continue
		}
		if uint64(size) > uint64(len(d.in)-4) {
			return nil, brokenStream(CodecSnappy, errSnappyBlock)
		}
		block, d.in = d.in[4:4+size], d.in[4+size:]
		return d.block(block)
	}
}

func (d *snappyDecoder) block(b []byte) ([]byte, error) {
	n, err := snappy.DecodedLen(b)
	switch {
	case err != nil:
		return nil, brokenStream(CodecSnappy, err)
	case int64(n) > int64(len(b))*snappyMaxExpands:
		return nil, brokenStream(CodecSnappy, errSnappyBlock)
	case int64(n) > d.limit:
		return nil, ErrDecompressedTooLarge
	case !standardSnappy(b):
		return nil, brokenStream(CodecSnappy, errSnappyTag)
	}
	d.out = grow(d.out, n)
	out, err := snappy.Decode(d.out, b)
	if err != nil {
		return nil, brokenStream(CodecSnappy, err)
	}
	return out, nil
}

// standardSnappy says whether the block holds no short copy from offset 0, which the fast decoder takes for "the last
// offset again": an extension that no consumer but itself could read. Anything else that is wrong is left to the decoder.
func standardSnappy(b []byte) bool {
	// Such a copy is a byte 000xxx01 and a 0. Mostly no two bytes look like that, and the tags needn't be followed.
	for i := 1; ; i++ {
		next := bytes.IndexByte(b[min(i, len(b)):], 0)
		if next < 0 {
			return true
		}
		if i += next; b[i-1]&0xe3 == 1 {
			break
		}
	}
	_, s := binary.Uvarint(b)
	for s < len(b) {
		tag := b[s]
		switch tag & 3 {
		case 0: // a literal
			length := int(tag >> 2)
			s++
			if extra := length - 59; extra > 0 {
				if s+extra > len(b) {
					return true
				}
				length = 0
				for i := range extra {
					length |= int(b[s+i]) << (8 * i)
				}
				s += extra
			}
			if length < 0 || length >= len(b)-s {
				return true
			}
			s += length + 1
		case 1:
			if s+1 < len(b) && tag>>5 == 0 && b[s+1] == 0 {
				return false
			}
			s += 2
		case 2:
			s += 3
		default:
			s += 5
		}
	}
	return true
}

func (d *snappyDecoder) release() {
	d.in = nil
	d.out = keep(d.out)
}

// snappyEncoder writes xerial frames with blocks of 32 KiB, as snappy-java does.
type snappyEncoder struct {
	out, block, packed []byte
}

func (e *snappyEncoder) reset(dst []byte) {
	e.out = append(dst, snappyHeader...)
	e.block = grow(e.block, snappyBlockSize)[:0]
}

func (e *snappyEncoder) write(p []byte) error {
	for len(p) > 0 {
		n := min(snappyBlockSize-len(e.block), len(p))
		e.block = append(e.block, p[:n]...)
		p = p[n:]
		if len(e.block) == snappyBlockSize {
			e.flush()
		}
	}
	return nil
}

func (e *snappyEncoder) flush() {
	if len(e.block) == 0 {
		return
	}
	e.packed = snappy.Encode(grow(e.packed, snappy.MaxEncodedLen(snappyBlockSize)), e.block)
	e.out = binary.BigEndian.AppendUint32(e.out, uint32(len(e.packed)))
	e.out = append(e.out, e.packed...)
	e.block = e.block[:0]
}

func (e *snappyEncoder) size() int { return len(e.out) }

func (e *snappyEncoder) finish() ([]byte, error) {
	e.flush()
	out := e.out
	e.out = nil
	return out, nil
}
