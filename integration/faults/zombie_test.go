//go:build linux

package faults_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// zombies is a cluster under load, with a look into its ZooKeeper. One that failed leaves its directory.
type zombies struct {
	*cluster
	t       *testing.T
	load    *clients
	history *history
	zk      *zkutil.Client
}

func startZombies(t *testing.T) *zombies {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: it waits for sessions to end")
	}
	dir, err := os.MkdirTemp(os.Getenv(directoryVar), "prekraft-zombies-") //nolint:usetesting // it stays when the test fails
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs, events, data and history are in %s", dir)
			return
		}
		require.NoError(t, os.RemoveAll(dir))
	})
	h, err := newHistory(filepath.Join(dir, "history.jsonl"), partitions)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.close()) })
	c, err := startCluster(t.Context(), dir, os.Getenv(binaryVariable), t.Logf)
	t.Cleanup(c.stop)
	require.NoError(t, err)
	zk, err := zkutil.Connect(t.Context(), zkutil.Config{Connect: c.zookeeperAddress, SessionTimeout: 30 * time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { _ = zk.Close() })
	z := &zombies{cluster: c, t: t, load: startClients(t.Context(), c, h, 1), history: h, zk: zk}
	require.NoError(t, z.load.flowing(t.Context()))
	return z
}

// state reads a partition's state and the version of its znode.
func (z *zombies) state(partition int32) (znode.PartitionState, zkutil.Stat) {
	z.t.Helper()
	data, stat, err := z.zk.Get(z.t.Context(), znode.PartitionStatePath(znode.TopicPartition{Topic: topic, Partition: partition}))
	require.NoError(z.t, err)
	s, err := znode.DecodePartitionState(data)
	require.NoError(z.t, err)
	return s, stat
}

// until waits for a condition, which the failure then tells.
func (z *zombies) until(what string, condition func() error) {
	z.t.Helper()
	ctx, cancel := context.WithTimeout(z.t.Context(), patience)
	defer cancel()
	for {
		err := condition()
		if err == nil {
			return
		}
		if pause(ctx, lookEvery) != nil {
			z.t.Fatalf("%s: %v", what, err)
		}
	}
}

// finish waits until the cluster is whole and writes, and checks everything that it told its clients.
func (z *zombies) finish() {
	z.t.Helper()
	require.NoError(z.t, z.healthy(z.t.Context()))
	require.NoError(z.t, z.load.flowing(z.t.Context()))
	require.NoError(z.t, z.load.finish())
	logs, err := z.sameLogs(z.t.Context())
	require.NoError(z.t, err)
	require.NoError(z.t, z.history.check(logs))
}

// A leader is stopped beyond its session, with requests waiting in its sockets. When it wakes up it still takes itself for the leader: it must not get an acks=all record acked that
// the new leader doesn't have, nor move anything in ZooKeeper, nor be followed.
func TestPausedLeaderWakesUp(t *testing.T) {
	z := startZombies(t)
	zombie := z.leader(t.Context(), 0)
	before, _ := z.state(0)
	require.NoError(t, zombie.process.Pause())
	// A client that knows no better writes to it all the while. What it is told is part of the history: an ack must hold.
	direct := &producer{
		peer: peer{bootstrap: []string{zombie.direct}, partition: 0}, history: z.history, written: z.history.producer("zombie", 0, false), random: rand.New(rand.NewPCG(1, 1)),
	}
	asked := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	direct.bootstrap = []string{z.nodes[zombie.id%brokers].client.address, zombie.client.address}
	go func() { asked <- direct.run(ctx, z.load.quit) }()
	var after znode.PartitionState
	z.until("another leader", func() error {
		if after, _ = z.state(0); after.Leader == zombie.id || after.Leader < 0 {
			return fmt.Errorf("the leader is %d in epoch %d", after.Leader, after.LeaderEpoch)
		}
		return nil
	})
	require.Greater(t, after.LeaderEpoch, before.LeaderEpoch)
	require.NotContains(t, after.ISR, zombie.id)
	require.NoError(t, z.load.flowing(t.Context()))
	require.NoError(t, zombie.process.Resume())
	z.until("the zombie in the ISR", func() error {
		if s, _ := z.state(0); len(s.ISR) != brokers {
			return fmt.Errorf("the ISR is %v", s.ISR)
		}
		return nil
	})
	z.finish()
	require.NoError(t, <-asked)
}

// A controller is stopped beyond its session. When it wakes up its successor stands: the controller epoch isn't raised, no partition state goes back to the old controller's hand, and
// brokers refuse what it still sends.
func TestPausedControllerWakesUp(t *testing.T) {
	z := startZombies(t)
	zombie := z.controller(t.Context())
	before, err := z.zk.ControllerEpoch(t.Context())
	require.NoError(t, err)
	require.NoError(t, zombie.process.Pause())
	successor := int32(-1)
	z.until("another controller", func() error {
		c, _, err := z.zk.Controller(t.Context())
		if err != nil {
			return err
		}
		if successor = c.BrokerID; successor == zombie.id {
			return fmt.Errorf("it is %d still", successor)
		}
		return nil
	})
	z.until("leaders elsewhere", func() error {
		for p := range int32(partitions) {
			if s, _ := z.state(p); s.Leader == zombie.id || s.Leader < 0 {
				return fmt.Errorf("%s-%d is led by %d", topic, p, s.Leader)
			}
		}
		return nil
	})
	require.NoError(t, zombie.process.Resume())
	require.NoError(t, z.healthy(t.Context()))
	require.NoError(t, z.load.flowing(t.Context()))
	after, err := z.zk.ControllerEpoch(t.Context())
	require.NoError(t, err)
	require.Equal(t, before.Epoch+1, after.Epoch, "one election")
	now, _, err := z.zk.Controller(t.Context())
	require.NoError(t, err)
	require.Equal(t, successor, now.BrokerID)
	for p := range int32(partitions) {
		s, _ := z.state(p)
		require.Equal(t, after.Epoch, s.ControllerEpoch, "%s-%d was written by another controller", topic, p)
	}
	z.finish()
}
