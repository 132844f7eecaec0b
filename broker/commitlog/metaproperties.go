package commitlog

import (
	"bufio"
	"bytes"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// MetaProperties is the identity of a log directory, the content of its meta.properties. Source: MetaProperties.java, storage.md §6.9.
type MetaProperties struct {
	Exists      bool   // the directory has the file
	Version     int    // 0 in ZooKeeper mode
	BrokerID    int32  // -1 when not given
	ClusterID   string // empty when not given
	DirectoryID string // kept when it is there
}

// ReadMetaProperties reads the identity of a log directory, so that a broker can settle its id and its cluster before it opens anything. A directory
// or file that doesn't exist gives the zero identity with BrokerID -1.
func ReadMetaProperties(dir string) (MetaProperties, error) {
	m := MetaProperties{BrokerID: -1}
	path := filepath.Join(dir, metaFile)
	content, err := readSmallFile(path)
	if err != nil || content == nil {
		return m, err
	}
	m.Exists = true
	properties, err := parseProperties(content)
	if err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	if v, ok := properties["version"]; ok {
		if m.Version, err = strconv.Atoi(v); err != nil {
			return m, fmt.Errorf("%s: version %q: %w", path, v, errMalformed)
		}
	}
	if v, ok := properties["broker.id"]; ok {
		id, err := strconv.ParseInt(v, 10, 32)
		if err != nil {
			return m, fmt.Errorf("%s: broker.id %q: %w", path, v, errMalformed)
		}
		m.BrokerID = int32(id)
	}
	m.ClusterID = properties["cluster.id"]
	m.DirectoryID = properties["directory.id"]
	if m.Version != 0 {
		return m, fmt.Errorf("%s: version %d is not of ZooKeeper mode: %w", path, m.Version, errMalformed)
	}
	return m, nil
}

// WriteMetaProperties writes the identity of a log directory.
func WriteMetaProperties(dir string, m MetaProperties) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "version=%d\nbroker.id=%d\ncluster.id=%s\n", m.Version, m.BrokerID, escapeProperty(m.ClusterID))
	if m.DirectoryID != "" {
		fmt.Fprintf(&b, "directory.id=%s\n", escapeProperty(m.DirectoryID))
	}
	return replaceFile(filepath.Join(dir, metaFile), b.Bytes(), true)
}

// parseProperties reads the subset of Java's properties format that Properties.store writes: comments, key=value, backslash escapes.
func parseProperties(content []byte) (map[string]string, error) {
	properties := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		line := strings.TrimLeft(lines.Text(), " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		end := len(line)
		for i := 0; i < len(line); i++ {
			if line[i] == '\\' {
				i++
			} else if strings.IndexByte("=: \t\f", line[i]) >= 0 {
				end = i
				break
			}
		}
		value := strings.TrimLeft(line[end:], " \t\f")
		if value != "" && (value[0] == '=' || value[0] == ':') {
			value = strings.TrimLeft(value[1:], " \t\f")
		}
		properties[unescapeProperty(line[:end])] = strings.TrimRight(unescapeProperty(value), " \t\r")
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return properties, nil
}

func unescapeProperty(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			if i+4 < len(s) {
				if r, err := strconv.ParseUint(s[i+1:i+5], 16, 16); err == nil {
					b.WriteRune(rune(r))
					i += 4
					continue
				}
			}
			b.WriteByte('u')
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func escapeProperty(s string) string {
	return strings.NewReplacer(`\`, `\\`, "=", `\=`, ":", `\:`, "#", `\#`, "!", `\!`, "\n", `\n`).Replace(s)
}
