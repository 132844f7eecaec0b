// ListGroups: v0-v5.
//
// Behaviour: the groups of this broker; a client asks every broker. While a partition is being loaded the list has what is known, with COORDINATOR_LOAD_IN_PROGRESS.
// Versions:  v4 filters by state, v5 by type; there is one type, classic.

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) listGroups(r *network.Request, req *wire.ListGroupsRequest) {
	list, code := h.deps.Groups.List(req.StatesFilter, req.TypesFilter)
	r.Reply(&wire.ListGroupsResponse{ErrorCode: code, Groups: list})
}
