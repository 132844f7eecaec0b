package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/wire"
)

const (
	// fetchVersionByName is the newest version that names partitions by topic: it is sent while a partition has no topic id. It is also the oldest that tells where logs diverge.
	fetchVersionByName int16 = 12
	// firstPause is the pause after a partition's or a connection's first error; it doubles up to replica.fetch.backoff.ms.
	firstPause = 10 * time.Millisecond
	// longPoll is how long a fetch must have been under way to be taken for one that waits: new partitions don't wait with it.
	longPoll = 5 * time.Millisecond
)

// fetchState is one partition of a fetcher.
type fetchState struct {
	tp          TopicPartition
	partition   *Partition
	topicID     wire.UUID
	leaderEpoch int32

	truncate  bool  // the log has no epochs: it is cut to the high watermark before the first fetch
	asks      bool  // it is cut where the leader says before the first fetch: fetches of our version don't tell
	offset    int64 // what to fetch next: the log end offset
	lastEpoch int32 // the epoch of the last record before it, -1 none
	lag       int64 // records behind the leader's high watermark, -1 unknown

	until    time.Time // not to be fetched before; zero: now
	failures int       // errors in a row
	dirty    bool      // on the list of what the next request may have to name

	inSession bool // the session on the leader has it, as sent says
	sent      sentState
}

// sentState is what the leader was last told about a partition.
type sentState struct {
	offset, logStart       int64
	leaderEpoch, lastEpoch int32
}

// forgottenKey names a partition that leaves the session. A topic that was made anew has another id.
type forgottenKey struct {
	tp TopicPartition
	id wire.UUID
}

// idPartition names a partition by its topic's id, as responses do.
type idPartition struct {
	id        wire.UUID
	partition int32
}

// fetcher fetches from one leader. Its goroutine owns the connection and the session; mu guards the partitions, which control requests add and remove. A partition's records
// are appended under mu, so that a removed partition gets none.
type fetcher struct {
	manager *Manager
	key     fetcherKey
	cancel  context.CancelFunc
	wake    chan struct{}

	conn     Conn
	buf      []byte
	resp     wire.FetchResponse
	failures int // of the connection, in a row
	session  clientSession
	rate     fetchRate

	mu struct {
		sync.Mutex
		parts     map[TopicPartition]*fetchState
		byID      map[idPartition]*fetchState
		noID      int // partitions without topic id
		dirty     []*fetchState
		delayed   []*fetchState
		asking    []*fetchState // those with asks, and some that have been removed
		forgotten map[forgottenKey]struct{}
		inSession int
		exchange  uint64             // counts requests
		interrupt context.CancelFunc // ends the request under way; nil while there is none
	}
}

func newFetcher(m *Manager, key fetcherKey) *fetcher {
	f := &fetcher{manager: m, key: key, wake: make(chan struct{}, 1)}
	f.mu.parts, f.mu.byID, f.mu.forgotten = map[TopicPartition]*fetchState{}, map[idPartition]*fetchState{}, map[forgottenKey]struct{}{}
	return f
}

// add begins a partition where its log ends (replication.md §7.6).
func (f *fetcher) add(p *Partition, id wire.UUID, leaderEpoch int32) {
	log := p.Log()
	s := &fetchState{tp: p.tp, partition: p, topicID: id, leaderEpoch: leaderEpoch, offset: log.LogEndOffset(), lastEpoch: log.LatestEpoch(), lag: -1}
	if id.IsZero() {
		s.topicID = wire.UUID(log.TopicID())
	}
	s.truncate = s.lastEpoch < 0 || planted(truncateToHighWatermark)
	s.asks = !s.truncate && f.manager.versions.Fetch < fetchVersionByName
	f.mu.Lock()
	f.removeLocked(p.tp)
	f.mu.parts[p.tp] = s
	if s.asks {
		f.mu.asking = append(f.mu.asking, s)
	}
	f.indexLocked(s)
	f.markLocked(s)
	f.mu.Unlock()
	wakeUp(f.wake)
}

func (f *fetcher) indexLocked(s *fetchState) {
	if s.topicID.IsZero() {
		f.mu.noID++
		return
	}
	f.mu.byID[idPartition{s.topicID, s.tp.Partition}] = s
}

func (f *fetcher) remove(tp TopicPartition) {
	f.mu.Lock()
	f.removeLocked(tp)
	f.mu.Unlock()
}

