// Fetch: v4-v17.
//
// Behaviour: reads up to the high watermark (or the last stable offset), waits for min bytes without holding a goroutine, sends records as file spans.
// Versions:  v5 log start offset, v7 session fields, v9 leader epochs, v11 reading from followers, v12 diverging epochs, v13 topic ids, v15
// the replica's state, v16 the new leader with its endpoint.
// Left out: v0-v3 (they need records converted to message formats 0 and 1). Sessions (KIP-227): every answer says session id 0, which a client reads as "none
// to be had" and goes on with full requests.

package api

import (
	"math"
	"time"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/replica"
	"github.com/prekraft/prekraft/broker/wire"
)

// fetchTopic is where one topic of a fetch request stands in the flat list of partitions.
type fetchTopic struct {
	name  string
	id    wire.UUID
	first int
	count int
	code  wire.Error // set when the topic id is unknown: every partition is answered with it
}

func (h *Handlers) fetch(r *network.Request, req *wire.FetchRequest) {
	version := r.Header.APIVersion
	if req.SessionID != 0 && req.SessionEpoch > 0 {
		r.Reply(&wire.FetchResponse{ErrorCode: wire.FetchSessionIDNotFound})
		return
	}
	replicaID := req.ReplicaID
	if version >= 15 {
		replicaID = req.ReplicaState.ReplicaID
	}
	params := replica.FetchParams{
		ReplicaID: replicaID, Version: version,
		MaxWait:  time.Duration(max(req.MaxWaitMs, 0)) * time.Millisecond,
		MaxBytes: min(int(req.MaxBytes), h.deps.Config().Int(fetchMaxBytes)), ReadCommitted: req.IsolationLevel == 1,
	}
	params.MinBytes = min(int(req.MinBytes), params.MaxBytes)

	topics, parts := h.fetchPartitions(req, version)
	for i := range topics {
		if topics[i].code != wire.None {
			params.MaxWait = 0 // an error is answered at once
		}
	}
	h.deps.Replicas.Fetch(params, parts, func(results []replica.FetchResult) {
		h.replyFetch(r, topics, parts, results)
	})
}

// fetchPartitions brings the request into the flat form the replica manager reads. A topic whose id is unknown takes part with its error only.
func (h *Handlers) fetchPartitions(req *wire.FetchRequest, version int16) ([]fetchTopic, []replica.FetchPartition) {
	n := 0
	for i := range req.Topics {
		n += len(req.Topics[i].Partitions)
	}
	topics := make([]fetchTopic, len(req.Topics))
	parts := make([]replica.FetchPartition, 0, n)
	for i := range req.Topics {
		t := &req.Topics[i]
		topics[i] = fetchTopic{name: t.Topic, id: t.TopicID, first: len(parts), count: len(t.Partitions)}
		if version >= 13 {
			known := h.deps.Metadata.TopicByID(t.TopicID)
			if known == nil {
				topics[i].code = wire.UnknownTopicID
			} else {
				topics[i].name = known.Name
			}
		}
		for j := range t.Partitions {
			p := &t.Partitions[j]
			parts = append(parts, replica.FetchPartition{
				TopicPartition: replica.TopicPartition{Topic: topics[i].name, Partition: p.Partition}, TopicID: t.TopicID,
				FetchOffset: p.FetchOffset, LastFetchedEpoch: p.LastFetchedEpoch, CurrentLeaderEpoch: p.CurrentLeaderEpoch,
				LogStartOffset: p.LogStartOffset, MaxBytes: int(max(p.PartitionMaxBytes, 0)),
			})
		}
	}
	return topics, parts
}

func (h *Handlers) replyFetch(r *network.Request, topics []fetchTopic, parts []replica.FetchPartition, results []replica.FetchResult) {
	version := r.Header.APIVersion
	resp := &wire.FetchResponse{Responses: make([]wire.FetchResponseTopic, len(topics))}
	slots := make([]wire.FetchResponsePartition, len(parts))
	spans := make([]network.Span, 0, len(parts))
	for i := range topics {
		t := &topics[i]
		resp.Responses[i].Topic, resp.Responses[i].TopicID = t.name, t.id
		resp.Responses[i].Partitions = slots[t.first : t.first+t.count : t.first+t.count]
		for j := t.first; j < t.first+t.count; j++ {
			slot, result := &slots[j], &results[j]
			if t.code != wire.None {
				result.Records.Release()
				*result = replica.FetchResult{Code: t.code, HighWatermark: -1, LastStableOffset: -1, LogStartOffset: -1}
			}
			*slot = wire.FetchResponsePartition{
				PartitionIndex: parts[j].Partition, ErrorCode: result.Code,
				HighWatermark: result.HighWatermark, LastStableOffset: result.LastStableOffset, LogStartOffset: result.LogStartOffset,
				PreferredReadReplica: -1, DivergingEpoch: wire.FetchResponseEpochEndOffset{Epoch: -1, EndOffset: -1},
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
			if version >= 16 && (result.Code == wire.NotLeaderOrFollower || result.Code == wire.FencedLeaderEpoch) {
				h.tellFetchLeader(r, resp, slot, t.name)
			}
			if result.Records.Length > 0 {
				spans = append(spans, network.Span{File: result.Records.File, Offset: result.Records.Position, Length: result.Records.Length, Release: result.Records.Release})
				h.deps.Metrics.Fetched(t.name, result.Records.Length)
			} else {
				result.Records.Release()
			}
		}
	}
	r.ReplyFetch(resp, spans)
}

func (h *Handlers) tellFetchLeader(r *network.Request, resp *wire.FetchResponse, slot *wire.FetchResponsePartition, topic string) {
	leader, epoch, endpoint := h.currentLeader(topic, slot.PartitionIndex, r.Conn.ListenerName)
	slot.CurrentLeader = wire.LeaderIDAndEpoch{LeaderID: leader, LeaderEpoch: epoch}
	if endpoint != nil && !containsNode(resp.NodeEndpoints, leader) {
		resp.NodeEndpoints = append(resp.NodeEndpoints, wire.NodeEndpoint{NodeID: leader, Host: endpoint.Host, Port: endpoint.Port, Rack: endpoint.Rack})
	}
}
