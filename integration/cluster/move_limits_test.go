package cluster_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/replica"
	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

const moveRate = "replica.alter.log.dirs.io.max.bytes.per.second"

// limitMoves sets how many bytes a second each broker may copy between its directories; "" takes the limit away.
func limitMoves(t *testing.T, c *cluster.Cluster, rate string) {
	t.Helper()
	admin := c.Admin(t)
	entry := sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationDelete}
	if rate != "" {
		entry = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &rate}
	}
	require.NoError(t, admin.IncrementalAlterConfig(sarama.BrokerResource, "", map[string]sarama.IncrementalAlterConfigsEntry{moveRate: entry}, false))
	for _, id := range c.IDs() {
		c.Wait("the limit to be known", func() error {
			described, err := admin.DescribeConfigs([]*sarama.ConfigResource{{Type: sarama.BrokerResource, Name: fmt.Sprint(id), ConfigNames: []string{moveRate}}}, sarama.DescribeConfigsOptions{})
			if err != nil {
				return err
			}
			got := described[0].Configs
			if rate != "" && (len(got) != 1 || got[0].Value != rate) || rate == "" && len(got) == 1 && !got[0].Default {
				return fmt.Errorf("broker %d has %+v", id, got)
			}
			return nil
		})
	}
}

// fill writes about 6 MB into a partition of orders.
func fill(t *testing.T, c *cluster.Cluster, partition int32) {
	t.Helper()
	producer := c.SyncProducer(t, manual)
	for range 60 {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Partition: partition, Value: sarama.ByteEncoder(make([]byte, 100_000))})
		require.NoError(t, err)
	}
}

// placed tells where a broker has partition 0 of orders: its directory and size, and those of the copy that is made of it.
func placed(t *testing.T, c *cluster.Cluster, id int32) (dir string, size int64, futureDir string, futureSize, lag int64) {
	t.Helper()
	resp, err := c.Dial(t, id).Do(t.Context(), &wire.DescribeLogDirsRequest{Topics: []wire.DescribeLogDirsRequestTopic{{Topic: "orders", Partitions: []int32{0}}}}, 4)
	require.NoError(t, err)
	for _, d := range resp.(*wire.DescribeLogDirsResponse).Results {
		for _, topic := range d.Topics {
			for _, p := range topic.Partitions {
				if p.IsFutureKey {
					futureDir, futureSize, lag = d.LogDir, p.PartitionSize, p.OffsetLag
				} else {
					dir, size = d.LogDir, p.PartitionSize
				}
			}
		}
	}
	return dir, size, futureDir, futureSize, lag
}

// Copying between directories stops when the limit is reached, goes on when the limit rises, and is told of meanwhile in the gauges of Kafka's ReplicaAlterLogDirsManager.
func TestMovesBetweenDirectoriesAreThrottled(t *testing.T) {
	t.Parallel()
	c, dirs := twoDirs(t, 1, nil)
	fill(t, c, 0)
	limitMoves(t, c, "1000")
	from, _, _, _, _ := placed(t, c, 1)
	to := dirs[1][0]
	if from == to {
		to = dirs[1][1]
	}
	moveAll(t, c, 1, to, 1)
	c.Wait("the copy to have begun", func() error {
		if _, _, _, size, _ := placed(t, c, 1); size == 0 {
			return errors.New("nothing is copied")
		}
		return nil
	})
	_, size, at, begun, lag := placed(t, c, 1)
	require.Equal(t, to, at)
	require.Less(t, begun, size/2, "one step of the copying is more than the limit allows for the next 11 s")
	require.Positive(t, lag)
	stats := c.Broker(1).Replicas().MoveStats()
	require.Equal(t, []int{1, 0}, []int{stats.Moving, stats.Failed})
	require.Positive(t, stats.MaxLag)
	fill(t, c, 0) // takes longer than the copying of as much
	dir, _, _, still, _ := placed(t, c, 1)
	require.Equal(t, from, dir)
	require.Equal(t, begun, still, "held back")

	limitMoves(t, c, "")
	waitMoved(t, c, 1, to, 1)
	c.Wait("the move to be over", func() error {
		if stats := c.Broker(1).Replicas().MoveStats(); stats != (replica.MoveStats{}) {
			return fmt.Errorf("%+v", stats)
		}
		return nil
	})
}

