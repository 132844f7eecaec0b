package group

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/offsets"
)

// Store is what the coordinator needs of [offsets.Store]. Commit, StoreGroup, Expire and the Remove methods are called under the lock of a group's partition;
// they queue, and Flush, called without it, writes. Callbacks never run inside those calls.
type Store interface {
	Check(partition int32) wire.Error
	Commit(partition int32, group string, items []offsets.Item, done func([]offsets.Item))
	StoreGroup(partition int32, group string, value offsets.GroupMetadata, done func(wire.Error))
	Flush(partition int32)
	Fetch(ctx context.Context, partition int32, group string, tps []offsets.TopicPartition, requireStable bool) ([]offsets.Fetched, wire.Error)
	Expire(partition int32, group string, rule offsets.Rule, nowMs int64) (expired, left int)
	RemoveOffsets(partition int32, group string, tps []offsets.TopicPartition) (left int)
	RemoveGroup(partition int32, group string, tombstone bool)
}

// Config is what a Coordinator needs.
type Config struct {
	Settings Settings
	Store    Store
	// Partitions returns how many partitions __consumer_offsets has, or is going to have.
	Partitions func() int32
	// MaxGroups is how many groups there may be for a new one to be made (group.max.count); 0: any number. What is loaded is never refused.
	MaxGroups int
	// ExpiryInterval is how often expired offsets and empty groups are looked for (offsets.retention.check.interval.ms).
	ExpiryInterval time.Duration
	// Changed hears of state changes, Limited of limits that were hit. They must not block. nil: nobody does.
	Changed func(StateChange)
	Limited func(limit string, value int)
}

// Coordinator runs the groups whose partitions of __consumer_offsets this broker leads. Its methods may be called from any goroutine; none waits.
type Coordinator struct {
	config Config
	timers *timers
	count  atomic.Int64 // of all groups

	mu struct {
		sync.RWMutex
		shards map[int32]*shard
		closed bool
	}
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// shard holds the groups of one partition of __consumer_offsets.
type shard struct {
	partition int32

	mu     sync.Mutex
	groups map[string]*group
	gone   bool // unloaded
}

// New returns a coordinator of nothing.
func New(c Config) *Coordinator {
	co := &Coordinator{config: c, timers: newTimers(), cancel: func() {}}
	co.mu.shards = map[int32]*shard{}
	return co
}

// Start starts the goroutines that keep time. It is called at most once.
func (c *Coordinator) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.running.Go(func() { c.timers.run(ctx, c.fire) })
	c.running.Go(func() { c.expireOffsets(ctx) })
}

// Close answers every request that waits, with NOT_COORDINATOR as after a move of the partition, and ends the goroutines. Later requests are answered
// COORDINATOR_NOT_AVAILABLE. It may be called again.
func (c *Coordinator) Close() {
	c.mu.Lock()
	c.mu.closed = true
	var partitions []int32
	for partition := range c.mu.shards {
		partitions = append(partitions, partition)
	}
	c.mu.Unlock()
	c.cancel()
	c.running.Wait()
	for _, partition := range partitions {
		c.Unloaded(partition)
	}
}

// Loaded is offsets.Groups': the groups of a partition are this broker's.
func (c *Coordinator) Loaded(partition int32, groups []offsets.LoadedGroup) {
	s := &shard{partition: partition, groups: make(map[string]*group, len(groups))}
	now := time.Now()
	var fx effects
	s.mu.Lock() // whoever finds the shard waits until it is complete
	c.mu.Lock()
	if c.mu.closed {
		c.mu.Unlock()
		s.mu.Unlock()
		return
	}
	c.mu.shards[partition] = s
	c.mu.Unlock()
	for i := range groups {
		var one effects
		g := restore(groups[i], &c.config.Settings, newUUID, now, &one)
		c.putLocked(s, g)
		c.settleLocked(s, g, &one)
		fx.add(&one)
	}
	s.mu.Unlock()
	c.perform(s, &fx)
}

// Unloaded is offsets.Groups': another broker coordinates the partition's groups. Whoever waits is told to look for it.
func (c *Coordinator) Unloaded(partition int32) {
	c.mu.Lock()
	s := c.mu.shards[partition]
	delete(c.mu.shards, partition)
	c.mu.Unlock()
	if s == nil {
		return
	}
	now := time.Now()
	var fx effects
	s.mu.Lock()
	s.gone = true
	for _, g := range s.groups {
		g.end(now, wire.NotCoordinator, "its partition has another coordinator", &fx)
		c.timers.schedule(&g.timer, time.Time{})
	}
	c.count.Add(-int64(len(s.groups)))
	s.groups = nil
	s.mu.Unlock()
	c.perform(s, &fx)
}

// newUUID returns a random UUID in its usual text form, as Java prints one.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it aborts the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (c *Coordinator) putLocked(s *shard, g *group) {
	g.timer.shard, g.timer.group = s, g
	s.groups[g.id] = g
	c.count.Add(1)
}

// lookup finds the shard of a group, in Kafka's order of errors (reference groups-and-offsets.md §4).
func (c *Coordinator) lookup(id string, mayBeEmpty bool) (*shard, wire.Error) {
	if id == "" && !mayBeEmpty {
		return nil, wire.InvalidGroupID
	}
	partition := offsets.PartitionOf(id, c.config.Partitions())
	c.mu.RLock()
	s, closed := c.mu.shards[partition], c.mu.closed
	c.mu.RUnlock()
	if closed {
		return nil, wire.CoordinatorNotAvailable
	}
	if code := c.config.Store.Check(partition); code != wire.None {
		return nil, code
	}
	if s == nil {
		return nil, wire.NotCoordinator
	}
	return s, wire.None
}

