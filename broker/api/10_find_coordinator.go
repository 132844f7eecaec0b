// FindCoordinator: v0-v6.
//
// Behaviour: names the leader of the group's partition of __consumer_offsets, on the listener that the request came on, and makes that topic when it isn't there. Apache answers
// COORDINATOR_NOT_AVAILABLE while the topic is being made, and clients come again; we answer when it has its leaders, or with that error after a second.
// The partition is counted by the topic as it is: Apache counts by its config when the topic was made with another number after its start, and clients never find their coordinator.
// Versions:  v1 has key types and a message; v4 asks for several keys; v6 knows share groups, which have no coordinator with ZooKeeper.
// Left out:  transaction coordinators (later): COORDINATOR_NOT_AVAILABLE, and __transaction_state isn't made.

package api

import (
	"strconv"
	"time"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/controller"
	"github.com/prekraft/prekraft/coordinator/offsets"
)

// Kinds of coordinators (Kafka: FindCoordinatorRequest.CoordinatorType).
const (
	coordinatorOfGroup       int8 = 0
	coordinatorOfTransaction int8 = 1
	coordinatorOfShare       int8 = 2
)

// coordinatorPatience is how long a client waits for __consumer_offsets to be made.
const coordinatorPatience = time.Second

func (h *Handlers) findCoordinator(r *network.Request, req *wire.FindCoordinatorRequest) {
	if req.KeyType == coordinatorOfGroup && !h.offsetsTopicLed() {
		if h.makeOffsetsTopic() == wire.LeaderNotAvailable {
			h.awaitTopics([]string{offsetsTopic}, coordinatorPatience, hasLeaders(1), func(map[string]bool) { h.nameCoordinators(r, req) })
			return
		}
	}
	h.nameCoordinators(r, req)
}

func (h *Handlers) nameCoordinators(r *network.Request, req *wire.FindCoordinatorRequest) {
	version := r.Header.APIVersion
	if version < 4 {
		one := h.nameCoordinator(r, req.KeyType, req.Key)
		message := text(one.ErrorCode.Message()).String()
		if one.ErrorCode == wire.None {
			message = "NONE"
		}
		r.Reply(&wire.FindCoordinatorResponse{ErrorCode: one.ErrorCode, ErrorMessage: &message, NodeID: one.NodeID, Host: one.Host, Port: one.Port})
		return
	}
	resp := &wire.FindCoordinatorResponse{Coordinators: make([]wire.FindCoordinatorResponseCoordinator, len(req.CoordinatorKeys))}
	for i, key := range req.CoordinatorKeys {
		resp.Coordinators[i] = h.nameCoordinator(r, req.KeyType, key)
	}
	r.Reply(resp)
}

// nameCoordinator answers for one key.
func (h *Handlers) nameCoordinator(r *network.Request, kind int8, key string) wire.FindCoordinatorResponseCoordinator {
	out := wire.FindCoordinatorResponseCoordinator{Key: key, NodeID: -1, Port: -1, ErrorCode: wire.CoordinatorNotAvailable, ErrorMessage: new("")}
	switch {
	case kind == coordinatorOfGroup:
		partition := offsets.PartitionOf(key, h.deps.OffsetsPartitions())
		if leader, _, at := h.currentLeader(offsetsTopic, partition, r.Conn.ListenerName); at != nil {
			out.ErrorCode, out.NodeID, out.Host, out.Port = wire.None, leader, at.Host, at.Port
		}
	case kind == coordinatorOfTransaction, kind == coordinatorOfShare && r.Header.APIVersion >= 6:
	case kind == coordinatorOfShare:
		out.ErrorCode = wire.InvalidRequest
	default: // the whole request is refused, with a message even in the newer form
		out.ErrorCode, out.ErrorMessage = wire.InvalidRequest, new(wire.InvalidRequest.Message())
	}
	return out
}

// offsetsTopicLed tells whether __consumer_offsets is there.
func (h *Handlers) offsetsTopicLed() bool { return h.deps.Metadata.Topic(offsetsTopic) != nil }

// makeOffsetsTopic makes __consumer_offsets; LEADER_NOT_AVAILABLE when it will be there in a moment.
func (h *Handlers) makeOffsetsTopic() wire.Error { return h.autoCreate(offsetsTopic) }

// autoCreated is what a topic looks like that is made because somebody asked for it (Kafka: AutoTopicCreationManager).
func (h *Handlers) autoCreated(name string) controller.TopicSpec {
	spec := controller.TopicSpec{Name: name, Partitions: -1, ReplicationFactor: -1, Brokers: h.brokerMetadata()}
	if name == offsetsTopic {
		c := h.deps.Config()
		spec.Partitions, spec.ReplicationFactor = int32(c.Int(config.OffsetsTopicNumPartitions)), int16(c.Int(config.OffsetsTopicReplicationFactor))
		spec.Configs = map[string]string{
			"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": strconv.Itoa(c.Int(config.OffsetsTopicSegmentBytes)),
		}
	}
	return spec
}
