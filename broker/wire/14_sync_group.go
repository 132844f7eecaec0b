// SyncGroup gives every member of a generation its assignment, which the leader sends with the same request.
//
// Versions: v1 adds the throttle time; v3 static members; v4 is flexible; v5 names protocol type and protocol.

package wire

// SyncGroupRequest asks for the member's assignment.
type SyncGroupRequest struct {
	GroupID string `wire:"0+"`
	// GenerationID is the generation of the group.
	GenerationID int32  `wire:"0+"`
	MemberID     string `wire:"0+"`
	// GroupInstanceID is the name of a static member, null for a dynamic one.
	GroupInstanceID *string `wire:"3+,nullable=3+"`
	ProtocolType    *string `wire:"5+,nullable=5+,ignorable"`
	// ProtocolName is the assignor of the generation.
	ProtocolName *string `wire:"5+,nullable=5+,ignorable"`
	// Assignments are sent by the leader only.
	Assignments []SyncGroupRequestAssignment `wire:"0+"`
}

// APIKey returns SyncGroup.
func (*SyncGroupRequest) APIKey() APIKey { return SyncGroup }

func (*SyncGroupRequest) isRequest() {}

// SyncGroupRequestAssignment is what one member gets.
type SyncGroupRequestAssignment struct {
	MemberID string `wire:"0+"`
	// Assignment is opaque to the broker.
	Assignment []byte `wire:"0+"`
}

// SyncGroupResponse carries the assignment.
type SyncGroupResponse struct {
	ThrottleTimeMs int32   `wire:"1+,ignorable"`
	ErrorCode      Error   `wire:"0+"`
	ProtocolType   *string `wire:"5+,nullable=5+,ignorable"`
	// ProtocolName is the assignor of the generation.
	ProtocolName *string `wire:"5+,nullable=5+,ignorable"`
	// Assignment is what the leader sent for this member.
	Assignment []byte `wire:"0+"`
}

// APIKey returns SyncGroup.
func (*SyncGroupResponse) APIKey() APIKey { return SyncGroup }

func (*SyncGroupResponse) isResponse() {}
