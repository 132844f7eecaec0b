package wire

import (
	"encoding/binary"
	"errors"
	"math"
)

// Errors of the codec. They arrive wrapped in a text that names the message, version and field.
var (
	// ErrTruncated is a length or count that goes beyond the bytes that are there.
	ErrTruncated = errors.New("message truncated")
	// ErrMalformed is a value that no version of the protocol can hold: a negative length, an overlong varint,
	// a tagged field of the wrong size.
	ErrMalformed = errors.New("message malformed")
	// ErrNull is a null where the version does not allow one.
	ErrNull = errors.New("null in a field that cannot be null")
	// ErrTooLarge is a message that would take too much memory for its size, or a value that is too long for
	// its length field.
	ErrTooLarge = errors.New("message too large")
	// ErrUnsupportedVersion is a version outside the table, or a field set that the version cannot carry.
	ErrUnsupportedVersion = errors.New("unsupported version")
	// ErrUnknownAPI is an API key outside the table.
	ErrUnknownAPI = errors.New("unknown api key")
)

// maxStringLength is the longest string of the protocol in bytes, in flexible versions too.
const maxStringLength = math.MaxInt16

// The decode budget: see decodeBudget.
const (
	budgetFloor    = 1 << 20
	budgetRequest  = 4
	budgetControl  = 5
	budgetResponse = 8
)

// decodeBudget returns how many bytes the values decoded from a message of size bytes may take in memory.
//
// A field of one byte can be an element of a hundred bytes in memory, so without a budget a frame of 8 MiB takes
// more than a gigabyte. Honest requests take less than four times their size; small ones may take more for
// their size, hence the floor, which small frames cannot use up anyway. Two kinds of message are denser when they
// are honest: LeaderAndIsr for partitions with one replica each (4.6 times, UpdateMetadata 4.0), and responses, which
// come from a broker that we chose to call.
func decodeBudget(key APIKey, response bool, size int) int {
	switch {
	case response:
		return budgetFloor + budgetResponse*size
	case key == LeaderAndIsr || key == UpdateMetadata:
		return budgetFloor + budgetControl*size
	}
	return budgetFloor + budgetRequest*size
}

// reader takes values off the front of src. The first error sticks in err; after it every read returns zero.
type reader struct {
	src    []byte
	err    error
	budget int // bytes of memory that may still be allocated
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
		r.src = nil
	}
}

// charge takes n values of size bytes off the budget before they are allocated.
func (r *reader) charge(n, size int) bool {
	if size > 0 && n > r.budget/size {
		r.fail(ErrTooLarge)
		return false
	}
	r.budget -= n * size
	return true
}

// take returns the next n bytes, with the capacity clipped, or nil.
func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.src) {
		r.fail(ErrTruncated)
		return nil
	}
	b := r.src[:n:n]
	r.src = r.src[n:]
	return b
}

func (r *reader) int8() int8 {
	if len(r.src) < 1 {
		r.fail(ErrTruncated)
		return 0
	}
	v := int8(r.src[0])
	r.src = r.src[1:]
	return v
}

func (r *reader) int16() int16 {
	if len(r.src) < 2 {
		r.fail(ErrTruncated)
		return 0
	}
	v := int16(binary.BigEndian.Uint16(r.src))
	r.src = r.src[2:]
	return v
}

func (r *reader) int32() int32 {
	if len(r.src) < 4 {
		r.fail(ErrTruncated)
		return 0
	}
	v := int32(binary.BigEndian.Uint32(r.src))
	r.src = r.src[4:]
	return v
}

// uvarint reads an unsigned varint of at most 32 bits in at most five bytes.
func (r *reader) uvarint() uint32 {
	var v uint64
	for i := range 5 {
		if i >= len(r.src) {
			r.fail(ErrTruncated)
			return 0
		}
		b := r.src[i]
		v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			if v > math.MaxUint32 {
				break
			}
			r.src = r.src[i+1:]
			return uint32(v)
		}
	}
	r.fail(ErrMalformed)
	return 0
}

// compactLength reads a length or count that is stored plus one; -1 is null.
func (r *reader) compactLength() int { return int(r.uvarint()) - 1 }

// stringLength reads the length of a string; -1 is null.
func (r *reader) stringLength(flexible bool) int {
	n := 0
	if flexible {
		n = r.compactLength()
	} else {
		n = int(r.int16())
	}
	if n < -1 || n > maxStringLength {
		r.fail(ErrMalformed)
		return 0
	}
	return n
}

// length reads the length of bytes or the count of an array; -1 is null.
func (r *reader) length(flexible bool) int {
	n := 0
	if flexible {
		n = r.compactLength()
	} else {
		n = int(r.int32())
	}
	if n < -1 {
		r.fail(ErrMalformed)
		return 0
	}
	return n
}

// text copies the next n bytes into a string.
func (r *reader) text(n int) string {
	b := r.take(n)
	if len(b) == 0 || !r.charge((n+7)/8, 8) {
		return ""
	}
	return string(b)
}

// tagCount reads the number of fields of a tag section. Each takes at least two bytes.
func (r *reader) tagCount() int {
	n := r.uvarint()
	if uint64(n)*2 > uint64(len(r.src)) {
		r.fail(ErrTruncated)
		return 0
	}
	return int(n)
}

// tag reads one tagged field: its number and its bytes.
func (r *reader) tag() (number uint32, data []byte) {
	number = r.uvarint()
	size := r.uvarint()
	return number, r.take(int(size))
}

// skipTags reads over a whole tag section.
func (r *reader) skipTags() {
	for n := r.tagCount(); n > 0 && r.err == nil; n-- {
		r.tag()
	}
}

// appendUvarint appends v as an unsigned varint.
func appendUvarint(dst []byte, v uint32) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

// uvarintSize returns the number of bytes that appendUvarint appends.
func uvarintSize(v uint32) int {
	n := 1
	for v >= 0x80 {
		v >>= 7
		n++
	}
	return n
}
