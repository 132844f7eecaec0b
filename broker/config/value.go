package config

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// value is a parsed value. The zero value is a config that is not set.
type value struct {
	set  bool
	text string // normalised, as Kafka prints it
	n    int64  // BOOLEAN (0, 1), INT, SHORT, LONG
	f    float64
	list []string
}

func (v value) bool() bool { return v.n != 0 }

// parse turns text into a value of the row's type and checks it against the row's allowed values. When that is impossible it
// returns an *Error with the reason in Kafka's words and no origin.
func (d *Def) parse(text string) (value, *Error) {
	v, reason := parseType(d.Type, text)
	if reason != "" {
		return value{}, d.wrong(text, reason)
	}
	if d.valid.check != nil {
		if p := d.valid.check(v); p != fine {
			shown := p.value
			switch {
			case shown == "" && d.Type == TypeList:
				shown = "[" + strings.Join(v.list, ", ") + "]"
			case shown == "":
				shown = v.text
			}
			return value{}, d.wrong(shown, strings.ReplaceAll(p.reason, "{name}", d.Name))
		}
	}
	return v, nil
}

// wrong makes the error for a value of the row, without the value if it is a secret.
func (d *Def) wrong(shown, reason string) *Error {
	if d.Sensitive() {
		shown = hidden
	}
	return &Error{Key: d.Name, Value: shown, Reason: reason}
}

// parseType follows ConfigDef.parseType of Apache Kafka.
func parseType(t Type, text string) (value, string) {
	s := trim(text)
	v := value{set: true, text: s}
	switch t {
	case TypeBoolean:
		switch {
		case strings.EqualFold(s, "true"):
			v.n, v.text = 1, "true"
		case strings.EqualFold(s, "false"):
			v.n, v.text = 0, "false"
		default:
			return value{}, "Expected value to be either true or false"
		}
	case TypeInt:
		return parseInteger(s, 32, t)
	case TypeShort:
		return parseInteger(s, 16, t)
	case TypeLong:
		return parseInteger(s, 64, t)
	case TypeDouble:
		f, ok := parseDouble(s)
		if !ok {
			return value{}, "Not a number of type DOUBLE"
		}
		v.f, v.text = f, formatDouble(f)
	case TypeList:
		v.list = splitList(s)
		v.text = strings.Join(v.list, ",")
	}
	return v, ""
}

func parseInteger(s string, bits int, t Type) (value, string) {
	// ParseInt would take "1_000" only with base 0, which is not used: what it accepts is what Java accepts.
	n, err := strconv.ParseInt(s, 10, bits)
	if err != nil {
		return value{}, "Not a number of type " + t.String()
	}
	return value{set: true, n: n, text: strconv.FormatInt(n, 10)}, ""
}

// parseDouble accepts what Java's Double.parseDouble does: no underscores, no "inf", a trailing d or f.
func parseDouble(s string) (float64, bool) {
	if strings.ContainsAny(s, "_") {
		return 0, false
	}
	switch strings.TrimLeft(s, "+-") {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		if strings.HasPrefix(s, "-") {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	}
	if n := len(s); n > 1 && strings.ContainsRune("dDfF", rune(s[n-1])) && !strings.HasPrefix(strings.TrimLeft(s, "+-"), "0x") {
		s = s[:n-1]
	}
	if strings.ContainsAny(s, "nNiI") { // nan, inf in any spelling but Java's
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// formatDouble prints a number as Java's Double.toString does: "0.5", "10.0", "1.7976931348623157E308".
func formatDouble(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		if math.Signbit(f) {
			return "-0.0"
		}
		return "0.0"
	}
	if abs := math.Abs(f); abs >= 1e-3 && abs < 1e7 {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	s := strconv.FormatFloat(f, 'E', -1, 64)
	mantissa, exponent, _ := strings.Cut(s, "E")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exponent) // FormatFloat wrote it
	return mantissa + "E" + strconv.Itoa(n)
}

// splitList splits at commas with white space around them, as ConfigDef does. Empty text is an empty list.
func splitList(s string) []string {
	if s == "" {
		return nil
	}
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = trim(parts[i])
	}
	return parts
}

// splitCSV splits like Kafka's Csv.parseCsvList: like splitList, and empty entries are dropped.
func splitCSV(s string) []string {
	return slices.DeleteFunc(splitList(trim(s)), func(p string) bool { return p == "" })
}

// splitPairs splits "key:value,key:value" like Kafka's Csv.parseCsvMap: the last colon of an entry separates. ok is false if
// an entry has no colon; bad is that entry.
func splitPairs(s string) (pairs [][2]string, bad string, ok bool) {
	for _, entry := range splitCSV(s) {
		i := strings.LastIndexByte(entry, ':')
		if i < 0 {
			return nil, entry, false
		}
		pairs = append(pairs, [2]string{trim(entry[:i]), trim(entry[i+1:])})
	}
	return pairs, "", true
}

// trim removes what Java's String.trim removes: everything up to and including the space, at both ends.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// integerValue makes a value of a number.
func integerValue(n int64) value {
	return value{set: true, n: n, text: strconv.FormatInt(n, 10)}
}
