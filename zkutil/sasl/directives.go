package sasl

import (
	"errors"
	"fmt"
	"strings"
)

// MaxToken bounds a message in bytes, either way; RFC 2831 gives 2048 for challenges and 4096 for responses.
const MaxToken = 4096

// directives are what a message says, by name in lower case. RFC 2831 lets realm alone come more than once.
type directives map[string][]string

// one returns a directive's only value, and "" for one that isn't there.
func (d directives) one(name string) string {
	if v := d[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

var (
	errTooLong   = errors.New("message is too long")
	errMalformed = errors.New("malformed message")
)

// parse reads name=value,name="value",...
func parse(message []byte) (directives, error) {
	if len(message) > MaxToken {
		return nil, errTooLong
	}
	p := parser{rest: string(message)}
	out := directives{}
	for {
		p.space()
		for p.eat(',') { // empty elements are allowed in such lists
			p.space()
		}
		if p.rest == "" {
			return out, nil
		}
		name := strings.ToLower(p.token())
		p.space()
		if name == "" || !p.eat('=') {
			return nil, fmt.Errorf("%w: no name=value at %q", errMalformed, head(p.rest))
		}
		p.space()
		value, ok := p.value()
		if !ok {
			return nil, fmt.Errorf("%w: value of %s", errMalformed, name)
		}
		if len(out[name]) > 0 && name != "realm" {
			return nil, fmt.Errorf("%w: %s comes twice", errMalformed, name)
		}
		out[name] = append(out[name], value)
		p.space()
		if p.rest != "" && !p.eat(',') {
			return nil, fmt.Errorf("%w: no comma after %s", errMalformed, name)
		}
	}
}

// head is the beginning of a text, for an error.
func head(s string) string { return s[:min(len(s), 20)] }

type parser struct{ rest string }

func (p *parser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *parser) eat(c byte) bool {
	if p.rest != "" && p.rest[0] == c {
		p.rest = p.rest[1:]
		return true
	}
	return false
}

// token takes characters that may stand without quotes.
func (p *parser) token() string {
	n := strings.IndexFunc(p.rest, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, c) })
	if n < 0 {
		n = len(p.rest)
	}
	t := p.rest[:n]
	p.rest = p.rest[n:]
	return t
}

// value takes a token or a quoted string, in which a backslash makes the next character ordinary.
func (p *parser) value() (string, bool) {
	if !p.eat('"') {
		t := p.token()
		return t, t != ""
	}
	var out strings.Builder
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case '"':
			p.rest = p.rest[i+1:]
			return out.String(), true
		case '\\':
			if i++; i == len(p.rest) {
				return "", false
			}
			out.WriteByte(p.rest[i])
		default:
			out.WriteByte(c)
		}
	}
	return "", false
}

// message builds name=value lists.
type message struct{ text strings.Builder }

func (m *message) put(name, value string) {
	if m.text.Len() > 0 {
		m.text.WriteByte(',')
	}
	m.text.WriteString(name + "=" + value)
}

func (m *message) quote(name, value string) {
	var quoted strings.Builder
	quoted.WriteByte('"')
	for i := range len(value) {
		if value[i] == '"' || value[i] == '\\' {
			quoted.WriteByte('\\')
		}
		quoted.WriteByte(value[i])
	}
	quoted.WriteByte('"')
	m.put(name, quoted.String())
}

func (m *message) bytes() []byte { return []byte(m.text.String()) }
