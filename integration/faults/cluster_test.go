//go:build linux

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/process"
)

const (
	topic      = "orders"
	partitions = 4
	brokers    = 3

	sessionTimeout = 4 * time.Second
	patience       = 90 * time.Second // for a cluster to be whole again, on a busy machine
	lookEvery      = 50 * time.Millisecond
)

// node is a broker with its directory and its fronts.
type node struct {
	id       int32
	name     string // on the switchboard
	dir      string
	data     string
	config   string
	direct   string // its client listener itself, for looking at it
	admin    string
	fronts   []*front // of its listeners
	outgoing *front   // of ZooKeeper, for this broker
	client   *front

	process *process.Process // nil while it doesn't run
}

// cluster is a ZooKeeper and three brokers, processes all.
type cluster struct {
	dir    string
	binary string
	log    func(format string, args ...any)
	board  *switchboard
	nodes  []*node

	zookeeperAddress string
	zookeeper        *process.Process

	undo      []func()
	following sync.WaitGroup
	stopTails context.CancelFunc
	tails     context.Context
}

// startCluster starts a cluster whose files are in dir. The caller must stop it, even after an error.
func startCluster(ctx context.Context, dir, binary string, log func(string, ...any)) (*cluster, error) {
	c := &cluster{dir: dir, binary: binary, log: log, board: newSwitchboard()}
	c.tails, c.stopTails = context.WithCancel(context.Background())
	var err error
	if c.zookeeperAddress, err = c.reserve(); err != nil {
		return c, err
	}
	if err := c.startZooKeeper(ctx); err != nil {
		return c, err
	}
	for id := int32(1); id <= brokers; id++ {
		if err := c.addNode(id); err != nil {
			return c, err
		}
	}
	for _, n := range c.nodes {
		if err := c.start(n); err != nil {
			return c, err
		}
	}
	for _, n := range c.nodes {
		if err := c.serving(ctx, n); err != nil {
			return c, err
		}
	}
	if err := c.createTopic(ctx); err != nil {
		return c, err
	}
	return c, c.healthy(ctx)
}

// reserve takes a port for the cluster's life.
func (c *cluster) reserve() (string, error) {
	port, release, err := process.ReservePort()
	if err != nil {
		return "", err
	}
	c.undo = append(c.undo, release)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), nil
}

// front makes a front of a server.
func (c *cluster) front(target, owner, source string) (*front, error) {
	address, err := c.reserve()
	if err != nil {
		return nil, err
	}
	f := &front{board: c.board, address: address, target: target, owner: owner, source: source}
	c.undo = append(c.undo, f.down)
	return f, nil
}

func (c *cluster) addNode(id int32) error {
	n := &node{id: id, name: fmt.Sprintf("broker-%d", id)}
	n.dir = filepath.Join(c.dir, n.name)
	n.data, n.config = filepath.Join(n.dir, "data"), filepath.Join(n.dir, "server.properties")
	if err := os.MkdirAll(n.data, 0o755); err != nil {
		return err
	}
	if id == brokers { // one broker has a disk of its own, which can be filled
		if err := c.mount(n.data); err != nil {
			c.log("SKIPPED: full disks: %v", err)
		}
	}
	internal, err := c.reserve()
	if err != nil {
		return err
	}
	if n.direct, err = c.reserve(); err != nil {
		return err
	}
	if n.admin, err = c.reserve(); err != nil {
		return err
	}
	between, err := c.front(internal, n.name, "")
	if err != nil {
		return err
	}
	if n.client, err = c.front(n.direct, n.name, "client"); err != nil {
		return err
	}
	n.fronts = []*front{between, n.client}
	if n.outgoing, err = c.front(c.zookeeperAddress, "zookeeper", n.name); err != nil {
		return err
	}
	if err := n.outgoing.up(); err != nil {
		return err
	}
	c.nodes = append(c.nodes, n)
	return os.WriteFile(n.config, []byte(strings.Join([]string{
		"broker.id=" + strconv.Itoa(int(id)),
		"zookeeper.connect=" + n.outgoing.address,
		"zookeeper.session.timeout.ms=" + strconv.FormatInt(sessionTimeout.Milliseconds(), 10),
		"listeners=INTERNAL://" + internal + ",CLIENT://" + n.direct,
		"advertised.listeners=INTERNAL://" + between.address + ",CLIENT://" + n.client.address,
		"listener.security.protocol.map=INTERNAL:PLAINTEXT,CLIENT:PLAINTEXT",
		"inter.broker.listener.name=INTERNAL",
		"admin.listener=" + n.admin,
		"log.dirs=" + n.data,
		"min.insync.replicas=2",
		"default.replication.factor=3",
		"offsets.topic.replication.factor=3",
		"unclean.leader.election.enable=false",
		"replica.lag.time.max.ms=4000",
		"replica.socket.timeout.ms=6000",
		"controller.socket.timeout.ms=6000",
		"request.timeout.ms=8000",
		"replica.high.watermark.checkpoint.interval.ms=1000",
		"log.flush.offset.checkpoint.interval.ms=2000",
		"leader.imbalance.check.interval.seconds=5",
		"log.segment.bytes=262144",
		"log.retention.ms=-1",
		"",
	}, "\n")), 0o600)
}

