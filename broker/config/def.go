package config

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Def is one row of the table: everything that is known about a config.
type Def struct {
	// Name is the name in Kafka's words, such as "num.partitions".
	Name string
	// Section is the heading it stands under in docs/configs.md.
	Section string
	Type    Type
	// Default is the default in text form. Meaningless when NoDefault is set.
	Default string
	// NoDefault: without a value the config is not set (Kafka's null).
	NoDefault  bool
	Importance Importance
	// Scope is always ClusterWide for topic configs and entity configs, which are dynamic by nature.
	Scope Scope
	// Doc says what the config does, with its unit, in full sentences.
	Doc string
	// Acted says whether this program acts on the value. Keys it does not act on are accepted and reported by
	// Config.Unsupported, or refused when ignoring them would be dangerous (Refused).
	Acted bool
	// Why says why the program does not act on it. Empty when Acted.
	Why string
	// Refused: the program does not act on it, so only the default is allowed.
	Refused bool
	// Internal: not shown by DescribeConfigs, as in Kafka.
	Internal bool
	// Deprecated: Kafka has announced its removal.
	Deprecated bool
	// Own: not a config of Apache Kafka but one of ours.
	Own bool
	// Synonyms are the broker configs that give the value if the config itself does not, in order of precedence. For a broker
	// config with coarser units the first is the config itself.
	Synonyms []string

	valid validator
}

// Sensitive reports whether the value must never be shown.
func (d *Def) Sensitive() bool { return d.Type == TypePassword }

// Dynamic reports whether a broker config may be changed while the broker runs.
func (d *Def) Dynamic() bool { return d.Scope != ReadOnly }

// Allowed describes the allowed values as Kafka's documentation does, such as "[1,...]". Empty: every value of the type.
func (d *Def) Allowed() string { return d.valid.text }

// unset as a default means that there is none. No text of a file, environment or znode can be equal to it.
const unset = "\x00"

// Reasons for which a config is accepted but not acted on.
const (
	kraftOnly  = "belongs to KRaft, this broker runs with ZooKeeper"
	tieredOnly = "belongs to tiered storage, which this broker does not have"
	javaOnly   = "names a part of the Java runtime or a Java class"
	newGroups  = "belongs to the new group protocols, which need KRaft"
	byDesign   = "tunes a mechanism this broker does not need"
	notYet     = "is not implemented yet"

	noRevocation = "asks for a check of revoked certificates, which this broker cannot make"
)

type modifier func(*Def)

// inert marks a config the program does not act on.
func inert(why string) modifier {
	return func(d *Def) { d.Acted, d.Why = false, why }
}

// refused marks a config the program does not act on and whose default is the only safe value.
func refused(why string) modifier {
	return func(d *Def) { d.Acted, d.Why, d.Refused = false, why, true }
}

func internal(d *Def)   { d.Internal = true }
func deprecated(d *Def) { d.Deprecated = true }
func own(d *Def)        { d.Own = true }

func define[K ~string](k K, t Type, def string, imp Importance, scope Scope, v validator, doc string, mods []modifier) Def {
	d := Def{Name: string(k), Type: t, Importance: imp, Scope: scope, Doc: doc, Acted: true, valid: v}
	if def == unset {
		d.NoDefault = true
	} else {
		d.Default = def
	}
	for _, m := range mods {
		m(&d)
	}
	return d
}

func boolean(k BoolKey, def string, imp Importance, scope Scope, doc string, mods ...modifier) Def {
	return define(k, TypeBoolean, def, imp, scope, anyValue, doc, mods)
}

func str(k StringKey, def string, imp Importance, scope Scope, v validator, doc string, mods ...modifier) Def {
	return define(k, TypeString, def, imp, scope, v, doc, mods)
}

func class(k StringKey, def string, imp Importance, scope Scope, v validator, doc string, mods ...modifier) Def {
	return define(k, TypeClass, def, imp, scope, v, doc, mods)
}

func integer(k IntKey, def string, imp Importance, scope Scope, v validator, doc string, mods ...modifier) Def {
	return define(k, TypeInt, def, imp, scope, v, doc, mods)
}

func short(k IntKey, def string, imp Importance, scope Scope, v validator, doc string, mods ...modifier) Def {
	return define(k, TypeShort, def, imp, scope, v, doc, mods)
}

func long(k LongKey, def string, imp Importance, scope Scope, v validator, doc string, mods ...modifier) Def {
	return define(k, TypeLong, def, imp, scope, v, doc, mods)
}

func integerTime(k DurationKey, def string, imp Importance, scope Scope, v validator, doc string, mods ...modifier) Def {
	return define(k, TypeInt, def, imp, scope, v, doc, mods)
}

func shortTime(k DurationKey, def string, imp Importance, scope Scope, v validator, doc string, mods ...modifier) Def {
	return define(k, TypeShort, def, imp, scope, v, doc, mods)
}

func longTime(k DurationKey, def string, imp Importance, scope Scope, v validator, doc string, mods ...modifier) Def {
	return define(k, TypeLong, def, imp, scope, v, doc, mods)
}

