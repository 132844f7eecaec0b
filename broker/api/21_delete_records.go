// DeleteRecords: v0-v2. Raises a partition's log start offset; the answer waits for the lowest start over its replicas (storage.md §10).

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/replica"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) deleteRecords(r *network.Request, req *wire.DeleteRecordsRequest) {
	resp := &wire.DeleteRecordsResponse{}
	for _, t := range req.Topics {
		out := wire.DeleteRecordsResponseTopic{Name: t.Name}
		for _, p := range t.Partitions {
			result := wire.DeleteRecordsResponsePartition{PartitionIndex: p.PartitionIndex, LowWatermark: -1}
			tp := replica.TopicPartition{Topic: t.Name, Partition: p.PartitionIndex}
			switch partition, code := h.deps.Replicas.Partition(tp); {
			case isInternalTopic(t.Name):
				result.ErrorCode = wire.InvalidTopicException
			case code != wire.None:
				result.ErrorCode = code
			default:
				low, err := partition.DeleteRecords(p.Offset)
				if err != nil {
					result.ErrorCode = h.code("delete records", tp, err)
				} else {
					result.LowWatermark = low
				}
			}
			out.Partitions = append(out.Partitions, result)
		}
		resp.Topics = append(resp.Topics, out)
	}
	r.Reply(resp)
}
