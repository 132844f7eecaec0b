package wire

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// kind is how a field is laid out on the wire and in memory.
type kind uint8

const (
	kindBool kind = iota
	kindInt8
	kindInt16 // also Error and APIKey
	kindInt32
	kindInt64
	kindFloat64
	kindUUID
	kindString
	kindNullableString // *string, nullable in this version or not
	kindBytes
	kindInt32s
	kindInt64s
	kindStrings
	kindStructs   // slice of struct
	kindStruct    // struct in place
	kindStructPtr // *struct, null when nil
)

// isFixed says whether values of the kind always take the same number of bytes.
func (k kind) isFixed() bool { return k <= kindUUID }

// fieldPlan is one field of a struct in one version.
type fieldPlan struct {
	name     string
	offset   uintptr
	kind     kind
	nullable bool         // null is allowed in this version
	tagged   bool         // in the tag section in this version
	tag      uint32       // number in the tag section
	elem     *structPlan  // kindStructs, kindStruct, kindStructPtr
	slice    reflect.Type // kindStructs: the type of the slice
	external uintptr      // offset of the int32 with the size of external bytes, or noExternal
	def      int64        // default of integers and bools
	run      int          // of this field and those after it, how many have a fixed size; 0 inside a run
	runBytes int          // what the fields of the run take on the wire together
}

// noExternal says that a field has no external bytes.
const noExternal = math.MaxUint64 >> (64 - strconv.IntSize)

// structPlan is a struct in one version: what to read and write, in order. It never changes after compile.
type structPlan struct {
	name     string
	typ      reflect.Type
	flexible bool
	minWire  int         // the fewest bytes that one value takes on the wire
	fields   []fieldPlan // untagged fields of this version, in wire order
	tagged   []fieldPlan // tagged fields of this version, by tag number
	refused  []fieldPlan // fields this version lacks and must not lose: an error unless default
	defaults []initValue // what decoding sets before it reads: defaults that are not zero of fields that may not be read
}

// initValue is one default that is not the zero value, at an offset inside a struct.
type initValue struct {
	offset uintptr
	kind   kind
	value  int64 // integers and bools; for slices and bytes: empty and not nil
}

// versionRange is the first and last version in which something holds; lo > hi is never.
type versionRange struct{ lo, hi int16 }

var never = versionRange{1, 0} // constant

func (r versionRange) has(v int16) bool { return r.lo <= v && v <= r.hi }

// parseRange reads "3", "3-7" or "3+".
func parseRange(s string) (versionRange, error) {
	number := func(s string) (int16, error) {
		n, err := strconv.ParseInt(s, 10, 16)
		if err == nil && n < 0 {
			err = strconv.ErrRange
		}
		return int16(n), err
	}
	if first, ok := strings.CutSuffix(s, "+"); ok {
		lo, err := number(first)
		return versionRange{lo, math.MaxInt16}, err
	}
	first, last, isRange := strings.Cut(s, "-")
	lo, err := number(first)
	if err != nil || !isRange {
		return versionRange{lo, lo}, err
	}
	hi, err := number(last)
	if err == nil && hi < lo {
		err = fmt.Errorf("range %q is empty", s)
	}
	return versionRange{lo, hi}, err
}

// fieldTag is a parsed wire tag.
type fieldTag struct {
	versions  versionRange
	nullable  versionRange
	tag       int // -1: not a tagged field
	def       string
	hasDef    bool
	ignorable bool
	external  string
}

// parseTag reads a field tag; its grammar is in the package documentation.
func parseTag(s string) (fieldTag, error) {
	parts := strings.Split(s, ",")
	t := fieldTag{nullable: never, tag: -1}
	var err error
	if t.versions, err = parseRange(parts[0]); err != nil {
		return t, fmt.Errorf("versions: %w", err)
	}
	for _, part := range parts[1:] {
		key, value, hasValue := strings.Cut(part, "=")
		switch {
		case key == "nullable" && hasValue:
			t.nullable, err = parseRange(value)
		case key == "tag" && hasValue:
			t.tag, err = strconv.Atoi(value)
			if err == nil && t.tag < 0 {
				err = strconv.ErrRange
			}
		case key == "default" && hasValue:
			t.def, t.hasDef = value, true
		case key == "ignorable" && !hasValue:
			t.ignorable = true
		case key == "external" && hasValue:
			t.external = value
		default:
			err = fmt.Errorf("unknown option %q", part)
		}
		if err != nil {
			return t, fmt.Errorf("option %q: %w", part, err)
		}
	}
	return t, nil
}

// compiler builds the plan of a message type in one version.
type compiler struct {
	version  int16
	flexible bool
	path     []reflect.Type // types being compiled, to refuse recursion
}

