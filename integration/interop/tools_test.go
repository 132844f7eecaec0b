package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTools drives our cluster with Apache's command-line tools: on the embedded ZooKeeper, and on Apache's with a chroot.
func TestTools(t *testing.T) {
	needApache(t)
	places := map[string]func(testing.TB) string{
		"embedded ZooKeeper":         func(t testing.TB) string { return ourZooKeeper(t).address },
		"real ZooKeeper with chroot": func(t testing.TB) string { return apacheZooKeeper(t).address + "/some/chroot" },
	}
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, ours, place(t), 3)
			b := c.bootstrap()
			t.Run("topics", func(t *testing.T) { topicsTool(t, b) })
			t.Run("configs", func(t *testing.T) { configsTool(t, b) })
			t.Run("records", func(t *testing.T) { recordTools(t, c) })
			t.Run("producer-perf", func(t *testing.T) { perfTool(t, b) })
			t.Run("api-versions", func(t *testing.T) { versionsTool(t, c) })
			t.Run("dump-log", func(t *testing.T) { dumpTool(t, c) })
		})
	}
}

func topicsTool(t *testing.T, bootstrap string) {
	topics := func(args ...string) string {
		return tool(t, "", "topics", append([]string{"--bootstrap-server", bootstrap}, args...)...)
	}
	require.Contains(t, topics("--create", "--topic", "orders", "--partitions", "3", "--replication-factor", "1", "--config", "retention.ms=86400000", "--config", "segment.bytes=1048576"),
		"Created topic orders.")
	topics("--create", "--topic", "doomed", "--replica-assignment", "1,2,3")
	require.Equal(t, []string{"doomed", "orders"}, strings.Fields(topics("--list")))
	topics("--alter", "--topic", "orders", "--partitions", "6")
	described := topics("--describe", "--topic", "orders")
	require.Regexp(t, `(?m)^Topic: orders\tTopicId: [\w-]{22}\tPartitionCount: 6\tReplicationFactor: 1\tConfigs: (?:segment\.bytes=1048576,retention\.ms=86400000|retention\.ms=86400000,segment\.bytes=1048576)\s*$`, described)
	lines := regexp.MustCompile(`\tTopic: orders\tPartition: (\d)\tLeader: (\d)\tReplicas: (\d)\tIsr: (\d)\tElr: N/A\tLastKnownElr: N/A`).FindAllStringSubmatch(described, -1)
	require.Len(t, lines, 6, described)
	led := map[string]int{}
	for p, line := range lines {
		require.Equal(t, fmt.Sprint(p), line[1])
		require.Equal(t, []string{line[2], line[2]}, line[3:], "leader, replicas and ISR are one broker")
		led[line[2]]++
	}
	require.Equal(t, map[string]int{"1": 2, "2": 2, "3": 2}, led, "spread over the brokers")
	topics("--delete", "--topic", "doomed")
	again := tryTool(t, "", "topics", "--bootstrap-server", bootstrap, "--create", "--topic", "orders", "--partitions", "1")
	require.Equal(t, 1, again.code)
	require.Contains(t, again.out, "Topic 'orders' already exists.")
	require.Equal(t, []string{"orders"}, strings.Fields(topics("--list")))
}

