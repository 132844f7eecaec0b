package config

import (
	"slices"
	"strings"
)

// notConfigs are variables that images and start scripts of Kafka use for themselves.
var notConfigs = [...]string{
	"KAFKA_CLUSTER_ID", "KAFKA_DEBUG", "KAFKA_GC_LOG_OPTS", "KAFKA_HEAP_OPTS", "KAFKA_HOME", "KAFKA_JMX_HOSTNAME", "KAFKA_JMX_OPTS",
	"KAFKA_JMX_PORT", "KAFKA_JVM_PERFORMANCE_OPTS", "KAFKA_LOG4J_LOGGERS", "KAFKA_LOG4J_OPTS", "KAFKA_LOG4J_ROOT_LOGLEVEL",
	"KAFKA_LOG_DIR_OPTS", "KAFKA_OPTS", "KAFKA_TOOLS_LOG4J_LOGLEVEL", "KAFKA_VERSION",
}

// fromEnv picks the configs out of an environment ("NAME=value"). known says whether a key is worth keeping and whether it
// names a listener that exists; see envKey. Names that are no config are returned in ignored.
func fromEnv(environ []string, listeners func() map[string]bool) (found []envEntry, ignored []string) {
	vars := map[string]string{}
	for _, e := range environ {
		name, val, ok := strings.Cut(e, "=")
		if ok && strings.HasPrefix(name, "KAFKA_") && !slices.Contains(notConfigs[:], name) {
			vars[name] = val
		}
	}
	// KAFKA_CFG_ last: where both forms of a name are there, the longer one wins.
	names := make([]string, 0, len(vars))
	for name := range vars {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if ca, cb := strings.HasPrefix(a, "KAFKA_CFG_"), strings.HasPrefix(b, "KAFKA_CFG_"); ca != cb {
			if ca {
				return 1
			}
			return -1
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		key, ok := envKey(name, listeners)
		if !ok {
			ignored = append(ignored, name)
			continue
		}
		found = append(found, envEntry{variable: name, key: key, value: vars[name]})
	}
	return found, ignored
}

type envEntry struct{ variable, key, value string }

// envKey turns the name of a variable into the name of a config. All images write a dot as one underscore. An underscore is two
// in the Apache image and three in Confluent's, a dash is three and two: the reading that names something known is taken, and
// the Apache one when both or none do. Bitnami's KAFKA_CFG_ names follow the same rules.
func envKey(variable string, listeners func() map[string]bool) (key string, ok bool) {
	name := strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(variable, "KAFKA_"), "CFG_"))
	apache, confluent := decodeUnderscores(name, "_", "-"), decodeUnderscores(name, "-", "_")
	if apache != confluent && strings.HasPrefix(apache, listenerPrefix) {
		for _, candidate := range []string{apache, confluent} {
			listener, _, _ := strings.Cut(candidate[len(listenerPrefix):], ".")
			if listeners()[listener] {
				return canonical(candidate)
			}
		}
	}
	for _, candidate := range []string{apache, confluent} {
		if key, ok := canonical(candidate); ok {
			return key, true
		}
	}
	return "", false
}

// decodeUnderscores replaces runs of one, two and three underscores.
func decodeUnderscores(s, two, three string) string {
	var out strings.Builder
	for i := 0; i < len(s); {
		n := 0
		for i+n < len(s) && s[i+n] == '_' && n < 3 {
			n++
		}
		switch n {
		case 0:
			out.WriteByte(s[i])
			n = 1
		case 1:
			out.WriteByte('.')
		case 2:
			out.WriteString(two)
		default:
			out.WriteString(three)
		}
		i += n
	}
	return out.String()
}

// canonical gives a key without case its spelling in the table. ok is false if nothing of that name is known.
func canonical(key string) (string, bool) {
	if d := brokerTable().byFold[key]; d != nil {
		return d.Name, true
	}
	if base, ok := listenerBase(key); ok {
		if d := brokerTable().byFold[base]; d != nil {
			return strings.TrimSuffix(key, base) + d.Name, true
		}
		for _, m := range listenerMechanismConfigs() {
			if strings.HasSuffix(base, "."+m) {
				return key, true
			}
		}
	}
	for _, d := range customDefs() {
		if key == d.Name || strings.HasSuffix(d.Name, ".") && strings.HasPrefix(key, d.Name) {
			return key, true
		}
	}
	return key, false
}
