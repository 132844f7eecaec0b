// DescribeCluster tells cluster id, controller and live brokers.
//
// Versions: v1 can ask for controllers instead of brokers, which a ZooKeeper cluster refuses.

package wire

// DescribeClusterRequest asks for the cluster.
type DescribeClusterRequest struct {
	// IncludeClusterAuthorizedOperations asks for ClusterAuthorizedOperations.
	IncludeClusterAuthorizedOperations bool `wire:"0+"`
	// EndpointType is 1 for brokers, 2 for controllers.
	EndpointType int8 `wire:"1+,default=1"`
}

// APIKey returns DescribeCluster.
func (*DescribeClusterRequest) APIKey() APIKey { return DescribeCluster }

func (*DescribeClusterRequest) isRequest() {}

// DescribeClusterResponse is the cluster as the answering broker knows it.
type DescribeClusterResponse struct {
	ThrottleTimeMs int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
	// ErrorMessage explains ErrorCode to people; null when there is nothing to add.
	ErrorMessage *string `wire:"0+,nullable=0+"`
	// EndpointType is 1 for brokers, 2 for controllers.
	EndpointType int8   `wire:"1+,default=1"`
	ClusterID    string `wire:"0+"`
	// ControllerID is -1 if there is none.
	ControllerID int32                           `wire:"0+,default=-1"`
	Brokers      []DescribeClusterResponseBroker `wire:"0+"`
	// ClusterAuthorizedOperations is a bit set by ACL operation code; the least int32 when not asked.
	ClusterAuthorizedOperations int32 `wire:"0+,default=-2147483648"`
}

// APIKey returns DescribeCluster.
func (*DescribeClusterResponse) APIKey() APIKey { return DescribeCluster }

func (*DescribeClusterResponse) isResponse() {}

// DescribeClusterResponseBroker is a live broker on the listener that was asked.
type DescribeClusterResponseBroker struct {
	BrokerID int32   `wire:"0+"`
	Host     string  `wire:"0+"`
	Port     int32   `wire:"0+"`
	Rack     *string `wire:"0+,nullable=0+"`
}