func configsTool(t *testing.T, bootstrap string) {
	configs := func(args ...string) string {
		return tool(t, "", "configs", append([]string{"--bootstrap-server", bootstrap}, args...)...)
	}
	entity := func(kind, name, set, want, remove string, completed string) {
		t.Helper()
		who := []string{"--entity-type", kind, "--entity-name", name}
		if name == "" {
			who = []string{"--entity-type", kind, "--entity-default"}
		}
		require.Contains(t, configs(append(who, "--alter", "--add-config", set)...), completed)
		require.Contains(t, configs(append(who, "--describe")...), want)
		configs(append(who, "--alter", "--delete-config", remove)...)
		require.NotContains(t, configs(append(who, "--describe")...), want)
	}
	entity("topics", "orders", "cleanup.policy=[compact,delete],min.insync.replicas=1",
		"cleanup.policy=compact,delete sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete, DEFAULT_CONFIG:log.cleanup.policy=delete}",
		"cleanup.policy,min.insync.replicas", "Completed updating config for topic orders.")
	entity("brokers", "2", "log.cleaner.threads=2",
		"log.cleaner.threads=2 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:log.cleaner.threads=2, DEFAULT_CONFIG:log.cleaner.threads=1}",
		"log.cleaner.threads", "Completed updating config for broker 2.")
	entity("brokers", "", "log.retention.ms=3600000",
		"log.retention.ms=3600000 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=3600000}",
		"log.retention.ms", "Completed updating default config for brokers in the cluster.")
	loggers := []string{"--entity-type", "broker-loggers", "--entity-name", "1"}
	require.Contains(t, configs(append(loggers, "--describe")...), "root=INFO", "the loggers are listed")
	require.Contains(t, configs(append(loggers, "--alter", "--add-config", "root=DEBUG")...), "Completed updating config for broker-logger 1.")
	require.Contains(t, configs(append(loggers, "--describe")...), "root=DEBUG sensitive=false")
	configs(append(loggers, "--alter", "--add-config", "kafka.server.ReplicaManager=ERROR")...)
	changed := configs(append(loggers, "--describe")...)
	require.Contains(t, changed, "kafka.server.ReplicaManager=ERROR sensitive=false synonyms={}")
	require.Contains(t, changed, "kafka.controller.KafkaController=DEBUG", "inherited")
	configs(append(loggers, "--alter", "--delete-config", "kafka.server.ReplicaManager")...)
	require.Contains(t, configs(append(loggers, "--describe")...), "kafka.server.ReplicaManager=DEBUG")
	for change, want := range map[string]string{
		"--add-config root=LOUD":   "Cannot set the log level of root to LOUD as it is not a supported log level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN",
		"--add-config nobody=INFO": "Invalid broker logger(s): nobody",
		"--delete-config root":     "Removing the log level of the root logger is not allowed",
	} {
		refused := tryTool(t, "", "configs", append(append([]string{"--bootstrap-server", bootstrap}, append(loggers, "--alter")...), strings.Fields(change)...)...)
		require.NotZero(t, refused.code, change)
		require.Contains(t, refused.out+refused.err, want)
	}
	all := configs("--entity-type", "brokers", "--entity-name", "1", "--describe", "--all")
	require.Contains(t, all, "All configs for broker 1 are:")
	require.Contains(t, all, "  broker.id=1 sensitive=false synonyms={STATIC_BROKER_CONFIG:broker.id=1, DEFAULT_CONFIG:broker.id=-1}")
	absent := tryTool(t, "", "configs", append([]string{"--bootstrap-server", bootstrap}, "--entity-type", "topics", "--entity-name", "orders", "--alter", "--add-config", "no.such.config=1")...)
	require.NotZero(t, absent.code)
	require.Contains(t, absent.out+absent.err, "Unknown topic config name: no.such.config")
}

