package offsets

import (
	"encoding/binary"
	"fmt"
	"slices"
)

func appendInt32(b []byte, n int32) []byte { return binary.BigEndian.AppendUint32(b, uint32(n)) }

func appendInt64(b []byte, n int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(n)) }

// appendString appends a string of at most 32,767 bytes.
func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func appendNullable(b []byte, s *string) []byte {
	if s == nil {
		return append(b, 0xff, 0xff)
	}
	return appendString(b, *s)
}

func appendBytes(b, data []byte) []byte { return append(appendInt32(b, int32(len(data))), data...) }

// reader reads what is above, and the flexible kind of version 4. After a failure everything reads as zero.
type reader struct {
	b        []byte
	failed   bool
	flexible bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.failed, r.b = true, nil
		return nil
	}
	part := r.b[:n]
	r.b = r.b[n:]
	return part
}

func (r *reader) int16() int16 {
	if p := r.take(2); p != nil {
		return int16(binary.BigEndian.Uint16(p))
	}
	return 0
}

func (r *reader) int32() int32 {
	if p := r.take(4); p != nil {
		return int32(binary.BigEndian.Uint32(p))
	}
	return 0
}

func (r *reader) int64() int64 {
	if p := r.take(8); p != nil {
		return int64(binary.BigEndian.Uint64(p))
	}
	return 0
}

func (r *reader) uvarint() int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || n > 5 || v > 1<<31 {
		r.failed, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

// length reads the length of bytes or of an array; -1 is null.
func (r *reader) length() int {
	if r.flexible {
		return r.uvarint() - 1
	}
	return int(r.int32())
}

// size reads the length of a string; -1 is null.
func (r *reader) size() int {
	if r.flexible {
		return r.uvarint() - 1
	}
	return int(r.int16())
}

func (r *reader) text() string { return string(r.take(r.size())) }

func (r *reader) nullable() *string {
	n := r.size()
	if n == -1 || r.failed {
		return nil
	}
	s := string(r.take(n))
	return &s
}

func (r *reader) bytes() []byte { return slices.Clone(r.take(r.length())) }

// tags skips the tagged fields that end a structure of the flexible kind.
func (r *reader) tags() {
	if !r.flexible {
		return
	}
	for n := r.uvarint(); n > 0 && !r.failed; n-- {
		r.uvarint()
		r.take(r.uvarint())
	}
}

// end says whether all went well. Kafka doesn't mind what follows, nor do we.
func (r *reader) end(what string) error {
	if r.failed {
		return fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	return nil
}
