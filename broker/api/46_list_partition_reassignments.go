// ListPartitionReassignments: v0. Served by the controller: which replicas are being added and removed (controller.md §11).

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) listPartitionReassignments(r *network.Request, req *wire.ListPartitionReassignmentsRequest) {
	h.deps.Controller.ListPartitionReassignments(req, func(resp *wire.ListPartitionReassignmentsResponse) { r.Reply(resp) })
}
