package replica

import (
	"context"
	"sync"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// Conn is a connection to a leader.
type Conn interface {
	// DoInto sends one request and decodes the answer into resp, which aliases buf or the memory that replaces it and is returned.
	DoInto(ctx context.Context, req wire.Request, version int16, resp wire.Response, buf []byte) ([]byte, error)
	Close() error
}

// FollowConfig is how a broker follows others. Dial nil means that it doesn't.
type FollowConfig struct {
	// Dial connects to a broker's inter-broker listener, for the fetcher of that number.
	Dial func(ctx context.Context, broker int32, fetcher int) (Conn, error)
	// Fetchers is num.replica.fetchers: how many fetchers there are per leader. At least 1.
	Fetchers int
	// MaxBytes, ResponseMaxBytes and MinBytes are replica.fetch.max.bytes, replica.fetch.response.max.bytes and replica.fetch.min.bytes.
	MaxBytes, ResponseMaxBytes, MinBytes int
	// MaxWait is replica.fetch.wait.max.ms, Backoff replica.fetch.backoff.ms: the longest pause after an error. The first pauses are shorter, since most errors are
	// those of a leader that is about to learn that it is one.
	MaxWait, Backoff time.Duration
	// Versions are those of the requests to leaders; the zero value is what the default inter.broker.protocol.version sends.
	Versions Versions
}

// Versions are the versions of the requests that a follower sends to leaders. It doesn't ask what a leader understands: inter.broker.protocol.version decides (replication.md §2).
// Below version 12 of Fetch a follower asks with OffsetForLeaderEpoch where to cut its log before it fetches.
type Versions struct {
	Fetch, ListOffsets, OffsetForLeaderEpoch int16
}

// DefaultVersions returns the versions of the default inter.broker.protocol.version, 3.9-IV0.
func DefaultVersions() Versions { return Versions{Fetch: 17, ListOffsets: 9, OffsetForLeaderEpoch: 4} }

// fetcherKey names a fetcher.
type fetcherKey struct {
	leader int32
	number int
}

// fetchers owns the goroutines that fetch from leaders: one per leader and number. Partitions are added and removed by control requests, which come one at a time.
type fetchers struct {
	manager *Manager

	sync.Mutex
	ctx     context.Context // nil before start
	byKey   map[fetcherKey]*fetcher
	byPart  map[TopicPartition]*fetcher
	failed  map[TopicPartition]struct{}
	running sync.WaitGroup
}

func (fs *fetchers) init(m *Manager) {
	fs.manager = m
	fs.byKey, fs.byPart, fs.failed = map[fetcherKey]*fetcher{}, map[TopicPartition]*fetcher{}, map[TopicPartition]struct{}{}
}

func (fs *fetchers) start(ctx context.Context) {
	fs.Lock()
	defer fs.Unlock()
	fs.ctx = ctx
}

// wait returns when no fetcher runs; the context of start has ended.
func (fs *fetchers) wait() {
	fs.Lock()
	fs.ctx = nil // no more of them
	fs.Unlock()
	fs.running.Wait()
}

// number spreads partitions over a leader's fetchers as Kafka does (AbstractFetcherManager.getFetcherId): 31 times Java's hash of the topic's name, plus the partition.
func number(tp TopicPartition, n int) int {
	var hash int32
	for _, r := range tp.Topic { // topic names are ASCII
		hash = 31*hash + r
	}
	sum := 31*hash + tp.Partition
	if sum < 0 {
		sum = max(-sum, 0) // the least integer has no positive counterpart: Java makes it 0
	}
	return int(sum) % n
}

// add starts fetching.
func (fs *fetchers) add(changes []*change) {
	if fs.manager.config.Follow.Dial == nil || len(changes) == 0 {
		return
	}
	fs.Lock()
	defer fs.Unlock()
	if fs.ctx == nil {
		return
	}
	touched := map[*fetcher]struct{}{}
	for _, c := range changes {
		key := fetcherKey{c.state.leader, number(c.state.tp, max(fs.manager.config.Follow.Fetchers, 1))}
		f := fs.byKey[key]
		if f == nil {
			f = newFetcher(fs.manager, key)
			ctx, cancel := context.WithCancel(fs.ctx)
			f.cancel = cancel
			fs.byKey[key] = f
			fs.running.Go(func() { f.run(ctx) })
		}
		delete(fs.failed, c.state.tp)
		fs.byPart[c.state.tp] = f
		f.add(c.partition, c.state.topicID, c.state.leaderEpoch)
		if told := fs.manager.config.Events.FetchStarted; told != nil {
			told(c.state.tp, c.state.leader, c.state.leaderEpoch, c.log.LogEndOffset())
		}
		touched[f] = struct{}{}
	}
	for f := range touched {
		f.hurry()
	}
}

// remove stops fetching. When it returns, no record that was fetched before will be appended.
func (fs *fetchers) remove(changes []*change) {
	for _, c := range changes {
		fs.removeOne(c.state.tp)
	}
}

func (fs *fetchers) removeOne(tp TopicPartition) {
	fs.Lock()
	f := fs.byPart[tp]
	delete(fs.byPart, tp)
	delete(fs.failed, tp)
	fs.Unlock()
	if f != nil {
		f.remove(tp)
	}
}

// assignTopicID tells a partition's fetcher the topic id that the log just got.
func (fs *fetchers) assignTopicID(tp TopicPartition, id wire.UUID) {
	fs.Lock()
	f := fs.byPart[tp]
	fs.Unlock()
	if f != nil {
		f.assignTopicID(tp, id)
	}
}

// stopIdle ends the fetchers that have no partition left.
func (fs *fetchers) stopIdle() {
	fs.Lock()
	defer fs.Unlock()
	for key, f := range fs.byKey {
		if f.idle() {
			f.cancel()
			delete(fs.byKey, key)
		}
	}
}

// gaveUp notes a partition that a fetcher has given up.
func (fs *fetchers) gaveUp(f *fetcher, tp TopicPartition, err error) {
	fs.Lock()
	if fs.byPart[tp] == f {
		delete(fs.byPart, tp)
		fs.failed[tp] = struct{}{}
	}
	fs.Unlock()
	if report := fs.manager.config.Events.FetchFailed; report != nil {
		report(tp, f.key.leader, err)
	}
}

// FollowStats tells how this broker's following goes.
type FollowStats struct {
	Fetchers, Partitions, Failed int
	MaxLag                       int64   // records that the slowest partition is behind its leader
	MinFetchRate                 float64 // fetches per second of the slowest fetcher over the last minute, 0 without fetchers
}

// FollowStats returns the fetchers' state.
func (m *Manager) FollowStats() FollowStats {
	fs := &m.fetchers
	fs.Lock()
	all := make([]*fetcher, 0, len(fs.byKey))
	for _, f := range fs.byKey {
		all = append(all, f)
	}
	s := FollowStats{Fetchers: len(all), Partitions: len(fs.byPart), Failed: len(fs.failed)}
	fs.Unlock()
	now := time.Now()
	for i, f := range all {
		s.MaxLag = max(s.MaxLag, f.maxLag())
		if rate := f.rate.perSecond(now); i == 0 || rate < s.MinFetchRate {
			s.MinFetchRate = rate
		}
	}
	return s
}
