// Metadata: v0-v12.
//
// Behaviour: answers from the metadata cache; topics asked for by name that don't exist are made when both client and broker allow it.
// Versions:  v0 an empty list means all topics, later null does; v4 the client may forbid creation; v10 topic ids; v12 topics by id.

package api

import (
	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/controller"
)

// noAuthorizedOperations is what an answer says where operations weren't asked for.
const noAuthorizedOperations int32 = -2147483648

func (h *Handlers) metadata(r *network.Request, req *wire.MetadataRequest) {
	version := r.Header.APIVersion
	listener := r.Conn.ListenerName
	resp := &wire.MetadataResponse{
		ClusterID: new(h.deps.ClusterID), ControllerID: h.deps.Metadata.Controller(), ClusterAuthorizedOperations: noAuthorizedOperations,
	}
	if version >= 8 && version <= 10 && req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = allClusterOperations
	}
	for _, b := range h.deps.Metadata.Brokers() {
		e, ok := b.Endpoint(listener)
		if !ok {
			continue
		}
		node := wire.MetadataResponseBroker{NodeID: b.ID, Host: e.Host, Port: e.Port}
		if b.Rack != "" {
			node.Rack = new(b.Rack)
		}
		resp.Brokers = append(resp.Brokers, node)
	}
	switch {
	case req.Topics == nil || (version == 0 && len(req.Topics) == 0):
		for _, t := range h.deps.Metadata.Topics() {
			resp.Topics = append(resp.Topics, h.describeTopic(t, req, version, listener))
		}
	default:
		h.describeAsked(r, req, resp)
	}
	r.Reply(resp)
}

// describeAsked answers for the topics a request names, by name or by id.
func (h *Handlers) describeAsked(r *network.Request, req *wire.MetadataRequest, resp *wire.MetadataResponse) {
	version, listener := r.Header.APIVersion, r.Conn.ListenerName
	allowCreate := (version < 4 || req.AllowAutoTopicCreation) && h.deps.Config().Bool(autoCreateTopicsEnable)
	seen := map[string]bool{}
	for i := range req.Topics {
		asked := &req.Topics[i]
		if asked.Name == nil {
			t := h.deps.Metadata.TopicByID(asked.TopicID)
			if t == nil {
				resp.Topics = append(resp.Topics, wire.MetadataResponseTopic{ErrorCode: wire.UnknownTopicID, TopicID: asked.TopicID, TopicAuthorizedOperations: noAuthorizedOperations})
				continue
			}
			resp.Topics = append(resp.Topics, h.describeTopic(t, req, version, listener))
			continue
		}
		name := *asked.Name
		if seen[name] {
			continue
		}
		seen[name] = true
		if t := h.deps.Metadata.Topic(name); t != nil {
			resp.Topics = append(resp.Topics, h.describeTopic(t, req, version, listener))
			continue
		}
		code := wire.UnknownTopicOrPartition
		switch {
		case controller.CheckTopicName(name) != nil:
			code = wire.InvalidTopicException
		case allowCreate:
			code = h.autoCreate(name)
		}
		resp.Topics = append(resp.Topics, wire.MetadataResponseTopic{
			ErrorCode: code, Name: &name, IsInternal: isInternalTopic(name), TopicAuthorizedOperations: noAuthorizedOperations,
		})
	}
}

func (h *Handlers) describeTopic(t *metadata.Topic, req *wire.MetadataRequest, version int16, listener string) wire.MetadataResponseTopic {
	out := wire.MetadataResponseTopic{
		Name: &t.Name, TopicID: t.ID, IsInternal: isInternalTopic(t.Name), TopicAuthorizedOperations: noAuthorizedOperations,
		Partitions: make([]wire.MetadataResponsePartition, len(t.Partitions)),
	}
	if version >= 8 && req.IncludeTopicAuthorizedOperations {
		out.TopicAuthorizedOperations = allTopicOperations
	}
	for i, p := range t.Partitions {
		slot := &out.Partitions[i]
		*slot = wire.MetadataResponsePartition{
			PartitionIndex: p.Index, LeaderID: p.Leader, LeaderEpoch: p.LeaderEpoch,
			ReplicaNodes: p.Replicas, IsrNodes: p.ISR, OfflineReplicas: p.OfflineReplicas,
		}
		leader := h.deps.Metadata.Broker(p.Leader)
		if leader == nil {
			slot.ErrorCode, slot.LeaderID = wire.LeaderNotAvailable, metadata.NoLeader
			continue
		}
		if _, ok := leader.Endpoint(listener); !ok {
			slot.ErrorCode, slot.LeaderID = wire.ListenerNotFound, metadata.NoLeader
			if version < 6 {
				slot.ErrorCode = wire.LeaderNotAvailable
			}
		}
	}
	return out
}
