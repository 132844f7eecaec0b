//go:build linux

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// The cluster of the figures about replication.
const (
	replicaBrokers    = 3
	replicatedTopic   = "replicated"
	failoverCount     = 1000 // partitions
	replicaProperties = "min.insync.replicas=2\nauto.leader.rebalance.enable=false\n"
)

// startReplicated runs three brokers, with an Apache ZooKeeper or ours, and makes a topic with three replicas for each partition, all in sync.
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
	c.zookeeper = cmpOr(c.zookeeper, zk)
	if err := c.awaitBrokers(); err != nil {
		c.stop()
		return nil, err
	}
	if err := c.replicate(partitions); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

func cmpOr(a, b *server) *server {
	if a != nil {
		return a
	}
	return b
}

// awaitBrokers waits until every broker knows all of them and the controller.
func (c *cluster) awaitBrokers() error {
	for _, s := range c.brokers {
		conn, err := s.connect()
		if err != nil {
			return err
		}
		err = conn.await("the brokers are known", func(m *wire.MetadataResponse) bool { return len(m.Brokers) == len(c.brokers) && m.ControllerID > 0 })
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
	if err := conn.createTopics([]wire.CreateTopicsRequestTopic{{Name: replicatedTopic, NumPartitions: int32(partitions), ReplicationFactor: replicaBrokers}}); err != nil {
		return fmt.Errorf("create the topic: %w", err)
	}
	return c.awaitISR(partitions, replicaBrokers)
}

// awaitISR waits until every broker that runs says that so many partitions have leaders and ISRs of that size.
func (c *cluster) awaitISR(partitions, size int) error {
	for _, s := range c.brokers {
		if !s.running() {
			continue
		}
		conn, err := s.connect()
		if err != nil {
			return err
		}
		err = conn.await(fmt.Sprintf("%d partitions have %d replicas in sync", partitions, size), func(m *wire.MetadataResponse) bool { return inSync(m, size) >= partitions })
		conn.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// inSync counts the partitions that have a leader and an ISR of that size or larger.
func inSync(m *wire.MetadataResponse, size int) int {
	n := 0
	for i := range m.Topics {
		for j := range m.Topics[i].Partitions {
			if p := &m.Topics[i].Partitions[j]; p.LeaderID >= 0 && len(p.IsrNodes) >= size {
				n++
			}
		}
	}
	return n
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

// await asks for the metadata of all topics until they satisfy.
func (c *client) await(what string, satisfied func(*wire.MetadataResponse) bool) error {
	deadline := time.Now().Add(ioTimeout)
	for {
		m, err := c.metadata(nil)
		if err != nil {
			return err
		}
		if satisfied(m) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %v: %s", ioTimeout, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
