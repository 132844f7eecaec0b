// ConsumerGroupDescribe describes groups of the new group protocol (KIP-848). A ZooKeeper broker answers
// UNSUPPORTED_VERSION.

package wire

// ConsumerGroupDescribeRequest names the groups.
type ConsumerGroupDescribeRequest struct {
	GroupIDs []string `wire:"0+"`
	// IncludeAuthorizedOperations asks for AuthorizedOperations.
	IncludeAuthorizedOperations bool `wire:"0+"`
}

// APIKey returns ConsumerGroupDescribe.
func (*ConsumerGroupDescribeRequest) APIKey() APIKey { return ConsumerGroupDescribe }

func (*ConsumerGroupDescribeRequest) isRequest() {}

// ConsumerGroupDescribeResponse describes them.
type ConsumerGroupDescribeResponse struct {
	ThrottleTimeMs int32                                `wire:"0+"`
	Groups         []ConsumerGroupDescribeResponseGroup `wire:"0+"`
}

// APIKey returns ConsumerGroupDescribe.
func (*ConsumerGroupDescribeResponse) APIKey() APIKey { return ConsumerGroupDescribe }

func (*ConsumerGroupDescribeResponse) isResponse() {}

// ConsumerGroupDescribeResponseGroup is one group.
type ConsumerGroupDescribeResponseGroup struct {
	ErrorCode Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage    *string                               `wire:"0+,nullable=0+"`
	GroupID         string                                `wire:"0+"`
	GroupState      string                                `wire:"0+"`
	GroupEpoch      int32                                 `wire:"0+"`
	AssignmentEpoch int32                                 `wire:"0+"`
	AssignorName    string                                `wire:"0+"`
	Members         []ConsumerGroupDescribeResponseMember `wire:"0+"`
	// AuthorizedOperations is a bit set by ACL operation code; the least int32 when not asked.
	AuthorizedOperations int32 `wire:"0+,default=-2147483648"`
}

// ConsumerGroupDescribeResponseMember is one member.
type ConsumerGroupDescribeResponseMember struct {
	MemberID string `wire:"0+"`
	// InstanceID is the name of a static member, null for a dynamic one.
	InstanceID           *string                                 `wire:"0+,nullable=0+"`
	RackID               *string                                 `wire:"0+,nullable=0+"`
	MemberEpoch          int32                                   `wire:"0+"`
	ClientID             string                                  `wire:"0+"`
	ClientHost           string                                  `wire:"0+"`
	SubscribedTopicNames []string                                `wire:"0+"`
	SubscribedTopicRegex *string                                 `wire:"0+,nullable=0+"`
	Assignment           ConsumerGroupDescribeResponseAssignment `wire:"0+"`
	// TargetAssignment is what the member shall have once the others have let go.
	TargetAssignment ConsumerGroupDescribeResponseAssignment `wire:"0+"`
}

// ConsumerGroupDescribeResponseAssignment is a set of partitions.
type ConsumerGroupDescribeResponseAssignment struct {
	TopicPartitions []ConsumerGroupDescribeResponseTopicPartitions `wire:"0+"`
}

// ConsumerGroupDescribeResponseTopicPartitions has the partitions of one topic.
type ConsumerGroupDescribeResponseTopicPartitions struct {
	// TopicID is zero when it is not known or the version has names.
	TopicID    UUID    `wire:"0+"`
	TopicName  string  `wire:"0+"`
	Partitions []int32 `wire:"0+"`
}
