package cli

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/coordinator/offsets"
)

// compared runs offsets compare until every partition has the verdict, and returns the rows.
func (c commands) compared(group string, verdicts ...string) []comparedRow {
	c.t.Helper()
	var rows []comparedRow
	eventually(c.t, "the verdicts", func() bool {
		rows = nil
		require.NoError(c.t, json.Unmarshal([]byte(c.good("", "offsets", "compare", "--group", group, "-o", "json")), &rows))
		if len(rows) != len(verdicts) {
			return false
		}
		for i := range rows {
			if rows[i].Verdict != verdicts[i] {
				return false
			}
		}
		return true
	})
	return rows
}

// idle waits until no broker has a commit that ZooKeeper lacks: what is written there by hand stays then.
func (c commands) idle() {
	c.c.Wait("the mirrors to be idle", func() error {
		for _, id := range c.c.IDs() {
			if m := c.c.Broker(id).Offsets().Stats().Mirror; m.Behind > 0 {
				return fmt.Errorf("broker %d is %d behind", id, m.Behind)
			}
		}
		return nil
	})
}

// The life of a group's offsets in both stores: copied, set back in one, deleted in one, moved from one to the other, each with its reason.
func TestOffsetsCompareAndMigrate(t *testing.T) {
	c := newCommands(t)
	c.good("", "topics", "create", "t", "--replica-assignment", "1,2")
	c.good("a\nb\nc\nd\n", "produce", "t", "--partition", "0")
	joinGroup(t, c.c, "app", "t")
	var rows []comparedRow
	eventually(t, "the last record's commit in both stores", func() bool {
		rows = c.compared("app", "SAME")
		return *rows[0].Kafka == 4
	})
	require.Equal(t, []int64{4, 4, 0}, []int64{*rows[0].ZooKeeper, *rows[0].Kafka, *rows[0].Difference})
	require.Equal(t, "both stores agree", rows[0].Why)
	require.Equal(t, "the coordinator, after the commit", *rows[0].ZnodeWriter)
	require.Contains(t, *rows[0].TopicWriter, "app@/", "the member that has the partition")
	require.Equal(t, resumes{4, 4, 4, 4}, rows[0].Resume)
	require.Empty(t, mustRows(t, c.good("", "offsets", "compare", "--group", "app", "--differ", "-o", "json")))
	text := c.good("", "offsets", "compare", "--verbose")
	require.Regexp(t, `(?m)^app +t-0 +4 .* SAME +.*both stores agree$`, text)

	// A v0 client, or an old consumer.
	zk := c.c.Broker(1).ZooKeeper()
	c.idle()
	_, err := zk.Set(t.Context(), "/consumers/app/offsets/t/0", []byte("2"), -1)
	require.NoError(t, err)
	rows = c.compared("app", "KAFKA_AHEAD")
	require.Contains(t, rows[0].Why, "a v0 client or a consumer of the old kind wrote the znode")
	require.EqualValues(t, 2, *rows[0].Difference)

	require.Contains(t, c.good("", "offsets", "migrate", "--from", "kafka", "--to", "zookeeper", "--group", "app", "--dry-run"), "Would write 1 offset to zookeeper.")
	c.compared("app", "KAFKA_AHEAD")
	require.Contains(t, c.good("", "offsets", "migrate", "--from", "kafka", "--to", "zookeeper", "--group", "app"), "Wrote 1 offset to zookeeper.")
	c.compared("app", "SAME")

	// A group that only old consumers had: into the topic, and not back where the topic is ahead.
	require.NoError(t, zk.EnsurePath(t.Context(), "/consumers/old/offsets/t/1"))
	_, err = zk.Set(t.Context(), "/consumers/old/offsets/t/1", []byte("3"), -1)
	require.NoError(t, err)
	require.NoError(t, zk.EnsurePath(t.Context(), "/consumers/old/offsets/gone/0"))
	_, err = zk.Set(t.Context(), "/consumers/old/offsets/gone/0", []byte("3"), -1)
	require.NoError(t, err)
	c.good("a\nb\nc\nd\n", "produce", "t", "--partition", "1")
	rows = c.compared("old", "ORPHAN", "ZK_ONLY")
	require.Contains(t, rows[1].Why, "only v0 clients or consumers of the old kind")
	text = c.good("", "offsets", "migrate", "--from", "zookeeper", "--to", "kafka", "--group", "old")
	require.Contains(t, text, "left out: the partition doesn't exist")
	require.Contains(t, text, "Wrote 1 offset to kafka.")
	rows = c.compared("old", "ORPHAN", "SAME")
	require.EqualValues(t, 3, *rows[1].Kafka)
	c.idle()
	_, err = zk.Set(t.Context(), "/consumers/old/offsets/t/1", []byte("1"), -1)
	require.NoError(t, err)
	require.Contains(t, c.good("", "offsets", "migrate", "--from", "zookeeper", "--to", "kafka", "--group", "old", "--topic", "t"), "the target is ahead")
	require.Contains(t, c.good("", "offsets", "migrate", "--from", "zookeeper", "--to", "kafka", "--group", "old", "--topic", "t", "--rewind"), "Wrote 1 offset")

	// Deleted in one.
	c.good("", "groups", "delete", "old")
	rows = c.compared("old", "ORPHAN", "ZK_ONLY")
	require.Contains(t, rows[1].Why, "nothing ever expires in ZooKeeper")

	bad(t, 2, "--from zookeeper --to kafka", c.args([]string{"offsets", "migrate", "--from", "kafka"})...)
}

