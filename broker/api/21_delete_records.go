// DeleteRecords: v0-v2. Raises a partition's log start offset; the answer waits for the lowest start over its replicas (storage.md §10).

package api

import (
	"time"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/replica"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) deleteRecords(r *network.Request, req *wire.DeleteRecordsRequest) {
	resp := &wire.DeleteRecordsResponse{}
	var waits []replica.DeleteWait
	var at []*wire.DeleteRecordsResponsePartition // where each wait is answered
	for _, t := range req.Topics {
		out := wire.DeleteRecordsResponseTopic{Name: t.Name, Partitions: make([]wire.DeleteRecordsResponsePartition, len(t.Partitions))}
		for i, p := range t.Partitions {
			result := &out.Partitions[i]
			*result = wire.DeleteRecordsResponsePartition{PartitionIndex: p.PartitionIndex, LowWatermark: -1}
			tp := replica.TopicPartition{Topic: t.Name, Partition: p.PartitionIndex}
			switch partition, code := h.deps.Replicas.Partition(tp); {
			case isInternalTopic(t.Name):
				result.ErrorCode = wire.InvalidTopicException
			case code != wire.None:
				result.ErrorCode = code
			default:
				to, err := partition.DeleteRecords(p.Offset)
				if err != nil {
					result.ErrorCode = h.code("delete records", tp, err)
					continue
				}
				waits = append(waits, replica.DeleteWait{Partition: partition, Required: to})
				at = append(at, result)
			}
		}
		resp.Topics = append(resp.Topics, out)
	}
	h.deps.Replicas.AwaitDeleted(waits, time.Duration(req.TimeoutMs)*time.Millisecond, func(waits []replica.DeleteWait) {
		for i := range waits {
			at[i].LowWatermark, at[i].ErrorCode = waits[i].LowWatermark, waits[i].Code
		}
		r.Reply(resp)
	})
}
