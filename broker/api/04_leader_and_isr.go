// LeaderAndIsr: v0-v7. The controller makes this broker leader or follower of partitions (controller.md §16.1).

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) leaderAndIsr(r *network.Request, req *wire.LeaderAndIsrRequest) {
	if req.IsKRaftController {
		r.Close(errKRaftController)
		return
	}
	h.controlReceived(r, req.ControllerID, req.ControllerEpoch, partitionsOfLeaderAndIsr(req))
	// A new log begins with its topic's configs, which no notification tells of.
	names := make([]string, 0, len(req.TopicStates))
	for i := range req.TopicStates {
		names = append(names, req.TopicStates[i].TopicName)
	}
	for i := range req.UngroupedPartitionStates {
		names = append(names, req.UngroupedPartitionStates[i].TopicName)
	}
	if err := h.deps.TopicConfigs.LoadTopics(h.deps.Context, names); err != nil {
		r.Close(err)
		return
	}
	r.Reply(h.deps.Replicas.LeaderAndIsr(req, r.Header.APIVersion, r.Header.CorrelationID))
}

func partitionsOfLeaderAndIsr(req *wire.LeaderAndIsrRequest) int {
	n := len(req.UngroupedPartitionStates)
	for i := range req.TopicStates {
		n += len(req.TopicStates[i].PartitionStates)
	}
	return n
}
