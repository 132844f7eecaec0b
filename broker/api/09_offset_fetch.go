// OffsetFetch: v0-v9.
//
// Behaviour: v0 reads znodes under /consumers, on any broker: a partition without one is UNKNOWN_TOPIC_OR_PARTITION. Later versions read what the group's coordinator
// has in memory: a partition without an offset is -1 and no error. Nobody asks whether the client is a member.
// Versions:  v2 asks for all partitions with a null list and has an error of its own for the group; before it the error is repeated for each partition. v7 can insist
// on stable offsets; v8 asks for several groups.
// Otherwise: Apache 3.9 answers v1 without any partition when the coordinator fails, so that the error is lost: we repeat it for each partition, as was meant. It
// never answers v8 and later with an empty list of groups: we answer with an empty list.

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/offsets"
)

func (h *Handlers) offsetFetch(r *network.Request, req *wire.OffsetFetchRequest) {
	version := r.Header.APIVersion
	resp := &wire.OffsetFetchResponse{}
	if version >= 8 {
		resp.Groups = make([]wire.OffsetFetchResponseGroup, len(req.Groups))
		for i := range req.Groups {
			resp.Groups[i] = h.fetchGroup(&req.Groups[i], req.RequireStable)
		}
		r.Reply(resp)
		return
	}
	asked := wire.OffsetFetchRequestGroup{GroupID: req.GroupID}
	if req.Topics != nil || version < 2 {
		asked.Topics = make([]wire.OffsetFetchRequestGroupTopic, len(req.Topics))
		for i := range req.Topics {
			asked.Topics[i] = wire.OffsetFetchRequestGroupTopic(req.Topics[i])
		}
	}
	var answer wire.OffsetFetchResponseGroup
	if version == 0 {
		answer = h.fetchLegacy(&asked)
	} else {
		answer = h.fetchGroup(&asked, req.RequireStable)
	}
	if resp.ErrorCode = answer.ErrorCode; answer.ErrorCode != wire.None && version < 2 {
		answer.Topics = failedTopics(&asked, answer.ErrorCode)
	}
	resp.Topics = make([]wire.OffsetFetchResponseTopic, len(answer.Topics))
	for i := range answer.Topics {
		from, to := &answer.Topics[i], &resp.Topics[i]
		to.Name = from.Name
		to.Partitions = make([]wire.OffsetFetchResponsePartition, len(from.Partitions))
		for j := range from.Partitions {
			to.Partitions[j] = wire.OffsetFetchResponsePartition(from.Partitions[j])
		}
	}
	r.Reply(resp)
}

// fetchGroup asks the coordinator.
func (h *Handlers) fetchGroup(asked *wire.OffsetFetchRequestGroup, requireStable bool) wire.OffsetFetchResponseGroup {
	answer := wire.OffsetFetchResponseGroup{GroupID: asked.GroupID}
	var tps []offsets.TopicPartition
	if asked.Topics != nil {
		tps = namedPartitions(asked)
	}
	found, code := h.deps.Groups.FetchOffsets(h.deps.Context, asked.GroupID, tps, requireStable)
	switch {
	case code != wire.None:
		answer.ErrorCode = code
	case asked.Topics != nil:
		answer.Topics = asAsked(asked, found)
	default:
		answer.Topics = byTopic(found)
	}
	return answer
}

// fetchLegacy reads znodes.
func (h *Handlers) fetchLegacy(asked *wire.OffsetFetchRequestGroup) wire.OffsetFetchResponseGroup {
	tps := namedPartitions(asked)
	found := make([]offsets.Fetched, len(tps))
	var there []offsets.TopicPartition
	var at []int
	for i, tp := range tps {
		if t := h.deps.Metadata.Topic(tp.Topic); t == nil || t.Partition(tp.Partition) == nil {
			found[i] = failedFetch(tp, wire.UnknownTopicOrPartition)
			continue
		}
		there, at = append(there, tp), append(at, i)
	}
	for i, one := range h.deps.LegacyOffsets.Fetch(h.deps.Context, asked.GroupID, there) {
		found[at[i]] = one
	}
	return wire.OffsetFetchResponseGroup{GroupID: asked.GroupID, Topics: asAsked(asked, found)}
}

// namedPartitions lists what a request names, in its order; never nil.
func namedPartitions(asked *wire.OffsetFetchRequestGroup) []offsets.TopicPartition {
	tps := []offsets.TopicPartition{}
	for i := range asked.Topics {
		for _, partition := range asked.Topics[i].PartitionIndexes {
			tps = append(tps, offsets.TopicPartition{Topic: asked.Topics[i].Name, Partition: partition})
		}
	}
	return tps
}

// asAsked arranges offsets as the request named them.
func asAsked(asked *wire.OffsetFetchRequestGroup, found []offsets.Fetched) []wire.OffsetFetchResponseGroupTopic {
	topics := make([]wire.OffsetFetchResponseGroupTopic, len(asked.Topics))
	for i := range asked.Topics {
		n := len(asked.Topics[i].PartitionIndexes)
		topics[i] = wire.OffsetFetchResponseGroupTopic{Name: asked.Topics[i].Name, Partitions: make([]wire.OffsetFetchResponseGroupPartition, n)}
		for j := range n {
			topics[i].Partitions[j] = fetchedPartition(&found[j])
		}
		found = found[n:]
	}
	return topics
}

// byTopic arranges offsets by topic, as they come.
func byTopic(found []offsets.Fetched) []wire.OffsetFetchResponseGroupTopic {
	var topics []wire.OffsetFetchResponseGroupTopic
	at := map[string]int{}
	for i := range found {
		name := found[i].Topic
		k, ok := at[name]
		if !ok {
			k = len(topics)
			at[name] = k
			topics = append(topics, wire.OffsetFetchResponseGroupTopic{Name: name})
		}
		topics[k].Partitions = append(topics[k].Partitions, fetchedPartition(&found[i]))
	}
	return topics
}

func fetchedPartition(f *offsets.Fetched) wire.OffsetFetchResponseGroupPartition {
	return wire.OffsetFetchResponseGroupPartition{
		PartitionIndex: f.Partition, CommittedOffset: f.Offset, CommittedLeaderEpoch: f.LeaderEpoch, Metadata: &f.Metadata, ErrorCode: f.Code,
	}
}

func failedFetch(tp offsets.TopicPartition, code wire.Error) offsets.Fetched {
	return offsets.Fetched{TopicPartition: tp, Committed: offsets.Committed{Offset: offsets.NoOffset, LeaderEpoch: offsets.NoLeaderEpoch}, Code: code}
}

// failedTopics gives each partition of a request the same error.
func failedTopics(asked *wire.OffsetFetchRequestGroup, code wire.Error) []wire.OffsetFetchResponseGroupTopic {
	var found []offsets.Fetched
	for _, tp := range namedPartitions(asked) {
		found = append(found, failedFetch(tp, code))
	}
	return asAsked(asked, found)
}
