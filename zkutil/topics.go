package zkutil

import (
	"context"
	"errors"
	"fmt"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// TopicNode is a topic's node as it was read.
type TopicNode struct {
	Topic   znode.Topic
	Version znode.ZkVersion
	Err     error // the data cannot be decoded
}

// Topics lists all topics, sorted, and arms the list's watch.
func (c *Client) Topics(ctx context.Context) ([]string, error) {
	names, _, err := c.Children(ctx, znode.TopicsPath)
	if errors.Is(err, ErrNoNode) {
		return nil, nil
	}
	return names, err
}

// ReadTopics reads the nodes of topics, several at a time, and arms their watches. Topics that do not exist are left out.
func (c *Client) ReadTopics(ctx context.Context, topics []string) (map[string]TopicNode, error) {
	paths := make([]string, len(topics))
	for i, t := range topics {
		paths[i] = znode.TopicPath(t)
	}
	nodes, err := c.GetMany(ctx, paths)
	if err != nil {
		return nil, err
	}
	out := make(map[string]TopicNode, len(topics))
	for i, n := range nodes {
		if errors.Is(n.Err, ErrNoNode) {
			continue
		}
		if n.Err != nil {
			return nil, n.Err
		}
		t := TopicNode{Version: n.Stat.Version}
		t.Topic, t.Err = znode.DecodeTopic(n.Data)
		out[topics[i]] = t
	}
	return out, nil
}

// CreateTopic stores a topic's configs, without notification, and then its assignment, in Kafka's order. ErrNodeExists says that the topic exists;
// a topic with the same id that is there after a lost answer counts as created.
func (c *Client) CreateTopic(ctx context.Context, topic string, t znode.Topic, config map[string]string) error {
	if err := c.storeConfig(ctx, znode.Entity{Type: znode.ConfigTopics, Name: topic}, config); err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	if err := c.createResolved(ctx, znode.TopicPath(topic), t.Encode()); err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	return nil
}

// SetTopic replaces a topic's node whatever its version and without fence: how partitions are added.
func (c *Client) SetTopic(ctx context.Context, topic string, t znode.Topic) (znode.ZkVersion, error) {
	stat, err := c.setResolved(ctx, znode.TopicPath(topic), t.Encode())
	return stat.Version, err
}

// SetTopics replaces topics' nodes whatever their version. Topics that failed are in the map.
func (f *Fenced) SetTopics(ctx context.Context, topics map[string]znode.Topic) (failed map[string]error, err error) {
	names := make([]string, 0, len(topics))
	groups := make([]Group, 0, len(topics))
	for name, t := range topics {
		names = append(names, name)
		groups = append(groups, Group{SetOp(znode.TopicPath(name), t.Encode(), znode.AnyVersion)})
	}
	res, err := f.Do(ctx, groups...)
	failed = make(map[string]error)
	for i, r := range res {
		if r.Err != nil {
			failed[names[i]] = r.Err
		}
	}
	return failed, err
}

// PartitionNode is a partition's state node as it was read. Version is the partition epoch.
type PartitionNode struct {
	State   znode.PartitionState
	Version znode.ZkVersion
	Err     error // the data cannot be decoded
}

// PartitionStates reads partition states, several at a time, and arms their watches. Partitions without a state are left out.
func (c *Client) PartitionStates(ctx context.Context, partitions []znode.TopicPartition) (map[znode.TopicPartition]PartitionNode, error) {
	paths := make([]string, len(partitions))
	for i, tp := range partitions {
		paths[i] = znode.PartitionStatePath(tp)
	}
	nodes, err := c.GetMany(ctx, paths)
	if err != nil {
		return nil, err
	}
	out := make(map[znode.TopicPartition]PartitionNode, len(partitions))
	for i, n := range nodes {
		if errors.Is(n.Err, ErrNoNode) {
			continue
		}
		if n.Err != nil {
			return nil, n.Err
		}
		p := PartitionNode{Version: n.Stat.Version}
		p.State, p.Err = znode.DecodePartitionState(n.Data)
		out[partitions[i]] = p
	}
	return out, nil
}

// PartitionWrite is a new state for a partition. Version is the partition epoch it replaces; CreatePartitionStates does not look at it.
type PartitionWrite struct {
	znode.TopicPartition
	State   znode.PartitionState
	Version znode.ZkVersion
}

// PartitionResult is the outcome of a PartitionWrite: the new partition epoch, or an error: ErrBadVersion, ErrNoNode or ErrNodeExists as a rule.
type PartitionResult struct {
	Version znode.ZkVersion
	Err     error
}

// SetPartitionStates replaces states on condition of their versions. Results are in the order of writes.
func (f *Fenced) SetPartitionStates(ctx context.Context, writes []PartitionWrite) ([]PartitionResult, error) {
	groups := make([]Group, len(writes))
	for i, w := range writes {
		groups[i] = Group{SetOp(znode.PartitionStatePath(w.TopicPartition), w.State.Encode(), w.Version)}
	}
	res, err := f.Do(ctx, groups...)
	out := make([]PartitionResult, len(writes))
	for i, r := range res {
		out[i] = PartitionResult{Version: znode.UnknownVersion, Err: r.Err}
		if r.Err == nil {
			out[i].Version = r.Results[0].Stat.Version
		}
	}
	return out, err
}

// CreatePartitionStates creates the nodes of partitions that have no state yet. ErrNodeExists says that a partition has one. A new state has version 0.
func (f *Fenced) CreatePartitionStates(ctx context.Context, writes []PartitionWrite) ([]PartitionResult, error) {
	out := make([]PartitionResult, len(writes))
	fail := func(err error) ([]PartitionResult, error) {
		for i := range out {
			out[i] = PartitionResult{znode.UnknownVersion, err}
		}
		return out, err
	}
	var parents []Group
	seen := make(map[string]bool)
	for _, w := range writes {
		if !seen[w.Topic] {
			seen[w.Topic] = true
			parents = append(parents, Group{CreateOp(znode.PartitionsPath(w.Topic), nil, Persistent)})
		}
	}
	// A parent that exists, or whose own parent does not, shows in the second step.
	if _, err := f.Do(ctx, parents...); err != nil {
		return fail(err)
	}
	all := make([]int, len(writes))
	for i := range all {
		all[i] = i
	}
	again, err := f.createStates(ctx, writes, all, true, out)
	if err == nil && len(again) > 0 {
		_, err = f.createStates(ctx, writes, again, false, out)
	}
	return out, err
}

// createStates creates state nodes, with or without their parents, and returns the indices of those whose parent existed.
func (f *Fenced) createStates(ctx context.Context, writes []PartitionWrite, idx []int, parent bool, out []PartitionResult) (again []int, err error) {
	groups := make([]Group, len(idx))
	for k, i := range idx {
		w := writes[i]
		if parent {
			groups[k] = append(groups[k], CreateOp(znode.PartitionPath(w.TopicPartition), nil, Persistent))
		}
		groups[k] = append(groups[k], CreateOp(znode.PartitionStatePath(w.TopicPartition), w.State.Encode(), Persistent))
	}
	res, err := f.Do(ctx, groups...)
	for k, r := range res {
		i := idx[k]
		out[i] = PartitionResult{Err: r.Err}
		if r.Err == nil {
			continue
		}
		out[i].Version = znode.UnknownVersion
		if parent && errors.Is(r.Err, ErrNodeExists) && failedOp(r.Results) == 0 {
			again = append(again, i)
		}
	}
	return again, err
}

// SetPartitionState replaces a state without fence, as a partition's leader does with inter.broker.protocol.version below 2.7-IV2. On a version
// conflict a state with the same content counts as written.
func (c *Client) SetPartitionState(ctx context.Context, w PartitionWrite) (znode.ZkVersion, error) {
	path, data := znode.PartitionStatePath(w.TopicPartition), w.State.Encode()
	version, err := c.casResolved(ctx, path, data, w.Version)
	if errors.Is(err, ErrBadVersion) {
		if same, now, rerr := c.sameData(ctx, path, data); rerr == nil && same {
			return now, nil
		}
	}
	return version, err
}

// DeleteTopic removes everything about a topic in Kafka's order: its nodes, its configs, the request to delete it. It can be repeated.
func (f *Fenced) DeleteTopic(ctx context.Context, topic string) error {
	if err := f.DeleteRecursive(ctx, znode.TopicPath(topic)); err != nil {
		return fmt.Errorf("delete topic %s: %w", topic, err)
	}
	if err := f.DeleteRecursive(ctx, znode.Entity{Type: znode.ConfigTopics, Name: topic}.Path()); err != nil {
		return fmt.Errorf("delete configs of topic %s: %w", topic, err)
	}
	if err := f.DeleteAll(ctx, znode.DeleteTopicPath(topic)); err != nil {
		return fmt.Errorf("delete deletion request of topic %s: %w", topic, err)
	}
	return nil
}
