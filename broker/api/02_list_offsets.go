// ListOffsets: v1-v9.
//
// Behaviour: the leader answers the latest and earliest offset, the offset of the greatest timestamp, and the first offset at or after a timestamp
// (storage.md §12).
// Versions:  v2 isolation level, v4 leader epochs, v7 timestamp -3, v8 -4, v9 -5.
// Left out: v0 (a list of segment base offsets), which no client of the last ten years sends.

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/replica"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) listOffsets(r *network.Request, req *wire.ListOffsetsRequest) {
	version := r.Header.APIVersion
	seen := map[replica.TopicPartition]int{}
	for i := range req.Topics {
		for _, p := range req.Topics[i].Partitions {
			seen[replica.TopicPartition{Topic: req.Topics[i].Name, Partition: p.PartitionIndex}]++
		}
	}
	resp := &wire.ListOffsetsResponse{Topics: make([]wire.ListOffsetsResponseTopic, len(req.Topics))}
	for i := range req.Topics {
		t := &req.Topics[i]
		resp.Topics[i].Name = t.Name
		for j := range t.Partitions {
			p := &t.Partitions[j]
			out := wire.ListOffsetsResponsePartition{PartitionIndex: p.PartitionIndex, Timestamp: -1, Offset: -1, LeaderEpoch: -1}
			tp := replica.TopicPartition{Topic: t.Name, Partition: p.PartitionIndex}
			if seen[tp] > 1 {
				out.ErrorCode = wire.InvalidRequest
			} else {
				h.listOffset(req, tp, p, version, &out)
			}
			resp.Topics[i].Partitions = append(resp.Topics[i].Partitions, out)
		}
	}
	r.Reply(resp)
}

func (h *Handlers) listOffset(req *wire.ListOffsetsRequest, tp replica.TopicPartition, p *wire.ListOffsetsRequestPartition, version int16, out *wire.ListOffsetsResponsePartition) {
	if !timestampKnown(p.Timestamp, version) {
		out.ErrorCode = wire.UnsupportedVersion
		return
	}
	partition, code := h.deps.Replicas.Partition(tp)
	if code != wire.None {
		out.ErrorCode = code
		return
	}
	found, code := partition.OffsetForTimestamp(replica.OffsetQuery{
		Timestamp: p.Timestamp, ReplicaID: req.ReplicaID, ReadCommitted: req.IsolationLevel == 1, CurrentLeaderEpoch: p.CurrentLeaderEpoch,
	})
	if code == wire.OffsetNotAvailable && version < 5 {
		code = wire.LeaderNotAvailable
	}
	if out.ErrorCode = code; code == wire.None {
		out.Offset, out.Timestamp = found.Offset, found.Timestamp
		if version >= 4 {
			out.LeaderEpoch = found.LeaderEpoch
		}
	}
}

// timestampKnown tells whether a version knows a special timestamp: a newer one is UNSUPPORTED_VERSION.
func timestampKnown(timestamp int64, version int16) bool {
	switch {
	case timestamp >= replica.EarliestTimestamp:
		return true
	case timestamp == replica.MaxTimestamp:
		return version >= 7
	case timestamp == replica.EarliestLocalTimestamp:
		return version >= 8
	case timestamp == replica.LatestTieredTimestamp:
		return version >= 9
	}
	return false
}
