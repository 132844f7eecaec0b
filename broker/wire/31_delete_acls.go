// DeleteAcls removes the ACL bindings that match filters.
//
// Versions: v1 adds pattern types; v2 is flexible; v3 adds the user resource type.

package wire

// DeleteAclsRequest has the filters; null in one matches everything.
type DeleteAclsRequest struct {
	Filters []DeleteAclsRequestFilter `wire:"0+"`
}

// APIKey returns DeleteAcls.
func (*DeleteAclsRequest) APIKey() APIKey { return DeleteAcls }

func (*DeleteAclsRequest) isRequest() {}

// DeleteAclsRequestFilter is one filter.
type DeleteAclsRequestFilter struct {
	// ResourceTypeFilter is the code of an ACL resource type; 1 matches any.
	ResourceTypeFilter int8    `wire:"0+"`
	ResourceNameFilter *string `wire:"0+,nullable=0+"`
	// PatternTypeFilter is 1 any, 2 whatever applies to the name, 3 literal, 4 prefixed.
	PatternTypeFilter int8    `wire:"1+,default=3"`
	PrincipalFilter   *string `wire:"0+,nullable=0+"`
	HostFilter        *string `wire:"0+,nullable=0+"`
	// Operation is the code of an ACL operation.
	Operation int8 `wire:"0+"`
	// PermissionType is 1 any (in filters), 2 deny, 3 allow.
	PermissionType int8 `wire:"0+"`
}

// DeleteAclsResponse has one result for each filter, in order.
type DeleteAclsResponse struct {
	ThrottleTimeMs int32                            `wire:"0+"`
	FilterResults  []DeleteAclsResponseFilterResult `wire:"0+"`
}

// APIKey returns DeleteAcls.
func (*DeleteAclsResponse) APIKey() APIKey { return DeleteAcls }

func (*DeleteAclsResponse) isResponse() {}

// DeleteAclsResponseFilterResult is the result for one filter.
type DeleteAclsResponseFilterResult struct {
	ErrorCode Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string                         `wire:"0+,nullable=0+"`
	MatchingAcls []DeleteAclsResponseMatchingACL `wire:"0+"`
}

// DeleteAclsResponseMatchingACL is a binding that matched; it is gone unless it has an error.
type DeleteAclsResponseMatchingACL struct {
	ErrorCode Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string `wire:"0+,nullable=0+"`
	// ResourceType is Kafka's code of a resource type; those of ACLs and of configs are two tables.
	ResourceType int8   `wire:"0+"`
	ResourceName string `wire:"0+"`
	// PatternType is 3 for a literal name, 4 for a prefix.
	PatternType int8   `wire:"1+,default=3"`
	Principal   string `wire:"0+"`
	Host        string `wire:"0+"`
	// Operation is the code of an ACL operation.
	Operation int8 `wire:"0+"`
	// PermissionType is 1 any (in filters), 2 deny, 3 allow.
	PermissionType int8 `wire:"0+"`
}
