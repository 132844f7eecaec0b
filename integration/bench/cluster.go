//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// cluster is a ZooKeeper and its brokers, processes of the binary under test.
type cluster struct {
	dir        string
	zookeeper  *server   // nil when it was there already
	zookeepers string    // zookeeper.connect
	broker     *server   // the first
	brokers    []*server // by broker id, from 1 on
	keep       bool
}

func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// startCluster runs a ZooKeeper, unless one is given, and a broker.
func (b *bench) startCluster(zookeeper string) (*cluster, error) {
	return b.startBrokers(zookeeper, 1, "controlled.shutdown.enable=false\n")
}

// startBrokers runs a ZooKeeper, unless one is given, and so many brokers, with the given lines in the properties of each.
func (b *bench) startBrokers(zookeeper string, brokers int, properties string) (*cluster, error) {
	c, err := b.newCluster(zookeeper, brokers, properties)
	if err != nil {
		return nil, err
	}
	for _, s := range c.brokers {
		if err := c.start(b, s); err != nil {
			c.stop()
			return nil, err
		}
	}
	return c, nil
}

// newCluster runs a ZooKeeper, unless one is given, and prepares brokers.
func (b *bench) newCluster(zookeeper string, brokers int, properties string) (*cluster, error) {
	dir, err := os.MkdirTemp("", "bench-broker-")
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, zookeepers: zookeeper, keep: b.keep}
	if zookeeper == "" {
		if c.zookeepers, err = freePort(); err != nil {
			return nil, err
		}
		cmd, done, err := spawn(io.Discard, b.broker, "zookeeper", "--listen", c.zookeepers, "--log-level", "error")
		if err != nil {
			return nil, err
		}
		c.zookeeper = &server{cmd: cmd, done: done, address: c.zookeepers}
	}
	for id := 1; id <= brokers; id++ {
		s, err := c.prepare(id, properties, b.logLevel)
		if err != nil {
			c.stop()
			return nil, err
		}
		c.brokers = append(c.brokers, s)
	}
	c.broker = c.brokers[0]
	return c, waitForPort(c.zookeepers)
}

// prepare writes a broker's properties.
func (c *cluster) prepare(id int, properties, logLevel string) (*server, error) {
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(c.dir, strconv.Itoa(id))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	text := fmt.Sprintf("broker.id=%d\nzookeeper.connect=%s\nlisteners=PLAINTEXT://%s\nlog.dirs=%s\nadmin.listener=\n%s",
		id, c.zookeepers, address, filepath.Join(dir, "data"), properties)
	file := filepath.Join(dir, "server.properties")
	return &server{address: address, dir: dir, args: []string{"broker", "--config", file, "--log-level", logLevel}}, os.WriteFile(file, []byte(text), 0o600)
}

func waitForPort(address string) error {
	deadline := time.Now().Add(ioTimeout)
	for {
		nc, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return nc.Close()
		}
		if time.Now().After(deadline) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// start runs a broker, again if it ran before.
func (c *cluster) start(b *bench, s *server) error {
	log, err := os.OpenFile(s.errors(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd, s.done, err = spawn(log, b.broker, s.args...)
	return err
}

// errors is where a broker's standard error goes.
func (s *server) errors() string { return filepath.Join(s.dir, "broker.err") }

// connect opens a connection to the first broker as soon as it answers requests.
func (c *cluster) connect() (*client, error) { return c.broker.connect() }

// connect opens a connection as soon as the broker answers requests.
func (s *server) connect() (*client, error) {
	deadline := time.Now().Add(ioTimeout)
	for {
		conn, err := dial(s.address)
		if err == nil {
			if _, err = conn.metadata([]wire.MetadataRequestTopic{}); err == nil {
				return conn, nil
			}
			conn.close()
		}
		select {
		case <-s.done:
			text, _ := os.ReadFile(s.errors())
			return nil, fmt.Errorf("the broker ended: %s", text)
		default:
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(errors.New("the broker doesn't serve"), err)
		}
		time.Sleep(time.Millisecond)
	}
}

func (c *cluster) stop() {
	for _, s := range c.brokers {
		if s.cmd != nil {
			s.stop(syscall.SIGKILL) // its files are about to go
		}
	}
	if c.zookeeper != nil {
		c.zookeeper.discard()
	}
	if c.keep {
		row("kept %s", c.dir)
		return
	}
	os.RemoveAll(c.dir)
}
