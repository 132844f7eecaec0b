//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// The cluster of the figures about replication.
const (
	replicaBrokers    = 3
	topicPartitions   = 100
	warmReads         = 30_000
	warmMultis        = 300  // of 100 operations
	failoverCount     = 1000 // partitions
	replicaProperties = "min.insync.replicas=2\nauto.leader.rebalance.enable=false\n"
)

// startReplicated runs three brokers, with an Apache ZooKeeper or ours, and makes so many partitions with three replicas each, all in sync.
func (b *bench) startReplicated(realZooKeeper bool, partitions int, properties string) (*cluster, error) {
	address := ""
	var zk *server
	if realZooKeeper {
		var err error
		if zk, err = startRealZooKeeper(); err != nil {
			return nil, err
		}
		address = zk.address
	}
	c, err := b.startBrokers(address, replicaBrokers, replicaProperties+properties)
	if err != nil {
		if zk != nil {
			zk.discard()
		}
		return nil, err
	}
	if zk != nil {
		c.zookeeper = zk
	}
	if err := c.awaitBrokers(); err != nil {
		c.stop()
		return nil, err
	}
	if err := c.replicate(partitions); err != nil {
		c.stop()
		return nil, err
	}
	if realZooKeeper {
		if err := warmZooKeeper(c.zookeepers, partitions); err != nil {
			c.stop()
			return nil, err
		}
	}
	return c, nil
}

// warmZooKeeper reads and writes as much as a ZooKeeper's Java needs to be compiled: one that has just started is several times as slow as it will be.
func warmZooKeeper(connect string, partitions int) error {
	ctx, cancel := context.WithTimeout(context.Background(), ioTimeout)
	defer cancel()
	client, err := zkutil.Connect(ctx, zkutil.Config{Connect: connect})
	if err != nil {
		return err
	}
	defer client.Close()
	var paths []string
	for _, name := range replicatedTopics(partitions) {
		for i := range int32(topicPartitions) {
			paths = append(paths, znode.PartitionStatePath(znode.TopicPartition{Topic: name, Partition: i}))
		}
	}
	for read := 0; read < warmReads; read += len(paths) {
		if _, err := client.GetMany(ctx, paths); err != nil {
			return err
		}
	}
	const own = "/bench"
	if _, err := client.Multi(ctx, zkutil.CreateOp(own, nil, zkutil.Persistent)); err != nil {
		return err
	}
	ops := make([]zkutil.Op, 100)
	for i := range ops {
		ops[i] = zkutil.SetOp(own, []byte("warm"), -1)
	}
	for range warmMultis {
		if _, err := client.Multi(ctx, ops...); err != nil {
			return err
		}
	}
	return nil
}

// awaitBrokers waits until every broker knows all of them and the controller.
func (c *cluster) awaitBrokers() error {
	for _, s := range c.brokers {
		conn, err := s.connect()
		if err != nil {
			return err
		}
		err = conn.awaitBrokers(len(c.brokers))
		conn.close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) replicate(partitions int) error {
	conn, err := c.controller()
	if err != nil {
		return err
	}
	defer conn.close()
	var topics []wire.CreateTopicsRequestTopic
	for _, name := range replicatedTopics(partitions) {
		topics = append(topics, wire.CreateTopicsRequestTopic{Name: name, NumPartitions: topicPartitions, ReplicationFactor: replicaBrokers})
	}
	if err := conn.createTopics(topics); err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	return c.awaitISR(partitions, replicaBrokers)
}

// replicatedTopics names the topics that have so many partitions together.
func replicatedTopics(partitions int) []string {
	names := make([]string, partitions/topicPartitions)
	for i := range names {
		names[i] = fmt.Sprintf("replicated-%d", i)
	}
	return names
}

// awaitISR waits until every broker that runs says that all partitions have leaders and ISRs of that size at least.
func (c *cluster) awaitISR(partitions, size int) error {
	return c.await(replicatedTopics(partitions), topicPartitions, size)
}

func (c *cluster) await(topics []string, partitions, size int) error {
	for _, s := range c.brokers {
		if !s.running() {
			continue
		}
		conn, err := s.connect()
		if err != nil {
			return err
		}
		err = conn.awaitTopics(topics, partitions, func(p *wire.MetadataResponsePartition) bool { return p.LeaderID >= 0 && len(p.IsrNodes) >= size })
		conn.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitTopics waits until each topic has so many partitions that satisfy, one topic after the other: to ask for all of them again and again would keep the broker busy.
func (c *client) awaitTopics(topics []string, partitions int, satisfied func(*wire.MetadataResponsePartition) bool) error {
	deadline := time.Now().Add(ioTimeout)
	for _, name := range topics {
		for {
			got, err := c.topicMetadata(name)
			if err != nil {
				return err
			}
			if len(got) == partitions && !slices.ContainsFunc(got, func(p wire.MetadataResponsePartition) bool { return !satisfied(&p) }) {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("topic %s isn't as it should be after %v", name, ioTimeout)
			}
			time.Sleep(refresh)
		}
	}
	return nil
}

// topicMetadata asks for one topic.
func (c *client) topicMetadata(name string) ([]wire.MetadataResponsePartition, error) {
	m, err := c.metadata([]wire.MetadataRequestTopic{{Name: &name}})
	if err != nil {
		return nil, err
	}
	if len(m.Topics) != 1 {
		return nil, fmt.Errorf("metadata of %d topics", len(m.Topics))
	}
	return m.Topics[0].Partitions, nil
}

// running tells whether the process lives.
func (s *server) running() bool {
	if s.cmd == nil {
		return false
	}
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// controllerID asks a broker that runs who the controller is.
func (c *cluster) controllerID() (int32, error) {
	for _, s := range c.brokers {
		if !s.running() {
			continue
		}
		conn, err := s.connect()
		if err != nil {
			return 0, err
		}
		defer conn.close()
		m, err := conn.metadata([]wire.MetadataRequestTopic{})
		if err != nil {
			return 0, err
		}
		return m.ControllerID, nil
	}
	return 0, errors.New("no broker runs")
}

// controller opens a connection to the controller.
func (c *cluster) controller() (*client, error) {
	id, err := c.controllerID()
	if err != nil {
		return nil, err
	}
	if id < 1 || int(id) > len(c.brokers) {
		return nil, fmt.Errorf("controller %d", id)
	}
	return c.brokers[id-1].connect()
}

// metadata asks for topics, nil for all.
func (c *client) metadata(topics []wire.MetadataRequestTopic) (*wire.MetadataResponse, error) {
	var response wire.MetadataResponse
	if err := c.do(&wire.MetadataRequest{Topics: topics}, &response, metadataVersion); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	return &response, nil
}

// awaitBrokers asks who is in the cluster until so many are and one is the controller.
func (c *client) awaitBrokers(n int) error {
	deadline := time.Now().Add(ioTimeout)
	for {
		m, err := c.metadata([]wire.MetadataRequestTopic{})
		if err != nil {
			return err
		}
		if len(m.Brokers) == n && m.ControllerID > 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d brokers, controller %d after %v", len(m.Brokers), n, m.ControllerID, ioTimeout)
		}
		time.Sleep(refresh)
	}
}
