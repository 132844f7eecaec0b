package wire

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"unsafe"
)

// Decode reads the body of a message in the given version into m, which it resets first: fields that the version
// lacks get their defaults. Strings are copied; []byte fields alias src, with their capacity clipped, so src must
// live and stay unchanged as long as they are used. Bytes after the message are ignored, as Kafka ignores them,
// and so are tagged fields that are not known. It fails with ErrTruncated, ErrMalformed, ErrNull, ErrTooLarge
// or ErrUnsupportedVersion, wrapped in a text that names message and field; m is then partly filled.
//
// What one call allocates is bounded by a small multiple of len(src), whatever src holds (see decodeBudget).
func Decode(src []byte, m Message, version int16) error {
	p, err := planOf(m, version)
	if err != nil {
		return err
	}
	base, err := messagePointer(m)
	if err != nil {
		return err
	}
	reflect.NewAt(p.typ, base).Elem().SetZero()
	_, response := m.(Response)
	d := decoder{reader: reader{src: src, budget: decodeBudget(m.APIKey(), response, len(src))}, flexible: p.flexible}
	d.structure(base, p)
	if d.err != nil {
		return fmt.Errorf("decode %s v%d: %s: %w", p.name, version, d.where, d.err)
	}
	return nil
}

// decoder fills structs from a reader.
type decoder struct {
	reader
	flexible bool
	where    string // struct and field of the error
}

// structure fills the zeroed struct at base.
func (d *decoder) structure(base unsafe.Pointer, p *structPlan) {
	initialize(base, p.defaults)
	for i := 0; i < len(p.fields); i++ {
		f := &p.fields[i]
		if f.run > 0 {
			d.fixed(base, p, p.fields[i:i+f.run], f.runBytes)
			i += f.run - 1
		} else {
			d.field(base, f)
		}
		if d.err != nil {
			d.note(p, f)
			return
		}
	}
	if p.flexible {
		d.tags(base, p)
	}
}

// fixed reads a run of fields of fixed size, which take size bytes together.
func (d *decoder) fixed(base unsafe.Pointer, p *structPlan, run []fieldPlan, size int) {
	if size > len(d.src) {
		left := len(d.src)
		for i := range run {
			if left -= run[i].minWire(d.flexible); left < 0 {
				d.note(p, &run[i])
				d.fail(ErrTruncated)
				return
			}
		}
	}
	src := d.src
	for i := range run {
		f := &run[i]
		switch f.kind {
		case kindBool:
			*at[bool](base, f.offset) = src[0] != 0
			src = src[1:]
		case kindInt8:
			*at[int8](base, f.offset) = int8(src[0])
			src = src[1:]
		case kindInt16:
			*at[uint16](base, f.offset) = binary.BigEndian.Uint16(src)
			src = src[2:]
		case kindInt32:
			*at[uint32](base, f.offset) = binary.BigEndian.Uint32(src)
			src = src[4:]
		case kindInt64, kindFloat64:
			*at[uint64](base, f.offset) = binary.BigEndian.Uint64(src)
			src = src[8:]
		case kindUUID:
			*at[UUID](base, f.offset) = UUID(src)
			src = src[16:]
		}
	}
	d.src = src
}

// note remembers the innermost field that failed.
func (d *decoder) note(p *structPlan, f *fieldPlan) {
	if d.where == "" {
		d.where = p.name + "." + f.name
	}
}

// tags reads the tag section of the struct at base.
func (d *decoder) tags(base unsafe.Pointer, p *structPlan) {
	for n := d.tagCount(); n > 0 && d.err == nil; n-- {
		number, data := d.tag()
		if d.err != nil || int64(number) >= int64(len(p.tagged)) {
			continue
		}
		f := &p.tagged[number] // compile checked that the tags are 0, 1, 2, ...
		rest := d.src
		d.src = data
		d.clear(base, f)
		if f.kind.isFixed() {
			d.fixed(base, p, p.tagged[number:number+1], f.minWire(true))
		} else {
			d.field(base, f)
		}
		if d.err == nil && len(d.src) != 0 {
			d.fail(ErrMalformed)
		}
		if d.err != nil {
			d.note(p, f)
			return
		}
		d.src = rest
	}
	if d.err != nil && d.where == "" {
		d.where = p.name + ": tag section"
	}
}

