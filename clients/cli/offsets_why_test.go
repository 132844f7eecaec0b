package cli

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/offsets"
	"github.com/prekraft/prekraft/integration/cluster"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// commit commits an offset of t's partition 0 as a client does that is no member. Version 0 is the old one, which any broker writes to ZooKeeper; before version 5 the offset can be
// given a time to live.
func (c commands) commit(group string, version int16, offset int64, retention time.Duration) {
	c.t.Helper()
	req := wire.New[wire.OffsetCommitRequest]()
	req.GroupID = group
	if retention > 0 {
		req.RetentionTimeMs = retention.Milliseconds()
	}
	p := wire.New[wire.OffsetCommitRequestPartition]()
	p.CommittedOffset, p.CommittedMetadata = offset, new("")
	req.Topics = []wire.OffsetCommitRequestTopic{{Name: "t", Partitions: []wire.OffsetCommitRequestPartition{p}}}
	ctx, cancel := context.WithTimeout(c.t.Context(), callTimeout)
	defer cancel()
	resp, err := ask[*wire.OffsetCommitResponse](ctx, c.c.Dial(c.t, c.c.WaitCoordinator(group)), &req, version)
	require.NoError(c.t, err)
	require.Equal(c.t, wire.None, resp.Topics[0].Partitions[0].ErrorCode)
}

// setZnode writes an offset's znode by hand.
func (c commands) setZnode(path, data string) {
	c.t.Helper()
	_, err := c.c.ZooKeeperClient().Set(c.t.Context(), path, []byte(data), znode.AnyVersion)
	require.NoError(c.t, err)
}

// use sets the brokers' offsets.storage and waits until they have it.
func (c commands) use(storage offsets.Storage) {
	c.t.Helper()
	c.good("", "configs", "alter", "--broker-defaults", "--set", "offsets.storage="+storage.String())
	c.c.Wait("offsets.storage="+storage.String(), func() error {
		for _, id := range c.c.IDs() {
			if now := c.c.Broker(id).Offsets().Storage(); now != storage {
				return fmt.Errorf("broker %d has %s", id, now)
			}
		}
		return nil
	})
}

// because waits until compare shows the one offset of a group with a verdict and a reason.
func (c commands) because(group, verdict, why string) comparedRow {
	c.t.Helper()
	var row comparedRow
	last := ""
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		last = c.good("", "offsets", "compare", "--group", group, "-o", "json")
		if rows := mustRows(c.t, last); len(rows) == 1 && rows[0].Verdict == verdict && strings.Contains(rows[0].Why, why) {
			return rows[0]
		}
	}
	require.FailNow(c.t, "never so", "%s: %s: %s; it is\n%s", group, verdict, why, last)
	return row
}

