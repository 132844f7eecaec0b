package controller

// Strategy is a way to choose the leader of a partition.
type Strategy uint8

// The election strategies.
const (
	// StrategyOffline elects the first live member of the ISR in assignment order; with unclean election allowed and no
	// live member, the first live replica.
	StrategyOffline Strategy = iota
	// StrategyReassign elects the first target replica that is live and in the ISR.
	StrategyReassign
	// StrategyPreferred elects the first assigned replica or nobody.
	StrategyPreferred
	// StrategyControlledShutdown elects a member of the ISR that is not shutting down.
	StrategyControlledShutdown
)

// String returns Kafka's name of the strategy without its suffix.
func (s Strategy) String() string {
	switch s {
	case StrategyOffline:
		return "Offline"
	case StrategyReassign:
		return "Reassign"
	case StrategyPreferred:
		return "Preferred"
	case StrategyControlledShutdown:
		return "ControlledShutdown"
	}
	return "unknown"
}

// Candidates describes one partition to Elect.
type Candidates struct {
	Replicas []int32 // The assignment in order; the first is the preferred leader.
	Targets  []int32 // Replicas less those being removed; StrategyReassign only.
	ISR      []int32
	// Online says that a replica's broker lives, is not shutting down, and that its log dir is fine.
	Online func(id int32) bool
	// Registered is Online without regard to shutting down.
	Registered func(id int32) bool
	// ShuttingDown says that the broker asked for a controlled shutdown.
	ShuttingDown func(id int32) bool
	// Unclean allows StrategyOffline to elect outside the ISR.
	Unclean bool
}

// Outcome is the result of an election.
type Outcome struct {
	Leader     int32
	ISR        []int32 // The ISR after the election; shares memory with the input if unchanged.
	Unclean    bool    // The leader was not in the ISR.
	Recipients []int32 // Who has to be told, not all of them necessarily registered.
}

// Elect chooses a leader. The second result is false if there is no candidate.
func Elect(s Strategy, c Candidates) (Outcome, bool) {
	switch s {
	case StrategyOffline:
		return electOffline(c)
	case StrategyReassign:
		for _, id := range c.Targets {
			if c.Online(id) && contains(c.ISR, id) {
				return Outcome{Leader: id, ISR: c.ISR, Recipients: c.Targets}, true
			}
		}
	case StrategyPreferred:
		if len(c.Replicas) > 0 && c.Online(c.Replicas[0]) && contains(c.ISR, c.Replicas[0]) {
			return Outcome{Leader: c.Replicas[0], ISR: c.ISR, Recipients: c.Replicas}, true
		}
	case StrategyControlledShutdown:
		registered := filter(c.Replicas, c.Registered)
		for _, id := range registered {
			if contains(c.ISR, id) && !c.ShuttingDown(id) {
				isr := filter(c.ISR, func(id int32) bool { return !c.ShuttingDown(id) })
				return Outcome{Leader: id, ISR: isr, Recipients: registered}, true
			}
		}
	}
	return Outcome{}, false
}

func electOffline(c Candidates) (Outcome, bool) {
	live := filter(c.Replicas, c.Online)
	for _, id := range live {
		if contains(c.ISR, id) {
			return Outcome{Leader: id, ISR: filter(c.ISR, c.Online), Recipients: live}, true
		}
	}
	if c.Unclean && len(live) > 0 {
		return Outcome{Leader: live[0], ISR: []int32{live[0]}, Unclean: true, Recipients: live}, true
	}
	return Outcome{}, false
}

// filter returns the ids for which keep is true, in a new slice, in the same order.
func filter(ids []int32, keep func(int32) bool) []int32 {
	out := make([]int32, 0, len(ids))
	for _, id := range ids {
		if keep(id) {
			out = append(out, id)
		}
	}
	return out
}
