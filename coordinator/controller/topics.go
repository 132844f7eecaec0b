package controller

import (
	"context"
	"errors"
	"slices"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// topicChange compares the children of /brokers/topics with the topics known.
func (c *Controller) topicChange(ctx context.Context) error {
	names, err := c.cfg.Store.Children(ctx, znode.TopicsPath)
	if err != nil {
		return err
	}
	present := make(map[string]bool, len(names))
	var fresh []string
	for _, name := range names {
		present[name] = true
		if c.cluster.topics[name] == nil {
			fresh = append(fresh, name)
		}
	}
	for _, t := range slices.Clone(c.cluster.sortedTopics()) {
		if !present[t.name] {
			c.cfg.Store.Unwatch(znode.TopicPath(t.name), WatchData)
			c.cluster.removeTopic(t)
		}
	}
	added, err := c.addTopics(ctx, fresh)
	if err != nil {
		return err
	}
	return c.createPartitions(ctx, added)
}

// createPartitions brings partitions into being: state znodes, leaders, and word to the brokers.
func (c *Controller) createPartitions(ctx context.Context, ps []*partition) error {
	if len(ps) == 0 {
		return nil
	}
	var replicas []replica
	for _, p := range ps {
		for _, id := range p.replicas {
			replicas = append(replicas, replica{p, id})
		}
	}
	c.setPartitions(ps, NewPartition)
	if err := c.moveReplicas(ctx, replicas, NewReplica); err != nil {
		return err
	}
	if _, err := c.bringOnline(ctx, ps, StrategyOffline, false); err != nil {
		return err
	}
	return c.moveReplicas(ctx, replicas, OnlineReplica)
}

// partitionModifications reads the znodes of topics that changed and creates the partitions that are new in them. Other
// changes in them are not looked at, as in Kafka.
func (c *Controller) partitionModifications(ctx context.Context) error {
	c.dirty.Lock()
	var names []string
	for name := range c.dirty.topics {
		names = append(names, name)
	}
	clear(c.dirty.topics)
	c.dirty.Unlock()
	slices.Sort(names)
	known := len(names)
	names = slices.DeleteFunc(names, func(name string) bool { return c.cluster.topics[name] == nil })
	err := c.growTopics(ctx, names)
	if err == nil && len(names) < known {
		// Perhaps it could not be read before and now can.
		err = c.topicChange(ctx)
	}
	if err != nil {
		c.dirty.Lock()
		for _, name := range names {
			c.dirty.topics[name] = true
		}
		c.dirty.Unlock()
		return err
	}
	return nil
}

func (c *Controller) growTopics(ctx context.Context, names []string) error {
	read, err := c.readTopics(ctx, names)
	if err != nil {
		return err
	}
	var added []*partition
	again := false
	for _, name := range names {
		content, ok := read[name]
		t := c.cluster.topics[name]
		if !ok {
			continue // Deleted: TopicChange is on its way.
		}
		if replaced(t, content) {
			// Deleted and created again, by somebody else than this controller: the old one is forgotten, the new one new.
			c.cluster.removeTopic(t)
			again = true
			continue
		}
		var fresh []int32
		for _, id := range content.PartitionIDs() {
			if t.index[id] == nil {
				fresh = append(fresh, id)
			}
		}
		if len(fresh) == 0 {
			continue
		}
		if t.deleting {
			if err := c.restoreAssignment(ctx, t, content); err != nil {
				return err
			}
			continue
		}
		for _, id := range fresh {
			added = append(added, c.cluster.addPartition(t, id, content.Partitions[id]))
		}
	}
	if err := c.createPartitions(ctx, added); err != nil || !again {
		return err
	}
	if err := c.topicChange(ctx); err != nil {
		return err
	}
	return c.topicDeletion(ctx)
}

// replaced says whether the znode belongs to another topic of the same name.
func replaced(t *topic, content znode.Topic) bool {
	return !content.ID.IsZero() && !t.id.IsZero() && wire.UUID(content.ID) != t.id
}

// restoreAssignment takes back partitions that were added to a topic while it waits to be deleted. Kafka keeps those that
// have a znode, which loses a partition that is still waiting for its first replica; here those known before are kept.
func (c *Controller) restoreAssignment(ctx context.Context, t *topic, content znode.Topic) error {
	for id := range content.Partitions {
		if t.index[id] == nil {
			delete(content.Partitions, id)
		}
	}
	return c.writeAll(ctx, []Op{Set(znode.TopicPath(t.name), content.Encode(), AnyVersion)}, ErrNoNode)
}

// deleteTopicZnodes removes what is left of a topic in ZooKeeper, children first; the request to delete it goes last, so
// that a successor goes on where this controller stopped.
func (c *Controller) deleteTopicZnodes(ctx context.Context, name string) error {
	partitions, err := c.cfg.Store.Children(ctx, znode.PartitionsPath(name))
	if err != nil {
		return err
	}
	slices.Sort(partitions)
	var states, parents []Op
	for _, id := range partitions {
		parent := znode.PartitionsPath(name) + "/" + id
		states = append(states, Delete(parent+"/state", AnyVersion))
		parents = append(parents, Delete(parent, AnyVersion))
	}
	for _, ops := range [][]Op{
		states, parents,
		{Delete(znode.PartitionsPath(name), AnyVersion)},
		{Delete(znode.TopicPath(name), AnyVersion)},
		{Delete(znode.Entity{Type: znode.ConfigTopics, Name: name}.Path(), AnyVersion)},
		{Delete(znode.DeleteTopicPath(name), AnyVersion)},
	} {
		err := c.writeAll(ctx, ops, ErrNoNode)
		if errors.Is(err, ErrNotEmpty) {
			// Something else was put there; take it along.
			if err = c.deleteTree(ctx, znode.TopicPath(name)); err == nil {
				err = c.writeAll(ctx, ops, ErrNoNode)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteTree deletes what is below and at path, depth first.
func (c *Controller) deleteTree(ctx context.Context, path string) error {
	names, err := c.cfg.Store.Children(ctx, path)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if err := c.deleteTree(ctx, path+"/"+name); err != nil {
			return err
		}
	}
	return c.writeAll(ctx, []Op{Delete(path, AnyVersion)}, ErrNoNode)
}
