package offsets

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

const (
	// mirrorBatch is how many znodes one transaction of the mirror writes at most.
	mirrorBatch = 100
	// mirrorTimeout is how long the mirror waits for one round.
	mirrorTimeout = 15 * time.Second
	// The mirror's pause after a failure doubles between these.
	minMirrorPause = 100 * time.Millisecond
	maxMirrorPause = 5 * time.Second
	// After a sweep over the partitions the mirror rests mirrorRest times as long as it took, within these bounds: while groups commit all the time it takes a small part of a processor and writes the
	// latest of many offsets, instead of racing with the commits for both.
	mirrorRest    = 9
	minMirrorRest = 10 * time.Millisecond
	maxMirrorRest = 500 * time.Millisecond
	// foreignMargin: a znode that was written this much later than its offset was committed wasn't written by a mirror but by an OffsetCommit v0 or an old consumer, and is left
	// alone after a load. Clocks and a mirror's lag may differ by less.
	foreignMargin = 10 * time.Second
)

// mirror brings ZooKeeper after the topic, with one goroutine. It holds no offsets: what is to be written is marked in the partitions' caches.
type mirror struct {
	store  *Store
	signal chan struct{} // holds one: there may be something to do

	transactions, written, failures, foreign, fenced, unnamed atomic.Int64
}

func (m *mirror) init(s *Store) { m.store, m.signal = s, make(chan struct{}, 1) }

// wake says that there may be something to do.
func (m *mirror) wake() {
	select {
	case m.signal <- struct{}{}:
	default:
	}
}

func (m *mirror) stats() MirrorStats {
	return MirrorStats{
		Written: m.written.Load(), Transactions: m.transactions.Load(), Failures: m.failures.Load(), Foreign: m.foreign.Load(), Fenced: m.fenced.Load(), Unnamed: m.unnamed.Load(),
	}
}

// StorageChanged tells the Store that offsets.storage may have changed. From a switch to dual on, ZooKeeper is brought after the topic; what was committed to ZooKeeper
// alone doesn't come into the topic by itself.
func (s *Store) StorageChanged() {
	if s.config.Settings().Storage == Dual {
		for _, p := range *s.served.Load() {
			p.mu.Lock()
			for _, g := range p.mu.groups {
				for _, e := range g.entries {
					if e.present {
						p.doubtLocked(e)
					}
				}
			}
			p.mu.Unlock()
		}
	}
	s.mirror.wake()
}

func (m *mirror) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	signal := (<-chan struct{})(nil) // m.signal while the mirror neither rests nor waits for ZooKeeper to come back
	pause := time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			if pause == 0 {
				signal = m.signal // rested: what has come meanwhile has left a signal
				continue
			}
		case <-signal:
		}
		signal = nil
		began := time.Now()
		err := m.sweep(ctx)
		if err == nil {
			pause = 0
			timer.Reset(min(max(mirrorRest*time.Since(began), minMirrorRest), maxMirrorRest))
			continue
		}
		if ctx.Err() == nil && pause == 0 {
			m.store.problem("copy offsets to ZooKeeper", -1, err)
		}
		m.failures.Add(1)
		pause = min(max(2*pause, minMirrorPause), maxMirrorPause)
		timer.Reset(pause)
	}
}

// sweep lets every partition write what it has now. What comes meanwhile is for the next sweep.
func (m *mirror) sweep(ctx context.Context) error {
	for _, p := range *m.store.served.Load() {
		p.mu.Lock()
		left := len(p.mu.dirty) + len(p.mu.unverified)
		p.mu.Unlock()
		for left > 0 {
			more, err := p.mirrorRound(ctx)
			if err != nil {
				return err
			}
			if left -= mirrorBatch; more && left <= 0 {
				m.wake()
			}
			if !more {
				break
			}
		}
	}
	return nil
}

// markLocked notes that an offset is newer than its znode, and says whether that is news.
func (p *partition) markLocked(e *entry, nowMs int64) bool {
	e.verify = false // what it is newer than doesn't matter
	if e.dirty {
		return false
	}
	if !e.group.plain {
		p.store.mirror.unnamed.Add(1)
		return false
	}
	e.dirty, e.since = true, nowMs
	p.mu.dirty = append(p.mu.dirty, e)
	return true
}

// doubtLocked notes that an offset may be newer than its znode.
func (p *partition) doubtLocked(e *entry) {
	if !e.dirty && !e.verify && e.group.plain {
		e.verify = true
		p.mu.unverified = append(p.mu.unverified, e)
	}
}

// znodeOffset is an offset on its way to its znode.
type znodeOffset struct {
	entry  *entry
	path   string
	offset int64
	data   []byte

	since    int64 // when its entry became dirty, in ms
	commitMs int64
	verify   bool // leave a znode alone that is newer
	known    bool // it is known whether the znode exists
	exists   bool
	skip     bool // nothing to write
}