func TestOffsetsBench(t *testing.T) {
	c := newCommands(t)
	c.good("", "topics", "create", "t", "--replica-assignment", "1,2,3")
	var rows []benchRow
	out := c.good("", "offsets", "bench", "t", "--groups", "2", "--partitions", "3", "--rate", "50", "--duration", "1s", "--settle", "1s", "-o", "json")
	require.NoError(t, json.Unmarshal([]byte(out), &rows))
	require.Len(t, rows, 4)
	byStore := map[string]benchRow{}
	for _, r := range rows {
		require.Positive(t, r.Commits, r.Store)
		require.Zero(t, r.Failed, "%s: %v", r.Store, r.LastErrors)
		require.Positive(t, r.P99, r.Store)
		byStore[r.Store] = r
	}
	require.Zero(t, byStore["kafka"].ZnodeWrites)
	require.Greater(t, byStore["kafka"].LogBytes, 100.0)
	require.Positive(t, byStore["dual"].ZnodeWrites)
	require.LessOrEqual(t, byStore["dual"].ZnodeWrites, 3.2)
	require.InDelta(t, 3, byStore["zookeeper"].ZnodeWrites, 0.1)
	require.Zero(t, byStore["zookeeper"].LogBytes)
	require.InDelta(t, 3, byStore[storeV0].ZnodeWrites, 0.1)
	require.GreaterOrEqual(t, *byStore[storeV0].ZKTransactions, 3.0, "one for each partition")
	require.Less(t, *byStore["zookeeper"].ZKTransactions, 3.0, "one for each commit")
	require.Empty(t, mustRows(t, c.good("", "offsets", "compare", "-o", "json")), "nothing is left")
	require.NotContains(t, c.good("", "configs", "describe", "--broker", "1"), offsetsStorageConfig, "no dynamic config is left")
	c.bad("fewer than --partitions 9", "offsets", "bench", "t", "--partitions", "9")
	bad(t, 2, "--stores are", c.args([]string{"offsets", "bench", "t", "--stores", "tape"})...)
}

func mustRows(t *testing.T, text string) []comparedRow {
	t.Helper()
	var rows []comparedRow
	require.NoError(t, json.Unmarshal([]byte(text), &rows))
	return rows
}

func TestMigratePlan(t *testing.T) {
	row := func(zookeeper, kafka int64, verdict offsets.Verdict) offsets.Comparison {
		return offsets.Comparison{
			Observation: offsets.Observation{Group: "g", TopicPartition: offsets.TopicPartition{Topic: "t"}, Topic: offsets.TopicSide{Offset: kafka}}, ZnodeOffset: zookeeper, Verdict: verdict, Why: "why",
		}
	}
	for _, c := range []struct {
		m    migration
		one  offsets.Comparison
		want string // "" for no row
	}{
		{migration{from: "zookeeper", to: "kafka"}, row(5, -1, offsets.ZKOnly), "to be written"},
		{migration{from: "zookeeper", to: "kafka"}, row(5, 3, offsets.ZKAhead), "to be written"},
		{migration{from: "zookeeper", to: "kafka"}, row(5, 5, offsets.Same), ""},
		{migration{from: "zookeeper", to: "kafka"}, row(-1, 5, offsets.KafkaOnly), ""},
		{migration{from: "zookeeper", to: "kafka"}, row(5, 9, offsets.KafkaAhead), "left out: the target is ahead; --rewind would set it back"},
		{migration{from: "zookeeper", to: "kafka", rewind: true}, row(5, 9, offsets.KafkaAhead), "to be written"},
		{migration{from: "zookeeper", to: "kafka"}, row(-1, 9, offsets.ZKBad), "left out: why"},
		{migration{from: "zookeeper", to: "kafka"}, row(-7, 9, offsets.OutOfRange), "left out: a negative offset"},
		{migration{from: "kafka", to: "zookeeper"}, row(5, 9, offsets.KafkaAhead), "to be written"},
		{migration{from: "kafka", to: "zookeeper"}, row(5, 9, offsets.Unstable), "left out: why"},
		{migration{from: "kafka", to: "zookeeper"}, row(-1, 9, offsets.KafkaOnly), "to be written"},
	} {
		rows := c.m.plan([]offsets.Comparison{c.one})
		if c.want == "" {
			require.Empty(t, rows)
			continue
		}
		require.Len(t, rows, 1)
		require.Equal(t, c.want, rows[0].Why)
	}
	slash := row(-1, 9, offsets.KafkaOnly)
	slash.Group = "a/b"
	require.Equal(t, "left out: the group's name can't be that of a znode", migration{from: "kafka", to: "zookeeper"}.plan([]offsets.Comparison{slash})[0].Why)
}
