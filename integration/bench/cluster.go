//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// cluster is a ZooKeeper and one broker, processes of the binary under test.
type cluster struct {
	dir       string
	zookeeper *server // nil when it was there already
	broker    *server
	file      string
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
	c, err := b.newCluster(zookeeper)
	if err != nil {
		return nil, err
	}
	if err := c.startBroker(b); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// newCluster runs a ZooKeeper, unless one is given, and prepares a broker.
func (b *bench) newCluster(zookeeper string) (*cluster, error) {
	dir, err := os.MkdirTemp("", "bench-broker-")
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir}
	if zookeeper == "" {
		if zookeeper, err = freePort(); err != nil {
			return nil, err
		}
		cmd, done, err := spawn(io.Discard, b.broker, "zookeeper", "--listen", zookeeper, "--log-level", "error")
		if err != nil {
			return nil, err
		}
		c.zookeeper = &server{cmd: cmd, done: done, address: zookeeper}
	}
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	properties := fmt.Sprintf("broker.id=1\nzookeeper.connect=%s\nlisteners=PLAINTEXT://%s\nlog.dirs=%s\nadmin.listener=\ncontrolled.shutdown.enable=false\n",
		zookeeper, address, filepath.Join(dir, "data"))
	c.file = filepath.Join(dir, "server.properties")
	if err := os.WriteFile(c.file, []byte(properties), 0o600); err != nil {
		return nil, err
	}
	c.broker = &server{address: address, dir: dir, args: []string{"broker", "--config", c.file, "--log-level", "error"}}
	return c, waitForPort(zookeeper)
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

// startBroker runs the cluster's broker, again if it ran before.
func (c *cluster) startBroker(b *bench) error {
	log, err := os.OpenFile(filepath.Join(c.dir, "broker.err"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	c.broker.cmd, c.broker.done, err = spawn(log, b.broker, c.broker.args...)
	return err
}

// connect opens a connection as soon as the broker answers requests.
func (c *cluster) connect() (*client, error) {
	deadline := time.Now().Add(ioTimeout)
	for {
		conn, err := dial(c.broker.address)
		if err == nil {
			if _, err = conn.led(); err == nil {
				return conn, nil
			}
			conn.close()
		}
		select {
		case <-c.broker.done:
			text, _ := os.ReadFile(filepath.Join(c.dir, "broker.err"))
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
	if c.broker != nil && c.broker.cmd != nil {
		c.broker.stop(syscall.SIGTERM)
	}
	if c.zookeeper != nil {
		c.zookeeper.stop(syscall.SIGTERM)
	}
	os.RemoveAll(c.dir)
}
