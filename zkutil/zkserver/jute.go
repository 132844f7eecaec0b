package zkserver

import (
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf8"
)

// errShort says that a record ends before its last field, or that a length in it is negative or larger than what is left.
var errShort = errors.New("record too short")

// decoder reads jute records from b. The first error sticks; later reads return zero values, so that a
// record is read field by field and checked once. Byte slices it returns are parts of b.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) take(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n < 0 || n > len(d.b) {
		d.err = errShort
		return nil
	}
	p := d.b[:n:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) boolean() bool {
	p := d.take(1)
	return p != nil && p[0] != 0
}

func (d *decoder) int32() int32 {
	p := d.take(4)
	if p == nil {
		return 0
	}
	return int32(binary.BigEndian.Uint32(p))
}

func (d *decoder) int64() int64 {
	p := d.take(8)
	if p == nil {
		return 0
	}
	return int64(binary.BigEndian.Uint64(p))
}

// buffer returns nil for a null buffer and a non-nil empty slice for an empty one: the server keeps the difference.
func (d *decoder) buffer() []byte {
	n := d.int32()
	if d.err != nil || n == -1 {
		return nil
	}
	p := d.take(int(n))
	if d.err == nil && p == nil {
		p = []byte{}
	}
	return p
}

// ustring returns false for a null string. Invalid UTF-8 becomes U+FFFD, as in Java.
func (d *decoder) ustring() (string, bool) {
	n := d.int32()
	if d.err != nil || n == -1 {
		return "", false
	}
	p := d.take(int(n))
	if d.err != nil {
		return "", false
	}
	s := string(p)
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return s, true
}

// path reads a string that must not be null.
func (d *decoder) path() string {
	s, ok := d.ustring()
	if !ok && d.err == nil {
		d.err = errShort
	}
	return s
}

// count reads a vector's length and checks it against the bytes that are left, each element having at least
// minSize of them. A null vector has length -1.
func (d *decoder) count(minSize int) int {
	n := d.int32()
	if d.err != nil || n == -1 {
		return -1
	}
	if n < 0 || int(n) > len(d.b)/minSize {
		d.err = errShort
		return -1
	}
	return int(n)
}

// paths reads a vector of strings; null elements are errors.
func (d *decoder) paths() []string {
	n := d.count(4)
	if n <= 0 {
		return nil
	}
	out := make([]string, 0, n)
	for range n {
		out = append(out, d.path())
	}
	return out
}

func putBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func putInt32(b []byte, v int32) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }
func putInt64(b []byte, v int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(v)) }

func putString(b []byte, s string) []byte {
	return append(putInt32(b, int32(len(s))), s...)
}

// putBuffer writes nil as null.
func putBuffer(b, p []byte) []byte {
	if p == nil {
		return putInt32(b, -1)
	}
	return append(putInt32(b, int32(len(p))), p...)
}
