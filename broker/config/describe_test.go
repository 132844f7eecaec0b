package config_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/config"
)

// golden reads a file of tab separated fields.
func golden(t *testing.T, name string) [][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	var out [][]string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			out = append(out, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
		}
	}
	require.NotEmpty(t, out)
	return out
}

// asked is the broker that the golden files were recorded from.
func asked(t *testing.T) *config.Config {
	return load(t, map[string]string{
		"broker.id": "1", "log.dirs": "/data/kafka", "group.initial.rebalance.delay.ms": "0", "listeners": "PLAINTEXT://127.0.0.1:9092",
		"zookeeper.connect":                "127.0.0.1:2181",
		"offsets.topic.replication.factor": "1", "transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1",
		"offsets.topic.num.partitions": "1", "log.retention.hours": "72", "log.roll.ms": "3600000", "ssl.truststore.password": "secret",
		"my.custom": "thing", "listener.name.plaintext.max.connections": "77", "message.max.bytes": "2000000",
		"log.flush.scheduler.interval.ms": "5000", "num.io.threads": "4",
	})
}

// DescribeConfigs of brokers and topics shows what Apache Kafka shows, synonyms in the same order.
func TestDescribeMatchesKafka(t *testing.T) {
	c, err := asked(t).WithDynamic(map[string]string{
		"log.retention.ms": "123456", "num.replica.fetchers": "2", "min.insync.replicas": "2",
		"log.cleaner.io.max.bytes.per.second": "1.5e6",
	}, map[string]string{
		"unknown.thing": "1", "log.roll.ms": "7200000", "leader.replication.throttled.rate": "1000",
		"log.cleanup.policy": "compact , delete", "listener.name.plaintext.max.connections": "88", "log.cleaner.min.compaction.lag.ms": "5",
	})
	require.NoError(t, err)
	require.Empty(t, c.Problems())
	topic, err := config.DescribeTopic(c, map[string]string{
		"cleanup.policy": "", "retention.ms": "1000", "min.cleanable.dirty.ratio": "1", "flush.ms": "77",
	}, nil)
	require.NoError(t, err)
	plain, err := config.DescribeTopic(c, nil, nil)
	require.NoError(t, err)

	got := map[string]string{}
	for label, entries := range map[string][]config.Entry{
		"broker": c.DescribeBroker(nil), "default": c.DescribeClusterDefault(nil), "topic": topic, "plain": plain,
	} {
		for _, e := range entries {
			if d, ok := config.Lookup(e.Name); ok && d.Own {
				continue
			}
			got[label+" "+e.Name] = line(e)
		}
	}
	want := map[string]string{}
	for _, f := range golden(t, "describe-3.9.1.tsv") {
		want[f[0]+" "+f[1]] = strings.Join(f[2:], "\t")
	}
	require.Len(t, got, len(want))
	for name := range want {
		require.Equal(t, want[name], got[name], name)
	}
}

func line(e config.Entry) string {
	text := func(s string, null bool) string {
		if null {
			return "null"
		}
		return s
	}
	var synonyms []string
	for _, s := range e.Synonyms {
		synonyms = append(synonyms, s.Source.String()+":"+s.Name+"="+text(s.Value, s.Null))
	}
	return strings.Join([]string{
		text(e.Value, e.Null), e.Source.String(), strconv.FormatBool(e.Sensitive), strconv.FormatBool(e.ReadOnly), e.Type.String(),
		strings.Join(synonyms, "; "),
	}, "\t")
}

// What Apache Kafka refuses is refused, and with its words; what it takes is taken.
func TestAlterMatchesKafka(t *testing.T) {
	c := asked(t)
	for _, f := range golden(t, "alter-3.9.1.tsv") {
		props := map[string]string{}
		for kv := range strings.SplitSeq(f[2], ";") {
			k, v, _ := strings.Cut(kv, "=")
			props[k] = v
		}
		var err error
		if f[0] == "TOPIC" {
			err = config.ValidateTopic(c, props)
		} else {
			err = c.ValidateDynamic(props, f[1] != "")
		}
		if f[3] == "ok" {
			require.NoError(t, err, f[2])
			continue
		}
		require.Error(t, err, f[2])
		require.Contains(t, err.Error(), ourWords(f[4]), f[2])
		if strings.Contains(f[4], "Password encoder") {
			require.ErrorIs(t, err, config.ErrDynamicPassword)
		}
	}
}

// ourWords takes off Kafka's message what Java put there.
func ourWords(message string) string {
	switch {
	case message == "/ by zero":
		return "Log cleaner threads should be at least 1" // Kafka divides by it before it looks
	case strings.Contains(message, "Password encoder secret not configured"):
		return "passwords are stored in ZooKeeper encrypted with password.encoder.secret"
	case strings.Contains(message, "num.partitions, log.dirs"):
		return "Cannot update these configs dynamically: Set(log.dirs, num.partitions)"
	}
	message = strings.ReplaceAll(message, "HashSet(", "Set(")
	for _, cut := range []string{"requirement failed: ", "org.apache.kafka.common.config.ConfigException: ", "name='t'): "} {
		if _, rest, ok := strings.Cut(message, cut); ok {
			message = rest
		}
	}
	message, _, _ = strings.Cut(message, " for configuration Invalid dynamic configuration")
	return message
}

// A name that does not exist gives no entry; a filter is honoured.
func TestDescribeFilter(t *testing.T) {
	c := load(t, nil)
	entries := c.DescribeBroker([]string{"num.io.threads", "no.such", "num.io.threads"})
	require.Len(t, entries, 1)
	require.Equal(t, "8", entries[0].Value)
	require.Contains(t, entries[0].Doc, "handlers")
	_, err := config.DescribeTopic(c, map[string]string{"no.such": "1"}, nil)
	require.ErrorIs(t, err, config.ErrUnknownTopicConfig)
}
