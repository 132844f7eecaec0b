// Heartbeat: v0-v4.
//
// Behaviour: renews the member's session; REBALANCE_IN_PROGRESS tells it to join again. While the group is being loaded the answer is NONE.
// Versions:  v3 has static members.

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) heartbeat(r *network.Request, req *wire.HeartbeatRequest) {
	r.Reply(&wire.HeartbeatResponse{ErrorCode: h.deps.Groups.Heartbeat(req.GroupID, req.GenerationID, req.MemberID, req.GroupInstanceID)})
}