func recordTools(t *testing.T, c *cluster) {
	b := c.bootstrap()
	var input, want strings.Builder
	for i := range 500 {
		fmt.Fprintf(&input, "h:%d\tkey-%d\tvalue number %d, täglich\n", i, i%7, i)
	}
	tool(t, "", "topics", "--bootstrap-server", b, "--create", "--topic", "lines", "--partitions", "2", "--replication-factor", "1", "--config", "segment.bytes=16384")
	tool(t, input.String(), "console-producer", "--bootstrap-server", b, "--topic", "lines", "--property", "parse.key=true", "--property", "parse.headers=true", "--compression-codec", "lz4",
		"--batch-size", "1024")
	var got []string
	for p := range 2 {
		out := tool(t, "", "console-consumer", "--bootstrap-server", b, "--topic", "lines", "--partition", fmt.Sprint(p), "--offset", "earliest", "--timeout-ms", "3000",
			"--property", "print.key=true", "--property", "print.headers=true", "--property", "print.offset=true")
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		for i, line := range lines {
			offset, rest, _ := strings.Cut(line, "\t")
			require.Equal(t, fmt.Sprintf("Offset:%d", i), offset)
			got = append(got, rest)
		}
	}
	want.WriteString(strings.TrimSuffix(input.String(), "\n"))
	require.ElementsMatch(t, strings.Split(want.String(), "\n"), got)

	offsets := func(time string) map[string]string {
		m := map[string]string{}
		for _, line := range strings.Fields(tool(t, "", "get-offsets", "--bootstrap-server", b, "--topic", "lines", "--time", time)) {
			part := strings.Split(line, ":")
			require.Len(t, part, 3, line)
			m[part[1]] = part[2]
		}
		return m
	}
	latest := offsets("-1")
	require.Len(t, latest, 2)
	require.Equal(t, map[string]string{"0": "0", "1": "0"}, offsets("earliest"))
	require.Equal(t, map[string]string{"0": "0", "1": "0"}, offsets("0"), "the first record at or after the epoch")
	require.Len(t, offsets("max-timestamp"), 2)
	require.Equal(t, map[string]string{"0": "0", "1": "0"}, offsets("earliest-local"))
	require.Empty(t, slices.DeleteFunc(slices.Collect(mapValues(offsets("latest-tiered"))), func(o string) bool { return o == "" || o == "-1" }), "no tiered storage")
	require.Empty(t, offsets("32503680000000"), "nothing at or after the year 3000")

	cut := filepath.Join(t.TempDir(), "cut.json")
	require.NoError(t, os.WriteFile(cut, []byte(`{"partitions":[{"topic":"lines","partition":0,"offset":50},{"topic":"lines","partition":1,"offset":-1}],"version":1}`), 0o600))
	out := tool(t, "", "delete-records", "--bootstrap-server", b, "--offset-json-file", cut)
	require.Contains(t, out, "partition: lines-0\tlow_watermark: 50")
	require.Contains(t, out, "partition: lines-1\tlow_watermark: "+latest["1"])
	require.Equal(t, map[string]string{"0": "50", "1": latest["1"]}, offsets("-2"))

	out = tool(t, "", "log-dirs", "--bootstrap-server", b, "--describe", "--topic-list", "lines")
	var dirs struct {
		Brokers []struct {
			Broker  int32
			LogDirs []struct {
				LogDir     string
				Error      *string
				Partitions []struct {
					Partition string
					Size      int64
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out[strings.Index(out, "{"):]), &dirs), out)
	require.Len(t, dirs.Brokers, 3)
	found := 0
	for _, broker := range dirs.Brokers {
		require.Len(t, broker.LogDirs, 1)
		require.Nil(t, broker.LogDirs[0].Error)
		require.Equal(t, c.nodes[broker.Broker-1].data(), broker.LogDirs[0].LogDir)
		for _, p := range broker.LogDirs[0].Partitions {
			require.Equal(t, size(t, filepath.Join(broker.LogDirs[0].LogDir, p.Partition, "*.log")), p.Size, p.Partition)
			found++
		}
	}
	require.Equal(t, 2, found)
}

func mapValues(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// size adds up the files that match.
func size(t *testing.T, pattern string) int64 {
	t.Helper()
	var total int64
	paths, err := filepath.Glob(pattern)
	require.NoError(t, err)
	for _, path := range paths {
		info, err := os.Stat(path)
		require.NoError(t, err)
		total += info.Size()
	}
	return total
}

// codecs are Kafka's, by their names in configurations.
var codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

func perfTool(t *testing.T, bootstrap string) {
	tool(t, "", "topics", "--bootstrap-server", bootstrap, "--create", "--topic", "perf", "--partitions", "3", "--replication-factor", "1", "--config", "segment.bytes=1048576",
		"--config", "segment.index.bytes=1024")
	for i, codec := range codecs {
		out := tool(t, "", "producer-perf", "--topic", "perf", "--num-records", "5000", "--record-size", "500", "--throughput", "-1", "--producer-props", "bootstrap.servers="+bootstrap,
			"compression.type="+codec, "acks=all", fmt.Sprintf("enable.idempotence=%v", i%2 == 0 || codec == "zstd"))
		require.Regexp(t, `(?m)^5000 records sent, .* 99\.9th\.$`, out, codec)
	}
	total := 0
	for _, line := range strings.Fields(tool(t, "", "get-offsets", "--bootstrap-server", bootstrap, "--topic", "perf")) {
		var p, offset int
		_, err := fmt.Sscanf(line, "perf:%d:%d", &p, &offset)
		require.NoError(t, err, line)
		total += offset
	}
	require.Equal(t, 5000*len(codecs), total)
}

func versionsTool(t *testing.T, c *cluster) {
	out := tool(t, "", "api-versions", "--bootstrap-server", c.bootstrap())
	for _, n := range c.nodes {
		require.Contains(t, out, fmt.Sprintf("%s (id: %d rack: null) -> (", n.address, n.id))
	}
	require.Regexp(t, `Produce\(0\): \d+ to \d+ \[usable: \d+\]`, out)
	require.Regexp(t, `Fetch\(1\): \d+ to \d+ \[usable: \d+\]`, out)
	require.NotContains(t, out, "UNKNOWN(", "nothing that a Java client doesn't know")
}

// complaints are what the dump tool prints about files that are wrong.
var complaints = regexp.MustCompile(`Mismatches in|Non-consecutive offsets|Index timestamp of log segment|Found timestamp mismatch|Found out of order timestamp|are not found in the log|sanity check|isvalid: false|Exception|corrupt`)

// dumpTool reads every file that a clean stop leaves.
func dumpTool(t *testing.T, c *cluster) {
	files := map[string][]string{}
	for _, n := range c.nodes {
		n.p.stop()
		for _, ext := range []string{"log", "index", "timeindex", "snapshot"} {
			paths, err := filepath.Glob(filepath.Join(n.data(), "*-*", "*."+ext))
			require.NoError(t, err)
			files[ext] = append(files[ext], paths...)
		}
	}
	require.Greater(t, len(files["log"]), 15, "segments were rolled")
	require.NotEmpty(t, files["snapshot"])
	rolled := slices.IndexFunc(files["log"], func(path string) bool { return strings.Contains(path, "perf-") })
	dumpDamaged(t, files["log"][rolled])
	for ext, paths := range files {
		args := []string{"--files", strings.Join(paths, ",")}
		if ext == "log" {
			args = append(args, "--deep-iteration")
		}
		r := tryTool(t, "", "dump-log", args...)
		require.Zero(t, r.code, r.err)
		require.Empty(t, complaints.FindAllString(r.out+r.err, 5), ext)
		for _, path := range paths {
			require.Contains(t, r.out, "Dumping "+path)
		}
		switch ext {
		case "log":
			require.Contains(t, r.out, "isvalid: true")
			require.GreaterOrEqual(t, strings.Count(r.out, "| offset: "), 25_000, "all records of the codecs")
		case "snapshot":
			require.Regexp(t, `producerId: \d+ producerEpoch: 0`, r.out)
		}
		t.Logf("%d %s files, %d lines", len(paths), ext, strings.Count(r.out, "\n"))
	}
}

// dumpDamaged proves that the dump tool's complaints are noticed: the same files, one byte of each kind changed.
func dumpDamaged(t *testing.T, log string) {
	t.Helper()
	for _, damage := range []struct {
		ext string
		at  int
	}{{"log", 100}, {"index", 7}, {"timeindex", 11}} {
		dir := filepath.Join(t.TempDir(), filepath.Base(filepath.Dir(log)))
		require.NoError(t, os.Mkdir(dir, 0o755))
		var target string
		for _, ext := range []string{"log", "index", "timeindex"} {
			content, err := os.ReadFile(strings.TrimSuffix(log, "log") + ext)
			require.NoError(t, err)
			path := filepath.Join(dir, strings.TrimSuffix(filepath.Base(log), "log")+ext)
			if ext == damage.ext {
				require.Greater(t, len(content), damage.at)
				content[damage.at] ^= 0x15
				target = path
			}
			require.NoError(t, os.WriteFile(path, content, 0o600))
		}
		r := tryTool(t, "", "dump-log", "--files", target, "--deep-iteration")
		require.Regexp(t, complaints, r.out+r.err, damage.ext)
	}
}
