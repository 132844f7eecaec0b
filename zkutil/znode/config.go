package znode

import (
	"fmt"
	"strings"
)

// Paths of configs.
const (
	ConfigPath        = "/config"
	ConfigChangesPath = "/config/changes"
	// ConfigChangePrefix is what a notification is created with; ZooKeeper appends ten digits.
	ConfigChangePrefix = "/config/changes/config_change_"
)

// ConfigType is a child of /config that holds entities.
type ConfigType string

// The config types of the ZooKeeper era.
const (
	ConfigTopics  ConfigType = "topics"
	ConfigBrokers ConfigType = "brokers"
	ConfigClients ConfigType = "clients"
	ConfigUsers   ConfigType = "users"
	ConfigIPs     ConfigType = "ips"
)

// ConfigTypePath is the parent of the entities of a type.
func ConfigTypePath(t ConfigType) string { return ConfigPath + "/" + string(t) }

// Entity names something that has configs. Names are as people write them; the znode name is escaped where Kafka does so.
type Entity struct {
	Type ConfigType
	// Name of the entity; DefaultEntity for the default of the type.
	Name string
	// Client is set only for the pair user and client: Type is then ConfigUsers, and Client the client id or DefaultEntity.
	Client string
}

// String gives the entity path of notifications: topics/t, users/alice/clients/c1.
func (e Entity) String() string {
	s := string(e.Type) + "/" + e.nodeName(e.Name)
	if e.Client != "" {
		s += "/clients/" + e.nodeName(e.Client)
	}
	return s
}

// Path is the znode of the entity's configs.
func (e Entity) Path() string { return ConfigPath + "/" + e.String() }

func (e Entity) nodeName(name string) string {
	if name == DefaultEntity || e.Type != ConfigUsers && e.Type != ConfigClients {
		return name
	}
	return SanitizeName(name)
}

// ParseEntity reads what Entity.String gives.
func ParseEntity(s string) (Entity, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 2 && len(parts) != 4 {
		return Entity{}, malformed("config entity %.60q", s)
	}
	e := Entity{Type: ConfigType(parts[0])}
	switch e.Type {
	case ConfigTopics, ConfigBrokers, ConfigClients, ConfigUsers, ConfigIPs:
	default:
		return Entity{}, malformed("config entity %.60q: unknown type", s)
	}
	var err error
	if e.Name, err = e.name(parts[1]); err != nil {
		return Entity{}, err
	}
	if len(parts) == 4 {
		if e.Type != ConfigUsers || parts[2] != "clients" {
			return Entity{}, malformed("config entity %.60q", s)
		}
		if e.Client, err = e.name(parts[3]); err != nil {
			return Entity{}, err
		}
	}
	return e, nil
}

func (e Entity) name(node string) (string, error) {
	if node == "" {
		return "", malformed("empty entity name")
	}
	if node == DefaultEntity || e.Type != ConfigUsers && e.Type != ConfigClients {
		return node, nil
	}
	return DesanitizeName(node)
}

// EncodeConfig gives the content of an entity's node.
func EncodeConfig(config map[string]string) []byte {
	keys := sortedKeys(config)
	propertiesOrder(keys)
	b := appendObject([]byte(`{"version":1,"config":`), keys, func(b []byte, k string) []byte { return appendString(b, config[k]) })
	return append(b, '}')
}

// DecodeConfig reads an entity's node. No data, data that is not JSON and a document without config object mean an empty config, as in Apache; a
// value that is not a string is an error. The map is never nil unless there is an error.
func DecodeConfig(data []byte) (map[string]string, error) {
	out := map[string]string{}
	v, err := parse(data)
	if err != nil || !v.isObject() {
		return out, nil //nolint:nilerr // Apache reads it as an empty config
	}
	config := v.fields("config")[0]
	if !config.isObject() {
		return out, nil
	}
	err = config.members(func(k string, val raw) error {
		s, err := val.str(k)
		out[k] = s
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return out, nil
}

// EncodeConfigChange gives the version 2 content of a notification.
func EncodeConfigChange(e Entity) []byte {
	return append(appendString([]byte(`{"version":2,"entity_path":`), e.String()), '}')
}

// DecodeConfigChange reads a notification of version 1 (0.9: topics and clients) or 2.
func DecodeConfigChange(data []byte) (Entity, error) {
	e, err := decodeConfigChange(data)
	if err != nil {
		return Entity{}, fmt.Errorf("config change: %w", err)
	}
	return e, nil
}

func decodeConfigChange(data []byte) (Entity, error) {
	v, err := parseObject(data)
	if err != nil {
		return Entity{}, err
	}
	f := v.fields("version", "entity_path", "entity_type", "entity_name")
	version, err := f[0].int32("version")
	if err != nil {
		return Entity{}, err
	}
	switch version {
	case 1:
		typ, err := f[2].str("entity_type")
		if err != nil {
			return Entity{}, err
		}
		name, err := f[3].str("entity_name")
		if err != nil {
			return Entity{}, err
		}
		if t := ConfigType(typ); t != ConfigTopics && t != ConfigClients {
			return Entity{}, malformed("version 1 with entity type %.30q", typ)
		}
		return ParseEntity(typ + "/" + name)
	case 2:
		path, err := f[1].str("entity_path")
		if err != nil {
			return Entity{}, err
		}
		return ParseEntity(path)
	}
	return Entity{}, malformed("unsupported version %d", version)
}
