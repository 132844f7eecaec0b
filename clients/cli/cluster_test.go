package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/integration/cluster"
)

// commands runs commands against a cluster in the test's process.
type commands struct {
	t *testing.T
	c *cluster.Cluster
	z string
}

func newCommands(t *testing.T, opts ...cluster.Option) commands {
	t.Helper()
	c := cluster.Start(t, opts...)
	options, err := c.BrokerOptions(1, nil)
	require.NoError(t, err)
	return commands{t, c, options.Config.String(config.ZooKeeperConnect)}
}

func (c commands) args(args []string) []string {
	return append(args, "--bootstrap", strings.Join(c.c.Bootstrap(), ","), "--zookeeper", c.z)
}

func (c commands) good(input string, args ...string) string {
	c.t.Helper()
	return good(c.t, input, c.args(args)...)
}

func (c commands) bad(text string, args ...string) {
	c.t.Helper()
	bad(c.t, 1, text, c.args(args)...)
}

// noElr is what kafka-topics 3.9 prints of KRaft's eligible leader replicas.
const noElr = "\tElr: N/A\tLastKnownElr: N/A"

func TestTopics(t *testing.T) {
	c := newCommands(t)
	require.Equal(t, "Topic orders could be created.\n", c.good("", "topics", "create", "orders", "--validate-only"))
	require.Equal(t, "Created topic orders.\n", c.good("", "topics", "create", "orders", "--replica-assignment", "1,2,3", "--config", "retention.ms=3600000"))
	c.bad("topic orders exists already; --if-not-exists", "topics", "create", "orders")
	require.Empty(t, c.good("", "topics", "create", "orders", "--if-not-exists"))
	c.c.WaitTopic("orders", 3)
	require.Equal(t, "orders\n", c.good("", "topics", "list"))
	require.JSONEq(t, `["orders"]`, c.good("", "topics", "list", "-o", "json"))
	text := regexp.MustCompile(`TopicId: \S{22}`).ReplaceAllString(c.good("", "topics", "describe", "orders"), "TopicId: ID")
	require.Equal(t, "Topic: orders\tTopicId: ID\tPartitionCount: 3\tReplicationFactor: 1\tConfigs: retention.ms=3600000\n"+
		"\tTopic: orders\tPartition: 0\tLeader: 1\tReplicas: 1\tIsr: 1"+noElr+"\n\tTopic: orders\tPartition: 1\tLeader: 2\tReplicas: 2\tIsr: 2"+noElr+"\n"+
		"\tTopic: orders\tPartition: 2\tLeader: 3\tReplicas: 3\tIsr: 3"+noElr+"\n", text)
	require.Empty(t, c.good("", "topics", "describe", "--unavailable-partitions"))
	require.Empty(t, c.good("", "topics", "describe", "--under-min-isr-partitions"))
	require.Equal(t, 3, strings.Count(c.good("", "topics", "describe", "--at-min-isr-partitions"), "\n"), "an ISR of 1 with min.insync.replicas=1")
	require.Equal(t, 4, strings.Count(c.good("", "topics", "describe", "or.*|nothing"), "\n"))
	require.Empty(t, c.good("", "topics", "describe", "nothing", "--if-exists"))
	require.Equal(t, 1, strings.Count(c.good("", "topics", "describe", "--topics-with-overrides"), "\n"))
	bad(t, 2, "missing closing", c.args([]string{"topics", "describe", "or(ders"})...)
	c.good("", "topics", "alter", "orders", "--partitions", "4")
	c.c.WaitTopic("orders", 4)
	c.bad("topic nothing doesn't exist; `prekraft topics list`", "topics", "describe", "nothing")
	c.bad("topic nothing doesn't exist", "topics", "delete", "nothing")
	c.bad("topic nothing doesn't exist", "topics", "alter", "nothing", "--partitions", "2")
	require.Empty(t, c.good("", "topics", "delete", "nothing", "--if-exists"))
	require.Equal(t, "orders\n", c.good("", "topics", "list"), "asking for a topic made none")

	require.Equal(t, "Completed updating config for topic orders.\n", c.good("", "configs", "alter", "--topic", "orders", "--set", "segment.ms=60000", "--delete", "retention.ms"))
	require.Equal(t, "Dynamic configs for topic orders are:\n  segment.ms=60000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:segment.ms=60000}\n",
		strings.ReplaceAll(c.good("", "configs", "describe", "--topic", "orders"), ", DEFAULT_CONFIG:log.roll.hours=168", ""))
	c.bad("topic nothing doesn't exist", "configs", "describe", "--topic", "nothing")
}