func (p *partition) znodeOffsetLocked(e *entry, offset int64) *znodeOffset {
	return &znodeOffset{
		entry: e, path: znode.ConsumerOffsetPath(e.group.name, e.tp), offset: offset, data: znode.EncodeConsumerOffset(offset), known: e.known, exists: e.known,
	}
}

// takeLocked takes up to mirrorBatch offsets from the head of a list.
func (p *partition) takeLocked(list *[]*entry, verify bool) []*znodeOffset {
	var taken []*znodeOffset
	rest := *list
	for len(rest) > 0 && len(taken) < mirrorBatch {
		e := rest[0]
		rest[0], rest = nil, rest[1:]
		if verify && !e.verify || !verify && !e.dirty {
			continue // has been marked otherwise, or written, since
		}
		e.dirty, e.verify = false, false
		if !e.present || e.detached {
			continue
		}
		z := p.znodeOffsetLocked(e, e.value.Offset)
		z.since, z.verify, z.commitMs = e.since, verify, e.value.CommitTimestampMs
		if verify {
			z.known = false
		}
		taken = append(taken, z)
	}
	if len(rest) == 0 {
		rest = nil
	}
	*list = rest
	return taken
}

// mirrorRound writes the znodes of some offsets, and says whether there are more.
func (p *partition) mirrorRound(ctx context.Context) (more bool, err error) {
	p.mu.Lock()
	if p.mu.znodes.writing { // who writes wakes the mirror when that is over
		p.mu.Unlock()
		return false, nil
	}
	taken := p.takeLocked(&p.mu.dirty, false)
	if len(taken) == 0 {
		taken = p.takeLocked(&p.mu.unverified, true)
	}
	if len(taken) == 0 {
		p.mu.Unlock()
		return false, nil
	}
	p.mu.znodes.writing = true
	p.mu.mirroring = len(taken)
	p.mu.Unlock()

	within, cancel := context.WithTimeout(ctx, mirrorTimeout)
	err = p.writeZnodes(within, taken)
	cancel()

	p.mu.Lock()
	p.mu.mirroring = 0
	p.mu.znodes.writing = false
	switch {
	case errors.Is(err, errFenced):
		p.store.mirror.fenced.Add(int64(len(taken)))
		err = nil
	case err != nil:
		p.returnLocked(taken)
	default:
		for _, z := range taken {
			z.entry.known = true // it is as it should be, or was left as it is
		}
		if mirrored := p.store.config.Mirrored; mirrored != nil && !taken[0].verify {
			mirrored(time.Duration(time.Now().UnixMilli()-taken[0].since) * time.Millisecond)
		}
	}
	more = len(p.mu.dirty)+len(p.mu.unverified) > 0
	p.mu.Unlock()
	p.flushZnodes() // commits that came meanwhile
	return more, err
}

// returnLocked puts back what could not be written, before what came later. Nobody knows what exists by now.
func (p *partition) returnLocked(taken []*znodeOffset) {
	if p.mu.gone {
		return
	}
	var dirty, unverified []*entry
	for _, z := range taken {
		e := z.entry
		switch e.known = false; {
		case e.dirty || e.detached:
		case z.verify:
			if !e.verify {
				e.verify = true
				unverified = append(unverified, e)
			}
		default:
			e.dirty = true
			dirty = append(dirty, e)
		}
	}
	p.mu.dirty = append(dirty, p.mu.dirty...)
	p.mu.unverified = append(unverified, p.mu.unverified...)
}

// errFenced says that another broker leads the partition by ZooKeeper.
var errFenced = errors.New("another broker coordinates the group")

// fence is the version of the znode of the partition's state under which this broker leads.
type fence struct {
	known   bool
	version int32
}

// readFence reads under which version of the state's znode this broker leads. Errors: errFenced.
func (p *partition) readFence(ctx context.Context, path string) error {
	nodes, err := p.store.config.Znodes.Get(ctx, []string{path})
	if err != nil {
		return err
	}
	if !nodes[0].Exists {
		return errFenced
	}
	state, err := znode.DecodePartitionState(nodes[0].Data)
	if err != nil {
		return err
	}
	if state.Leader != p.store.config.BrokerID || int32(state.LeaderEpoch) < p.epoch {
		return errFenced
	}
	p.fence = fence{known: true, version: nodes[0].Version}
	return nil
}

// znodeAttempts is how often writing is tried anew because somebody else made or removed a znode, or the state of the partition changed.
const znodeAttempts = 5

