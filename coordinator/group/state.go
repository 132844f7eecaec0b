package group

import "slices"

// State is where a group stands. Its text is what DescribeGroups and ListGroups say.
type State uint8

// The states.
const (
	// Empty has no members. It may have committed offsets.
	Empty State = iota
	// PreparingRebalance waits for its members to join.
	PreparingRebalance
	// CompletingRebalance waits for the leader's assignment.
	CompletingRebalance
	// Stable has an assignment.
	Stable
	// Dead is gone from this broker: deleted, expired, or coordinated elsewhere.
	Dead
)

// String returns Kafka's name of the state.
func (s State) String() string {
	switch s {
	case Empty:
		return "Empty"
	case PreparingRebalance:
		return "PreparingRebalance"
	case CompletingRebalance:
		return "CompletingRebalance"
	case Stable:
		return "Stable"
	}
	return "Dead"
}

// predecessors returns the states from which a group may come to s.
func (s State) predecessors() []State {
	switch s {
	case Empty:
		return []State{PreparingRebalance}
	case PreparingRebalance:
		return []State{Stable, CompletingRebalance, Empty}
	case CompletingRebalance:
		return []State{PreparingRebalance}
	case Stable:
		return []State{CompletingRebalance}
	}
	return []State{Empty, PreparingRebalance, CompletingRebalance, Stable, Dead}
}

// follows tells whether a group may go from one state to s.
func (s State) follows(from State) bool { return slices.Contains(s.predecessors(), from) }

// StateChange is a group's step from one state to another.
type StateChange struct {
	Group      string
	From, To   State
	Generation int32
	Members    int
	Reason     string
}