func (c *cluster) startZooKeeper(ctx context.Context) error {
	p, err := process.Start(filepath.Join(c.dir, "zookeeper"), "zookeeper", c.binary, "zookeeper", "--listen", c.zookeeperAddress, "--data-dir", "data", "--log-level", "warn")
	if err != nil {
		return err
	}
	c.zookeeper = p
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return p.Await(ctx, "listening", func() error {
		conn, err := net.Dial("tcp4", c.zookeeperAddress)
		if err == nil {
			conn.Close()
		}
		return err
	})
}

// start starts a broker without waiting for it.
func (c *cluster) start(n *node) error {
	p, err := process.Start(n.dir, "broker", c.binary, "broker", "--config", n.config, "--log-level", "debug")
	if err != nil {
		return err
	}
	n.process = p
	c.following.Go(func() { c.follow(n.admin, filepath.Join(n.dir, "events.jsonl"), p) })
	for _, f := range n.fronts {
		if err := f.up(); err != nil {
			return err
		}
	}
	return nil
}

// follow appends a broker's events to a file, as long as its process lives.
func (c *cluster) follow(admin, path string, p *process.Process) {
	ctx, cancel := context.WithCancel(c.tails)
	defer cancel()
	go func() { // ends with cancel
		select {
		case <-p.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	var resp *http.Response
	err := p.Await(ctx, "served events", func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/events?follow=true", nil)
		if err == nil {
			resp, err = http.DefaultClient.Do(req)
		}
		return err
	})
	if err != nil {
		return // it never came as far
	}
	defer resp.Body.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.log("%s: %v", path, err)
		return
	}
	defer out.Close()
	_, _ = io.Copy(out, resp.Body) // ends with the broker
}

// kill ends a broker as kill -9 does; its address refuses connections from then on.
func (c *cluster) kill(n *node) {
	n.process.Kill()
	c.gone(n)
}

func (c *cluster) gone(n *node) {
	n.process = nil
	for _, f := range n.fronts {
		f.down()
	}
}

// serving waits until a broker serves clients.
func (c *cluster) serving(ctx context.Context, n *node) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return n.process.Await(ctx, "served clients", func() error {
		_, err := describe(ctx, n.direct)
		return err
	})
}

// ask sends one request on a connection of its own.
func ask[T wire.Response](ctx context.Context, address string, request wire.Request, version int16) (T, error) {
	var none T
	client, err := network.Dial(ctx, network.DialConfig{ClientID: "look", SetupTimeout: 2 * time.Second, RequestTimeout: 5 * time.Second}, address)
	if err != nil {
		return none, err
	}
	defer client.Close()
	response, err := client.Do(ctx, request, version)
	if err != nil {
		return none, err
	}
	return response.(T), nil
}

// describe asks one broker about the cluster.
func describe(ctx context.Context, address string) (*wire.MetadataResponse, error) {
	name := topic
	return ask[*wire.MetadataResponse](ctx, address, &wire.MetadataRequest{Topics: []wire.MetadataRequestTopic{{Name: &name}}}, 9)
}

func (c *cluster) createTopic(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	for {
		for _, n := range c.nodes {
			resp, err := ask[*wire.CreateTopicsResponse](ctx, n.direct, &wire.CreateTopicsRequest{
				TimeoutMs: 10_000, Topics: []wire.CreateTopicsRequestTopic{{Name: topic, NumPartitions: partitions, ReplicationFactor: brokers}},
			}, 5)
			if err != nil {
				last = err
				continue
			}
			switch code := resp.Topics[0].ErrorCode; code {
			case wire.None, wire.TopicAlreadyExists:
				return nil
			default:
				last = code
			}
		}
		if err := pause(ctx, lookEvery); err != nil {
			return fmt.Errorf("create the topic: %w", errors.Join(err, last))
		}
	}
}

