package wire

// LeaderIDAndEpoch names the leader that a client should turn to, in Produce and Fetch responses.
type LeaderIDAndEpoch struct {
	// LeaderID is -1 when there is no leader or it is not known.
	LeaderID int32 `wire:"0+,default=-1"`
	// LeaderEpoch is the epoch of that leader, -1 if not known.
	LeaderEpoch int32 `wire:"0+,default=-1"`
}

// NodeEndpoint is the address of a leader named in a LeaderIDAndEpoch.
type NodeEndpoint struct {
	NodeID int32   `wire:"0+"`
	Host   string  `wire:"0+"`
	Port   int32   `wire:"0+"`
	Rack   *string `wire:"0+,nullable=0+"`
}