func TestProduceAndConsume(t *testing.T) {
	c := newCommands(t)
	c.good("", "topics", "create", "lines", "--replica-assignment", "1,2")
	c.c.WaitTopic("lines", 2)
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		o := call(t, codec+"-1\n"+codec+"-2\r\n\nlast", c.args([]string{"produce", "lines", "--partition", "0", "--codec", codec})...)
		require.Zero(t, o.status, o.err)
		require.Equal(t, "Sent 4 records.\n", o.err)
	}
	out := c.good("", "consume", "lines", "--from-beginning", "--to-end", "--show", "partition,offset,value", "--separator", " ")
	require.Equal(t, "Partition:0 Offset:0 none-1\nPartition:0 Offset:1 none-2\nPartition:0 Offset:2 \nPartition:0 Offset:3 last\n",
		strings.Join(strings.SplitAfter(out, "\n")[:4], ""))
	require.Equal(t, 20, strings.Count(out, "\n"))
	o := call(t, "", c.args([]string{"consume", "lines", "--partition", "0", "--offset", "18", "--max-messages", "1"})...)
	require.Equal(t, outcome{0, "\n", "Processed a total of 1 messages\n"}, o)
	require.Empty(t, c.good("", "consume", "lines", "--offset", "latest", "--to-end"))
	require.Empty(t, c.good("", "consume", "lines", "--timeout", "50ms"))
	c.bad("lines-0 has no offset 21: its offsets go from 0 to 20", "consume", "lines", "--partition", "0", "--offset", "21")
	c.bad("topic lines has no partition 7; it has 2, from 0 on", "consume", "lines", "--partition", "7")
	c.bad("topic nothing doesn't exist", "consume", "nothing")
	o = call(t, "x", c.args([]string{"produce", "lines", "--partition", "7"})...)
	require.Equal(t, 1, o.status)
	require.Contains(t, o.err, "topic lines has no partition 7")
	o = call(t, "no separator here", c.args([]string{"produce", "lines", "--key-separator", "="})...)
	require.Equal(t, 1, o.status)
	require.Contains(t, o.err, `a line has no key separator "="`)

	// Keys, headers in their order, nulls, and bytes that are no text.
	c.good("alice=\xff\xfe\nbob=NULL\nNULL=x", "produce", "lines", "--partition", "1", "--key-separator", "=", "--null", "NULL", "--header", "h=1", "--header", "a=2", "--header", "h=3")
	var rows []recordRow
	decoder := json.NewDecoder(strings.NewReader(c.good("", "consume", "lines", "--partition", "1", "--from-beginning", "--to-end", "-o", "json")))
	for decoder.More() {
		var row recordRow
		require.NoError(t, decoder.Decode(&row))
		require.NotZero(t, row.Timestamp)
		row.Timestamp = 0
		rows = append(rows, row)
	}
	headers := []headerRow{{"h", new("1"), nil}, {"a", new("2"), nil}, {"h", new("3"), nil}}
	require.Equal(t, []recordRow{
		{Topic: "lines", Partition: 1, Offset: 0, Key: new("alice"), ValueBase64: []byte("\xff\xfe"), Headers: headers},
		{Topic: "lines", Partition: 1, Offset: 1, Key: new("bob"), Headers: headers},
		{Topic: "lines", Partition: 1, Offset: 2, Value: new("x"), Headers: headers},
	}, rows)
	require.Equal(t, "alice\th:1,a:2,h:3\t\xff\xfe\nbob\th:1,a:2,h:3\tnull\nnull\th:1,a:2,h:3\tx\n",
		c.good("", "consume", "lines", "--partition", "1", "--from-beginning", "--to-end", "--show", "key,headers,value"))
}

