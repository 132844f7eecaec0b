package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prekraft/prekraft/broker"
	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/offsets"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// pollInterval is how often Wait looks.
const pollInterval = 2 * time.Millisecond

// Wait returns when cond returns nil, and fails the test with cond's last error after the cluster's patience. It looks every two milliseconds: where something tells
// of the change (metadata, events), wait for that.
func (c *Cluster) Wait(what string, cond func() error) {
	c.t.Helper()
	err := cond()
	if err == nil {
		return
	}
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for deadline := time.Now().Add(c.options.patience); time.Now().Before(deadline); {
		<-ticker.C
		if err = cond(); err == nil {
			return
		}
	}
	c.t.Fatalf("waited %v for %s: %v", c.options.patience, what, err)
}

// WaitMetadata returns when cond is nil of every running broker's view of the cluster at some time, one after the other, and fails the test with cond's last error
// otherwise. cond may be called from several goroutines and must not block.
func (c *Cluster) WaitMetadata(what string, cond func(*metadata.Cache) error) {
	c.t.Helper()
	for _, id := range c.IDs() {
		b := c.Broker(id)
		if b == nil {
			continue
		}
		if err := c.waitCache(b, cond); err != nil {
			c.t.Fatalf("waited %v for %s: broker %d: %v", c.options.patience, what, id, err)
		}
	}
}

// waitCache waits for one broker's metadata without looking again and again.
func (c *Cluster) waitCache(b *broker.Broker, cond func(*metadata.Cache) error) error {
	held := make(chan bool, 1)
	b.Metadata().Wait(c.options.patience, func(cache *metadata.Cache) bool { return cond(cache) == nil }, func(holds bool) { held <- holds })
	if <-held {
		return nil
	}
	return cond(b.Metadata())
}

// WaitReady returns when the running brokers agree: ZooKeeper names a controller that is one of them, and each knows it, exactly the running brokers, and all topics of its
// metadata; and each serves clients.
func (c *Cluster) WaitReady() {
	c.t.Helper()
	c.WaitController()
	ids := c.IDs()
	c.WaitMetadata("all brokers to know each other", func(cache *metadata.Cache) error {
		var known []int32
		for _, b := range cache.Brokers() {
			known = append(known, b.ID)
		}
		if !slices.Equal(known, ids) {
			return fmt.Errorf("it knows the brokers %v of %v", known, ids)
		}
		return nil
	})
	timeout := time.NewTimer(c.options.patience)
	defer timeout.Stop()
	for _, id := range ids {
		b := c.Broker(id)
		ready := make(chan error, 1)
		go func() { ready <- b.Ready(c.t.Context()) }()
		select {
		case err := <-ready:
			if err != nil {
				c.t.Fatal(err)
			}
		case <-timeout.C:
			c.t.Fatalf("broker %d doesn't serve clients after %v: %s", id, c.options.patience, unready(b))
		}
	}
}

// unready says what a broker waits for.
func unready(b *broker.Broker) string {
	var reasons []string
	for _, condition := range b.Readiness().Conditions() {
		if !condition.OK {
			reasons = append(reasons, condition.Name+": "+condition.Reason)
		}
	}
	return strings.Join(reasons, "; ")
}

// Controller returns who ZooKeeper says the controller is, and the controller epoch; -1 and the last epoch while there is none.
func (c *Cluster) Controller() (id, epoch int32) {
	c.t.Helper()
	id, epoch, err := c.controller()
	if err != nil {
		c.t.Fatal(err)
	}
	return id, epoch
}

// WaitController returns when there is a controller that is none of the given brokers, is active, and is known to every running broker.
func (c *Cluster) WaitController(not ...int32) (id, epoch int32) {
	c.t.Helper()
	c.Wait("a controller", func() error {
		var err error
		id, epoch, err = c.controller()
		switch {
		case err != nil:
			return err
		case id < 0:
			return errors.New("there is none")
		case slices.Contains(not, id):
			return fmt.Errorf("broker %d is controller still", id)
		}
		b := c.Broker(id)
		if b == nil {
			return fmt.Errorf("broker %d, the controller, doesn't run", id)
		}
		if !b.Controller().IsActive() || b.Controller().Epoch() != epoch {
			return fmt.Errorf("broker %d isn't active in epoch %d", id, epoch)
		}
		for _, other := range c.IDs() {
			if b := c.Broker(other); b != nil && b.Metadata().Controller() != id {
				return fmt.Errorf("broker %d takes %d for the controller, not %d", other, b.Metadata().Controller(), id)
			}
		}
		return nil
	})
	return id, epoch
}

// WaitTopic returns when every running broker knows a topic with that many partitions, each with a leader that lives.
func (c *Cluster) WaitTopic(topic string, partitions int) {
	c.t.Helper()
	c.WaitMetadata("leaders of "+topic, func(cache *metadata.Cache) error {
		t := cache.Topic(topic)
		if t == nil {
			return fmt.Errorf("it doesn't know topic %s", topic)
		}
		if len(t.Partitions) != partitions {
			return fmt.Errorf("it knows %d partitions of %d", len(t.Partitions), partitions)
		}
		for _, p := range t.Partitions {
			if p.Leader < 0 {
				return fmt.Errorf("%s-%d has no leader", topic, p.Index)
			}
		}
		return nil
	})
}