func double(k DoubleKey, def string, imp Importance, scope Scope, v validator, doc string, mods ...modifier) Def {
	return define(k, TypeDouble, def, imp, scope, v, doc, mods)
}

func list(k ListKey, def string, imp Importance, scope Scope, v validator, doc string, mods ...modifier) Def {
	return define(k, TypeList, def, imp, scope, v, doc, mods)
}

func password(k PasswordKey, def string, imp Importance, scope Scope, doc string, mods ...modifier) Def {
	return define(k, TypePassword, def, imp, scope, anyValue, doc, mods)
}

// section gives its rows their heading.
func section(name string, defs ...Def) []Def {
	for i := range defs {
		defs[i].Section = name
	}
	return defs
}

// table is an indexed set of rows. It is never changed after it was built.
type table struct {
	defs   []Def
	byName map[string]*Def
	// byFold finds a name whatever its case: environment variables have none.
	byFold map[string]*Def
}

func newTable(sections ...[]Def) *table {
	t := &table{byName: map[string]*Def{}, byFold: map[string]*Def{}}
	t.defs = slices.Concat(sections...)
	for i := range t.defs {
		d := &t.defs[i]
		t.byName[d.Name] = d
		t.byFold[strings.ToLower(d.Name)] = d
	}
	return t
}

// sorted returns a copy of the rows in the order of their names.
func (t *table) sorted() []Def {
	out := slices.Clone(t.defs)
	slices.SortFunc(out, func(a, b Def) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// The tables are built at first use and never change; they are the only package-level values.
var (
	brokerTable = sync.OnceValue(func() *table {
		t := newTable(generalDefs(), zookeeperDefs(), listenersDefs(), securityDefs(), logDefs(), replicationDefs(),
			groupsDefs(), quotasDefs(), ownDefs(), inertDefs())
		for _, names := range brokerSynonymGroups() {
			for _, n := range names {
				t.byName[n].Synonyms = names
			}
		}
		// The scheduler's interval is a fallback of the flush interval, but a config of its own right.
		t.byName[string(LogFlushSchedulerIntervalMs)].Synonyms = nil
		return t
	})
	dynamicOnlyTable = sync.OnceValue(func() *table { return newTable(dynamicOnlyDefs()) })
	topicTable       = sync.OnceValue(func() *table {
		t := newTable(topicDefs())
		for name, names := range topicSynonyms() {
			t.byName[name].Synonyms = names
		}
		return t
	})
	userTable = sync.OnceValue(func() *table { return newTable(quotaDefs(), scramDefs()) })
	quotaTbl  = sync.OnceValue(func() *table { return newTable(quotaDefs()) })
	ipTable   = sync.OnceValue(func() *table { return newTable(ipDefs()) })
)

// brokerSynonymGroups lists the broker configs that express the same value in different units, in order of precedence.
func brokerSynonymGroups() [][]string {
	return [][]string{
		{string(LogRollMs), string(LogRollHours)},
		{string(LogRollJitterMs), string(LogRollJitterHours)},
		{string(LogRetentionMs), string(LogRetentionMinutes), string(LogRetentionHours)},
		{string(LogFlushIntervalMs), string(LogFlushSchedulerIntervalMs)},
	}
}

// Defs returns the rows of all broker configs, ours included, sorted by name.
func Defs() []Def { return brokerTable().sorted() }

// TopicDefs returns the rows of all topic configs, sorted by name.
func TopicDefs() []Def { return topicTable().sorted() }

// DynamicOnlyDefs returns the rows of the broker configs that exist only in ZooKeeper and never in a file.
func DynamicOnlyDefs() []Def { return dynamicOnlyTable().sorted() }

// UserDefs returns the rows of what may be set on a user: quotas and SCRAM credentials.
func UserDefs() []Def { return userTable().sorted() }

// ClientDefs returns the rows of what may be set on a client id, alone or together with a user: quotas.
func ClientDefs() []Def { return quotaTbl().sorted() }

// IPDefs returns the rows of what may be set on an IP address.
func IPDefs() []Def { return ipTable().sorted() }

// Lookup returns the row of a broker config, including the ones that exist only in ZooKeeper.
func Lookup(name string) (Def, bool) {
	if d := lookup(name); d != nil {
		return *d, true
	}
	return Def{}, false
}

// LookupTopic returns the row of a topic config.
func LookupTopic(name string) (Def, bool) {
	if d := topicTable().byName[name]; d != nil {
		return *d, true
	}
	return Def{}, false
}

func lookup(name string) *Def {
	if d := brokerTable().byName[name]; d != nil {
		return d
	}
	return dynamicOnlyTable().byName[name]
}

// unit returns the unit of a time by the last word of its name.
func unit(name string) time.Duration {
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "ms":
		return time.Millisecond
	case "seconds", "secs":
		return time.Second
	case "minutes":
		return time.Minute
	case "hours":
		return time.Hour
	default:
		return 0
	}
}
