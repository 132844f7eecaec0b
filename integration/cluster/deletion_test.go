package cluster_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// there says whether ZooKeeper has a znode.
func there(c *cluster.Cluster, path string) (found bool) {
	c.ZooKeeper().Do(func(v *zkserver.View) { _, _, found = v.Get(path) })
	return found
}

// logDirs lists a broker's directories of a topic's partitions: those in use, and those on their way out.
func logDirs(t *testing.T, c *cluster.Cluster, id int32, topic string) (live, going []string) {
	t.Helper()
	entries, err := os.ReadDir(c.Dir(id))
	require.NoError(t, err)
	for _, e := range entries {
		switch name := e.Name(); {
		case !e.IsDir() || !strings.HasPrefix(name, topic+"-") && !strings.HasPrefix(name, topic+"."):
		case strings.HasSuffix(name, "-delete"):
			going = append(going, name)
		default:
			live = append(live, name)
		}
	}
	return live, going
}

// waitGone waits until no broker has anything of a topic on disk, which takes file.delete.delay.ms.
func waitGone(t *testing.T, c *cluster.Cluster, topic string) {
	t.Helper()
	c.Wait("the topic's files to be gone", func() error {
		for _, id := range c.IDs() {
			if live, going := logDirs(t, c, id, topic); len(live)+len(going) > 0 {
				return fmt.Errorf("broker %d has %v and %v", id, live, going)
			}
		}
		return nil
	})
}

// deletion starts three brokers and a topic with replicas on the controller and another broker, kills that one, and asks for the topic's deletion.
func deletion(t *testing.T) (c *cluster.Cluster, controller, dead int32) {
	t.Helper()
	c = cluster.Start(t, cluster.Patience(10*time.Minute))
	controller, _ = c.Controller()
	dead = controller%3 + 1
	admin := c.Admin(t, func(config *sarama.Config) { config.Admin.Timeout, config.Admin.Retry.Max = time.Second, 0 })
	create := func() error {
		return admin.CreateTopic("orders", &sarama.TopicDetail{
			NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: {controller, dead}, 1: {dead, controller}},
		}, false)
	}
	require.NoError(t, create())
	c.WaitTopic("orders", 2)
	sender(t, c, cluster.TP("orders", 0))("old")
	sender(t, c, cluster.TP("orders", 1))("old")
	c.Kill(dead)
	c.WaitISR(cluster.TP("orders", 1), controller)

	_ = admin.DeleteTopic("orders") // Kafka answers when the brokers know no such topic any more, dead replicas or not
	c.Wait("the living to forget the topic", func() error {
		for _, id := range c.IDs() {
			if b := c.Broker(id); b != nil && b.Metadata().Topic("orders") != nil {
				return fmt.Errorf("broker %d has it", id)
			}
		}
		return nil
	})
	c.Wait("the living to delete their replicas", func() error {
		live, _ := logDirs(t, c, controller, "orders")
		if len(live) > 0 {
			return fmt.Errorf("%v", live)
		}
		return nil
	})
	var refused *sarama.TopicError
	require.ErrorAs(t, create(), &refused)
	require.Equal(t, sarama.ErrTopicAlreadyExists, refused.Err, "it is marked for deletion")
	stillAsked(t, c, dead)
	return c, controller, dead
}

// stillAsked demands that a deletion waits for a dead broker: now, and after a while.
func stillAsked(t *testing.T, c *cluster.Cluster, dead int32) {
	t.Helper()
	for range 2 {
		require.True(t, there(c, znode.DeleteTopicPath("orders")))
		require.True(t, there(c, znode.TopicPath("orders")))
		live, going := logDirs(t, c, dead, "orders")
		require.Len(t, live, 2)
		require.Empty(t, going)
		<-time.After(10 * time.Minute)
	}
}

// finishes starts the dead broker, and demands that the deletion is carried out, nothing stays anywhere, and the name is free.
func finishes(t *testing.T, c *cluster.Cluster, dead int32) {
	t.Helper()
	c.Start(dead)
	c.Wait("the deletion to be carried out", func() error {
		for _, path := range []string{znode.DeleteTopicPath("orders"), znode.TopicPath("orders"), "/config/topics/orders"} {
			if there(c, path) {
				return errors.New(path + " is there")
			}
		}
		return nil
	})
	waitGone(t, c, "orders")
	require.NoError(t, c.Admin(t).CreateTopic("orders", &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 3}, false))
	c.WaitTopic("orders", 2)
	sender(t, c, cluster.TP("orders", 0))("new")
	require.Equal(t, map[string]int{"new": 1}, readAll(t, c, "orders", 2))
}

// A topic is deleted although one of its brokers is dead: the others forget and delete it at once, the dead one when it returns, and only then the name is free again. As Kafka does it.
func TestDeletionAcrossADeadBroker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _, dead := deletion(t)
		finishes(t, c, dead)
	})
}

// The controller changes while a deletion waits: the next one goes on from the request. It changes in each of the ways there are.
func TestDeletionSurvivesTheController(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(c *cluster.Cluster, controller int32){
		"it is killed and returns": func(c *cluster.Cluster, controller int32) {
			c.Kill(controller)
			c.WaitController(controller)
			c.Start(controller)
		},
		"it stops and returns": func(c *cluster.Cluster, controller int32) {
			c.Restart(controller)
		},
		"its session ends": func(c *cluster.Cluster, controller int32) {
			_, epoch := c.Controller()
			c.ExpireSession(controller)
			c.Wait("the next controller", func() error {
				if _, now := c.Controller(); now <= epoch {
					return fmt.Errorf("epoch %d", now)
				}
				return nil
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, controller, dead := deletion(t)
				change(c, controller)
				c.WaitController()
				c.WaitReady()
				stillAsked(t, c, dead)
				finishes(t, c, dead)
			})
		})
	}
}

// A replica can't be deleted because its log directory has failed: the deletion waits until that broker is started with the directory whole, and no other broker's
// start makes it try in vain.
func TestDeletionWaitsForAFailedDirectory(t *testing.T) {
	t.Parallel()
	one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	c := cluster.Start(t, cluster.BrokerSet(2, "log.dirs", one+","+two))
	admin := c.Admin(t, func(config *sarama.Config) { config.Admin.Timeout, config.Admin.Retry.Max = time.Second, 0 })
	require.NoError(t, admin.CreateTopic("orders", &sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: map[int32][]int32{0: {1, 2}}}, false))
	tp := cluster.TP("orders", 0)
	c.WaitISR(tp, 1, 2)
	p, code := c.Broker(2).Replicas().Partition(tp)
	require.Equal(t, wire.None, code)
	undo := c.FailLogDir(2, p.Log().Dir())
	c.WaitISR(tp, 1)
	_ = admin.DeleteTopic("orders")
	c.Wait("the others to delete it", func() error {
		if live, _ := logDirs(t, c, 1, "orders"); len(live) > 0 {
			return fmt.Errorf("%v", live)
		}
		return nil
	})
	for _, id := range []int32{3, 2} { // another broker, and the broker itself as it is
		c.Restart(id)
		c.WaitReady()
		roundTripOn(t, c, fmt.Sprint("meanwhile-", id))
		require.True(t, there(c, znode.DeleteTopicPath("orders")))
	}
	undo()
	c.Restart(2)
	c.Wait("the deletion to be carried out", func() error {
		if there(c, znode.DeleteTopicPath("orders")) || there(c, znode.TopicPath("orders")) {
			return errors.New("it isn't")
		}
		return nil
	})
}