func TestOffsetsAndDirectories(t *testing.T) {
	c := newCommands(t)
	c.good("", "topics", "create", "t", "--replica-assignment", "1,2")
	c.c.WaitTopic("t", 2)
	producer := c.c.SyncProducer(t, func(s *sarama.Config) { s.Producer.Partitioner = sarama.NewManualPartitioner })
	latest := time.Now().Add(time.Minute).Truncate(time.Millisecond)
	for i := range 10 {
		at := time.Now()
		if i == 3 {
			at = latest
		}
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "t", Value: sarama.StringEncoder(fmt.Sprint(i)), Timestamp: at})
		require.NoError(t, err)
	}
	require.Equal(t, "t:0:3\nt:1:\n", c.good("", "topics", "offsets", "t", "--time", "max-timestamp"))
	require.JSONEq(t, fmt.Sprintf(`[{"topic":"t","partition":0,"offset":3,"timestamp":%d}]`, latest.UnixMilli()),
		c.good("", "topics", "offsets", "t", "--time", "-3", "--partitions", "0", "-o", "json"))
	require.Equal(t, "t:0:10\nt:1:0\n", c.good("", "topics", "offsets", "t"))
	require.Equal(t, "t:0:0\n", c.good("", "topics", "offsets", "t", "--time", "earliest", "--partitions", "0"))
	require.Equal(t, "t:0:0\nt:1:\n", c.good("", "topics", "offsets", "t", "--time", "2020-01-31T00:00:00Z"))
	require.JSONEq(t, `[{"topic":"t","partition":0,"offset":10},{"topic":"t","partition":1,"offset":0}]`, c.good("", "topics", "offsets", "t", "-o", "json"))
	c.bad("topic t has no partition 2", "topics", "offsets", "t", "--partitions", "2")
	c.bad("topic nothing doesn't exist", "topics", "offsets", "nothing")

	require.Equal(t, "Executing records delete operation\nRecords delete operation completed:\npartition: t-0\tlow_watermark: 4\n",
		c.good("", "topics", "delete-records", "t:0:4"))
	file := filepath.Join(t.TempDir(), "offsets.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"partitions":[{"topic":"t","partition":0,"offset":-1}],"version":1}`), 0o644))
	require.JSONEq(t, `[{"partition":"t-0","low_watermark":10}]`, c.good("", "topics", "delete-records", "--offset-json-file", file, "-o", "json"))
	require.Equal(t, "t:0:10\nt:1:0\n", c.good("", "topics", "offsets", "t", "--time", "earliest"))
	c.bad("1 of 2 partitions were not changed", "topics", "delete-records", "t:0:99", "t:1:0")
	require.NoError(t, os.WriteFile(file, []byte(`{"partitions":[],"version":2}`), 0o644))
	c.bad("version 2 instead of 1", "topics", "delete-records", "--offset-json-file", file)

	var dirs struct {
		Brokers []struct {
			Broker  int32
			LogDirs []struct{ Partitions []logReplicaRow }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(c.good("", "log", "dirs", "--topics", "t", "-o", "json")), &dirs))
	require.Len(t, dirs.Brokers, 3)
	require.Equal(t, "t-0", dirs.Brokers[0].LogDirs[0].Partitions[0].Partition)
	require.Positive(t, dirs.Brokers[0].LogDirs[0].Partitions[0].Size)
	require.Empty(t, dirs.Brokers[2].LogDirs[0].Partitions)
	require.Contains(t, c.good("", "log", "dirs", "--brokers", "2"), "t-1")
	c.bad("broker 9 isn't up; brokers that are: 1,2,3", "log", "dirs", "--brokers", "9")

	require.Contains(t, c.good("", "log", "dump", c.c.Dir(1), "--print-data-log"), "payload: 9\n")
}

func TestEvents(t *testing.T) {
	c := newCommands(t)
	id, _ := c.c.Controller()
	out := c.good("", "events", "--kind", "ControllerElected")
	require.Regexp(t, fmt.Sprintf(`^\d\d:\d\d:\d\d\.\d{6}  broker %d +ControllerElected +.*epoch=1\n$`, id), out)
	last, seen := "", 0
	for line := range strings.Lines(c.good("", "events", "-o", "json")) {
		var r eventRecord
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		text := r.Time.UTC().Format("2006-01-02T15:04:05.000000000")
		require.GreaterOrEqual(t, text, last, "in the order of time")
		last = text
		seen++
	}
	require.Greater(t, seen, 10)
	require.Equal(t, 2, strings.Count(c.good("", "events", "--broker", "1,2", "--last", "1"), "\n"))
	c.bad("broker 9 has no admin address", "events", "--broker", "9")
	c.bad("kind=Nonsense: no such kind of event", "events", "--kind", "Nonsense")
}

