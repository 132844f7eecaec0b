// AllocateProducerIds: v0. Served by the controller: gives a broker its next thousand producer ids (controller.md §20).

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) allocateProducerIDs(r *network.Request, req *wire.AllocateProducerIdsRequest) {
	h.deps.Controller.AllocateProducerIDs(req, func(resp *wire.AllocateProducerIdsResponse) { r.Reply(resp) })
}