func (f *fetcher) removeLocked(tp TopicPartition) {
	s := f.mu.parts[tp]
	if s == nil {
		return
	}
	f.forgetLocked(s)
	delete(f.mu.parts, tp)
	if s.topicID.IsZero() {
		f.mu.noID--
	} else {
		delete(f.mu.byID, idPartition{s.topicID, tp.Partition})
	}
}

// forgetLocked lets a partition leave the session with the next request.
func (f *fetcher) forgetLocked(s *fetchState) {
	if s.inSession {
		s.inSession = false
		f.mu.inSession--
		f.mu.forgotten[forgottenKey{s.tp, s.topicID}] = struct{}{}
	}
}

func (f *fetcher) assignTopicID(tp TopicPartition, id wire.UUID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.mu.parts[tp]
	if s == nil || !s.topicID.IsZero() {
		return
	}
	f.forgetLocked(s)
	f.mu.noID--
	s.topicID = id
	f.indexLocked(s)
	f.markLocked(s)
}

func (f *fetcher) markLocked(s *fetchState) {
	if !s.dirty {
		s.dirty = true
		f.mu.dirty = append(f.mu.dirty, s)
	}
}

func (f *fetcher) ownsLocked(s *fetchState) bool { return f.mu.parts[s.tp] == s }

func (f *fetcher) idle() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.mu.parts) == 0
}

func (f *fetcher) maxLag() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	lag := int64(0)
	for _, s := range f.mu.parts {
		lag = max(lag, s.lag)
	}
	return lag
}

// hurry ends a request that only waits for records, so that partitions which were just added are fetched at once: after an election acks=all waits for that.
func (f *fetcher) hurry() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hurryLocked()
}

func (f *fetcher) hurryLocked() {
	if f.mu.interrupt == nil {
		return // whatever is sent next looks itself whether it lacks somebody
	}
	exchange := f.mu.exchange
	time.AfterFunc(longPoll, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.mu.interrupt != nil && f.mu.exchange == exchange {
			f.mu.interrupt()
		}
	})
}

// run fetches until ctx ends.
func (f *fetcher) run(ctx context.Context) {
	defer f.disconnect()
	for ctx.Err() == nil {
		if !f.truncateByEpoch(ctx) {
			continue
		}
		now := time.Now()
		req, version := f.build(now)
		if req == nil {
			f.rest(ctx, now)
			continue
		}
		if err := f.exchange(ctx, req, version); err != nil {
			f.session.reset()
			if !errors.Is(err, errInterrupted) {
				f.delayAll(time.Now())
			}
			continue
		}
		f.failures = 0
		f.process(ctx)
	}
}

// rest waits until there is something to fetch.
func (f *fetcher) rest(ctx context.Context, now time.Time) {
	var next <-chan time.Time
	f.mu.Lock()
	first := f.firstDelayedLocked()
	f.mu.Unlock()
	if !first.IsZero() {
		timer := time.NewTimer(first.Sub(now))
		defer timer.Stop()
		next = timer.C
	}
	select {
	case <-ctx.Done():
	case <-f.wake:
	case <-next:
	}
}

// errInterrupted says that a request was given up for the sake of new partitions.
var errInterrupted = errors.New("interrupted by new partitions")

// exchange sends a request and waits for the answer, which is in f.resp then.
func (f *fetcher) exchange(ctx context.Context, req *wire.FetchRequest, version int16) error {
	under, cancel := context.WithCancel(ctx)
	defer cancel()
	f.mu.Lock()
	f.mu.exchange++
	f.mu.interrupt = cancel
	if len(f.mu.dirty) > 0 || slices.ContainsFunc(f.mu.asking, f.asksNowLocked) { // added since the request was made
		f.hurryLocked()
	}
	f.mu.Unlock()
	err := f.connect(under)
	f.rate.mark(time.Now())
	if err == nil {
		wire.SetDefaults(&f.resp)
		f.buf, err = f.conn.DoInto(under, req, version, &f.resp, f.buf)
	}
	f.mu.Lock()
	f.mu.interrupt = nil
	f.mu.Unlock()
	if err == nil {
		return nil
	}
	f.disconnect()
	if under.Err() != nil && ctx.Err() == nil {
		return errInterrupted
	}
	return err
}

func (f *fetcher) connect(ctx context.Context) error {
	if f.conn != nil {
		return nil
	}
	conn, err := f.manager.config.Follow.Dial(ctx, f.key.leader, f.key.number)
	if err != nil {
		return err
	}
	f.conn = conn
	return nil
}

