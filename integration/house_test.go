package integration

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/prekraft/prekraft/"

// rooms says what each room of the house may import of ours; a room that isn't named may import nothing of ours. Imports run downwards only.
var rooms = map[string][]string{
	"broker/wire":             {},
	"broker/record":           {},
	"broker/config":           {},
	"broker/config/jaas":      {},
	"broker/config/tlsconfig": {},
	"broker/telemetry":        {},
	"zkutil/znode":            {},
	"zkutil/sasl":             {},
	"zkutil/zkserver":         {"zkutil/sasl"},
	"broker/commitlog":        {"broker/record"},
	"broker/metadata":         {"broker/wire"},
	"broker/network":          {"broker/wire"},
	"broker/replica":          {"broker/commitlog", "broker/record", "broker/wire", "broker/metadata"},
	"zkutil":                  {"zkutil/znode", "zkutil/sasl"},
	"zkutil/identity":         {"broker/config", "broker/config/", "zkutil/sasl"},
	"coordinator/controller":  {"broker/wire", "broker/record", "zkutil/znode"},
	"coordinator/group":       {"broker/wire", "broker/record", "zkutil/znode", "coordinator/offsets"},
	"coordinator/offsets":     {"broker/wire", "broker/record", "zkutil/znode"},
	"coordinator/transaction": {"broker/wire", "broker/record", "zkutil/znode"},
	"broker/peers":            {"broker/wire", "broker/network", "broker/metadata", "coordinator/controller"},
	"broker/dynamic":          {"broker/config", "zkutil", "zkutil/znode"},
	"broker/api":              {"broker/wire", "broker/record", "broker/config", "broker/network", "broker/metadata", "broker/replica", "broker/commitlog", "coordinator/"},
	"broker":                  {"broker/", "coordinator/", "zkutil", "zkutil/znode", "zkutil/identity"},
	"clients/kafka":           {},
	"clients/legacy":          {"zkutil", "zkutil/sasl", "zkutil/znode", "broker/wire", "clients/kafka"},
	"clients/timeline":        {"broker/telemetry"},
	"clients/cli":             {"broker", "broker/config", "broker/record", "broker/commitlog", "broker/wire", "broker/network", "broker/telemetry", "coordinator/controller", "coordinator/offsets", "clients/", "zkutil", "zkutil/"},
	"integration/":            {""},
	"":                        {"clients/cli"},
}

// libraries says where a library may be imported, tests aside.
var libraries = map[string][]string{
	"github.com/go-zookeeper/zk":              {"zkutil", "integration/"},
	"github.com/IBM/sarama":                   {"clients/", "integration/"},
	"github.com/spf13/viper":                  {"broker/config", "clients/cli"},
	"github.com/spf13/cobra":                  {"clients/cli", "integration/"},
	"software.sslmate.com/src/go-pkcs12":      {"broker/config/tlsconfig"},
	"github.com/pavlo-v-chernykh/keystore-go": {"broker/config/tlsconfig"},
	"github.com/sirupsen/logrus":              {"broker", "clients/cli", "broker/telemetry", "integration/"},
	"github.com/stretchr/testify":             {"integration/"},
	"testing":                                 {"integration/"},
}

// TestImportsRunDownwards holds the house to its plan (docs/architecture.md).
func TestImportsRunDownwards(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}:{{join .Imports ","}}`, module+"...").CombinedOutput()
	require.NoError(t, err, string(out))
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		name, imports, _ := strings.Cut(line, ":")
		room := strings.TrimPrefix(strings.TrimSuffix(name, "/")+"/", module)
		room = strings.TrimSuffix(room, "/")
		allowed, known := rooms[room]
		if strings.HasPrefix(room, "integration") {
			allowed, known = rooms["integration/"], true
		}
		require.True(t, known, "the house has no room %q: name it in rooms, and in docs/architecture.md", room)
		for _, imported := range strings.Split(imports, ",") {
			if ours, ok := strings.CutPrefix(imported, module); ok {
				require.True(t, permitted(ours, allowed), "%s imports %s", room, ours)
			}
			for library, places := range libraries {
				if imported == library || strings.HasPrefix(imported, library+"/") {
					require.True(t, permitted(room, places), "%s imports %s", room, imported)
				}
			}
		}
	}
}

// permitted tells whether a path is in a list; an entry that ends in a slash stands for all below it, an empty one for everything.
func permitted(path string, list []string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		return entry == "" || entry == path || (strings.HasSuffix(entry, "/") && strings.HasPrefix(path, entry))
	})
}
