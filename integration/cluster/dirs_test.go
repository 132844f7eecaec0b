package cluster_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

// offsetCode asks a broker for a partition's latest offset and returns the code.
func offsetCode(t *testing.T, conn *network.Client, topic string, partition int32) wire.Error {
	t.Helper()
	resp, err := conn.Do(t.Context(), &wire.ListOffsetsRequest{ReplicaID: -1, Topics: []wire.ListOffsetsRequestTopic{{
		Name: topic, Partitions: []wire.ListOffsetsRequestPartition{{PartitionIndex: partition, Timestamp: -1, CurrentLeaderEpoch: -1, MaxNumOffsets: 1}},
	}}}, 9)
	require.NoError(t, err)
	return resp.(*wire.ListOffsetsResponse).Topics[0].Partitions[0].ErrorCode
}

// A directory that fails at run time takes its partitions out of service, and no others.
func TestLogDirectoryFails(t *testing.T) {
	t.Parallel()
	one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	c := cluster.Start(t, cluster.Brokers(1), cluster.Set("log.dirs", one+","+two), cluster.Set("replica.high.watermark.checkpoint.interval.ms", "10"), cluster.Set("log.initial.task.delay.ms", "0"))
	createTopic(t, c, "orders", 4)
	var broken, whole []int32
	b := c.Broker(1)
	for p := range b.Replicas().All() {
		if p.Log().Dir() == one {
			broken = append(broken, p.TopicPartition().Partition)
		} else {
			whole = append(whole, p.TopicPartition().Partition)
		}
	}
	require.Len(t, broken, 2)
	require.Len(t, whole, 2)
	producer := c.SyncProducer(t, manual, func(config *sarama.Config) { config.Producer.Retry.Max, config.Producer.Idempotent = 0, false })
	// Whichever looks at the directory next finds it gone: the append, or the checkpoint of the high watermark when the segment's file is still open.
	fail := func(dir string, partition int32) {
		require.NoError(t, os.Rename(dir, dir+".gone"))
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "orders", Partition: partition, Value: sarama.StringEncoder("x")})
		if err != nil {
			require.ErrorIs(t, err, sarama.ErrKafkaStorageError)
		}
	}
	fail(one, broken[0])
	conn := c.Dial(t, 1)
	c.Wait("the partitions to answer KAFKA_STORAGE_ERROR", func() error {
		for _, partition := range broken {
			if code := offsetCode(t, conn, "orders", partition); code != wire.KafkaStorageError {
				return fmt.Errorf("partition %d answers %s", partition, code.Name())
			}
		}
		return nil
	})
	for _, partition := range whole {
		require.Equal(t, wire.None, offsetCode(t, conn, "orders", partition))
	}
	c.WaitEvent(1, 0, "log dir failed", func(r telemetry.Record) bool { e, ok := r.Event.(telemetry.LogDirFailed); return ok && e.Dir == one })
	c.Wait("the controller to know", func() error {
		if s := state(t, c, "orders", broken[0]); s.Leader != -1 {
			return errors.New("it is leader still")
		}
		return nil
	})
	select {
	case <-b.Done():
		t.Fatal("the broker ended although a directory is left")
	default:
	}
	fail(two, whole[0])
	<-b.Done()
	require.ErrorContains(t, b.Err(), "every log directory has failed")
}

// dirsOf maps the topics of which a broker has partition 0 to the directory that is in.
func dirsOf(c *cluster.Cluster, id int32) map[string]string {
	out := map[string]string{}
	for p := range c.Broker(id).Replicas().All() {
		if log := p.Log(); log != nil && p.TopicPartition().Partition == 0 {
			out[p.TopicPartition().Topic] = log.Dir()
		}
	}
	return out
}

