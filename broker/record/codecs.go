package record

import (
	"fmt"
	"sync"
)

// Limits on what decoding may use.
const (
	// MaxPiece is the largest piece a codec with small blocks is decoded in. Snappy has no limit of its own to the
	// size of a block; there a piece is at most 22 times the compressed block.
	MaxPiece = 4 << 20

	// DefaultMaxDecompressed is how many bytes a batch may decompress to when the caller sets no limit.
	DefaultMaxDecompressed = 1 << 30

	pieceSize    = 64 << 10 // of codecs that decode a stream, and of most LZ4 frames
	maxKeptBytes = 4 << 20  // larger buffers aren't kept in a pool
)

// Codecs pools decoders, encoders and their buffers. The zero value is ready, a nil *Codecs pools nothing. It is safe for
// concurrent use. A broker owns one; everything in it is dropped by the garbage collector when unused.
type Codecs struct {
	decoders [codecCount]sync.Pool
	encoders [codecCount][maxLevelIndex + 1]sync.Pool
	cursors  sync.Pool

	// wideWindow is held while checking or rebuilding decodes a zstd frame that wants a window above maxPooledWindow,
	// which takes up to maxWindow of memory: only one at a time, whatever clients send. Iterating doesn't take it, since
	// it runs the caller's code in between.
	wideWindow sync.Mutex
}

// decoder decompresses one payload in pieces. It isn't safe for concurrent use.
type decoder interface {
	// reset begins a payload, of which at most limit decompressed bytes are wanted; magic 0 has its own LZ4 header.
	reset(in []byte, magic int8, limit int64) error
	// next returns the next piece, valid until the following call; io.EOF after the last.
	next() ([]byte, error)
	// release drops all references to the payload and buffers too large to keep.
	release()
}

// encoder compresses one payload. It isn't safe for concurrent use.
type encoder interface {
	// reset begins a payload whose compressed bytes are appended to dst.
	reset(dst []byte)
	// write adds p.
	write(p []byte) error
	// size is the length of dst and what has been appended so far; it may lag behind what was written.
	size() int
	// finish ends the payload and returns dst with all of it. The encoder forgets dst.
	finish() ([]byte, error)
}

func newDecoder(c Codec) (decoder, error) {
	switch c {
	case CodecGzip:
		return new(gzipDecoder), nil
	case CodecSnappy:
		return new(snappyDecoder), nil
	case CodecLZ4:
		return new(lz4Decoder), nil
	case CodecZstd:
		return new(zstdDecoder), nil
	}
	return nil, fmt.Errorf("%w %d", ErrUnknownCodec, c)
}

func newEncoder(c Codec, level int) (encoder, error) {
	switch c {
	case CodecGzip:
		return newGzipEncoder(level)
	case CodecSnappy:
		return new(snappyEncoder), nil
	case CodecLZ4:
		return newLZ4Encoder(level), nil
	case CodecZstd:
		return newZstdEncoder(level)
	}
	return new(plainEncoder), nil
}

// decoder returns one for c, which must be compressed: without a codec there is nothing to decode.
func (s *Codecs) decoder(c Codec) (decoder, error) {
	if s != nil && c.Valid() {
		if d, ok := s.decoders[c].Get().(decoder); ok {
			return d, nil
		}
	}
	return newDecoder(c)
}

func (s *Codecs) putDecoder(c Codec, d decoder) {
	d.release()
	if s != nil {
		s.decoders[c].Put(d)
	}
}

func (s *Codecs) encoder(c Codec, level int) (encoder, error) {
	if !c.Valid() {
		return nil, fmt.Errorf("%w %d", ErrUnknownCodec, c)
	}
	if !c.ValidLevel(level) {
		return nil, fmt.Errorf("%w: %v has no level %d", ErrBuild, c, level)
	}
	if s != nil {
		if e, ok := s.encoders[c][levelIndex(c, level)].Get().(encoder); ok {
			return e, nil
		}
	}
	return newEncoder(c, level)
}

func (s *Codecs) putEncoder(c Codec, level int, e encoder) {
	if s != nil {
		s.encoders[c][levelIndex(c, level)].Put(e)
	}
}

const maxLevelIndex = 17

// levelIndex numbers the levels that differ for the encoder of a codec: 0 to maxLevelIndex.
func levelIndex(c Codec, level int) int {
	switch c {
	case CodecGzip:
		return max(level, 0) // -1 and DefaultLevel are the same
	case CodecLZ4:
		return level
	case CodecZstd:
		return int(zstdLevel(level))
	}
	return 0
}

// plainEncoder is that of uncompressed records.
type plainEncoder struct{ out []byte }

func (e *plainEncoder) reset(dst []byte)     { e.out = dst }
func (e *plainEncoder) size() int            { return len(e.out) }
func (e *plainEncoder) write(p []byte) error { e.out = append(e.out, p...); return nil }
func (e *plainEncoder) finish() ([]byte, error) {
	out := e.out
	e.out = nil
	return out, nil
}

// grow returns a buffer of length n, reusing b when it can.
func grow(b []byte, n int) []byte {
	if cap(b) >= n {
		return b[:n]
	}
	return make([]byte, n)
}

// keep returns b for the next use unless it is too large to keep.
func keep(b []byte) []byte {
	if cap(b) > maxKeptBytes {
		return nil
	}
	return b[:0]
}

// brokenStream wraps the cause of a codec's failure.
func brokenStream(c Codec, cause error) error {
	return fmt.Errorf("%w: %v: %w", ErrDecompress, c, cause)
}

// appendWriter is an io.Writer into a slice.
type appendWriter struct{ b []byte }

func (w *appendWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}
