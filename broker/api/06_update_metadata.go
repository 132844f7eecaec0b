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
	r.Reply(h.deps.Replicas.UpdateMetadata(req))
}
