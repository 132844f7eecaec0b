package api

import (
	"cmp"
	"slices"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/replica"
)

// rackAwareSelector is the one class of replica.selector.class that sends consumers away from the leader.
const rackAwareSelector = "org.apache.kafka.common.replica.RackAwareReplicaSelector"

// replicaSelector returns how a consumer in a rack, come by a listener, finds the replica to read from; nil when that is the leader in any case (KIP-392).
func (h *Handlers) replicaSelector(rack, listener string) replica.ReplicaSelector {
	if rack == "" || h.deps.Config().String(config.ReplicaSelectorClass) != rackAwareSelector {
		return nil
	}
	return func(leader replica.ReplicaView, others []replica.ReplicaView) int32 {
		return closest(leader, others, func(id int32) bool {
			b := h.deps.Metadata.Broker(id)
			if b == nil || b.Rack != rack {
				return false
			}
			_, reachable := b.Endpoint(listener)
			return reachable
		})
	}
}

// closest is Kafka's RackAwareReplicaSelector: the leader if it is in the consumer's rack or nobody is, otherwise the replica there that is furthest, or was caught up last.
// others is put in order.
func closest(leader replica.ReplicaView, others []replica.ReplicaView, inRack func(id int32) bool) int32 {
	others = slices.DeleteFunc(others, func(v replica.ReplicaView) bool { return !inRack(v.ID) })
	if len(others) == 0 || inRack(leader.ID) {
		return leader.ID
	}
	return slices.MaxFunc(others, func(a, b replica.ReplicaView) int {
		return cmp.Or(cmp.Compare(a.LogEndOffset, b.LogEndOffset), cmp.Compare(b.SinceCaughtUp, a.SinceCaughtUp), cmp.Compare(a.ID, b.ID))
	}).ID
}
