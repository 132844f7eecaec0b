package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/prekraft/prekraft/broker"
	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/integration/links"
	"github.com/prekraft/prekraft/integration/memnet"
	"github.com/prekraft/prekraft/integration/process"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/zkserver"
)

// listenerName is the one listener of the brokers.
const listenerName = "PLAINTEXT"

// Names on the in-memory network.
const (
	clientHost    = "client"
	zookeeperHost = "zookeeper"
	brokerPort    = 9092
)

// Cluster is a running cluster. Methods that can fail the test must be called from its goroutine; the others may be called from any.
type Cluster struct {
	t       testing.TB
	options *options
	network *memnet.Network // nil on the machine's network
	links   *links.Links
	disks   disks

	zookeeper *zkserver.Server // nil with a running ZooKeeper
	connect   string           // zookeeper.connect
	client    *zkutil.Client   // for assertions

	mu      sync.Mutex // guards the rest
	members map[int32]*member
}

// member is a broker's place in the cluster, whether or not it runs.
type member struct {
	id      int32
	host    string
	port    int
	release func()
	log     *logrus.Logger
	broker  *broker.Broker // nil while it doesn't run
	session int64          // the last ZooKeeper session that is known
}

// Start starts a cluster and returns when it is ready. It ends with t.
func Start(t testing.TB, opts ...Option) *Cluster {
	t.Helper()
	withoutMetrics()
	c := &Cluster{t: t, options: newOptions(opts), members: map[int32]*member{}, links: links.New()}
	if c.options.dataDir == "" {
		c.options.dataDir = t.TempDir()
	}
	if c.options.inMemory {
		c.network = memnet.New()
		c.links.Changed = c.relay
		c.network.Host(clientHost)
	}
	// The cleanup is there before the first part is, so that a start that fails leaves nothing either.
	t.Cleanup(c.stop)
	if err := c.startZooKeeper(); err != nil {
		t.Fatalf("start ZooKeeper: %v", err)
	}
	ids := make([]int32, c.options.brokers)
	for i := range ids {
		ids[i] = int32(i + 1)
	}
	if err := c.startAll(ids); err != nil {
		t.Fatalf("start the cluster: %v", err)
	}
	c.WaitReady()
	return c
}

// startAll starts brokers side by side.
func (c *Cluster) startAll(ids []int32) error {
	failed := make(chan error, len(ids))
	for _, id := range ids {
		go func() { failed <- c.TryStart(id) }()
	}
	var errs []error
	for range ids {
		errs = append(errs, <-failed)
	}
	return errors.Join(errs...)
}

// member returns a broker's place, made when it is new.
func (c *Cluster) member(id int32) (*member, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.members[id]; m != nil {
		return m, nil
	}
	m := &member{id: id, host: "127.0.0.1", release: func() {}}
	if c.network != nil {
		m.host, m.port = fmt.Sprintf("broker-%d", id), brokerPort
		c.network.Host(m.host)
	} else {
		var err error
		if m.port, m.release, err = process.ReservePort(); err != nil {
			return nil, err
		}
	}
	if c.options.logger != nil {
		m.log = c.options.logger(id)
	} else {
		m.log = keptLog(c.t, id)
	}
	c.members[id] = m
	return m, nil
}

// Dir is the directory of a broker's data: log.dirs, unless Set or BrokerSet says otherwise.
func (c *Cluster) Dir(id int32) string {
	return filepath.Join(c.options.dataDir, fmt.Sprintf("broker-%d", id))
}

// BrokerOptions returns what a broker of this cluster is made of, with further configs. It is for tests that start a broker by hand, such as one that must be refused.
// What they start, they close.
func (c *Cluster) BrokerOptions(id int32, set map[string]string) (broker.Options, error) {
	m, err := c.member(id)
	if err != nil {
		return broker.Options{}, err
	}
	base := map[string]string{
		"broker.id": strconv.Itoa(int(id)), "zookeeper.connect": c.connect, "zookeeper.session.timeout.ms": strconv.FormatInt(c.options.sessionTimeout.Milliseconds(), 10),
		// Kafka's default is the session timeout, which may be short here, and a busy machine slow to start.
		"zookeeper.connection.timeout.ms": strconv.FormatInt(c.options.patience.Milliseconds(), 10),
		"listeners":                       listenerName + "://" + net.JoinHostPort(m.host, strconv.Itoa(m.port)), "log.dirs": c.Dir(id),
		// Groups work with as few brokers as there are, and begin at once.
		"offsets.topic.replication.factor": strconv.Itoa(min(c.options.brokers, 3)), "group.initial.rebalance.delay.ms": "0",
	}
	for _, more := range []map[string]string{c.options.set, c.options.brokerSet[id], set} {
		maps.Copy(base, more)
	}
	cfg, err := config.Load(config.Sources{Base: base, BaseName: "test"})
	if err != nil {
		return broker.Options{}, err
	}
	o := broker.Options{Config: cfg, Logger: m.log, BeforeAppend: c.disks.hook(c, id)}
	if c.network != nil {
		host := c.network.Host(m.host)
		o.Listen, o.Dial, o.DialZooKeeper = host.ListenContext, host.DialContext, host.DialContext
	} else {
		o.Dial, o.DialZooKeeper = c.dialer(id), c.dialer(id)
	}
	return o, nil
}

