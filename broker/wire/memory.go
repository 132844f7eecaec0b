package wire

import (
	"fmt"
	"reflect"
	"unsafe"
)

// This file is the only one that touches memory through unsafe.Pointer, besides the two walks of encode.go and
// decode.go which use its helpers. All pointers stay inside the message that the caller passed or inside slices
// that this file grew through package reflect; offsets come from the struct types themselves.

// sliceHeader is a slice of any type as the runtime lays it out.
type sliceHeader struct {
	data unsafe.Pointer
	len  int
	cap  int
}

// at returns the address of a field as a typed pointer.
func at[T any](base unsafe.Pointer, offset uintptr) *T { return (*T)(unsafe.Add(base, offset)) }

// messagePointer returns the address of the struct in m.
func messagePointer(m Message) (unsafe.Pointer, error) {
	v := reflect.ValueOf(m)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return nil, fmt.Errorf("nil %T: %w", m, ErrNull)
	}
	return v.UnsafePointer(), nil
}

// grow gives the slice of the given type at p n zero elements and returns the address of the first.
func grow(p unsafe.Pointer, slice reflect.Type, n int) unsafe.Pointer {
	v := reflect.NewAt(slice, p).Elem()
	v.Grow(n)
	v.SetLen(n)
	return v.UnsafePointer()
}

// emptySlice is what data of an empty slice points to that is not nil.
var emptySlice [0]byte // has no state

// setEmpty makes the slice at p empty and not nil.
func setEmpty(p unsafe.Pointer) {
	*(*sliceHeader)(p) = sliceHeader{data: unsafe.Pointer(&emptySlice)}
}

// initialize sets the given defaults in the struct at base.
func initialize(base unsafe.Pointer, values []initValue) {
	for i := range values {
		v := &values[i]
		switch v.kind {
		case kindBool:
			*at[bool](base, v.offset) = v.value != 0
		case kindInt8:
			*at[int8](base, v.offset) = int8(v.value)
		case kindInt16:
			*at[int16](base, v.offset) = int16(v.value)
		case kindInt32:
			*at[int32](base, v.offset) = int32(v.value)
		case kindInt64:
			*at[int64](base, v.offset) = v.value
		case kindBytes, kindInt32s, kindInt64s, kindStrings, kindStructs:
			setEmpty(unsafe.Add(base, v.offset))
		}
	}
}

// isDefault says whether a field of the struct at base has its default value. For nullable strings both null and
// empty count, and for slices both nil and empty: nobody means to lose one of them.
func isDefault(base unsafe.Pointer, f *fieldPlan) bool {
	switch f.kind {
	case kindBool:
		return *at[bool](base, f.offset) == (f.def != 0)
	case kindInt8:
		return *at[int8](base, f.offset) == int8(f.def)
	case kindInt16:
		return *at[int16](base, f.offset) == int16(f.def)
	case kindInt32:
		return *at[int32](base, f.offset) == int32(f.def)
	case kindInt64:
		return *at[int64](base, f.offset) == f.def
	case kindFloat64:
		return *at[float64](base, f.offset) == 0
	case kindUUID:
		return at[UUID](base, f.offset).IsZero()
	case kindString:
		return *at[string](base, f.offset) == ""
	case kindNullableString:
		s := *at[*string](base, f.offset)
		return s == nil || (*s == "" && !f.tagged)
	case kindStructPtr:
		return *at[unsafe.Pointer](base, f.offset) == nil
	case kindStruct:
		return structIsDefault(unsafe.Add(base, f.offset), f.elem)
	default:
		return at[sliceHeader](base, f.offset).len == 0
	}
}

// structIsDefault says whether every field of the struct at base that this version has is its default.
func structIsDefault(base unsafe.Pointer, p *structPlan) bool {
	for i := range p.fields {
		if !isDefault(base, &p.fields[i]) {
			return false
		}
	}
	for i := range p.tagged {
		if !isDefault(base, &p.tagged[i]) {
			return false
		}
	}
	return true
}
