// AlterConfigs replaces all dynamic configs of resources. IncrementalAlterConfigs is the better one.
//
// Versions: v2 is flexible.

package wire

// AlterConfigsRequest has the new configs.
type AlterConfigsRequest struct {
	Resources    []AlterConfigsRequestResource `wire:"0+"`
	ValidateOnly bool                          `wire:"0+"`
}

// APIKey returns AlterConfigs.
func (*AlterConfigsRequest) APIKey() APIKey { return AlterConfigs }

func (*AlterConfigsRequest) isRequest() {}

// AlterConfigsRequestResource is one resource with all its configs.
type AlterConfigsRequestResource struct {
	// ResourceType is Kafka's code of a resource type; those of ACLs and of configs are two tables.
	ResourceType int8                        `wire:"0+"`
	ResourceName string                      `wire:"0+"`
	Configs      []AlterConfigsRequestConfig `wire:"0+"`
}

// AlterConfigsRequestConfig is one config.
type AlterConfigsRequestConfig struct {
	Name  string  `wire:"0+"`
	Value *string `wire:"0+,nullable=0+"`
}

// AlterConfigsResponse has the result for each resource.
type AlterConfigsResponse struct {
	ThrottleTimeMs int32                          `wire:"0+"`
	Responses      []AlterConfigsResponseResource `wire:"0+"`
}

// APIKey returns AlterConfigs.
func (*AlterConfigsResponse) APIKey() APIKey { return AlterConfigs }

func (*AlterConfigsResponse) isResponse() {}

// AlterConfigsResponseResource is the result for one resource.
type AlterConfigsResponseResource struct {
	ErrorCode Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string `wire:"0+,nullable=0+"`
	// ResourceType is Kafka's code of a resource type; those of ACLs and of configs are two tables.
	ResourceType int8   `wire:"0+"`
	ResourceName string `wire:"0+"`
}
