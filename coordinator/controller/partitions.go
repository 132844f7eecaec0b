package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// The partition state machine: initial states, elections.

// ErrNoEligibleLeader is the result of an election without a candidate: no live replica may lead the partition.
var ErrNoEligibleLeader = errors.New("no eligible leader")

// startPartitions gives every partition its first state at failover and elects leaders for those without a live one, as b is to tell.
func (c *Controller) startPartitions(ctx context.Context, b *batch) error {
	c.cluster.allPartitions(func(p *partition) {
		switch {
		case !p.led:
			c.cluster.setState(p, NewPartition)
		case c.cluster.online(p, p.lead.Leader):
			c.cluster.setState(p, OnlinePartition)
		default:
			c.cluster.setState(p, OfflinePartition)
		}
	})
	_, err := c.bringOnlineIn(ctx, b, c.leaderless(func(*topic) bool { return true }), StrategyOffline, false)
	return err
}

// triggerOnline elects leaders for all partitions that have none, except those of topics being deleted.
func (c *Controller) triggerOnline(ctx context.Context) error {
	return c.triggerOnlineFor(ctx, func(*topic) bool { return true })
}

func (c *Controller) triggerOnlineFor(ctx context.Context, wanted func(*topic) bool) error {
	_, err := c.bringOnline(ctx, c.leaderless(wanted), StrategyOffline, false)
	return err
}

// leaderless returns the partitions without a leader, except those of topics being deleted.
func (c *Controller) leaderless(wanted func(*topic) bool) (ps []*partition) {
	c.cluster.allPartitions(func(p *partition) {
		if (p.state == NewPartition || p.state == OfflinePartition) && !p.topic.deleting && wanted(p.topic) {
			ps = append(ps, p)
		}
	})
	return ps
}

// setPartitions moves partitions to a state that needs no decision: New, Offline or NonExistent.
func (c *Controller) setPartitions(ps []*partition, to PartitionState) {
	for _, p := range ps {
		if !to.validFrom(p.state) {
			c.refuse(p, NoLeader, to.String(), fmt.Errorf("not valid from %s", p.state))
			continue
		}
		c.setPartitionState(p, to)
	}
}

func (c *Controller) setPartitionState(p *partition, to PartitionState) {
	from := p.state
	c.cluster.setState(p, to)
	if c.emitting() && from != to {
		c.emit(PartitionStateChanged{Header: c.header(), TopicPartition: p.tp, From: from, To: to})
	}
}

// bringOnline initialises new partitions and elects leaders for the others, then sends one round of requests. It
// returns one result per partition; a partition without a candidate keeps its state.
func (c *Controller) bringOnline(ctx context.Context, ps []*partition, s Strategy, unclean bool) ([]error, error) {
	b := c.newBatch()
	out, err := c.bringOnlineIn(ctx, b, ps, s, unclean)
	if err == nil {
		b.send()
	}
	return out, err
}

// bringOnlineIn is bringOnline with a batch that the caller sends.
func (c *Controller) bringOnlineIn(ctx context.Context, b *batch, ps []*partition, s Strategy, unclean bool) ([]error, error) {
	out := make([]error, len(ps))
	if len(ps) == 0 {
		return out, nil
	}
	var fresh, rest []int
	for i, p := range ps {
		switch {
		case !OnlinePartition.validFrom(p.state):
			out[i] = fmt.Errorf("not valid from %s", p.state)
		case p.state == NewPartition:
			fresh = append(fresh, i)
		default:
			rest = append(rest, i)
		}
	}
	adopted, err := c.initialise(ctx, b, ps, fresh, out)
	if err != nil {
		return out, err
	}
	if err := c.electLeaders(ctx, b, ps, append(rest, adopted...), out, s, unclean); err != nil {
		return out, err
	}
	for i, p := range ps {
		if out[i] != nil {
			c.refuse(p, NoLeader, OnlinePartition.String(), out[i])
		}
	}
	return out, nil
}