// pause waits; it is for the schedule of faults and the pace of clients, never for something to happen.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// whole says why the cluster isn't: every broker must know three brokers, one controller, and for each partition the same leader and three in-sync replicas.
func (c *cluster) whole(ctx context.Context) error {
	var first *wire.MetadataResponse
	for _, n := range c.nodes {
		if n.process.Ended() {
			return fmt.Errorf("%s has ended: %w", n.name, n.process.Err())
		}
		m, err := describe(ctx, n.direct)
		if err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
		if len(m.Brokers) != brokers {
			return fmt.Errorf("%s knows %d brokers", n.name, len(m.Brokers))
		}
		if m.ControllerID < 0 {
			return fmt.Errorf("%s knows no controller", n.name)
		}
		if len(m.Topics) != 1 || len(m.Topics[0].Partitions) != partitions {
			return fmt.Errorf("%s doesn't know the topic", n.name)
		}
		slices.SortFunc(m.Topics[0].Partitions, func(a, b wire.MetadataResponsePartition) int { return int(a.PartitionIndex - b.PartitionIndex) })
		for i, p := range m.Topics[0].Partitions {
			if p.LeaderID < 0 || len(p.IsrNodes) != brokers {
				return fmt.Errorf("%s: %s-%d has leader %d in epoch %d and the ISR %v", n.name, topic, i, p.LeaderID, p.LeaderEpoch, p.IsrNodes)
			}
			if first != nil {
				if q := first.Topics[0].Partitions[i]; q.LeaderID != p.LeaderID || q.LeaderEpoch != p.LeaderEpoch {
					return fmt.Errorf("%s: %s-%d has leader %d in epoch %d, elsewhere %d in %d", n.name, topic, i, p.LeaderID, p.LeaderEpoch, q.LeaderID, q.LeaderEpoch)
				}
			}
		}
		if first == nil {
			first = m
		} else if first.ControllerID != m.ControllerID {
			return fmt.Errorf("%s takes %d for the controller, another %d", n.name, m.ControllerID, first.ControllerID)
		}
	}
	return nil
}

// healthy waits until the cluster is whole.
func (c *cluster) healthy(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	for {
		err := c.whole(limited)
		if err == nil {
			return nil
		}
		if limited.Err() != nil {
			return fmt.Errorf("the cluster isn't whole %v after the fault was healed: %w", patience, errors.Join(last, limited.Err()))
		}
		last = err
		_ = pause(limited, lookEvery)
	}
}

// look asks every broker about the cluster at once. Whoever doesn't answer soon, being stopped, doesn't count.
func (c *cluster) look(ctx context.Context) []*wire.MetadataResponse {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	answers := make([]*wire.MetadataResponse, len(c.nodes))
	var all sync.WaitGroup
	for i, n := range c.nodes {
		all.Go(func() {
			if m, err := describe(ctx, n.direct); err == nil {
				answers[i] = m
			}
		})
	}
	all.Wait()
	return slices.DeleteFunc(answers, func(m *wire.MetadataResponse) bool { return m == nil })
}

// controller is the broker that the first to know one takes for the controller; any when none is known.
func (c *cluster) controller(ctx context.Context) *node {
	for _, m := range c.look(ctx) {
		if m.ControllerID > 0 {
			return c.nodes[m.ControllerID-1]
		}
	}
	return c.nodes[0]
}

// leader is a partition's leader, as who knows the latest epoch has it; any broker when none is known.
func (c *cluster) leader(ctx context.Context, partition int32) *node {
	leader, epoch := c.nodes[0], int32(-1)
	for _, m := range c.look(ctx) {
		if len(m.Topics) != 1 {
			continue
		}
		for _, p := range m.Topics[0].Partitions {
			if p.PartitionIndex == partition && p.LeaderID > 0 && p.LeaderEpoch > epoch {
				leader, epoch = c.nodes[p.LeaderID-1], p.LeaderEpoch
			}
		}
	}
	return leader
}

// partitionDir is where a broker keeps a partition.
func (n *node) partitionDir(partition int) string {
	return filepath.Join(n.data, fmt.Sprintf("%s-%d", topic, partition))
}

// sameLogs waits until every replica of every partition has the same bytes, while nobody writes, and returns the values of each partition.
func (c *cluster) sameLogs(ctx context.Context) ([][]string, error) {
	logs := make([][]string, partitions)
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for p := range partitions {
		for {
			log, err := c.sameLog(p)
			if err == nil {
				if logs[p], err = decodeLog(log); err != nil {
					return nil, fmt.Errorf("%s-%d: %w", topic, p, err)
				}
				break
			}
			if limited.Err() != nil {
				return nil, err
			}
			_ = pause(limited, lookEvery)
		}
	}
	return logs, nil
}

func (c *cluster) sameLog(partition int) ([]byte, error) {
	var log []byte
	for i, n := range c.nodes {
		own, err := readLog(n.partitionDir(partition))
		if err != nil {
			return nil, err
		}
		if i == 0 {
			log = own
			continue
		}
		if err := differ(log, own); err != nil {
			return nil, fmt.Errorf("%s-%d differs between %s and %s: %w", topic, partition, c.nodes[0].name, n.name, err)
		}
	}
	return log, nil
}

// diverged tells where the logs of a cluster that doesn't get whole have different records at the same offset, which may be why; nil when they only differ in length.
func (c *cluster) diverged() error {
	for p := range partitions {
		var found harm
		if _, err := c.sameLog(p); errors.As(err, &found) {
			return harm{err}
		}
	}
	return nil
}

// stop ends everything. It may be called after a start that failed.
func (c *cluster) stop() {
	for _, n := range c.nodes {
		if n.process != nil {
			n.process.Kill()
		}
		if n.outgoing != nil {
			n.outgoing.down()
		}
	}
	if c.zookeeper != nil {
		c.zookeeper.Kill()
	}
	c.stopTails()
	c.following.Wait()
	for i := len(c.undo) - 1; i >= 0; i-- {
		c.undo[i]()
	}
	c.board.close()
}
