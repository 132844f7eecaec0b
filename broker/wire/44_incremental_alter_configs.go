// IncrementalAlterConfigs changes single configs of resources.
//
// Versions: v1 is flexible.

package wire

// IncrementalAlterConfigsRequest has the changes.
type IncrementalAlterConfigsRequest struct {
	Resources    []IncrementalAlterConfigsRequestResource `wire:"0+"`
	ValidateOnly bool                                     `wire:"0+"`
}

// APIKey returns IncrementalAlterConfigs.
func (*IncrementalAlterConfigsRequest) APIKey() APIKey { return IncrementalAlterConfigs }

func (*IncrementalAlterConfigsRequest) isRequest() {}

// IncrementalAlterConfigsRequestResource is one resource.
type IncrementalAlterConfigsRequestResource struct {
	// ResourceType is Kafka's code of a resource type; those of ACLs and of configs are two tables.
	ResourceType int8                                   `wire:"0+"`
	ResourceName string                                 `wire:"0+"`
	Configs      []IncrementalAlterConfigsRequestConfig `wire:"0+"`
}

// IncrementalAlterConfigsRequestConfig is one change.
type IncrementalAlterConfigsRequestConfig struct {
	Name string `wire:"0+"`
	// ConfigOperation is 0 set, 1 delete, 2 append to a list, 3 subtract from a list.
	ConfigOperation int8    `wire:"0+"`
	Value           *string `wire:"0+,nullable=0+"`
}

// IncrementalAlterConfigsResponse has the result for each resource.
type IncrementalAlterConfigsResponse struct {
	ThrottleTimeMs int32                                     `wire:"0+"`
	Responses      []IncrementalAlterConfigsResponseResource `wire:"0+"`
}

// APIKey returns IncrementalAlterConfigs.
func (*IncrementalAlterConfigsResponse) APIKey() APIKey { return IncrementalAlterConfigs }

func (*IncrementalAlterConfigsResponse) isResponse() {}

// IncrementalAlterConfigsResponseResource is the result for one resource.
type IncrementalAlterConfigsResponseResource struct {
	ErrorCode Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string `wire:"0+,nullable=0+"`
	// ResourceType is Kafka's code of a resource type; those of ACLs and of configs are two tables.
	ResourceType int8   `wire:"0+"`
	ResourceName string `wire:"0+"`
}
