package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// Partition reassignment (KIP-455). While it goes on, the topic znode holds the target replicas first and then those being
// removed, and which of them are added and removed; that is all a successor needs to go on. The letters are those of
// Kafka's KafkaController.onPartitionReassignment:
//
//	U  the new assignment is written and taken into memory; replicas that an overridden reassignment was adding go
//	A  until all targets are in sync: the leader epoch rises, all replicas learn of the reassignment, the new ones start
//	B  then: the new ones are ordinary replicas, the assignment is the targets, a leader among them, the others are
//	   stopped and deleted, and last the topic znode says so: before that, a successor does B again
//
// Unlike Kafka, which goes through this one partition at a time, a step is taken for all partitions of a request together.

// move is one partition on its way to another assignment.
type move struct {
	p  *partition
	to znode.Assignment
	// err is why it did not get as far as its first write; nil if it did.
	err error
}

// assignment returns the assignment of a partition.
func (p *partition) assignment() znode.Assignment {
	return znode.Assignment{Replicas: p.replicas, Adding: p.adding, Removing: p.removing}
}

// origin returns the assigned replicas less those being added, in order.
func (p *partition) origin() []int32 { return origin(p.assignment()) }

func origin(a znode.Assignment) []int32 { return difference(a.Replicas, a.Adding) }

// reassignTo returns the assignment that leads from the present one to targets: they come first, then what is to be removed.
func (p *partition) reassignTo(targets []int32) znode.Assignment {
	origin := p.origin()
	all := slices.Concat(targets, difference(origin, targets))
	return znode.Assignment{Replicas: all, Adding: difference(all, origin), Removing: difference(all, targets)}
}

// difference returns the elements of a that are not in b, in order.
func difference(a, b []int32) []int32 {
	return filter(a, func(id int32) bool { return !contains(b, id) })
}

func equalAssignments(a, b znode.Assignment) bool {
	return slices.Equal(a.Replicas, b.Replicas) && slices.Equal(a.Adding, b.Adding) && slices.Equal(a.Removing, b.Removing)
}

// setAssignment takes an assignment into memory.
func (c *cluster) setAssignment(p *partition, a znode.Assignment) {
	p.replicas, p.adding, p.removing = a.Replicas, a.Adding, a.Removing
	c.recount(p)
}

// caughtUp says whether all targets of a reassignment are in sync, so that it can be completed.
func (p *partition) caughtUp() bool {
	return !p.reassigning() || p.led && len(difference(p.targets(), p.lead.ISR)) == 0
}

// reassign carries moves as far as they get now. Moves with the assignment that their partitions have go on with it. An
// error of the call is that of the whole step.
func (c *Controller) reassign(ctx context.Context, moves []*move) error {
	if len(moves) == 0 {
		return nil
	}
	for _, m := range moves {
		c.haltDeletion(m.p.topic, "topic reassignment in progress")
	}
	if err := c.beginMoves(ctx, moves); err != nil {
		return err
	}
	ps := make([]*partition, 0, len(moves))
	for _, m := range moves {
		if m.err == nil {
			ps = append(ps, m.p)
		}
	}
	c.watchMoves(ps)
	if c.rereadStates {
		if _, err := c.loadStates(ctx, ps); err != nil {
			return err
		}
	}
	var waiting, complete []*partition
	for _, p := range ps {
		if p.caughtUp() {
			complete = append(complete, p)
		} else {
			waiting = append(waiting, p)
		}
	}
	if err := c.startMoves(ctx, waiting); err != nil {
		return err
	}
	return c.completeMoves(ctx, complete)
}

// beginMoves is U.
func (c *Controller) beginMoves(ctx context.Context, moves []*move) error {
	var changed []*move
	for _, m := range moves {
		if !equalAssignments(m.p.assignment(), m.to) {
			changed = append(changed, m)
		}
	}
	if err := c.writeAssignments(ctx, changed); err != nil {
		return err
	}
	var unneeded []replica
	for _, m := range changed {
		if m.err != nil {
			continue
		}
		for _, id := range difference(m.p.replicas, m.to.Replicas) {
			unneeded = append(unneeded, replica{m.p, id})
		}
		before := m.p.assignment()
		c.cluster.setAssignment(m.p, m.to)
		c.emit(AssignmentChanged{Header: c.header(), TopicPartition: m.p.tp, Assignment: m.to, Previous: before})
	}
	return c.removeReplicas(ctx, unneeded)
}

