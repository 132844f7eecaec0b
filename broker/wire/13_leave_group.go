// LeaveGroup takes members out of a group.
//
// Versions: v1 adds the throttle time; v3 takes several members; v4 is flexible; v5 adds the reason.

package wire

// LeaveGroupRequest names the members that leave.
type LeaveGroupRequest struct {
	GroupID string `wire:"0+"`
	// MemberID is the one member before version 3.
	MemberID string                    `wire:"0-2"`
	Members  []LeaveGroupRequestMember `wire:"3+"`
}

// APIKey returns LeaveGroup.
func (*LeaveGroupRequest) APIKey() APIKey { return LeaveGroup }

func (*LeaveGroupRequest) isRequest() {}

// LeaveGroupRequestMember is a member that leaves.
type LeaveGroupRequestMember struct {
	// MemberID may be empty for a static member.
	MemberID string `wire:"3+"`
	// GroupInstanceID is the name of a static member, null for a dynamic one.
	GroupInstanceID *string `wire:"3+,nullable=3+"`
	// Reason says why the member leaves, for the broker's log.
	Reason *string `wire:"5+,nullable=5+,ignorable"`
}

// LeaveGroupResponse has the result for each member.
type LeaveGroupResponse struct {
	ThrottleTimeMs int32                      `wire:"1+,ignorable"`
	ErrorCode      Error                      `wire:"0+"`
	Members        []LeaveGroupResponseMember `wire:"3+"`
}

// APIKey returns LeaveGroup.
func (*LeaveGroupResponse) APIKey() APIKey { return LeaveGroup }

func (*LeaveGroupResponse) isResponse() {}

// LeaveGroupResponseMember is the result for one member.
type LeaveGroupResponseMember struct {
	MemberID string `wire:"3+"`
	// GroupInstanceID is the name of a static member, null for a dynamic one.
	GroupInstanceID *string `wire:"3+,nullable=3+"`
	ErrorCode       Error   `wire:"3+"`
}
