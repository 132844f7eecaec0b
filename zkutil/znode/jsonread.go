package znode

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is Jackson's nesting limit (StreamReadConstraints).
const maxDepth = 1000

// raw is one JSON value as it stands in the document: already validated, not yet decoded. Reading a document this way allocates
// nothing but what the caller keeps, whatever the document holds. nil means absent.
type raw []byte

// parse validates the first value of data and returns it. What follows the root value is ignored, as Jackson's readTree does.
func parse(data []byte) (raw, error) {
	s := scanner{data: data}
	s.space()
	start := s.pos
	if !s.value(0) {
		return nil, malformed("not JSON at byte %d", s.pos)
	}
	return raw(data[start:s.pos]), nil
}

// parseObject is parse for a document whose root must be an object.
func parseObject(data []byte) (raw, error) {
	v, err := parse(data)
	if err != nil {
		return nil, err
	}
	if !v.isObject() {
		return nil, malformed("not a JSON object")
	}
	return v, nil
}

func (v raw) isObject() bool { return len(v) > 0 && v[0] == '{' }
func (v raw) isArray() bool  { return len(v) > 0 && v[0] == '[' }
func (v raw) isNull() bool   { return len(v) > 0 && v[0] == 'n' }

// fields returns the values of the named members of an object, nil for those that are absent. Of duplicates the last wins.
func (v raw) fields(names ...string) []raw {
	out := make([]raw, len(names))
	_ = v.members(func(key string, val raw) error {
		for i, n := range names {
			if n == key {
				out[i] = val
			}
		}
		return nil
	})
	return out
}

// members calls f for each member of an object, in the order of the document.
func (v raw) members(f func(key string, val raw) error) error {
	if !v.isObject() {
		return malformed("expected an object, found %.20s", v)
	}
	s := scanner{data: v, pos: 1}
	for {
		s.space()
		if s.data[s.pos] == '}' {
			return nil
		}
		if s.data[s.pos] == ',' {
			s.pos++
			s.space()
		}
		start := s.pos
		s.str()
		key := unquote(v[start:s.pos])
		s.space()
		s.pos++ // the colon
		s.space()
		start = s.pos
		s.value(0)
		if err := f(key, v[start:s.pos]); err != nil {
			return err
		}
	}
}

// elements calls f for each element of an array.
func (v raw) elements(f func(val raw) error) error {
	if !v.isArray() {
		return malformed("expected an array, found %.20s", v)
	}
	s := scanner{data: v, pos: 1}
	for {
		s.space()
		if s.data[s.pos] == ']' {
			return nil
		}
		if s.data[s.pos] == ',' {
			s.pos++
			s.space()
		}
		start := s.pos
		s.value(0)
		if err := f(v[start:s.pos]); err != nil {
			return err
		}
	}
}

// int32 decodes a mandatory int. Only a literal without fraction and exponent that fits counts, as Jackson's isInt does.
func (v raw) int32(name string) (int32, error) {
	n, err := v.integer(name, 32)
	return int32(n), err
}

func (v raw) int64(name string) (int64, error) { return v.integer(name, 64) }

func (v raw) integer(name string, bits int) (int64, error) {
	if v == nil {
		return 0, malformed("field %s is missing", name)
	}
	n, err := strconv.ParseInt(string(v), 10, bits)
	if err != nil {
		return 0, malformed("field %s: expected a %d bit integer, found %.20s", name, bits, v)
	}
	return n, nil
}

// str decodes a mandatory string.
func (v raw) str(name string) (string, error) {
	if v == nil {
		return "", malformed("field %s is missing", name)
	}
	if len(v) == 0 || v[0] != '"' {
		return "", malformed("field %s: expected a string, found %.20s", name, v)
	}
	return unquote(v), nil
}

// int32s decodes a mandatory array of ints. The result is never nil.
func (v raw) int32s(name string) ([]int32, error) {
	if v == nil {
		return nil, malformed("field %s is missing", name)
	}
	// Two bytes per element at least: the slice is no larger than twice the document.
	out := make([]int32, 0, min(len(v)/2, 16))
	err := v.elements(func(e raw) error {
		n, err := e.int32(name)
		out = append(out, n)
		return err
	})
	return out, err
}