// writeZnodes writes offsets to their znodes in one transaction, which only the broker that leads the partition gets through. The caller has the lane.
func (p *partition) writeZnodes(ctx context.Context, list []*znodeOffset) error {
	check := znode.PartitionStatePath(TopicPartition{Topic: Topic, Partition: p.number})
	var err error
	for range znodeAttempts {
		if err := p.look(ctx, list); err != nil {
			return err
		}
		if !p.fence.known {
			if err := p.readFence(ctx, check); err != nil {
				return err
			}
		}
		writes := make([]ZnodeWrite, 0, len(list))
		for _, z := range list {
			if !z.skip {
				writes = append(writes, ZnodeWrite{Path: z.path, Data: z.data, Create: !z.exists})
			}
		}
		if len(writes) == 0 {
			return nil
		}
		err = p.store.config.Znodes.Transact(ctx, check, p.fence.version, writes)
		switch {
		case err == nil:
			p.store.mirror.transactions.Add(1)
			p.store.mirror.written.Add(int64(len(writes)))
			return nil
		case !errors.Is(err, ErrZnodeVersion) && !errors.Is(err, ErrNoZnode) && !errors.Is(err, ErrZnodeExists):
			return err
		}
		p.fence.known = false
		if !errors.Is(err, ErrZnodeVersion) {
			for _, z := range list {
				z.known = false
			}
		}
	}
	return err
}

// look finds out which znodes exist, where that isn't known, and makes the parents of those that don't.
func (p *partition) look(ctx context.Context, list []*znodeOffset) error {
	var unknown []*znodeOffset
	var paths []string
	for _, z := range list {
		if !z.known && !z.skip {
			unknown = append(unknown, z)
			paths = append(paths, z.path)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	nodes, err := p.store.config.Znodes.Get(ctx, paths)
	if err != nil {
		return err
	}
	made := map[string]bool{}
	for i, z := range unknown {
		z.known, z.exists = true, nodes[i].Exists
		switch {
		case z.exists && string(nodes[i].Data) == string(z.data):
			z.skip = true
		case z.exists && z.verify && nodes[i].MtimeMs > z.commitMs+foreignMargin.Milliseconds():
			z.skip = true
			p.store.mirror.foreign.Add(1)
		case !z.exists:
			parent := parentOf(z.path)
			if made[parent] {
				continue
			}
			made[parent] = true
			if err := p.store.config.Znodes.Ensure(ctx, parent); err != nil {
				return err
			}
		}
	}
	return nil
}

// flushZnodes writes the commits of offsets.storage=zookeeper, unless somebody else does.
func (p *partition) flushZnodes() {
	p.mu.Lock()
	l := &p.mu.znodes
	if l.writing || len(l.queue) == 0 {
		p.mu.Unlock()
		return
	}
	l.writing = true
	for len(l.queue) > 0 {
		c := l.queue[0].(*commit)
		l.queue = l.queue[1:]
		var list []*znodeOffset
		for i, e := range c.entries {
			if e != nil {
				e.dirty, e.verify = false, false // whatever the mirror had for it is older
				list = append(list, p.znodeOffsetLocked(e, c.items[i].Offset))
			}
		}
		p.mu.Unlock()
		code := p.commitZnodes(c.group, list)
		p.mu.Lock()
		for _, z := range list {
			z.entry.pending--
			z.entry.known = code == wire.None
			p.dropLocked(z.entry)
		}
		p.mu.Unlock()
		c.finish(code)
		p.mu.Lock()
	}
	l.queue, l.writing = nil, false
	behind := len(p.mu.dirty)+len(p.mu.unverified) > 0
	p.mu.Unlock()
	if behind {
		p.store.mirror.wake()
	}
}

func (p *partition) commitZnodes(group string, list []*znodeOffset) wire.Error {
	if len(list) == 0 {
		return wire.None
	}
	if !ZnodeName(group) {
		return wire.InvalidGroupID
	}
	ctx, cancel := context.WithTimeout(p.store.ctx, p.store.config.Settings().Timeout)
	defer cancel()
	// The last of several offsets for one partition counts, and a transaction may name a znode once.
	last := make(map[*entry]int, len(list))
	for i, z := range list {
		last[z.entry] = i
	}
	distinct := make([]*znodeOffset, 0, len(last))
	for i, z := range list {
		if last[z.entry] == i {
			distinct = append(distinct, z)
		}
	}
	switch err := p.writeZnodes(ctx, distinct); {
	case err == nil:
		return wire.None
	case errors.Is(err, errFenced):
		return wire.NotCoordinator
	case ctx.Err() != nil:
		return wire.RequestTimedOut
	default:
		p.store.problem("commit offsets to ZooKeeper", p.number, err)
		return wire.UnknownServerError
	}
}
