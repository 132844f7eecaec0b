//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// partitions measures from a CreateTopics request to the Metadata answer in which every partition has a leader.
func (b *bench) partitions() error {
	cases := []struct {
		count  int
		limit  time.Duration
		apache string
	}{{1000, 250 * time.Millisecond, "5.4 s"}, {5000, time.Second, "17.6 s"}}
	for _, zk := range []struct {
		name string
		real bool
	}{{"real ZooKeeper", true}, {"embedded ZooKeeper", false}} {
		if zk.real {
			if err := realZooKeeperMissing(); err != nil {
				row("not measured with a real ZooKeeper: %v", err)
				continue
			}
		}
		for _, one := range cases {
			var times []float64
			for range min(b.pairs, 3) {
				took, err := b.makePartitions(zk.real, one.count)
				if err != nil {
					return err
				}
				times = append(times, took.Seconds()*1000)
			}
			b.report(figure{
				name: fmt.Sprintf("make %d partitions, %s", one.count, zk.name), value: fmt.Sprintf("%.0f ms", median(times)), target: one.limit.String(), apache: one.apache,
				note: spread(times, "%.0f") + " ms; wall clock, one broker", met: met(median(times) <= one.limit.Seconds()*1000),
			})
		}
	}
	return nil
}

// makePartitions makes partitions on a fresh cluster.
func (b *bench) makePartitions(realZooKeeper bool, count int) (time.Duration, error) {
	address := ""
	if realZooKeeper {
		zk, err := startRealZooKeeper()
		if err != nil {
			return 0, err
		}
		defer zk.discard()
		address = zk.address
	}
	cl, err := b.startCluster(address)
	if err != nil {
		return 0, err
	}
	defer cl.stop()
	c, err := cl.connect()
	if err != nil {
		return 0, err
	}
	defer c.close()
	began := time.Now()
	if err := c.createTopics(topics(manyTopics, count)); err != nil {
		return 0, err
	}
	answered := time.Since(began)
	err = c.awaitLed(topics(manyTopics, count))
	took := time.Since(began)
	row("%d partitions: answered after %v, led after %v", count, answered.Round(time.Millisecond), took.Round(time.Millisecond))
	return took, err
}

// Jars of Debian's packages libzookeeper-java and libslf4j-java.
const (
	zooKeeperJar = "/usr/share/java/zookeeper.jar"
	loggerJar    = "/usr/share/java/slf4j-simple.jar"
)

func realZooKeeperMissing() error {
	if _, err := exec.LookPath("java"); err != nil {
		return err
	}
	_, err := os.Stat(zooKeeperJar)
	return err
}

// startRealZooKeeper runs Apache's, as it comes: it syncs its log.
func startRealZooKeeper() (*server, error) {
	dir, err := os.MkdirTemp("", "bench-zookeeper-")
	if err != nil {
		return nil, err
	}
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "zoo.cfg")
	config := fmt.Sprintf("tickTime=2000\ndataDir=%s\nclientPort=%s\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\nmaxClientCnxns=0\n4lw.commands.whitelist=*\n",
		filepath.Join(dir, "data"), port)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	cmd, done, err := spawn(io.Discard, "java", "-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-cp", zooKeeperJar+":"+loggerJar, "org.apache.zookeeper.server.quorum.QuorumPeerMain", file)
	if err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, done: done, address: address, dir: dir}
	deadline := time.Now().Add(ioTimeout)
	for !zooKeeperServes(address) {
		select {
		case <-done:
			s.discard()
			return nil, errors.New("ZooKeeper ended while starting")
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.discard()
			return nil, errors.New("ZooKeeper doesn't serve")
		}
	}
	return s, nil
}

// zooKeeperServes asks with the four-letter word srvr, which names a mode only when requests are served.
func zooKeeperServes(address string) bool {
	nc, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return false
	}
	if _, err := nc.Write([]byte("srvr")); err != nil {
		return false
	}
	answer, err := io.ReadAll(nc)
	return err == nil && bytes.Contains(answer, []byte("Mode:"))
}
