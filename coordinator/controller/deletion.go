package controller

import (
	"context"
	"slices"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// Topic deletion. A request is a child of /admin/delete_topics. Brokers are first told to forget the topic, then to stop
// and delete its replicas; when all have answered, the znodes go. A replica on a dead broker makes the topic wait until
// the broker is back. Everything is derived from the request again by the next controller.

// topicDeletion handles new requests.
func (c *Controller) topicDeletion(ctx context.Context) error {
	names, err := c.cfg.Store.Children(ctx, znode.DeleteTopicsPath)
	if err != nil {
		return err
	}
	unknown := func(name string) bool { return c.cluster.topics[name] == nil }
	if slices.ContainsFunc(names, unknown) {
		// Perhaps created a moment ago: look before its request is dropped.
		if err := c.topicChange(ctx); err != nil {
			return err
		}
	}
	if err := c.queueDeletions(ctx, names); err != nil {
		return err
	}
	return c.resumeDeletions(ctx)
}

// loadDeletions reads the requests at failover. Topics with a replica that is not online, or with a reassignment, wait.
func (c *Controller) loadDeletions(ctx context.Context) error {
	names, err := c.cfg.Store.Children(ctx, znode.DeleteTopicsPath)
	if err != nil {
		return err
	}
	if err := c.queueDeletions(ctx, names); err != nil {
		return err
	}
	for _, t := range c.cluster.sortedDeleting() {
		for _, p := range t.partitions {
			if slices.ContainsFunc(p.replicas, func(id int32) bool { return !c.cluster.online(p, id) }) {
				c.haltDeletion(t, "offline replicas")
				break
			}
		}
	}
	return nil
}

// queueDeletions marks topics for deletion and removes the requests that cannot be followed.
func (c *Controller) queueDeletions(ctx context.Context, names []string) error {
	var drop []string
	slices.Sort(names)
	for _, name := range names {
		t := c.cluster.topics[name]
		if t == nil || c.cfg.DeleteTopicDisabled {
			drop = append(drop, name)
			continue
		}
		c.cluster.setDeleting(t)
		if slices.ContainsFunc(t.partitions, (*partition).reassigning) {
			c.haltDeletion(t, "topic reassignment in progress")
		}
	}
	return c.deleteChildren(ctx, znode.DeleteTopicsPath, drop)
}

func (c *Controller) haltDeletion(t *topic, reason string) {
	if !t.deleting {
		return
	}
	t.ineligible, t.halted = true, reason
	c.emit(TopicDeletionHalted{Header: c.header(), Topic: t.name, Reason: reason})
}

// resumeDeletionOf lets topics try again after what held them up may have gone.
func (c *Controller) resumeDeletionOf(ctx context.Context, topics map[*topic]bool) error {
	resume := false
	for t := range topics {
		if t.deleting && !slices.ContainsFunc(t.partitions, (*partition).reassigning) {
			t.ineligible, t.halted = false, ""
			resume = true
		}
	}
	if !resume {
		return nil
	}
	return c.resumeDeletions(ctx)
}

// resumeDeletions moves every topic queued for deletion as far as it gets.
func (c *Controller) resumeDeletions(ctx context.Context) error {
	var retry, start []*topic
	for _, t := range c.cluster.sortedDeleting() {
		all, started, ineligible := deletionProgress(t)
		switch {
		case all:
			if err := c.completeDeletion(ctx, t); err != nil {
				return err
			}
			continue
		case !started && ineligible:
			retry = append(retry, t)
		}
		if !started && !t.ineligible {
			start = append(start, t)
		}
	}
	var again []replica
	for _, t := range retry {
		for _, p := range t.partitions {
			for _, r := range p.replicaS {
				if r.state == ReplicaDeletionIneligible {
					again = append(again, replica{p, r.id})
				}
			}
		}
	}
	if err := c.moveReplicas(ctx, again, OfflineReplica); err != nil {
		return err
	}
	return c.startDeletion(ctx, start)
}

// deletionProgress says whether all replicas are deleted, whether any was told to delete and has not answered, and
// whether any is ineligible.
func deletionProgress(t *topic) (all, started, ineligible bool) {
	all = true
	for _, p := range t.partitions {
		for _, r := range p.replicaS {
			all = all && r.state == ReplicaDeletionSuccessful
			started = started || r.state == ReplicaDeletionStarted
			ineligible = ineligible || r.state == ReplicaDeletionIneligible
		}
	}
	return all, started, ineligible
}

// startDeletion tells brokers to forget topics, to stop their replicas and to delete them.
func (c *Controller) startDeletion(ctx context.Context, topics []*topic) error {
	if len(topics) == 0 {
		return nil
	}
	b := c.newBatch()
	for _, t := range topics {
		if !t.started {
			c.setPartitions(t.partitions, OfflinePartition)
			c.setPartitions(t.partitions, NonExistentPartition)
			t.started = true
		}
		for _, p := range t.partitions {
			b.updateMetadata(p)
		}
	}
	b.send()
	var dead, alive []replica
	for _, t := range topics {
		waits := false
		for _, p := range t.partitions {
			for _, id := range p.replicas {
				switch {
				case !c.cluster.online(p, id):
					dead = append(dead, replica{p, id})
					waits = true
				case p.replicaState(id) != ReplicaDeletionSuccessful:
					alive = append(alive, replica{p, id})
				}
			}
		}
		if waits {
			c.haltDeletion(t, "offline replicas")
		}
	}
	// Those not yet ineligible; a replica that is already keeps its state.
	dead = slices.DeleteFunc(dead, func(r replica) bool { return r.p.replicaState(r.id) == ReplicaDeletionIneligible })
	if err := c.moveReplicas(ctx, dead, ReplicaDeletionIneligible); err != nil {
		return err
	}
	if err := c.moveReplicas(ctx, alive, OfflineReplica); err != nil {
		return err
	}
	return c.moveReplicas(ctx, alive, ReplicaDeletionStarted)
}

// failReplicaDeletion marks replicas that could not be deleted; their topics wait.
func (c *Controller) failReplicaDeletion(ctx context.Context, rs []replica) error {
	rs = slices.DeleteFunc(slices.Clone(rs), func(r replica) bool { return !r.p.topic.deleting })
	if len(rs) == 0 {
		return nil
	}
	for _, r := range rs {
		if !r.p.topic.ineligible {
			c.haltDeletion(r.p.topic, "replica deletion failure")
		}
	}
	if err := c.moveReplicas(ctx, rs, ReplicaDeletionIneligible); err != nil {
		return err
	}
	return c.resumeDeletions(ctx)
}

// replicasDeleted handles the answer to a StopReplica that deletes.
func (c *Controller) replicasDeleted(ctx context.Context, ch *channel, resp *wire.StopReplicaResponse, asked map[TopicPartition]bool) error {
	if c.channels[ch.id] != ch {
		return nil // Of an earlier incarnation of the broker.
	}
	var deleted, failed []replica
	for _, e := range resp.PartitionErrors {
		tp := TopicPartition{Topic: e.TopicName, Partition: e.PartitionIndex}
		p := c.cluster.partition(tp)
		if p == nil || !asked[tp] || !p.topic.started || p.replicaState(ch.id) != ReplicaDeletionStarted {
			continue
		}
		if resp.ErrorCode != wire.None || e.ErrorCode != wire.None {
			failed = append(failed, replica{p, ch.id})
		} else {
			deleted = append(deleted, replica{p, ch.id})
		}
	}
	err := c.failReplicaDeletion(ctx, failed)
	if err == nil {
		err = c.moveReplicas(ctx, deleted, ReplicaDeletionSuccessful)
	}
	if err == nil && len(deleted) > 0 {
		err = c.resumeDeletions(ctx)
	}
	if err != nil {
		// The answer does not come again: go on from the states of the replicas. If the error means that this broker is
		// no longer the controller, there is nothing to go on with then.
		c.retryLater(task{kind: KindTopicDeletion, cause: c.current, run: c.ifActive(c.topicDeletion)})
	}
	return err
}

// completeDeletion removes a topic whose replicas are all gone. Its watch goes first, so that a topic created again under
// the same name is met by TopicChange and not by the watch of the old one.
func (c *Controller) completeDeletion(ctx context.Context, t *topic) error {
	c.cfg.Store.Unwatch(znode.TopicPath(t.name), WatchData)
	if err := c.deleteTopicZnodes(ctx, t.name); err != nil {
		return err
	}
	var all []replica
	for _, p := range t.partitions {
		for _, r := range p.replicaS {
			all = append(all, replica{p, r.id})
		}
	}
	if err := c.moveReplicas(ctx, all, NonExistentReplica); err != nil {
		return err
	}
	c.cluster.removeTopic(t)
	c.emit(TopicDeleted{Header: c.header(), Topic: t.name})
	return nil
}
