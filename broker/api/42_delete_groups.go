// DeleteGroups: v0-v2.
//
// Behaviour: removes groups without members, with their offsets.

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) deleteGroups(r *network.Request, req *wire.DeleteGroupsRequest) {
	resp := &wire.DeleteGroupsResponse{}
	seen := map[string]bool{}
	for _, id := range req.GroupsNames {
		if !seen[id] {
			seen[id] = true
			resp.Results = append(resp.Results, wire.DeleteGroupsResponseResult{GroupID: id, ErrorCode: h.deps.Groups.DeleteGroup(id)})
		}
	}
	r.Reply(resp)
}
