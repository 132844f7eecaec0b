package controller

import (
	"slices"
	"sort"

	"github.com/prekraft/prekraft/broker/wire"
)

// BrokerMetadata is what the assignment of replicas looks at. An empty rack means that the broker has none.
type BrokerMetadata struct {
	ID   int32
	Rack string
}

// Placement says what to assign.
type Placement struct {
	// Brokers in the order in which they are used; the rack-aware assignment brings its own order.
	Brokers []BrokerMetadata
	// Partitions and ReplicationFactor say how many replicas there shall be.
	Partitions, ReplicationFactor int
	// FixedStart is the index of the broker that gets the first replica of partition 0, and the first shift of the
	// followers. -1 draws both from Random.
	FixedStart int
	// FirstPartition is the id of the first partition to assign; the ones before it exist.
	FirstPartition int32
	// Random returns a number in [0,n). It is needed only without FixedStart.
	Random func(n int) int
}

// maxPartitions is how many partitions a topic may get at once. More would not fit into its znode, whose limit is 1 MiB.
const maxPartitions = 50_000

// AssignReplicas spreads replicas over brokers: leaders round-robin from a start, followers by a growing shift, and if
// brokers have racks, over racks as evenly as possible (server-common/src/main/java/org/apache/kafka/admin/AdminUtils.java).
// It returns one list of replicas per partition, in order. Errors are *Refused.
func AssignReplicas(p Placement) ([][]int32, error) {
	switch n := len(p.Brokers); {
	case p.Partitions <= 0:
		return nil, refused(wire.InvalidPartitions, "Number of partitions must be larger than 0.")
	case p.Partitions > maxPartitions:
		return nil, refused(wire.InvalidPartitions, "Number of partitions must not be larger than %d.", maxPartitions)
	case p.ReplicationFactor <= 0:
		return nil, refused(wire.InvalidReplicationFactor, "Replication factor must be larger than 0.")
	case p.ReplicationFactor > n:
		return nil, refused(wire.InvalidReplicationFactor, "Replication factor: %d larger than available brokers: %d.", p.ReplicationFactor, n)
	}
	racked := 0
	for _, b := range p.Brokers {
		if b.Rack != "" {
			racked++
		}
	}
	if racked > 0 && racked < len(p.Brokers) {
		return nil, refused(wire.UnknownServerError, "Not all brokers have rack information for replica rack aware assignment.")
	}
	start, shift := p.FixedStart, p.FixedStart
	if start < 0 {
		start, shift = p.Random(len(p.Brokers)), p.Random(len(p.Brokers))
	}
	place := newPlacer(p.Brokers, racked > 0)
	first := max(0, int(p.FirstPartition))
	out := make([][]int32, p.Partitions)
	for i := range out {
		id := first + i
		if id > 0 && id%len(p.Brokers) == 0 {
			shift++
		}
		out[i] = place.replicas((id+start)%len(p.Brokers), shift, p.ReplicationFactor)
	}
	return out, nil
}

// placer knows the brokers in the order in which they are used, and their racks.
type placer struct {
	brokers []int32
	rack    map[int32]string // Nil if racks do not count.
	racks   int
}

func newPlacer(brokers []BrokerMetadata, rackAware bool) *placer {
	pl := &placer{}
	if !rackAware {
		for _, b := range brokers {
			pl.brokers = append(pl.brokers, b.ID)
		}
		return pl
	}
	pl.rack = make(map[int32]string, len(brokers))
	byRack := map[string][]int32{}
	for _, b := range brokers {
		pl.rack[b.ID] = b.Rack
		byRack[b.Rack] = append(byRack[b.Rack], b.ID)
	}
	names := make([]string, 0, len(byRack))
	for name, ids := range byRack {
		slices.Sort(ids)
		names = append(names, name)
	}
	sort.Strings(names)
	pl.racks = len(names)
	for len(pl.brokers) < len(brokers) {
		for _, name := range names {
			if ids := byRack[name]; len(ids) > 0 {
				pl.brokers = append(pl.brokers, ids[0])
				byRack[name] = ids[1:]
			}
		}
	}
	return pl
}

// follower returns the index of the k-th candidate to follow the replica at index first.
func (pl *placer) follower(first, shift, k int) int {
	n := len(pl.brokers)
	return (first + 1 + (shift+k)%(n-1)) % n
}

func (pl *placer) replicas(first, shift, count int) []int32 {
	out := make([]int32, 1, count)
	out[0] = pl.brokers[first]
	if pl.rack == nil {
		for k := range count - 1 {
			out = append(out, pl.brokers[pl.follower(first, shift, k)])
		}
		return out
	}
	racks := map[string]bool{pl.rack[out[0]]: true}
	for k := 0; len(out) < count; k++ {
		id := pl.brokers[pl.follower(first, shift*pl.racks, k)]
		rack := pl.rack[id]
		if (racks[rack] && len(racks) < pl.racks) || contains(out, id) {
			continue
		}
		out = append(out, id)
		racks[rack] = true
	}
	return out
}
