package config

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config is an immutable snapshot of all configs of one broker, safe for concurrent use. Load makes the first one, WithDynamic
// the next.
type Config struct {
	// static is what files, environment and command line gave, with broker.id and node.id filled in from each other.
	static map[string]entry
	// dynamicDefault and dynamicBroker are the dynamic levels, without what was ignored.
	dynamicDefault, dynamicBroker map[string]string
	// originals is what the levels give together, before defaults.
	originals map[string]string
	// values has every config of the table, and those that exist only in ZooKeeper.
	values    map[string]value
	listeners Listeners
	warnings  []Warning
	problems  []*Error
	// generatedID is the id set by WithBrokerID, which may be above reserved.broker.max.id.
	generatedID *int
}

// entry is a value with the place it came from.
type entry struct {
	value  string
	origin Origin
}

// Format keeps secrets out of what is printed: a configuration shows as its broker's id and the number of given keys.
func (c Config) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "config of broker %s (%d keys given)", c.values[string(BrokerID)].text, len(c.originals))
}

// Warning says that something in the configuration does not do what its author may expect. It is for a log line at start.
type Warning struct {
	Key    string
	Origin Origin
	Text   string
}

// String returns place, key and text.
func (w Warning) String() string { return w.Origin.Where + ": " + w.Key + ": " + w.Text }

// build parses the merged levels. It returns every error it finds.
func (c *Config) build() []error {
	c.originals = make(map[string]string, len(c.static))
	for k, e := range c.static {
		c.originals[k] = e.value
	}
	overlay(c.originals, c.dynamicDefault)
	overlay(c.originals, c.dynamicBroker)

	var errs []error
	c.values = make(map[string]value, len(brokerTable().defs)+3)
	for _, t := range []*table{brokerTable(), dynamicOnlyTable()} {
		for i := range t.defs {
			d := &t.defs[i]
			v, err := d.resolve(c.originals)
			if err != nil {
				err.Where = c.Origin(d.Name).Where
				errs = append(errs, err)
			}
			c.values[d.Name] = v
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.originals)) {
		if err := c.checkPrefixed(key); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return errs
	}
	if c.generatedID != nil {
		v := value{set: true, n: int64(*c.generatedID), text: strconv.Itoa(*c.generatedID)}
		c.values[string(BrokerID)], c.values[string(NodeID)] = v, v
	}
	return c.crossCheck()
}

// resolve finds the row's value in a set of texts, or its default.
func (d *Def) resolve(texts map[string]string) (value, *Error) {
	text, given := texts[d.Name]
	if !given {
		if d.NoDefault {
			return value{}, nil
		}
		v, _ := d.parse(d.Default) // a test parses every default
		return v, nil
	}
	v, err := d.parse(text)
	if err == nil {
		err = d.guard(v)
	}
	return v, err
}

// guard refuses values that it would be dangerous to ignore.
func (d *Def) guard(v value) *Error {
	if !d.Refused || v.text == "" || !d.NoDefault && v.text == d.Default {
		return nil
	}
	allowed := d.Default
	if d.NoDefault || allowed == "" {
		allowed = "leaving it out"
	}
	return d.wrong(v.text, "it "+d.Why+" and must not be ignored; allowed is "+allowed)
}

// checkPrefixed parses a value with a listener prefix.
func (c *Config) checkPrefixed(key string) *Error {
	name, ok := baseConfig(key)
	if !ok {
		return nil
	}
	d := brokerTable().byName[name]
	if d == nil {
		return nil
	}
	v, err := d.parse(c.originals[key])
	if err == nil {
		err = d.guard(v)
	}
	if err != nil {
		err.Key, err.Where = key, c.Origin(key).Where
	}
	return err
}

// overlay puts a level over others: its keys also remove their synonyms below, so that the level wins and not the unit.
func overlay(under, over map[string]string) {
	for k, v := range over {
		for _, s := range synonymsOf(k) {
			if _, here := over[s]; !here {
				delete(under, s)
			}
		}
		under[k] = v
	}
}

// synonymsOf returns the names that express the same value as a broker config, itself included.
func synonymsOf(name string) []string {
	if d := brokerTable().byName[name]; d != nil && d.Synonyms != nil {
		return d.Synonyms
	}
	return []string{name}
}

// IsSet reports whether the config has a value, its default included.
func (c *Config) IsSet(name string) bool { return c.values[name].set }

// Given reports whether the config was given a value on any level, even if that equals the default.
func (c *Config) Given(name string) bool {
	_, ok := c.originals[name]
	return ok
}

// Bool returns a BOOLEAN config.
func (c *Config) Bool(k BoolKey) bool { return c.values[string(k)].bool() }

// String returns a STRING or CLASS config, or "" if it is not set.
func (c *Config) String(k StringKey) string { return c.values[string(k)].text }

// Int returns an INT or SHORT config, or 0 if it is not set.
func (c *Config) Int(k IntKey) int { return int(c.values[string(k)].n) }

// Long returns a number as it is written, in the unit of its name, or 0 if it is not set.
func (c *Config) Long(k NumberKey) int64 { return c.values[k.numberName()].n }

