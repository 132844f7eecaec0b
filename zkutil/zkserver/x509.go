package zkserver

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// distinguishedName writes a certificate's subject as Java's X500Principal.getName does, which is the id of the scheme x509: RFC 2253, the last part
// first, and only the attributes of that RFC by name. Go's own pkix.Name knows others by name.
func distinguishedName(der []byte) (string, error) {
	var parts []asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &parts); err != nil || len(rest) > 0 {
		return "", errors.New("subject of the certificate is no sequence of names")
	}
	out := make([]string, 0, len(parts))
	for i := len(parts) - 1; i >= 0; i-- {
		var set []attribute
		if rest, err := asn1.UnmarshalWithParams(parts[i].FullBytes, &set, "set"); err != nil || len(rest) > 0 {
			return "", fmt.Errorf("subject of the certificate: part %d is no set of attributes", i)
		}
		texts := make([]string, 0, len(set))
		for _, a := range set {
			texts = append(texts, a.text())
		}
		out = append(out, strings.Join(texts, "+"))
	}
	return strings.Join(out, ","), nil
}

type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

func (a attribute) text() string {
	oid := a.Type.String()
	name, known := map[string]string{
		"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU",
		"0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC",
	}[oid]
	value, readable := stringOf(a.Value)
	if !known || !readable {
		if !known {
			name = oid
		}
		return name + "=#" + hex.EncodeToString(a.Value.FullBytes)
	}
	return name + "=" + escapeRDN(value)
}

// stringOf decodes the kinds of strings that names have; like Java 17, which takes all of them for UTF-8.
func stringOf(v asn1.RawValue) (string, bool) {
	if v.Class != asn1.ClassUniversal {
		return "", false
	}
	switch v.Tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagT61String, asn1.TagGeneralString, asn1.TagBMPString, universalString:
		return strings.ToValidUTF8(string(v.Bytes), "\uFFFD"), true
	}
	return "", false
}

const universalString = 28

// escapeRDN writes a value with Java's escapes: of what RFC 2253 gives a meaning, of NUL, and of blanks at both ends.
func escapeRDN(s string) string {
	const blanks = " \r"
	var out strings.Builder
	lead, end := len(s)-len(strings.TrimLeft(s, blanks)), len(strings.TrimRight(s, blanks))
	for i, c := range s {
		switch {
		case c == 0:
			out.WriteString(`\00`)
			continue
		case strings.ContainsRune(`,=+<>#;"\`, c), i < lead, i >= end:
			out.WriteByte('\\')
		}
		out.WriteRune(c)
	}
	return out.String()
}
