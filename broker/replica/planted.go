package replica

// mistake names a mistake that can be planted, to show that the tests which look for lost records would find it. In an ordinary build [planted] is false for each
// and costs nothing; a build with the tag "plant" makes the one that the environment's PREKRAFT_PLANT names (make planted).
type mistake string

const (
	// ackEarly acks records when the leader has them, before the ISR does.
	ackEarly mistake = "ack-early"
	// truncateToHighWatermark cuts a new follower's log to its high watermark instead of where the leader's epochs diverge (the loss that KIP-101 ended).
	truncateToHighWatermark mistake = "truncate-to-high-watermark"
	// serveDiverging lets a leader serve followers without comparing the epoch of what they fetched last (KIP-595).
	serveDiverging mistake = "serve-diverging"
	// acceptOldControl lets a broker take a LeaderAndIsr request with an older leader epoch.
	acceptOldControl mistake = "accept-old-control"
	// joinEarly lets a follower into the ISR that has the high watermark, but not yet the start of the leader's epoch (replication.md §6.2).
	joinEarly mistake = "join-early"
	// ignoreJoining raises the high watermark past a replica whose joining the controller may have committed already (KIP-497).
	ignoreJoining mistake = "ignore-joining"
)
