package config_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/config"
)

// The vectors follow the documentation of java.util.Properties.load.
func TestParseProperties(t *testing.T) {
	for _, v := range []struct {
		text string
		want []config.Property
	}{
		{"", nil},
		{"# comment\n! comment\n \t\f# comment\n\n", nil},
		{"a=b", []config.Property{{Key: "a", Value: "b", Line: 1}}},
		{"a = b ", []config.Property{{Key: "a", Value: "b ", Line: 1}}},
		{"  a:b\r\nc d\re", []config.Property{{Key: "a", Value: "b", Line: 1}, {Key: "c", Value: "d", Line: 2}, {Key: "e", Line: 3}}},
		{"a==b", []config.Property{{Key: "a", Value: "=b", Line: 1}}},
		{"a : = b", []config.Property{{Key: "a", Value: "= b", Line: 1}}},
		{"=b", []config.Property{{Value: "b", Line: 1}}},
		{"fruits  apple, banana, \\\n   pear, \\\n\\\n  kiwi\nx=y", []config.Property{
			{Key: "fruits", Value: "apple, banana, pear, kiwi", Line: 1}, {Key: "x", Value: "y", Line: 5}}},
		{"a=b\\\\\nc=d", []config.Property{{Key: "a", Value: `b\`, Line: 1}, {Key: "c", Value: "d", Line: 2}}},
		{`a\=b\:c\ d=e`, []config.Property{{Key: "a=b:c d", Value: "e", Line: 1}}},
		{`a=\t\n\r\f\q\"`, []config.Property{{Key: "a", Value: "\t\n\r\fq\"", Line: 1}}},
		{`a=\u00e9\u20AC\ud83d\ude00`, []config.Property{{Key: "a", Value: "é€😀", Line: 1}}},
		{"a=\xe9", []config.Property{{Key: "a", Value: "é", Line: 1}}},
		{"a=1\\\n#no comment", []config.Property{{Key: "a", Value: "1#no comment", Line: 1}}},
		{"a=1\\", []config.Property{{Key: "a", Value: "1", Line: 1}}},
		{"\\\nb=2", []config.Property{{Key: "b", Value: "2", Line: 1}}},
		{"a=1\na=2", []config.Property{{Key: "a", Value: "1", Line: 1}, {Key: "a", Value: "2", Line: 2}}},
	} {
		got, err := config.ParseProperties([]byte(v.text))
		require.NoError(t, err, "%q", v.text)
		require.Equal(t, v.want, got, "%q", v.text)
	}
	for _, bad := range []string{`a=\u12`, `a=\u12G4`, "ok=1\n\\u=1"} {
		_, err := config.ParseProperties([]byte(bad))
		require.ErrorContains(t, err, "line ", "%q", bad)
	}
}

// escape writes a text so that the parser must return it.
func escape(s string, key bool) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\\' || key && strings.ContainsRune("=:#! \t\f", r) || i == 0 && strings.ContainsRune(" \t\f=:", r):
			b.WriteByte('\\')
			switch r {
			case '\t':
				r = 't'
			case '\f':
				r = 'f'
			}
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x80:
			b.WriteRune(r)
		default:
			for _, u := range utf16(r) {
				b.WriteString(`\u`)
				for shift := 12; shift >= 0; shift -= 4 {
					b.WriteByte("0123456789abcdef"[u>>shift&0xf])
				}
			}
		}
	}
	return b.String()
}

func utf16(r rune) []uint16 {
	if r < 0x10000 {
		return []uint16{uint16(r)}
	}
	r -= 0x10000
	return []uint16{uint16(0xd800 + r>>10), uint16(0xdc00 + r&0x3ff)}
}

// No text makes the parser fail otherwise than with an error, and what is escaped comes back as it was.
func FuzzParseProperties(f *testing.F) {
	for _, s := range []string{"a=b\\\n c", "# x\n!y\n", `k\u0041:v`, "\\", "a\\\r\nb", "=", "\f=\t"} {
		f.Add([]byte(s), "key", "value")
	}
	f.Fuzz(func(t *testing.T, text []byte, key, val string) {
		props, err := config.ParseProperties(text)
		if err == nil {
			last := 0
			for _, p := range props {
				require.Greater(t, p.Line, last)
				last = p.Line
				require.LessOrEqual(t, len(p.Key)+len(p.Value), 4*len(text))
			}
		}
		if !utf8.ValidString(key) || !utf8.ValidString(val) {
			return
		}
		props, err = config.ParseProperties([]byte(escape(key, true) + "=" + escape(val, false)))
		require.NoError(t, err)
		require.Equal(t, []config.Property{{Key: key, Value: val, Line: 1}}, props)
	})
}
