// ListGroups lists the groups that the answering broker coordinates.
//
// Versions: v1 adds the throttle time; v3 is flexible; v4 filters by state; v5 filters by type.

package wire

// ListGroupsRequest filters the groups; empty filters mean all.
type ListGroupsRequest struct {
	// StatesFilter has the states wanted; empty for all.
	StatesFilter []string `wire:"4+"`
	// TypesFilter has the types wanted ("Classic", "Consumer"); empty for all.
	TypesFilter []string `wire:"5+"`
}

// APIKey returns ListGroups.
func (*ListGroupsRequest) APIKey() APIKey { return ListGroups }

func (*ListGroupsRequest) isRequest() {}

// ListGroupsResponse lists the groups.
type ListGroupsResponse struct {
	ThrottleTimeMs int32                     `wire:"1+,ignorable"`
	ErrorCode      Error                     `wire:"0+"`
	Groups         []ListGroupsResponseGroup `wire:"0+"`
}

// APIKey returns ListGroups.
func (*ListGroupsResponse) APIKey() APIKey { return ListGroups }

func (*ListGroupsResponse) isResponse() {}

// ListGroupsResponseGroup is one group.
type ListGroupsResponseGroup struct {
	GroupID      string `wire:"0+"`
	ProtocolType string `wire:"0+"`
	GroupState   string `wire:"4+,ignorable"`
	GroupType    string `wire:"5+,ignorable"`
}
