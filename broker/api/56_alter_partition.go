// AlterPartition: v0-v3. Served by the controller: a leader proposes another ISR (controller.md §13.1).

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) alterPartition(r *network.Request, req *wire.AlterPartitionRequest) {
	h.deps.Controller.AlterPartition(req, func(resp *wire.AlterPartitionResponse) { r.Reply(resp) })
}
