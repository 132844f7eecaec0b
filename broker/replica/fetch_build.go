package replica

import (
	"math"
	"time"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/wire"
)

// clientSession is a fetcher's side of an incremental fetch session (KIP-227, replication.md §8.5).
type clientSession struct {
	id    int32
	epoch int32 // of the next request; 0: everything is named
	byID  bool  // the partitions in it are named by topic id
}

// reset starts over with a request that closes the session.
func (s *clientSession) reset() { s.epoch = 0 }

// refused takes in an error about the whole request.
func (s *clientSession) refused(code wire.Error) {
	if code == wire.FetchSessionIDNotFound {
		s.id = 0
	}
	s.epoch = 0
}

// answered takes in the session id of a response; 0 says that there is no session.
func (s *clientSession) answered(id int32) {
	switch {
	case id == 0:
		s.id, s.epoch = 0, 0
	case s.epoch == 0 || s.epoch == math.MaxInt32:
		s.id, s.epoch = id, 1
	default:
		s.epoch++
	}
}

// build makes the next request, nil when there is nothing to fetch.
func (f *fetcher) build(now time.Time) (*wire.FetchRequest, int16) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expireDelaysLocked(now)
	f.throttleLocked(now)
	version := f.manager.versions.Fetch
	if f.mu.noID > 0 {
		version = min(version, fetchVersionByName)
	}
	byID := version > fetchVersionByName
	if byID != f.session.byID {
		f.session.byID = byID
		f.session.reset()
	}
	c := &f.manager.config
	req := &wire.FetchRequest{
		ReplicaID: -1, ReplicaState: wire.FetchRequestReplicaState{ReplicaID: -1, ReplicaEpoch: -1},
		MaxWaitMs: f.waitLocked(now), MinBytes: int32(c.Follow.MinBytes), MaxBytes: int32(c.Follow.ResponseMaxBytes),
		SessionID: f.session.id, SessionEpoch: f.session.epoch,
	}
	if version >= 15 {
		req.ReplicaState = wire.FetchRequestReplicaState{ReplicaID: c.BrokerID, ReplicaEpoch: c.BrokerEpoch()}
	} else {
		req.ReplicaID = c.BrokerID
	}
	topics := requestTopics{req: req, maxBytes: int32(c.Follow.MaxBytes), noEpoch: version < fetchVersionByName}
	if f.session.epoch == 0 {
		f.fullLocked(&topics)
	} else {
		f.incrementalLocked(&topics)
	}
	if f.mu.inSession == 0 {
		return nil, 0
	}
	return req, version
}

// waitLocked is how many milliseconds the leader may wait for records: no longer than until the first pause of a partition is over, or that one would wait with the others.
func (f *fetcher) waitLocked(now time.Time) int32 {
	wait := f.manager.config.Follow.MaxWait
	if first := f.firstDelayedLocked(); !first.IsZero() {
		wait = min(wait, max(first.Sub(now), time.Millisecond))
	}
	return int32((wait + time.Millisecond - 1).Milliseconds()) // rounded up: a millisecond too early is a request for nothing
}

// fullLocked names every partition that is ready.
func (f *fetcher) fullLocked(topics *requestTopics) {
	clear(f.mu.forgotten)
	for _, s := range f.mu.dirty {
		s.dirty = false
	}
	f.mu.dirty = f.mu.dirty[:0]
	f.mu.inSession = 0
	for _, s := range f.mu.parts {
		s.inSession = s.until.IsZero() && f.prepareLocked(s)
		if s.inSession {
			f.mu.inSession++
			s.sent = s.now()
			topics.add(s)
		}
	}
}

