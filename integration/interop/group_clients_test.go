package interop

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
)

// records gives numbered lines.
func records(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "%d:record %d\n", i, i)
	}
	return b.String()
}

// groupCluster is three brokers of ours with a topic of four partitions that has 400 records.
func groupCluster(t *testing.T) *cluster {
	t.Helper()
	c := newCluster(t, ours, ourZooKeeper(t).address, 3, "offsets.topic.replication.factor=3", "group.initial.rebalance.delay.ms=0")
	require.NoError(t, c.admin(t).CreateTopic("orders", &sarama.TopicDetail{NumPartitions: 4, ReplicationFactor: 3}, false))
	producer, err := sarama.NewSyncProducer(c.addresses(), saramaConfig())
	require.NoError(t, err)
	defer producer.Close()
	for i := range 400 {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Key: sarama.StringEncoder(fmt.Sprint(i)), Value: sarama.StringEncoder(fmt.Sprintf("record %d", i))})
		require.NoError(t, err)
	}
	return c
}

// TestKcatGroup has librdkafka's consumer groups share a topic: two members, one of which is killed. Nothing is lost; what was committed isn't read by a member that comes later.
func TestKcatGroup(t *testing.T) {
	needKcat(t)
	for _, strategy := range []string{"range", "roundrobin", "cooperative-sticky"} {
		t.Run(strategy, func(t *testing.T) {
			t.Parallel()
			c := groupCluster(t)
			member := func(name string, extra ...string) *process {
				return start(t, t.TempDir(), name, append([]string{
					"kcat", "-b", c.bootstrap(), "-G", "g", "-X", "auto.offset.reset=earliest", "-X", "partition.assignment.strategy=" + strategy, "-X", "session.timeout.ms=6000",
					"-X", "heartbeat.interval.ms=300", "-X", "auto.commit.interval.ms=100", "-u", "-f", `%p %o %k|%s\n`,
				}, append(extra, "orders")...)...)
			}
			lines := func(members ...*process) map[string]int {
				found := map[string]int{}
				for _, m := range members {
					b, err := os.ReadFile(m.log)
					require.NoError(t, err)
					for _, line := range strings.Split(string(b), "\n") {
						if strings.Contains(line, "|record ") {
							found[line]++
						}
					}
				}
				return found
			}
			one := member("one")
			eventually(t, "all records", func() bool { return len(lines(one)) == 400 }, func() string { return one.tail() })
			two := member("two")
			eventually(t, "a share for each", func() bool { return regexp.MustCompile(`orders \[\d\]`).MatchString(two.tail()) }, func() string { return two.tail() })
			eventually(t, "everything committed", func() bool { return committed(t, c, "g") == 400 }, func() string { return one.tail() })
			one.kill() // it doesn't leave: its session ends
			out := kcat(t, records(400, 500), c.bootstrap(), "-P", "-t", "orders", "-K", ":")
			require.Empty(t, out)
			eventually(t, "what was produced after one was killed", func() bool { return len(lines(one, two)) == 500 }, func() string { return two.tail() })
			for line, times := range lines(one, two) {
				require.Equal(t, 1, times, "%s was committed and is read again", line)
			}
			two.stop()
		})
	}
}

// committed sums up what a group has committed for orders.
func committed(t *testing.T, c *cluster, group string) int64 {
	t.Helper()
	found, err := c.admin(t).ListConsumerGroupOffsets(group, nil)
	require.NoError(t, err)
	var sum int64
	for _, block := range found.Blocks["orders"] {
		sum += max(block.Offset, 0)
	}
	return sum
}

// TestJavaGroup is Java's consumer, through the console, and Apache's kafka-consumer-groups.
func TestJavaGroup(t *testing.T) {
	needApache(t)
	c := groupCluster(t)
	b := c.bootstrap()
	consume := func(count int, extra ...string) []string {
		out := tool(t, "", "console-consumer", append([]string{"--bootstrap-server", b, "--topic", "orders", "--group", "java", "--max-messages", fmt.Sprint(count), "--timeout-ms", "60000",
			"--consumer-property", "auto.offset.reset=earliest"}, extra...)...)
		return strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	}
	groups := func(args ...string) string {
		return tool(t, "", "consumer-groups", append([]string{"--bootstrap-server", b}, args...)...)
	}
	seen := map[string]int{}
	for _, line := range consume(400) {
		seen[line]++
	}
	require.Len(t, seen, 400, "each record once")
	require.Equal(t, []string{"java"}, strings.Fields(groups("--list")))
	described := groups("--describe", "--group", "java")
	rows := regexp.MustCompile(`(?m)^java\s+orders\s+(\d)\s+(\d+)\s+(\d+)\s+(\d+)\s+-\s+-\s+-\s*$`).FindAllStringSubmatch(described, -1)
	require.Len(t, rows, 4, described)
	for _, row := range rows {
		require.Equal(t, row[2], row[3], "current offset and log end")
		require.Equal(t, "0", row[4], "lag")
	}
	require.Regexp(t, `(?m)^java\s+127\.0\.0\.1:\d+ +\(\d\)\s+Empty\s+0\s*$`, groups("--describe", "--group", "java", "--state"))

	// A member that runs is described, and its topic's offsets can't be deleted.
	member := start(t, t.TempDir(), "member", append(java(t, t.TempDir(), 256, "WARN", tools["console-consumer"]),
		"--bootstrap-server", b, "--topic", "orders", "--group", "java", "--consumer-property", "group.instance.id=first", "--consumer-property", "client.id=console")...)
	eventually(t, "a member", func() bool { return strings.Contains(groups("--describe", "--group", "java", "--state"), "Stable") }, member.tail)
	// 3.9.1's table of assignments has no topic names.
	require.Regexp(t, `(?m)^java\s+first-[0-9a-f-]{36}\s+first\s+/127\.0\.0\.1\s+console\s+4\s+\(0,1,2,3\)\s*$`, groups("--describe", "--group", "java", "--members", "--verbose"))
	require.Contains(t, tryTool(t, "", "consumer-groups", "--bootstrap-server", b, "--delete", "--group", "java").out, "GroupNotEmptyException")
	require.Contains(t, tryTool(t, "", "consumer-groups", "--bootstrap-server", b, "--delete-offsets", "--group", "java", "--topic", "orders").out, "GroupSubscribedToTopicException")
	member.kill()
	eventually(t, "its session to end", func() bool { return strings.Contains(groups("--describe", "--group", "java", "--state"), "Empty") }, member.tail)

	require.Contains(t, groups("--reset-offsets", "--group", "java", "--topic", "orders", "--to-earliest", "--execute"), "java")
	require.Len(t, consume(400), 400, "from the beginning")
	groups("--reset-offsets", "--group", "java", "--topic", "orders:0", "--shift-by", "-10", "--execute")
	require.Len(t, consume(10), 10)
	groups("--delete-offsets", "--group", "java", "--topic", "orders:1")
	require.NotRegexp(t, `(?m)^java\s+orders\s+1\s+\d+`, groups("--describe", "--group", "java"))
	require.Contains(t, groups("--delete", "--group", "java"), "was successful")
	require.Empty(t, strings.Fields(groups("--list")))
}
