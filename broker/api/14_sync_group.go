// SyncGroup: v0-v5.
//
// Behaviour: the answer waits until the leader's assignment is stored. While the group is being loaded it is REBALANCE_IN_PROGRESS.
// Versions:  v3 has static members; from v5 protocol type and name must be there and be the group's.

package api

import (
	"bytes"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/group"
)

func (h *Handlers) syncGroup(r *network.Request, req *wire.SyncGroupRequest) {
	done := func(result group.SyncResult) {
		r.Reply(&wire.SyncGroupResponse{
			ErrorCode: result.Code, ProtocolType: result.ProtocolType, ProtocolName: result.ProtocolName, Assignment: result.Assignment,
		})
	}
	if r.Header.APIVersion >= 5 && (req.ProtocolType == nil || req.ProtocolName == nil) {
		done(group.SyncResult{Code: wire.InconsistentGroupProtocol})
		return
	}
	assignments := make([]wire.SyncGroupRequestAssignment, len(req.Assignments))
	for i := range req.Assignments {
		assignments[i] = wire.SyncGroupRequestAssignment{MemberID: req.Assignments[i].MemberID, Assignment: bytes.Clone(req.Assignments[i].Assignment)}
	}
	h.deps.Groups.SyncGroup(&group.SyncRequest{
		Group: req.GroupID, MemberID: req.MemberID, InstanceID: req.GroupInstanceID, Generation: req.GenerationID, ProtocolType: req.ProtocolType,
		ProtocolName: req.ProtocolName, Assignments: assignments, Done: done,
	})
}
