package interop

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
)

// maker says whose broker a node runs.
type maker string

const (
	apache maker = "apache"
	ours   maker = "prekraft"
)

// node is a broker with its directory; either maker's broker can be started on it, one after the other.
type node struct {
	t       testing.TB
	maker   maker
	id      int32
	address string
	connect string // zookeeper.connect
	dir     string
	props   map[string]string
	system  []string // -Dname=value: to Java itself, to ours in KAFKA_OPTS, as people's environments have it
	p       *process
}

// newNode prepares a broker; extra properties are key=value.
func newNode(t testing.TB, m maker, connect string, id int32, extra ...string) *node {
	t.Helper()
	n := &node{t: t, maker: m, id: id, address: freeAddress(t), connect: connect, dir: t.TempDir()}
	n.props = map[string]string{
		"broker.id":                                fmt.Sprint(id),
		"zookeeper.connect":                        connect,
		"listeners":                                "PLAINTEXT://" + n.address,
		"log.dirs":                                 filepath.Join(n.dir, "data"),
		"zookeeper.session.timeout.ms":             "6000",
		"offsets.topic.replication.factor":         "1",
		"transaction.state.log.replication.factor": "1",
		"transaction.state.log.min.isr":            "1",
		"auto.create.topics.enable":                "false",
		"log.cleaner.dedupe.buffer.size":           "4194304",
		"num.network.threads":                      "2",
		"num.io.threads":                           "2",
	}
	for _, kv := range extra {
		key, value, _ := strings.Cut(kv, "=")
		n.props[key] = value
	}
	return n
}

func (n *node) data() string { return filepath.Join(n.dir, "data") }

// launch starts the process without waiting for it.
func (n *node) launch() {
	n.t.Helper()
	config := filepath.Join(n.dir, "server.properties")
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(n.props)) {
		fmt.Fprintf(&b, "%s=%s\n", key, n.props[key])
	}
	require.NoError(n.t, os.WriteFile(config, []byte(b.String()), 0o600))
	argv := []string{prekraft(), "broker", "--config", config}
	if n.maker == apache {
		argv = append(withSystem(java(n.t, n.dir, 384, "INFO", "kafka.Kafka"), n.system), config)
	} else if len(n.system) > 0 {
		argv = append([]string{"env", "KAFKA_OPTS=" + strings.Join(n.system, " ")}, argv...)
	}
	n.p = start(n.t, n.dir, string(n.maker), argv...)
}

// ready waits until the broker serves metadata in which it stands itself.
func (n *node) ready() {
	n.t.Helper()
	n.p.await("served metadata with itself in it", func() bool { return slices.Contains(liveBrokers(n.address), n.id) })
}

func (n *node) start() {
	n.t.Helper()
	n.launch()
	n.ready()
}

// liveBrokers asks one broker who lives; nothing when it doesn't answer.
func liveBrokers(address string) []int32 {
	b := sarama.NewBroker(address)
	if b.Open(saramaConfig()) != nil {
		return nil
	}
	defer b.Close()
	m, err := b.GetMetadata(&sarama.MetadataRequest{Version: 9, Topics: []string{}})
	if err != nil {
		return nil
	}
	var ids []int32
	for _, live := range m.Brokers {
		ids = append(ids, live.ID())
	}
	slices.Sort(ids)
	return ids
}

// cluster is a handful of nodes on one ZooKeeper.
type cluster struct {
	t     testing.TB
	nodes []*node
}

// newCluster starts brokers 1 to n of one maker, broker 1 as controller.
func newCluster(t testing.TB, m maker, connect string, count int, extra ...string) *cluster {
	t.Helper()
	return newClusterWith(t, nil, m, connect, count, extra...)
}

// newClusterWith is newCluster with system properties.
func newClusterWith(t testing.TB, system []string, m maker, connect string, count int, extra ...string) *cluster {
	t.Helper()
	c := &cluster{t: t}
	for id := range count {
		n := newNode(t, m, connect, int32(id+1), extra...)
		n.system = system
		c.nodes = append(c.nodes, n)
		n.launch()
		if id == 0 {
			n.ready()
		}
	}
	for _, n := range c.nodes {
		n.ready()
	}
	c.agreed()
	return c
}

// agreed waits until every running broker knows every running broker.
func (c *cluster) agreed() {
	c.t.Helper()
	var want []int32
	for _, n := range c.nodes {
		if n.p != nil && !n.p.ended() {
			want = append(want, n.id)
		}
	}
	for _, n := range c.nodes {
		if n.p != nil && !n.p.ended() {
			n.p.await(fmt.Sprintf("knew brokers %v", want), func() bool { return slices.Equal(liveBrokers(n.address), want) })
		}
	}
}

func (c *cluster) bootstrap() string {
	var a []string
	for _, n := range c.nodes {
		a = append(a, n.address)
	}
	return strings.Join(a, ",")
}

func (c *cluster) addresses() []string { return strings.Split(c.bootstrap(), ",") }

// admin gives a sarama admin client that ends with the test.
func (c *cluster) admin(t testing.TB) sarama.ClusterAdmin {
	t.Helper()
	admin, err := sarama.NewClusterAdmin(c.addresses(), saramaConfig())
	require.NoError(t, err)
	t.Cleanup(func() { _ = admin.Close() })
	return admin
}

// led waits until every broker that runs names a leader for all partitions of a topic.
func (c *cluster) led(topic string, partitions int) {
	c.t.Helper()
	for _, n := range c.nodes {
		if n.p == nil || n.p.ended() {
			continue
		}
		eventually(c.t, fmt.Sprintf("%d partitions of %s have leaders on broker %d", partitions, topic, n.id), func() bool {
			leaders := leadersOf(n.address, topic)
			return len(leaders) == partitions && !slices.Contains(leaders, -1)
		}, n.p.tail)
	}
}

// leadersOf asks one broker for the leaders of a topic, by partition.
func leadersOf(address, topic string) []int32 {
	b := sarama.NewBroker(address)
	if b.Open(saramaConfig()) != nil {
		return nil
	}
	defer b.Close()
	m, err := b.GetMetadata(&sarama.MetadataRequest{Version: 9, Topics: []string{topic}})
	if err != nil || len(m.Topics) != 1 || m.Topics[0].Err != sarama.ErrNoError {
		return nil
	}
	leaders := make([]int32, len(m.Topics[0].Partitions))
	for _, p := range m.Topics[0].Partitions {
		if int(p.ID) < len(leaders) {
			leaders[p.ID] = p.Leader
		}
	}
	return leaders
}

func saramaConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V3_9_0_0
	config.Net.DialTimeout, config.Net.ReadTimeout, config.Net.WriteTimeout = 5*time.Second, 30*time.Second, 30*time.Second
	config.Admin.Timeout = 30 * time.Second // a busy machine's JVM may take longer than the 3 s of the default
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes, config.Producer.Return.Errors = true, true
	config.Consumer.Return.Errors = true
	return config
}
