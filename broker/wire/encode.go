package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"unsafe"
)

// Encode appends the body of m in the given version to dst and returns the extended slice; on an error it
// returns dst as it was. It fails when the version is not in the table, when a string is longer than 32,767 bytes, and when a
// field that the version lacks holds a value that may not be dropped silently (Kafka's ignorable: false).
func Encode(dst []byte, m Message, version int16) ([]byte, error) {
	return encode(dst, m, version, nil)
}

// encode is Encode with the place where external bytes are noted; nil when there may be none.
func encode(dst []byte, m Message, version int16, gaps *[]RecordGap) ([]byte, error) {
	p, err := planOf(m, version)
	if err != nil {
		return dst, err
	}
	base, err := messagePointer(m)
	if err != nil {
		return dst, err
	}
	w := writer{buf: dst, flexible: p.flexible, gaps: gaps}
	w.structure(base, p)
	if w.err != nil {
		return dst, fmt.Errorf("encode %s v%d: %s: %w", p.name, version, w.where, w.err)
	}
	return w.buf, nil
}

// writer appends values to buf. The first error sticks.
type writer struct {
	buf      []byte
	flexible bool
	gaps     *[]RecordGap
	err      error
	where    string // struct and field of err
}

func (w *writer) fail(p *structPlan, f *fieldPlan, err error) {
	if w.err == nil {
		w.err, w.where = err, p.name+"."+f.name
	}
}

// structure writes the struct at base.
func (w *writer) structure(base unsafe.Pointer, p *structPlan) {
	for i := range p.refused {
		if f := &p.refused[i]; !isDefault(base, f) {
			w.fail(p, f, ErrUnsupportedVersion)
			return
		}
	}
	for i := 0; i < len(p.fields); i++ {
		f := &p.fields[i]
		if f.run > 0 {
			w.fixed(base, p.fields[i:i+f.run], f.runBytes)
			i += f.run - 1
			continue
		}
		w.field(base, p, f)
	}
	if p.flexible {
		w.tags(base, p)
	}
}

// tags writes the tag section of the struct at base.
func (w *writer) tags(base unsafe.Pointer, p *structPlan) {
	count := uint32(0)
	for i := range p.tagged {
		if !isDefault(base, &p.tagged[i]) {
			count++
		}
	}
	w.buf = appendUvarint(w.buf, count)
	if count == 0 {
		return
	}
	for i := range p.tagged {
		f := &p.tagged[i]
		if isDefault(base, f) {
			continue
		}
		w.buf = appendUvarint(w.buf, f.tag)
		start := len(w.buf)
		if f.kind.isFixed() {
			w.fixed(base, p.tagged[i:i+1], f.minWire(true))
		} else {
			w.field(base, p, f)
		}
		// The size goes before the value and its own length depends on it: write the value, then move it.
		size := len(w.buf) - start
		n := uvarintSize(uint32(size))
		w.buf = append(w.buf, make([]byte, n)...)
		copy(w.buf[start+n:], w.buf[start:start+size])
		appendUvarint(w.buf[:start], uint32(size))
	}
}

