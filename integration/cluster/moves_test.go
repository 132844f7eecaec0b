package cluster_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

// twoDirs starts three brokers with two log directories each, and a topic that all of them have.
func twoDirs(t *testing.T, partitions int32, configs map[string]*string) (c *cluster.Cluster, dirs map[int32][]string) {
	t.Helper()
	dirs = map[int32][]string{}
	options := []cluster.Option{cluster.Brokers(3), cluster.Set("min.insync.replicas", "2")}
	for id := int32(1); id <= 3; id++ {
		dirs[id] = []string{filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")}
		options = append(options, cluster.BrokerSet(id, "log.dirs", dirs[id][0]+","+dirs[id][1]))
	}
	c = cluster.Start(t, options...)
	require.NoError(t, c.Admin(t).CreateTopic("orders", &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 3, ConfigEntries: configs}, false))
	c.WaitTopic("orders", int(partitions))
	return c, dirs
}

// load sends numbered records to every partition until it is stopped, and then tells how many were acked in each.
func load(t *testing.T, c *cluster.Cluster, partitions int32) (stop func() []int) {
	producer := c.SyncProducer(t, manual)
	ctx, cancel := context.WithCancel(t.Context())
	acked := make([]int, partitions)
	var running sync.WaitGroup
	for partition := range partitions {
		running.Go(func() {
			for ctx.Err() == nil {
				_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Partition: partition, Value: sarama.StringEncoder(strconv.Itoa(acked[partition]))})
				if err != nil {
					t.Errorf("partition %d: record %d: %v", partition, acked[partition], err)
					return
				}
				acked[partition]++
			}
		})
	}
	return sync.OnceValue(func() []int {
		cancel()
		running.Wait()
		return acked
	})
}

// moveAll asks a broker for all partitions to be in a directory.
func moveAll(t *testing.T, c *cluster.Cluster, id int32, dir string, partitions int32) {
	t.Helper()
	topic := wire.AlterReplicaLogDirsRequestTopic{Name: "orders"}
	for partition := range partitions {
		topic.Partitions = append(topic.Partitions, partition)
	}
	resp, err := c.Dial(t, id).Do(t.Context(), &wire.AlterReplicaLogDirsRequest{Dirs: []wire.AlterReplicaLogDirsRequestDir{{Path: dir, Topics: []wire.AlterReplicaLogDirsRequestTopic{topic}}}}, 2)
	require.NoError(t, err)
	answer := resp.(*wire.AlterReplicaLogDirsResponse)
	require.Len(t, answer.Results, 1)
	for _, p := range answer.Results[0].Partitions {
		require.Equal(t, wire.None, p.ErrorCode, "broker %d partition %d", id, p.PartitionIndex)
	}
}

// waitMoved waits until a broker has all partitions in a directory, and nothing on its way.
func waitMoved(t *testing.T, c *cluster.Cluster, id int32, dir string, partitions int32) {
	t.Helper()
	conn := c.Dial(t, id)
	c.Wait(fmt.Sprintf("broker %d to have all in %s", id, dir), func() error {
		resp, err := conn.Do(t.Context(), &wire.DescribeLogDirsRequest{Topics: []wire.DescribeLogDirsRequestTopic{{Topic: "orders", Partitions: []int32{0, 1, 2, 3, 4, 5}[:partitions]}}}, 4)
		if err != nil {
			return err
		}
		for _, d := range resp.(*wire.DescribeLogDirsResponse).Results {
			for _, topic := range d.Topics {
				for _, p := range topic.Partitions {
					if p.IsFutureKey || d.LogDir != dir {
						return fmt.Errorf("partition %d has %d bytes in %s, future %v, lag %d", p.PartitionIndex, p.PartitionSize, d.LogDir, p.IsFutureKey, p.OffsetLag)
					}
				}
			}
		}
		return nil
	})
}

// checkAll reads every partition and demands each acked record once, in order.
func checkAll(t *testing.T, c *cluster.Cluster, acked []int) {
	t.Helper()
	consumer := c.Consumer(t)
	for partition, count := range acked {
		require.Positive(t, count)
		claim, err := consumer.ConsumePartition("orders", int32(partition), sarama.OffsetOldest)
		require.NoError(t, err)
		for i := range count {
			require.Equal(t, strconv.Itoa(i), string((<-claim.Messages()).Value), "partition %d", partition)
		}
		require.NoError(t, claim.Close())
	}
}

// Replicas, leaders' and followers', move back and forth between two directories while producers write; one of the brokers is killed in the middle and goes on when it is back.
func TestReplicasMoveUnderLoad(t *testing.T) {
	t.Parallel()
	const partitions = 4
	size := "20000"
	c, dirs := twoDirs(t, partitions, map[string]*string{"segment.bytes": &size})
	stop := load(t, c, partitions)
	defer stop()
	for round := range 4 {
		for id, two := range dirs {
			moveAll(t, c, id, two[(round+1)%2], partitions)
			moveAll(t, c, id, two[round%2], partitions) // called off, or moved back
		}
		for id, two := range dirs {
			waitMoved(t, c, id, two[round%2], partitions)
		}
	}
	moveAll(t, c, 2, dirs[2][0], partitions)
	c.Kill(2)
	c.Start(2)
	acked := stop()
	for partition := range int32(partitions) {
		c.WaitISR(cluster.TP("orders", partition), 1, 2, 3)
	}
	waitMoved(t, c, 2, dirs[2][0], partitions)
	checkAll(t, c, acked)
	for partition := range int32(partitions) {
		var ends []int64
		for id := range dirs {
			p, code := c.Broker(id).Replicas().Partition(commitlog.TopicPartition{Topic: "orders", Partition: partition})
			require.Equal(t, wire.None, code)
			ends = append(ends, p.Log().LogEndOffset())
		}
		require.Equal(t, []int64{ends[0], ends[0], ends[0]}, ends)
	}
}

// A directory fails on a broker that leads: other brokers lead what was in it, its replicas leave the ISR, what is in the broker's other directory isn't touched, and nothing acked is lost.
func TestFailedDirectoryLosesNothing(t *testing.T) {
	t.Parallel()
	const partitions = 4
	c, dirs := twoDirs(t, partitions, nil)
	stop := load(t, c, partitions)
	defer stop()
	broken, whole := map[int32]bool{}, 0
	for p := range c.Broker(1).Replicas().All() {
		if tp := p.TopicPartition(); tp.Topic == "orders" && p.Log().Dir() == dirs[1][0] {
			broken[tp.Partition] = true
		} else if tp.Topic == "orders" {
			whole++
		}
	}
	require.NotEmpty(t, broken)
	require.Positive(t, whole)
	c.FailLogDir(1, dirs[1][0])
	for partition := range int32(partitions) {
		if broken[partition] {
			c.WaitISR(cluster.TP("orders", partition), 2, 3)
			c.WaitLeader(cluster.TP("orders", partition), 2, 3)
		} else {
			c.WaitISR(cluster.TP("orders", partition), 1, 2, 3)
		}
	}
	checkAll(t, c, stop())
	resp, err := c.Dial(t, 1).Do(t.Context(), &wire.AlterReplicaLogDirsRequest{Dirs: []wire.AlterReplicaLogDirsRequestDir{{
		Path: dirs[1][0], Topics: []wire.AlterReplicaLogDirsRequestTopic{{Name: "orders", Partitions: []int32{0}}},
	}}}, 2)
	require.NoError(t, err)
	require.Equal(t, wire.KafkaStorageError, resp.(*wire.AlterReplicaLogDirsResponse).Results[0].Partitions[0].ErrorCode)
}
