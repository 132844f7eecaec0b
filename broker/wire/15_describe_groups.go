// DescribeGroups tells state and members of groups. Each group is asked at its coordinator.
//
// Versions: v1 adds the throttle time; v3 authorized operations; v4 static members; v5 is flexible.

package wire

// DescribeGroupsRequest names the groups.
type DescribeGroupsRequest struct {
	Groups []string `wire:"0+"`
	// IncludeAuthorizedOperations asks for AuthorizedOperations.
	IncludeAuthorizedOperations bool `wire:"3+"`
}

// APIKey returns DescribeGroups.
func (*DescribeGroupsRequest) APIKey() APIKey { return DescribeGroups }

func (*DescribeGroupsRequest) isRequest() {}

// DescribeGroupsResponse describes them; a group that does not exist is in state Dead, without an error.
type DescribeGroupsResponse struct {
	ThrottleTimeMs int32                         `wire:"1+,ignorable"`
	Groups         []DescribeGroupsResponseGroup `wire:"0+"`
}

// APIKey returns DescribeGroups.
func (*DescribeGroupsResponse) APIKey() APIKey { return DescribeGroups }

func (*DescribeGroupsResponse) isResponse() {}

// DescribeGroupsResponseGroup is one group.
type DescribeGroupsResponseGroup struct {
	ErrorCode Error  `wire:"0+"`
	GroupID   string `wire:"0+"`
	// GroupState is Empty, PreparingRebalance, CompletingRebalance, Stable or Dead.
	GroupState   string `wire:"0+"`
	ProtocolType string `wire:"0+"`
	// ProtocolData is the name of the assignor, empty unless the group is stable.
	ProtocolData string                         `wire:"0+"`
	Members      []DescribeGroupsResponseMember `wire:"0+"`
	// AuthorizedOperations is a bit set by ACL operation code; the least int32 when not asked.
	AuthorizedOperations int32 `wire:"3+,default=-2147483648"`
}

// DescribeGroupsResponseMember is one member.
type DescribeGroupsResponseMember struct {
	MemberID string `wire:"0+"`
	// GroupInstanceID is the name of a static member, null for a dynamic one.
	GroupInstanceID *string `wire:"4+,nullable=4+,ignorable"`
	ClientID        string  `wire:"0+"`
	// ClientHost is the address of the member, with a slash before it.
	ClientHost string `wire:"0+"`
	// MemberMetadata is what the member sent for the chosen protocol.
	MemberMetadata []byte `wire:"0+"`
	// MemberAssignment is what the leader assigned.
	MemberAssignment []byte `wire:"0+"`
}
