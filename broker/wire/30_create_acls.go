// CreateAcls adds ACL bindings.
//
// Versions: v1 adds pattern types; v2 is flexible; v3 adds the user resource type.

package wire

// CreateAclsRequest has the bindings to add.
type CreateAclsRequest struct {
	Creations []CreateAclsRequestCreation `wire:"0+"`
}

// APIKey returns CreateAcls.
func (*CreateAclsRequest) APIKey() APIKey { return CreateAcls }

func (*CreateAclsRequest) isRequest() {}

// CreateAclsRequestCreation is one binding.
type CreateAclsRequestCreation struct {
	// ResourceType is Kafka's code of a resource type; those of ACLs and of configs are two tables.
	ResourceType int8   `wire:"0+"`
	ResourceName string `wire:"0+"`
	// ResourcePatternType is 3 for a literal name, 4 for a prefix.
	ResourcePatternType int8   `wire:"1+,default=3"`
	Principal           string `wire:"0+"`
	Host                string `wire:"0+"`
	// Operation is the code of an ACL operation.
	Operation int8 `wire:"0+"`
	// PermissionType is 1 any (in filters), 2 deny, 3 allow.
	PermissionType int8 `wire:"0+"`
}

// CreateAclsResponse has one result for each binding, in order.
type CreateAclsResponse struct {
	ThrottleTimeMs int32                      `wire:"0+"`
	Results        []CreateAclsResponseResult `wire:"0+"`
}

// APIKey returns CreateAcls.
func (*CreateAclsResponse) APIKey() APIKey { return CreateAcls }

func (*CreateAclsResponse) isResponse() {}

// CreateAclsResponseResult is the result for one binding.
type CreateAclsResponseResult struct {
	ErrorCode Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string `wire:"0+,nullable=0+"`
}
