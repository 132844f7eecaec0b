// LeaveGroup: v0-v5.
//
// Behaviour: takes members out; one without a member id goes by its instance id, which is how an administrator removes static members.
// Versions:  before v3 there is one member, whose error is the answer's; v3 has an error for each; v5 has reasons.

package api

import (
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) leaveGroup(r *network.Request, req *wire.LeaveGroupRequest) {
	version := r.Header.APIVersion
	members := req.Members
	if version < 3 {
		members = []wire.LeaveGroupRequestMember{{MemberID: req.MemberID}}
	}
	codes, code := h.deps.Groups.LeaveGroup(req.GroupID, members)
	resp := &wire.LeaveGroupResponse{ErrorCode: code}
	switch {
	case code != wire.None:
	case version < 3:
		resp.ErrorCode = codes[0]
	default:
		for i := range members {
			resp.Members = append(resp.Members, wire.LeaveGroupResponseMember{MemberID: members[i].MemberID, GroupInstanceID: members[i].GroupInstanceID, ErrorCode: codes[i]})
		}
	}
	r.Reply(resp)
}