// A broker starts with one of its two directories broken. What was in that one is offline, led by others where there are others; nothing is made anew in its place. What is in the
// other is served, and takes the partitions of new topics. Whole again, it has everything. With both broken the broker says so and doesn't start.
func TestStartWithAFailedDirectory(t *testing.T) {
	t.Parallel()
	one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	c := cluster.Start(t, cluster.Brokers(2), cluster.BrokerSet(1, "log.dirs", one+","+two), cluster.Set("auto.leader.rebalance.enable", "false"))
	admin := c.Admin(t)
	create := func(replicas []int32, names ...string) {
		t.Helper()
		for _, name := range names {
			require.NoError(t, admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: replicas}}, false))
			c.WaitISR(cluster.TP(name, 0), replicas...)
			c.WaitTopic(name, 1)
		}
	}
	send := func(topic, text string) {
		t.Helper()
		producer := c.SyncProducer(t, manual, func(config *sarama.Config) {
			config.Producer.Retry.Max, config.Producer.Retry.Backoff = 100, 20*time.Millisecond
			config.Metadata.Full = false // or it looks for the leaders that other topics lack
		})
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(text)})
		require.NoError(t, err)
	}
	solo, pairs := []string{"solo-a", "solo-b"}, []string{"pair-a", "pair-b"}
	create([]int32{1}, solo...)
	create([]int32{1, 2}, pairs...)
	for _, topic := range slices.Concat(solo, pairs) {
		send(topic, "before")
	}
	before := dirsOf(c, 1)
	for _, both := range [][]string{solo, pairs} {
		require.NotEqual(t, before[both[0]], before[both[1]], "one in each")
	}
	c.Stop(1)
	undo := c.FailLogDir(1, one)
	c.Start(1)
	c.WaitReady()

	conn := c.Dial(t, 1)
	for _, topic := range solo {
		tp := cluster.TP(topic, 0)
		if before[topic] == two {
			c.WaitLeader(tp, 1)
			send(topic, "with one directory")
			continue
		}
		c.WaitNoLeader(tp)
		require.Equal(t, []int32{1}, state(t, c, topic, 0).ISR, "who has the records")
		c.Wait("the partition to answer KAFKA_STORAGE_ERROR", func() error {
			if code := offsetCode(t, conn, topic, 0); code != wire.KafkaStorageError {
				return errors.New(code.Name())
			}
			return nil
		})
		require.NoDirExists(t, filepath.Join(two, topic+"-0"), "an empty log in place of the one that can't be read")
	}
	for _, topic := range pairs {
		tp := cluster.TP(topic, 0)
		c.WaitLeader(tp, 2)
		send(topic, "with one directory")
		if before[topic] == two {
			c.WaitISR(tp, 1, 2)
		} else {
			c.WaitISR(tp, 2)
			require.NoDirExists(t, filepath.Join(two, topic+"-0"))
		}
	}
	create([]int32{1}, "new-a", "new-b")
	for _, topic := range []string{"new-a", "new-b"} {
		require.Equal(t, two, dirsOf(c, 1)[topic])
		send(topic, "new")
	}
	described, err := admin.DescribeLogDirs([]int32{1})
	require.NoError(t, err)
	found := map[string]sarama.KError{}
	for _, dir := range described[1] {
		found[dir.Path] = dir.ErrorCode
		require.Equal(t, dir.Path == two, len(dir.Topics) > 0)
	}
	require.Equal(t, map[string]sarama.KError{one: sarama.ErrKafkaStorageError, two: sarama.ErrNoError}, found)

	c.Stop(1)
	undoOther := c.FailLogDir(1, two)
	require.ErrorContains(t, c.TryStart(1), "log director")
	undoOther()
	undo()
	c.Start(1)
	for _, topic := range slices.Concat(solo, pairs) {
		c.WaitISR(cluster.TP(topic, 0), map[bool][]int32{true: {1}, false: {1, 2}}[slices.Contains(solo, topic)]...)
		records := readAll(t, c, topic, 1)
		require.Equal(t, 1, records["before"], topic)
		require.Equal(t, slices.Contains(pairs, topic) || before[topic] == two, records["with one directory"] == 1, topic)
	}
}
