// DescribeConfigs tells the configs of topics and brokers with their sources.
//
// Versions: v1 has synonyms and sources instead of the default flag; v3 types and documentation; v4 is flexible.

package wire

// DescribeConfigsRequest names resources and configs.
type DescribeConfigsRequest struct {
	Resources            []DescribeConfigsRequestResource `wire:"0+"`
	IncludeSynonyms      bool                             `wire:"1+"`
	IncludeDocumentation bool                             `wire:"3+"`
}

// APIKey returns DescribeConfigs.
func (*DescribeConfigsRequest) APIKey() APIKey { return DescribeConfigs }

func (*DescribeConfigsRequest) isRequest() {}

// DescribeConfigsRequestResource is one resource.
type DescribeConfigsRequestResource struct {
	// ResourceType is Kafka's code of a resource type; those of ACLs and of configs are two tables.
	ResourceType int8   `wire:"0+"`
	ResourceName string `wire:"0+"`
	// ConfigurationKeys is null for all configs.
	ConfigurationKeys []string `wire:"0+,nullable=0+"`
}

// DescribeConfigsResponse has the configs of each resource.
type DescribeConfigsResponse struct {
	ThrottleTimeMs int32                           `wire:"0+"`
	Results        []DescribeConfigsResponseResult `wire:"0+"`
}

// APIKey returns DescribeConfigs.
func (*DescribeConfigsResponse) APIKey() APIKey { return DescribeConfigs }

func (*DescribeConfigsResponse) isResponse() {}

// DescribeConfigsResponseResult is one resource.
type DescribeConfigsResponseResult struct {
	ErrorCode Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string `wire:"0+,nullable=0+"`
	// ResourceType is Kafka's code of a resource type; those of ACLs and of configs are two tables.
	ResourceType int8                            `wire:"0+"`
	ResourceName string                          `wire:"0+"`
	Configs      []DescribeConfigsResponseConfig `wire:"0+"`
}

// DescribeConfigsResponseConfig is one config.
type DescribeConfigsResponseConfig struct {
	Name string `wire:"0+"`
	// Value is null for passwords and for configs that are not set.
	Value    *string `wire:"0+,nullable=0+"`
	ReadOnly bool    `wire:"0+"`
	// IsDefault is the source as far as version 0 tells it.
	IsDefault bool `wire:"0"`
	// ConfigSource is 1 topic, 2 dynamic broker, 3 dynamic default broker, 4 static broker, 5 default, 6 logger.
	ConfigSource int8 `wire:"1+,default=-1,ignorable"`
	IsSensitive  bool `wire:"0+"`
	// Synonyms are the places where the value could come from, in order of precedence.
	Synonyms []DescribeConfigsResponseSynonym `wire:"1+,ignorable"`
	// ConfigType is 0 unknown, 1 boolean, 2 string, 3 int, 4 short, 5 long, 6 double, 7 list, 8 class, 9 password.
	ConfigType    int8    `wire:"3+,ignorable"`
	Documentation *string `wire:"3+,nullable=3+,ignorable"`
}

// DescribeConfigsResponseSynonym is one place where the value could come from.
type DescribeConfigsResponseSynonym struct {
	Name  string  `wire:"1+"`
	Value *string `wire:"1+,nullable=1+"`
	// Source is as ConfigSource.
	Source int8 `wire:"1+"`
}
