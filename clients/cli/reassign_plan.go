package cli

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/controller"
)

// proposeMoves spreads topics anew over brokers, as kafka-reassign-partitions --generate does: each topic keeps its number of replicas.
func proposeMoves(topics []topicRow, brokers []wire.MetadataResponseBroker, wanted []int32, rackAware bool) ([]partitionMove, error) {
	var chosen []controller.BrokerMetadata
	racks := 0
	for _, id := range wanted {
		i := slices.IndexFunc(brokers, func(b wire.MetadataResponseBroker) bool { return b.NodeID == id })
		if i < 0 {
			return nil, fmt.Errorf("broker %d isn't up", id)
		}
		b := controller.BrokerMetadata{ID: id}
		if brokers[i].Rack != nil && rackAware {
			b.Rack = *brokers[i].Rack
			racks++
		}
		chosen = append(chosen, b)
	}
	if racks > 0 && racks < len(chosen) {
		return nil, errors.New("not all brokers have rack information; --disable-rack-aware makes assignments without it")
	}
	slices.SortFunc(chosen, func(x, y controller.BrokerMetadata) int { return int(x.ID - y.ID) })
	var moves []partitionMove
	for _, t := range topics {
		if len(t.Partitions) == 0 {
			continue
		}
		lists, err := controller.AssignReplicas(controller.Placement{
			Brokers: chosen, Partitions: len(t.Partitions), ReplicationFactor: t.Partitions[0].replicationFactor(), FixedStart: -1, Random: rand.IntN,
		})
		if err != nil {
			return nil, fmt.Errorf("topic %s: %w", t.Topic, err)
		}
		for i, p := range t.Partitions {
			moves = append(moves, partitionMove{Topic: t.Topic, Partition: p.Partition, Replicas: lists[i]})
		}
	}
	return moves, nil
}

// currentMoves writes down what is, in the form of a reassignment.
func currentMoves(topics []topicRow, only map[partitionName]bool) []partitionMove {
	var moves []partitionMove
	for _, t := range topics {
		for _, p := range t.Partitions {
			if only == nil || only[partitionName{t.Topic, p.Partition}] {
				moves = append(moves, partitionMove{Topic: t.Topic, Partition: p.Partition, Replicas: p.Replicas})
			}
		}
	}
	return moves
}

// Names of the configs that limit replication, which kafka-reassign-partitions sets and clears.
const (
	leaderRate       = "leader.replication.throttled.rate"
	followerRate     = "follower.replication.throttled.rate"
	dirsRate         = "replica.alter.log.dirs.io.max.bytes.per.second"
	leaderReplicas   = "leader.replication.throttled.replicas"
	followerReplicas = "follower.replication.throttled.replicas"
)

// throttlePlan says what a throttle limits: which brokers, and which replicas of each topic as leaders (the sources) and as followers (the destinations).
type throttlePlan struct {
	brokers            []int32
	leaders, followers map[string]string // topic -> "partition:broker,..."
}

// planThrottle finds who sends and who receives when partitions move from what they have to their targets.
func planThrottle(current map[partitionName]partitionRow, moves []partitionMove) throttlePlan {
	plan := throttlePlan{leaders: map[string]string{}, followers: map[string]string{}}
	brokers := map[int32]bool{}
	leaders, followers := map[string][]string{}, map[string][]string{}
	for _, m := range moves {
		p := current[m.name()]
		// What a reassignment under way still adds is no source yet.
		sources := slices.DeleteFunc(slices.Clone(p.Replicas), func(id int32) bool { return slices.Contains(p.Adding, id) })
		for _, id := range sources {
			brokers[id] = true
			leaders[m.Topic] = append(leaders[m.Topic], fmt.Sprintf("%d:%d", m.Partition, id))
		}
		for _, id := range m.Replicas {
			brokers[id] = true
			if !slices.Contains(sources, id) {
				followers[m.Topic] = append(followers[m.Topic], fmt.Sprintf("%d:%d", m.Partition, id))
			}
		}
	}
	plan.brokers = slices.Sorted(maps.Keys(brokers))
	for _, pair := range []struct {
		from map[string][]string
		into map[string]string
	}{{leaders, plan.leaders}, {followers, plan.followers}} {
		for topic, list := range pair.from {
			sort.Strings(list)
			pair.into[topic] = strings.Join(list, ",")
		}
	}
	return plan
}

// configChange is one config to set, or with a nil value to remove.
type configChange struct {
	name  string
	value *string
}

// brokerChanges are the configs of each broker of the plan.
func (p throttlePlan) brokerChanges(rate int64) []configChange {
	return []configChange{{leaderRate, new(strconv.FormatInt(rate, 10))}, {followerRate, new(strconv.FormatInt(rate, 10))}}
}

// topicChanges are the configs of one topic.
func (p throttlePlan) topicChanges(topic string) []configChange {
	var changes []configChange
	if list := p.leaders[topic]; list != "" {
		changes = append(changes, configChange{leaderReplicas, &list})
	}
	if list := p.followers[topic]; list != "" {
		changes = append(changes, configChange{followerReplicas, &list})
	}
	return changes
}

// topics are those with something to limit.
func (p throttlePlan) topics() []string {
	names := map[string]bool{}
	for name := range p.leaders {
		names[name] = true
	}
	for name := range p.followers {
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// moveState is what has become of one move.
type moveState struct {
	Partition string  `json:"partition"`
	State     string  `json:"state"` // complete, in progress, or different
	Replicas  []int32 `json:"replicas"`
	Target    []int32 `json:"target"`
}

// checkMove compares a move with what is.
func checkMove(m partitionMove, p partitionRow) moveState {
	s := moveState{Partition: m.name().String(), State: "different", Replicas: p.Replicas, Target: m.Replicas}
	switch {
	case p.reassigning():
		s.State = "in progress"
	case slices.Equal(p.Replicas, m.Replicas):
		s.State = "complete"
	}
	return s
}

// line is how kafka-reassign-partitions tells it.
func (s moveState) line() string {
	switch s.State {
	case "complete":
		return fmt.Sprintf("Reassignment of partition %s is completed.", s.Partition)
	case "in progress":
		return fmt.Sprintf("Reassignment of partition %s is still in progress.", s.Partition)
	}
	return fmt.Sprintf("There is no active reassignment of partition %s, but replica set is %s rather than %s.", s.Partition, ids(s.Replicas), ids(s.Target))
}