// with runs f on a group's core, under the lock of its partition, and then carries out what it decided. g is nil when there is no such group, unless create. The code
// is what keeps f from running.
func (c *Coordinator) with(id string, mayBeEmpty, create bool, f func(now time.Time, s *shard, g *group, fx *effects)) wire.Error {
	s, code := c.lookup(id, mayBeEmpty)
	if code != wire.None {
		return code
	}
	var fx effects
	s.mu.Lock()
	if s.gone {
		s.mu.Unlock()
		return wire.NotCoordinator
	}
	now := time.Now()
	g := s.groups[id]
	if g == nil && create {
		if most := c.config.MaxGroups; most > 0 && c.count.Load() >= int64(most) {
			s.mu.Unlock()
			fx.limits = append(fx.limits, limit{"groups", most})
			c.perform(s, &fx)
			return wire.CoordinatorNotAvailable
		}
		g = newGroup(id, &c.config.Settings, newUUID, now)
		c.putLocked(s, g)
	}
	f(now, s, g, &fx)
	if g != nil {
		c.settleLocked(s, g, &fx)
	}
	s.mu.Unlock()
	c.perform(s, &fx)
	return wire.None
}

// settleLocked queues what a step of a group wants stored, and sets its timer.
func (c *Coordinator) settleLocked(s *shard, g *group, fx *effects) {
	for _, w := range fx.writes {
		c.config.Store.StoreGroup(s.partition, g.id, w.metadata, func(code wire.Error) { c.stored(s, g, w, code) })
	}
	c.schedule(g)
}

// schedule sets a group's timer where its core wants to be looked at earlier than the heap knows.
func (c *Coordinator) schedule(g *group) {
	if g.state == Dead || g.wake.IsZero() {
		c.timers.schedule(&g.timer, time.Time{})
		return
	}
	c.timers.schedule(&g.timer, g.wake)
}

// perform carries out effects, without any lock.
func (c *Coordinator) perform(s *shard, fx *effects) {
	for _, change := range fx.changes {
		if c.config.Changed != nil {
			c.config.Changed(change)
		}
	}
	for _, limit := range fx.limits {
		if c.config.Limited != nil {
			c.config.Limited(limit.name, limit.value)
		}
	}
	for _, reply := range fx.replies {
		reply()
	}
	if len(fx.writes) > 0 {
		c.config.Store.Flush(s.partition)
	}
}

// stored goes on with a group whose record is written, or isn't.
func (c *Coordinator) stored(s *shard, g *group, w *write, code wire.Error) {
	c.step(s, g, func(now time.Time, fx *effects) { g.stored(now, w, code, fx) })
}

// fire looks at a group whose time has come.
func (c *Coordinator) fire(e *timerEntry) {
	c.step(e.shard, e.group, func(now time.Time, fx *effects) { e.group.tick(now, fx) })
}

// step runs f on a group that is known, unless it has gone.
func (c *Coordinator) step(s *shard, g *group, f func(now time.Time, fx *effects)) {
	var fx effects
	s.mu.Lock()
	if s.gone || s.groups[g.id] != g {
		s.mu.Unlock()
		return
	}
	f(time.Now(), &fx)
	c.settleLocked(s, g, &fx)
	s.mu.Unlock()
	c.perform(s, &fx)
}

// removeLocked forgets a group that has neither members nor offsets, in memory and in the log.
func (c *Coordinator) removeLocked(now time.Time, s *shard, g *group, reason string, fx *effects) {
	g.end(now, wire.CoordinatorNotAvailable, reason, fx)
	delete(s.groups, g.id)
	c.count.Add(-1)
	c.timers.schedule(&g.timer, time.Time{})
	c.config.Store.RemoveGroup(s.partition, g.id, g.generation > 0)
}

// expireOffsets removes what has expired, from time to time.
func (c *Coordinator) expireOffsets(ctx context.Context) {
	ticker := time.NewTicker(c.config.ExpiryInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.expireNow(ctx)
		}
	}
}

// expireNow looks at every group once, one at a time, so that none waits for another.
func (c *Coordinator) expireNow(ctx context.Context) {
	for _, s := range c.shards() {
		s.mu.Lock()
		ids := make([]string, 0, len(s.groups))
		for id := range s.groups {
			ids = append(ids, id)
		}
		s.mu.Unlock()
		for _, id := range ids {
			if ctx.Err() != nil {
				return
			}
			c.expireGroup(s, id)
		}
		c.config.Store.Flush(s.partition)
	}
}

func (c *Coordinator) expireGroup(s *shard, id string) {
	var fx effects
	s.mu.Lock()
	g := s.groups[id]
	if g == nil || c.config.Store.Check(s.partition) != wire.None {
		s.mu.Unlock()
		return
	}
	now := time.Now()
	_, left := c.config.Store.Expire(s.partition, id, g.rule(), now.UnixMilli())
	if left == 0 && g.state == Empty && len(g.pending) == 0 {
		c.removeLocked(now, s, g, "its offsets have expired", &fx)
	}
	s.mu.Unlock()
	c.perform(s, &fx)
}

// shards returns all that are there.
func (c *Coordinator) shards() []*shard {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := make([]*shard, 0, len(c.mu.shards))
	for _, s := range c.mu.shards {
		all = append(all, s)
	}
	return all
}
