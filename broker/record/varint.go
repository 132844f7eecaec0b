package record

import (
	"encoding/binary"
	"math/bits"
)

// Zig-zag varints as in protocol buffers, at most 5 bytes for int32 and 10 for int64. As in Kafka, bits of the last byte
// that don't fit are ignored. Source: ByteUtils.java.

var errVarint = invalid("varint is too long")

func unzigzag32(u uint32) int32 { return int32(u>>1) ^ -int32(u&1) }
func unzigzag64(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// varint32 reads a varint at b[i:] and returns the position after it, or -1 if b ends first or it is too long.
func varint32(b []byte, i int) (int32, int) {
	var u uint32
	for shift := 0; shift < 35; shift += 7 {
		if uint(i) >= uint(len(b)) {
			return 0, -1
		}
		c := b[i]
		i++
		u |= uint32(c&0x7f) << shift
		if c < 0x80 {
			return unzigzag32(u), i
		}
	}
	return 0, -1
}

// varintAt reads, without a branch that depends on its length, a varint of at most 4 bytes at b[i:]. It returns it before
// the zig-zag is undone, and its length: 0 when it is longer or b[i:] is shorter than 4 bytes.
func varintAt(b []byte, i int) (u uint32, n int) {
	if i+4 > len(b) {
		return 0, 0
	}
	x := binary.LittleEndian.Uint32(b[i:])
	last := ^x & 0x80808080
	if last == 0 {
		return 0, 0
	}
	x &= last ^ (last - 1) // the bytes up to the first without the continuation bit
	return x&0x7f | x>>1&0x3f80 | x>>2&0x1fc000 | x>>3&0xfe00000, bits.TrailingZeros32(last)>>3 + 1
}

// varint64 is varint32 for up to 10 bytes.
func varint64(b []byte, i int) (int64, int) {
	var u uint64
	for shift := 0; shift < 70; shift += 7 {
		if uint(i) >= uint(len(b)) {
			return 0, -1
		}
		c := b[i]
		i++
		u |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return unzigzag64(u), i
		}
	}
	return 0, -1
}

func appendVarint(b []byte, v int64) []byte {
	u := uint64(v)<<1 ^ uint64(v>>63)
	for u >= 0x80 {
		b = append(b, byte(u)|0x80)
		u >>= 7
	}
	return append(b, byte(u))
}

// varintSize is the number of bytes appendVarint adds.
func varintSize(v int64) int {
	u := uint64(v)<<1 ^ uint64(v>>63)
	return (bits.Len64(u|1) + 6) / 7
}