// initialise creates the state znodes of ps[i] for i in fresh: the first live replica leads, all live ones are in sync.
// It returns those whose znode turned out to exist with a leader that is not online: they need an election.
func (c *Controller) initialise(ctx context.Context, b *batch, ps []*partition, fresh []int, out []error) ([]int, error) {
	var creating []*partition
	var at []int
	var leads []Leadership
	for _, i := range fresh {
		p := ps[i]
		live := filter(p.replicas, func(id int32) bool { return c.cluster.online(p, id) })
		if len(live) == 0 {
			out[i] = fmt.Errorf("no replica is online: %w", ErrNoEligibleLeader)
			continue
		}
		creating = append(creating, p)
		at = append(at, i)
		leads = append(leads, Leadership{Leader: live[0], ISR: live, ControllerEpoch: c.cluster.epoch})
	}
	results, err := c.createStates(ctx, creating, leads)
	if err != nil {
		return nil, err
	}
	var existing []*partition
	var existingAt []int
	for n, p := range creating {
		i := at[n]
		switch err := results[n]; {
		case err == nil:
			c.commit(p, leads[n], "new partition")
			c.setPartitionState(p, OnlinePartition)
			b.leaderAndIsr(p, p.lead.ISR, true)
		case errors.Is(err, ErrNodeExists):
			existing = append(existing, p)
			existingAt = append(existingAt, i)
		default:
			out[i] = err
		}
	}
	return c.adopt(ctx, b, existing, existingAt, out)
}

// adopt takes over state znodes that exist although the partition was thought to be new: created by an attempt whose
// answer was lost, or left by an earlier life of the topic.
func (c *Controller) adopt(ctx context.Context, b *batch, ps []*partition, at []int, out []error) ([]int, error) {
	if len(ps) == 0 {
		return nil, nil
	}
	states, err := c.readStates(ctx, ps)
	if err != nil {
		return nil, err
	}
	var elect []int
	for n, s := range states {
		p := ps[n]
		switch {
		case s.err != nil:
			out[at[n]] = s.err
		case !s.exists:
			out[at[n]] = ErrNoNode
		case s.lead.ControllerEpoch > c.cluster.epoch:
			out[at[n]] = errNewerController
		case c.cluster.online(p, s.lead.Leader):
			c.commit(p, s.lead, "adopted")
			c.setPartitionState(p, OnlinePartition)
			b.leaderAndIsr(p, p.replicas, true)
		default:
			c.commit(p, s.lead, "adopted")
			c.setPartitionState(p, OfflinePartition)
			elect = append(elect, at[n])
		}
	}
	return elect, nil
}

// maxCreateMulti bounds the operations of the one multi by which few new partitions are created.
const maxCreateMulti = 300

// createStates creates the state znodes and their parents. Few are created in one multi; if that does not go through, or
// there are many, first what they are below of. One result per partition.
func (c *Controller) createStates(ctx context.Context, ps []*partition, leads []Leadership) ([]error, error) {
	out := make([]error, len(ps))
	if len(ps) == 0 {
		return out, nil
	}
	var topics, missing, parents, states []Op
	seen := map[*topic]bool{}
	for i, p := range ps {
		if !seen[p.topic] {
			seen[p.topic] = true
			op := Create(znode.PartitionsPath(p.tp.Topic), nil)
			topics = append(topics, op)
			if !slices.ContainsFunc(p.topic.partitions, func(p *partition) bool { return p.led }) {
				missing = append(missing, op)
			}
		}
		parents = append(parents, Create(znode.PartitionPath(p.tp), nil))
		states = append(states, Create(znode.PartitionStatePath(p.tp), encodeLeadership(leads[i])))
	}
	if 2*len(ps)+len(topics) <= maxCreateMulti {
		done, err := c.createAtOnce(ctx, missing, parents, states)
		if done || err != nil {
			return out, err
		}
	}
	made, err := c.write(ctx, topics)
	if err != nil {
		return out, err
	}
	fresh := map[*topic]bool{}
	n := 0
	for _, p := range ps {
		if _, known := fresh[p.topic]; !known {
			fresh[p.topic] = made[n].Err == nil
			n++
		}
	}
	return out, c.createBelow(ctx, ps, parents, states, fresh, out)
}

// createBelow creates partitions and their states: those of topics that had no partition until now in pairs, in one go;
// the others, of which an earlier attempt may have made some, level by level.
func (c *Controller) createBelow(ctx context.Context, ps []*partition, parents, states []Op, fresh map[*topic]bool, out []error) error {
	var pairs, again, last []Op
	var paired, left []int
	for i, p := range ps {
		if fresh[p.topic] {
			pairs = append(pairs, parents[i], states[i])
			paired = append(paired, i)
		} else {
			left = append(left, i)
		}
	}
	results, err := c.writeTogether(ctx, pairs, 2)
	if err != nil {
		return err
	}
	for n, i := range paired {
		if results[2*n].Err != nil || results[2*n+1].Err != nil {
			left = append(left, i)
		}
	}
	for _, i := range left {
		again, last = append(again, parents[i]), append(last, states[i])
	}
	if _, err := c.write(ctx, again); err != nil {
		return err
	}
	if results, err = c.write(ctx, last); err != nil {
		return err
	}
	for n, i := range left {
		out[i] = results[n].Err
	}
	return nil
}

