package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	// A payload of at most zstdWholeInput bytes is first decoded in one go, which is much faster than as a stream, into
	// a buffer of at most zstdWholeOutput. One that expands further is streamed.
	zstdWholeInput  = 1 << 20
	zstdWholeOutput = maxKeptBytes
	zstdGuess       = 6 // times the payload is the first buffer

	// The history a frame asks for. Up to level 19 the reference implementation asks for at most maxPooledWindow;
	// maxWindow, level 22, is what Java's decoder accepts.
	maxPooledWindow = 8 << 20
	maxWindow       = 128 << 20

	zstdEncoderWindow = 2 << 20 // what the reference implementation's level 3 uses for a stream
)

// zstdDecoder reads zstd frames.
type zstdDecoder struct {
	in     bytes.Reader
	whole  *zstd.Decoder
	stream *zstd.Decoder
	wide   *zstd.Decoder // this payload's, when it needs a window that isn't worth keeping
	serial *sync.Mutex   // taken for wide, unless nil
	locked bool
	out    []byte
	state  zstdState
}

type zstdState int8

const (
	zstdDone    zstdState = iota
	zstdDecoded           // out holds everything
	zstdStreaming
)

func newZstdReader(window uint64, more ...zstd.DOption) (*zstd.Decoder, error) {
	return zstd.NewReader(nil, append([]zstd.DOption{
		zstd.WithDecoderConcurrency(1), // no goroutines
		zstd.WithDecoderMaxWindow(window),
		zstd.WithDecodeBuffersBelow(0),
	}, more...)...)
}

func (d *zstdDecoder) reset(in []byte, _ int8, _ int64) error {
	d.state = zstdDone
	if len(in) == 0 {
		return brokenStream(CodecZstd, io.ErrUnexpectedEOF)
	}
	if len(in) <= zstdWholeInput {
		done, err := d.decodeWhole(in)
		if done || err != nil {
			return err
		}
	}
	return d.startStream(in)
}

// decodeWhole tries to decode everything into out. When that fails the stream decides why: the library reports a buffer
// that is too small in several ways, some of which look like a broken stream.
func (d *zstdDecoder) decodeWhole(in []byte) (done bool, err error) {
	if d.whole == nil {
		if d.whole, err = newZstdReader(maxWindow, zstd.WithDecodeAllCapLimit(true)); err != nil {
			return false, brokenStream(CodecZstd, err)
		}
	}
	for size := min(max(pieceSize, cap(d.out), len(in)*zstdGuess), zstdWholeOutput); ; size = zstdWholeOutput {
		d.out = grow(d.out, size)
		out, err := d.whole.DecodeAll(in, d.out[:0])
		switch {
		case err == nil:
			d.out, d.state = out, zstdDecoded
			return true, nil
		case zstdBound(in) <= int64(size):
			return false, brokenStream(CodecZstd, err) // it can't have been for want of room
		case size >= zstdWholeOutput:
			return false, nil
		}
	}
}

// zstdBound returns how many bytes the frames in b can decompress to at most, from the headers of their blocks alone. Where
// those are wrong it stops: there the decoder stops too. Source: RFC 8878, section 3.1.
func zstdBound(b []byte) (bound int64) {
	const (
		magic, skippable, skippableMask = 0xfd2fb528, 0x184d2a50, 0xfffffff0
	)
	for len(b) >= 8 {
		word := binary.LittleEndian.Uint32(b)
		if word&skippableMask == skippable {
			size := 8 + int64(binary.LittleEndian.Uint32(b[4:]))
			b = b[min(size, int64(len(b))):]
			continue
		}
		if word != magic {
			return bound
		}
		descriptor := b[4]
		header := 5 + [4]int{0, 1, 2, 4}[descriptor&3] + [4]int{0, 2, 4, 8}[descriptor>>6]
		maxBlock := 128 << 10
		single := descriptor&0x20 != 0
		if !single {
			window := (8 + int64(b[5]&7)) << (7 + b[5]>>3)
			maxBlock = int(min(window, int64(maxBlock)))
		}
		if !single || descriptor>>6 == 0 {
			header++ // the window, or a content size of one byte
		}
		b = b[min(header, len(b)):]
		for last := false; !last; {
			if len(b) < 3 {
				return bound
			}
			block := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
			last = block&1 != 0
			stored, expands := block>>3, maxBlock // compressed
			switch block >> 1 & 3 {
			case 0: // raw
				expands = stored
			case 1: // one byte, repeated
				stored, expands = 1, stored
			case 3:
				return bound
			}
			bound += int64(min(expands, maxBlock))
			b = b[min(3+stored, len(b)):]
		}
		if descriptor&4 != 0 { // content checksum
			b = b[min(4, len(b)):]
		}
	}
	return bound
}