// compile returns the plan of a struct type.
func (c *compiler) compile(typ reflect.Type) (*structPlan, error) {
	if slices.Contains(c.path, typ) {
		return nil, fmt.Errorf("%s: recursive type", typ.Name())
	}
	c.path = append(c.path, typ)
	defer func() { c.path = c.path[:len(c.path)-1] }()

	p := &structPlan{name: typ.Name(), typ: typ, flexible: c.flexible}
	for i := range typ.NumField() {
		field := typ.Field(i)
		if err := c.addField(p, field); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", typ.Name(), field.Name, err)
		}
	}
	slices.SortFunc(p.tagged, func(a, b fieldPlan) int { return int(a.tag) - int(b.tag) })
	for i := range p.tagged {
		if p.tagged[i].tag != uint32(i) {
			return nil, fmt.Errorf("%s: tag numbers are not 0 to %d", typ.Name(), len(p.tagged)-1)
		}
	}
	for i := range p.fields {
		p.minWire += p.fields[i].minWire(c.flexible)
	}
	if c.flexible {
		p.minWire++
	}
	p.findRuns()
	return p, nil
}

// findRuns marks the runs of fields of fixed size, which are read and written with one check of the space left.
func (p *structPlan) findRuns() {
	for i := 0; i < len(p.fields); {
		first := &p.fields[i]
		for i < len(p.fields) && p.fields[i].kind.isFixed() {
			first.run++
			first.runBytes += p.fields[i].minWire(p.flexible)
			i++
		}
		if first.run == 0 {
			i++
		}
	}
}

// addField adds one field of a struct to its plan.
func (c *compiler) addField(p *structPlan, field reflect.StructField) error {
	text, ok := field.Tag.Lookup("wire")
	if !ok {
		return fmt.Errorf("no wire tag")
	}
	if text == "-" {
		return nil
	}
	if !field.IsExported() || field.Anonymous {
		return fmt.Errorf("embedded or unexported")
	}
	tag, err := parseTag(text)
	if err != nil {
		return err
	}
	f, err := c.plan(p, field, tag)
	if err != nil {
		return err
	}
	present := tag.versions.has(c.version)
	switch {
	case present && tag.tag >= 0:
		if !c.flexible {
			return fmt.Errorf("tagged in version %d, which is not flexible", c.version)
		}
		f.tagged, f.tag = true, uint32(tag.tag)
		p.tagged = append(p.tagged, f)
	case present:
		p.fields = append(p.fields, f)
		return nil // decoding always sets it: needs no default
	case !tag.ignorable:
		p.refused = append(p.refused, f)
	}
	defaults, err := defaultsOf(field, tag)
	p.defaults = append(p.defaults, defaults...)
	return err
}

// plan works out the kind of a field from its Go type.
func (c *compiler) plan(p *structPlan, field reflect.StructField, tag fieldTag) (fieldPlan, error) {
	f := fieldPlan{
		name: field.Name, offset: field.Offset, external: noExternal,
		nullable: tag.nullable.has(c.version),
	}
	var err error
	if f.kind, err = kindOf(field.Type); err != nil {
		return f, err
	}
	canBeNull := f.kind == kindNullableString || f.kind == kindStructPtr ||
		(field.Type.Kind() == reflect.Slice)
	if tag.nullable != never && !canBeNull {
		return f, fmt.Errorf("%s cannot be null", field.Type)
	}
	switch f.kind {
	case kindStructs:
		f.slice = field.Type
		f.elem, err = c.compile(field.Type.Elem())
	case kindStructPtr:
		f.elem, err = c.compile(field.Type.Elem())
	case kindStruct:
		f.elem, err = c.compile(field.Type)
	}
	if err != nil {
		return f, err
	}
	if tag.external != "" {
		size, ok := p.typ.FieldByName(tag.external)
		if !ok || size.Type.Kind() != reflect.Int32 || f.kind != kindBytes {
			return f, fmt.Errorf("external field %q is not an int32 beside bytes", tag.external)
		}
		f.external = size.Offset
	}
	if tag.hasDef && f.kind <= kindInt64 {
		f.def, err = parseDefault(tag.def)
	}
	return f, err
}

// kindOf maps a Go type to its kind.
func kindOf(t reflect.Type) (kind, error) {
	switch {
	case t == reflect.TypeFor[UUID]():
		return kindUUID, nil
	case t == reflect.TypeFor[[]byte]():
		return kindBytes, nil
	case t == reflect.TypeFor[[]int32]():
		return kindInt32s, nil
	case t == reflect.TypeFor[[]int64]():
		return kindInt64s, nil
	case t == reflect.TypeFor[[]string]():
		return kindStrings, nil
	case t == reflect.TypeFor[*string]():
		return kindNullableString, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return kindBool, nil
	case reflect.Int8:
		return kindInt8, nil
	case reflect.Int16:
		return kindInt16, nil
	case reflect.Int32:
		return kindInt32, nil
	case reflect.Int64:
		return kindInt64, nil
	case reflect.Float64:
		return kindFloat64, nil
	case reflect.String:
		return kindString, nil
	case reflect.Struct:
		return kindStruct, nil
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return kindStructs, nil
		}
	case reflect.Pointer:
		if t.Elem().Kind() == reflect.Struct {
			return kindStructPtr, nil
		}
	}
	return 0, fmt.Errorf("type %s is not of the protocol", t)
}

