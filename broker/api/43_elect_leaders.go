// ElectLeaders: v0-v2. Served by the controller: preferred and unclean elections; answered when they have been decided (controller.md §19).

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) electLeaders(r *network.Request, req *wire.ElectLeadersRequest) {
	h.deps.Controller.ElectLeaders(req, func(resp *wire.ElectLeadersResponse) { r.Reply(resp) })
}