// createAtOnce creates everything in one fenced multi; false if some of it was refused and nothing was done.
func (c *Controller) createAtOnce(ctx context.Context, levels ...[]Op) (bool, error) {
	ops := []Op{Check(znode.ControllerEpochPath, c.cluster.epochVersion)}
	for _, level := range levels {
		ops = append(ops, level...)
	}
	results, err := c.multi(ctx, ops...)
	if err != nil {
		return false, err
	}
	if errors.Is(results[0].Err, ErrBadVersion) {
		return false, ErrControllerMoved
	}
	for _, r := range results {
		if r.Err != nil {
			return false, nil //nolint:nilerr // one refused write is the answer, not a failure
		}
	}
	return true, nil
}

// electLeaders elects leaders of ps[i] for i in which, writes the decisions and adds them to the batch.
func (c *Controller) electLeaders(ctx context.Context, b *batch, ps []*partition, which []int, out []error, s Strategy, unclean bool) error {
	if len(which) == 0 {
		return nil
	}
	electing := make([]*partition, 0, len(which))
	at := make([]int, 0, len(which))
	for _, i := range which {
		if !ps[i].led {
			out[i] = errors.New("no state znode")
			continue
		}
		electing = append(electing, ps[i])
		at = append(at, i)
	}
	allowed := map[*topic]bool{}
	if s == StrategyOffline && !unclean {
		if err := c.readUnclean(ctx, electing, allowed); err != nil {
			return err
		}
	}
	outcomes := make(map[*partition]Outcome, len(electing))
	results, err := c.updateStates(ctx, electing, s.String(), func(p *partition) (Leadership, error) {
		if p.lead.ControllerEpoch > c.cluster.epoch {
			return Leadership{}, errNewerController
		}
		o, ok := Elect(s, c.cluster.candidates(p, unclean || allowed[p.topic]))
		if !ok {
			return Leadership{}, ErrNoEligibleLeader
		}
		outcomes[p] = o
		l := p.lead.next(o.Leader, o.ISR, c.cluster.epoch)
		if o.Unclean && c.cfg.IBP.LeaderRecovery() {
			l.Recovery = znode.Recovering
		}
		return l, nil
	})
	if err != nil {
		return err
	}
	for n, p := range electing {
		if results[n] != nil {
			out[at[n]] = results[n]
			continue
		}
		c.setPartitionState(p, OnlinePartition)
		b.leaderAndIsr(p, outcomes[p].Recipients, false)
	}
	return nil
}

// readUnclean finds out for which topics an unclean election is allowed, reading the configs of only those that need one.
func (c *Controller) readUnclean(ctx context.Context, ps []*partition, allowed map[*topic]bool) error {
	var topics []*topic
	var paths []string
	seen := map[*topic]bool{}
	for _, p := range ps {
		if seen[p.topic] || len(filter(p.lead.ISR, func(id int32) bool { return c.cluster.online(p, id) })) > 0 {
			continue
		}
		seen[p.topic] = true
		topics = append(topics, p.topic)
		paths = append(paths, znode.Entity{Type: znode.ConfigTopics, Name: p.tp.Topic}.Path())
	}
	if len(paths) == 0 {
		return nil
	}
	nodes, err := c.cfg.Store.Get(ctx, paths...)
	if err != nil {
		return err
	}
	byDefault := c.cfg.UncleanLeaderElection()
	for i, n := range nodes {
		allowed[topics[i]] = byDefault
		if !n.Exists {
			continue
		}
		config, err := znode.DecodeConfig(n.Data)
		if err != nil {
			c.emit(ZnodeUnreadable{Header: c.header(), Path: n.Path, Err: err})
			allowed[topics[i]] = false
			continue
		}
		if v, ok := config["unclean.leader.election.enable"]; ok {
			allowed[topics[i]] = v == "true"
		}
	}
	return nil
}