// minWire returns the fewest bytes of an untagged field.
func (f *fieldPlan) minWire(flexible bool) int {
	switch f.kind {
	case kindBool, kindInt8, kindStructPtr:
		return 1
	case kindInt16:
		return 2
	case kindInt32:
		return 4
	case kindInt64, kindFloat64:
		return 8
	case kindUUID:
		return 16
	case kindStruct:
		return f.elem.minWire
	case kindString, kindNullableString:
		if !flexible {
			return 2
		}
	default: // bytes and slices
		if !flexible {
			return 4
		}
	}
	return 1
}

// parseDefault reads the default of a number or bool.
func parseDefault(s string) (int64, error) {
	if s == "true" {
		return 1, nil
	}
	return strconv.ParseInt(s, 0, 64)
}

// defaultsOf returns the defaults of one field that differ from its zero value, those of structs inside it included.
func defaultsOf(field reflect.StructField, tag fieldTag) ([]initValue, error) {
	k, err := kindOf(field.Type)
	if err != nil {
		return nil, err
	}
	init := initValue{offset: field.Offset, kind: k}
	switch k {
	case kindStruct:
		inner, err := allDefaults(field.Type)
		for i := range inner {
			inner[i].offset += field.Offset
		}
		return inner, err
	case kindBytes, kindInt32s, kindInt64s, kindStrings, kindStructs:
		if tag.nullable == never || tag.def == "null" {
			return nil, nil
		}
		return []initValue{init}, nil
	case kindBool, kindInt8, kindInt16, kindInt32, kindInt64:
		if !tag.hasDef {
			return nil, nil
		}
		init.value, err = parseDefault(tag.def)
		if err != nil || init.value == 0 {
			return nil, err
		}
		return []initValue{init}, nil
	}
	if tag.hasDef && tag.def != "null" {
		return nil, fmt.Errorf("default %q for %s", tag.def, field.Type)
	}
	return nil, nil
}

// allDefaults returns the defaults of a struct type that differ from the zero value.
func allDefaults(typ reflect.Type) ([]initValue, error) {
	var all []initValue
	for i := range typ.NumField() {
		field := typ.Field(i)
		text := field.Tag.Get("wire")
		if text == "-" {
			continue
		}
		tag, err := parseTag(text)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", typ.Name(), field.Name, err)
		}
		defaults, err := defaultsOf(field, tag)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", typ.Name(), field.Name, err)
		}
		all = append(all, defaults...)
	}
	return all, nil
}

// maxVersions is more than the number of versions of any API.
const maxVersions = 24

// planCache holds the plans of one message type, by version.
type planCache [maxVersions]atomic.Pointer[structPlan]

// plans is the cache of all plans: requests and responses by API key. It holds nothing but what compile derives from
// the types; two goroutines that miss at once build the same plan and either may stay.
var plans [maxKey + 1][2]planCache // derived data, see the package documentation

// planOf returns the plan of a message in a version.
func planOf(m Message, version int16) (*structPlan, error) {
	info, ok := Info(m.APIKey())
	if !ok {
		return nil, fmt.Errorf("key %d: %w", int16(m.APIKey()), ErrUnknownAPI)
	}
	direction := 0
	if _, ok := m.(Response); ok {
		direction = 1
	}
	if !info.Supports(version) {
		return nil, fmt.Errorf("%s v%d: %w", messageName(info, direction), version, ErrUnsupportedVersion)
	}
	typ := reflect.TypeOf(m)
	if typ.Kind() != reflect.Pointer {
		return nil, fmt.Errorf("%T is not a message: %w", m, ErrUnknownAPI)
	}
	typ = typ.Elem()
	slot := &plans[info.Key][direction][version]
	if p := slot.Load(); p != nil && p.typ == typ {
		return p, nil
	}
	if typ.Name() != messageName(info, direction) || typ.PkgPath() != reflect.TypeFor[UUID]().PkgPath() {
		return nil, fmt.Errorf("%T is not %s: %w", m, messageName(info, direction), ErrUnknownAPI)
	}
	c := compiler{version: version, flexible: info.IsFlexible(version)}
	p, err := c.compile(typ)
	if err != nil {
		return nil, fmt.Errorf("plan of %s v%d: %w", typ.Name(), version, err)
	}
	slot.Store(p)
	return p, nil
}

// messageName returns the name of the struct of a request (direction 0) or response (1).
func messageName(info APIInfo, direction int) string {
	if direction == 0 {
		return info.Name + "Request"
	}
	return info.Name + "Response"
}