// startMoves is A.
func (c *Controller) startMoves(ctx context.Context, ps []*partition) error {
	b := c.newBatch()
	err := c.raiseLeaderEpochs(ctx, ps, func(p *partition) {
		b.leaderAndIsr(p, p.origin(), false)
		b.leaderAndIsr(p, p.adding, true)
	})
	if err != nil {
		return err
	}
	b.send()
	var starting []replica
	for _, p := range ps {
		for _, id := range p.adding {
			if p.replicaState(id) == NonExistentReplica { // Others were started before.
				starting = append(starting, replica{p, id})
			}
		}
	}
	return c.moveReplicas(ctx, starting, NewReplica)
}

// completeMoves is B.
func (c *Controller) completeMoves(ctx context.Context, ps []*partition) error {
	if len(ps) == 0 {
		return nil
	}
	var added, removed []replica
	moves := make([]*move, len(ps))
	before := make([]znode.Assignment, len(ps))
	for i, p := range ps {
		before[i] = p.assignment()
		for _, id := range p.adding {
			added = append(added, replica{p, id})
		}
		for _, id := range p.removing {
			removed = append(removed, replica{p, id})
		}
		moves[i] = &move{p: p, to: znode.Assignment{Replicas: p.targets()}}
	}
	if err := c.moveReplicas(ctx, added, OnlineReplica); err != nil {
		return err
	}
	for _, m := range moves {
		c.cluster.setAssignment(m.p, m.to)
	}
	if err := c.moveLeaders(ctx, ps); err != nil {
		return err
	}
	if err := c.removeReplicas(ctx, removed); err != nil {
		return err
	}
	if err := c.writeAssignments(ctx, moves); err != nil {
		return err
	}
	resumed := map[*topic]bool{}
	done := map[TopicPartition][]int32{}
	b := c.newBatch()
	for i, m := range moves {
		if m.err != nil {
			c.refuse(m.p, NoLeader, "reassigned", m.err)
		}
		if !equalAssignments(before[i], m.to) {
			c.emit(AssignmentChanged{Header: c.header(), TopicPartition: m.p.tp, Assignment: m.to, Previous: before[i]})
		}
		done[m.p.tp] = m.to.Replicas
		c.unwatchMove(m.p.tp)
		resumed[m.p.topic] = true
		b.updateMetadata(m.p)
	}
	err := c.trimReassignmentZNode(ctx, func(e znode.ReassignmentEntry) bool {
		replicas, ok := done[e.TopicPartition]
		return ok && slices.Equal(replicas, e.Replicas)
	})
	if err != nil {
		return err
	}
	b.send()
	return c.resumeDeletionOf(ctx, resumed)
}

// moveLeaders gives partitions whose assignment is now the targets a leader among them, or tells the one they have.
func (c *Controller) moveLeaders(ctx context.Context, ps []*partition) error {
	var stay, elect []*partition
	for _, p := range ps {
		if p.led && contains(p.replicas, p.lead.Leader) && c.cluster.online(p, p.lead.Leader) {
			stay = append(stay, p)
		} else if p.led {
			elect = append(elect, p)
		}
	}
	b := c.newBatch()
	if err := c.raiseLeaderEpochs(ctx, stay, func(p *partition) { b.leaderAndIsr(p, p.replicas, false) }); err != nil {
		return err
	}
	b.send()
	_, err := c.bringOnline(ctx, elect, StrategyReassign, false)
	return err
}

// raiseLeaderEpochs writes the states of partitions with the next leader epoch and nothing else changed, so that brokers
// take in the assignment that comes with it. tell is called for those that were written.
func (c *Controller) raiseLeaderEpochs(ctx context.Context, ps []*partition, tell func(*partition)) error {
	ps = slices.DeleteFunc(slices.Clone(ps), func(p *partition) bool { return !p.led })
	results, err := c.updateStates(ctx, ps, "reassignment", func(p *partition) (Leadership, error) {
		if p.lead.ControllerEpoch > c.cluster.epoch {
			return Leadership{}, errNewerController
		}
		return p.lead.next(p.lead.Leader, p.lead.ISR, c.cluster.epoch), nil
	})
	if err != nil {
		return err
	}
	for i, p := range ps {
		if results[i] != nil {
			c.refuse(p, NoLeader, "the next leader epoch", results[i])
			continue
		}
		tell(p)
	}
	return nil
}