// strs decodes a mandatory array of strings.
func (v raw) strs(name string) ([]string, error) {
	if v == nil {
		return nil, malformed("field %s is missing", name)
	}
	out := []string{}
	err := v.elements(func(e raw) error {
		s, err := e.str(name)
		out = append(out, s)
		return err
	})
	return out, err
}

// lenientMillis decodes a timestamp that Apache writes and never reads: any form, 0 if there is none.
func (v raw) lenientMillis() int64 {
	s := string(v)
	if len(v) > 1 && v[0] == '"' {
		s = unquote(v)
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// scanner walks JSON text. Its methods return false where the text is wrong; pos then tells where.
type scanner struct {
	data []byte
	pos  int
}

func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) value(depth int) bool {
	if depth > maxDepth {
		return false
	}
	switch c := s.peek(); {
	case c == '{':
		return s.object(depth)
	case c == '[':
		return s.array(depth)
	case c == '"':
		return s.str()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	}
	return false
}

func (s *scanner) object(depth int) bool {
	s.pos++
	for first := true; ; first = false {
		s.space()
		if s.peek() == '}' && first {
			s.pos++
			return true
		}
		if s.peek() != '"' || !s.str() {
			return false
		}
		s.space()
		if s.peek() != ':' {
			return false
		}
		s.pos++
		s.space()
		if !s.value(depth + 1) {
			return false
		}
		if done, ok := s.next('}'); done || !ok {
			return ok
		}
	}
}

func (s *scanner) array(depth int) bool {
	s.pos++
	for first := true; ; first = false {
		s.space()
		if s.peek() == ']' && first {
			s.pos++
			return true
		}
		if !s.value(depth + 1) {
			return false
		}
		if done, ok := s.next(']'); done || !ok {
			return ok
		}
	}
}

// next takes a comma or the closing bracket.
func (s *scanner) next(closing byte) (done, ok bool) {
	s.space()
	switch s.peek() {
	case ',':
		s.pos++
		return false, true
	case closing:
		s.pos++
		return true, true
	}
	return false, false
}

func (s *scanner) word(w string) bool {
	if len(s.data)-s.pos < len(w) || string(s.data[s.pos:s.pos+len(w)]) != w {
		return false
	}
	s.pos += len(w)
	return true
}

func (s *scanner) digits() bool {
	start := s.pos
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.pos++
	}
	return s.pos > start
}

func (s *scanner) number() bool {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
		if c := s.peek(); c >= '0' && c <= '9' {
			return false
		}
	} else if !s.digits() {
		return false
	}
	if s.peek() == '.' {
		s.pos++
		if !s.digits() {
			return false
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		return s.digits()
	}
	return true
}

func (s *scanner) str() bool {
	for s.pos++; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return true
		case c < 0x20:
			return false
		case c == '\\':
			s.pos++
			switch s.peek() {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if _, ok := hex4(s.data[s.pos+1:]); !ok {
					return false
				}
				s.pos += 4
			default:
				return false
			}
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(s.data[s.pos:])
			if r == utf8.RuneError && n == 1 {
				return false
			}
			s.pos += n - 1
		}
	}
	return false
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[:4]), 16, 16)
	return rune(n), err == nil
}

// unquote decodes a validated JSON string with its quotes. Half a surrogate pair becomes U+FFFD.
func unquote(q []byte) string {
	q = q[1 : len(q)-1]
	plain := true
	for _, c := range q {
		if c == '\\' {
			plain = false
			break
		}
	}
	if plain {
		return string(q)
	}
	out := make([]byte, 0, len(q))
	for i := 0; i < len(q); i++ {
		if q[i] != '\\' {
			out = append(out, q[i])
			continue
		}
		i++
		switch q[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, _ := hex4(q[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				var low rune
				if i+2 < len(q) && q[i+1] == '\\' && q[i+2] == 'u' {
					low, _ = hex4(q[i+3:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, q[i])
		}
	}
	return string(out)
}
