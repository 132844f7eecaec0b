package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// ZnodeUnreadable says that a znode holds something that is not what it should hold. It is left alone and its object
// ignored, so that one broken znode does not stop the cluster.
type ZnodeUnreadable struct {
	Header
	Path string
	Err  error
}

// write applies operations one by one, fenced by our epoch, and reports them.
func (c *Controller) write(ctx context.Context, ops []Op) ([]OpResult, error) {
	return c.writeTogether(ctx, ops, 1)
}

// writeTogether applies groups of so many operations, each group all or none, fenced by our epoch, and reports them.
func (c *Controller) writeTogether(ctx context.Context, ops []Op, together int) ([]OpResult, error) {
	if len(ops) == 0 {
		return nil, nil
	}
	start := time.Now()
	results, err := c.cfg.Store.Write(ctx, c.cluster.epochVersion, ops, together)
	if c.emitting() {
		c.emit(ZnodesWritten{Header: c.header(), Ops: ops, Results: results, Took: time.Since(start), Err: err})
	}
	return results, err
}

// writeAll applies operations and returns the first error that is not one of accepted.
func (c *Controller) writeAll(ctx context.Context, ops []Op, accepted error) error {
	results, err := c.write(ctx, ops)
	if err != nil {
		return err
	}
	for i, r := range results {
		if r.Err != nil && !errors.Is(r.Err, accepted) {
			return fmt.Errorf("%s %s: %w", ops[i].Kind, ops[i].Path, r.Err)
		}
	}
	return nil
}

// deleteChildren deletes children of parent, whatever their version; those already gone do not matter.
func (c *Controller) deleteChildren(ctx context.Context, parent string, names []string) error {
	slices.Sort(names)
	ops := make([]Op, len(names))
	for i, name := range names {
		ops[i] = Delete(parent+"/"+name, AnyVersion)
	}
	return c.writeAll(ctx, ops, ErrNoNode)
}