// field writes one field of variable size of the struct at base.
func (w *writer) field(base unsafe.Pointer, p *structPlan, f *fieldPlan) {
	switch f.kind {
	case kindString:
		w.text(*at[string](base, f.offset), p, f)
	case kindNullableString:
		switch s := *at[*string](base, f.offset); {
		case s != nil:
			w.text(*s, p, f)
		case !f.nullable:
			w.text("", p, f)
		case w.flexible:
			w.buf = append(w.buf, 0)
		default:
			w.buf = append(w.buf, 0xff, 0xff)
		}
	case kindBytes:
		w.bytes(base, p, f)
	case kindInt32s:
		list := *at[[]int32](base, f.offset)
		w.length(list == nil, len(list), p, f)
		for _, v := range list {
			w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(v))
		}
	case kindInt64s:
		list := *at[[]int64](base, f.offset)
		w.length(list == nil, len(list), p, f)
		for _, v := range list {
			w.buf = binary.BigEndian.AppendUint64(w.buf, uint64(v))
		}
	case kindStrings:
		list := *at[[]string](base, f.offset)
		w.length(list == nil, len(list), p, f)
		for _, v := range list {
			w.text(v, p, f)
		}
	case kindStructs:
		list := at[sliceHeader](base, f.offset)
		w.length(list.data == nil, list.len, p, f)
		size := f.elem.typ.Size()
		for i := range list.len {
			w.structure(unsafe.Add(list.data, uintptr(i)*size), f.elem)
		}
	case kindStruct:
		w.structure(unsafe.Add(base, f.offset), f.elem)
	case kindStructPtr:
		switch inner := *at[unsafe.Pointer](base, f.offset); {
		case inner != nil:
			w.buf = append(w.buf, 1)
			w.structure(inner, f.elem)
		case f.nullable:
			w.buf = append(w.buf, 0xff)
		default:
			w.fail(p, f, ErrNull)
		}
	}
}

// fixed writes a run of fields of fixed size, which take size bytes together.
func (w *writer) fixed(base unsafe.Pointer, run []fieldPlan, size int) {
	w.buf = slices.Grow(w.buf, size)
	dst := w.buf[len(w.buf) : len(w.buf)+size]
	w.buf = w.buf[:len(w.buf)+size]
	for i := range run {
		f := &run[i]
		switch f.kind {
		case kindBool:
			dst[0] = 0
			if *at[bool](base, f.offset) {
				dst[0] = 1
			}
			dst = dst[1:]
		case kindInt8:
			dst[0] = *at[uint8](base, f.offset)
			dst = dst[1:]
		case kindInt16:
			binary.BigEndian.PutUint16(dst, *at[uint16](base, f.offset))
			dst = dst[2:]
		case kindInt32:
			binary.BigEndian.PutUint32(dst, *at[uint32](base, f.offset))
			dst = dst[4:]
		case kindInt64, kindFloat64:
			binary.BigEndian.PutUint64(dst, *at[uint64](base, f.offset))
			dst = dst[8:]
		case kindUUID:
			copy(dst, at[UUID](base, f.offset)[:])
			dst = dst[16:]
		}
	}
}

// text writes a string.
func (w *writer) text(s string, p *structPlan, f *fieldPlan) {
	if len(s) > maxStringLength {
		w.fail(p, f, ErrTooLarge)
		return
	}
	if w.flexible {
		w.buf = appendUvarint(w.buf, uint32(len(s)+1))
	} else {
		w.buf = binary.BigEndian.AppendUint16(w.buf, uint16(len(s)))
	}
	w.buf = append(w.buf, s...)
}

// length writes the length of bytes or the count of a slice.
func (w *writer) length(isNil bool, n int, p *structPlan, f *fieldPlan) {
	if n > math.MaxInt32-1 {
		w.fail(p, f, ErrTooLarge)
		return
	}
	if isNil && f.nullable {
		n = -1
	}
	if w.flexible {
		w.buf = appendUvarint(w.buf, uint32(n+1))
	} else {
		w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(n))
	}
}

// bytes writes a byte field, or the length of one whose bytes the caller sends.
func (w *writer) bytes(base unsafe.Pointer, p *structPlan, f *fieldPlan) {
	value := *at[[]byte](base, f.offset)
	if f.external != noExternal && len(value) == 0 {
		size := *at[int32](base, f.external)
		switch {
		case size == 0 && w.gaps == nil:
			w.length(value == nil, 0, p, f)
		case size < 0 || w.gaps == nil:
			w.fail(p, f, fmt.Errorf("%d external bytes: %w", size, ErrMalformed))
		default:
			w.length(false, int(size), p, f)
			if size > 0 {
				*w.gaps = append(*w.gaps, RecordGap{Offset: len(w.buf), Size: size})
			}
		}
		return
	}
	w.length(value == nil, len(value), p, f)
	w.buf = append(w.buf, value...)
}
