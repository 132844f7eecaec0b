package controller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// PartitionsSpec says how a topic is to grow.
type PartitionsSpec struct {
	Topic string
	// Count is the number of partitions afterwards.
	Count int32
	// Assignments place the new partitions; nil has them placed.
	Assignments [][]int32
	// ValidateOnly stops before anything is written.
	ValidateOnly bool
}

// CreatePartitions adds partitions to a topic and returns the placement of all of them. The write is on condition of the
// version that was read; Kafka's is not.
func (a *Admin) CreatePartitions(ctx context.Context, spec PartitionsSpec) (map[int32][]int32, error) {
	brokers, err := a.readBrokerMetadata(ctx)
	if err != nil {
		return nil, err
	}
	path := znode.TopicPath(spec.Topic)
	var tried []byte
	for range maxAdminRetries {
		nodes, err := a.cfg.Store.Get(ctx, path)
		if err != nil {
			return nil, fmt.Errorf("read topic %s: %w", spec.Topic, err)
		}
		topic := znode.Topic{}
		if nodes[0].Exists {
			if tried != nil && bytes.Equal(tried, nodes[0].Data) {
				return placement(spec.Topic, nodes[0].Data) // Our own write, whose answer was lost.
			}
			if topic, err = znode.DecodeTopic(nodes[0].Data); err != nil {
				return nil, fmt.Errorf("topic %s: %w", spec.Topic, err)
			}
		}
		fresh, err := a.growth(spec, topic, brokers)
		if err != nil {
			return nil, err
		}
		out := make(map[int32][]int32, int(spec.Count))
		for id, assignment := range topic.Partitions {
			out[id] = assignment.Replicas
		}
		first := int32(len(topic.Partitions))
		for i, replicas := range fresh {
			topic.Partitions[first+int32(i)] = znode.Assignment{Replicas: replicas}
			out[first+int32(i)] = replicas
		}
		if spec.ValidateOnly {
			return out, nil
		}
		tried = topic.Encode()
		results, err := a.cfg.Store.Multi(ctx, Set(path, tried, nodes[0].Stat.Version))
		if err != nil {
			return nil, fmt.Errorf("grow topic %s: %w", spec.Topic, err)
		}
		if _, err := firstError(results); err == nil {
			return out, nil
		} else if !errors.Is(err, ErrBadVersion) && !errors.Is(err, ErrNoNode) {
			return nil, fmt.Errorf("grow topic %s: %w", spec.Topic, err)
		}
	}
	return nil, fmt.Errorf("grow topic %s: after %d attempts: %w", spec.Topic, maxAdminRetries, ErrBadVersion)
}

// placement returns the replicas of all partitions of a topic's znode.
func placement(name string, data []byte) (map[int32][]int32, error) {
	topic, err := znode.DecodeTopic(data)
	if err != nil {
		return nil, fmt.Errorf("topic %s: %w", name, err)
	}
	out := make(map[int32][]int32, len(topic.Partitions))
	for id, assignment := range topic.Partitions {
		out[id] = assignment.Replicas
	}
	return out, nil
}

// growth checks a request against the topic as it is and returns the placement of the new partitions.
func (a *Admin) growth(spec PartitionsSpec, topic znode.Topic, brokers []BrokerMetadata) ([][]int32, error) {
	for _, id := range topic.PartitionIDs() {
		if topic.Partitions[id].Reassigning() {
			return nil, refused(wire.ReassignmentInProgress, "A partition reassignment is in progress for the topic '%s'.", spec.Topic)
		}
	}
	have := int32(len(topic.Partitions))
	switch {
	case have == 0:
		return nil, refused(wire.UnknownTopicOrPartition, "The topic '%s' does not exist.", spec.Topic)
	case spec.Count < have:
		return nil, refused(wire.InvalidPartitions,
			"Topic currently has %d partitions, which is higher than the requested %d.", have, spec.Count)
	case spec.Count == have:
		return nil, refused(wire.InvalidPartitions, "Topic already has %d partitions.", have)
	case spec.Count > maxPartitions:
		return nil, refused(wire.InvalidPartitions, "Number of partitions must not be larger than %d.", maxPartitions)
	}
	existing, ok := topic.Partitions[0]
	if !ok || len(existing.Replicas) == 0 {
		return nil, refused(wire.UnknownServerError,
			"Unexpected existing replica assignment for topic '%s', partition id 0 is missing.", spec.Topic)
	}
	if spec.Assignments != nil {
		return spec.Assignments, checkGrowth(spec, have, len(existing.Replicas), brokers)
	}
	start := max(0, slices.IndexFunc(brokers, func(b BrokerMetadata) bool { return b.ID >= existing.Replicas[0] }))
	return AssignReplicas(Placement{
		Brokers: brokers, Partitions: int(spec.Count - have), ReplicationFactor: len(existing.Replicas),
		FixedStart: start, FirstPartition: have,
	})
}

// checkGrowth checks the placement somebody gave for new partitions.
func checkGrowth(spec PartitionsSpec, have int32, factor int, brokers []BrokerMetadata) error {
	var known, unknown []int32
	for _, b := range brokers {
		known = append(known, b.ID)
	}
	for _, replicas := range spec.Assignments {
		for _, id := range replicas {
			if !contains(known, id) && !contains(unknown, id) {
				unknown = append(unknown, id)
			}
		}
	}
	slices.Sort(unknown)
	if len(unknown) > 0 {
		return refused(wire.InvalidReplicaAssignment, "Unknown broker(s) in replica assignment: %s.", joinIDs(unknown))
	}
	if n := spec.Count - have; len(spec.Assignments) != int(n) {
		return refused(wire.InvalidReplicaAssignment,
			"Increasing the number of partitions by %d but %d assignments provided.", n, len(spec.Assignments))
	}
	var bad, factors []int32
	for i, replicas := range spec.Assignments {
		id := have + int32(i)
		switch {
		case len(replicas) == 0:
			return refused(wire.InvalidReplicaAssignment, "Cannot have replication factor of 0 for partition id %d.", id)
		case hasDuplicates(replicas):
			return refused(wire.InvalidReplicaAssignment,
				"Duplicate brokers not allowed in replica assignment: %s for partition id %d.", joinIDs(replicas), id)
		case len(replicas) != factor:
			bad = append(bad, id)
			factors = append(factors, int32(len(replicas)))
		}
	}
	if len(bad) > 0 {
		return refused(wire.InvalidReplicaAssignment,
			"Inconsistent replication factor between partitions, partition 0 has %d while partitions [%s] have replication factors [%s], respectively.",
			factor, joinIDs(bad), joinIDs(factors))
	}
	return nil
}

// readBrokerMetadata returns the registered brokers by id.
func (a *Admin) readBrokerMetadata(ctx context.Context) ([]BrokerMetadata, error) {
	names, err := a.cfg.Store.Children(ctx, znode.BrokerIDsPath)
	if err != nil {
		return nil, fmt.Errorf("list brokers: %w", err)
	}
	var paths []string
	var ids []int32
	for _, name := range names {
		if id, err := znode.ParseBrokerID(name); err == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		paths = append(paths, znode.BrokerPath(id))
	}
	nodes, err := a.cfg.Store.Get(ctx, paths...)
	if err != nil {
		return nil, fmt.Errorf("read brokers: %w", err)
	}
	var out []BrokerMetadata
	for i, n := range nodes {
		if !n.Exists {
			continue
		}
		if b, err := znode.DecodeBroker(n.Data); err == nil {
			out = append(out, BrokerMetadata{ID: ids[i], Rack: b.Rack})
		}
	}
	return out, nil
}
