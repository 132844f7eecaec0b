package jaas

import (
	"strings"
	"unicode/utf8"
)

type kind uint8

const (
	end kind = iota
	word
	quoted
	symbol
)

// lexer cuts a text into tokens; the current one is in kind, text and line.
type lexer struct {
	rest string
	at   int // line of rest

	kind kind
	text string
	line int
}

func newLexer(text string) (*lexer, error) {
	if len(text) > MaxBytes {
		return nil, &Error{1, "more than 1 MiB"}
	}
	if !utf8.ValidString(text) {
		return nil, &Error{1, "not UTF-8"}
	}
	l := &lexer{rest: strings.TrimPrefix(text, "\uFEFF"), at: 1}
	return l, l.next()
}

// wrong is an error at the current token.
func (l *lexer) wrong(reason string) error {
	if l.kind == end {
		reason += ", but the text ends"
	}
	return &Error{l.line, reason}
}

func (l *lexer) is(s string) bool { return l.kind == symbol && l.text == s }

func (l *lexer) expect(s string) error {
	if !l.is(s) {
		return l.wrong("expected " + s)
	}
	return l.next()
}

// wordChar says which characters stand in words: those of Java's class names and of plain values.
func wordChar(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._-$*", c) || c >= 0xa0 && c != utf8.RuneError
}

// next reads a token.
func (l *lexer) next() error {
	if err := l.skip(); err != nil {
		return err
	}
	l.line = l.at
	if l.rest == "" {
		l.kind, l.text = end, ""
		return nil
	}
	switch c := l.rest[0]; c {
	case '{', '}', ';', '=':
		l.kind, l.text, l.rest = symbol, l.rest[:1], l.rest[1:]
		return nil
	case '"', '\'':
		l.kind = quoted
		return l.quotation(c)
	}
	n := strings.IndexFunc(l.rest, func(c rune) bool { return !wordChar(c) })
	if n < 0 {
		n = len(l.rest)
	}
	if n == 0 {
		return &Error{l.at, "unexpected character"}
	}
	l.kind, l.text, l.rest = word, l.rest[:n], l.rest[n:]
	return nil
}

// skip passes blanks and comments.
func (l *lexer) skip() error {
	for {
		n := strings.IndexFunc(l.rest, func(c rune) bool { return c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != '\f' })
		if n < 0 {
			n = len(l.rest)
		}
		l.pass(n)
		switch {
		case strings.HasPrefix(l.rest, "//"):
			n := strings.IndexByte(l.rest, '\n')
			if n < 0 {
				n = len(l.rest)
			}
			l.pass(n)
		case strings.HasPrefix(l.rest, "/*"):
			n := strings.Index(l.rest[2:], "*/")
			if n < 0 {
				return &Error{l.at, "comment has no end"}
			}
			l.pass(n + 4)
		default:
			return nil
		}
	}
}

// pass drops n bytes and counts their lines.
func (l *lexer) pass(n int) {
	l.at += strings.Count(l.rest[:n], "\n")
	l.rest = l.rest[n:]
}

// quotation reads a text in quotes.
func (l *lexer) quotation(quote byte) error {
	var out strings.Builder
	for i := 1; i < len(l.rest); {
		switch c := l.rest[i]; c {
		case quote:
			l.text, l.rest = out.String(), l.rest[i+1:]
			return nil
		case '\n', '\r':
			return &Error{l.at, "text in quotes does not end on its line"}
		case '\\':
			s, n := escape(l.rest[i+1:])
			if n == 0 {
				return &Error{l.at, "text in quotes does not end on its line"}
			}
			out.WriteString(s)
			i += 1 + n
		default:
			out.WriteByte(c)
			i++
		}
	}
	return &Error{l.at, "text in quotes does not end on its line"}
}

// escape reads what follows a backslash and returns how many bytes that were; 0 if the line ends there.
func escape(s string) (string, int) {
	if s == "" || s[0] == '\n' || s[0] == '\r' {
		return "", 0
	}
	switch c := s[0]; c {
	case 'a':
		return "\a", 1
	case 'b':
		return "\b", 1
	case 'f':
		return "\f", 1
	case 'n':
		return "\n", 1
	case 'r':
		return "\r", 1
	case 't':
		return "\t", 1
	case 'v':
		return "\v", 1
	case '0', '1', '2', '3', '4', '5', '6', '7': // up to 377, in octal
		v, n := rune(c-'0'), 1
		for n < len(s) && s[n] >= '0' && s[n] <= '7' && (n < 2 || n == 2 && c <= '3') {
			v = v*8 + rune(s[n]-'0')
			n++
		}
		return string(v), n
	}
	r, n := utf8.DecodeRuneInString(s)
	return string(r), n
}
