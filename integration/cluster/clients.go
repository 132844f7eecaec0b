package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/rcrowley/go-metrics"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/clients/kafka"
)

// maxWait bounds the long polls of consumers: closing a partition consumer waits for the one under way.
const maxWait = 50 * time.Millisecond

// dialTimeout is how long connecting behind a cut takes to fail.
const dialTimeout = 10 * time.Second

// Config returns the sarama configuration that clients/kafka recommends, for this cluster: it connects through DialContext, and closes quickly.
// It belongs to the caller.
func (c *Cluster) Config() *sarama.Config {
	config := kafka.NewConfig("cluster-test")
	config.Consumer.MaxWaitTime = maxWait
	config.Net.Proxy.Enable = true
	config.Net.Proxy.Dialer = proxyDialer{c}
	return config
}

// proxyDialer is sarama's idea of a dialer.
type proxyDialer struct{ cluster *Cluster }

// Dial connects over the cluster's network.
func (d proxyDialer) Dial(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	return d.cluster.DialContext(ctx, network, address)
}

// DialContext connects a client to an address of the cluster, on whichever network that is, so that faults between the brokers and Clients hit the connection.
func (c *Cluster) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if c.network != nil {
		return c.network.Host(clientHost).DialContext(ctx, network, address)
	}
	return c.dialer(Clients)(ctx, network, address)
}

// config is Config, changed as its caller wants.
func (c *Cluster) config(change []func(*sarama.Config)) *sarama.Config {
	config := c.Config()
	for _, f := range change {
		f(config)
	}
	return config
}

// Client returns a sarama client of the cluster. It is closed with t, as are those of the following methods.
func (c *Cluster) Client(t testing.TB, change ...func(*sarama.Config)) sarama.Client {
	t.Helper()
	client, err := sarama.NewClient(c.Bootstrap(), c.config(change))
	return opened(t, client, err)
}

// Admin returns a cluster admin.
func (c *Cluster) Admin(t testing.TB, change ...func(*sarama.Config)) sarama.ClusterAdmin {
	t.Helper()
	admin, err := sarama.NewClusterAdmin(c.Bootstrap(), c.config(change))
	return opened(t, admin, err)
}

// SyncProducer returns a producer that waits for each record: acks=all and idempotent, unless change says otherwise.
func (c *Cluster) SyncProducer(t testing.TB, change ...func(*sarama.Config)) sarama.SyncProducer {
	t.Helper()
	newProducer := sarama.NewSyncProducer
	if inBubble() {
		newProducer = newBubbleProducer
	}
	producer, err := newProducer(c.Bootstrap(), c.config(change))
	return opened(t, producer, err)
}

// AsyncProducer returns a producer that doesn't wait. Its successes and errors must be read; closing it reads what is left.
func (c *Cluster) AsyncProducer(t testing.TB, change ...func(*sarama.Config)) sarama.AsyncProducer {
	t.Helper()
	producer, err := sarama.NewAsyncProducer(c.Bootstrap(), c.config(change))
	return opened(t, producer, err)
}

// Consumer returns a consumer of partitions.
func (c *Cluster) Consumer(t testing.TB, change ...func(*sarama.Config)) sarama.Consumer {
	t.Helper()
	consumer, err := sarama.NewConsumer(c.Bootstrap(), c.config(change))
	return opened(t, consumer, err)
}

// opened gives a client to its test, which closes it.
func opened[T io.Closer](t testing.TB, one T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatalf("open a client: %v", err)
	}
	t.Cleanup(func() {
		if err := one.Close(); err != nil && !errors.Is(err, sarama.ErrClosedClient) {
			t.Logf("close a client: %v", err)
		}
	})
	return one
}

// Dial returns a connection to one broker that speaks the protocol's structs (broker/wire). It is closed with t.
func (c *Cluster) Dial(t testing.TB, id int32) *network.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), c.options.patience)
	defer cancel()
	client, err := network.Dial(ctx, network.DialConfig{Dial: c.DialContext, ClientID: "cluster-test"}, c.Addr(id))
	return opened(t, client, err)
}

// withoutMetrics turns go-metrics, which sarama counts with, off in this process: its first meter starts a goroutine that never ends, which a test would be blamed for, and
// whose ticker keeps a bubble's clock from moving. sarama.Config.MetricRegistry isn't enough: fetch requests count in the library's default registry. The switch is a
// variable of the library, hence once, before the first client of a cluster can exist.
var withoutMetrics = sync.OnceFunc(func() { metrics.UseNilMetrics = true })