// TryStart is Start with an error instead of a test that fails. It doesn't wait until the broker is ready.
func (c *Cluster) TryStart(id int32) error {
	m, err := c.member(id)
	if err != nil {
		return err
	}
	if c.Broker(id) != nil {
		return fmt.Errorf("broker %d runs already", id)
	}
	o, err := c.BrokerOptions(id, nil)
	if err != nil {
		return err
	}
	b, err := broker.New(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.options.patience)
	defer cancel()
	if err := b.Start(ctx); err != nil {
		closed, cancel := context.WithCancel(ctx)
		cancel()
		return fmt.Errorf("broker %d: %w", id, errors.Join(err, b.Close(closed)))
	}
	c.mu.Lock()
	m.broker = b
	c.mu.Unlock()
	return nil
}

// Start starts a broker that was stopped or killed, on its directories and its address, or a new one; it returns when the whole cluster knows it.
func (c *Cluster) Start(id int32) {
	c.t.Helper()
	if err := c.TryStart(id); err != nil {
		c.t.Fatal(err)
	}
	c.WaitReady()
}

// Kill ends a broker as kill -9 does: nothing is flushed, marked clean or told to anybody.
func (c *Cluster) Kill(id int32) {
	c.t.Helper()
	c.take(id).Kill()
}

// Stop stops a broker cleanly.
func (c *Cluster) Stop(id int32) {
	c.t.Helper()
	if err := c.close(c.take(id)); err != nil {
		c.t.Fatalf("stop broker %d: %v", id, err)
	}
}

// Restart stops a broker cleanly and starts it again.
func (c *Cluster) Restart(id int32) {
	c.t.Helper()
	c.Stop(id)
	c.Start(id)
}

// take returns a running broker and counts it as not running from now on.
func (c *Cluster) take(id int32) *broker.Broker {
	c.t.Helper()
	b := c.running(id)
	session := b.ZooKeeper().Session().ID
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members[id].broker = nil
	c.members[id].session = session
	return b
}

func (c *Cluster) close(b *broker.Broker) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.options.patience)
	defer cancel()
	return b.Close(ctx)
}

// ExpireSession makes ZooKeeper end a broker's session, as if nothing had been heard of the broker for too long. With a broker that was killed, it is that broker's last
// session. It needs the embedded ZooKeeper.
func (c *Cluster) ExpireSession(id int32) {
	c.t.Helper()
	if c.zookeeper == nil {
		c.t.Fatal("ExpireSession needs the embedded ZooKeeper")
	}
	c.mu.Lock()
	m := c.members[id]
	c.mu.Unlock()
	if m == nil {
		c.t.Fatalf("there is no broker %d", id)
		return
	}
	session := m.session
	if b := c.Broker(id); b != nil {
		session = b.ZooKeeper().Session().ID
	}
	c.zookeeper.ExpireSession(session) // false when it is over already
}

// Broker returns a running broker, nil when it doesn't run.
func (c *Cluster) Broker(id int32) *broker.Broker {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.members[id]; m != nil {
		return m.broker
	}
	return nil
}

// running is Broker for a broker that must run.
func (c *Cluster) running(id int32) *broker.Broker {
	c.t.Helper()
	b := c.Broker(id)
	if b == nil {
		c.t.Fatalf("broker %d doesn't run", id)
	}
	return b
}

// IDs returns the ids of the running brokers, ascending.
func (c *Cluster) IDs() []int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []int32
	for id, m := range c.members {
		if m.broker != nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Addr is a broker's address, running or not.
func (c *Cluster) Addr(id int32) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.members[id]
	if m == nil {
		return ""
	}
	return net.JoinHostPort(m.host, strconv.Itoa(m.port))
}

// Bootstrap returns the addresses of all brokers, running or not, by id.
func (c *Cluster) Bootstrap() []string {
	c.mu.Lock()
	all := slices.SortedFunc(maps.Values(c.members), func(a, b *member) int { return cmp.Compare(a.id, b.id) })
	c.mu.Unlock()
	addresses := make([]string, len(all))
	for i, m := range all {
		addresses[i] = c.Addr(m.id)
	}
	return addresses
}

// Events is a running broker's stream of events.
func (c *Cluster) Events(id int32) *telemetry.Bus {
	c.t.Helper()
	return c.running(id).Events()
}

// Network is the in-memory network, nil on the machine's own. Its hosts are broker-<id>, zookeeper and client.
func (c *Cluster) Network() *memnet.Network { return c.network }

// stop ends everything. The brokers stop side by side and wait for nothing: nobody is left to take over leaderships.
func (c *Cluster) stop() {
	c.links.HealAll()
	c.disks.free()
	atOnce, cancel := context.WithCancel(context.Background())
	cancel()
	var running sync.WaitGroup
	for _, id := range c.IDs() {
		b := c.Broker(id)
		running.Go(func() {
			if err := b.Close(atOnce); err != nil && !errors.Is(err, context.Canceled) {
				c.t.Logf("close broker %d: %v", b.ID(), err)
			}
		})
	}
	running.Wait()
	c.stopZooKeeper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		m.release()
	}
	if inBubble() {
		// A closed sarama consumer has goroutines that look up from a short sleep before they end. A bubble's clock stands still once its test is over, so they get
		// their (virtual) time here.
		<-time.After(time.Second)
	}
}
