package clients

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/clients/kafka"
	"github.com/prekraft/prekraft/clients/legacy"
	"github.com/prekraft/prekraft/integration/cluster"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

func TestMain(m *testing.M) {
	kafka.Silence()
	goleak.VerifyTestMain(m)
}

// start starts a small cluster whose brokers keep offsets where Apache does, so that what is in ZooKeeper was put there by a consumer.
func start(t *testing.T, opts ...cluster.Option) *cluster.Cluster {
	t.Helper()
	return cluster.Start(t, append([]cluster.Option{cluster.Brokers(1), cluster.Set("offsets.storage", "kafka"), cluster.Set("offsets.topic.replication.factor", "1"), cluster.Set("offsets.topic.num.partitions", "2")}, opts...)...)
}

func makeTopic(t *testing.T, c *cluster.Cluster, name string, partitions int) {
	t.Helper()
	require.NoError(t, c.Admin(t).CreateTopic(name, &sarama.TopicDetail{NumPartitions: int32(partitions), ReplicationFactor: 1}, false))
	c.WaitTopic(name, partitions)
}

// produce writes a number of records to each of a topic's partitions.
func produce(t *testing.T, c *cluster.Cluster, topic string, partitions, each int) {
	t.Helper()
	producer := c.SyncProducer(t, func(config *sarama.Config) { config.Producer.Partitioner = sarama.NewManualPartitioner })
	for partition := range int32(partitions) {
		for range each {
			_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Partition: partition, Value: sarama.StringEncoder("v")})
			require.NoError(t, err)
		}
	}
}

// ledger is what all members of a test read: how often each offset.
type ledger struct {
	mu   sync.Mutex
	read map[string]int
}

func newLedger() *ledger { return &ledger{read: map[string]int{}} }

func (l *ledger) note(m *sarama.ConsumerMessage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read[fmt.Sprintf("%s-%d@%d", m.Topic, m.Partition, m.Offset)]++
}

// waitFor returns when so many records were read.
func (l *ledger) waitFor(c *cluster.Cluster, n int) {
	c.Wait(fmt.Sprintf("%d records", n), func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.read) != n {
			return fmt.Errorf("%d were read", len(l.read))
		}
		return nil
	})
}

// once says that no record was read twice.
func (l *ledger) once(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for record, times := range l.read {
		require.Equal(t, 1, times, record)
	}
}

// member is a legacy consumer whose connections can be cut.
type member struct {
	*legacy.Consumer
	c       *cluster.Cluster
	stop    context.CancelFunc
	reading sync.WaitGroup

	mu struct {
		sync.Mutex
		dead   bool
		conns  []net.Conn
		events []legacy.Event
	}
}

var errDead = errors.New("the consumer was killed")

func (m *member) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := m.c.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.dead {
		_ = conn.Close()
		return nil, errDead
	}
	m.mu.conns = append(m.mu.conns, conn)
	return conn, nil
}

// join starts a member and reads with all its streams into l.
func join(t *testing.T, c *cluster.Cluster, l *ledger, s legacy.Subscription, change ...func(*legacy.Config)) *member {
	t.Helper()
	m, err := tryJoin(t, c, l, s, change...)
	require.NoError(t, err)
	return m
}

func tryJoin(t *testing.T, c *cluster.Cluster, l *ledger, s legacy.Subscription, change ...func(*legacy.Config)) (*member, error) {
	t.Helper()
	m := &member{c: c}
	config := legacy.Config{
		ZooKeeper: c.ZooKeeperConnect(), Group: "g", FromSmallest: true, RebalanceBackoff: 20 * time.Millisecond, RebalanceMaxRetries: 500,
		AutoCommitInterval: 20 * time.Millisecond, OffsetsBackoff: 20 * time.Millisecond, FetchWait: 20 * time.Millisecond, Dial: m.dial,
	}
	config.OnEvent = func(e legacy.Event) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.mu.events = append(m.mu.events, e)
	}
	for _, f := range change {
		f(&config)
	}
	var err error
	if m.Consumer, err = legacy.Start(t.Context(), config, s); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.stop = cancel
	for _, stream := range m.Streams() {
		m.reading.Go(func() {
			for {
				message, err := stream.Next(ctx)
				if err != nil {
					return
				}
				l.note(message)
			}
		})
	}
	t.Cleanup(func() {
		m.stop()
		m.reading.Wait()
		_ = m.Close()
	})
	return m, nil
}

// leave closes a member, whose last commit must succeed.
func (m *member) leave(t *testing.T) {
	t.Helper()
	require.NoError(t, m.Close())
	m.reading.Wait()
}

// kill cuts a member off and has ZooKeeper end its session.
func (m *member) kill(t *testing.T) {
	t.Helper()
	session := m.session(t)
	m.mu.Lock()
	m.mu.dead = true
	for _, conn := range m.mu.conns {
		_ = conn.Close()
	}
	m.mu.Unlock()
	m.c.ZooKeeper().ExpireSession(session)
	m.stop()
	m.reading.Wait()
}

// session is the one that holds a member's registration.
func (m *member) session(t *testing.T) int64 {
	t.Helper()
	_, stat, err := m.c.ZooKeeperClient().Get(t.Context(), znode.ConsumerIDPath("g", m.ID()))
	require.NoError(t, err)
	return stat.EphemeralOwner
}

// happened says whether a member did something.
func (m *member) happened(kind legacy.EventKind) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.mu.events, func(e legacy.Event) bool { return e.Kind == kind })
}

// owners reads /consumers/g/owners/<topic>.
func owners(t *testing.T, c *cluster.Cluster, topic string) map[string]string {
	zk := c.ZooKeeperClient()
	path := znode.ConsumerOwnersPath("g") + "/" + topic
	names, _, err := zk.Children(t.Context(), path)
	if errors.Is(err, zkutil.ErrNoNode) {
		return nil
	}
	require.NoError(t, err)
	owners := map[string]string{}
	for _, name := range names {
		data, _, err := zk.Get(t.Context(), path+"/"+name)
		if err == nil {
			owners[name] = string(data)
		}
	}
	return owners
}

// shared waits until each partition of a topic has an owner, and each member that many of them.
func shared(t *testing.T, c *cluster.Cluster, topic string, want map[*member]int) {
	t.Helper()
	total := 0
	for _, n := range want {
		total += n
	}
	c.Wait(topic+" to be shared", func() error {
		have, all := map[*member]int{}, owners(t, c, topic)
		for _, owner := range all {
			for m := range want {
				if strings.HasPrefix(owner, m.ID()+"-") {
					have[m]++
				}
			}
		}
		for m, n := range want {
			if have[m] != n || len(all) != total {
				return fmt.Errorf("%s has %d, not %d: %v", m.ID(), have[m], n, all)
			}
		}
		return nil
	})
}

// legacyOffset reads an offset's znode, -1 when there is none.
func legacyOffset(t *testing.T, c *cluster.Cluster, group, topic string, partition int32) int64 {
	data, _, err := c.ZooKeeperClient().Get(t.Context(), znode.ConsumerOffsetPath(group, znode.TopicPartition{Topic: topic, Partition: partition}))
	if errors.Is(err, zkutil.ErrNoNode) {
		return -1
	}
	require.NoError(t, err)
	offset, err := znode.DecodeConsumerOffset(data)
	require.NoError(t, err)
	return offset
}

// kafkaOffset asks the group's coordinator, -1 when it has none.
func kafkaOffset(t *testing.T, admin sarama.ClusterAdmin, group, topic string, partition int32) int64 {
	response, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {partition}})
	require.NoError(t, err)
	return response.GetBlock(topic, partition).Offset
}
