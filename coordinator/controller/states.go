package controller

import "github.com/prekraft/prekraft/zkutil/znode"

// Sentinels of leaders and epochs.
const (
	// NoLeader is the leader of a partition that has none.
	NoLeader = znode.NoLeader
	// LeaderDuringDelete is the leader in UpdateMetadata that makes brokers forget the partition.
	LeaderDuringDelete int32 = -2
	// NoEpoch as leader epoch in StopReplica means unknown: the receiver does not check it.
	NoEpoch int32 = -1
	// EpochDuringDelete as leader epoch in StopReplica overrides the receiver's: the topic is being deleted.
	EpochDuringDelete int32 = -2
	// UnknownBrokerEpoch is a broker epoch that is not checked.
	UnknownBrokerEpoch int64 = -1
)

// TopicPartition names a partition.
type TopicPartition = znode.TopicPartition

// PartitionState is a state of the partition state machine.
type PartitionState uint8

// Partition states, with Kafka's values.
const (
	NewPartition         PartitionState = 0 // Known, no state znode yet.
	OnlinePartition      PartitionState = 1 // Has a leader that lives.
	OfflinePartition     PartitionState = 2 // Its leader is not online.
	NonExistentPartition PartitionState = 3 // Never created or deleted.
)

// String returns Kafka's name of the state.
func (s PartitionState) String() string {
	switch s {
	case NewPartition:
		return "NewPartition"
	case OnlinePartition:
		return "OnlinePartition"
	case OfflinePartition:
		return "OfflinePartition"
	case NonExistentPartition:
		return "NonExistentPartition"
	}
	return "unknown"
}

// validFrom says whether a partition in state from may move to s.
func (s PartitionState) validFrom(from PartitionState) bool {
	switch s {
	case NewPartition:
		return from == NonExistentPartition
	case OnlinePartition, OfflinePartition:
		return from == NewPartition || from == OnlinePartition || from == OfflinePartition
	case NonExistentPartition:
		return from == OfflinePartition
	}
	return false
}

// ReplicaState is a state of the replica state machine.
type ReplicaState uint8

// Replica states, with Kafka's values.
const (
	NewReplica                ReplicaState = 1 // Just assigned; can only become a follower.
	OnlineReplica             ReplicaState = 2 // Its broker lives and was told what to do.
	OfflineReplica            ReplicaState = 3 // Its broker or log dir is down.
	ReplicaDeletionStarted    ReplicaState = 4 // Told to delete, no answer yet.
	ReplicaDeletionSuccessful ReplicaState = 5 // Answered that it deleted.
	ReplicaDeletionIneligible ReplicaState = 6 // Could not delete; tried again later.
	NonExistentReplica        ReplicaState = 7 // Not assigned.
)

// String returns Kafka's name of the state.
func (s ReplicaState) String() string {
	switch s {
	case NewReplica:
		return "NewReplica"
	case OnlineReplica:
		return "OnlineReplica"
	case OfflineReplica:
		return "OfflineReplica"
	case ReplicaDeletionStarted:
		return "ReplicaDeletionStarted"
	case ReplicaDeletionSuccessful:
		return "ReplicaDeletionSuccessful"
	case ReplicaDeletionIneligible:
		return "ReplicaDeletionIneligible"
	case NonExistentReplica:
		return "NonExistentReplica"
	}
	return "unknown"
}

// validFrom says whether a replica in state from may move to s.
func (s ReplicaState) validFrom(from ReplicaState) bool {
	switch s {
	case NewReplica:
		return from == NonExistentReplica
	case OnlineReplica, OfflineReplica:
		return from == NewReplica || from == OnlineReplica || from == OfflineReplica || from == ReplicaDeletionIneligible
	case ReplicaDeletionStarted:
		return from == OfflineReplica
	case ReplicaDeletionSuccessful:
		return from == ReplicaDeletionStarted
	case ReplicaDeletionIneligible:
		return from == OfflineReplica || from == ReplicaDeletionStarted
	case NonExistentReplica:
		return from == ReplicaDeletionSuccessful
	}
	return false
}

// Leadership is what /brokers/topics/<t>/partitions/<p>/state says: the decision about a partition's leader.
type Leadership struct {
	Leader          int32
	LeaderEpoch     int32
	ISR             []int32 // Never changed in place: a new state gets a new slice.
	Recovery        znode.LeaderRecoveryState
	PartitionEpoch  int32 // Version of the znode; the expected version of the next change.
	ControllerEpoch int32 // Epoch of the controller that made the decision.
}

// next returns the state after an election or a change of the ISR by the controller: one leader epoch later. The
// partition epoch is still the one the write expects.
func (l Leadership) next(leader int32, isr []int32, controllerEpoch int32) Leadership {
	l.Leader = leader
	l.ISR = isr
	l.LeaderEpoch++
	l.ControllerEpoch = controllerEpoch
	return l
}

func contains(ids []int32, id int32) bool {
	for _, x := range ids {
		if x == id {
			return true
		}
	}
	return false
}

// without returns ids less id, in a new slice, in the same order.
func without(ids []int32, id int32) []int32 {
	out := make([]int32, 0, len(ids))
	for _, x := range ids {
		if x != id {
			out = append(out, x)
		}
	}
	return out
}
