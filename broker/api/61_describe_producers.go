// DescribeProducers: v0. The idempotent and transactional producers that a partition's leader knows.

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/replica"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) describeProducers(r *network.Request, req *wire.DescribeProducersRequest) {
	resp := &wire.DescribeProducersResponse{}
	for _, t := range req.Topics {
		out := wire.DescribeProducersResponseTopic{Name: t.Name}
		for _, index := range t.PartitionIndexes {
			result := wire.DescribeProducersResponsePartition{PartitionIndex: index}
			p, code := h.deps.Replicas.Partition(replica.TopicPartition{Topic: t.Name, Partition: index})
			switch {
			case code != wire.None:
				result.ErrorCode = code
			case !p.IsLeader():
				result.ErrorCode = wire.NotLeaderOrFollower
			default:
				for _, producer := range p.Log().ActiveProducers() {
					result.ActiveProducers = append(result.ActiveProducers, wire.DescribeProducersResponseProducer{
						ProducerID: producer.ProducerID, ProducerEpoch: int32(producer.ProducerEpoch), LastSequence: producer.LastSequence,
						LastTimestamp: producer.LastTimestamp, CoordinatorEpoch: producer.CoordinatorEpoch, CurrentTxnStartOffset: producer.CurrentTxnStartOffset,
					})
				}
			}
			out.Partitions = append(out.Partitions, result)
		}
		resp.Topics = append(resp.Topics, out)
	}
	r.Reply(resp)
}
