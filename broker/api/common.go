package api

import (
	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/wire"
)

// Topics that belong to the cluster itself (Kafka: Topic.INTERNAL_TOPICS).
const (
	offsetsTopic      = "__consumer_offsets"
	transactionsTopic = "__transaction_state"
)

func isInternalTopic(name string) bool { return name == offsetsTopic || name == transactionsTopic }

// Bits of the operations that an authorizer would allow; without one all that a resource knows are (Kafka: AclEntry.supportedOperations).
const (
	allTopicOperations   int32 = 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<10 | 1<<11
	allClusterOperations int32 = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12
)

// node is a broker's address on one listener.
type node struct {
	Host string
	Port int32
	Rack *string
}

// currentLeader tells who leads a partition as far as this broker knows, and where on the given listener; a nil node when it isn't there.
func (h *Handlers) currentLeader(topic string, partition int32, listener string) (leader, epoch int32, at *node) {
	t := h.deps.Metadata.Topic(topic)
	if t == nil {
		return -1, -1, nil
	}
	p := t.Partition(partition)
	if p == nil {
		return -1, -1, nil
	}
	broker := h.deps.Metadata.Broker(p.Leader)
	if broker == nil {
		return p.Leader, p.LeaderEpoch, nil
	}
	e, ok := broker.Endpoint(listener)
	if !ok {
		return p.Leader, p.LeaderEpoch, nil
	}
	at = &node{Host: e.Host, Port: e.Port}
	if broker.Rack != "" {
		at.Rack = &broker.Rack
	}
	return p.Leader, p.LeaderEpoch, at
}

// Config keys the handlers read.
const (
	fetchMaxBytes          = config.FetchMaxBytes
	autoCreateTopicsEnable = config.AutoCreateTopicsEnable
)

// containsNode tells whether a list of endpoints has a node already.
func containsNode(nodes []wire.NodeEndpoint, id int32) bool {
	for i := range nodes {
		if nodes[i].NodeID == id {
			return true
		}
	}
	return false
}
