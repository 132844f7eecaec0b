package replica

import (
	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/wire"
)

// Special timestamps of ListOffsets (Kafka: ListOffsetsRequest).
const (
	LatestTimestamp        int64 = -1
	EarliestTimestamp      int64 = -2
	MaxTimestamp           int64 = -3
	EarliestLocalTimestamp int64 = -4
	LatestTieredTimestamp  int64 = -5
)

// OffsetQuery asks a leader for an offset.
type OffsetQuery struct {
	Timestamp          int64 // milliseconds, or one of the special timestamps
	ReplicaID          int32
	ReadCommitted      bool
	CurrentLeaderEpoch int32 // -1 not given
}

// FoundOffset answers an OffsetQuery. Offset -1 with timestamp -1 means that there is none.
type FoundOffset struct {
	Offset      int64
	Timestamp   int64
	LeaderEpoch int32
}

var noOffset = FoundOffset{Offset: -1, Timestamp: -1, LeaderEpoch: -1}

// OffsetForTimestamp answers a ListOffsets query (storage.md §12). OFFSET_NOT_AVAILABLE says that this leader's high watermark hasn't reached the start
// of its epoch yet, so that an answer could go backwards (KIP-207).
func (p *Partition) OffsetForTimestamp(q OffsetQuery) (FoundOffset, wire.Error) {
	p.leadership.RLock()
	defer p.leadership.RUnlock()
	log, r, code := p.leaderLog(q.CurrentLeaderEpoch)
	if code == wire.NotLeaderOrFollower && q.ReplicaID == DebugReplicaID && p.log.Load() != nil {
		log, code = p.log.Load(), wire.None
	}
	if code != wire.None {
		return noOffset, code
	}
	params := FetchParams{ReplicaID: q.ReplicaID, ReadCommitted: q.ReadCommitted}
	bound := params.bound(log)
	behind := q.ReplicaID == ConsumerReplicaID && r.isLeader && log.HighWatermark() < r.epochStart
	switch q.Timestamp {
	case LatestTimestamp:
		if behind {
			return noOffset, wire.OffsetNotAvailable
		}
		return FoundOffset{Offset: bound, Timestamp: -1, LeaderEpoch: r.leaderEpoch}, wire.None
	case EarliestTimestamp, EarliestLocalTimestamp:
		start, epoch := log.EarliestOffset()
		return FoundOffset{Offset: start, Timestamp: -1, LeaderEpoch: epoch}, wire.None
	case LatestTieredTimestamp:
		return noOffset, wire.None
	}
	var found commitlog.TimestampOffset
	var ok bool
	var err error
	if q.Timestamp == MaxTimestamp {
		found, ok, err = log.MaxTimestampOffset()
		ok = ok && found.Offset < bound
	} else {
		found, ok, err = log.OffsetForTimestamp(q.Timestamp, bound)
	}
	if err != nil {
		return noOffset, CodeOf(err)
	}
	if !ok {
		if behind {
			return noOffset, wire.OffsetNotAvailable
		}
		return noOffset, wire.None
	}
	return FoundOffset{Offset: found.Offset, Timestamp: found.Timestamp, LeaderEpoch: found.LeaderEpoch}, wire.None
}
