// OffsetForLeaderEpoch: v0-v4. Where a leader epoch ends in the leader's log (replication.md §7.3).

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/replica"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) offsetForLeaderEpoch(r *network.Request, req *wire.OffsetForLeaderEpochRequest) {
	resp := &wire.OffsetForLeaderEpochResponse{}
	for _, t := range req.Topics {
		out := wire.OffsetForLeaderEpochResponseTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			result := wire.OffsetForLeaderEpochResponsePartition{Partition: p.Partition, LeaderEpoch: -1, EndOffset: -1}
			partition, code := h.deps.Replicas.Partition(replica.TopicPartition{Topic: t.Topic, Partition: p.Partition})
			if code == wire.None {
				result.LeaderEpoch, result.EndOffset, code = partition.OffsetForLeaderEpoch(p.CurrentLeaderEpoch, p.LeaderEpoch)
			}
			result.ErrorCode = code
			out.Partitions = append(out.Partitions, result)
		}
		resp.Topics = append(resp.Topics, out)
	}
	r.Reply(resp)
}
