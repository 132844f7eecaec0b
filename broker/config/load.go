package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/viper"
)

// maxFileBytes bounds a configuration file. Kafka's own is 7 KB.
const maxFileBytes = 4 << 20

// Sources say where the static configuration comes from, lowest precedence first.
type Sources struct {
	// Base are values the embedding program gives, such as a test cluster's. BaseName says who that is in errors.
	Base     map[string]string
	BaseName string
	// Files are read in order. Those ending in .yaml, .yml, .toml or .json are read as such, with nested keys joined by dots;
	// all others are Java properties. A file that is missing is an error.
	Files []string
	// Env is an environment in the form of os.Environ: KAFKA_LOG_DIRS and KAFKA_CFG_LOG_DIRS set log.dirs. Of KAFKA_OPTS the system
	// properties count that say who a broker is towards ZooKeeper (-Djava.security.auth.login.config and the like), where no config does. Other
	// variables are not looked at.
	Env []string
	// Set are "key=value" settings, as from repeated --set flags.
	Set []string
}

// Load reads, merges and checks the static configuration. The error is an errors.Join of everything that is wrong, most of it
// *Error values with key, value, place and what is allowed.
func Load(s Sources) (*Config, error) {
	l := loader{config: &Config{static: map[string]entry{}}}
	name := s.BaseName
	if name == "" {
		name = "program"
	}
	l.javaOptions(s.Env) // below everything else: a config that is given wins over a system property
	for _, k := range slices.Sorted(maps.Keys(s.Base)) {
		l.put(k, s.Base[k], Origin{SourceFile, name})
	}
	for _, f := range s.Files {
		if err := l.file(f); err != nil {
			l.errs = append(l.errs, err)
		}
	}
	l.env(s.Env)
	for _, kv := range s.Set {
		k, v, ok := strings.Cut(kv, "=")
		if k = trim(k); !ok || k == "" {
			l.errs = append(l.errs, fmt.Errorf("setting %q is not key=value", kv))
			continue
		}
		l.put(k, v, Origin{SourceSet, "--set"})
	}
	l.providers(s.Env)
	c := l.config
	c.populateSynonyms()
	l.errs = append(l.errs, c.build()...)
	if len(l.errs) > 0 {
		return nil, errors.Join(l.errs...)
	}
	c.warn()
	return c, nil
}

// populateSynonyms lets broker.id and node.id follow each other.
func (c *Config) populateSynonyms() {
	broker, hasBroker := c.static[string(BrokerID)]
	node, hasNode := c.static[string(NodeID)]
	switch {
	case hasBroker && !hasNode:
		c.static[string(NodeID)] = broker
	case hasNode && !hasBroker:
		c.static[string(BrokerID)] = node
	}
}

type loader struct {
	config *Config
	errs   []error
}

func (l *loader) put(key, val string, origin Origin) {
	l.config.static[key] = entry{val, origin}
}

func (l *loader) warn(key string, origin Origin, text string) {
	l.config.warnings = append(l.config.warnings, Warning{key, origin, text})
}

func (l *loader) file(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if info.Size() > maxFileBytes {
		return fmt.Errorf("read configuration: %s has %d bytes, at most %d are allowed", path, info.Size(), maxFileBytes)
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml", ".toml", ".json":
		return l.structured(path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	props, err := ParseProperties(text)
	if err != nil {
		return fmt.Errorf("read configuration: %s: %w", path, err)
	}
	lines := map[string]int{}
	for _, p := range props {
		origin := Origin{SourceFile, fmt.Sprintf("%s:%d", path, p.Line)}
		if first, twice := lines[p.Key]; twice {
			l.warn(p.Key, origin, fmt.Sprintf("also set in line %d, this line wins", first))
		}
		lines[p.Key] = p.Line
		l.put(p.Key, p.Value, origin)
	}
	return nil
}

// structured reads YAML, TOML or JSON. Viper loses the case of keys, the table gives it back.
func (l *loader) structured(path string) error {
	v := viper.New()
	v.SetConfigFile(path)
	if err := v.ReadInConfig(); err != nil {
		return fmt.Errorf("read configuration: %s: %w", path, err)
	}
	for _, k := range slices.Sorted(slices.Values(v.AllKeys())) {
		key, _ := canonical(k)
		text, err := scalar(v.Get(k))
		if err != nil {
			return fmt.Errorf("read configuration: %s: %s: %w", path, key, err)
		}
		l.put(key, text, Origin{SourceFile, path})
	}
	return nil
}

// scalar writes a value of a structured file as a properties file would.
func scalar(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case []any:
		parts := make([]string, len(v))
		for i, p := range v {
			s, err := scalar(p)
			if err != nil {
				return "", err
			}
			parts[i] = s
		}
		return strings.Join(parts, ","), nil
	case map[string]any:
		return "", errors.New("value is not a scalar or a list of scalars")
	case float64:
		if v == float64(int64(v)) { // JSON has no integers
			return fmt.Sprint(int64(v)), nil
		}
		return formatDouble(v), nil
	default:
		return fmt.Sprint(v), nil
	}
}

func (l *loader) env(environ []string) {
	listeners := func() map[string]bool { return l.listenerNames(environ) }
	found, ignored := fromEnv(environ, listeners)
	for _, e := range found {
		l.put(e.key, e.value, Origin{SourceEnv, "environment " + e.variable})
	}
	for _, name := range ignored {
		l.warn(name, Origin{SourceEnv, "environment"}, "no config of that name, ignored")
	}
}

// listenerNames returns the listeners that files and environment name, in lower case: they decide what underscores mean.
func (l *loader) listenerNames(environ []string) map[string]bool {
	texts := []string{l.config.static[string(ListenersKey)].value, l.config.static[string(ListenerSecurityProtocolMap)].value}
	for _, e := range environ {
		name, val, _ := strings.Cut(e, "=")
		switch strings.TrimPrefix(strings.TrimPrefix(name, "KAFKA_"), "CFG_") {
		case "LISTENERS", "LISTENER_SECURITY_PROTOCOL_MAP":
			texts = append(texts, val)
		}
	}
	names := map[string]bool{}
	for _, t := range texts {
		for _, entry := range splitCSV(t) {
			name, _, _ := strings.Cut(entry, ":")
			names[strings.ToLower(name)] = true
		}
	}
	return names
}

// warn collects what is worth saying about a configuration that is valid.
func (c *Config) warn() {
	for _, name := range c.Unknown() {
		text := "unknown config, kept without effect"
		if near := nearest(name); near != "" {
			text += "; did you mean " + near + "?"
		}
		c.warnings = append(c.warnings, Warning{name, c.Origin(name), text})
	}
	for _, name := range slices.Sorted(maps.Keys(c.originals)) {
		if d := c.unacted(name); d != nil {
			c.warnings = append(c.warnings, Warning{name, c.Origin(name), "accepted without effect: it " + d.Why})
		} else if d := brokerTable().byName[name]; d != nil && d.Deprecated {
			c.warnings = append(c.warnings, Warning{name, c.Origin(name), "deprecated"})
		}
	}
}

// nearest finds a config whose name differs by at most two letters.
func nearest(name string) string {
	best, at := "", 3
	for i := range brokerTable().defs {
		d := &brokerTable().defs[i]
		if n := distance(strings.ToLower(name), strings.ToLower(d.Name), at); n < at {
			best, at = d.Name, n
		}
	}
	return best
}

// distance is the number of letters to insert, delete or change, or limit if it is not below that.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return min(row[len(b)], limit)
}
