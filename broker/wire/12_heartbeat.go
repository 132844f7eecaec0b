// Heartbeat tells the coordinator that a member lives, and the member that a rebalance has begun.
//
// Versions: v1 adds the throttle time; v3 static members; v4 is flexible.

package wire

// HeartbeatRequest keeps one member alive.
type HeartbeatRequest struct {
	GroupID string `wire:"0+"`
	// GenerationID is the generation of the group.
	GenerationID int32  `wire:"0+"`
	MemberID     string `wire:"0+"`
	// GroupInstanceID is the name of a static member, null for a dynamic one.
	GroupInstanceID *string `wire:"3+,nullable=3+"`
}

// APIKey returns Heartbeat.
func (*HeartbeatRequest) APIKey() APIKey { return Heartbeat }

func (*HeartbeatRequest) isRequest() {}

// HeartbeatResponse has REBALANCE_IN_PROGRESS when the member must join again.
type HeartbeatResponse struct {
	ThrottleTimeMs int32 `wire:"1+,ignorable"`
	ErrorCode      Error `wire:"0+"`
}

// APIKey returns Heartbeat.
func (*HeartbeatResponse) APIKey() APIKey { return Heartbeat }

func (*HeartbeatResponse) isResponse() {}
