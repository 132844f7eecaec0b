// DescribeLogDirs: v0-v4. This broker's log directories with the size of every replica; v3 has a top-level error, v4 the volume's bytes.

package api

import (
	"slices"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) describeLogDirs(r *network.Request, req *wire.DescribeLogDirsRequest) {
	wanted := func(topic string, partition int32) bool {
		if req.Topics == nil {
			return true
		}
		for _, t := range req.Topics {
			if t.Topic == topic && slices.Contains(t.Partitions, partition) {
				return true
			}
		}
		return false
	}
	resp := &wire.DescribeLogDirsResponse{}
	for _, dir := range h.deps.Logs.Dirs() {
		result := wire.DescribeLogDirsResponseResult{LogDir: dir.Path, TotalBytes: -1, UsableBytes: -1}
		if dir.Err != nil {
			result.ErrorCode = wire.KafkaStorageError
			resp.Results = append(resp.Results, result)
			continue
		}
		result.TotalBytes, result.UsableBytes = dir.TotalBytes, dir.UsableBytes
		byTopic := map[string]int{}
		for _, log := range dir.Logs {
			if !wanted(log.TopicPartition.Topic, log.TopicPartition.Partition) {
				continue
			}
			at, ok := byTopic[log.TopicPartition.Topic]
			if !ok {
				at = len(result.Topics)
				byTopic[log.TopicPartition.Topic] = at
				result.Topics = append(result.Topics, wire.DescribeLogDirsResponseTopic{Name: log.TopicPartition.Topic})
			}
			result.Topics[at].Partitions = append(result.Topics[at].Partitions, wire.DescribeLogDirsResponsePartition{
				PartitionIndex: log.TopicPartition.Partition, PartitionSize: log.SizeBytes, OffsetLag: log.Lag, IsFutureKey: log.Future,
			})
		}
		resp.Results = append(resp.Results, result)
	}
	r.Reply(resp)
}