// A replica that isn't on a broker yet is REPLICA_NOT_AVAILABLE there, and the directory is remembered: that is how kafka-reassign-partitions says where a replica is to be made.
func TestReplicaIsMadeInTheDirectoryAskedFor(t *testing.T) {
	t.Parallel()
	c, dirs := twoDirs(t, 1, nil)
	admin := c.Admin(t)
	require.NoError(t, admin.CreateTopic("placed", &sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: {1, 2}, 1: {1, 2}, 2: {1, 2}}}, false))
	c.WaitTopic("placed", 3)
	ask := func(dir, topic string, partition int32) wire.Error {
		resp, err := c.Dial(t, 3).Do(t.Context(), &wire.AlterReplicaLogDirsRequest{Dirs: []wire.AlterReplicaLogDirsRequestDir{{
			Path: dir, Topics: []wire.AlterReplicaLogDirsRequestTopic{{Name: topic, Partitions: []int32{partition}}},
		}}}, 2)
		require.NoError(t, err)
		return resp.(*wire.AlterReplicaLogDirsResponse).Results[0].Partitions[0].ErrorCode
	}
	want := map[int32]string{0: dirs[3][0], 1: dirs[3][1], 2: dirs[3][1]}
	for partition, dir := range want {
		require.Equal(t, wire.ReplicaNotAvailable, ask(dir, "placed", partition))
	}
	require.Equal(t, wire.UnknownTopicOrPartition, ask(dirs[3][0], "gone", 0))
	require.Equal(t, wire.LogDirNotFound, ask(dirs[2][0], "placed", 0), "a directory of another broker")
	require.NoError(t, admin.AlterPartitionReassignments("placed", [][]int32{{3, 1}, {3, 1}, {3, 1}}))
	for partition, dir := range want {
		c.WaitISR(cluster.TP("placed", partition), 1, 3)
		p, code := c.Broker(3).Replicas().Partition(cluster.TP("placed", partition))
		require.Equal(t, wire.None, code)
		require.Equal(t, dir, p.Log().Dir(), "partition %d", partition)
	}
}

// A topic that is deleted takes its replicas' copies with it, and leaves nothing that keeps another of its name from moving.
func TestTopicIsDeletedWhileItMoves(t *testing.T) {
	t.Parallel()
	c, dirs := twoDirs(t, 1, nil)
	limitMoves(t, c, "1000")
	for range 2 {
		fill(t, c, 0)
		after := map[int32]uint64{}
		for id, two := range dirs {
			dir, _, _, _, _ := placed(t, c, id)
			to := two[0]
			if dir == to {
				to = two[1]
			}
			backlog, events := c.Events(id).Subscribe(0, 1)
			events.Close()
			after[id] = backlog[len(backlog)-1].Seq
			moveAll(t, c, id, to, 1)
			_, _, at, _, _ := placed(t, c, id)
			require.Equal(t, to, at)
		}
		require.NoError(t, c.Admin(t).DeleteTopic("orders"))
		c.Wait("the topic to be gone", func() error {
			for id, two := range dirs {
				for _, dir := range two {
					entries, err := os.ReadDir(dir)
					if err != nil {
						return err
					}
					for _, e := range entries {
						if strings.HasPrefix(e.Name(), "orders-") || strings.HasPrefix(e.Name(), "orders.") {
							if !strings.HasSuffix(e.Name(), "-delete") {
								return fmt.Errorf("broker %d has %s", id, filepath.Join(dir, e.Name()))
							}
						}
					}
				}
				if stats := c.Broker(id).Replicas().MoveStats(); stats != (replica.MoveStats{}) {
					return fmt.Errorf("broker %d: %+v", id, stats)
				}
			}
			return nil
		})
		for id := range dirs {
			c.WaitEvent(id, after[id], "a move called off", func(r telemetry.Record) bool {
				e, ok := r.Event.(telemetry.ReplicaMoving)
				return ok && e.Topic == "orders" && e.State == replica.MoveCancelled.String()
			})
		}
		c.Wait("the name to be free", func() error {
			return c.Admin(t).CreateTopic("orders", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 3}, false)
		})
		c.WaitTopic("orders", 1)
	}
	limitMoves(t, c, "")
	for id, two := range dirs {
		moveAll(t, c, id, two[0], 1)
		moveAll(t, c, id, two[1], 1)
		waitMoved(t, c, id, two[1], 1)
	}
}
