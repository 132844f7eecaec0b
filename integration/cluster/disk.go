package cluster

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prekraft/prekraft/broker/commitlog"
)

// TopicPartition names a partition.
type TopicPartition = commitlog.TopicPartition

// TP is the partition of a topic.
func TP(topic string, partition int32) TopicPartition {
	return TopicPartition{Topic: topic, Partition: partition}
}

// errBroken is what a log directory that a test breaks fails with.
var errBroken = errors.New("the test broke this directory")

// errHeld is what a held follower's log answers: an error after which a follower tries again.
var errHeld = &commitlog.Error{Kind: commitlog.KindCorruptMessage, Detail: "the test holds this follower"}

// disks are the faults of all brokers' disks.
type disks struct {
	mu      sync.Mutex
	slow    map[int32]map[*time.Duration]bool
	stopped map[int32]map[*barrier]bool // until they are open nothing is written
	held    map[follower]int
}

// barrier holds whoever waits for open.
type barrier struct {
	open chan struct{}
	lift func() // closes open, once
}

type follower struct {
	id int32
	tp TopicPartition
}

// hook is a broker's broker.Options.BeforeAppend.
func (d *disks) hook(c *Cluster, id int32) func(tp TopicPartition, dir string) error {
	return func(tp TopicPartition, _ string) error {
		d.mu.Lock()
		held := d.held[follower{id, tp}] > 0
		var delay time.Duration
		for one := range d.slow[id] {
			delay += *one
		}
		stops := slices.Collect(maps.Keys(d.stopped[id]))
		d.mu.Unlock()
		if held {
			if b := c.Broker(id); b != nil {
				if p, code := b.Replicas().Partition(tp); code == 0 && !p.IsLeader() {
					return errHeld
				}
			}
		}
		for _, stop := range stops {
			<-stop.open
		}
		if delay > 0 {
			<-time.After(delay)
		}
		return nil
	}
}

// put adds to a fault and returns its undo.
func put[K, V comparable](d *disks, all *map[K]map[V]bool, key K, one V, after func()) (undo func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if *all == nil {
		*all = map[K]map[V]bool{}
	}
	if (*all)[key] == nil {
		(*all)[key] = map[V]bool{}
	}
	(*all)[key][one] = true
	return sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete((*all)[key], one)
		after()
	})
}

// hold keeps a broker from writing.
func (d *disks) hold(id int32) (free func()) {
	stop := &barrier{open: make(chan struct{})}
	stop.lift = sync.OnceFunc(func() { close(stop.open) })
	return put(d, &d.stopped, id, stop, stop.lift)
}

// free ends all faults: what waits goes on.
func (d *disks) free() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, stops := range d.stopped {
		for stop := range stops {
			stop.lift()
		}
	}
	d.slow, d.stopped, d.held = nil, nil, nil
}

// SlowDisk makes each write of records to a broker's disk take that much longer, until undo is called: what it leads is acked late, what it follows lags. Two add up.
func (c *Cluster) SlowDisk(id int32, d time.Duration) (undo func()) {
	return put(&c.disks, &c.disks.slow, id, &d, func() {})
}

// HoldFollower keeps a broker from taking in records of a partition that it follows, until undo is called: it goes on to fetch, the same offset again and again, so that it falls out of the
// ISR after replica.lag.time.max.ms if records come, and at the latest replica.fetch.backoff.ms after the undo it catches up. Its other partitions aren't touched; nor is this
// one while the broker leads it.
func (c *Cluster) HoldFollower(tp TopicPartition, id int32) (undo func()) {
	d := &c.disks
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held == nil {
		d.held = map[follower]int{}
	}
	d.held[follower{id, tp}]++
	return sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if f := (follower{id, tp}); d.held[f] > 0 {
			d.held[f]--
		}
	})
}

// FailLogDir breaks one of a broker's log directories: it is offline when this returns, as after an error of its file system, and at a start of the broker until undo is called. A
// directory that failed stays offline in the running broker, as in Kafka: after the undo the broker's next start finds it whole. A broker whose last directory fails ends.
func (c *Cluster) FailLogDir(id int32, dir string) (undo func()) {
	c.t.Helper()
	dir = filepath.Clean(dir)
	aside := dir + ".aside"
	// A file in its place is a directory that can't be read.
	if err := errors.Join(os.Rename(dir, aside), os.WriteFile(dir, nil, 0o600)); err != nil {
		c.t.Fatalf("break %s: %v", dir, err)
	}
	if b := c.Broker(id); b != nil && !b.FailLogDir(dir, errBroken) {
		c.t.Fatalf("broker %d has no log directory %s", id, dir)
	}
	return sync.OnceFunc(func() {
		if err := errors.Join(os.Remove(dir), os.Rename(aside, dir)); err != nil {
			c.t.Fatalf("repair %s: %v", dir, err)
		}
	})
}

// Describe tells where a partition stands: what ZooKeeper says, and what each broker does.
func (c *Cluster) Describe(tp TopicPartition) string {
	var text strings.Builder
	if state, exists, err := c.partitionState(tp); err != nil {
		fmt.Fprintf(&text, "its state: %v", err)
	} else if !exists {
		text.WriteString("it has no state in ZooKeeper")
	} else {
		fmt.Fprintf(&text, "ZooKeeper says leader %d in epoch %d, ISR %v, controller epoch %d", state.Leader, state.LeaderEpoch, state.ISR, state.ControllerEpoch)
	}
	ids := c.known()
	slices.Sort(ids)
	for _, id := range ids {
		b := c.Broker(id)
		if b == nil {
			fmt.Fprintf(&text, "; broker %d doesn't run", id)
			continue
		}
		p, code := b.Replicas().Partition(tp)
		if code != 0 {
			fmt.Fprintf(&text, "; broker %d: %s", id, code.Name())
			continue
		}
		s := p.State()
		role := "follows " + fmt.Sprint(s.Leader)
		if s.IsLeader {
			role = fmt.Sprintf("leads with the ISR %v", s.ISR)
		}
		if s.Offline {
			role = "is offline"
		}
		fmt.Fprintf(&text, "; broker %d %s in epoch %d, log end offset %d, high watermark %d", id, role, s.LeaderEpoch, s.LogEndOffset, s.HighWatermark)
	}
	return text.String()
}
