package offsets

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
)

// Config is what a Store is made of.
type Config struct {
	BrokerID int32
	Log      Log
	// Znodes is ZooKeeper.
	Znodes Znodes
	// Settings returns the configs as they are now. It must be cheap.
	Settings func() Settings
	// Loaders limits how many partitions are loaded at once; 0 is DefaultLoaders.
	Loaders int
	// Problem hears of what nobody is answered: a record that can't be read, a tombstone that can't be written, ZooKeeper that is away. It must not block. nil: nobody does.
	Problem func(what string, partition int32, err error)
	// Mirrored hears how long after its commit an offset came to ZooKeeper: of each transaction, the oldest. It must not block. nil: nobody does.
	Mirrored func(lag time.Duration)
	// PartitionLoaded hears how a load went. It must not block. nil: nobody does.
	PartitionLoaded func(LoadReport)
}

// DefaultLoaders is how many partitions are loaded at once.
const DefaultLoaders = 4

// Store keeps the offsets of the groups whose partitions of __consumer_offsets this broker leads. Its methods may be called from any goroutine; see
// the package's description for what they block on.
type Store struct {
	config Config
	groups Groups
	codecs record.Codecs
	legacy *Legacy
	mirror mirror

	// served is replaced, never changed: a commit looks its partition up without a lock.
	served atomic.Pointer[map[int32]*partition]

	mu struct {
		sync.Mutex
		slots   map[int32]*slot
		queue   []*slot // that have something to do and nobody who does it
		workers int
		closed  bool
		refused []func() // callbacks of writes for partitions that aren't there, for the next Flush
	}
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	counters counters
}

// New makes a Store. Start comes next.
func New(c Config) *Store {
	if c.Loaders <= 0 {
		c.Loaders = DefaultLoaders
	}
	s := &Store{config: c}
	s.mu.slots = map[int32]*slot{}
	s.served.Store(&map[int32]*partition{})
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.legacy = &Legacy{znodes: c.Znodes, settings: c.Settings}
	s.mirror.init(s)
	return s
}

// Start says who coordinates groups. It is called once, before Elected.
func (s *Store) Start(groups Groups) {
	s.groups = groups
	s.running.Go(func() { s.mirror.run(s.ctx) })
}

// Close ends loads and the mirror; what is queued is answered NOT_COORDINATOR. It returns when no goroutine of the Store runs any more, and may be called again.
func (s *Store) Close() {
	s.cancel()
	s.mu.Lock()
	s.mu.closed = true
	s.mu.queue = nil
	s.mu.Unlock()
	for _, p := range *s.served.Load() {
		p.close()
	}
	s.Flush(-1)
	s.running.Wait()
}

// Storage is where commits go now.
func (s *Store) Storage() Storage { return s.config.Settings().Storage }

// Legacy returns the store of OffsetCommit and OffsetFetch v0.
func (s *Store) Legacy() *Legacy { return s.legacy }

