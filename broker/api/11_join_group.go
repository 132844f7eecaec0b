// JoinGroup: v0-v9.
//
// Behaviour: the answer waits until the others have joined or their time is over; see coordinator/group.
// Versions:  v0 has no rebalance timeout: the session timeout stands for it. v4 gives a new member an id first (MEMBER_ID_REQUIRED); v5 has static members; v7 names
// the protocol type, and null instead of an empty protocol name; v9 tells a leader that came back to leave the assignment alone.

package api

import (
	"bytes"
	"net"
	"time"

	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/group"
)

func (h *Handlers) joinGroup(r *network.Request, req *wire.JoinGroupRequest) {
	version := r.Header.APIVersion
	join := &group.JoinRequest{
		Group: req.GroupID, MemberID: req.MemberID, InstanceID: req.GroupInstanceID, ClientID: r.Header.ClientID, ClientHost: clientHost(r.Conn.RemoteAddr),
		ProtocolType: req.ProtocolType, Protocols: make([]group.Protocol, len(req.Protocols)),
		SessionTimeout: milliseconds(req.SessionTimeoutMs), RebalanceTimeout: milliseconds(req.RebalanceTimeoutMs),
		RequireMemberID: version >= 4, CanSkipAssignment: version >= 9,
		Done: func(result group.JoinResult) { r.Reply(joinResponse(&result, version)) },
	}
	if version == 0 {
		join.RebalanceTimeout = join.SessionTimeout
	}
	if req.Reason != nil {
		join.Reason = *req.Reason
	}
	for i := range req.Protocols {
		// A copy: it stays for as long as the member does, and the request's memory is lent.
		join.Protocols[i] = group.Protocol{Name: req.Protocols[i].Name, Metadata: bytes.Clone(req.Protocols[i].Metadata)}
	}
	h.deps.Groups.JoinGroup(join)
}

func joinResponse(result *group.JoinResult, version int16) *wire.JoinGroupResponse {
	resp := &wire.JoinGroupResponse{
		ErrorCode: result.Code, GenerationID: result.Generation, ProtocolType: result.ProtocolType, ProtocolName: result.ProtocolName, Leader: result.Leader,
		SkipAssignment: result.SkipAssignment, MemberID: result.MemberID, Members: result.Members,
	}
	switch {
	case version < 7 && resp.ProtocolName == nil:
		resp.ProtocolName = new("")
	case version >= 7 && resp.ProtocolName != nil && *resp.ProtocolName == "":
		resp.ProtocolName = nil
	}
	return resp
}

func milliseconds(ms int32) time.Duration { return time.Duration(ms) * time.Millisecond }

// clientHost is an address as Java prints one without a name.
func clientHost(addr net.Addr) string {
	if addr == nil {
		return "/"
	}
	host, _, err := net.SplitHostPort(addr.String())
	if err != nil {
		host = addr.String()
	}
	return "/" + host
}
