package offsets

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCompare(t *testing.T) {
	const now = int64(1_700_000_000_000)
	second, hour := time.Second.Milliseconds(), time.Hour.Milliseconds()
	topic := func(offset, at int64) TopicSide {
		return TopicSide{Offset: offset, Committed: &Committed{Offset: offset, CommitTimestampMs: at}}
	}
	none := TopicSide{Offset: NoOffset}
	znode := func(data string, at int64) ZnodeSide {
		return ZnodeSide{Znode: Znode{Exists: true, Data: []byte(data), MtimeMs: at}}
	}
	for _, c := range []struct {
		name       string
		topic      TopicSide
		znode      ZnodeSide
		storage    string
		change     func(*Observation)
		verdict    Verdict
		difference int64
		why        string
	}{
		{"same", topic(5, now-hour), znode("5", now-hour+3), "dual", nil, Same, 0, "both stores agree"},
		{"neither", none, ZnodeSide{}, "dual", nil, Neither, 0, "nothing is committed"},
		{"removed", TopicSide{Offset: NoOffset, DeletedMs: now - hour}, ZnodeSide{}, "dual", nil, Neither, 0,
			"it was removed from the topic 1h0m ago, by an administrator or because it had expired"},
		{"the mirror is on its way", topic(9, now-second), znode("5", now-hour), "dual", nil, KafkaAhead, 4, "the commit is 1.0s old and the copy to ZooKeeper on its way"},
		{"the mirror lags", topic(9, now-hour), znode("5", now-2*hour), "dual", nil, KafkaAhead, 4, "the legacy writer lags: the znode is 1h0m older than the commit"},
		{"kafka only", topic(9, now-hour), znode("5", now-2*hour), "kafka", nil, KafkaAhead, 4,
			"the brokers keep offsets in the topic alone (offsets.storage=kafka); the znode is 1h0m older"},
		{"an Apache cluster", topic(9, now-hour), znode("5", now-2*hour), "", nil, KafkaAhead, 4, "nobody copies the topic's offsets to ZooKeeper; the znode is 1h0m older"},
		{"a v0 client", topic(5, now-2*hour), znode("9", now-hour), "dual", nil, ZKAhead, -4,
			"a v0 client or a consumer of the old kind wrote the znode 1h0m after the last commit to the topic"},
		{"an old consumer", topic(5, now-2*hour), znode("9", now-hour), "dual", func(o *Observation) { o.Znode.Owner = "g_host-1-ab-0" }, ZKAhead, -4,
			"a consumer of the old kind wrote the znode 1h0m after the last commit to the topic"},
		{"storage zookeeper", topic(5, now-2*hour), znode("9", now-hour), "zookeeper", nil, ZKAhead, -4,
			"the brokers keep offsets in ZooKeeper alone (offsets.storage=zookeeper); the topic has what was committed before, 1h0m earlier"},
		{"no record", TopicSide{Offset: 5}, znode("9", now-hour), "dual", nil, ZKAhead, -4, "the record of the commit wasn't found, so nobody can tell which is newer"},
		{"expired", TopicSide{Offset: NoOffset, DeletedMs: now - hour}, znode("9", now-9*hour), "dual", nil, ZKOnly, 0,
			"the topic's offset expired or was deleted 1h0m ago; nothing ever expires in ZooKeeper"},
		{"deleted, then v0", TopicSide{Offset: NoOffset, DeletedMs: now - hour}, znode("9", now-second), "dual", nil, ZKOnly, 0,
			"the topic's offset was removed 1h0m ago; the znode was written after that, by a v0 client or a consumer of the old kind"},
		{"v0 alone", none, znode("9", now-hour), "dual", nil, ZKOnly, 0,
			"only v0 clients or consumers of the old kind have committed here, or the topic's offset expired so long ago that its tombstone is gone as well"},
		{"old consumer alone", none, znode("9", now-hour), "dual", func(o *Observation) { o.Znode.Owner = "c-0" }, ZKOnly, 0, "a consumer of the old kind commits to ZooKeeper alone"},
		{"zookeeper alone", none, znode("9", now-hour), "zookeeper", nil, ZKOnly, 0, "the brokers keep offsets in ZooKeeper alone (offsets.storage=zookeeper)"},
		{"no znode yet", topic(9, now-second), ZnodeSide{}, "dual", nil, KafkaOnly, 0, "the commit is 1.0s old and the copy to ZooKeeper on its way"},
		{"no znode", topic(9, now-hour), ZnodeSide{}, "dual", nil, KafkaOnly, 0,
			"the copy to ZooKeeper hasn't been made: ZooKeeper was away, the writer is behind, or somebody deleted the znode"},
		{"no znode with kafka", topic(9, now-hour), ZnodeSide{}, "kafka", nil, KafkaOnly, 0, "the brokers keep offsets in the topic alone (offsets.storage=kafka)"},
		{"no znode with Apache", topic(9, now-hour), ZnodeSide{}, "", nil, KafkaOnly, 0,
			"nobody copies the topic's offsets to ZooKeeper, and no v0 client or consumer of the old kind has committed here"},
		{"no znode possible", topic(9, now-hour), ZnodeSide{}, "dual", func(o *Observation) { o.Group = "a/b" }, KafkaOnly, 0, "the group's name can't be that of a znode"},
		{"no znode before", topic(9, now-hour), ZnodeSide{}, "zookeeper", nil, KafkaOnly, 0, "it was committed before the brokers kept offsets in ZooKeeper"},
		{"bad znode", topic(9, now-hour), znode("x y", now), "dual", nil, ZKBad, 0, `the znode holds "x y", which is no offset: no broker or consumer writes that`},
		{"orphan", topic(9, now-hour), znode("9", now), "dual", func(o *Observation) { o.Exists = false }, Orphan, 0,
			"the partition doesn't exist any more; the topic's record goes with the next check, the znode stays until somebody deletes it"},
		{"unstable", topic(9, now-hour), znode("8", now), "dual", func(o *Observation) { o.Topic.Unstable = true }, Unstable, 1, "the group commits at this moment: look again"},
		{"moving", topic(9, now-hour), znode("8", now), "dual", func(o *Observation) { o.Topic.Moving = true }, Unstable, 1, "the group commits at this moment: look again"},
		{"below the start", topic(9, now-hour), znode("1", now-hour), "dual", func(o *Observation) { o.LogStart = 2 }, OutOfRange, 8,
			"ZooKeeper's offset, 1, is below the log's start, 2: retention has deleted what it points to"},
		{"beyond the end", topic(101, now-hour), znode("101", now-hour), "dual", nil, OutOfRange, 0,
			"the offset of both stores, 101, is beyond the log's end, 100: records were lost, or the topic was deleted and made anew"},
		{"the topic's is beyond the end", topic(101, now-hour), znode("9", now-hour), "dual", nil, OutOfRange, 92,
			"the topic's offset, 101, is beyond the log's end, 100: records were lost, or the topic was deleted and made anew"},
	} {
		o := Observation{Group: "g", TopicPartition: tpOf("t-0"), Topic: c.topic, Znode: c.znode, NowMs: now, Exists: true, LogStart: 0, LogEnd: 100, Storage: c.storage}
		if c.change != nil {
			c.change(&o)
		}
		got := Compare(o)
		require.Equal(t, []any{c.verdict, c.difference, c.why}, []any{got.Verdict, got.Difference, got.Why}, c.name)
	}
	got := Compare(Observation{Topic: topic(5, now), Znode: znode("9", now+1), Exists: true, LogStart: -1, LogEnd: -1, Storage: "dual"})
	require.Equal(t, Resume{OldWithZooKeeper: 9, OldWithKafka: 5, OldDual: 9, Modern: 5}, got.Resume())
	require.Equal(t, "OffsetCommit v0 or a consumer of the old kind", got.ZnodeWriter)
	got.Storage = "zookeeper"
	require.Equal(t, Resume{OldWithZooKeeper: 9, OldWithKafka: 9, OldDual: 9, Modern: 9}, got.Resume(), "its coordinator answers from the znodes")
	require.Equal(t, "a client without membership, or a member that left", got.TopicWriter)
	got = Compare(Observation{Topic: TopicSide{Offset: 5, By: "c1", Committed: &Committed{CommitTimestampMs: now}}, Znode: znode("5", now+1), Exists: true, LogStart: -1, LogEnd: -1, Storage: "dual"})
	require.Equal(t, []string{"c1", "the coordinator, after the commit"}, []string{got.TopicWriter, got.ZnodeWriter})
	for ms, want := range map[int64]string{-5: "0ms", 850: "850ms", 3200: "3.2s", 310_000: "5m10s", 2*hour + 300_000: "2h5m", 76 * hour: "3d4h"} {
		require.Equal(t, want, Age(ms))
	}
}
