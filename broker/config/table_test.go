package config_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/config"
)

func allTables() map[string][]config.Def {
	return map[string][]config.Def{
		"broker": config.Defs(), "dynamic": config.DynamicOnlyDefs(), "topic": config.TopicDefs(),
		"user": config.UserDefs(), "client": config.ClientDefs(), "ip": config.IPDefs(),
	}
}

// Every row is complete, and no name is there twice.
func TestTableIsComplete(t *testing.T) {
	for table, defs := range allTables() {
		seen := map[string]bool{}
		require.NotEmpty(t, defs, table)
		for _, d := range defs {
			require.Falsef(t, seen[d.Name], "%s: %s twice", table, d.Name)
			seen[d.Name] = true
			require.NotEmpty(t, d.Section, d.Name)
			require.NotEqual(t, config.TypeUnknown, d.Type, d.Name)
			require.Greater(t, len(strings.Fields(d.Doc)), 2, d.Name)
			require.True(t, strings.HasSuffix(d.Doc, "."), "%s: documentation ends without a full stop", d.Name)
			require.Equal(t, d.Acted, d.Why == "", d.Name)
			if d.Refused {
				require.False(t, d.Acted, d.Name)
			}
			for _, s := range d.Synonyms {
				_, ok := config.Lookup(s)
				require.Truef(t, ok, "%s: synonym %s", d.Name, s)
			}
		}
	}
}

// The table says what Apache Kafka 3.9.1 says about itself, but where we refuse what cannot be loaded here.
func TestTableMatchesKafka(t *testing.T) {
	text, err := os.ReadFile("testdata/kafka-3.9.1.tsv")
	require.NoError(t, err)
	ours := map[string]config.Def{}
	for _, d := range config.Defs() {
		if !d.Own {
			ours["broker/"+d.Name] = d
		}
	}
	for _, d := range config.TopicDefs() {
		ours["topic/"+d.Name] = d
	}
	allowedDiffers := []string{"authorizer.class.name", "replica.selector.class"}
	n := 0
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		switch {
		case strings.HasPrefix(line, "#"):
			continue
		case f[0] == "synonyms":
			require.Equal(t, f[2:], ours["topic/"+f[1]].Synonyms, f[1])
			continue
		}
		require.Len(t, f, 8, line)
		d, ok := ours[f[0]+"/"+f[1]]
		require.Truef(t, ok, "%s is missing", f[1])
		n++
		require.Equal(t, f[2], d.Type.String(), f[1])
		if f[3] == "<null>" {
			require.True(t, d.NoDefault, f[1])
		} else {
			require.False(t, d.NoDefault, f[1])
			require.Equal(t, f[3], d.Default, f[1])
		}
		require.Equal(t, f[5], d.Importance.String(), f[1])
		require.Equal(t, f[6] == "true", d.Internal, f[1])
		require.Equal(t, f[7], d.Scope.String(), f[1])
		allowed := strings.NewReplacer("null", "", "non-empty list", "", "-1 or pool", "-1 or [1,...]").Replace(f[4])
		if !slices.Contains(allowedDiffers, d.Name) {
			require.Equal(t, allowed, d.Allowed(), f[1])
		}
	}
	require.Equal(t, len(ours), n, "rows that Kafka does not have")
}

// Every default is a value that the row itself allows.
func TestEveryDefaultValidates(t *testing.T) {
	for _, d := range config.Defs() {
		if d.NoDefault {
			continue
		}
		_, err := config.Load(config.Sources{
			Base: map[string]string{"zookeeper.connect": "localhost:2181", d.Name: d.Default},
		})
		require.NoError(t, err, d.Name)
	}
	for _, d := range config.TopicDefs() {
		require.NoError(t, config.ValidateTopic(nil, map[string]string{d.Name: d.Default}), d.Name)
	}
	for _, d := range config.IPDefs() {
		require.NoError(t, config.ValidateEntity(config.EntityIP, map[string]string{d.Name: d.Default}))
	}
	for _, d := range config.ClientDefs() {
		require.NoError(t, config.ValidateEntity(config.EntityClient, map[string]string{d.Name: d.Default}))
	}
}

// The documentation has a line for every config.
func TestMarkdown(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, config.Markdown(&b))
	for table, defs := range allTables() {
		for _, d := range defs {
			require.Contains(t, b.String(), "| `"+d.Name+"` |", table)
		}
	}
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, "| `") {
			columns := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
			require.Contains(t, []int{3, 7}, columns, line)
		}
	}
}
