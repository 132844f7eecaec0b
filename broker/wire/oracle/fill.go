package oracle

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
)

// mode says what kind of values fill chooses.
type mode int

const (
	present  mode = iota // everything has a value, tagged fields keep their defaults
	null                 // everything that may be null is
	empty                // strings, bytes and slices are empty
	allTags              // everything has a value, tagged fields too
	extremes             // the smallest and largest numbers, long strings, all tagged fields
	numModes
)

func (m mode) String() string {
	return [...]string{"present", "null", "empty", "allTags", "extremes"}[m]
}

// versions is a range of versions read from a wire tag. The reading is written apart from package wire's on purpose.
type versions struct{ lo, hi int }

func (v versions) has(n int16) bool { return v.lo <= int(n) && int(n) <= v.hi }

func readVersions(s string) versions {
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			panic(fmt.Sprintf("versions %q: %v", s, err))
		}
		return n
	}
	if first, ok := strings.CutSuffix(s, "+"); ok {
		return versions{number(first), math.MaxInt}
	}
	first, last, ok := strings.Cut(s, "-")
	if !ok {
		last = first
	}
	return versions{number(first), number(last)}
}

// fillOurs sets the fields that version has of one of our structs, and gives the others their defaults.
func fillOurs(rnd *rand.Rand, v reflect.Value, version int16, m mode) {
	setDefaults(v)
	for i := range v.NumField() {
		options := strings.Split(v.Type().Field(i).Tag.Get("wire"), ",")
		if options[0] == "-" || !readVersions(options[0]).has(version) {
			continue
		}
		nullable, tagged := false, false
		for _, option := range options[1:] {
			if r, ok := strings.CutPrefix(option, "nullable="); ok {
				nullable = readVersions(r).has(version)
			}
			tagged = tagged || strings.HasPrefix(option, "tag=")
		}
		if tagged && m != allTags && m != extremes {
			continue
		}
		fillValue(rnd, v.Field(i), m, nullable, func(inner reflect.Value) { fillOurs(rnd, inner, version, m) })
	}
}

// setDefaults gives the numbers in one of our structs the defaults of their tags.
func setDefaults(v reflect.Value) {
	for i := range v.NumField() {
		_, text, ok := strings.Cut(v.Type().Field(i).Tag.Get("wire"), "default=")
		text, _, _ = strings.Cut(text, ",")
		switch field := v.Field(i); {
		case field.Kind() == reflect.Struct:
			setDefaults(field)
		case ok && text == "true":
			field.SetBool(true)
		case ok && text != "null":
			n, err := strconv.ParseInt(text, 0, 64)
			if err != nil {
				panic(fmt.Sprintf("default %q: %v", text, err))
			}
			field.SetInt(n)
		}
	}
}

// tagsSince has the tagged fields of kmsg that it would write in every flexible version, with the first version that
// has them. (kmsg leaves out all other fields that a version lacks.)
var tagsSince = map[string]int16{
	"ProduceResponse.Brokers":                       10,
	"ProduceResponseTopicPartition.CurrentLeader":   10,
	"FetchRequest.ReplicaState":                     15,
	"FetchRequestTopicPartition.ReplicaDirectoryID": 17,
	"FetchRequestTopicPartition.HighWatermark":      18,
	"FetchResponse.Brokers":                         16,
}

// fillTheirs sets the fields of a kmsg struct, which has its defaults before.
func fillTheirs(rnd *rand.Rand, v reflect.Value, version int16, m mode) {
	if d, ok := v.Addr().Interface().(interface{ Default() }); ok {
		d.Default()
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Name == "Version" || field.Name == "UnknownTags" || version < tagsSince[v.Type().Name()+"."+field.Name] {
			continue
		}
		fillValue(rnd, v.Field(i), m, m == null, func(inner reflect.Value) { fillTheirs(rnd, inner, version, m) })
	}
}

// fillValue sets one field; structs inside it are filled by fillStruct.
func fillValue(rnd *rand.Rand, v reflect.Value, m mode, nullable bool, fillStruct func(reflect.Value)) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(rnd.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(number(rnd, m, v.Type().Bits()))
	case reflect.Float64:
		v.SetFloat(rnd.NormFloat64())
	case reflect.String:
		v.SetString(text(rnd, m))
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(rnd.UintN(256)))
		}
	case reflect.Struct:
		fillStruct(v)
	case reflect.Pointer:
		if nullable && m == null {
			v.SetZero()
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fillValue(rnd, v.Elem(), m, false, fillStruct)
	case reflect.Slice:
		fillSlice(rnd, v, m, nullable, fillStruct)
	default:
		panic("cannot fill " + v.Type().String())
	}
}

func fillSlice(rnd *rand.Rand, v reflect.Value, m mode, nullable bool, fillStruct func(reflect.Value)) {
	if nullable && m == null {
		v.SetZero()
		return
	}
	n := 1 + rnd.IntN(3)
	if m == empty {
		n = 0
	}
	v.Set(reflect.MakeSlice(v.Type(), n, n))
	for i := range n {
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.Index(i).SetUint(uint64(rnd.UintN(256)))
			continue
		}
		fillValue(rnd, v.Index(i), m, false, fillStruct)
	}
}

// number returns an integer of the given size.
func number(rnd *rand.Rand, m mode, bits int) int64 {
	if m == extremes {
		limit := int64(1)<<(bits-1) - 1
		return []int64{limit, -limit - 1, -1, 0, 1}[rnd.IntN(5)]
	}
	return int64(rnd.Uint64()) >> (64 - bits)
}

// text returns a string.
func text(rnd *rand.Rand, m mode) string {
	switch m {
	case empty:
		return ""
	case extremes:
		return []string{
			"", strings.Repeat("x", 126), strings.Repeat("x", 127), strings.Repeat("x", 16383), strings.Repeat("y", math.MaxInt16),
			"a\x00b", "\u00fc\u4e16\U0001f600", "\xff\xfe",
		}[rnd.IntN(8)]
	}
	return strconv.FormatUint(rnd.Uint64()>>rnd.UintN(60), 36)
}
