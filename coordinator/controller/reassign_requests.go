package controller

import (
	"context"
	"errors"
	"slices"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// How reassignments are asked for: by API, and by the older znode /admin/reassign_partitions.

// AlterPartitionReassignments starts, overrides and cancels reassignments and calls done exactly once, when they have begun.
// The request is not to be changed until then.
func (c *Controller) AlterPartitionReassignments(req *wire.AlterPartitionReassignmentsRequest, done func(*wire.AlterPartitionReassignmentsResponse)) {
	fail := func(code wire.Error) func() {
		return func() {
			done(&wire.AlterPartitionReassignmentsResponse{ErrorCode: code, ErrorMessage: wire.String(code.Message())})
		}
	}
	c.request(KindAPIReassignment, "", func(ctx context.Context) error {
		if !c.active.Load() {
			fail(wire.NotController)()
			return nil
		}
		resp, err := c.alterReassignments(ctx, req)
		if err != nil {
			code := wire.UnknownServerError
			if errors.Is(err, ErrControllerMoved) || errors.Is(err, ErrSessionExpired) {
				code = wire.NotController
			}
			fail(code)()
			return err
		}
		done(resp)
		return nil
	}, fail(wire.NotController), fail(wire.RequestTimedOut))
}

func (c *Controller) alterReassignments(ctx context.Context, req *wire.AlterPartitionReassignmentsRequest) (*wire.AlterPartitionReassignmentsResponse, error) {
	type asked struct {
		m   *move
		err error
	}
	answers := map[TopicPartition]*asked{}
	// Named twice, the last counts.
	for _, t := range req.Topics {
		for _, r := range t.Partitions {
			tp := TopicPartition{Topic: t.Name, Partition: r.PartitionIndex}
			m, err := c.plan(tp, r.Replicas)
			answers[tp] = &asked{m, err}
		}
	}
	var moves []*move
	taken := map[TopicPartition]bool{}
	for tp, a := range answers {
		if a.err == nil {
			moves = append(moves, a.m)
			taken[tp] = true
		}
	}
	slices.SortFunc(moves, func(a, b *move) int { return compareTP(a.p.tp, b.p.tp) })
	// The last word counts, whichever way it came.
	err := c.trimReassignmentZNode(ctx, func(e znode.ReassignmentEntry) bool { return taken[e.TopicPartition] })
	if err != nil {
		return nil, err
	}
	if err := c.reassign(ctx, moves); err != nil {
		return nil, err
	}
	resp := &wire.AlterPartitionReassignmentsResponse{}
	for _, t := range req.Topics {
		out := wire.AlterPartitionReassignmentsResponseTopic{Name: t.Name}
		for _, r := range t.Partitions {
			one := wire.AlterPartitionReassignmentsResponsePartition{PartitionIndex: r.PartitionIndex}
			a := answers[TopicPartition{Topic: t.Name, Partition: r.PartitionIndex}]
			var why *Refused
			switch {
			case errors.As(a.err, &why):
				one.ErrorCode, one.ErrorMessage = why.Code, &why.Message
			case a.m.err != nil:
				one.ErrorCode, one.ErrorMessage = wire.UnknownServerError, wire.String(wire.UnknownServerError.Message())
			}
			out.Partitions = append(out.Partitions, one)
		}
		resp.Responses = append(resp.Responses, out)
	}
	return resp, nil
}

// plan checks what is asked for one partition, in Kafka's order. Nil replicas cancel. The error is a *Refused.
func (c *Controller) plan(tp TopicPartition, replicas []int32) (*move, error) {
	p := c.cluster.partition(tp)
	if p == nil {
		p = &partition{tp: tp} // Checked as one without replicas.
	}
	if replicas == nil {
		if !p.reassigning() {
			return nil, refused(wire.NoReassignmentInProgress, "%s", wire.NoReassignmentInProgress.Message())
		}
		replicas = p.origin()
	} else {
		if err := checkTargets(replicas); err != nil {
			return nil, err
		}
		adding := p.reassignTo(replicas).Adding
		if slices.ContainsFunc(adding, func(id int32) bool { return !c.cluster.live(id) }) {
			live := filter(c.cluster.brokerIDs(), c.cluster.live)
			return nil, refused(wire.InvalidReplicaAssignment,
				"Replica assignment has brokers that are not alive. Replica list: List(%s), live broker list: Set(%s)", joinIDs(adding), joinIDs(live))
		}
	}
	if p.topic == nil || p.topic.deleting || len(p.replicas) == 0 {
		return nil, refused(wire.UnknownTopicOrPartition, "The partition does not exist.")
	}
	return &move{p: p, to: p.reassignTo(replicas)}, nil
}

// checkTargets checks a list of replicas by itself.
func checkTargets(replicas []int32) error {
	switch {
	case len(replicas) == 0:
		return refused(wire.InvalidReplicaAssignment, "Empty replica list specified in partition reassignment.")
	case hasDuplicates(replicas):
		return refused(wire.InvalidReplicaAssignment, "Duplicate replica ids in partition reassignment replica list: List(%s)", joinIDs(replicas))
	case slices.Min(replicas) < 0:
		return refused(wire.InvalidReplicaAssignment, "Invalid broker id in replica list: List(%s)", joinIDs(replicas))
	}
	return nil
}

// ListPartitionReassignments tells which partitions are being reassigned and calls done exactly once. The request is not to
// be changed until then.
func (c *Controller) ListPartitionReassignments(req *wire.ListPartitionReassignmentsRequest, done func(*wire.ListPartitionReassignmentsResponse)) {
	fail := func(code wire.Error) func() {
		return func() {
			done(&wire.ListPartitionReassignmentsResponse{ErrorCode: code, ErrorMessage: wire.String(code.Message())})
		}
	}
	c.request(KindListReassignments, "", func(context.Context) error {
		if !c.active.Load() {
			fail(wire.NotController)()
			return nil
		}
		asked := map[TopicPartition]bool{}
		for _, t := range req.Topics {
			for _, id := range t.PartitionIndexes {
				asked[TopicPartition{Topic: t.Name, Partition: id}] = true
			}
		}
		resp := &wire.ListPartitionReassignmentsResponse{}
		c.cluster.allPartitions(func(p *partition) {
			if !p.reassigning() || req.Topics != nil && !asked[p.tp] {
				return
			}
			n := len(resp.Topics)
			if n == 0 || resp.Topics[n-1].Name != p.tp.Topic {
				resp.Topics = append(resp.Topics, wire.ListPartitionReassignmentsResponseTopic{Name: p.tp.Topic})
				n++
			}
			t := &resp.Topics[n-1]
			t.Partitions = append(t.Partitions, wire.ListPartitionReassignmentsResponsePartition{
				PartitionIndex: p.tp.Partition, Replicas: p.replicas, AddingReplicas: p.adding, RemovingReplicas: p.removing,
			})
		})
		done(resp)
		return nil
	}, fail(wire.NotController), fail(wire.RequestTimedOut))
}

// reassignmentZNode carries out what /admin/reassign_partitions asks for. As in Kafka only its creation counts, and one
// that cannot be read is left alone: whoever made it has to look at it.
func (c *Controller) reassignmentZNode(ctx context.Context) error {
	_, err := c.followReassignmentZNode(ctx)
	return err
}

// followReassignmentZNode is reassignmentZNode and returns the partitions that it is about.
func (c *Controller) followReassignmentZNode(ctx context.Context) (map[*partition]bool, error) {
	about := map[*partition]bool{}
	entries, node, err := c.readReassignmentZNode(ctx)
	if err != nil || !node.Exists || node.Stat.Czxid == c.cluster.reassignmentZNode {
		return about, err
	}
	c.cluster.reassignmentZNode = node.Stat.Czxid
	var moves []*move
	failed := map[TopicPartition]bool{}
	for _, e := range entries {
		p := c.cluster.partition(e.TopicPartition)
		if p == nil || p.topic.deleting || len(p.replicas) == 0 || checkTargets(e.Replicas) != nil {
			failed[e.TopicPartition] = true
			continue
		}
		if about[p] {
			continue // Named twice.
		}
		about[p] = true
		moves = append(moves, &move{p: p, to: p.reassignTo(e.Replicas)})
	}
	if err := c.reassign(ctx, moves); err != nil {
		c.cluster.reassignmentZNode = 0 // Once more, from the start.
		return about, err
	}
	for _, m := range moves {
		if m.err != nil {
			failed[m.p.tp] = true
		}
	}
	return about, c.trimReassignmentZNode(ctx, func(e znode.ReassignmentEntry) bool { return failed[e.TopicPartition] })
}

// resumeAllReassignments goes on with all reassignments at failover; a znode may have been made meanwhile.
func (c *Controller) resumeAllReassignments(ctx context.Context) error {
	about, err := c.followReassignmentZNode(ctx)
	if err != nil {
		return err
	}
	return c.resumeReassignments(ctx, func(p *partition) bool { return !about[p] })
}

func (c *Controller) readReassignmentZNode(ctx context.Context) ([]znode.ReassignmentEntry, Node, error) {
	nodes, err := c.cfg.Store.Get(ctx, znode.ReassignPartitionsPath)
	if err != nil || !nodes[0].Exists {
		return nil, Node{}, err
	}
	entries, err := znode.DecodeReassignment(nodes[0].Data)
	if err != nil {
		c.emit(ZnodeUnreadable{Header: c.header(), Path: nodes[0].Path, Err: err})
		entries = nil
	}
	return entries, nodes[0], nil
}

// trimReassignmentZNode removes entries from /admin/reassign_partitions, and the znode with the last.
func (c *Controller) trimReassignmentZNode(ctx context.Context, remove func(znode.ReassignmentEntry) bool) error {
	for {
		entries, node, err := c.readReassignmentZNode(ctx)
		if err != nil {
			return err
		}
		left := slices.DeleteFunc(slices.Clone(entries), remove)
		if len(left) == len(entries) {
			return nil
		}
		op := Set(node.Path, znode.EncodeReassignment(left), node.Stat.Version)
		if len(left) == 0 {
			op = Delete(node.Path, node.Stat.Version)
		}
		err = c.writeAll(ctx, []Op{op}, ErrNoNode)
		if !errors.Is(err, ErrBadVersion) {
			return err
		}
	}
}