// readBrokers reads all registrations, by id. Those that cannot be read are reported and left out.
func (c *Controller) readBrokers(ctx context.Context) ([]*brokerInfo, error) {
	names, err := c.cfg.Store.Children(ctx, znode.BrokerIDsPath)
	if err != nil {
		return nil, err
	}
	ids := make([]int32, 0, len(names))
	for _, name := range names {
		id, err := znode.ParseBrokerID(name)
		if err != nil {
			c.emit(ZnodeUnreadable{Header: c.header(), Path: znode.BrokerIDsPath + "/" + name, Err: err})
			continue
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return c.readBrokerInfos(ctx, ids)
}

func (c *Controller) readBrokerInfos(ctx context.Context, ids []int32) ([]*brokerInfo, error) {
	paths := make([]string, len(ids))
	for i, id := range ids {
		paths[i] = znode.BrokerPath(id)
	}
	nodes, err := c.cfg.Store.Get(ctx, paths...)
	if err != nil {
		return nil, err
	}
	out := make([]*brokerInfo, 0, len(nodes))
	for i, n := range nodes {
		if !n.Exists {
			continue
		}
		info, err := znode.DecodeBroker(n.Data)
		if err != nil {
			c.emit(ZnodeUnreadable{Header: c.header(), Path: n.Path, Err: err})
			continue
		}
		out = append(out, &brokerInfo{id: ids[i], epoch: n.Stat.Czxid, info: info})
	}
	return out, nil
}

// readTopics reads the znodes of topics; those that are gone or cannot be read are left out.
func (c *Controller) readTopics(ctx context.Context, names []string) (map[string]znode.Topic, error) {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = znode.TopicPath(name)
	}
	nodes, err := c.cfg.Store.Get(ctx, paths...)
	if err != nil {
		return nil, err
	}
	out := make(map[string]znode.Topic, len(nodes))
	for i, n := range nodes {
		if !n.Exists {
			continue
		}
		t, err := znode.DecodeTopic(n.Data)
		if err != nil {
			c.emit(ZnodeUnreadable{Header: c.header(), Path: n.Path, Err: err})
			continue
		}
		out[names[i]] = t
	}
	return out, nil
}

// addTopics registers watches for new topics, reads them, gives ids to those without and adds them with their
// assignments. It returns the new partitions, all in state NonExistent.
func (c *Controller) addTopics(ctx context.Context, names []string) ([]*partition, error) {
	slices.Sort(names)
	for _, name := range names {
		c.watchTopic(name)
	}
	read, err := c.readTopics(ctx, names)
	if err != nil {
		return nil, err
	}
	if err := c.assignTopicIDs(ctx, names, read); err != nil {
		return nil, err
	}
	var added []*partition
	for _, name := range names {
		content, ok := read[name]
		if !ok {
			continue
		}
		t := c.cluster.addTopic(name, wire.UUID(content.ID))
		for _, id := range content.PartitionIDs() {
			added = append(added, c.cluster.addPartition(t, id, content.Partitions[id]))
		}
	}
	return added, nil
}

// assignTopicIDs writes a random id into the znodes of topics that were created by something older than IBP 2.8.
func (c *Controller) assignTopicIDs(ctx context.Context, names []string, read map[string]znode.Topic) error {
	if !c.cfg.IBP.TopicIDs() {
		return nil
	}
	var ops []Op
	for _, name := range names {
		t, ok := read[name]
		if !ok || !t.ID.IsZero() {
			continue
		}
		t.ID = znode.TopicID(wire.NewUUID())
		read[name] = t
		ops = append(ops, Set(znode.TopicPath(name), t.Encode(), AnyVersion))
	}
	return c.writeAll(ctx, ops, ErrNoNode)
}

// watchTopic registers the data watch of a topic.
func (c *Controller) watchTopic(name string) {
	c.cfg.Store.Watch(znode.TopicPath(name), WatchData, func() {
		c.dirty.Lock()
		c.dirty.topics[name] = true
		c.dirty.Unlock()
		c.queue.putSignal(task{kind: KindPartitionModifications, detail: name, run: c.ifActive(c.partitionModifications)})
	})
}

// watchBroker registers the data watch of a broker's registration.
func (c *Controller) watchBroker(id int32) {
	c.cfg.Store.Watch(znode.BrokerPath(id), WatchData, func() {
		c.dirty.Lock()
		c.dirty.brokers[id] = true
		c.dirty.Unlock()
		c.queue.putSignal(task{kind: KindBrokerModifications, run: c.ifActive(c.brokerModifications)})
	})
}

// stateRead is what a partition's state znode holds.
type stateRead struct {
	lead    Leadership
	written int64 // The znode's mzxid.
	exists  bool
	err     error // The content cannot be read.
}

// readStates reads the state znodes of partitions, in the same order.
func (c *Controller) readStates(ctx context.Context, ps []*partition) ([]stateRead, error) {
	paths := make([]string, len(ps))
	for i, p := range ps {
		paths[i] = znode.PartitionStatePath(p.tp)
	}
	nodes, err := c.cfg.Store.Get(ctx, paths...)
	if err != nil {
		return nil, err
	}
	out := make([]stateRead, len(ps))
	for i, n := range nodes {
		if !n.Exists {
			continue
		}
		out[i].exists, out[i].written = true, n.Stat.Mzxid
		s, err := znode.DecodePartitionState(n.Data)
		if err != nil {
			out[i].err = err
			c.emit(ZnodeUnreadable{Header: c.header(), Path: n.Path, Err: err})
			continue
		}
		out[i].lead = Leadership{
			Leader: s.Leader, LeaderEpoch: int32(s.LeaderEpoch), ISR: s.ISR, Recovery: s.RecoveryState,
			PartitionEpoch: n.Stat.Version, ControllerEpoch: int32(s.ControllerEpoch),
		}
	}
	return out, nil
}

// loadStates fills the cache from ZooKeeper and returns the mzxids of the states, 0 where there is none. Partitions without a state znode have no leadership.
func (c *Controller) loadStates(ctx context.Context, ps []*partition) ([]int64, error) {
	states, err := c.readStates(ctx, ps)
	if err != nil {
		return nil, err
	}
	written := make([]int64, len(ps))
	for i, s := range states {
		written[i] = s.written
		if s.exists && s.err == nil {
			c.cluster.setLeadership(ps[i], s.lead)
		}
	}
	return written, nil
}

func encodeLeadership(l Leadership) []byte {
	return znode.PartitionState{
		Leader: l.Leader, LeaderEpoch: znode.LeaderEpoch(l.LeaderEpoch), ISR: l.ISR, RecoveryState: l.Recovery,
		ControllerEpoch: znode.ControllerEpoch(l.ControllerEpoch),
	}.Encode()
}

// sameDecision says whether two states are the same decision, whatever their versions.
func sameDecision(a, b Leadership) bool {
	return a.Leader == b.Leader && a.LeaderEpoch == b.LeaderEpoch && a.Recovery == b.Recovery &&
		a.ControllerEpoch == b.ControllerEpoch && slices.Equal(a.ISR, b.ISR)
}

// errNewerController is the result for a partition whose state was written by a controller with a higher epoch.
var errNewerController = errors.New("partition state written by a newer controller")

// errUnchanged from a decision means that the state is as it should be: nothing is written, and that is a success.
var errUnchanged = errors.New("state is as wanted")

// updateStates writes states on condition that nobody else wrote them since decide saw them. decide computes the state a
// partition shall have from the cached one, or an error if there is none to have; it is asked again with what is in
// ZooKeeper for partitions that somebody else wrote. Committed states are in the cache afterwards; one result per
// partition, in order. The error is that of the whole step.
func (c *Controller) updateStates(ctx context.Context, ps []*partition, reason string, decide func(*partition) (Leadership, error)) ([]error, error) {
	out := make([]error, len(ps))
	todo := make([]int, 0, len(ps))
	for i := range ps {
		todo = append(todo, i)
	}
	wanted := make([]Leadership, len(ps))
	if c.rereadStates {
		var err error
		if todo, err = c.refreshForUpdate(ctx, ps, todo, wanted, out, reason); err != nil {
			return out, err
		}
	}
	for attempt := 0; len(todo) > 0; attempt++ {
		var ops []Op
		var written []int
		for _, i := range todo {
			if attempt >= maxStateRetries {
				out[i] = fmt.Errorf("after %d attempts: %w", attempt, ErrBadVersion)
				continue
			}
			want, err := decide(ps[i])
			if errors.Is(err, errUnchanged) {
				continue
			}
			if err != nil {
				out[i] = err
				continue
			}
			wanted[i] = want
			written = append(written, i)
			ops = append(ops, Set(znode.PartitionStatePath(ps[i].tp), encodeLeadership(want), ps[i].lead.PartitionEpoch))
		}
		results, err := c.write(ctx, ops)
		if err != nil {
			return out, err
		}
		todo = todo[:0]
		for n, r := range results {
			i := written[n]
			switch {
			case r.Err == nil:
				wanted[i].PartitionEpoch = r.Stat.Version
				c.commit(ps[i], wanted[i], reason)
			case errors.Is(r.Err, ErrBadVersion):
				todo = append(todo, i)
			default:
				out[i] = r.Err
			}
		}
		if len(todo) > 0 {
			if todo, err = c.refreshForUpdate(ctx, ps, todo, wanted, out, reason); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// refreshForUpdate reads the states of ps[i] for i in todo into the cache and returns those that still have to be
// decided. A state that is exactly what was wanted is our own write whose answer was lost: it counts as committed.
func (c *Controller) refreshForUpdate(ctx context.Context, ps []*partition, todo []int, wanted []Leadership, out []error, reason string) ([]int, error) {
	read := make([]*partition, len(todo))
	for n, i := range todo {
		read[n] = ps[i]
	}
	states, err := c.readStates(ctx, read)
	if err != nil {
		return nil, err
	}
	rest := make([]int, 0, len(todo))
	for n, s := range states {
		i := todo[n]
		switch {
		case s.err != nil:
			out[i] = s.err
		case !s.exists:
			out[i] = ErrNoNode
		case s.lead.ControllerEpoch > c.cluster.epoch:
			out[i] = errNewerController
		case wanted[i].ControllerEpoch != 0 && sameDecision(s.lead, wanted[i]):
			c.commit(ps[i], s.lead, reason)
		default:
			c.cluster.setLeadership(ps[i], s.lead)
			rest = append(rest, i)
		}
	}
	return rest, nil
}

// commit takes a written state into the cache and reports it.
func (c *Controller) commit(p *partition, l Leadership, reason string) {
	previous := p.lead
	c.cluster.setLeadership(p, l)
	if c.emitting() {
		c.emit(LeadershipChanged{Header: c.header(), TopicPartition: p.tp, Reason: reason, Leadership: l, Previous: previous})
	}
}

// multi applies operations all or none and reports them.
func (c *Controller) multi(ctx context.Context, ops ...Op) ([]OpResult, error) {
	start := time.Now()
	results, err := c.cfg.Store.Multi(ctx, ops...)
	if c.emitting() {
		c.emit(ZnodesWritten{Header: c.header(), Ops: ops, Results: results, Took: time.Since(start), Err: err})
	}
	return results, err
}