// Duration returns a time, or 0 if it is not set. What does not fit in a Duration (about 292 years) becomes the longest one;
// negative values, which many configs use for "never", stay negative. A name that does not end in a unit gives 0.
func (c *Config) Duration(k DurationKey) time.Duration {
	u := unit(string(k))
	if u == 0 {
		return 0
	}
	return scale(c.values[string(k)].n, u)
}

// scale multiplies and stops at the ends.
func scale(n int64, unit time.Duration) time.Duration {
	switch limit := math.MaxInt64 / int64(unit); {
	case n > limit:
		return math.MaxInt64
	case n < -limit:
		return math.MinInt64
	}
	return time.Duration(n) * unit
}

// Double returns a DOUBLE config.
func (c *Config) Double(k DoubleKey) float64 { return c.values[string(k)].f }

// List returns a LIST config. The slice is the caller's.
func (c *Config) List(k ListKey) []string { return slices.Clone(c.values[string(k)].list) }

// Password returns a PASSWORD config; ok is false if it is not set.
func (c *Config) Password(k PasswordKey) (p Password, ok bool) {
	v := c.values[string(k)]
	return Password{secret: v.text}, v.set
}

// Custom returns a key that is not in the table, such as SuperUsers, as it was written.
func (c *Config) Custom(name string) (text string, ok bool) {
	text, ok = c.originals[name]
	return text, ok
}

// Originals returns all that was given on any level, by key, as it was written: secrets in the clear. The map is the caller's.
func (c *Config) Originals() map[string]string { return maps.Clone(c.originals) }

// Source returns the level a config's value comes from.
func (c *Config) Source(name string) Source { return c.Origin(name).Source }

// Origin returns the level and the place a config's value comes from.
func (c *Config) Origin(name string) Origin {
	if _, ok := c.dynamicBroker[name]; ok {
		return Origin{SourceDynamicBroker, "/config/brokers/" + c.String(brokerIDText)}
	}
	if _, ok := c.dynamicDefault[name]; ok {
		return Origin{SourceDynamicDefault, "/config/brokers/<default>"}
	}
	if e, ok := c.static[name]; ok {
		if _, ok := c.originals[name]; ok {
			return e.origin
		}
	}
	return Origin{SourceDefault, "default"}
}

// brokerIDText reads broker.id as text.
const brokerIDText = StringKey(BrokerID)

// Listeners returns what the listener configs say together. The slices must not be changed.
func (c *Config) Listeners() Listeners { return c.listeners }

// ForListener returns the configs as they are for one listener: those with the prefix listener.name.<listener>. in place of the
// plain ones. The name's case does not matter.
func (c *Config) ForListener(listener string) *Config {
	return c.withPrefix(prefixOf(listener))
}

// ForMechanism returns the configs as they are for one SASL mechanism on one listener: those with the prefix
// listener.name.<listener>.<mechanism>. before those of the listener alone before the plain ones.
func (c *Config) ForMechanism(listener, mechanism string) *Config {
	return c.ForListener(listener).withPrefix(prefixOf(listener) + strings.ToLower(mechanism) + ".")
}

func (c *Config) withPrefix(prefix string) *Config {
	var next *Config
	for key, text := range c.originals {
		name, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		d := brokerTable().byName[name]
		if d == nil {
			continue
		}
		v, err := d.parse(text)
		if err != nil {
			continue // build has refused it
		}
		if next == nil {
			clone := *c
			next = &clone
			next.values = maps.Clone(c.values)
		}
		next.values[name] = v
	}
	if next == nil {
		return c
	}
	return next
}

// Warnings returns what is worth a line in the log at start, in a stable order.
func (c *Config) Warnings() []Warning { return slices.Clone(c.warnings) }

// Problems returns the dynamic values that the last WithDynamic ignored.
func (c *Config) Problems() []*Error { return slices.Clone(c.problems) }

// Unsupported returns the names of configs that were given a value this program does not act on, sorted.
func (c *Config) Unsupported() []string {
	var out []string
	for name := range c.originals {
		if c.unacted(name) != nil {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// unacted returns the row of a given config if the program does not act on it and the value differs from the default.
func (c *Config) unacted(name string) *Def {
	base := name
	if b, ok := baseConfig(name); ok {
		base = b
	}
	d := lookup(base)
	if d == nil || d.Acted {
		return nil
	}
	if v, err := d.parse(c.originals[name]); err == nil && !d.NoDefault && v.text == d.Default {
		return nil
	}
	return d
}

// Unknown returns the keys that nothing is known about, sorted. They are kept and do nothing.
func (c *Config) Unknown() []string {
	var out []string
	for name := range c.originals {
		if !known(name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func known(name string) bool {
	if lookup(name) != nil {
		return true
	}
	if base, ok := baseConfig(name); ok && brokerTable().byName[base] != nil {
		return true
	}
	return isCustom(name)
}

func isCustom(name string) bool {
	return slices.ContainsFunc(customDefs(), func(d CustomDef) bool {
		return name == d.Name || strings.HasSuffix(d.Name, ".") && strings.HasPrefix(name, d.Name)
	})
}