// A leader that isn't the preferred one is changed back, and what the tools say of partitions that can't be elected is an error.
func TestElectPreferredLeader(t *testing.T) {
	c := newCommands(t, cluster.Set("auto.leader.rebalance.enable", "false")) // which would come first, five seconds after the controller
	c.good("", "topics", "create", "t", "--replica-assignment", "1:2,2:1")
	c.c.WaitTopic("t", 2)
	require.Equal(t, "Valid replica already elected for partitions t-0\n", c.good("", "partitions", "elect", "t-0"))
	c.c.Stop(1)
	eventually(t, "broker 2 leads alone", func() bool {
		return strings.Contains(c.good("", "topics", "describe", "t", "--under-replicated-partitions"), "Partition: 0\tLeader: 2\tReplicas: 1,2\tIsr: 2"+noElr+"\tOffline: 1\n")
	})
	o := call(t, "", c.args([]string{"partitions", "elect", "t-0"})...)
	require.Equal(t, 1, o.status)
	require.Contains(t, o.out, "Error completing leader election (PREFERRED) for partition: t-0: PREFERRED_LEADER_NOT_AVAILABLE")
	c.c.Start(1)
	eventually(t, "both replicas in sync", func() bool { return c.good("", "topics", "describe", "--under-replicated-partitions") == "" })
	require.Equal(t, "Successfully completed leader election (PREFERRED) for partitions t-0\nValid replica already elected for partitions t-1\n",
		c.good("", "partitions", "elect", "--topic", "t", "--partition", "0", "t-1"))
	eventually(t, "the preferred leader in every broker's metadata", func() bool {
		return strings.Contains(c.good("", "topics", "describe", "t"), "Partition: 0\tLeader: 1\t")
	})
	require.Equal(t, "No partition needed an election.\n", c.good("", "partitions", "elect", "--all-topic-partitions"))
	c.c.Stop(2)
	c.c.Start(2)
	eventually(t, "both replicas in sync", func() bool { return c.good("", "topics", "describe", "--under-replicated-partitions") == "" })
	require.Equal(t, "Successfully completed leader election (PREFERRED) for partitions t-1\n", c.good("", "partitions", "elect", "--all-topic-partitions"))
	o = call(t, "", c.args([]string{"partitions", "elect", "nothing-0", "-o", "json"})...)
	require.Equal(t, 1, o.status)
	require.Contains(t, o.out, `"error": "UNKNOWN_TOPIC_OR_PARTITION`)
}