// removeReplicas takes replicas that are no longer assigned out of the ISRs and has them deleted. Nobody waits for the answers: what
// a dead broker keeps of them, it keeps.
func (c *Controller) removeReplicas(ctx context.Context, rs []replica) error {
	for _, to := range []ReplicaState{OfflineReplica, ReplicaDeletionStarted, ReplicaDeletionSuccessful, NonExistentReplica} {
		if err := c.moveReplicas(ctx, rs, to); err != nil {
			return err
		}
	}
	return nil
}

// writeAssignments writes the assignments of moves into the topic znodes. What else is in a znode stays: partitions may have been added to it
// that are not known yet. Kafka overwrites it with what it knows.
func (c *Controller) writeAssignments(ctx context.Context, moves []*move) error {
	byTopic := map[string][]*move{}
	var names []string
	for _, m := range moves {
		if byTopic[m.p.tp.Topic] == nil {
			names = append(names, m.p.tp.Topic)
		}
		byTopic[m.p.tp.Topic] = append(byTopic[m.p.tp.Topic], m)
	}
	slices.Sort(names)
	for attempt := 0; len(names) > 0; attempt++ {
		paths := make([]string, len(names))
		for i, name := range names {
			paths[i] = znode.TopicPath(name)
		}
		nodes, err := c.cfg.Store.Get(ctx, paths...)
		if err != nil {
			return err
		}
		var ops []Op
		var written []string
		for i, name := range names {
			content, err := mergeAssignments(nodes[i], byTopic[name])
			if err == nil && attempt >= maxStateRetries {
				err = fmt.Errorf("after %d attempts: %w", attempt, ErrBadVersion)
			}
			if err != nil {
				failMoves(byTopic[name], err)
				continue
			}
			if content != nil {
				ops = append(ops, Set(paths[i], content, nodes[i].Stat.Version))
				written = append(written, name)
			}
		}
		results, err := c.write(ctx, ops)
		if err != nil {
			return err
		}
		names = names[:0]
		for i, r := range results {
			switch {
			case errors.Is(r.Err, ErrBadVersion):
				names = append(names, written[i])
			case r.Err != nil:
				failMoves(byTopic[written[i]], r.Err)
			}
		}
	}
	return nil
}

func failMoves(moves []*move, err error) {
	for _, m := range moves {
		m.err = err
	}
}

// mergeAssignments returns a topic znode's content with the assignments of moves; nil if it has them already.
func mergeAssignments(n Node, moves []*move) ([]byte, error) {
	if !n.Exists {
		return nil, ErrNoNode
	}
	content, err := znode.DecodeTopic(n.Data)
	if err != nil {
		return nil, err
	}
	if replaced(moves[0].p.topic, content) {
		return nil, ErrNoNode // Another topic by now: TopicChange is on its way.
	}
	changed := false
	for _, m := range moves {
		if !equalAssignments(content.Partitions[m.p.tp.Partition], m.to) {
			content.Partitions[m.p.tp.Partition] = m.to
			changed = true
		}
	}
	if !changed {
		return nil, nil
	}
	return content.Encode(), nil
}

// resumeReassignments goes on with the reassignments that are wanted.
func (c *Controller) resumeReassignments(ctx context.Context, wanted func(*partition) bool) error {
	var moves []*move
	c.cluster.allPartitions(func(p *partition) {
		if p.reassigning() && wanted(p) {
			moves = append(moves, &move{p: p, to: p.assignment()})
		}
	})
	return c.reassign(ctx, moves)
}

// completeReassignments completes the reassignments among ps whose targets are in sync now.
func (c *Controller) completeReassignments(ctx context.Context, ps []*partition) error {
	var moves []*move
	for _, p := range ps {
		if p.reassigning() && p.caughtUp() {
			moves = append(moves, &move{p: p, to: p.assignment()})
		}
	}
	return c.reassign(ctx, moves)
}
