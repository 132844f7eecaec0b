package replication_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/integration/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// createTopic makes a topic with three replicas of each partition that survives any single failure.
func createTopic(t *testing.T, c *cluster.Cluster, name string, partitions int, configs map[string]string) {
	t.Helper()
	entries := map[string]*string{}
	for key, value := range configs {
		entries[key] = &value
	}
	admin := c.Admin(t)
	require.NoError(t, admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: int32(partitions), ReplicationFactor: 3, ConfigEntries: entries}, false))
	c.WaitTopic(name, partitions)
}

// waitISR returns when every broker knows each partition's ISR as that of the given brokers.
func waitISR(c *cluster.Cluster, topic string, want ...int32) {
	c.WaitMetadata(fmt.Sprintf("the ISR %v of %s", want, topic), func(cache *metadata.Cache) error {
		t := cache.Topic(topic)
		if t == nil {
			return fmt.Errorf("no topic %s", topic)
		}
		for _, p := range t.Partitions {
			isr := slices.Clone(p.ISR)
			slices.Sort(isr)
			if !slices.Equal(isr, want) {
				return fmt.Errorf("%s-%d has the ISR %v", topic, p.Index, p.ISR)
			}
		}
		return nil
	})
}

// leader returns a partition's leader as the given broker knows it.
func leader(c *cluster.Cluster, topic string, partition int32) int32 {
	for _, id := range c.IDs() {
		if b := c.Broker(id); b != nil {
			if t := b.Metadata().Topic(topic); t != nil {
				if p := t.Partition(partition); p != nil {
					return p.Leader
				}
			}
		}
	}
	return -1
}

// waitSameEnds returns when all replicas of a topic end at the same offset, which is their high watermark, too.
func waitSameEnds(t *testing.T, c *cluster.Cluster, topic string, partitions int) {
	t.Helper()
	c.Wait("the replicas to agree", func() error {
		for partition := range int32(partitions) {
			tp := commitlog.TopicPartition{Topic: topic, Partition: partition}
			ends := map[int64][]int32{}
			for _, id := range c.IDs() {
				p, code := c.Broker(id).Replicas().Partition(tp)
				if code != 0 {
					return fmt.Errorf("broker %d: %s: %w", id, tp, code)
				}
				ends[p.Log().LogEndOffset()] = append(ends[p.Log().LogEndOffset()], id)
				if p.Log().HighWatermark() != p.Log().LogEndOffset() {
					return fmt.Errorf("broker %d: %s: high watermark %d, log end offset %d", id, tp, p.Log().HighWatermark(), p.Log().LogEndOffset())
				}
			}
			if len(ends) != 1 {
				return fmt.Errorf("%s ends at %v", tp, ends)
			}
		}
		return nil
	})
}

// requireSameBytes compares the log files of all replicas of a topic.
func requireSameBytes(t *testing.T, c *cluster.Cluster, topic string, partitions int) {
	t.Helper()
	for partition := range partitions {
		var reference []byte
		for i, id := range c.IDs() {
			files, err := filepath.Glob(filepath.Join(c.Dir(id), fmt.Sprintf("%s-%d", topic, partition), "*.log"))
			require.NoError(t, err)
			require.NotEmpty(t, files)
			slices.Sort(files)
			var all []byte
			for _, file := range files {
				data, err := os.ReadFile(file)
				require.NoError(t, err)
				all = append(all, data...)
			}
			if i == 0 {
				reference = all
				continue
			}
			require.True(t, bytes.Equal(reference, all), "%s-%d: brokers %d and %d differ (%d and %d bytes)", topic, partition, c.IDs()[0], id, len(reference), len(all))
		}
	}
}

// values reads a partition up to its end.
func values(t *testing.T, c *cluster.Cluster, topic string, partition int32) []string {
	t.Helper()
	client := c.Client(t)
	end, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
	require.NoError(t, err)
	if end == 0 {
		return nil
	}
	consumer := c.Consumer(t)
	claim, err := consumer.ConsumePartition(topic, partition, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, claim.Close()) }()
	var all []string
	for m := range claim.Messages() {
		all = append(all, strings.Clone(string(m.Value)))
		if m.Offset == end-1 {
			break
		}
	}
	return all
}

func durable(config *sarama.Config) {
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	config.Producer.Retry.Max = 1000
	config.Producer.Retry.Backoff = 20_000_000
	config.Metadata.Retry.Max = 1000
	config.Metadata.Retry.Backoff = 20_000_000
	config.Producer.Partitioner = sarama.NewManualPartitioner
}
