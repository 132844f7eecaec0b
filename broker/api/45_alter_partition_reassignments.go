// AlterPartitionReassignments: v0. Served by the controller: starts, overrides and cancels moves of replicas; answered when they have begun (controller.md §11).

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) alterPartitionReassignments(r *network.Request, req *wire.AlterPartitionReassignmentsRequest) {
	h.deps.Controller.AlterPartitionReassignments(req, func(resp *wire.AlterPartitionReassignmentsResponse) { r.Reply(resp) })
}
