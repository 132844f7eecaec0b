package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// variablePattern is ${provider:key} or ${provider:path:key}, as Kafka's ConfigTransformer reads it.
var variablePattern = regexp.MustCompile(`\$\{([^}:]*?):(([^}]*?):)?([^}:]*?)\}`)

// provider finds the value of a key at a path.
type provider func(path, key string) (string, error)

// providers replaces ${provider:path:key} in all values, by the providers that config.providers names. They are resolved once
// and not watched.
func (l *loader) providers(environ []string) {
	names, ok := l.config.static[ConfigProviders]
	if !ok {
		return
	}
	byName := map[string]provider{}
	for _, name := range splitCSV(names.value) {
		prefix := ConfigProviders + "." + name + "."
		class := trim(l.config.static[prefix+"class"].value)
		switch class[strings.LastIndexByte(class, '.')+1:] {
		case "EnvVarConfigProvider":
			byName[name] = envProvider(environ)
		case "FileConfigProvider":
			byName[name] = fileProvider
		case "DirectoryConfigProvider":
			byName[name] = directoryProvider
		default:
			l.errs = append(l.errs, &Error{Key: prefix + "class", Value: class, Where: names.origin.Where,
				Reason: "known are EnvVarConfigProvider, FileConfigProvider and DirectoryConfigProvider"})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(l.config.static)) {
		if strings.HasPrefix(key, ConfigProviders) {
			continue
		}
		e := l.config.static[key]
		val, err := resolveVariables(e.value, byName)
		if err != nil {
			l.errs = append(l.errs, fmt.Errorf("%s: %s: %w", e.origin.Where, key, err))
			continue
		}
		e.value = val
		l.config.static[key] = e
	}
}

// resolveVariables replaces what known providers resolve and leaves everything else as it is, as Kafka does.
func resolveVariables(text string, byName map[string]provider) (string, error) {
	var failed error
	out := variablePattern.ReplaceAllStringFunc(text, func(variable string) string {
		m := variablePattern.FindStringSubmatch(variable)
		p, ok := byName[m[1]]
		if !ok {
			return variable
		}
		val, err := p(m[3], m[4])
		if err != nil && failed == nil {
			failed = fmt.Errorf("resolve %s: %w", variable, err)
		}
		return val
	})
	return out, failed
}

func envProvider(environ []string) provider {
	return func(_, key string) (string, error) {
		for _, e := range environ {
			if name, val, ok := strings.Cut(e, "="); ok && name == key {
				return val, nil
			}
		}
		return "", fmt.Errorf("environment variable %s is not set", key)
	}
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFileBytes {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are allowed", path, info.Size(), maxFileBytes)
	}
	return os.ReadFile(path)
}

// fileProvider reads a key of a properties file.
func fileProvider(path, key string) (string, error) {
	text, err := readBounded(path)
	if err != nil {
		return "", err
	}
	props, err := ParseProperties(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	for _, p := range slices.Backward(props) {
		if p.Key == key {
			return p.Value, nil
		}
	}
	return "", fmt.Errorf("%s has no key %s", path, key)
}

// directoryProvider reads a file of a directory whole, as Kubernetes mounts secrets.
func directoryProvider(path, key string) (string, error) {
	if key != filepath.Base(key) {
		return "", fmt.Errorf("%s is not the name of a file", key)
	}
	text, err := readBounded(filepath.Join(path, key))
	return string(text), err
}
