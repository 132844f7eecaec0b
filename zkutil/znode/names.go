package znode

import (
	"strconv"
	"strings"
)

// DefaultEntity stands for the default of an entity type, unescaped (KIP-55).
const DefaultEntity = "<default>"

// SanitizeName percent-encodes the name of a user or client for use as a node name: letters, digits and ".-_" stay, everything else becomes %XX
// per byte of UTF-8 (clients/src/main/java/org/apache/kafka/common/utils/Sanitizer.java). DefaultEntity is not a name: do not pass it.
func SanitizeName(name string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_':
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// DesanitizeName is the inverse of SanitizeName. As in Apache a plus sign means a space.
func DesanitizeName(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			b.WriteByte(' ')
		case '%':
			if len(s)-i < 3 {
				return "", malformed("escape at the end of %.60q", s)
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", malformed("escape in %.60q", s)
			}
			b.WriteByte(byte(n))
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}

// SequenceNumber reads the ten digits that ZooKeeper appends to a sequential node; name may be a path.
func SequenceNumber(name, prefix string) (int64, error) {
	i := strings.LastIndex(name, prefix)
	if i < 0 {
		return 0, malformed("%.60q has no prefix %s", name, prefix)
	}
	n, err := strconv.ParseInt(name[i+len(prefix):], 10, 64)
	if err != nil {
		return 0, malformed("sequence number of %.60q", name)
	}
	return n, nil
}
