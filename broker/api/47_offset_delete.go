// OffsetDelete: v0.
//
// Behaviour: removes committed offsets of topics that no member subscribes to. An error about the group comes without partitions.

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/offsets"
)

func (h *Handlers) offsetDelete(r *network.Request, req *wire.OffsetDeleteRequest) {
	resp := &wire.OffsetDeleteResponse{Topics: make([]wire.OffsetDeleteResponseTopic, len(req.Topics))}
	tps := []offsets.TopicPartition{}
	var slots []*wire.OffsetDeleteResponsePartition
	for i := range req.Topics {
		asked, out := &req.Topics[i], &resp.Topics[i]
		out.Name = asked.Name
		out.Partitions = make([]wire.OffsetDeleteResponsePartition, len(asked.Partitions))
		topic := h.deps.Metadata.Topic(asked.Name)
		for j, p := range asked.Partitions {
			slot := &out.Partitions[j]
			slot.PartitionIndex = p.PartitionIndex
			if topic == nil || topic.Partition(p.PartitionIndex) == nil {
				slot.ErrorCode = wire.UnknownTopicOrPartition
				continue
			}
			tps, slots = append(tps, offsets.TopicPartition{Topic: asked.Name, Partition: p.PartitionIndex}), append(slots, slot)
		}
	}
	codes, code := h.deps.Groups.DeleteOffsets(req.GroupID, tps)
	if code != wire.None {
		r.Reply(&wire.OffsetDeleteResponse{ErrorCode: code})
		return
	}
	for i := range codes {
		slots[i].ErrorCode = codes[i]
	}
	r.Reply(resp)
}
