package config_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/config"
)

// Numbers are read and printed as Java does; the right column is what Double.toString printed.
func TestDoubles(t *testing.T) {
	for text, want := range map[string]string{
		"0.5": "0.5", "1e7": "1.0E7", "9999999": "9999999.0", "0.001": "0.001", "0.00099": "9.9E-4", "1.5e6": "1500000.0",
		"123456789.125": "1.23456789125E8", "1e21": "1.0E21", "-2.5": "-2.5", "0": "0.0", "-0.0": "-0.0", "100": "100.0",
		"2147483647": "2.147483647E9", "1d": "1.0", "0x1p3": "8.0", "1e400": "Infinity", "NaN": "NaN", "-Infinity": "-Infinity",
		"1_0": "", "inf": "", "nan": "", "+1.": "1.0", "1f": "1.0", "": "", ".5": "0.5", " 7 ": "7.0", "Infinity": "Infinity",
	} {
		c, err := config.Load(config.Sources{Base: with(map[string]string{"log.cleaner.io.max.bytes.per.second": text})})
		if want == "" {
			require.ErrorContains(t, err, "Not a number of type DOUBLE", "%q", text)
			continue
		}
		require.NoError(t, err, "%q", text)
		require.Equal(t, want, c.DescribeBroker([]string{"log.cleaner.io.max.bytes.per.second"})[0].Value, "%q", text)
	}
	require.InDelta(t, 0.25, load(t, map[string]string{"log.cleaner.min.cleanable.ratio": ".25"}).Double(config.LogCleanerMinCleanableRatio), 0)
	for _, out := range []string{"-0.1", "1.1", "NaN"} {
		_, err := config.Load(config.Sources{Base: with(map[string]string{"log.cleaner.min.cleanable.ratio": out})})
		require.ErrorContains(t, err, "Value must be", out)
	}
}

// Types have their ends where Java has them.
func TestIntegers(t *testing.T) {
	for _, v := range []struct{ key, good, bad string }{
		{"queued.max.requests", "2147483647", "2147483648"},
		{"offsets.topic.replication.factor", "32767", "32768"},
		{"log.retention.bytes", "9223372036854775807", "9223372036854775808"},
		{"log.retention.bytes", "-9223372036854775808", "1.0"},
		{"num.partitions", "+5", "0x5"},
		{"num.partitions", " 5 ", "1_000"},
		{"compression.gzip.level", "-1", "0"},
		{"remote.log.manager.copier.thread.pool.size", "-1", "0"},
		{"group.consumer.migration.policy", "Upgrade", "sideways"},
		{"remote.log.metadata.manager.impl.prefix", "x", ""},
		{"admin.listener", "[::1]:80", "host"},
		{"admin.listener", "", "host:65536"},
		{"replica.selector.class", "org.apache.kafka.common.replica.RackAwareReplicaSelector", "com.example.Mine"},
	} {
		load(t, map[string]string{v.key: v.good})
		_, err := config.Load(config.Sources{Base: with(map[string]string{v.key: v.bad})})
		require.ErrorContains(t, err, v.key, "%s=%s", v.key, v.bad)
	}
}

// The types of a structured file become the text that a properties file would have.
func TestStructuredFiles(t *testing.T) {
	for name, text := range map[string]string{
		"a.json": `{"zookeeper":{"connect":"zk:2181"},"num.partitions":4,"log":{"cleaner":{"min.cleanable.ratio":0.25}},` +
			`"log.dirs":["/a","/b"],"delete.topic.enable":false,"broker.rack":null,"log.retention.bytes":1099511627776}`,
		"a.toml": "\"num.partitions\" = 4\n\"log.dirs\" = [\"/a\", \"/b\"]\n\"delete.topic.enable\" = false\n\"broker.rack\" = \"\"\n" +
			"\"log.retention.bytes\" = 1099511627776\n[zookeeper]\nconnect = \"zk:2181\"\n[log.cleaner]\n\"min.cleanable.ratio\" = 0.25\n",
		"a.yml": "zookeeper: {connect: 'zk:2181'}\nnum.partitions: 4\nlog.cleaner.min.cleanable.ratio: 0.25\nlog.dirs: [/a, /b]\n" +
			"delete.topic.enable: false\nbroker.rack: ''\nlog.retention.bytes: 1099511627776\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := config.Load(config.Sources{Files: []string{write(t, name, text)}})
			require.NoError(t, err)
			require.Equal(t, 4, c.Int(config.NumPartitions))
			require.InDelta(t, 0.25, c.Double(config.LogCleanerMinCleanableRatio), 0)
			require.Equal(t, []string{"/a", "/b"}, c.LogDirs())
			require.False(t, c.Bool(config.DeleteTopicEnable))
			require.Equal(t, int64(1<<40), c.Long(config.LogRetentionBytes))
			require.Empty(t, c.Unknown())
		})
	}
	_, err := config.Load(config.Sources{Files: []string{write(t, "b.json", `{"log.dirs":[{"a":1}]}`), write(t, "c.yaml", ":\n:")}})
	require.ErrorContains(t, err, "b.json: log.dirs: value is not a scalar")
	require.ErrorContains(t, err, "c.yaml")
}

