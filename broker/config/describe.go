package config

import (
	"maps"
	"slices"
)

// Entry is one config as DescribeConfigs shows it.
type Entry struct {
	Name string
	// Value is the effective value. Null if the config is not set or sensitive.
	Value     string
	Null      bool
	Source    Source
	Sensitive bool
	ReadOnly  bool
	// Synonyms are all the places that have a value for it, the one in effect first.
	Synonyms []Synonym
	// Type is TypeUnknown for keys outside of the table.
	Type Type
	// Doc is empty for keys outside of the table.
	Doc string
}

// Synonym is one place that has a value for a config.
type Synonym struct {
	Name  string
	Value string
	// Null: the config is sensitive.
	Null   bool
	Source Source
}

// DescribeBroker returns the configs of this broker, sorted by name: all of the table but internal ones, and the keys outside
// of it that were given. names selects; empty means all.
func (c *Config) DescribeBroker(names []string) []Entry {
	all := map[string]bool{}
	for name := range c.originals {
		all[name] = true
	}
	for i := range brokerTable().defs {
		if d := &brokerTable().defs[i]; !d.Internal {
			all[d.Name] = true
		}
	}
	var out []Entry
	for _, name := range selected(all, names) {
		out = append(out, c.describe(name, true))
	}
	return out
}

// DescribeClusterDefault returns the dynamic configs of all brokers, sorted by name.
func (c *Config) DescribeClusterDefault(names []string) []Entry {
	all := map[string]bool{}
	for name := range c.dynamicDefault {
		all[name] = true
	}
	var out []Entry
	for _, name := range selected(all, names) {
		e := c.describe(name, false)
		if !e.Sensitive {
			e.Value, e.Null = c.dynamicDefault[name], false
		}
		out = append(out, e)
	}
	return out
}

// DescribeTopic returns the configs of a topic with the given overrides, sorted by name. It fails as TopicConfig does. Unlike
// there, the broker's configuration must be given.
func DescribeTopic(c *Config, overrides map[string]string, names []string) ([]Entry, error) {
	values, err := topicValues(c, overrides)
	if err != nil {
		return nil, err
	}
	all := map[string]bool{}
	for name := range values {
		all[name] = true
	}
	var out []Entry
	for _, name := range selected(all, names) {
		d := topicTable().byName[name]
		e := Entry{Name: name, Value: values[name].text, Type: d.Type, Doc: d.Doc}
		if _, ok := overrides[name]; ok {
			e.Synonyms = append(e.Synonyms, Synonym{Name: name, Value: e.Value, Source: SourceTopic})
		}
		if len(d.Synonyms) > 0 {
			first := d.Synonyms[0]
			e.Synonyms = append(e.Synonyms, c.synonyms(first, synonymsOf(first), false)...)
		}
		if len(e.Synonyms) > 0 {
			e.Source = e.Synonyms[0].Source
		}
		out = append(out, e)
	}
	return out, nil
}

// selected returns the names that exist and are asked for, sorted.
func selected(all map[string]bool, names []string) []string {
	if len(names) == 0 {
		return slices.Sorted(maps.Keys(all))
	}
	var out []string
	for _, n := range names {
		if all[n] {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// describe makes the entry of a broker config. Without perBroker only the cluster default counts.
func (c *Config) describe(name string, perBroker bool) Entry {
	names := synonymsOf(name)
	base := name
	if b, ok := baseConfig(name); ok {
		base, names = b, []string{name, b}
	}
	d := lookup(base)
	e := Entry{Name: name, Sensitive: d == nil || d.Sensitive()}
	own := brokerTable().byName[name]
	e.ReadOnly = own == nil || !own.Dynamic()
	if d != nil {
		e.Type = d.Type
	}
	if own != nil {
		e.Doc = own.Doc
	}
	switch v, ok := c.values[name]; {
	case e.Sensitive:
		e.Null = true
	case ok:
		e.Value, e.Null = v.text, !v.set
	default:
		e.Value = c.originals[name]
	}
	for _, s := range c.synonyms(name, names, e.Sensitive) {
		if perBroker || s.Source == SourceDynamicDefault {
			e.Synonyms = append(e.Synonyms, s)
		}
	}
	if len(e.Synonyms) > 0 {
		e.Source = e.Synonyms[0].Source
	}
	return e
}

// synonyms lists every place that has a value under one of the names, level by level. As in Kafka, entries under other names in
// front of the asked one are dropped: log.retention.ms with only log.retention.hours set has none.
func (c *Config) synonyms(name string, names []string, sensitive bool) []Synonym {
	var out []Synonym
	add := func(n, text string, source Source) {
		s := Synonym{Name: n, Value: text, Source: source, Null: sensitive}
		if sensitive {
			s.Value = ""
		}
		out = append(out, s)
	}
	for _, level := range []struct {
		texts  map[string]string
		source Source
	}{{c.dynamicBroker, SourceDynamicBroker}, {c.dynamicDefault, SourceDynamicDefault}} {
		for _, n := range names {
			if text, ok := level.texts[n]; ok {
				add(n, text, level.source)
			}
		}
	}
	for _, n := range names {
		if e, ok := c.static[n]; ok {
			add(n, e.value, e.origin.Source)
		}
	}
	for _, n := range names {
		if d := brokerTable().byName[n]; d != nil && !d.NoDefault {
			v, _ := d.parse(d.Default)
			add(n, v.text, SourceDefault)
		}
	}
	i := slices.IndexFunc(out, func(s Synonym) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return out[i:]
}
