// Fetch: v4-v17.
//
// Behaviour: reads up to the high watermark (or the last stable offset), waits for min bytes without holding a goroutine, sends records as file spans. Incremental
// sessions (KIP-227) look only at partitions that changed.
// Versions:  v5 log start offset, v7 session fields, v9 leader epochs, v11 reading from followers and being sent to the closest (KIP-392), v12 diverging epochs, v13 topic ids, v15
// the replica's state, v16 the new leader with its endpoint.
// Left out: v0-v3 (they need records converted to message formats 0 and 1).

package api

import (
	"math"
	"time"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/replica"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) fetch(r *network.Request, req *wire.FetchRequest) {
	version := r.Header.APIVersion
	replicaID := req.ReplicaID
	if version >= 15 {
		replicaID = req.ReplicaState.ReplicaID
	}
	params := replica.FetchParams{
		ReplicaID: replicaID, Version: version,
		MaxWait:  time.Duration(max(req.MaxWaitMs, 0)) * time.Millisecond,
		MaxBytes: min(int(req.MaxBytes), h.deps.Config().Int(fetchMaxBytes)), ReadCommitted: req.IsolationLevel == 1,
	}
	if version >= 11 && replicaID < 0 {
		params.Select = h.replicaSelector(req.RackID, r.Conn.ListenerName)
	}
	params.MinBytes = min(int(req.MinBytes), params.MaxBytes)
	session := replica.Session{ID: req.SessionID, Epoch: req.SessionEpoch, ByTopicID: version >= 13, Resolve: h.topicName}
	if version < 7 {
		session = replica.Session{Epoch: -1}
	}
	fetch := h.deps.Replicas.BeginFetch(session, h.fetchPartitions(req, version), forgotten(req))
	if fetch.Code != wire.None {
		r.Reply(&wire.FetchResponse{ErrorCode: fetch.Code})
		return
	}
	fetch.Fetch(params, func(reply replica.SessionReply) { h.replyFetch(r, replicaID, &reply) })
}

// topicName resolves a topic id; empty when it isn't known.
func (h *Handlers) topicName(id wire.UUID) string {
	if known := h.deps.Metadata.TopicByID(id); known != nil {
		return known.Name
	}
	return ""
}

// fetchPartitions brings the request into the flat form the replica manager reads. A topic whose id is unknown has no name; it is answered with that error.
func (h *Handlers) fetchPartitions(req *wire.FetchRequest, version int16) []replica.FetchPartition {
	n := 0
	for i := range req.Topics {
		n += len(req.Topics[i].Partitions)
	}
	parts := make([]replica.FetchPartition, 0, n)
	for i := range req.Topics {
		t := &req.Topics[i]
		name := t.Topic
		if version >= 13 {
			name = h.topicName(t.TopicID)
		}
		for j := range t.Partitions {
			p := &t.Partitions[j]
			parts = append(parts, replica.FetchPartition{
				TopicPartition: replica.TopicPartition{Topic: name, Partition: p.Partition}, TopicID: t.TopicID,
				FetchOffset: p.FetchOffset, LastFetchedEpoch: p.LastFetchedEpoch, CurrentLeaderEpoch: p.CurrentLeaderEpoch,
				LogStartOffset: p.LogStartOffset, MaxBytes: int(max(p.PartitionMaxBytes, 0)),
			})
		}
	}
	return parts
}

// forgotten are the partitions that leave the request's session.
func forgotten(req *wire.FetchRequest) []replica.ForgottenPartition {
	var all []replica.ForgottenPartition
	for i := range req.ForgottenTopicsData {
		t := &req.ForgottenTopicsData[i]
		for _, partition := range t.Partitions {
			all = append(all, replica.ForgottenPartition{TopicPartition: replica.TopicPartition{Topic: t.Topic, Partition: partition}, TopicID: t.TopicID})
		}
	}
	return all
}

