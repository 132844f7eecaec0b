package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Property is one key and value of a properties file.
type Property struct {
	Key, Value string
	// Line is the number of the line the key stands on, from 1.
	Line int
}

// ParseProperties reads text in the syntax of java.util.Properties: "key=value", "key: value" or "key value"; comment lines
// begin with # or !; a backslash at the end of a line continues it, before another character it escapes that, and \uXXXX is a
// UTF-16 unit. Bytes are Latin-1 characters, because that is how Kafka reads its files: write others as \uXXXX.
//
// Properties come in the order of the text, keys that occur twice come twice. The error names the line.
func ParseProperties(text []byte) ([]Property, error) {
	p := propertyParser{text: text, line: 1}
	var out []Property
	for {
		line, number, ok := p.logicalLine()
		if !ok {
			return out, nil
		}
		key, val := splitProperty(line)
		k, err := unescape(key)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		v, err := unescape(val)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		out = append(out, Property{Key: k, Value: v, Line: number})
	}
}

type propertyParser struct {
	text []byte
	line int
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\f' }

// naturalLine takes one line off the text, without its end.
func (p *propertyParser) naturalLine() (line []byte, number int, ok bool) {
	if len(p.text) == 0 {
		return nil, 0, false
	}
	number = p.line
	p.line++
	for i, c := range p.text {
		if c != '\n' && c != '\r' {
			continue
		}
		line, p.text = p.text[:i], p.text[i+1:]
		if c == '\r' && len(p.text) > 0 && p.text[0] == '\n' {
			p.text = p.text[1:]
		}
		return line, number, true
	}
	line, p.text = p.text, nil
	return line, number, true
}

func skipBlanks(b []byte) []byte {
	for len(b) > 0 && blank(b[0]) {
		b = b[1:]
	}
	return b
}

// continues reports whether a line ends in an odd number of backslashes.
func continues(line []byte) bool {
	n := 0
	for i := len(line) - 1; i >= 0 && line[i] == '\\'; i-- {
		n++
	}
	return n%2 == 1
}

// logicalLine returns the next line that is neither empty nor a comment, with what continues it.
func (p *propertyParser) logicalLine() (line []byte, number int, ok bool) {
	for {
		raw, n, ok := p.naturalLine()
		if !ok {
			return nil, 0, false
		}
		raw = skipBlanks(raw)
		if len(raw) == 0 || raw[0] == '#' || raw[0] == '!' {
			continue
		}
		line = append([]byte(nil), raw...)
		for continues(line) {
			line = line[:len(line)-1]
			next, _, ok := p.naturalLine()
			if !ok {
				break
			}
			line = append(line, skipBlanks(next)...)
		}
		if len(line) == 0 {
			continue // nothing but a backslash
		}
		return line, n, true
	}
}

// splitProperty finds the first separator that is not escaped.
func splitProperty(line []byte) (key, val []byte) {
	i := 0
	for i < len(line) && line[i] != '=' && line[i] != ':' && !blank(line[i]) {
		if line[i] == '\\' {
			i++
		}
		i++
	}
	i = min(i, len(line))
	key, val = line[:i], skipBlanks(line[i:])
	if len(val) > 0 && (val[0] == '=' || val[0] == ':') {
		val = skipBlanks(val[1:])
	}
	return key, val
}

// unescape turns Latin-1 bytes with escapes into a string.
func unescape(b []byte) (string, error) {
	var out strings.Builder
	var units []uint16 // a run of \uXXXX, so that surrogate pairs meet
	flush := func() {
		out.WriteString(string(utf16.Decode(units)))
		units = units[:0]
	}
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c != '\\' {
			flush()
			out.WriteRune(rune(c))
			continue
		}
		i++
		if i == len(b) {
			break // a lone backslash at the end of the text is dropped
		}
		switch c = b[i]; c {
		case 'u':
			if len(b)-i < 5 {
				return "", fmt.Errorf("malformed \\uXXXX escape")
			}
			n, err := strconv.ParseUint(string(b[i+1:i+5]), 16, 16)
			if err != nil {
				return "", fmt.Errorf("malformed \\uXXXX escape: %q", b[i-1:i+5])
			}
			units = append(units, uint16(n))
			i += 4
			continue
		case 't':
			c = '\t'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 'f':
			c = '\f'
		}
		flush()
		out.WriteRune(rune(c))
	}
	flush()
	return out.String(), nil
}
