package interop

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
)

// TestMixed runs one broker of each maker in a cluster, first one of them as controller, then the other.
func TestMixed(t *testing.T) {
	z := apacheZooKeeper(t)
	conn := connect(t, z.address)
	for _, makers := range [][2]maker{{ours, apache}, {apache, ours}} {
		t.Run(fmt.Sprintf("controller %s then %s", makers[0], makers[1]), func(t *testing.T) {
			chroot := "/" + string(makers[0]) + "-controls"
			c := &cluster{t: t}
			for i, m := range makers {
				c.nodes = append(c.nodes, newNode(t, m, z.address+chroot, int32(i+1)))
				c.nodes[i].start()
			}
			c.agreed()
			controller := func() string {
				data, _, err := conn.Get(chroot + "/controller")
				if err != nil {
					return err.Error()
				}
				return string(data)
			}
			require.Contains(t, controller(), `"brokerid":1,`)
			c.exercise("first")

			// The broker that is led stops cleanly and comes back.
			c.nodes[1].p.stop()
			c.agreed()
			eventually(t, "its partitions have no leader", func() bool { return slices.Equal(leadersOf(c.nodes[0].address, "first"), []int32{1, -1, -1, 1, 1, -1}) }, c.nodes[0].p.tail)
			c.nodes[1].start()
			c.agreed()
			c.led("first", 6)
			c.verify("first")

			// It is killed. Our controller finds it by its port, Apache's waits for its session; our broker doesn't when it comes back, Apache's would refuse to start.
			c.nodes[1].p.kill()
			if makers[1] == apache {
				began := time.Now()
				c.agreed()
				require.Less(t, time.Since(began), 15*time.Second, "its session lives for 18 seconds")
			}
			c.nodes[1].start()
			c.agreed()
			c.led("first", 6)
			c.verify("first")

			// The controller is killed: the other maker's broker takes over.
			c.nodes[0].p.kill()
			c.agreed()
			eventually(t, "the other is controller", func() bool { return strings.Contains(controller(), `"brokerid":2,`) }, c.nodes[1].p.tail)
			eventually(t, "partitions of the dead have no leader", func() bool { return slices.Equal(leadersOf(c.nodes[1].address, "first"), []int32{-1, 2, 2, -1, -1, 2}) }, c.nodes[1].p.tail)
			c.nodes[0].start()
			c.agreed()
			c.led("first", 6)
			c.verify("first")
			c.exercise("second")
			c.verify("first")
			c.nodes[0].p.stop()
			c.agreed()
			c.nodes[1].p.stop()
		})
	}
}

// exercise makes a topic with partitions on both brokers, grows it, writes through an idempotent producer, changes configs, and deletes another topic.
func (c *cluster) exercise(topic string) {
	t := c.t
	t.Helper()
	admin := c.admin(t)
	require.NoError(t, admin.CreateTopic(topic, assigned(map[int32][]int32{0: {1}, 1: {2}, 2: {2}, 3: {1}}), false))
	c.led(topic, 4)
	require.NoError(t, admin.CreatePartitions(topic, 6, [][]int32{{1}, {2}}, false))
	c.led(topic, 6)
	config := saramaConfig()
	config.Producer.Idempotent, config.Net.MaxOpenRequests = true, 1
	config.Producer.Partitioner = sarama.NewManualPartitioner
	producer, err := sarama.NewSyncProducer(c.addresses(), config)
	require.NoError(t, err)
	defer func() { require.NoError(t, producer.Close()) }()
	for i := range 120 {
		p, offset, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Partition: int32(i % 6), Value: sarama.StringEncoder(fmt.Sprintf("%s %d", topic, i))})
		require.NoError(t, err)
		require.Equal(t, []any{int32(i % 6), int64(i / 6)}, []any{p, offset})
	}
	c.verify(topic)

	// Each broker follows the other's config changes: it was told by ZooKeeper, not by the controller.
	value := "7200000"
	set := map[string]sarama.IncrementalAlterConfigsEntry{"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}}
	require.NoError(t, admin.IncrementalAlterConfig(sarama.TopicResource, topic, set, false))
	for _, n := range c.nodes {
		one, err := sarama.NewClusterAdmin([]string{n.address}, saramaConfig())
		require.NoError(t, err)
		described, err := one.DescribeConfigs([]*sarama.ConfigResource{{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"retention.ms"}}}, sarama.DescribeConfigsOptions{})
		require.NoError(t, err)
		require.Len(t, described, 1)
		require.Len(t, described[0].Configs, 1)
		require.Equal(t, value, described[0].Configs[0].Value, "%s, broker %d", n.maker, n.id)
		require.NoError(t, one.Close())
	}

	doomed := topic + "-doomed"
	require.NoError(t, admin.CreateTopic(doomed, assigned(map[int32][]int32{0: {1}, 1: {2}}), false))
	c.led(doomed, 2)
	require.NoError(t, admin.DeleteTopic(doomed))
	for _, n := range c.nodes {
		eventually(t, fmt.Sprintf("broker %d forgot the topic", n.id), func() bool { return leadersOf(n.address, doomed) == nil }, n.p.tail)
	}
}

// verify reads back what exercise wrote.
func (c *cluster) verify(topic string) {
	c.t.Helper()
	client := newClient(c.t, c.addresses()...)
	for p := range int32(6) {
		messages := readPartition(c.t, client, topic, p)
		require.Len(c.t, messages, 20, "partition %d", p)
		for i, m := range messages {
			require.Equal(c.t, []any{int64(i), fmt.Sprintf("%s %d", topic, i*6+int(p))}, []any{m.offset, m.value})
		}
	}
}
