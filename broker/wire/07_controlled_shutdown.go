// ControlledShutdown is sent by a broker that wants to stop: the controller moves its leaderships away.
//
// Versions: v0 has no client id in its request header; v2 adds the broker epoch; v3 is flexible.

package wire

// ControlledShutdownRequest names the broker that wants to stop.
type ControlledShutdownRequest struct {
	BrokerID int32 `wire:"0+"`
	// BrokerEpoch is the epoch of the broker that wants to stop; -1 skips the check.
	BrokerEpoch int64 `wire:"2+,default=-1,ignorable"`
}

// APIKey returns ControlledShutdown.
func (*ControlledShutdownRequest) APIKey() APIKey { return ControlledShutdown }

func (*ControlledShutdownRequest) isRequest() {}

// ControlledShutdownResponse lists what the broker still leads.
type ControlledShutdownResponse struct {
	ErrorCode           Error                                          `wire:"0+"`
	RemainingPartitions []ControlledShutdownResponseRemainingPartition `wire:"0+"`
}

// APIKey returns ControlledShutdown.
func (*ControlledShutdownResponse) APIKey() APIKey { return ControlledShutdown }

func (*ControlledShutdownResponse) isResponse() {}

// ControlledShutdownResponseRemainingPartition is a partition that could not be moved yet.
type ControlledShutdownResponseRemainingPartition struct {
	TopicName      string `wire:"0+"`
	PartitionIndex int32  `wire:"0+"`
}