func (f *fetcher) disconnect() {
	if f.conn != nil {
		_ = f.conn.Close()
		f.conn = nil
	}
	f.buf = nil // the answer may still be read into it
}

// pause is how long to wait after that many errors in a row.
func (f *fetcher) pause(failures int) time.Duration {
	longest := f.manager.config.Follow.Backoff
	if failures > 10 {
		return longest
	}
	return min(firstPause<<failures, longest)
}

func (f *fetcher) delayLocked(s *fetchState, now time.Time, pause time.Duration) {
	f.forgetLocked(s)
	if s.until.IsZero() {
		f.mu.delayed = append(f.mu.delayed, s)
	}
	s.until = now.Add(pause)
}

// delayAll lets every partition wait: the connection, or the whole request, has failed.
func (f *fetcher) delayAll(now time.Time) {
	pause := f.pause(f.failures)
	f.failures++
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.mu.parts {
		f.delayLocked(s, now, pause)
	}
}

// process takes in the response.
func (f *fetcher) process(ctx context.Context) {
	if f.resp.ErrorCode != wire.None {
		f.session.refused(f.resp.ErrorCode)
		if f.resp.ErrorCode != wire.FetchSessionIDNotFound && f.resp.ErrorCode != wire.InvalidFetchSessionEpoch {
			f.delayAll(time.Now())
		}
		return
	}
	f.session.answered(f.resp.SessionID)
	var after aftermath
	for i := range f.resp.Responses {
		t := &f.resp.Responses[i]
		for j := range t.Partitions {
			f.processPartition(t, &t.Partitions[j], &after)
		}
	}
	if after.bytes > 0 && f.manager.config.Events.Replicated != nil {
		f.manager.config.Events.Replicated(after.bytes)
	}
	f.manager.config.FollowerThrottle.Record(after.throttled)
	notifyAdvanced(after.raised)
	for _, p := range after.truncated {
		p.waiting.notifyAll(p)
	}
	for _, failed := range after.failed {
		f.manager.fetchers.gaveUp(f, failed.tp, failed.err)
	}
	for _, s := range after.outOfRange {
		f.outOfRange(ctx, s)
	}
}

// aftermath is what is left to do after a response, without the fetcher's lock.
type aftermath struct {
	bytes      int
	throttled  int          // of them, those of throttled partitions
	raised     []*Partition // their high watermarks rose
	truncated  []*Partition
	outOfRange []*fetchState
	failed     []failedPartition
}

type failedPartition struct {
	tp  TopicPartition
	err error
}

// processPartition takes in one partition's part (replication.md §8.3).
func (f *fetcher) processPartition(t *wire.FetchResponseTopic, r *wire.FetchResponsePartition, after *aftermath) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.mu.byID[idPartition{t.TopicID, r.PartitionIndex}]
	if s == nil && t.TopicID.IsZero() {
		s = f.mu.parts[TopicPartition{Topic: t.Topic, Partition: r.PartitionIndex}]
	}
	if s == nil || !s.until.IsZero() || s.truncate || s.asks || s.sent.offset != s.offset || s.sent.leaderEpoch != s.leaderEpoch {
		return // not the partition that was asked for any more
	}
	giveUp := func(err error) {
		f.removeLocked(s.tp)
		after.failed = append(after.failed, failedPartition{s.tp, err})
	}
	retry := func() {
		f.delayLocked(s, time.Now(), f.pause(s.failures))
		s.failures++
	}
	switch {
	case r.ErrorCode == wire.None && r.DivergingEpoch.Epoch >= 0, r.ErrorCode == wire.None && r.DivergingEpoch.EndOffset >= 0:
		end, latest, err := s.partition.truncateAsFollower(s.leaderEpoch, func(log *commitlog.Log) int64 {
			return truncationPoint(log, r.DivergingEpoch.Epoch, r.DivergingEpoch.EndOffset, log.HighWatermark())
		})
		if err != nil {
			giveUp(err)
			return
		}
		s.offset, s.lastEpoch, s.failures = end, latest, 0
		f.markLocked(s)
		after.truncated = append(after.truncated, s.partition)
	case r.ErrorCode == wire.None:
		got, err := s.partition.appendAsFollower(s.leaderEpoch, s.offset, r.Records, r.HighWatermark, r.LogStartOffset)
		switch {
		case err == nil:
		case errors.Is(err, errNotFollowing):
			return // the control request that changed the role is about to remove the partition
		case delayable(err):
			retry()
			return
		default:
			giveUp(err)
			return
		}
		s.offset, s.lag, s.failures = got.end, max(0, r.HighWatermark-got.end), 0
		if got.lastEpoch >= 0 {
			s.lastEpoch = got.lastEpoch
		}
		after.bytes += got.bytes
		if got.bytes > 0 && s.partition.followerThrottled() {
			after.throttled += got.bytes
		}
		if got.raised {
			after.raised = append(after.raised, s.partition)
		}
		f.markLocked(s)
	case r.ErrorCode == wire.OffsetOutOfRange:
		after.outOfRange = append(after.outOfRange, s)
	case r.ErrorCode == wire.FencedLeaderEpoch:
		giveUp(fmt.Errorf("leader epoch %d: %w", s.leaderEpoch, r.ErrorCode))
	default:
		retry()
	}
}