// WaitCoordinator returns the broker that coordinates a group, when it does: __consumer_offsets is made if need be, and what it holds of the group's partition is loaded.
func (c *Cluster) WaitCoordinator(group string) int32 {
	c.t.Helper()
	coordinator := int32(-1)
	c.Wait("a coordinator of group "+group, func() error {
		for _, id := range c.IDs() {
			if b := c.Broker(id); b != nil {
				if _, code := b.Groups().FetchOffsets(c.t.Context(), group, []offsets.TopicPartition{}, false); code == wire.None {
					coordinator = id
					return nil
				}
			}
		}
		return c.findCoordinator(group)
	})
	return coordinator
}

// findCoordinator asks any broker for a group's coordinator, which makes __consumer_offsets.
func (c *Cluster) findCoordinator(group string) error {
	ids := c.IDs()
	if len(ids) == 0 {
		return errors.New("no broker runs")
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), c.options.patience)
	defer cancel()
	client, err := network.Dial(ctx, network.DialConfig{Dial: c.DialContext, ClientID: "cluster-test"}, c.Addr(ids[0]))
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	resp, err := client.Do(ctx, &wire.FindCoordinatorRequest{Key: group}, 3)
	if err != nil {
		return err
	}
	found := resp.(*wire.FindCoordinatorResponse)
	if found.ErrorCode != wire.None {
		return found.ErrorCode
	}
	return fmt.Errorf("broker %d doesn't coordinate it yet", found.NodeID)
}

// WaitEvent returns the first record of a broker's events after the given number (0: from the first that is kept) for which match is true.
func (c *Cluster) WaitEvent(id int32, after uint64, what string, match func(telemetry.Record) bool) telemetry.Record {
	c.t.Helper()
	backlog, events := c.Events(id).Subscribe(after, 1024)
	defer events.Close()
	for _, r := range backlog {
		if match(r) {
			return r
		}
	}
	timeout := time.NewTimer(c.options.patience)
	defer timeout.Stop()
	for {
		select {
		case r, ok := <-events.Records():
			if !ok {
				c.t.Fatalf("broker %d ended without %s", id, what)
			}
			if match(r) {
				return r
			}
		case <-timeout.C:
			c.t.Fatalf("waited %v for %s of broker %d", c.options.patience, what, id)
		}
	}
}

// partitionState reads a partition's state from ZooKeeper.
func (c *Cluster) partitionState(tp TopicPartition) (state znode.PartitionState, exists bool, err error) {
	data, exists, err := c.znode(znode.PartitionStatePath(znode.TopicPartition{Topic: tp.Topic, Partition: tp.Partition}))
	if err != nil || !exists {
		return state, exists, err
	}
	state, err = znode.DecodePartitionState(data)
	return state, true, err
}

// waitState waits until ZooKeeper's state of a partition, and the leader itself, are as wanted. The failure tells where the partition stands.
func (c *Cluster) waitState(tp TopicPartition, what string, wanted func(leader int32, isr []int32) bool) (leader, leaderEpoch int32) {
	c.t.Helper()
	c.Wait(fmt.Sprintf("%s of %s", what, tp), func() error {
		state, exists, err := c.partitionState(tp)
		if err != nil {
			return err
		}
		if exists && wanted(state.Leader, state.ISR) {
			leader, leaderEpoch = state.Leader, int32(state.LeaderEpoch)
			b := c.Broker(leader)
			if leader < 0 {
				return nil
			}
			if b != nil {
				if p, code := b.Replicas().Partition(tp); code == 0 {
					if s := p.State(); s.IsLeader && s.LeaderEpoch == leaderEpoch && wanted(leader, s.ISR) {
						return nil
					}
				}
			}
		}
		return errors.New(c.Describe(tp))
	})
	return leader, leaderEpoch
}

// WaitLeader returns when a partition has a leader, one of the given brokers if any are given, that knows that it leads; and returns it with its leader epoch.
func (c *Cluster) WaitLeader(tp TopicPartition, of ...int32) (leader, leaderEpoch int32) {
	c.t.Helper()
	return c.waitState(tp, fmt.Sprintf("a leader (of %v)", of), func(leader int32, _ []int32) bool {
		return leader >= 0 && (len(of) == 0 || slices.Contains(of, leader))
	})
}

// WaitNoLeader returns when ZooKeeper says that a partition has no leader.
func (c *Cluster) WaitNoLeader(tp TopicPartition) {
	c.t.Helper()
	c.waitState(tp, "no leader", func(leader int32, _ []int32) bool { return leader < 0 })
}

// WaitISR returns when a partition's in-sync replicas are exactly the given brokers, in any order, in ZooKeeper and for its leader.
func (c *Cluster) WaitISR(tp TopicPartition, want ...int32) {
	c.t.Helper()
	want = slices.Clone(want)
	slices.Sort(want)
	c.waitState(tp, fmt.Sprintf("the ISR %v", want), func(_ int32, isr []int32) bool {
		isr = slices.Clone(isr)
		slices.Sort(isr)
		return slices.Equal(isr, want)
	})
}

// WaitHighWatermark returns when a partition's high watermark is offset or more on every running broker that has a replica of it.
func (c *Cluster) WaitHighWatermark(tp TopicPartition, offset int64) {
	c.t.Helper()
	c.Wait(fmt.Sprintf("the high watermark %d of %s", offset, tp), func() error {
		found := false
		for _, id := range c.IDs() {
			b := c.Broker(id)
			if b == nil {
				continue
			}
			p, code := b.Replicas().Partition(tp)
			if code != 0 {
				continue
			}
			if found = true; p.State().HighWatermark < offset {
				return errors.New(c.Describe(tp))
			}
		}
		if !found {
			return errors.New(c.Describe(tp))
		}
		return nil
	})
}
