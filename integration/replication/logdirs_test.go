package replication_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

// twoDirs gives each of three brokers two log directories.
func twoDirs(t *testing.T) (dirs map[int32][2]string, options []cluster.Option) {
	dirs = map[int32][2]string{}
	for id := int32(1); id <= 3; id++ {
		base := t.TempDir()
		dirs[id] = [2]string{filepath.Join(base, "one"), filepath.Join(base, "two")}
		options = append(options, cluster.BrokerSet(id, "log.dirs", dirs[id][0]+","+dirs[id][1]))
	}
	return dirs, append(options, cluster.Set("min.insync.replicas", "2"))
}

// alterLogDir asks a broker to have a replica in a directory.
func alterLogDir(t *testing.T, c *cluster.Cluster, id int32, dir, topic string, partition int32) wire.Error {
	t.Helper()
	resp, err := c.Dial(t, id).Do(t.Context(), &wire.AlterReplicaLogDirsRequest{Dirs: []wire.AlterReplicaLogDirsRequestDir{
		{Path: dir, Topics: []wire.AlterReplicaLogDirsRequestTopic{{Name: topic, Partitions: []int32{partition}}}},
	}}, 2)
	require.NoError(t, err)
	return resp.(*wire.AlterReplicaLogDirsResponse).Results[0].Partitions[0].ErrorCode
}

// waitDir returns when a replica is in a directory and nothing is under way to another.
func waitDir(c *cluster.Cluster, id int32, tp commitlog.TopicPartition, dir string) {
	c.Wait(fmt.Sprintf("%v of broker %d to be in %s", tp, id, dir), func() error {
		p, code := c.Broker(id).Replicas().Partition(tp)
		if code != wire.None {
			return code
		}
		if p.Log() == nil || p.Log().Dir() != dir {
			return errors.New("it is elsewhere")
		}
		return nil
	})
}

// Replicas, leaders and followers alike, move between the directories of their brokers again and again while idempotent producers write with acks=all and a broker dies in the middle of
// it: nothing acked is lost, and the replicas are the same bytes.
func TestReplicasMoveBetweenLogDirs(t *testing.T) {
	t.Parallel()
	const topic, partitions = "orders", 2
	dirs, options := twoDirs(t)
	c := cluster.Start(t, options...)
	createTopic(t, c, topic, partitions, nil)
	histories := make([]*history, partitions)
	stop := make(chan struct{})
	var producers sync.WaitGroup
	for partition := range int32(partitions) {
		histories[partition] = &history{}
		producers.Go(func() { produce(t, c, topic, partition, histories[partition], stop) })
	}
	for round := range 6 {
		for partition := range int32(partitions) {
			tp := commitlog.TopicPartition{Topic: topic, Partition: partition}
			for id := int32(1); id <= 3; id++ {
				require.Equal(t, wire.None, alterLogDir(t, c, id, dirs[id][round%2], topic, partition))
			}
			if round == 3 && partition == 0 {
				c.Kill(2)
				c.Start(2)
				c.WaitISR(tp, 1, 2, 3)
				require.Equal(t, wire.None, alterLogDir(t, c, 2, dirs[2][round%2], topic, partition))
			}
			for id := int32(1); id <= 3; id++ {
				waitDir(c, id, tp, dirs[id][round%2])
			}
		}
	}
	close(stop)
	producers.Wait()
	waitISR(c, topic, 1, 2, 3)
	waitSameEnds(t, c, topic, partitions)
	for partition := range int32(partitions) {
		checkHistory(t, histories[partition], values(t, c, topic, partition))
	}
}