// Each reason that compare gives is made to happen.
func TestOffsetsCompareTellsWhy(t *testing.T) {
	c := newCommands(t, cluster.Set("offsets.retention.check.interval.ms", "100"))
	c.good("", "topics", "create", "t", "--replica-assignment", "1:2:3")
	c.good(strings.Repeat("x\n", 20), "produce", "t")
	zk := c.c.ZooKeeperClient()
	path := func(group string) string {
		return znode.ConsumerOffsetPath(group, znode.TopicPartition{Topic: "t"})
	}
	const modern = 8

	t.Run("the legacy writer lags", func(t *testing.T) {
		c := commands{t, c.c, c.z}
		c.commit("slow", modern, 5, 0)
		c.because("slow", "SAME", "both stores agree")
		// The writer looks there who leads the group's partition: while it can't be read nothing is written.
		state := znode.PartitionStatePath(znode.TopicPartition{Topic: offsets.Topic, Partition: offsets.PartitionOf("slow", 50)})
		was, _, err := zk.Get(t.Context(), state)
		require.NoError(t, err)
		c.setZnode(state, "{")
		c.commit("slow", modern, 9, 0)
		row := c.because("slow", "KAFKA_AHEAD", "old and the copy to ZooKeeper on its way")
		require.EqualValues(t, 4, *row.Difference)
		row = c.because("slow", "KAFKA_AHEAD", "the legacy writer lags: the znode is ")
		require.Equal(t, "the coordinator, after an earlier commit", *row.ZnodeWriter)
		c.setZnode(state, string(was))
		c.because("slow", "SAME", "both stores agree")
	})
	t.Run("a v0 client", func(t *testing.T) {
		c := commands{t, c.c, c.z}
		c.commit("v0", 0, 3, 0)
		row := c.because("v0", "ZK_ONLY", "only v0 clients or consumers of the old kind have committed here")
		require.Equal(t, resumes{3, -1, 3, -1}, row.Resume)
		c.commit("v0", modern, 5, 0)
		c.because("v0", "SAME", "both stores agree")
		c.commit("v0", 0, 7, 0)
		row = c.because("v0", "ZK_AHEAD", "a v0 client or a consumer of the old kind wrote the znode")
		require.Equal(t, "OffsetCommit v0 or a consumer of the old kind", *row.ZnodeWriter)
		require.Equal(t, resumes{7, 5, 7, 5}, row.Resume)
	})
	t.Run("a consumer of the old kind", func(t *testing.T) {
		c := commands{t, c.c, c.z}
		old := func() *background {
			b := c.background("consume", "t", "--group", "old", "--from-beginning", "--property", "auto.commit.interval.ms=50")
			eventually(t, "it owns the partition", func() bool { return strings.Contains(b.err.String(), "owns t-0") })
			return b
		}
		consumer := old()
		row := c.because("old", "ZK_ONLY", "a consumer of the old kind commits to ZooKeeper alone")
		require.Contains(t, *row.ZnodeWriter, "consumer of the old kind old_")
		consumer.ended()
		c.commit("old", modern, 5, 0)
		c.because("old", "SAME", "both stores agree")
		consumer = old()
		c.good("x\n", "produce", "t")
		c.because("old", "ZK_AHEAD", "a consumer of the old kind wrote the znode")
		consumer.ended()
	})
	t.Run("expired in one store", func(t *testing.T) {
		c := commands{t, c.c, c.z}
		c.commit("expired", 2, 5, time.Millisecond)
		c.because("expired", "ZK_ONLY", "the topic's offset expired or was deleted ")
		c.commit("expired", 0, 6, 0)
		c.because("expired", "ZK_ONLY", "the znode was written after that, by a v0 client or a consumer of the old kind")
	})
	t.Run("deleted", func(t *testing.T) {
		c := commands{t, c.c, c.z}
		c.commit("deleted", modern, 5, 0)
		c.because("deleted", "SAME", "both stores agree")
		require.NoError(t, zk.Delete(t.Context(), path("deleted"), znode.AnyVersion))
		c.because("deleted", "KAFKA_ONLY", "the copy to ZooKeeper hasn't been made: ")
		c.commit("deleted", modern, 6, 0)
		c.because("deleted", "SAME", "both stores agree")
		c.good("", "groups", "delete-offsets", "deleted", "--topic", "t")
		c.because("deleted", "ZK_ONLY", "nothing ever expires in ZooKeeper")
		require.NoError(t, zk.DeleteRecursive(t.Context(), "/consumers/deleted"))
		c.because("deleted", "NONE", "it was removed from the topic ")
	})
	t.Run("no number, no name", func(t *testing.T) {
		c := commands{t, c.c, c.z}
		c.commit("bad", modern, 5, 0)
		c.because("bad", "SAME", "both stores agree")
		c.setZnode(path("bad"), "five")
		c.because("bad", "ZK_BAD", `the znode holds "five", which is no offset`)
		c.commit("a/b", modern, 5, 0)
		c.because("a/b", "KAFKA_ONLY", "the group's name can't be that of a znode")
	})
	t.Run("the log's bounds", func(t *testing.T) {
		c := commands{t, c.c, c.z}
		c.commit("beyond", modern, 500, 0)
		c.because("beyond", "OUT_OF_RANGE", "is beyond the log's end, 2")
		c.commit("below", modern, 1, 0)
		c.because("below", "SAME", "both stores agree")
		c.good("", "topics", "delete-records", "t:0:2")
		c.because("below", "OUT_OF_RANGE", "the offset of both stores, 1, is below the log's start, 2: retention has deleted what it points to")
	})
	t.Run("one store alone", func(t *testing.T) {
		c := commands{t, c.c, c.z}
		c.commit("alone", modern, 5, 0)
		c.because("alone", "SAME", "both stores agree")
		c.use(offsets.Kafka)
		c.commit("alone", modern, 6, 0)
		c.because("alone", "KAFKA_AHEAD", "the brokers keep offsets in the topic alone (offsets.storage=kafka); the znode is ")
		c.commit("topic-alone", modern, 6, 0)
		c.because("topic-alone", "KAFKA_ONLY", "the brokers keep offsets in the topic alone (offsets.storage=kafka)")
		c.use(offsets.ZooKeeper)
		c.because("topic-alone", "KAFKA_ONLY", "it was committed before the brokers kept offsets in ZooKeeper")
		c.commit("alone", modern, 8, 0)
		row := c.because("alone", "ZK_AHEAD", "the brokers keep offsets in ZooKeeper alone (offsets.storage=zookeeper); the topic has what was committed before, ")
		require.Equal(t, "the coordinator (offsets.storage=zookeeper)", *row.ZnodeWriter)
		c.commit("zookeeper-alone", modern, 8, 0)
		c.because("zookeeper-alone", "ZK_ONLY", "the brokers keep offsets in ZooKeeper alone (offsets.storage=zookeeper)")
		require.Equal(t, resumes{8, 8, 8, 8}, row.Resume, "the coordinator answers from the znode")

		// From ZooKeeper alone to the topic: commits reach it when the brokers have it as their store.
		migrate := []string{"offsets", "migrate", "--from", "zookeeper", "--to", "kafka", "--group", "alone"}
		require.Contains(t, c.good("", append(migrate, "--dry-run")...), "set offsets.storage=kafka first")
		c.bad("set offsets.storage=kafka first", migrate...)
		c.use(offsets.Kafka)
		require.Contains(t, c.good("", migrate...), "Wrote 1 offset to kafka.")
		c.use(offsets.Dual)
		row = c.because("alone", "SAME", "both stores agree")
		require.EqualValues(t, 8, *row.Kafka)
	})
	t.Run("the partition is gone", func(t *testing.T) { // the last, as the topic goes with it
		c := commands{t, c.c, c.z}
		c.commit("orphan", modern, 5, 0)
		c.because("orphan", "SAME", "both stores agree")
		c.good("", "topics", "delete", "t")
		row := c.because("orphan", "ORPHAN", "the znode stays until somebody deletes it")
		eventually(t, "the topic's record to go", func() bool {
			rows := mustRows(t, c.good("", "offsets", "compare", "--group", "orphan", "-o", "json"))
			return len(rows) == 1 && rows[0].Verdict == "ORPHAN" && rows[0].Kafka == nil
		})
		require.EqualValues(t, 5, *row.ZooKeeper)
	})
}

