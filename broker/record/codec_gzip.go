package record

import (
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
)

// gzipDecoder reads an ordinary gzip stream, of one or more members.
type gzipDecoder struct {
	in   bytes.Reader
	gz   gzip.Reader
	out  []byte
	done bool
}

func (d *gzipDecoder) reset(in []byte, _ int8, _ int64) error {
	d.in.Reset(in)
	d.done = false
	if err := d.gz.Reset(&d.in); err != nil {
		return d.failed(err)
	}
	d.out = grow(d.out, pieceSize)
	return nil
}

func (d *gzipDecoder) next() ([]byte, error) {
	if d.done {
		return nil, io.EOF
	}
	for n := 0; ; {
		read, err := d.gz.Read(d.out[n:])
		n += read
		switch {
		case errors.Is(err, io.EOF):
			d.done = true
			if n == 0 {
				return nil, io.EOF
			}
			return d.out[:n], nil
		case err != nil:
			return nil, d.failed(err)
		case n == len(d.out):
			return d.out, nil
		}
	}
}

func (d *gzipDecoder) failed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		// As in Kafka, where a stream that ends too early is a wrong record, not a broken stream.
		return invalid("gzip stream ends early")
	}
	return brokenStream(CodecGzip, err)
}

func (d *gzipDecoder) release() { d.in.Reset(nil) }

type gzipEncoder struct {
	out appendWriter
	gz  *gzip.Writer
}

func newGzipEncoder(level int) (encoder, error) {
	if level == DefaultLevel {
		level = gzip.DefaultCompression
	}
	gz, err := gzip.NewWriterLevel(nil, level)
	if err != nil {
		return nil, err
	}
	return &gzipEncoder{gz: gz}, nil
}

func (e *gzipEncoder) reset(dst []byte) {
	e.out.b = dst
	e.gz.Reset(&e.out)
}

func (e *gzipEncoder) write(p []byte) error {
	_, err := e.gz.Write(p)
	return err
}

func (e *gzipEncoder) size() int { return len(e.out.b) }

func (e *gzipEncoder) finish() ([]byte, error) {
	err := e.gz.Close()
	out := e.out.b
	e.out.b = nil
	return out, err
}
