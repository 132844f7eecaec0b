// DescribeGroups: v0-v5.
//
// Behaviour: a group that isn't there is Dead, without an error. Protocol, subscriptions and assignments are told of stable groups only.
// Versions:  v3 has authorized operations, v4 instance ids.

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

// allGroupOperations are the operations a group knows: READ, DELETE, DESCRIBE.
const allGroupOperations int32 = 1<<3 | 1<<6 | 1<<8

func (h *Handlers) describeGroups(r *network.Request, req *wire.DescribeGroupsRequest) {
	resp := &wire.DescribeGroupsResponse{Groups: make([]wire.DescribeGroupsResponseGroup, len(req.Groups))}
	for i, id := range req.Groups {
		resp.Groups[i] = h.deps.Groups.Describe(id)
		resp.Groups[i].AuthorizedOperations = noAuthorizedOperations
		if req.IncludeAuthorizedOperations && resp.Groups[i].ErrorCode == wire.None {
			resp.Groups[i].AuthorizedOperations = allGroupOperations
		}
	}
	r.Reply(resp)
}
