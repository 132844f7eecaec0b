// DescribeAcls lists the ACL bindings that match a filter.
//
// Versions: v1 adds pattern types; v2 is flexible; v3 adds the user resource type.

package wire

// DescribeAclsRequest is the filter; null matches everything.
type DescribeAclsRequest struct {
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

// APIKey returns DescribeAcls.
func (*DescribeAclsRequest) APIKey() APIKey { return DescribeAcls }

func (*DescribeAclsRequest) isRequest() {}

// DescribeAclsResponse has the bindings, grouped by resource.
type DescribeAclsResponse struct {
	ThrottleTimeMs int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string                        `wire:"0+,nullable=0+"`
	Resources    []DescribeAclsResponseResource `wire:"0+"`
}

// APIKey returns DescribeAcls.
func (*DescribeAclsResponse) APIKey() APIKey { return DescribeAcls }

func (*DescribeAclsResponse) isResponse() {}

// DescribeAclsResponseResource has the bindings of one resource.
type DescribeAclsResponseResource struct {
	// ResourceType is Kafka's code of a resource type; those of ACLs and of configs are two tables.
	ResourceType int8   `wire:"0+"`
	ResourceName string `wire:"0+"`
	// PatternType is 3 for a literal name, 4 for a prefix.
	PatternType int8                      `wire:"1+,default=3"`
	Acls        []DescribeAclsResponseACL `wire:"0+"`
}

// DescribeAclsResponseACL is one binding.
type DescribeAclsResponseACL struct {
	Principal string `wire:"0+"`
	Host      string `wire:"0+"`
	// Operation is the code of an ACL operation.
	Operation int8 `wire:"0+"`
	// PermissionType is 1 any (in filters), 2 deny, 3 allow.
	PermissionType int8 `wire:"0+"`
}
