package controller

import (
	"math"
	"slices"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// Sink takes the controller's telemetry events. Emit is called from the loop goroutine and from channel goroutines, must
// not block, must not keep slices it finds in an event, and may be called concurrently.
type Sink interface {
	Emit(ev Event)
}

// EventID numbers what happened in one controller; 0 is "unknown". Ids grow in the order in which things were noticed.
type EventID uint64

// correlation is the correlation id of the request that an event tells of.
func (id EventID) correlation() int32 { return int32(id & math.MaxInt32) }

// Event is one telemetry event; see the structs of this file.
type Event interface {
	// EventHeader returns the part all events share.
	EventHeader() Header
}

// Header is common to all telemetry events.
type Header struct {
	ID    EventID // Of this event.
	Cause EventID // The event that led to it: the processed event for writes, RPCs and their answers; the RPC for the event that its answer is.
	At    time.Time
}

// EventHeader returns h.
func (h Header) EventHeader() Header { return h }

// Began says that the loop took an event from the queue.
type Began struct {
	Header
	Kind   Kind
	Detail string        // What it is about, for example a topic; may be empty.
	Waited time.Duration // How long it was queued.
}

// Ended says that the loop is done with the event whose Began is Cause.
type Ended struct {
	Header
	Kind Kind
	Took time.Duration
	Err  error // Why it was abandoned; nil otherwise.
}

// Elected says that this broker became the controller.
type Elected struct {
	Header
	Epoch, EpochVersion int32
}

// FailedOver says that the new controller has read the cluster and taken over.
type FailedOver struct {
	Header
	Epoch                       int32
	Brokers, Topics, Partitions int
	Took                        time.Duration
}

// ActiveControllerChanged says that another broker (or none: -1) is known to be the controller.
type ActiveControllerChanged struct {
	Header
	BrokerID int32
}

// Resigned says that this broker stopped being the controller.
type Resigned struct {
	Header
	Epoch  int32
	Reason string
}

// BrokerChanged says that a broker came, went or came back as another incarnation.
type BrokerChanged struct {
	Header
	BrokerID int32
	Epoch    int64
	Change   BrokerChange
}

// BrokerChange says how the set of brokers changed.
type BrokerChange string

// The changes of a broker.
const (
	BrokerStarted      BrokerChange = "started"
	BrokerDied         BrokerChange = "died"
	BrokerBounced      BrokerChange = "bounced"
	BrokerShuttingDown BrokerChange = "shutting down"
	BrokerExpelled     BrokerChange = "expelled"        // Its port is refused: its registration was deleted.
	BrokerUnusable     BrokerChange = "unusable"        // Registration not readable or without the controller's listener.
	BrokerIncompatible BrokerChange = "incompatible"    // Does not support a finalized feature.
	BrokerDirFailed    BrokerChange = "log dir failure" // Some of its replicas are on a failed log dir.
)

// LeadershipChanged says that a partition has a new committed state in ZooKeeper.
type LeadershipChanged struct {
	Header
	TopicPartition
	Reason     string // Which election or change, for example "Offline", "ControlledShutdown", "AlterPartition".
	Leadership Leadership
	Previous   Leadership // Leader NoLeader and leader epoch -1 if there was none.
}

// AssignmentChanged says that a partition's replicas are others, or that a reassignment began, changed or ended.
type AssignmentChanged struct {
	Header
	TopicPartition
	Assignment, Previous znode.Assignment // Lent.
}

// Cancelled says that a reassignment ended where it began.
func (e AssignmentChanged) Cancelled() bool {
	return e.Previous.Reassigning() && !e.Assignment.Reassigning() && slices.Equal(e.Assignment.Replicas, origin(e.Previous))
}

// Origin returns the replicas before the reassignment.
func (e AssignmentChanged) Origin() []int32 {
	if e.Assignment.Reassigning() {
		return origin(e.Assignment)
	}
	return origin(e.Previous)
}

// Targets returns the replicas after the reassignment.
func (e AssignmentChanged) Targets() []int32 {
	return difference(e.Assignment.Replicas, e.Assignment.Removing)
}

// PartitionStateChanged says that the partition state machine moved.
type PartitionStateChanged struct {
	Header
	TopicPartition
	From, To PartitionState
}

// ReplicaStateChanged says that the replica state machine moved.
type ReplicaStateChanged struct {
	Header
	TopicPartition
	BrokerID int32
	From, To ReplicaState
}

// TransitionRefused says that a transition was not valid or could not be made, with the reason.
type TransitionRefused struct {
	Header
	TopicPartition
	BrokerID int32 // NoLeader for transitions of partitions.
	To       string
	Err      error
}

// ZnodesWritten says that the controller wrote ZooKeeper.
type ZnodesWritten struct {
	Header
	Ops     []Op // Lent.
	Results []OpResult
	Took    time.Duration
	Err     error
}

// RPCSent says that a request went to a broker. Attempt counts from 1.
type RPCSent struct {
	Header
	BrokerID   int32
	API        wire.APIKey
	Version    int16
	Partitions int
	Attempt    int
	// CorrelationID is the request's own id on the wire: that of this event, so that whoever receives the request can name what led to it.
	CorrelationID int32
	Request       wire.Request // Lent: not to be kept or changed.
}

// RPCAnswered says that a broker answered; its Cause is that of the RPCSent with the same CorrelationID.
type RPCAnswered struct {
	Header
	BrokerID      int32
	API           wire.APIKey
	CorrelationID int32
	Error         wire.Error // Top-level error.
	Took          time.Duration
}

// RPCFailed says that a request got no answer and is retried after a pause.
type RPCFailed struct {
	Header
	BrokerID int32
	API      wire.APIKey
	Err      error
}

// ChannelMerged says that rounds of requests to an unreachable broker were merged to bound its queue.
type ChannelMerged struct {
	Header
	BrokerID int32
	Rounds   int // Rounds waiting after the merge.
}

// ChannelReset says that the queue of a broker overflowed and that it will get its full state instead.
type ChannelReset struct {
	Header
	BrokerID int32
	Dropped  int
}

// TopicDeletionHalted says that a topic cannot be deleted for now.
type TopicDeletionHalted struct {
	Header
	Topic  string
	Reason string
}

// TopicDeleted says that the last znode of a deleted topic is gone.
type TopicDeleted struct {
	Header
	Topic string
}

// QueueRejected says that a request from an API handler was refused because the event queue is full.
type QueueRejected struct {
	Header
	Kind Kind
}
