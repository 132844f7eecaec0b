// UpdateMetadata: v0-v8. The controller tells the live brokers and changed partitions (controller.md §16.2).

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) updateMetadata(r *network.Request, req *wire.UpdateMetadataRequest) {
	if req.IsKRaftController {
		r.Close(errKRaftController)
		return
	}
	h.controlReceived(r, req.ControllerID, req.ControllerEpoch, partitionsOfUpdateMetadata(req))
	r.Reply(h.deps.Replicas.UpdateMetadata(req))
}

func partitionsOfUpdateMetadata(req *wire.UpdateMetadataRequest) int {
	n := len(req.UngroupedPartitionStates)
	for i := range req.TopicStates {
		n += len(req.TopicStates[i].PartitionStates)
	}
	return n
}
