package broker

import (
	"context"
	"time"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/replica"
	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/coordinator/group"
	"github.com/prekraft/prekraft/coordinator/offsets"
)

// settle is how long a group that begins without a delay waits for clients that are started at the same time.
const settle = 5 * time.Millisecond

// startGroups makes the coordinator of groups and the store of their offsets.
func (b *Broker) startGroups() {
	b.newOffsets()
	c := b.config()
	rebalances := b.telemetry.metrics.Counter(telemetry.GroupCompletedRebalances)
	b.groups = group.New(group.Config{
		Settings: group.Settings{
			MinSessionTimeout: c.Duration(config.GroupMinSessionTimeoutMs), MaxSessionTimeout: c.Duration(config.GroupMaxSessionTimeoutMs),
			InitialDelay: c.Duration(config.GroupInitialRebalanceDelayMs), Settle: settle, MaxSize: c.Int(config.GroupMaxSize),
		},
		MaxGroups: c.Int(config.GroupMaxCount),
		Store:     b.offsets, Partitions: b.offsetsPartitions, ExpiryInterval: c.Duration(config.OffsetsRetentionCheckIntervalMs),
		Changed: func(change group.StateChange) {
			if change.To == group.Stable {
				rebalances.Add(1)
			}
			b.telemetry.emit(telemetry.GroupStateChanged{
				Group: change.Group, From: change.From.String(), To: change.To.String(), Generation: change.Generation, Members: change.Members, Reason: change.Reason,
			})
		},
		Limited: func(limit string, value int) {
			b.telemetry.metrics.Counter(telemetry.LimitsReached, limit).Add(1)
			b.telemetry.emit(telemetry.LimitReached{Limit: limit, Value: int64(value), What: "a request about a group"})
		},
	})
	b.offsets.Start(b.groups)
	b.groups.Start()
	b.onClose(func(context.Context, bool) error { b.groups.Close(); return nil })
}

// offsetsPartitions counts the partitions of __consumer_offsets, by the config while it isn't there. Apache counts once, when a broker starts: there, groups never find their
// coordinator when the topic is made later with another number.
func (b *Broker) offsetsPartitions() int32 {
	if t := b.metadata.Topic(offsets.Topic); t != nil && len(t.Partitions) > 0 {
		return int32(len(t.Partitions))
	}
	return int32(b.config().Int(config.OffsetsTopicNumPartitions))
}

// offsetsRoleChanged tells the store which partitions of __consumer_offsets this broker leads.
func (b *Broker) offsetsRoleChanged(tp replica.TopicPartition, s replica.State) {
	switch {
	case tp.Topic != offsets.Topic || b.offsets == nil:
	case s.IsLeader:
		b.offsets.Elected(tp.Partition, s.LeaderEpoch)
	default:
		b.offsets.Resigned(tp.Partition, s.LeaderEpoch)
	}
}

// offsetsReplicaGone is offsetsRoleChanged for a replica that was deleted, or whose log directory has failed.
func (b *Broker) offsetsReplicaGone(tp replica.TopicPartition) {
	if tp.Topic == offsets.Topic && b.offsets != nil {
		b.offsets.Resigned(tp.Partition, -1)
	}
}

// scrapeGroups reads the gauges of groups.
func (b *Broker) scrapeGroups(s *telemetry.Scrape) {
	n := b.groups.Stats()
	s.Value(telemetry.Groups, float64(n.Groups))
	s.Value(telemetry.GroupsPreparingRebalance, float64(n.PreparingRebalance))
	s.Value(telemetry.GroupsCompletingRebalance, float64(n.CompletingRebalance))
	s.Value(telemetry.GroupsStable, float64(n.Stable))
	s.Value(telemetry.GroupsEmpty, float64(n.Empty))
	s.Value(telemetry.GroupsDead, float64(n.Dead))
	b.scrapeOffsets(s)
}

// Groups is the broker's coordinator of groups, for tests and tools that live in the same process.
func (b *Broker) Groups() *group.Coordinator { return b.groups }
