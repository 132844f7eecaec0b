package cluster

import (
	"context"
	cryptorand "crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"time"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/identity"
	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// tick is the embedded ZooKeeper's tick: sessions end at most one too late.
func tick(sessionTimeout time.Duration) time.Duration {
	return max(sessionTimeout/30, time.Millisecond)
}

// startZooKeeper starts the embedded ZooKeeper, or makes a chroot in the running one.
func (c *Cluster) startZooKeeper() error {
	if c.options.zookeeper != "" {
		return c.useZooKeeper()
	}
	server, err := zkserver.New(zkserver.Options{
		TickTime: tick(c.options.sessionTimeout), MinSessionTimeout: 2 * tick(c.options.sessionTimeout), MaxSessionTimeout: max(5*time.Minute, c.options.sessionTimeout),
		Users: c.options.users, X509: c.options.zookeeperTLS != nil,
	})
	if err != nil {
		return err
	}
	c.zookeeper = server
	var listener net.Listener
	if c.network != nil {
		listener, err = c.network.Host(zookeeperHost).Listen(":2181")
	} else {
		listener, err = net.Listen("tcp4", "127.0.0.1:0")
	}
	if err != nil {
		return err
	}
	c.connect = listener.Addr().String()
	if c.options.zookeeperTLS != nil {
		listener = tls.NewListener(listener, c.options.zookeeperTLS)
	}
	go func() { _ = server.Serve(listener) }() // ends with the server's Close, which waits for it
	return nil
}

func (c *Cluster) useZooKeeper() error {
	if c.network != nil {
		return fmt.Errorf("%s can't be reached from the in-memory network", c.options.zookeeper)
	}
	var random [8]byte
	_, _ = cryptorand.Read(random[:])
	c.connect = fmt.Sprintf("%s/prekraft-test-%x", strings.TrimSuffix(c.options.zookeeper, "/"), random)
	return nil
}

func (c *Cluster) stopZooKeeper() {
	if c.zookeeper == nil && c.connect != "" {
		c.removeChroot()
	}
	c.mu.Lock()
	client := c.client
	c.client = nil
	c.mu.Unlock()
	if client != nil {
		_ = client.Close()
	}
	if c.zookeeper != nil {
		if err := c.zookeeper.Close(); err != nil {
			c.t.Logf("close ZooKeeper: %v", err)
		}
	}
}

// removeChroot deletes what the cluster kept in a running ZooKeeper.
func (c *Cluster) removeChroot() {
	at := strings.LastIndexByte(c.connect, '/')
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := c.connectAs(ctx, zkutil.Config{Connect: c.connect[:at], SessionTimeout: DefaultSessionTimeout})
	if err == nil {
		err = client.DeleteRecursive(ctx, c.connect[at:])
		_ = client.Close()
	}
	if err != nil {
		c.t.Logf("delete %s: %v", c.connect, err)
	}
}

// connectAs opens a session with the identity that the brokers' configs give them.
func (c *Cluster) connectAs(ctx context.Context, cfg zkutil.Config) (*zkutil.Client, error) {
	base := maps.Clone(c.options.set)
	base[string(config.ZooKeeperConnect)] = c.connect
	set, err := config.Load(config.Sources{Base: base})
	if err != nil {
		return nil, err
	}
	who, err := identity.Of(set)
	if err != nil {
		return nil, err
	}
	cfg.SASL, cfg.TLS = who.SASL, who.TLS
	return zkutil.Connect(ctx, cfg)
}

// ZooKeeper is the embedded ZooKeeper with its faults; nil with a running one.
func (c *Cluster) ZooKeeper() *zkserver.Server { return c.zookeeper }

// ZooKeeperConnect is the brokers' zookeeper.connect.
func (c *Cluster) ZooKeeperConnect() string { return c.connect }

// zookeeperAddresses are the servers in zookeeper.connect.
func (c *Cluster) zookeeperAddresses() []string {
	servers, _, _ := strings.Cut(c.connect, "/")
	return strings.Split(servers, ",")
}

// controller reads who the controller is from ZooKeeper; -1 for none.
func (c *Cluster) controller() (id, epoch int32, err error) {
	owner, ownerExists, err := c.znode(znode.ControllerPath)
	if err != nil {
		return -1, 0, err
	}
	epochData, epochExists, err := c.znode(znode.ControllerEpochPath)
	if err != nil {
		return -1, 0, err
	}
	id = -1
	if ownerExists {
		decoded, err := znode.DecodeController(owner)
		if err != nil {
			return -1, 0, err
		}
		id = decoded.BrokerID
	}
	if epochExists {
		decoded, err := znode.DecodeControllerEpoch(epochData)
		if err != nil {
			return -1, 0, err
		}
		epoch = int32(decoded)
	}
	return id, epoch, nil
}

// znode reads a znode; from inside the embedded server, so that faults of connections don't keep a test from looking.
func (c *Cluster) znode(path string) (data []byte, exists bool, err error) {
	if c.zookeeper != nil {
		c.zookeeper.Do(func(v *zkserver.View) { data, _, exists = v.Get(path) })
		return data, exists, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.options.patience)
	defer cancel()
	data, _, err = c.ZooKeeperClient().Get(ctx, path)
	if errors.Is(err, zkutil.ErrNoNode) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// ZooKeeperClient is a client of the cluster's ZooKeeper, for assertions. It is made on first use and closed with the cluster. It has a session of its own, which
// faults on all connections hit too.
func (c *Cluster) ZooKeeperClient() *zkutil.Client {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client != nil {
		return c.client
	}
	cfg := zkutil.Config{Connect: c.connect, SessionTimeout: max(c.options.sessionTimeout, DefaultSessionTimeout)}
	if c.network != nil {
		cfg.Dial = c.network.Host(clientHost).DialContext
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.options.patience)
	defer cancel()
	client, err := c.connectAs(ctx, cfg)
	if err != nil {
		c.t.Fatalf("connect to the cluster's ZooKeeper: %v", err)
	}
	c.client = client
	return client
}
