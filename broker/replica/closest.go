package replica

import "time"

// ReplicaView is what a leader knows of a replica that a consumer might read from (Kafka: ReplicaView).
type ReplicaView struct {
	ID           int32
	LogEndOffset int64
	// SinceCaughtUp is how long ago the replica had all that its leader had; 0 for the leader itself.
	SinceCaughtUp time.Duration
}

// ReplicaSelector chooses the replica that a consumer should read from (KIP-392, org.apache.kafka.common.replica.ReplicaSelector). others are the members of the ISR
// that have the consumer's offset; the slice is the callee's. It is called while the partition's role can't change and must not block.
type ReplicaSelector func(leader ReplicaView, others []ReplicaView) int32

// noReplica says that the requester should stay where it is.
const noReplica int32 = -1

// preferredReadReplica asks the request's selector where to read from (replication.md §3.8). It is [noReplica] unless that is another broker. Leadership is held, shared or alone.
func (p *Partition) preferredReadReplica(r *role, params *FetchParams, part *FetchPartition, leaderEnd int64) int32 {
	if params.Select == nil || !r.isLeader || params.ReplicaID >= 0 || params.Version < 11 {
		return noReplica
	}
	now := time.Now().UnixMilli()
	var others []ReplicaView
	p.followers.Lock()
	for id, f := range p.followers.byID {
		if contains(r.isr, id) && f.end >= part.FetchOffset && f.logStart <= part.FetchOffset {
			others = append(others, ReplicaView{ID: id, LogEndOffset: f.end, SinceCaughtUp: time.Duration(max(now-f.caughtUpAt(), 0)) * time.Millisecond})
		}
	}
	p.followers.Unlock()
	if len(others) == 0 {
		return noReplica
	}
	if chosen := params.Select(ReplicaView{ID: p.env.brokerID, LogEndOffset: leaderEnd}, others); chosen != p.env.brokerID {
		return chosen
	}
	return noReplica
}
