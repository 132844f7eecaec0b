// DeleteTopics deletes topics. It goes to the controller, which deletes in the background.
//
// Versions: v1 adds the throttle time; v3 answers TOPIC_DELETION_DISABLED; v4 is flexible; v5 adds error messages;
// v6 takes topic ids.

package wire

// DeleteTopicsRequest names the topics to delete.
type DeleteTopicsRequest struct {
	// Topics names them from version 6.
	Topics []DeleteTopicsRequestTopic `wire:"6+"`
	// TopicNames names them before version 6.
	TopicNames []string `wire:"0-5,ignorable"`
	// TimeoutMs bounds the wait until the topics are gone.
	TimeoutMs int32 `wire:"0+"`
}

// APIKey returns DeleteTopics.
func (*DeleteTopicsRequest) APIKey() APIKey { return DeleteTopics }

func (*DeleteTopicsRequest) isRequest() {}

// DeleteTopicsRequestTopic is one topic, by name or by id.
type DeleteTopicsRequestTopic struct {
	// Name is null when the topic is named by id.
	Name *string `wire:"6+,nullable=6+"`
	// TopicID is zero when it is not known or the version has names.
	TopicID UUID `wire:"6+"`
}

// DeleteTopicsResponse has the result for each topic.
type DeleteTopicsResponse struct {
	ThrottleTimeMs int32                       `wire:"1+,ignorable"`
	Responses      []DeleteTopicsResponseTopic `wire:"0+"`
}

// APIKey returns DeleteTopics.
func (*DeleteTopicsResponse) APIKey() APIKey { return DeleteTopics }

func (*DeleteTopicsResponse) isResponse() {}

// DeleteTopicsResponseTopic is the result for one topic.
type DeleteTopicsResponseTopic struct {
	// Name is null when the id is not known or the client may not see the topic.
	Name *string `wire:"0+,nullable=6+"`
	// TopicID is zero when it is not known or the version has names.
	TopicID   UUID  `wire:"6+,ignorable"`
	ErrorCode Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string `wire:"5+,nullable=5+,ignorable"`
}
