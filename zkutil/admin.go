package zkutil

import (
	"context"
	"errors"
	"fmt"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// TopicDeletions lists the topics that are to be deleted and arms the list's watch.
func (c *Client) TopicDeletions(ctx context.Context) ([]string, error) {
	names, _, err := c.Children(ctx, znode.DeleteTopicsPath)
	if errors.Is(err, ErrNoNode) {
		return nil, nil
	}
	return names, err
}

// RequestTopicDeletion asks the controller to delete a topic. ErrNodeExists says that it was asked before.
func (c *Client) RequestTopicDeletion(ctx context.Context, topic string) error {
	return c.CreateRecursive(ctx, znode.DeleteTopicPath(topic), nil)
}

// DropTopicDeletions removes requests to delete topics.
func (f *Fenced) DropTopicDeletions(ctx context.Context, topics ...string) error {
	paths := make([]string, len(topics))
	for i, t := range topics {
		paths[i] = znode.DeleteTopicPath(t)
	}
	return f.DeleteAll(ctx, paths...)
}

// Reassignment reads /admin/reassign_partitions and arms its watch, which fires on creation if the node does not exist. ErrNoNode says so.
func (c *Client) Reassignment(ctx context.Context) ([]znode.ReassignmentEntry, error) {
	data, err := c.getOrArm(ctx, znode.ReassignPartitionsPath)
	if err != nil {
		return nil, err
	}
	return znode.DecodeReassignment(data)
}

// getOrArm reads a node; if it does not exist, it arms the watch for its creation, which Get cannot.
func (c *Client) getOrArm(ctx context.Context, path string) ([]byte, error) {
	for {
		exists, _, err := c.Exists(ctx, path)
		if err != nil {
			return nil, err
		}
		if !exists {
			return nil, &Error{Op: "get", Path: path, Err: ErrNoNode}
		}
		data, _, err := c.Get(ctx, path)
		if !errors.Is(err, ErrNoNode) {
			return data, err
		}
	}
}

// SetReassignment replaces /admin/reassign_partitions, or deletes it if there are no entries.
func (f *Fenced) SetReassignment(ctx context.Context, entries []znode.ReassignmentEntry) error {
	if len(entries) == 0 {
		return f.DeleteAll(ctx, znode.ReassignPartitionsPath)
	}
	data := znode.EncodeReassignment(entries)
	for {
		_, err := f.Multi(ctx, SetOp(znode.ReassignPartitionsPath, data, znode.AnyVersion))
		if !errors.Is(err, ErrNoNode) {
			return err
		}
		_, err = f.Multi(ctx, CreateOp(znode.ReassignPartitionsPath, data, Persistent))
		if !errors.Is(err, ErrNodeExists) {
			return err
		}
	}
}

// PreferredReplicaElection reads /admin/preferred_replica_election and arms its watch, as Reassignment does.
func (c *Client) PreferredReplicaElection(ctx context.Context) ([]znode.TopicPartition, error) {
	data, err := c.getOrArm(ctx, znode.PreferredReplicaElectionPath)
	if err != nil {
		return nil, err
	}
	return znode.DecodePreferredReplicaElection(data)
}

// DropPreferredReplicaElection deletes /admin/preferred_replica_election.
func (f *Fenced) DropPreferredReplicaElection(ctx context.Context) error {
	return f.DeleteAll(ctx, znode.PreferredReplicaElectionPath)
}

// Notification is a sequential node that the controller consumes.
type Notification struct {
	Path string
	Data []byte
}

// notifications reads all children of a path and arms the list's watch.
func (c *Client) notifications(ctx context.Context, parent string) ([]Notification, error) {
	names, _, err := c.Children(ctx, parent)
	if errors.Is(err, ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	paths := make([]string, len(names))
	for i, n := range names {
		paths[i] = parent + "/" + n
	}
	nodes, err := c.GetMany(ctx, paths)
	if err != nil {
		return nil, err
	}
	out := make([]Notification, 0, len(nodes))
	for i, n := range nodes {
		if errors.Is(n.Err, ErrNoNode) {
			continue
		}
		if n.Err != nil {
			return nil, n.Err
		}
		out = append(out, Notification{paths[i], n.Data})
	}
	return out, nil
}

// DropNotifications deletes notifications that were read.
func (f *Fenced) DropNotifications(ctx context.Context, ns []Notification) error {
	paths := make([]string, len(ns))
	for i, n := range ns {
		paths[i] = n.Path
	}
	return f.DeleteAll(ctx, paths...)
}

// IsrChanges reads the ISR change notifications, oldest first, and arms the list's watch. Decode them with znode.DecodeIsrChange.
func (c *Client) IsrChanges(ctx context.Context) ([]Notification, error) {
	return c.notifications(ctx, znode.IsrChangesPath)
}

// NotifyIsrChange tells the controller that a leader wrote partition states itself.
func (c *Client) NotifyIsrChange(ctx context.Context, partitions []znode.TopicPartition) error {
	return c.notify(ctx, znode.IsrChangePrefix, znode.EncodeIsrChange(partitions))
}

// LogDirEvents reads the log directory notifications, oldest first, and arms the list's watch. Decode them with znode.DecodeLogDirEvent.
func (c *Client) LogDirEvents(ctx context.Context) ([]Notification, error) {
	return c.notifications(ctx, znode.LogDirEventsPath)
}

// NotifyLogDirFailure tells the controller that a log directory of the broker failed.
func (c *Client) NotifyLogDirFailure(ctx context.Context, broker int32) error {
	return c.notify(ctx, znode.LogDirEventPrefix, znode.EncodeLogDirEvent(broker))
}

// ConsumerOffset reads an offset that a group committed to ZooKeeper. ErrNoNode says that there is none.
func (c *Client) ConsumerOffset(ctx context.Context, group string, tp znode.TopicPartition) (int64, error) {
	data, _, err := c.Get(ctx, znode.ConsumerOffsetPath(group, tp))
	if err != nil {
		return 0, err
	}
	return znode.DecodeConsumerOffset(data)
}

// SetConsumerOffset commits an offset to ZooKeeper.
func (c *Client) SetConsumerOffset(ctx context.Context, group string, tp znode.TopicPartition, offset int64) error {
	if err := c.Upsert(ctx, znode.ConsumerOffsetPath(group, tp), znode.EncodeConsumerOffset(offset)); err != nil {
		return fmt.Errorf("commit offset of group %s for %s: %w", group, tp, err)
	}
	return nil
}
