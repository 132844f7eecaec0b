package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/wire"
)

// truncateByEpoch cuts the logs that wait for it where the leader's begin to differ (KIP-101, KIP-279): the way of an inter.broker.protocol.version below 2.7, whose fetches don't
// tell. It asks again for those that don't know the epoch the leader named. false: the connection has failed, and everything is delayed.
func (f *fetcher) truncateByEpoch(ctx context.Context) bool {
	for {
		req := f.epochRequest(time.Now())
		if req == nil {
			return true
		}
		resp := &wire.OffsetForLeaderEpochResponse{}
		wire.SetDefaults(resp)
		err := f.connect(ctx)
		if err == nil {
			_, err = f.conn.DoInto(ctx, req, f.manager.versions.OffsetForLeaderEpoch, resp, nil)
		}
		if err != nil {
			f.disconnect()
			f.session.reset()
			f.delayAll(time.Now())
			return false
		}
		f.failures = 0
		if !f.takeEpochs(req, resp) {
			return true
		}
	}
}

// epochRequest asks for all partitions that wait to be cut and aren't delayed, nil for none.
func (f *fetcher) epochRequest(now time.Time) *wire.OffsetForLeaderEpochRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.mu.asking) == 0 {
		return nil
	}
	f.expireDelaysLocked(now)
	f.mu.asking = slices.DeleteFunc(f.mu.asking, func(s *fetchState) bool { return !s.asks || !f.ownsLocked(s) })
	req := &wire.OffsetForLeaderEpochRequest{ReplicaID: f.manager.config.BrokerID}
	at := map[string]int{}
	for _, s := range f.mu.asking {
		if !s.until.IsZero() {
			continue
		}
		i, ok := at[s.tp.Topic]
		if !ok {
			i = len(req.Topics)
			at[s.tp.Topic] = i
			req.Topics = append(req.Topics, wire.OffsetForLeaderEpochRequestTopic{Topic: s.tp.Topic})
		}
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, wire.OffsetForLeaderEpochRequestPartition{
			Partition: s.tp.Partition, CurrentLeaderEpoch: s.leaderEpoch, LeaderEpoch: s.lastEpoch,
		})
	}
	if len(req.Topics) == 0 {
		return nil
	}
	return req
}

// takeEpochs cuts the logs as the leader has answered. Whom the answer lacks is delayed. It tells whether one is to be asked for again at once.
func (f *fetcher) takeEpochs(req *wire.OffsetForLeaderEpochRequest, resp *wire.OffsetForLeaderEpochResponse) (again bool) {
	answers := map[TopicPartition]*wire.OffsetForLeaderEpochResponsePartition{}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for j := range t.Partitions {
			answers[TopicPartition{Topic: t.Topic, Partition: t.Partitions[j].Partition}] = &t.Partitions[j]
		}
	}
	var after aftermath
	f.mu.Lock()
	for _, t := range req.Topics {
		for _, asked := range t.Partitions {
			tp := TopicPartition{Topic: t.Topic, Partition: asked.Partition}
			s := f.mu.parts[tp]
			if s == nil || !s.asks || s.leaderEpoch != asked.CurrentLeaderEpoch || s.lastEpoch != asked.LeaderEpoch {
				continue // not the partition that was asked for any more
			}
			f.takeEpochLocked(s, answers[tp], &after)
			again = again || s.asks && s.lastEpoch < asked.LeaderEpoch
		}
	}
	f.mu.Unlock()
	for _, p := range after.truncated {
		p.waiting.notifyAll(p)
	}
	for _, failed := range after.failed {
		f.manager.fetchers.gaveUp(f, failed.tp, failed.err)
	}
	return again
}

func (f *fetcher) takeEpochLocked(s *fetchState, answer *wire.OffsetForLeaderEpochResponsePartition, after *aftermath) {
	var err error
	switch {
	case answer == nil, answer.ErrorCode != wire.None && answer.ErrorCode != wire.FencedLeaderEpoch:
		f.delayLocked(s, time.Now(), f.pause(s.failures))
		s.failures++
		return
	case answer.ErrorCode == wire.FencedLeaderEpoch:
		err = fmt.Errorf("leader epoch %d: %w", s.leaderEpoch, answer.ErrorCode)
	default:
		done := true
		var latest int32
		var end int64
		end, latest, err = s.partition.truncateAsFollower(s.leaderEpoch, func(log *commitlog.Log) int64 {
			done = agrees(log, answer.LeaderEpoch, answer.EndOffset)
			return truncationPoint(log, answer.LeaderEpoch, answer.EndOffset, log.HighWatermark())
		})
		if errors.Is(err, errNotFollowing) {
			f.delayLocked(s, time.Now(), f.pause(s.failures)) // the control request that changed the role is about to remove the partition
			return
		}
		if err == nil {
			// An epoch that is the same again would be answered the same again.
			s.asks = !done && latest >= 0 && latest < s.lastEpoch
			s.truncate = !done && latest < 0
			s.offset, s.lastEpoch, s.failures = end, latest, 0
			f.markLocked(s)
			after.truncated = append(after.truncated, s.partition)
			return
		}
	}
	f.removeLocked(s.tp)
	after.failed = append(after.failed, failedPartition{s.tp, err})
}

// agrees tells whether truncationPoint settles the matter: this log knows the epoch that the leader has named, or the leader can't tell (replication.md §7.5).
func agrees(log *commitlog.Log, epoch int32, end int64) bool {
	if end < 0 || epoch < 0 {
		return true
	}
	ownEpoch, ownEnd := log.OffsetForLeaderEpoch(epoch)
	return ownEnd < 0 || ownEpoch == epoch
}

// asksNowLocked tells whether a partition waits to be cut and isn't delayed.
func (f *fetcher) asksNowLocked(s *fetchState) bool {
	return s.asks && s.until.IsZero() && f.ownsLocked(s)
}
