package groups

import (
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// inZooKeeper is the text of an offset's znode, "" for none.
func inZooKeeper(c *cluster.Cluster, group, topic string, partition int32) (text string) {
	c.ZooKeeper().Do(func(v *zkserver.View) {
		data, _, _ := v.Get(znode.ConsumerOffsetPath(group, znode.TopicPartition{Topic: topic, Partition: partition}))
		text = string(data)
	})
	return text
}

// idle waits until no broker's mirror has anything to do.
func idle(c *cluster.Cluster) {
	c.Wait("the mirrors to be idle", func() error {
		for _, id := range c.IDs() {
			if st := c.Broker(id).Offsets().Stats().Mirror; st.Behind > 0 {
				return fmt.Errorf("broker %d is %d behind: %+v", id, st.Behind, st)
			}
		}
		return nil
	})
}

// useStorage changes offsets.storage of the running cluster.
func useStorage(t *testing.T, c *cluster.Cluster, storage string) {
	t.Helper()
	require.NoError(t, c.Admin(t).IncrementalAlterConfig(sarama.BrokerResource, "", map[string]sarama.IncrementalAlterConfigsEntry{
		"offsets.storage": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &storage},
	}, false))
	c.Wait("offsets.storage="+storage, func() error {
		for _, id := range c.IDs() {
			if now := c.Broker(id).Offsets().Storage().String(); now != storage {
				return fmt.Errorf("broker %d has %s", id, now)
			}
		}
		return nil
	})
}

// saramaCommit commits through sarama's offset manager.
func saramaCommit(t *testing.T, c *cluster.Cluster, group, topic string, offset int64) {
	t.Helper()
	manager, err := sarama.NewOffsetManagerFromClient(group, c.Client(t))
	require.NoError(t, err)
	p, err := manager.ManagePartition(topic, 0)
	require.NoError(t, err)
	p.MarkOffset(offset, "")
	p.ResetOffset(offset, "")
	manager.Commit()
	require.NoError(t, p.Close())
	require.NoError(t, manager.Close())
}

// none is what sarama says of a partition without an offset: where the harness's consumers begin.
const none int64 = sarama.OffsetOldest

func saramaCommitted(t *testing.T, c *cluster.Cluster, group, topic string) int64 {
	t.Helper()
	manager, err := sarama.NewOffsetManagerFromClient(group, c.Client(t))
	require.NoError(t, err)
	p, err := manager.ManagePartition(topic, 0)
	require.NoError(t, err)
	next, _ := p.NextOffset()
	require.NoError(t, p.Close())
	require.NoError(t, manager.Close())
	return next
}

// The three ways to keep offsets, changed while the cluster runs: where sarama's commits are afterwards.
func TestStorages(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t)
	makeTopic(t, c, "orders", 1)
	saramaCommit(t, c, "g", "orders", 10)
	idle(c)
	require.Equal(t, "10", inZooKeeper(c, "g", "orders", 0), "dual is the default")

	useStorage(t, c, "kafka")
	saramaCommit(t, c, "g", "orders", 20)
	require.EqualValues(t, 20, saramaCommitted(t, c, "g", "orders"))
	require.Equal(t, "10", inZooKeeper(c, "g", "orders", 0))

	useStorage(t, c, "dual")
	c.Wait("ZooKeeper to be brought after the topic", func() error {
		if text := inZooKeeper(c, "g", "orders", 0); text != "20" {
			return fmt.Errorf("it has %q", text)
		}
		return nil
	})

	useStorage(t, c, "zookeeper")
	saramaCommit(t, c, "g", "orders", 30)
	require.Equal(t, "30", inZooKeeper(c, "g", "orders", 0), "before the answer")
	require.EqualValues(t, 30, saramaCommitted(t, c, "g", "orders"))
	require.Equal(t, none, saramaCommitted(t, c, "other", "orders"))

	useStorage(t, c, "dual")
	require.EqualValues(t, 20, saramaCommitted(t, c, "g", "orders"), "the topic knows what it was told")
	saramaCommit(t, c, "g", "orders", 40)
	idle(c)
	require.Equal(t, "40", inZooKeeper(c, "g", "orders", 0))
}