// clear makes room for a tagged struct that came before: a hostile section can hold the same tag twice.
func (d *decoder) clear(base unsafe.Pointer, f *fieldPlan) {
	switch f.kind {
	case kindStruct:
		reflect.NewAt(f.elem.typ, unsafe.Add(base, f.offset)).Elem().SetZero()
	case kindStructs:
		reflect.NewAt(f.slice, unsafe.Add(base, f.offset)).Elem().SetZero()
	}
}

// field reads one field of variable size of the struct at base.
func (d *decoder) field(base unsafe.Pointer, f *fieldPlan) {
	switch f.kind {
	case kindString:
		if n := d.stringLength(d.flexible); n >= 0 {
			*at[string](base, f.offset) = d.text(n)
		} else {
			d.fail(ErrNull)
		}
	case kindNullableString:
		d.nullableString(at[*string](base, f.offset), f)
	case kindBytes:
		if n := d.count(f, 1, 0); n >= 0 {
			*at[[]byte](base, f.offset) = d.take(n)
		} else {
			*at[[]byte](base, f.offset) = nil
		}
	case kindInt32s:
		*at[[]int32](base, f.offset) = d.int32s(f)
	case kindInt64s:
		*at[[]int64](base, f.offset) = d.int64s(f)
	case kindStrings:
		*at[[]string](base, f.offset) = d.strings(f)
	case kindStructs:
		d.structs(unsafe.Add(base, f.offset), f)
	case kindStruct:
		d.structure(unsafe.Add(base, f.offset), f.elem)
	case kindStructPtr:
		d.structPtr(at[unsafe.Pointer](base, f.offset), f)
	}
}

// count reads the length of a slice whose elements take at least minWire bytes on the wire and size bytes in memory.
// It returns -1 for null, and 0 after an error. What it returns may be allocated: it has been checked and charged.
func (d *decoder) count(f *fieldPlan, minWire int, size uintptr) int {
	n := d.length(d.flexible)
	if n < 0 {
		if !f.nullable {
			d.fail(ErrNull)
			return 0
		}
		return -1
	}
	if n > len(d.src)/max(minWire, 1) {
		d.fail(ErrTruncated)
		return 0
	}
	if !d.charge(n, int(size)) {
		return 0
	}
	return n
}

func (d *decoder) nullableString(p **string, f *fieldPlan) {
	n := d.stringLength(d.flexible)
	if n < 0 {
		if !f.nullable {
			d.fail(ErrNull)
		}
		*p = nil
		return
	}
	if d.charge(1, int(unsafe.Sizeof(""))) {
		s := d.text(n)
		*p = &s
	}
}

func (d *decoder) int32s(f *fieldPlan) []int32 {
	n := d.count(f, 4, 4)
	if n < 0 {
		return nil
	}
	list, src := make([]int32, n), d.take(4*n)
	for i := range list {
		list[i] = int32(binary.BigEndian.Uint32(src[4*i:]))
	}
	return list
}

func (d *decoder) int64s(f *fieldPlan) []int64 {
	n := d.count(f, 8, 8)
	if n < 0 {
		return nil
	}
	list, src := make([]int64, n), d.take(8*n)
	for i := range list {
		list[i] = int64(binary.BigEndian.Uint64(src[8*i:]))
	}
	return list
}

func (d *decoder) strings(f *fieldPlan) []string {
	minWire := 2
	if d.flexible {
		minWire = 1
	}
	n := d.count(f, minWire, unsafe.Sizeof(""))
	if n < 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		size := d.stringLength(d.flexible)
		if size < 0 {
			d.fail(ErrNull)
		}
		if d.err != nil {
			return list
		}
		list[i] = d.text(size)
	}
	return list
}

// structs reads a slice of structs into the nil slice at p.
func (d *decoder) structs(p unsafe.Pointer, f *fieldPlan) {
	size := f.elem.typ.Size()
	n := d.count(f, f.elem.minWire, size)
	switch {
	case n < 0:
		*(*sliceHeader)(p) = sliceHeader{}
		return
	case n == 0:
		setEmpty(p)
		return
	}
	first := grow(p, f.slice, n)
	for i := range n {
		d.structure(unsafe.Add(first, uintptr(i)*size), f.elem)
		if d.err != nil {
			return
		}
	}
}

func (d *decoder) structPtr(p *unsafe.Pointer, f *fieldPlan) {
	if d.int8() < 0 {
		if !f.nullable {
			d.fail(ErrNull)
		}
		*p = nil
		return
	}
	if d.err != nil || !d.charge(1, int(f.elem.typ.Size())) {
		return
	}
	inner := reflect.New(f.elem.typ).UnsafePointer()
	*p = inner
	d.structure(inner, f.elem)
}
