package integration

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/api"
	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

var updateDocs = flag.Bool("update", false, "write the generated pages of docs/ instead of comparing them")

// TestGeneratedPagesAreCurrent keeps the pages that come from tables equal to the tables. `go test ./integration -run Generated -update` writes them.
func TestGeneratedPagesAreCurrent(t *testing.T) {
	pages := map[string]func(*bytes.Buffer) error{
		"compatibility.md": compatibilityPage,
		"configs.md":       func(b *bytes.Buffer) error { return config.Markdown(b) },
		"metrics.md":       metricsPage,
		"format/znodes.md": znodesPage,
		"events.md":        eventsPage,
	}
	for name, write := range pages {
		t.Run(name, func(t *testing.T) {
			var page bytes.Buffer
			require.NoError(t, write(&page))
			path := filepath.Join("..", "docs", filepath.FromSlash(name))
			if *updateDocs {
				require.NoError(t, os.WriteFile(path, page.Bytes(), 0o644))
				return
			}
			have, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, page.String(), string(have), "the page is behind its table: go test ./integration -run Generated -update")
		})
	}
}

func compatibilityPage(b *bytes.Buffer) error {
	served := map[wire.APIKey]wire.ApiVersionsResponseAPI{}
	for _, one := range api.New(api.Deps{}).Advertised() {
		served[one.APIKey] = one
	}
	b.WriteString("# Compatibility\n\nGenerated from the tables of broker/wire and broker/api: what a Kafka 3.9 broker in ZooKeeper mode knows, and what this broker serves and advertises today. ")
	b.WriteString("What is left out of an API that is served stands in [broker/api/skipped.md](../broker/api/skipped.md).\n\n")
	b.WriteString("| key | API | Kafka 3.9 | served |\n|---|---|---|---|\n")
	for _, info := range wire.APIs() {
		now := "not yet"
		if s, ok := served[info.Key]; ok {
			now = versions(s.MinVersion, s.MaxVersion)
		}
		fmt.Fprintf(b, "| %d | %s | %s | %s |\n", int(info.Key), info.Name, versions(info.MinVersion, info.MaxVersion), now)
	}
	return nil
}

func versions(from, to int16) string {
	if from == to {
		return "v" + strconv.Itoa(int(from))
	}
	return fmt.Sprintf("v%d-v%d", from, to)
}

func znodesPage(b *bytes.Buffer) error {
	b.WriteString("# Znodes\n\nGenerated from the table of zkutil/znode. `prekraft zk tree` shows them as they are. Kafka's paths hold Kafka's bytes and nothing else; our own lie under /prekraft.\n\n")
	b.WriteString("Who may do what with a znode is settled when it is created. Without `zookeeper.set.acl` everybody may do everything. With it (the last column) a znode is its creator's: the brokers', who are one " +
		"identity (`auth:` becomes `sasl:USER` or `x509:SUBJECT`). What holds no secrets everybody may read; /consumers is open, for consumers without an identity. A znode can be deleted by whoever " +
		"may delete below its parent, so a cluster that shares a ZooKeeper with others is safe in a chroot: the root itself is open. ZooKeeper's own znodes are as it made them.\n\n")
	b.WriteString("| path | kind | what it is for | with zookeeper.set.acl |\n|---|---|---|---|\n")
	for _, info := range znode.Table() {
		who := "brokers"
		switch acls := znode.DefaultACLs(info.Pattern, true); {
		case strings.HasPrefix(info.Pattern, "/zookeeper"):
			who = "ZooKeeper's"
		case acls[0].Scheme == "world":
			who = "everybody"
		case len(acls) > 1:
			who = "brokers; all may read"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", info.Pattern, info.Kind, info.Text, who)
	}
	return nil
}

func metricsPage(b *bytes.Buffer) error {
	b.WriteString("# Metrics\n\nGenerated from the table of broker/telemetry. Names are those that Apache Kafka's JMX exporter gives, so that dashboards work as they are. The admin port serves them under /metrics.\n\n")
	b.WriteString("| name | labels | what it counts |\n|---|---|---|\n")
	for _, m := range telemetry.Table() {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", m.PrometheusName(), strings.Join(m.Labels, ", "), m.Help)
	}
	return nil
}

func eventsPage(b *bytes.Buffer) error {
	b.WriteString("# Events\n\nGenerated from the catalogue of broker/telemetry. Everything that happens is one typed event with the cause it follows from; the log, the admin port's /events and the tests read the same stream.\n\n")
	b.WriteString("| event | log line | logger | level |\n|---|---|---|---|\n")
	for _, kind := range telemetry.Catalogue() {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", kind.Kind, kind.Message, kind.Logger, kind.Level)
	}
	b.WriteString("\n## Loggers\n\nEach line has a logger, named as in Apache Kafka where the parts correspond. `prekraft configs --broker-logger ID` and Kafka's `kafka-configs --entity-type broker-loggers` show and change " +
		"their levels while the broker runs; without a level of its own a logger has its parent's.\n\n| logger | what it writes |\n|---|---|\n")
	for _, logger := range telemetry.LoggerTable() {
		fmt.Fprintf(b, "| %s | %s |\n", logger.Name, logger.Doc)
	}
	return nil
}