// A watch outlives a coordinator that is killed, and says when ZooKeeper doesn't answer.
func TestOffsetsWatchGoesOn(t *testing.T) {
	c := newCommands(t, cluster.SessionTimeout(time.Minute))
	c.good("", "topics", "create", "t", "--replica-assignment", "1:2:3")
	c.good("a\nb\nc\nd\ne\n", "produce", "t")
	c.use(offsets.Kafka)
	c.commit("g", 8, 1, 0)
	watch := c.background("offsets", "compare", "--group", "g", "--watch", "--interval", "10ms", "--timeout", "500")
	watch.until("g t-0  zookeeper - (-)  kafka 1 (")
	c.commit("g", 0, 4, 0)
	watch.until("ZK_AHEAD: a v0 client or a consumer of the old kind wrote the znode")

	c.c.Kill(c.c.WaitCoordinator("g"))
	c.commit("g", 8, 5, 0)
	require.Contains(t, watch.until("kafka 5 ("), "zookeeper 4 (")

	c.c.ZooKeeper().Pause()
	eventually(t, "it says that it can't see", func() bool { return strings.Contains(watch.err.String(), "no answer for 500ms; still looking\n") })
	c.c.ZooKeeper().Resume()
	c.commit("g", 0, 5, 0)
	watch.until("SAME: both stores agree")
	watch.ended()
}

// ended stops the command, which must succeed.
func (b *background) ended() {
	b.t.Helper()
	status, text := b.stop()
	require.Zero(b.t, status, text)
}

// ^C ends the binary's watch at once and with success, also while ZooKeeper doesn't answer; what it printed is whole lines.
func TestOffsetsWatchEndsAtInterrupt(t *testing.T) {
	binary, err := buildBinary()
	require.NoError(t, err)
	c := newCommands(t, cluster.SessionTimeout(time.Minute))
	c.good("", "topics", "create", "t", "--replica-assignment", "1")
	c.good("a\nb\n", "produce", "t")
	c.commit("g", 8, 2, 0)
	for _, away := range []bool{false, true} {
		out, errOut := &watchOutput{}, &watchOutput{}
		cmd := exec.CommandContext(t.Context(), binary, c.args([]string{"offsets", "compare", "--watch", "--interval", "50ms", "-o", "json"})...)
		cmd.Stdout, cmd.Stderr = out, errOut
		require.NoError(t, cmd.Start())
		eventually(t, "the first line", func() bool { return strings.Contains(out.String(), "\n") })
		if away {
			c.c.ZooKeeper().Pause()
		}
		require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
		require.NoError(t, cmd.Wait(), errOut.String())
		if away {
			c.c.ZooKeeper().Resume()
		}
		require.True(t, strings.HasSuffix(out.String(), "}\n"))
		require.Empty(t, errOut.String())
	}
}
