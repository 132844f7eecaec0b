package groups

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/integration/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for.
const patience = 60 * time.Second

// board is where the consumers of one group write down what they do, for the test to look at.
type board struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every change
	owners  map[string]map[int32]string
	read    map[string]int // topic-partition-offset -> times read
	moves   int
}

func newBoard() *board {
	return &board{changed: make(chan struct{}), owners: map[string]map[int32]string{}, read: map[string]int{}}
}

func (b *board) note(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	close(b.changed)
	b.changed = make(chan struct{})
}

// wait returns when cond is nil, and fails the test with its last error otherwise.
func (b *board) wait(t testing.TB, what string, cond func() error) {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		b.mu.Lock()
		err, changed := cond(), b.changed
		b.mu.Unlock()
		if err == nil {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			t.Fatalf("waited %v for %s: %v", patience, what, err)
		}
	}
}

// shared waits until the partitions of a topic belong to exactly the named consumers, each with at least one.
func (b *board) shared(t testing.TB, topic string, partitions int, consumers ...string) {
	t.Helper()
	b.wait(t, fmt.Sprintf("%s to be shared by %v", topic, consumers), func() error {
		owners := b.owners[topic]
		if len(owners) != partitions {
			return fmt.Errorf("%d of %d partitions have an owner: %v", len(owners), partitions, owners)
		}
		have := map[string]bool{}
		for _, name := range owners {
			have[name] = true
		}
		if names := slices.Sorted(maps.Keys(have)); !slices.Equal(names, slices.Sorted(slices.Values(consumers))) {
			return fmt.Errorf("it belongs to %v: %v", names, owners)
		}
		return nil
	})
}

// consumer is a member of a group.
type consumer struct {
	name  string
	board *board
	group sarama.ConsumerGroup
	stop  context.CancelFunc
	done  chan struct{}
}

// join starts a consumer of topics; it ends with the test at the latest.
func join(t testing.TB, c *cluster.Cluster, b *board, group, name string, topics []string, change ...func(*sarama.Config)) *consumer {
	t.Helper()
	config := c.Config()
	config.ClientID = name
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Interval = 20 * time.Millisecond
	config.Consumer.Group.Heartbeat.Interval = 50 * time.Millisecond
	config.Consumer.Group.Rebalance.Retry.Backoff = 50 * time.Millisecond
	config.Metadata.Retry.Backoff = 20 * time.Millisecond
	for _, f := range change {
		f(config)
	}
	g, err := sarama.NewConsumerGroup(c.Bootstrap(), group, config)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	m := &consumer{name: name, board: b, group: g, stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(m.done)
		for ctx.Err() == nil {
			if err := g.Consume(ctx, topics, m); err != nil {
				if errors.Is(err, sarama.ErrClosedConsumerGroup) {
					return
				}
				t.Logf("consumer %s: %v", name, err)
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		}
	}()
	t.Cleanup(m.close)
	return m
}

// close leaves the group.
func (m *consumer) close() {
	m.stop()
	_ = m.group.Close()
	<-m.done
}

// Setup is sarama's: a generation begins.
func (m *consumer) Setup(s sarama.ConsumerGroupSession) error {
	m.board.note(func() {
		m.board.moves++
		for topic, partitions := range s.Claims() {
			if m.board.owners[topic] == nil {
				m.board.owners[topic] = map[int32]string{}
			}
			for _, partition := range partitions {
				m.board.owners[topic][partition] = m.name
			}
		}
	})
	return nil
}

// Cleanup is sarama's: a generation has ended.
func (m *consumer) Cleanup(s sarama.ConsumerGroupSession) error {
	m.board.note(func() {
		for topic, partitions := range s.Claims() {
			for _, partition := range partitions {
				if m.board.owners[topic][partition] == m.name {
					delete(m.board.owners[topic], partition)
				}
			}
		}
	})
	return nil
}

// ConsumeClaim is sarama's: it reads one partition.
func (m *consumer) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			m.board.note(func() { m.board.read[fmt.Sprintf("%s-%d-%d", message.Topic, message.Partition, message.Offset)]++ })
			s.MarkMessage(message, m.name)
		case <-s.Context().Done():
			return nil
		}
	}
}

// makeTopic makes a topic.
func makeTopic(t testing.TB, c *cluster.Cluster, name string, partitions int) {
	t.Helper()
	admin, err := sarama.NewClusterAdmin(c.Bootstrap(), c.Config())
	require.NoError(t, err)
	defer func() { require.NoError(t, admin.Close()) }()
	require.NoError(t, admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: int32(partitions), ReplicationFactor: int16(min(3, len(c.IDs())))}, false))
	c.WaitTopic(name, partitions)
}

// fill writes a number of records to each partition.
func fill(t testing.TB, c *cluster.Cluster, topic string, partitions, each int) {
	t.Helper()
	producer := c.SyncProducer(t, func(config *sarama.Config) { config.Producer.Partitioner = sarama.NewManualPartitioner })
	var batch []*sarama.ProducerMessage
	for partition := range int32(partitions) {
		for i := range each {
			batch = append(batch, &sarama.ProducerMessage{Topic: topic, Partition: partition, Value: sarama.StringEncoder(fmt.Sprint(i))})
		}
	}
	require.NoError(t, producer.SendMessages(batch))
}
