// CreateTopics creates topics. It goes to the controller.
//
// Versions: v1 adds validation only and error messages; v2 the throttle time; v4 default partitions and
// replication factor; v5 is flexible and returns configs; v6 throttles with THROTTLING_QUOTA_EXCEEDED; v7 returns
// topic ids.

package wire

// CreateTopicsRequest describes the topics to create.
type CreateTopicsRequest struct {
	Topics []CreateTopicsRequestTopic `wire:"0+"`
	// TimeoutMs bounds the wait until the topics have leaders.
	TimeoutMs int32 `wire:"0+,default=60000"`
	// ValidateOnly checks the request and creates nothing.
	ValidateOnly bool `wire:"1+"`
}

// APIKey returns CreateTopics.
func (*CreateTopicsRequest) APIKey() APIKey { return CreateTopics }

func (*CreateTopicsRequest) isRequest() {}

// CreateTopicsRequestTopic is one topic to create.
type CreateTopicsRequestTopic struct {
	Name string `wire:"0+"`
	// NumPartitions is -1 for the broker's default or when Assignments is given.
	NumPartitions int32 `wire:"0+"`
	// ReplicationFactor is -1 for the broker's default or when Assignments is given.
	ReplicationFactor int16 `wire:"0+"`
	// Assignments places the replicas by hand; empty to let the broker choose.
	Assignments []CreateTopicsRequestAssignment `wire:"0+"`
	Configs     []CreateTopicsRequestConfig     `wire:"0+"`
}

// CreateTopicsRequestAssignment places one partition.
type CreateTopicsRequestAssignment struct {
	PartitionIndex int32 `wire:"0+"`
	// BrokerIDs are the replicas, preferred leader first.
	BrokerIDs []int32 `wire:"0+"`
}

// CreateTopicsRequestConfig is one config of the topic.
type CreateTopicsRequestConfig struct {
	Name  string  `wire:"0+"`
	Value *string `wire:"0+,nullable=0+"`
}

// CreateTopicsResponse has the result for each topic.
type CreateTopicsResponse struct {
	ThrottleTimeMs int32                       `wire:"2+,ignorable"`
	Topics         []CreateTopicsResponseTopic `wire:"0+"`
}

// APIKey returns CreateTopics.
func (*CreateTopicsResponse) APIKey() APIKey { return CreateTopics }

func (*CreateTopicsResponse) isResponse() {}

// CreateTopicsResponseTopic is the result for one topic.
type CreateTopicsResponseTopic struct {
	Name string `wire:"0+"`
	// TopicID is zero when it is not known or the version has names.
	TopicID   UUID  `wire:"7+,ignorable"`
	ErrorCode Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string `wire:"1+,nullable=1+,ignorable"`
	// TopicConfigErrorCode says why the configs are missing, if the client may not see them.
	TopicConfigErrorCode Error `wire:"5+,tag=0,ignorable"`
	// NumPartitions is -1 when the client may not describe the topic's configs.
	NumPartitions int32 `wire:"5+,default=-1,ignorable"`
	// ReplicationFactor is -1 when the client may not describe the topic's configs.
	ReplicationFactor int16 `wire:"5+,default=-1,ignorable"`
	// Configs are all configs of the new topic, null when the client may not see them.
	Configs []CreateTopicsResponseConfig `wire:"5+,nullable=5+,ignorable"`
}

// CreateTopicsResponseConfig is one config of a new topic.
type CreateTopicsResponseConfig struct {
	Name     string  `wire:"5+"`
	Value    *string `wire:"5+,nullable=5+"`
	ReadOnly bool    `wire:"5+"`
	// ConfigSource is 1 topic, 2 dynamic broker, 3 dynamic default broker, 4 static broker, 5 default.
	ConfigSource int8 `wire:"5+,default=-1,ignorable"`
	IsSensitive  bool `wire:"5+"`
}