// No way of printing shows a secret.
func TestNothingPrintsSecrets(t *testing.T) {
	c := load(t, map[string]string{"ssl.keystore.password": "hunter2", "listener.name.plaintext.plain.sasl.jaas.config": "hunter2"})
	p, _ := c.Password(config.SSLKeystorePassword)
	text, err := json.Marshal(map[string]any{"p": p})
	require.NoError(t, err)
	entries := c.DescribeBroker(nil)
	for _, s := range []string{
		fmt.Sprint(p), fmt.Sprintf("%#v %+v %s %q", p, p, p, p), string(text), fmt.Sprintf("%+v %#v %v", c, c, *c), fmt.Sprintf("%+v", entries),
	} {
		require.NotContains(t, s, "hunter2")
	}
	_, err = config.Load(config.Sources{Base: with(map[string]string{"listener.name.a.ssl.client.auth": "x", "ssl.key.password": "hunter2"})})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter2")
}

func TestSmallAccessors(t *testing.T) {
	c := load(t, map[string]string{"num.partitions": "1"})
	require.True(t, c.Given("num.partitions"))
	require.False(t, c.Given("num.io.threads"))
	require.True(t, c.IsSet("num.io.threads"))
	require.False(t, c.IsSet("broker.rack"))
	require.Equal(t, 300*time.Second, c.Duration(config.LeaderImbalanceCheckIntervalSeconds))
	require.Equal(t, 7*24*time.Hour, c.Duration(config.LogRetentionHours))
	require.Equal(t, 7*24*time.Hour, c.Duration(config.OffsetsRetentionMinutes))
	require.Equal(t, 30*time.Second, load(t, map[string]string{"zookeeper.connection.timeout.ms": "30000"}).ZooKeeperConnectionTimeout())
	require.NotEmpty(t, config.CustomDefs())
	d, ok := config.LookupTopic("retention.ms")
	require.True(t, ok)
	require.Equal(t, config.TypeLong, d.Type)
	_, ok = config.LookupTopic("log.retention.ms")
	require.False(t, ok)
	_, ok = config.Lookup("retention.ms")
	require.False(t, ok)
	codes := map[config.Source]int8{config.SourceTopic: 1, config.SourceDynamicBroker: 2, config.SourceDynamicDefault: 3,
		config.SourceFile: 4, config.SourceEnv: 4, config.SourceSet: 4, config.SourceDefault: 5}
	for s, want := range codes {
		require.Equal(t, want, s.Code())
	}
}

// Every time of the table ends in a unit, so that Duration never divides by nothing.
func TestEveryTimeHasAUnit(t *testing.T) {
	c := load(t, map[string]string{"log.retention.hours": "2147483647", "log.roll.hours": "2147483647"})
	for _, d := range config.Defs() {
		last := d.Name[strings.LastIndexByte(d.Name, '.')+1:]
		switch last {
		case "ms", "seconds", "secs", "minutes", "hours":
			require.NotPanics(t, func() { c.Duration(config.DurationKey(d.Name)) }, d.Name)
		}
	}
	require.Zero(t, c.Duration("num.partitions"), "a name without a unit is no time")
	require.Equal(t, int64(2147483647*3600_000), c.LogRetentionMs())
}

// Whatever is written as a value, loading ends with a configuration or an error.
func FuzzLoad(f *testing.F) {
	defs := config.Defs()
	index := map[string]int{}
	for i, d := range defs {
		index[d.Name] = i
	}
	for key, val := range map[string]string{
		"listeners": "A://h:1,B://[::1]:2", "listener.security.protocol.map": "A:SSL,B:PLAINTEXT", "log.cleaner.threads": "0",
		"max.connections.per.ip.overrides": "a:1,b", "log.cleaner.io.max.bytes.per.second": "1e400", "admin.listener": "[::1]:0",
		"inter.broker.protocol.version": "0.", "log.retention.hours": "-2147483648",
	} {
		f.Add(index[key], val)
	}
	f.Fuzz(func(t *testing.T, i int, val string) {
		key := defs[((i%len(defs))+len(defs))%len(defs)].Name
		c, err := config.Load(config.Sources{Base: with(map[string]string{key: val})})
		if err != nil {
			return
		}
		require.NotEmpty(t, c.DescribeBroker(nil))
		_, err = config.TopicConfig(c, nil)
		require.NoError(t, err)
		require.GreaterOrEqual(t, c.LogRetentionMs(), int64(-1))
		_ = c.ValidateDynamic(map[string]string{key: val}, true)
		_ = c.ValidateDynamic(map[string]string{key: val}, false)
	})
}

func BenchmarkLoad(b *testing.B) {
	props := with(map[string]string{"broker.id": "1", "listeners": "PLAINTEXT://127.0.0.1:0"})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := config.Load(config.Sources{Base: props}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTopicConfig(b *testing.B) {
	c, err := config.Load(config.Sources{Base: with(nil)})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := config.TopicConfig(c, map[string]string{"retention.ms": "1000"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInt(b *testing.B) {
	c, err := config.Load(config.Sources{Base: with(nil)})
	require.NoError(b, err)
	for b.Loop() {
		_ = c.Int(config.NumPartitions)
	}
}