// wideWindow says whether the first frame wants more history than a pooled decoder gives.
func wideWindow(in []byte) bool {
	var h zstd.Header
	if h.Decode(in) != nil {
		return false // the decoder will say what is wrong
	}
	return h.WindowSize > maxPooledWindow
}

func (d *zstdDecoder) startStream(in []byte) (err error) {
	d.in.Reset(in)
	reader := d.stream
	switch {
	case wideWindow(in):
		if d.serial != nil {
			d.serial.Lock()
			d.locked = true
		}
		if d.wide, err = newZstdReader(maxWindow); err != nil {
			return brokenStream(CodecZstd, err)
		}
		reader = d.wide
	case reader == nil:
		if d.stream, err = newZstdReader(maxPooledWindow); err != nil {
			return brokenStream(CodecZstd, err)
		}
		reader = d.stream
	}
	if err := reader.Reset(&d.in); err != nil {
		return brokenStream(CodecZstd, err)
	}
	d.out = grow(d.out, pieceSize)
	d.state = zstdStreaming
	return nil
}

func (d *zstdDecoder) next() ([]byte, error) {
	switch d.state {
	case zstdDecoded:
		d.state = zstdDone
		if len(d.out) == 0 {
			return nil, io.EOF
		}
		return d.out, nil
	case zstdStreaming:
		reader := d.stream
		if d.wide != nil {
			reader = d.wide
		}
		n, err := reader.Read(d.out)
		if n > 0 {
			return d.out[:n], nil // an error comes again with the next call
		}
		if err != nil {
			d.state = zstdDone
			if errors.Is(err, io.EOF) {
				return nil, io.EOF
			}
			return nil, brokenStream(CodecZstd, err)
		}
		return nil, nil
	}
	return nil, io.EOF
}

func (d *zstdDecoder) release() {
	if d.stream != nil {
		_ = d.stream.Reset(nil) // drops the input; a nil reader can't fail
	}
	if d.wide != nil {
		d.wide.Close()
		d.wide = nil
	}
	if d.locked {
		d.serial.Unlock()
	}
	d.serial, d.locked = nil, false
	d.in.Reset(nil)
	d.out = keep(d.out)
	d.state = zstdDone
}

type zstdEncoder struct {
	out appendWriter
	enc *zstd.Encoder
}

// zstdLevel maps Kafka's levels, those of the reference implementation, to the library's four.
func zstdLevel(level int) zstd.EncoderLevel {
	if level == DefaultLevel {
		_, _, level = CodecZstd.Levels()
	}
	return zstd.EncoderLevelFromZstd(level)
}

func newZstdEncoder(level int) (encoder, error) {
	enc, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstdLevel(level)),
		zstd.WithEncoderConcurrency(1), // no goroutines
		zstd.WithWindowSize(zstdEncoderWindow),
		zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderCRC(false),
		zstd.WithZeroFrames(true))
	if err != nil {
		return nil, err
	}
	return &zstdEncoder{enc: enc}, nil
}

func (e *zstdEncoder) reset(dst []byte) {
	e.out.b = dst
	e.enc.Reset(&e.out)
}

func (e *zstdEncoder) write(p []byte) error {
	_, err := e.enc.Write(p)
	return err
}

func (e *zstdEncoder) size() int { return len(e.out.b) }

func (e *zstdEncoder) finish() ([]byte, error) {
	err := e.enc.Close()
	out := e.out.b
	e.out.b = nil
	return out, err
}
