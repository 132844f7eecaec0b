// DeleteGroups deletes groups that have no members. Each group is deleted at its coordinator.
//
// Versions: v2 is flexible.

package wire

// DeleteGroupsRequest names the groups.
type DeleteGroupsRequest struct {
	GroupsNames []string `wire:"0+"`
}

// APIKey returns DeleteGroups.
func (*DeleteGroupsRequest) APIKey() APIKey { return DeleteGroups }

func (*DeleteGroupsRequest) isRequest() {}

// DeleteGroupsResponse has the result for each group.
type DeleteGroupsResponse struct {
	ThrottleTimeMs int32                        `wire:"0+"`
	Results        []DeleteGroupsResponseResult `wire:"0+"`
}

// APIKey returns DeleteGroups.
func (*DeleteGroupsResponse) APIKey() APIKey { return DeleteGroups }

func (*DeleteGroupsResponse) isResponse() {}

// DeleteGroupsResponseResult is the result for one group.
type DeleteGroupsResponseResult struct {
	GroupID   string `wire:"0+"`
	ErrorCode Error  `wire:"0+"`
}
