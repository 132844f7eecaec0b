package record

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/pierrec/lz4/v4"
)

// The LZ4 frame format as Kafka uses it: version 1, independent blocks, no dictionary.
// Source: Lz4BlockInputStream.java, Lz4BlockOutputStream.java.
const (
	lz4Magic         = 0x184d2204
	lz4Version       = 1 << 6
	lz4Independent   = 1 << 5
	lz4BlockChecksum = 1 << 4
	lz4ContentSize   = 1 << 3
	lz4ContentSum    = 1 << 2
	lz4Reserved      = 1<<1 | 1<<0
	lz4Block64KiB    = 4 // in bits 4-6 of the BD byte; 5, 6, 7 are 256 KiB, 1 MiB, 4 MiB
	lz4Stored        = 1 << 31
	lz4BlockSize     = 64 << 10
	lz4MaxExpands    = 255 // a block can't expand further
)

var (
	errLZ4Magic      = errors.New("frame magic")
	errLZ4Flags      = errors.New("frame flags")
	errLZ4HeaderSum  = errors.New("frame header checksum")
	errLZ4BlockSize  = errors.New("block size")
	errLZ4BlockSum   = errors.New("block checksum")
	errLZ4ContentSum = errors.New("content checksum missing")
)

// lz4Decoder reads one frame; what follows its end mark is ignored, as is the content checksum's value, as in Kafka.
type lz4Decoder struct {
	in       []byte
	flags    byte
	blockMax int
	done     bool
	out      []byte
}

func (d *lz4Decoder) reset(in []byte, magic int8, _ int64) error {
	d.done = false
	if len(in) < 7 {
		return brokenStream(CodecLZ4, io.ErrUnexpectedEOF)
	}
	if binary.LittleEndian.Uint32(in) != lz4Magic {
		return brokenStream(CodecLZ4, errLZ4Magic)
	}
	flags, bd := in[4], in[5]
	size := bd >> 4
	if flags>>6 != 1 || flags&lz4Independent == 0 || flags&lz4Reserved != 0 || size < lz4Block64KiB || bd&^0x70 != 0 {
		return brokenStream(CodecLZ4, errLZ4Flags)
	}
	d.flags, d.blockMax = flags, 1<<(8+2*size)
	descriptor := 2
	if flags&lz4ContentSize != 0 {
		descriptor += 8
	}
	if len(in) < 4+descriptor+1 {
		return brokenStream(CodecLZ4, io.ErrUnexpectedEOF)
	}
	// Producers of magic 0 computed this byte over the wrong bytes, so there it says nothing.
	if sum := byte(xxh32(in[4:4+descriptor]) >> 8); magic != 0 && in[4+descriptor] != sum {
		return brokenStream(CodecLZ4, errLZ4HeaderSum)
	}
	d.in = in[4+descriptor+1:]
	return nil
}

func (d *lz4Decoder) next() ([]byte, error) {
	if d.done {
		return nil, io.EOF
	}
	if len(d.in) < 4 {
		return nil, brokenStream(CodecLZ4, io.ErrUnexpectedEOF)
	}
	word := binary.LittleEndian.Uint32(d.in)
	d.in = d.in[4:]
	size := int(word &^ lz4Stored)
	if size == 0 {
		d.done = true
		if d.flags&lz4ContentSum != 0 && len(d.in) < 4 {
			return nil, brokenStream(CodecLZ4, errLZ4ContentSum)
		}
		return nil, io.EOF
	}
	trailer := 0
	if d.flags&lz4BlockChecksum != 0 {
		trailer = 4
	}
	if size > d.blockMax {
		return nil, brokenStream(CodecLZ4, errLZ4BlockSize)
	}
	if len(d.in) < size+trailer {
		return nil, brokenStream(CodecLZ4, io.ErrUnexpectedEOF)
	}
	block := d.in[:size]
	if trailer > 0 && binary.LittleEndian.Uint32(d.in[size:]) != xxh32(block) {
		return nil, brokenStream(CodecLZ4, errLZ4BlockSum)
	}
	d.in = d.in[size+trailer:]
	if word&lz4Stored != 0 {
		return block, nil
	}
	d.out = grow(d.out, min(d.blockMax, size*lz4MaxExpands))
	n, err := lz4.UncompressBlock(block, d.out)
	if err != nil {
		return nil, brokenStream(CodecLZ4, err)
	}
	return d.out[:n], nil
}

func (d *lz4Decoder) release() {
	d.in = nil
	d.out = keep(d.out)
}

// lz4Encoder writes one frame of 64 KiB blocks without checksums, as Kafka's producer does.
type lz4Encoder struct {
	out, block []byte
	compress   func(src, dst []byte) (int, error)
}

// newLZ4Encoder takes Kafka's levels: 9, the default, is the fast compressor (not level 9 of the slow one), the others
// are levels of the slow one, of which this library has nine.
func newLZ4Encoder(level int) encoder {
	e := new(lz4Encoder)
	if _, _, standard := CodecLZ4.Levels(); level == DefaultLevel || level == standard {
		// The reference implementation's algorithm: the same bytes as lz4-java's.
		e.compress = new(lz4.CompressorCCompat).CompressBlock
	} else {
		e.compress = (&lz4.CompressorHC{Level: lz4.Level1 << (min(level, 9) - 1)}).CompressBlock
	}
	return e
}

func (e *lz4Encoder) reset(dst []byte) {
	descriptor := [2]byte{lz4Version | lz4Independent, lz4Block64KiB << 4}
	e.out = binary.LittleEndian.AppendUint32(dst, lz4Magic)
	e.out = append(e.out, descriptor[0], descriptor[1], byte(xxh32(descriptor[:])>>8))
	e.block = grow(e.block, lz4BlockSize)[:0]
}

func (e *lz4Encoder) write(p []byte) error {
	for len(p) > 0 {
		n := min(lz4BlockSize-len(e.block), len(p))
		e.block = append(e.block, p[:n]...)
		p = p[n:]
		if len(e.block) == lz4BlockSize {
			if err := e.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush writes the block, stored when compressing doesn't make it smaller.
func (e *lz4Encoder) flush() error {
	if len(e.block) == 0 {
		return nil
	}
	at := len(e.out)
	e.out = append(e.out, make([]byte, 4+lz4.CompressBlockBound(len(e.block)))...)
	n, err := e.compress(e.block, e.out[at+4:])
	if err != nil {
		return err
	}
	word := uint32(n)
	if n == 0 || n >= len(e.block) {
		n = copy(e.out[at+4:], e.block)
		word = uint32(n) | lz4Stored
	}
	binary.LittleEndian.PutUint32(e.out[at:], word)
	e.out = e.out[:at+4+n]
	e.block = e.block[:0]
	return nil
}

func (e *lz4Encoder) size() int { return len(e.out) }

func (e *lz4Encoder) finish() ([]byte, error) {
	err := e.flush()
	out := append(e.out, 0, 0, 0, 0)
	e.out = nil
	return out, err
}