// incrementalLocked names what has changed since the last request.
func (f *fetcher) incrementalLocked(topics *requestTopics) {
	for _, s := range f.mu.dirty {
		s.dirty = false
		if !f.ownsLocked(s) || !s.until.IsZero() || !f.prepareLocked(s) {
			continue
		}
		state := s.now()
		if s.inSession && s.sent == state {
			continue
		}
		if !s.inSession {
			s.inSession = true
			f.mu.inSession++
		}
		s.sent = state
		delete(f.mu.forgotten, forgottenKey{s.tp, s.topicID})
		topics.add(s)
	}
	clear(f.mu.dirty)
	f.mu.dirty = f.mu.dirty[:0]
	if f.mu.inSession == 0 {
		return // nothing will be sent: the rest of the forgotten goes with the next request
	}
	for key := range f.mu.forgotten {
		topics.forget(key)
	}
	clear(f.mu.forgotten)
}

// firstDelayedLocked is when the first pause ends, zero when there is none.
func (f *fetcher) firstDelayedLocked() (first time.Time) {
	for _, s := range f.mu.delayed {
		if first.IsZero() || s.until.Before(first) {
			first = s.until
		}
	}
	return first
}

// expireDelaysLocked makes the partitions ready whose pause is over.
func (f *fetcher) expireDelaysLocked(now time.Time) {
	waiting := f.mu.delayed[:0]
	for _, s := range f.mu.delayed {
		switch {
		case !f.ownsLocked(s):
		case s.until.After(now):
			waiting = append(waiting, s)
		default:
			s.until = time.Time{}
			f.markLocked(s)
		}
	}
	clear(f.mu.delayed[len(waiting):])
	f.mu.delayed = waiting
}

// prepareLocked cuts a log without epochs to its high watermark before it is fetched for the first time: what is above may not be the leader's (replication.md §7.6).
// It returns false when the role has changed or the disk has failed; then the partition waits for the controller.
func (f *fetcher) prepareLocked(s *fetchState) bool {
	if s.asks {
		return false
	}
	if !s.truncate {
		return true
	}
	end, latest, err := s.partition.truncateAsFollower(s.leaderEpoch, func(log *commitlog.Log) int64 { return min(log.HighWatermark(), log.LogEndOffset()) })
	if err != nil {
		return false
	}
	s.truncate, s.offset, s.lastEpoch = false, end, latest
	return true
}

// now is what the leader is to be told.
func (s *fetchState) now() sentState {
	state := sentState{offset: s.offset, leaderEpoch: s.leaderEpoch, lastEpoch: s.lastEpoch}
	if log := s.partition.Log(); log != nil {
		state.logStart = log.LogStartOffset()
	}
	return state
}

// requestTopics groups a request's partitions by topic, as long as they come in that order.
type requestTopics struct {
	req      *wire.FetchRequest
	maxBytes int32
	noEpoch  bool // the version doesn't know the epoch of the last record
	at       map[string]int
}

func (t *requestTopics) add(s *fetchState) {
	if t.at == nil {
		t.at = map[string]int{}
	}
	i, ok := t.at[s.tp.Topic]
	if !ok {
		i = len(t.req.Topics)
		t.at[s.tp.Topic] = i
		t.req.Topics = append(t.req.Topics, wire.FetchRequestTopic{Topic: s.tp.Topic, TopicID: s.topicID})
	}
	lastEpoch := s.sent.lastEpoch
	if t.noEpoch {
		lastEpoch = -1
	}
	t.req.Topics[i].Partitions = append(t.req.Topics[i].Partitions, wire.FetchRequestPartition{
		Partition: s.tp.Partition, CurrentLeaderEpoch: s.sent.leaderEpoch, FetchOffset: s.sent.offset, LastFetchedEpoch: lastEpoch,
		LogStartOffset: s.sent.logStart, PartitionMaxBytes: t.maxBytes,
	})
}

func (t *requestTopics) forget(key forgottenKey) {
	for i := range t.req.ForgottenTopicsData {
		if f := &t.req.ForgottenTopicsData[i]; f.Topic == key.tp.Topic && f.TopicID == key.id {
			f.Partitions = append(f.Partitions, key.tp.Partition)
			return
		}
	}
	t.req.ForgottenTopicsData = append(t.req.ForgottenTopicsData, wire.FetchRequestForgottenTopic{Topic: key.tp.Topic, TopicID: key.id, Partitions: []int32{key.tp.Partition}})
}
