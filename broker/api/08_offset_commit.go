// OffsetCommit: v0-v9.
//
// Behaviour: v0 sets znodes under /consumers, on any broker, without asking for a group. Later versions go to the group's coordinator, who checks member and
// generation; an error about the group is repeated for each partition. Partitions that this broker doesn't know are refused one by one.
// Versions:  v1 carries a timestamp, v2-v4 a retention time. v9 is v8 on the wire.
// Left out:  nothing; v9's errors of the newer group protocol don't occur.

package api

import (
	"time"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/group"
	"github.com/prekraft/prekraft/coordinator/offsets"
)

func (h *Handlers) offsetCommit(r *network.Request, req *wire.OffsetCommitRequest) {
	resp := &wire.OffsetCommitResponse{Topics: make([]wire.OffsetCommitResponseTopic, len(req.Topics))}
	now := time.Now().UnixMilli()
	named := 0
	for i := range req.Topics {
		named += len(req.Topics[i].Partitions)
	}
	items := make([]offsets.Item, 0, named) // of the partitions without an error, in their order
	for i := range req.Topics {
		asked, out := &req.Topics[i], &resp.Topics[i]
		out.Name = asked.Name
		out.Partitions = make([]wire.OffsetCommitResponsePartition, len(asked.Partitions))
		topic := h.deps.Metadata.Topic(asked.Name)
		for j := range asked.Partitions {
			p, slot := &asked.Partitions[j], &out.Partitions[j]
			slot.PartitionIndex = p.PartitionIndex
			if topic == nil || topic.Partition(p.PartitionIndex) == nil {
				slot.ErrorCode = wire.UnknownTopicOrPartition
				continue
			}
			items = append(items, commitItem(req, asked.Name, p, now))
		}
	}
	finish := func(items []offsets.Item) {
		for i := range resp.Topics {
			for j := range resp.Topics[i].Partitions {
				if slot := &resp.Topics[i].Partitions[j]; slot.ErrorCode == wire.None {
					slot.ErrorCode, items = items[0].Code, items[1:]
				}
			}
		}
		r.Reply(resp)
	}
	switch {
	case len(items) == 0:
		r.Reply(resp)
	case r.Header.APIVersion == 0:
		finish(h.deps.LegacyOffsets.Commit(h.deps.Context, req.GroupID, items))
	default:
		h.deps.Groups.CommitOffsets(&group.CommitRequest{
			Group: req.GroupID, Generation: req.GenerationIDOrMemberEpoch, MemberID: req.MemberID, InstanceID: req.GroupInstanceID, Items: items, Done: finish,
		})
	}
}

// commitItem is one partition of a commit. Commit time: the client's, in the one version that has it, else now. Expire time: the client's retention from now, else none.
func commitItem(req *wire.OffsetCommitRequest, topic string, p *wire.OffsetCommitRequestPartition, now int64) offsets.Item {
	item := offsets.Item{
		TopicPartition: offsets.TopicPartition{Topic: topic, Partition: p.PartitionIndex},
		Committed: offsets.Committed{
			Offset: p.CommittedOffset, LeaderEpoch: p.CommittedLeaderEpoch, CommitTimestampMs: now, ExpireTimestampMs: offsets.NoTimestamp,
		},
	}
	if p.CommittedMetadata != nil {
		item.Metadata = *p.CommittedMetadata
	}
	if p.CommitTimestamp != -1 {
		item.CommitTimestampMs = p.CommitTimestamp
	}
	if req.RetentionTimeMs != -1 {
		item.ExpireTimestampMs = now + req.RetentionTimeMs
	}
	return item
}
