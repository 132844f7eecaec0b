package cluster_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
