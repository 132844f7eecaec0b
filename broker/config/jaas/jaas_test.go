package jaas

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const file = `// what Kafka's documentation shows
KafkaServer {
   org.apache.kafka.common.security.plain.PlainLoginModule required
   username="admin"
   password="admin-secret"
   user_admin="admin-secret"
   user_alice="a\"b\\c\101\n" ;
   org.example.Second optional debug=true;
};
/* ZooKeeper
   follows */
Client { org.apache.zookeeper.server.auth.DigestLoginModule REQUIRED username='kafka' password=plain-1.2 ; };
`

func TestParse(t *testing.T) {
	c, err := Parse(file)
	require.NoError(t, err)
	require.Equal(t, Config{
		"KafkaServer": {
			{"org.apache.kafka.common.security.plain.PlainLoginModule", "required", map[string]string{
				"username": "admin", "password": "admin-secret", "user_admin": "admin-secret", "user_alice": "a\"b\\cA\n",
			}},
			{"org.example.Second", "optional", map[string]string{"debug": "true"}},
		},
		"Client": {{"org.apache.zookeeper.server.auth.DigestLoginModule", "required", map[string]string{"username": "kafka", "password": "plain-1.2"}}},
	}, c)
	for _, empty := range []string{"", "  // nothing\n", "\uFEFF\n/**/"} {
		c, err = Parse(empty)
		require.NoError(t, err)
		require.Empty(t, c)
	}
	m, err := ParseModules(`a.B required x="y"; c.D sufficient;`)
	require.NoError(t, err)
	require.Equal(t, []Module{{"a.B", "required", map[string]string{"x": "y"}}, {"c.D", "sufficient", map[string]string{}}}, m)
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"Client":                                               "line 1: expected {",
		"Client {\n};":                                         "line 2: section Client names no login module",
		"Client {\na.B required;\n}":                           "line 3: expected ;",
		"Client { a.B needed; };":                              "expected required",
		"Client { \"a.B\" required; };":                        "expected the class",
		"Client { a.B required x; };":                          "no value for option x",
		"Client { a.B required x=; };":                         "no value for option x",
		"Client { a.B required x=\"a\ny=b; };":                 "line 1: text in quotes",
		"Client { a.B required x=\"a":                          "text in quotes",
		"Client { a.B required x=\"a\\":                        "text in quotes",
		"Client { a.B required x=a x=b; };":                    "option x comes twice",
		"Client { a.B required; };\nClient { a.B required; };": "line 2: section Client comes twice",
		"Client { a.B required x=a":                            "expected an option or the semicolon",
		"/* Client":                                            "comment has no end",
		"Client { a.B required x=\"${secret}\"; };":            "Java property",
		"Client # {":                                           "unexpected character",
		"; Client":                                             "expected the name of a section",
		"a\xff":                                                "not UTF-8",
		strings.Repeat(" ", MaxBytes+1):                        "1 MiB",
	} {
		_, err := Parse(text)
		require.ErrorContains(t, err, want)
		var at *Error
		require.ErrorAs(t, err, &at)
	}
	_, err := ParseModules(" ")
	require.ErrorContains(t, err, "no login module")
	_, err = ParseModules("a.B required")
	require.ErrorContains(t, err, "semicolon")
}

// Secrets show neither in errors nor in what %v prints.
func TestSecrets(t *testing.T) {
	c, err := Parse(file)
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", c, c, c["Client"][0]), "plain-1.2")
	_, err = Parse(`Client { a.B required password="secret" "secret"; };`)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "secret")
}

// write is the inverse of Parse.
func write(c Config) string {
	var b strings.Builder
	for name, modules := range c {
		fmt.Fprintf(&b, "%s {\n", quote(name))
		for _, m := range modules {
			fmt.Fprintf(&b, "%s %s", m.Class, m.Flag)
			for k, v := range m.Options {
				fmt.Fprintf(&b, " %s=%s", k, quote(v))
			}
			b.WriteString(";\n")
		}
		b.WriteString("};\n")
	}
	return b.String()
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`).Replace(s) + `"`
}

// No text makes the parser panic, and what it understands survives being written again.
func FuzzParse(f *testing.F) {
	f.Add(file)
	f.Add(`Client { a.B required x="\377\08\u"; };`)
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = ParseModules(text)
		c, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(write(c))
		require.NoError(t, err)
		require.Equal(t, c, again)
	})
}