// Check says whether this broker coordinates the groups of a partition: None, COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR or, after Close, COORDINATOR_NOT_AVAILABLE.
func (s *Store) Check(partition int32) wire.Error {
	if p := (*s.served.Load())[partition]; p != nil && p.open.Load() {
		return wire.None
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch t := s.mu.slots[partition]; {
	case s.mu.closed:
		return wire.CoordinatorNotAvailable
	case t == nil || !t.want:
		return wire.NotCoordinator
	case t.current != nil && t.current.open.Load() && !t.resigned:
		return wire.None // since we looked
	}
	return wire.CoordinatorLoadInProgress
}

// partition returns a partition that is loaded, or nil.
func (s *Store) partition(number int32) *partition { return (*s.served.Load())[number] }

// Commit queues a commit of a group for the partition of __consumer_offsets that it belongs to: [Store.Flush] writes it. items belong to the Store until done
// gives them back with their codes: OFFSET_METADATA_TOO_LARGE for those that were left out, what became of the batch for the others.
func (s *Store) Commit(partition int32, group string, items []Item, done func([]Item)) {
	w := &commit{group: group, items: items, done: done}
	p := s.partition(partition)
	if p == nil {
		s.refuse(func() { w.finish(wire.NotCoordinator) })
		return
	}
	w.partition, w.entries = p, make([]*entry, len(items))
	settings := s.config.Settings()
	stored := 0
	for i := range items {
		if items[i].Code = checkItem(group, &items[i], settings.MaxMetadata); items[i].Code == wire.None {
			stored++
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.gone {
		s.refuse(func() { w.finish(wire.NotCoordinator) })
		return
	}
	if stored > 0 {
		g := p.groupLocked(group)
		for i := range items {
			if items[i].Code == wire.None {
				w.entries[i] = g.entry(items[i].TopicPartition)
				w.entries[i].pending++
			}
		}
	}
	if settings.Storage == ZooKeeper {
		p.mu.znodes.queue = append(p.mu.znodes.queue, w)
	} else {
		p.mu.topic.queue = append(p.mu.topic.queue, w)
	}
}

// checkItem says whether an offset can be stored.
func checkItem(group string, item *Item, maxMetadata int) wire.Error {
	if utf16Len(item.Metadata) > maxMetadata {
		return wire.OffsetMetadataTooLarge
	}
	if CheckNames(group, item.Topic, item.Metadata) != nil {
		return wire.UnknownServerError
	}
	return wire.None
}

// StoreGroup queues the record of a group: [Store.Flush] writes it. value is encoded before StoreGroup returns. done gets COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR,
// REBALANCE_IN_PROGRESS (the replicas were too slow) or UNKNOWN_SERVER_ERROR when it wasn't written (reference §11).
func (s *Store) StoreGroup(partition int32, group string, value GroupMetadata, done func(wire.Error)) {
	err := CheckNames(group)
	var encoded []byte
	if err == nil {
		encoded, err = AppendGroupValue(nil, value)
	}
	p := s.partition(partition)
	switch {
	case err != nil:
		s.refuse(func() { done(wire.UnknownServerError) })
		return
	case p == nil:
		s.refuse(func() { done(wire.NotCoordinator) })
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.gone {
		s.refuse(func() { done(wire.NotCoordinator) })
		return
	}
	p.mu.topic.queue = append(p.mu.topic.queue, &keyed{acks: -1, records: []record.Record{{Key: AppendGroupKey(nil, group), Value: encoded}}, done: func(code wire.Error) {
		done(groupCode(code))
	}})
}

// refuse keeps a callback for the next Flush.
func (s *Store) refuse(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.refused = append(s.mu.refused, f)
}

// Flush writes what is queued for a partition, unless another goroutine does so already, which then writes all of it. It waits for the log's write and, with
// offsets.storage=zookeeper, for ZooKeeper, but not for replicas. Call it without a lock after the calls that queue.
func (s *Store) Flush(partition int32) {
	s.mu.Lock()
	refused := s.mu.refused
	s.mu.refused = nil
	s.mu.Unlock()
	for _, f := range refused {
		f()
	}
	if p := s.partition(partition); p != nil {
		p.flush()
	}
}

// Fetch returns committed offsets of a group: those of tps in their order or, with nil, all of them in the order of topics and partitions. An item's code is NONE or, with requireStable,
// UNSTABLE_OFFSET_COMMIT for a partition whose commit is under way. Groups and partitions without offsets give NoOffset. With offsets.storage=zookeeper it waits for
// ZooKeeper: call it without a lock.
func (s *Store) Fetch(ctx context.Context, partition int32, group string, tps []TopicPartition, requireStable bool) ([]Fetched, wire.Error) {
	if code := s.Check(partition); code != wire.None {
		return nil, code
	}
	p := s.partition(partition)
	if p == nil {
		return nil, wire.NotCoordinator
	}
	if s.config.Settings().Storage == ZooKeeper {
		return s.fetchZnodes(ctx, p, group, tps, requireStable)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.mu.groups[group]
	if tps == nil {
		if g == nil {
			return nil, wire.None
		}
		all := make([]Fetched, 0, len(g.entries))
		for tp, e := range g.entries {
			if e.present || (requireStable && e.unstable()) {
				all = append(all, e.fetched(tp, requireStable))
			}
		}
		slices.SortFunc(all, func(a, b Fetched) int { return compareTP(a.TopicPartition, b.TopicPartition) })
		return all, wire.None
	}
	found := make([]Fetched, len(tps))
	for i, tp := range tps {
		var e *entry
		if g != nil {
			e = g.entries[tp]
		}
		found[i] = e.fetched(tp, requireStable)
	}
	return found, wire.None
}

func compareTP(a, b TopicPartition) int {
	if c := strings.Compare(a.Topic, b.Topic); c != 0 {
		return c
	}
	return int(a.Partition) - int(b.Partition)
}

// nothing is the answer for a partition without an offset.
func nothing(tp TopicPartition) Fetched {
	return Fetched{TopicPartition: tp, Committed: Committed{Offset: NoOffset, LeaderEpoch: NoLeaderEpoch, CommitTimestampMs: NoTimestamp, ExpireTimestampMs: NoTimestamp}}
}
