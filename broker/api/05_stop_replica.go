// StopReplica: v0-v4. The controller stops, or deletes, replicas of this broker (controller.md §16.3).

package api

import (
	"errors"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

// errKRaftController closes the connection of a controller that isn't a ZooKeeper one: this broker takes no part in a migration.
var errKRaftController = errors.New("control request of a KRaft controller")

func (h *Handlers) stopReplica(r *network.Request, req *wire.StopReplicaRequest) {
	if req.IsKRaftController {
		r.Close(errKRaftController)
		return
	}
	h.controlReceived(r, req.ControllerID, req.ControllerEpoch, partitionsOfStopReplica(req))
	r.Reply(h.deps.Replicas.StopReplica(req, r.Header.CorrelationID))
}

func partitionsOfStopReplica(req *wire.StopReplicaRequest) int {
	n := len(req.UngroupedPartitions)
	for i := range req.Topics {
		n += len(req.Topics[i].PartitionIndexes)
	}
	for i := range req.TopicStates {
		n += len(req.TopicStates[i].PartitionStates)
	}
	return n
}