// OffsetCommit and OffsetFetch v0 mean ZooKeeper, at any broker, whatever the storage.
func TestVersionZero(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Set("offsets.storage", "kafka"))
	makeTopic(t, c, "orders", 1)
	m := at(t, c, other(c, c.WaitCoordinator("g")), "g")
	fetch := func() (int64, wire.Error) {
		resp := ask[*wire.OffsetFetchResponse](t, m.conn, &wire.OffsetFetchRequest{GroupID: "g", Topics: []wire.OffsetFetchRequestTopic{{Name: "orders", PartitionIndexes: []int32{0}}}}, 0)
		p := resp.Topics[0].Partitions[0]
		return p.CommittedOffset, p.ErrorCode
	}
	offset, code := fetch()
	require.Equal(t, []any{int64(-1), wire.UnknownTopicOrPartition}, []any{offset, code})
	resp := ask[*wire.OffsetCommitResponse](t, m.conn, commitRequest("g", -1, "", nil, 7), 0)
	require.Equal(t, wire.None, resp.Topics[0].Partitions[0].ErrorCode)
	require.Equal(t, "7", inZooKeeper(c, "g", "orders", 0))
	offset, code = fetch()
	require.Equal(t, []any{int64(7), wire.None}, []any{offset, code})
	require.Equal(t, none, saramaCommitted(t, c, "g", "orders"), "the stores don't see each other's offsets")
}

// While ZooKeeper doesn't answer commits do; when it is back it gets the latest offsets.
func TestZooKeeperAwayDuringCommits(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.SessionTimeout(time.Minute))
	makeTopic(t, c, "orders", 1)
	m := dial(t, c, "g")
	together(t, m)
	require.Equal(t, wire.None, m.commit(1))
	idle(c)
	c.ZooKeeper().Pause()
	for i := range int64(200) {
		require.Equal(t, wire.None, m.commit(2+i))
	}
	offset, code := m.committed()
	require.Equal(t, []any{int64(201), wire.None}, []any{offset, code})
	c.ZooKeeper().Resume()
	idle(c)
	require.Equal(t, "201", inZooKeeper(c, "g", "orders", 0))
}

// Committers go on while every broker is killed and comes back, so that every partition of __consumer_offsets moves, some between an append and its answer. What was answered is there in the
// end, offsets never go back, and both stores agree.
func TestOffsetsPartitionsMoveUnderLoad(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Set("offsets.topic.num.partitions", "6"))
	makeTopic(t, c, "orders", 1)
	all := startCommitters(t, c, 12)
	for _, id := range []int32{1, 2, 3} {
		c.Kill(id)
		all.goOn()
		c.Start(id)
		c.WaitReady()
		c.Wait("every replica to be in sync again", func() error { // or the next kill takes the only one
			for _, id := range c.IDs() {
				for p := range c.Broker(id).Replicas().All() {
					if h := p.Health(); h.Leader && h.InSync < h.Replicas {
						return fmt.Errorf("%s has %d of %d", p.TopicPartition(), h.InSync, h.Replicas)
					}
				}
			}
			return nil
		})
	}
	all.check()
}

// committedBy counts the commits of the brokers that run.
func committedBy(c *cluster.Cluster) (n int64) {
	for _, id := range c.IDs() {
		n += c.Broker(id).Offsets().Stats().Commits
	}
	return n
}

// commitOnce commits an offset of orders-0 from outside of the group, and says whether it was answered.
func commitOnce(client sarama.Client, group string, offset int64) bool {
	coordinator, err := client.Coordinator(group)
	if err != nil {
		_ = client.RefreshCoordinator(group)
		return false
	}
	req := &sarama.OffsetCommitRequest{Version: 2, ConsumerGroup: group, ConsumerGroupGeneration: sarama.GroupGenerationUndefined, RetentionTime: -1}
	req.AddBlock("orders", 0, offset, 0, "")
	resp, err := coordinator.CommitOffset(req)
	if err != nil {
		_ = coordinator.Close()
		_ = client.RefreshCoordinator(group)
		return false
	}
	if resp.Errors["orders"][0] != sarama.ErrNoError {
		_ = client.RefreshCoordinator(group)
		return false
	}
	return true
}
