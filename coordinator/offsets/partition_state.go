package offsets

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
)

// partition is a partition of __consumer_offsets that this broker leads and has loaded: the cache of its groups' offsets, and what is to be written.
type partition struct {
	number int32
	epoch  int32 // the leader epoch it was loaded for
	store  *Store
	open   atomic.Bool // the coordinator has its groups: requests are served

	mu struct {
		sync.Mutex
		groups map[string]*group
		gone   bool // led by another broker, or the Store is closed: nothing is queued any more
		topic  lane // what goes to the log
		znodes lane // what goes to ZooKeeper: commits of offsets.storage=zookeeper, and the mirror's
		// dirty are the offsets whose znodes are to be written, the oldest first. unverified are those whose znodes may be: they come when there is no dirty one.
		dirty, unverified []*entry
		mirroring         int // of them, being written
		// transactions are the offsets of open transactions, by producer id.
		transactions map[int64]map[*entry]pendingOffset
	}

	batches batches // of whoever writes to the log
	fence   fence   // of whoever writes to ZooKeeper
}

// lane is a queue with one writer at a time, which is whoever finds that there is none.
type lane struct {
	queue   []write
	writing bool
}

// write is something queued: *commit or *keyed.
type write interface {
	// finish answers it; the code is the log's, or one that this package gives. No lock is held.
	finish(code wire.Error)
}

// commit is an OffsetCommit.
type commit struct {
	partition *partition
	group     string
	items     []Item
	entries   []*entry // of the items that are stored; nil for others
	done      func([]Item)
}

func (c *commit) finish(code wire.Error) {
	code = commitCode(code)
	for i := range c.items {
		if c.items[i].Code == wire.None {
			c.items[i].Code = code
		}
	}
	c.done(c.items)
}

// keyed are records as they are: of a group, or tombstones. Timestamps are set when they are written.
type keyed struct {
	records []record.Record
	acks    int16
	done    func(wire.Error)
}

func (k *keyed) finish(code wire.Error) { k.done(code) }

// group is what a group has committed.
type group struct {
	name    string
	entries map[TopicPartition]*entry
	// plain says that the name can be one of a znode.
	plain bool
}

func newGroup(name string) *group {
	return &group{name: name, entries: map[TopicPartition]*entry{}, plain: ZnodeName(name)}
}

// ZnodeName says whether a name can be one element of a znode's path.
func ZnodeName(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.ContainsFunc(s, func(r rune) bool {
		return r == '/' || r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0xd800 && r < 0xf900 || r >= 0xfff0 && r <= 0xffff
	})
}

func (g *group) entry(tp TopicPartition) *entry {
	e := g.entries[tp]
	if e == nil {
		e = &entry{group: g, tp: tp}
		g.entries[tp] = e
	}
	return e
}

// entry is a partition's offset in a group. It is guarded by its partition's lock.
type entry struct {
	group *group
	tp    TopicPartition
	value Committed
	// batch is the base offset of the batch that holds value, or what loading found: a value from an earlier batch never replaces one of a later batch.
	batch    int64
	present  bool  // there is a value
	detached bool  // removed while a commit was under way: that commit leaves nothing
	pending  int32 // commits under way
	open     int32 // open transactions that commit it

	dirty  bool  // in partition.mu.dirty: its znode is older
	verify bool  // in partition.mu.unverified: its znode may be older
	known  bool  // its znode exists
	since  int64 // when it became dirty, in ms
}

func (e *entry) unstable() bool { return e.pending > 0 || e.open > 0 }

// used says whether there is anything about it to keep.
func (e *entry) used() bool { return e.present || e.unstable() }

func (e *entry) fetched(tp TopicPartition, requireStable bool) Fetched {
	f := nothing(tp)
	switch {
	case e == nil:
	case requireStable && e.unstable():
		f.Code = wire.UnstableOffsetCommit
	case e.present:
		f.Committed = e.value
	}
	return f
}

// pendingOffset is an offset of an open transaction.
type pendingOffset struct {
	value   Committed
	batch   int64
	present bool // false: a tombstone
}

func (p *partition) groupLocked(name string) *group {
	g := p.mu.groups[name]
	if g == nil {
		g = newGroup(name)
		p.mu.groups[name] = g
	}
	return g
}

// dropLocked forgets an entry if nothing is left of it, and its group with the last one.
func (p *partition) dropLocked(e *entry) {
	if e.used() || e.detached {
		return
	}
	e.detached = true
	delete(e.group.entries, e.tp)
	if len(e.group.entries) == 0 && p.mu.groups[e.group.name] == e.group {
		delete(p.mu.groups, e.group.name)
	}
}

// detachLocked takes an offset out of the cache; commits under way then leave nothing.
func (p *partition) detachLocked(e *entry) {
	e.present, e.detached = false, true
	delete(e.group.entries, e.tp)
	if len(e.group.entries) == 0 && p.mu.groups[e.group.name] == e.group {
		delete(p.mu.groups, e.group.name)
	}
}

// close ends the partition: nothing more is queued, what is queued is answered NOT_COORDINATOR, what was written is answered by the log.
func (p *partition) close() {
	p.open.Store(false)
	p.mu.Lock()
	p.mu.gone = true
	queued := append(p.mu.topic.queue, p.mu.znodes.queue...) //nolint:gocritic // both are given up here
	p.mu.topic.queue, p.mu.znodes.queue, p.mu.dirty, p.mu.unverified = nil, nil, nil, nil
	p.mu.Unlock()
	for _, w := range queued {
		w.finish(wire.NotCoordinator)
	}
}

// commitCode is what a client is told of a commit that wasn't written (GroupMetadataManager.maybeConvertOffsetCommitError).
func commitCode(code wire.Error) wire.Error {
	switch code {
	case wire.NetworkException:
		return wire.CoordinatorLoadInProgress
	case wire.UnknownTopicOrPartition, wire.NotEnoughReplicas, wire.NotEnoughReplicasAfterAppend:
		return wire.CoordinatorNotAvailable
	case wire.NotLeaderOrFollower, wire.KafkaStorageError:
		return wire.NotCoordinator
	case wire.MessageTooLarge, wire.RecordListTooLarge, wire.InvalidFetchSize:
		return wire.InvalidCommitOffsetSize
	}
	return code
}

// groupCode is what the coordinator is told of a group's record that wasn't written (GroupMetadataManager.storeGroup).
func groupCode(code wire.Error) wire.Error {
	switch code {
	case wire.UnknownTopicOrPartition, wire.NotEnoughReplicas, wire.NotEnoughReplicasAfterAppend:
		return wire.CoordinatorNotAvailable
	case wire.NotLeaderOrFollower, wire.KafkaStorageError:
		return wire.NotCoordinator
	case wire.RequestTimedOut:
		return wire.RebalanceInProgress
	case wire.MessageTooLarge, wire.RecordListTooLarge, wire.InvalidFetchSize:
		return wire.UnknownServerError
	}
	return code
}
