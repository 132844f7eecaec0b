// WriteTxnMarkers is sent by a transaction coordinator to the leaders of the partitions: they write the commit or
// abort marker.
//
// Versions: v1 is flexible.

package wire

// WriteTxnMarkersRequest has the markers to write.
type WriteTxnMarkersRequest struct {
	Markers []WriteTxnMarkersRequestMarker `wire:"0+"`
}

// APIKey returns WriteTxnMarkers.
func (*WriteTxnMarkersRequest) APIKey() APIKey { return WriteTxnMarkers }

func (*WriteTxnMarkersRequest) isRequest() {}

// WriteTxnMarkersRequestMarker is the end of one transaction.
type WriteTxnMarkersRequestMarker struct {
	ProducerID    int64 `wire:"0+"`
	ProducerEpoch int16 `wire:"0+"`
	// TransactionResult is true for commit, false for abort.
	TransactionResult bool                          `wire:"0+"`
	Topics            []WriteTxnMarkersRequestTopic `wire:"0+"`
	// CoordinatorEpoch is the leader epoch of the coordinator's log; an older one is fenced.
	CoordinatorEpoch int32 `wire:"0+"`
}

// WriteTxnMarkersRequestTopic has the partitions of one topic.
type WriteTxnMarkersRequestTopic struct {
	Name             string  `wire:"0+"`
	PartitionIndexes []int32 `wire:"0+"`
}

// WriteTxnMarkersResponse has the result for each partition of each marker.
type WriteTxnMarkersResponse struct {
	Markers []WriteTxnMarkersResponseMarker `wire:"0+"`
}

// APIKey returns WriteTxnMarkers.
func (*WriteTxnMarkersResponse) APIKey() APIKey { return WriteTxnMarkers }

func (*WriteTxnMarkersResponse) isResponse() {}

// WriteTxnMarkersResponseMarker has the results for one producer.
type WriteTxnMarkersResponseMarker struct {
	ProducerID int64                          `wire:"0+"`
	Topics     []WriteTxnMarkersResponseTopic `wire:"0+"`
}

// WriteTxnMarkersResponseTopic has the results for one topic.
type WriteTxnMarkersResponseTopic struct {
	Name       string                             `wire:"0+"`
	Partitions []WriteTxnMarkersResponsePartition `wire:"0+"`
}

// WriteTxnMarkersResponsePartition is the result for one partition.
type WriteTxnMarkersResponsePartition struct {
	PartitionIndex int32 `wire:"0+"`
	ErrorCode      Error `wire:"0+"`
}