// outOfRange finds out where to go on when the leader doesn't have the offset (replication.md §8.4).
func (f *fetcher) outOfRange(ctx context.Context, s *fetchState) {
	f.mu.Lock()
	owned, epoch := f.ownsLocked(s), s.leaderEpoch
	f.mu.Unlock()
	if !owned {
		return
	}
	leaderEnd, code, err := f.listOffset(ctx, s.tp, epoch, LatestTimestamp)
	leaderStart := int64(-1)
	if err == nil && code == wire.None {
		leaderStart, code, err = f.listOffset(ctx, s.tp, epoch, EarliestTimestamp)
	}
	now := time.Now()
	f.mu.Lock()
	if !f.ownsLocked(s) || s.leaderEpoch != epoch {
		f.mu.Unlock()
		return
	}
	switch {
	case err == nil && code == wire.FencedLeaderEpoch:
		err = fmt.Errorf("leader epoch %d: %w", epoch, code)
	case err != nil || code != wire.None:
		f.delayLocked(s, now, f.pause(s.failures))
		s.failures++
		f.mu.Unlock()
		return
	default:
		err = f.moveLocked(s, leaderStart, leaderEnd)
	}
	if err != nil {
		f.removeLocked(s.tp)
	}
	f.mu.Unlock()
	if err != nil {
		f.manager.fetchers.gaveUp(f, s.tp, err)
		return
	}
	s.partition.waiting.notifyAll(s.partition)
}

// moveLocked brings a log into the leader's range.
func (f *fetcher) moveLocked(s *fetchState, leaderStart, leaderEnd int64) error {
	own := s.partition.Log().LogEndOffset()
	switch {
	case leaderEnd < own:
		end, latest, err := s.partition.truncateAsFollower(s.leaderEpoch, func(*commitlog.Log) int64 { return leaderEnd })
		if err != nil {
			return err
		}
		s.offset, s.lastEpoch = end, latest
	case leaderStart > own:
		if err := s.partition.restartAsFollower(s.leaderEpoch, leaderStart); err != nil {
			return err
		}
		s.offset, s.lastEpoch = leaderStart, s.partition.Log().LatestEpoch()
	default:
		// In range after all: the leader has moved meanwhile. The same question again, but not at once.
		s.offset, s.lastEpoch = own, s.partition.Log().LatestEpoch()
		f.delayLocked(s, time.Now(), f.pause(s.failures))
		s.failures++
	}
	f.markLocked(s)
	return nil
}

// listOffset asks the leader for one offset.
func (f *fetcher) listOffset(ctx context.Context, tp TopicPartition, leaderEpoch int32, timestamp int64) (int64, wire.Error, error) {
	if err := f.connect(ctx); err != nil {
		return -1, wire.None, err
	}
	req := &wire.ListOffsetsRequest{ReplicaID: f.manager.config.BrokerID, Topics: []wire.ListOffsetsRequestTopic{{
		Name: tp.Topic, Partitions: []wire.ListOffsetsRequestPartition{{PartitionIndex: tp.Partition, CurrentLeaderEpoch: leaderEpoch, Timestamp: timestamp, MaxNumOffsets: 1}},
	}}}
	resp := &wire.ListOffsetsResponse{}
	wire.SetDefaults(resp)
	if _, err := f.conn.DoInto(ctx, req, f.manager.versions.ListOffsets, resp, nil); err != nil {
		f.disconnect()
		f.session.reset()
		return -1, wire.None, err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if t.Name == tp.Topic && p.PartitionIndex == tp.Partition {
				return p.Offset, p.ErrorCode, nil
			}
		}
	}
	return -1, wire.None, errors.New("the answer lacks the partition")
}