func (h *Handlers) replyFetch(r *network.Request, replicaID int32, reply *replica.SessionReply) {
	if reply.Code != wire.None {
		r.Reply(&wire.FetchResponse{ErrorCode: reply.Code})
		return
	}
	version := r.Header.APIVersion
	resp := &wire.FetchResponse{SessionID: reply.SessionID}
	slots := make([]wire.FetchResponsePartition, len(reply.Parts))
	spans := make([]network.Span, 0, len(reply.Parts))
	for i := range reply.Parts {
		part, result, slot := &reply.Parts[i], &reply.Results[i], &slots[i]
		// Partitions of a topic that come one after the other share an entry.
		last := len(resp.Responses) - 1
		if last < 0 || resp.Responses[last].Topic != part.Topic || resp.Responses[last].TopicID != part.TopicID {
			resp.Responses = append(resp.Responses, wire.FetchResponseTopic{Topic: part.Topic, TopicID: part.TopicID, Partitions: slots[i:i:len(slots)]})
			last++
		}
		resp.Responses[last].Partitions = resp.Responses[last].Partitions[:len(resp.Responses[last].Partitions)+1]
		h.fetchSlot(slot, part, result, version)
		if version >= 16 && (result.Code == wire.NotLeaderOrFollower || result.Code == wire.FencedLeaderEpoch) {
			h.tellFetchLeader(r, resp, slot, part.Topic)
		}
		if result.Records.Length == 0 {
			result.Records.Release()
			continue
		}
		spans = append(spans, network.Span{File: result.Records.File, Offset: result.Records.Position, Length: result.Records.Length, Release: result.Records.Release})
		if replicaID < 0 {
			result.Meter.Fetched(result.Records.Length)
		} else {
			h.deps.Metrics.Replicated(result.Records.Length)
		}
	}
	r.ReplyFetch(resp, spans)
}

func (h *Handlers) fetchSlot(slot *wire.FetchResponsePartition, part *replica.FetchPartition, result *replica.FetchResult, version int16) {
	*slot = wire.FetchResponsePartition{
		PartitionIndex: part.Partition, ErrorCode: result.Code,
		HighWatermark: result.HighWatermark, LastStableOffset: result.LastStableOffset, LogStartOffset: result.LogStartOffset,
		PreferredReadReplica: result.Preferred, DivergingEpoch: wire.FetchResponseEpochEndOffset{Epoch: -1, EndOffset: -1},
		CurrentLeader: wire.LeaderIDAndEpoch{LeaderID: -1, LeaderEpoch: -1}, SnapshotID: wire.FetchResponseSnapshotID{EndOffset: -1, Epoch: -1},
		RecordsSize: int32(min(result.Records.Length, math.MaxInt32)),
	}
	if result.Code == wire.KafkaStorageError && version <= 5 {
		slot.ErrorCode = wire.NotLeaderOrFollower
	}
	if result.Diverging {
		slot.DivergingEpoch = wire.FetchResponseEpochEndOffset{Epoch: result.DivergingEpoch, EndOffset: result.DivergingEnd}
	}
	if result.Aborted != nil {
		slot.AbortedTransactions = make([]wire.FetchResponseAbortedTransaction, len(result.Aborted))
		for k, a := range result.Aborted {
			slot.AbortedTransactions[k] = wire.FetchResponseAbortedTransaction{ProducerID: a.ProducerID, FirstOffset: a.FirstOffset}
		}
	}
}

func (h *Handlers) tellFetchLeader(r *network.Request, resp *wire.FetchResponse, slot *wire.FetchResponsePartition, topic string) {
	leader, epoch, endpoint := h.currentLeader(topic, slot.PartitionIndex, r.Conn.ListenerName)
	slot.CurrentLeader = wire.LeaderIDAndEpoch{LeaderID: leader, LeaderEpoch: epoch}
	if endpoint != nil && !containsNode(resp.NodeEndpoints, leader) {
		resp.NodeEndpoints = append(resp.NodeEndpoints, wire.NodeEndpoint{NodeID: leader, Host: endpoint.Host, Port: endpoint.Port, Rack: endpoint.Rack})
	}
}
