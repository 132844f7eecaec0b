// ControlledShutdown: v0-v3. Served by the controller: moves leadership off a broker that is about to stop (controller.md §18).

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) controlledShutdown(r *network.Request, req *wire.ControlledShutdownRequest) {
	h.deps.Controller.ControlledShutdown(req, func(resp *wire.ControlledShutdownResponse) { r.Reply(resp) })
}