// Replicas are moved, throttled while they are, looked at and given up; the files are those that Apache's tool takes.
func TestReassign(t *testing.T) {
	c := newCommands(t, cluster.Set("broker.failure.detection", "session"), cluster.SessionTimeout(time.Minute))
	controller, _ := c.c.Controller()
	// v is the one that will be killed, and isn't the controller.
	v, a, b := controller%3+1, (controller+1)%3+1, controller
	with := func(text string) string {
		return strings.NewReplacer("V", fmt.Sprint(v), "A", fmt.Sprint(a), "B", fmt.Sprint(b)).Replace(text)
	}
	c.good("", "topics", "create", "t", "--replica-assignment", with("V:A,A:V"))
	c.c.WaitTopic("t", 2)
	producer := c.c.SyncProducer(t)
	for i := range 100 {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "t", Value: sarama.StringEncoder(strings.Repeat(fmt.Sprint(i), 100))})
		require.NoError(t, err)
	}
	require.Equal(t, "No partition reassignments found.\n", c.good("", "partitions", "list"))

	// A plan changes nothing.
	dir := t.TempDir()
	file := filepath.Join(dir, "topics.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"version":1,"topics":[{"topic":"t"}]}`), 0o600))
	out := c.good("", "partitions", "reassign", "--generate", "--topics-to-move-json-file", file, "--broker-list", with("A,B"))
	current := with(`{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[V,A],"log_dirs":["any","any"]},{"topic":"t","partition":1,"replicas":[A,V],"log_dirs":["any","any"]}]}`)
	require.True(t, strings.HasPrefix(out, "Current partition replica assignment\n"+current+"\n\nProposed partition reassignment configuration\n"), out)
	proposed := out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:]
	file = filepath.Join(dir, "plan.json")
	require.NoError(t, os.WriteFile(file, []byte(proposed), 0o600))
	o := call(t, "", c.args([]string{"partitions", "reassign", "--reassignment-json-file", file, "--verify"})...)
	require.Equal(t, 1, o.status)
	require.Contains(t, o.out, with("There is no active reassignment of partition t-0, but replica set is V,A rather than "))

	// It is carried out, and nothing of the throttle stays.
	out = c.good("", "partitions", "reassign", "--reassignment-json-file", file, "--execute", "--wait", "--throttle", "100000000")
	require.Contains(t, out, "Current partition replica assignment\n\n"+current+"\n\nSave this to use as the --reassignment-json-file option during rollback\n")
	require.Contains(t, out, "The inter-broker throttle limit was set to 100000000 B/s\nSuccessfully started partition reassignments for t-0,t-1\n")
	require.Contains(t, out, "Reassignment of partition t-0 is completed.\nReassignment of partition t-1 is completed.\n\nClearing broker-level throttles on brokers 1,2,3\nClearing topic-level throttles on topic t\n")
	for _, whose := range [][]string{{"--topic", "t"}, {"--broker", fmt.Sprint(a)}} { // brokers hear of changes a moment later
		eventually(t, "no throttle", func() bool {
			return !strings.Contains(c.good("", append([]string{"configs", "describe"}, whose...)...), "throttled")
		})
	}
	for _, p := range []string{"0", "1"} {
		want := regexp.MustCompile(`Partition: ` + p + fmt.Sprintf(`\tLeader: [%d%d]\tReplicas: (%d,%d|%d,%d)\tIsr: `, a, b, a, b, b, a))
		eventually(t, "partition "+p+" on its new brokers", func() bool { return want.MatchString(c.good("", "topics", "describe", "t")) })
	}
	require.Len(t, strings.Fields(c.good("", "consume", "t", "--from-beginning", "--to-end")), 100, "every record moved along")
	c.bad("t-0: broker 9 isn't up", "partitions", "reassign", with("t-0=A,9"), "--execute")
	c.bad("partition t-7 doesn't exist", "partitions", "reassign", "t-7=1", "--execute")

	// A move that waits for a broker which isn't there: it is listed, told in describe and explain, refuses others, and is given up.
	c.c.Kill(v)
	c.good("", "partitions", "reassign", with("t-0=A,V"), with("t-1=A,B"), "--execute")
	require.Contains(t, c.good("", "partitions", "list"), "Current partition reassignments:\n"+with("t-0: replicas: A,V,B. adding: V. removing: B.\n"))
	eventually(t, "describe tells of the move", func() bool {
		return strings.Contains(c.good("", "topics", "describe", "t"), "\tAdding Replicas: "+fmt.Sprint(v)+"\tRemoving Replicas: "+fmt.Sprint(b)+noElr)
	})
	c.bad("other moves are under way", "partitions", "reassign", with("t-1=B,A"), "--execute")
	o = call(t, "", c.args([]string{"explain", "partition", "t-0"})...)
	require.Zero(t, o.status, o.err)
	require.Contains(t, o.out, with("It is being moved to A and V: adding V, removing B."))
	require.Contains(t, o.out, "its process is gone, and ZooKeeper doesn't know it yet")
	require.Contains(t, c.good("", "partitions", "reassign", with("t-0=A,V"), "--verify"), "Reassignment of partition t-0 is still in progress.")
	out = call(t, "", c.args([]string{"partitions", "cancel", "t-0", "--preserve-throttles"})...).out
	require.Equal(t, "Successfully cancelled partition reassignment for: t-0\n", out)
	require.Equal(t, "None of the specified partition reassignments are active.\n", c.good("", "partitions", "cancel", "t-0", "--preserve-throttles"))
	back := regexp.MustCompile(fmt.Sprintf(`Partition: 0\tLeader: \d\tReplicas: %d,%d\t`, a, b))
	eventually(t, "the old replicas", func() bool { return back.MatchString(c.good("", "topics", "describe", "t")) })
}
