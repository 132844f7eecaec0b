package config

import "fmt"

// Type is Kafka's type of a config value. The numbers are those of DescribeConfigs v3 and later.
type Type int8

// The types of config values.
const (
	TypeUnknown  Type = 0
	TypeBoolean  Type = 1
	TypeString   Type = 2
	TypeInt      Type = 3
	TypeShort    Type = 4
	TypeLong     Type = 5
	TypeDouble   Type = 6
	TypeList     Type = 7
	TypeClass    Type = 8
	TypePassword Type = 9
)

// String returns Kafka's name of the type, such as "BOOLEAN".
func (t Type) String() string {
	names := [...]string{"UNKNOWN", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"}
	if t < 0 || int(t) >= len(names) {
		return fmt.Sprintf("Type(%d)", int8(t))
	}
	return names[t]
}

// Importance says how likely it is that someone has to change a config.
type Importance int8

// The importances.
const (
	High Importance = iota
	Medium
	Low
)

// String returns Kafka's name of the importance, such as "HIGH".
func (i Importance) String() string {
	switch i {
	case High:
		return "HIGH"
	case Medium:
		return "MEDIUM"
	default:
		return "LOW"
	}
}

// Scope says where a broker config may be changed.
type Scope int8

// The scopes.
const (
	// ReadOnly configs come from files, environment and command line; changing them needs a restart.
	ReadOnly Scope = iota
	// PerBroker configs may be changed while running, but only for one broker.
	PerBroker
	// ClusterWide configs may be changed while running, for one broker or for all of them.
	ClusterWide
)

// String returns Kafka's name of the scope: "read-only", "per-broker" or "cluster-wide".
func (s Scope) String() string {
	switch s {
	case PerBroker:
		return "per-broker"
	case ClusterWide:
		return "cluster-wide"
	default:
		return "read-only"
	}
}

// Source says which level a value comes from.
type Source int8

// The sources, lowest precedence first. SourceTopic stands above all of them and only occurs when a topic is described.
const (
	SourceDefault Source = iota
	SourceFile
	SourceEnv
	SourceSet
	SourceDynamicDefault
	SourceDynamicBroker
	SourceTopic
)

// Code returns the number of the source in DescribeConfigs v1 and later. Files, environment and set are all static to Kafka.
func (s Source) Code() int8 {
	switch s {
	case SourceTopic:
		return 1
	case SourceDynamicBroker:
		return 2
	case SourceDynamicDefault:
		return 3
	case SourceFile, SourceEnv, SourceSet:
		return 4
	default:
		return 5
	}
}

// String returns the name Kafka's tools print for the source, such as "STATIC_BROKER_CONFIG".
func (s Source) String() string {
	switch s {
	case SourceTopic:
		return "DYNAMIC_TOPIC_CONFIG"
	case SourceDynamicBroker:
		return "DYNAMIC_BROKER_CONFIG"
	case SourceDynamicDefault:
		return "DYNAMIC_DEFAULT_BROKER_CONFIG"
	case SourceFile, SourceEnv, SourceSet:
		return "STATIC_BROKER_CONFIG"
	default:
		return "DEFAULT_CONFIG"
	}
}

// Origin is a source and the place in it.
type Origin struct {
	Source Source
	// Where is for people: "server.properties:12", "environment KAFKA_LOG_DIRS", "--set", "/config/brokers/1" or "default".
	Where string
}

// String returns the place.
func (o Origin) String() string { return o.Where }

// The names of configs have a Go type that says how their value is read, so that the compiler refuses a mix-up.
type (
	// BoolKey names a BOOLEAN config.
	BoolKey string
	// StringKey names a STRING or CLASS config.
	StringKey string
	// IntKey names an INT or SHORT config.
	IntKey string
	// LongKey names a LONG config.
	LongKey string
	// DurationKey names an INT, SHORT or LONG config that is a time; its unit is the last word of the name.
	DurationKey string
	// DoubleKey names a DOUBLE config.
	DoubleKey string
	// ListKey names a LIST config.
	ListKey string
	// PasswordKey names a PASSWORD config.
	PasswordKey string
)

// NumberKey is any of the keys that Config.Long reads.
type NumberKey interface{ numberName() string }

func (k IntKey) numberName() string      { return string(k) }
func (k LongKey) numberName() string     { return string(k) }
func (k DurationKey) numberName() string { return string(k) }

// Password is a secret. It prints as "[hidden]" whatever the verb; Reveal returns it.
type Password struct{ secret string }

// hidden stands for secrets in everything that is printed.
const hidden = "[hidden]"

// Reveal returns the secret itself.
func (p Password) Reveal() string { return p.secret }

// String hides the secret.
func (p Password) String() string { return hidden }

// GoString hides the secret from %#v.
func (p Password) GoString() string { return hidden }

// MarshalText hides the secret from JSON and other encoders.
func (p Password) MarshalText() ([]byte, error) { return []byte(hidden), nil }
