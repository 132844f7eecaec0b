package cluster_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

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

// dirsOf maps the partitions of a topic that a broker has to the directory each is in.
func dirsOf(c *cluster.Cluster, id int32, topic string) map[int32]string {
	out := map[int32]string{}
	for p := range c.Broker(id).Replicas().All() {
		if tp := p.TopicPartition(); tp.Topic == topic {
			if log := p.Log(); log != nil {
				out[tp.Partition] = log.Dir()
			}
		}
	}
	return out
}

// A broker starts with one of its two directories broken. What was in that one is offline, led by others where there are others; nothing is made anew in its place. What is in the
// other is served, and takes the partitions of new topics. Whole again, it has everything. With both broken the broker says so and doesn't start.
func TestStartWithAFailedDirectory(t *testing.T) {
	t.Parallel()
	const partitions = 4
	one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	c := cluster.Start(t, cluster.Brokers(2), cluster.BrokerSet(1, "log.dirs", one+","+two))
	admin := c.Admin(t)
	assigned := func(replicas ...int32) map[int32][]int32 {
		out := map[int32][]int32{}
		for p := range int32(partitions) {
			out[p] = replicas
		}
		return out
	}
	create := func(name string, replicas ...int32) {
		t.Helper()
		require.NoError(t, admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: assigned(replicas...)}, false))
		c.WaitTopic(name, partitions)
	}
	create("solo", 1)
	create("pair", 1, 2)
	send := func(topic string, partition int32, text string) {
		t.Helper()
		sender(t, c, cluster.TP(topic, partition))(text)
	}
	for p := range int32(partitions) {
		send("solo", p, fmt.Sprint("before ", p))
		send("pair", p, fmt.Sprint("before ", p))
		c.WaitISR(cluster.TP("pair", p), 1, 2)
	}
	solo, pair := dirsOf(c, 1, "solo"), dirsOf(c, 1, "pair")
	require.Contains(t, slices.Collect(maps.Values(solo)), one)
	require.Contains(t, slices.Collect(maps.Values(solo)), two)
	c.Stop(1)
	undo := c.FailLogDir(1, one)
	c.Start(1)
	c.WaitReady()

	conn := c.Dial(t, 1)
	for p := range int32(partitions) {
		if solo[p] == two {
			c.WaitLeader(cluster.TP("solo", p), 1)
			send("solo", p, "with one directory")
		} else {
			c.WaitNoLeader(cluster.TP("solo", p))
			require.Equal(t, []int32{1}, state(t, c, "solo", p).ISR, "who has the records")
			c.Wait("the partition to answer KAFKA_STORAGE_ERROR", func() error {
				if code := offsetCode(t, conn, "solo", p); code != wire.KafkaStorageError {
					return errors.New(code.Name())
				}
				return nil
			})
		}
		c.WaitLeader(cluster.TP("pair", p), 2)
		if pair[p] == two {
			c.WaitISR(cluster.TP("pair", p), 1, 2)
		} else {
			c.WaitISR(cluster.TP("pair", p), 2)
		}
		send("pair", p, "with one directory")
	}
	create("new", 1)
	for p, dir := range dirsOf(c, 1, "new") {
		require.Equal(t, two, dir)
		send("new", p, "new")
	}
	entries, err := os.ReadDir(two)
	require.NoError(t, err)
	for _, e := range entries {
		for p, dir := range solo {
			require.False(t, dir == one && e.Name() == fmt.Sprint("solo-", p), "an empty log in place of the one that can't be read")
		}
	}
	described, err := admin.DescribeLogDirs([]int32{1})
	require.NoError(t, err)
	found := map[string]sarama.KError{}
	for _, dir := range described[1] {
		found[dir.Path] = dir.ErrorCode
		if dir.Path == one {
			require.Empty(t, dir.Topics)
		}
	}
	require.Equal(t, map[string]sarama.KError{one: sarama.ErrKafkaStorageError, two: sarama.ErrNoError}, found)

	c.Stop(1)
	undoOther := c.FailLogDir(1, two)
	err = c.TryStart(1)
	require.ErrorContains(t, err, "log director")
	undoOther()
	undo()
	c.Start(1)
	for p := range int32(partitions) {
		c.WaitLeader(cluster.TP("solo", p), 1)
		c.WaitISR(cluster.TP("pair", p), 1, 2)
	}
	for topic, more := range map[string]int{"solo": count(solo, two), "pair": partitions} {
		records := readAll(t, c, topic, partitions)
		require.Equal(t, more, records["with one directory"], topic)
		for p := range partitions {
			require.Equal(t, 1, records[fmt.Sprint("before ", p)], topic)
		}
	}
}

func count(dirs map[int32]string, of string) (n int) {
	for _, dir := range dirs {
		if dir == of {
			n++
		}
	}
	return n
}
