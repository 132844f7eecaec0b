package replica

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/broker/wire"
)

// Events are what the manager tells as it happens. Nil functions are skipped; they must not block. [Manager.Cause] may be asked in them.
type Events struct {
	// RoleChanged is called when this broker became leader or follower of a partition.
	RoleChanged func(tp TopicPartition, state State)
	// RolesApplied is called after a LeaderAndIsr request was applied, with how many partitions it made this broker lead and follow and how many were refused.
	RolesApplied func(by Cause, leaders, followers, refused int, took time.Duration)
	// FirstLeaderAndIsr is called once, after the first LeaderAndIsr request was applied: from then on high watermarks may be checkpointed.
	FirstLeaderAndIsr func()
	// ISRChanged is called when the controller has committed a change of an ISR that this leader proposed, ISRUpdateFailed when it has refused one.
	ISRChanged      func(ISRChange)
	ISRUpdateFailed func(tp TopicPartition, code wire.Error)
	// ISRProposed is called when this leader asks the controller for another ISR. It may be called under the partition's locks.
	ISRProposed func(ISRProposal)
	// FetchStarted is called when this follower begins to fetch from a leader, at the given offset. It may be called under the fetchers' lock.
	FetchStarted func(tp TopicPartition, leader, leaderEpoch int32, offset int64)
	// HighWatermarkAdvanced is called when a replica's high watermark rose for the first time in a leader epoch. It may be called under the partition's locks.
	HighWatermarkAdvanced func(tp TopicPartition, leaderEpoch int32, highWatermark, logEndOffset int64)
	// FetchFailed is called when a fetcher has given a partition up, until the controller says anew whom to follow.
	FetchFailed func(tp TopicPartition, leader int32, err error)
	// Replicated is called with the bytes that were fetched from leaders.
	Replicated func(bytes int)
	// Moving is called when a replica is moved between log directories, with what err failed it.
	Moving func(tp TopicPartition, state MoveState, from, to string, err error)
	// Deleted is called when a replica was deleted.
	Deleted func(tp TopicPartition, by Cause)
	// Removed is called with partitions of the cluster that an UpdateMetadata said are deleted.
	Removed func(tps []metadata.TopicPartition)
}

// Meter counts what a topic's partitions move, for producers and consumers. It is found once for each partition, not with every request.
type Meter interface {
	Produced(bytes, records int)
	Fetched(bytes int)
}

type noMeter struct{}

func (noMeter) Produced(int, int) {}
func (noMeter) Fetched(int)       {}

// Config is what a Manager needs.
type Config struct {
	BrokerID int32
	Logs     *commitlog.Manager
	Metadata *metadata.Cache
	// BrokerEpoch returns this broker's epoch, the czxid of its registration; -1 before it is registered.
	BrokerEpoch func() int64
	Events      Events
	// Meter returns a topic's; nil means that nothing is counted.
	Meter func(topic string) Meter

	// Controller takes changes of ISRs; nil means that none are proposed.
	Controller ControllerLink
	// ISRs takes changes of ISRs in the place of Controller: the way of an inter.broker.protocol.version below 2.7-IV2. nil: the controller decides.
	ISRs ISRStore
	// Follow is how this broker follows others.
	Follow FollowConfig
	// LagTime is replica.lag.time.max.ms: a follower that hasn't been caught up for longer leaves the ISR.
	LagTime time.Duration
	// LeaderThrottle holds back what replicas outside of the ISR fetch here, of partitions whose log says LeaderThrottled; FollowerThrottle what this broker fetches of partitions that
	// are FollowerThrottled, while they lag. nil: nothing is held back.
	LeaderThrottle, FollowerThrottle *Throttle
	// MoveThrottle holds back the copying of replicas between log directories; nil: nothing does. MoveWorkers is num.replica.alter.log.dirs.threads: how many replicas are copied at a time.
	MoveThrottle *Throttle
	MoveWorkers  int
	// SessionSlots is max.incremental.fetch.session.cache.slots; 0 means no fetch sessions.
	SessionSlots int
}

// Manager owns the partitions that this broker hosts.
type Manager struct {
	config Config

	// control is Kafka's replicaStateChangeLock: control requests and directory failures are applied one at a time.
	control struct {
		sync.Mutex
		controllerEpoch int32 // highest seen
		initialized     bool  // a LeaderAndIsr request has been applied
	}

	partitions sync.Map // TopicPartition -> *Partition
	env        partitionEnv

	versions Versions // of the requests to leaders

	alterations alterations
	fetchers    fetchers
	sessions    sessionCache
	moves       moves
	followed    chan struct{} // holds one token when this broker may have come to lead a partition with followers

	stop    context.CancelFunc
	stopped chan struct{} // closed when the goroutines of Start are gone; nil before

	waiting struct {
		sync.Mutex
		requests map[abandoner]struct{}
		closed   bool
	}
}

// abandoner is a waiting request that can be ended at shutdown.
type abandoner interface{ abandon() }

// NewManager returns a manager that hosts nothing until a controller says so.
func NewManager(c Config) *Manager {
	if c.Meter == nil {
		c.Meter = func(string) Meter { return noMeter{} }
	}
	if c.LeaderThrottle == nil {
		c.LeaderThrottle = NewThrottle(1, time.Second)
	}
	if c.FollowerThrottle == nil {
		c.FollowerThrottle = NewThrottle(1, time.Second)
	}
	if c.MoveThrottle == nil {
		c.MoveThrottle = NewThrottle(1, time.Second)
	}
	m := &Manager{config: c, versions: c.Follow.Versions}
	if m.versions == (Versions{}) {
		m.versions = DefaultVersions()
	}
	m.control.controllerEpoch = -1
	m.env = partitionEnv{brokerID: c.BrokerID, lag: c.LagTime, isAlive: func(id int32) bool { return c.Metadata.Broker(id) != nil }, events: c.Events, meter: c.Meter, throttle: c.LeaderThrottle}
	m.alterations.queued, m.alterations.wake = map[TopicPartition]*proposal{}, make(chan struct{}, 1)
	m.followed = make(chan struct{}, 1)
	m.fetchers.init(m)
	m.sessions.init(c.SessionSlots)
	m.moves.init(m)
	m.waiting.requests = map[abandoner]struct{}{}
	return m
}

// Start lets the manager propose ISRs, follow leaders and shrink ISRs, until Close. It is called at most once, before the first control request.
func (m *Manager) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	m.stop, m.stopped = cancel, make(chan struct{})
	var running sync.WaitGroup
	switch {
	case m.config.ISRs != nil:
		running.Go(func() { m.writeISRs(ctx) })
		running.Go(func() { m.shrinkISRs(ctx) })
	case m.config.Controller != nil:
		running.Go(func() { m.alterISRs(ctx) })
		running.Go(func() { m.shrinkISRs(ctx) })
	}
	m.fetchers.start(ctx)
	m.moves.start(ctx, &running, m.config.MoveWorkers)
	go func() {
		<-ctx.Done()
		running.Wait()
		m.fetchers.wait()
		close(m.stopped)
	}()
}

// Partition returns a hosted partition. Otherwise the code is KAFKA_STORAGE_ERROR (its directory has failed), NOT_LEADER_OR_FOLLOWER
// (the cluster has the partition, this broker doesn't) or UNKNOWN_TOPIC_OR_PARTITION.
func (m *Manager) Partition(tp TopicPartition) (*Partition, wire.Error) {
	if v, ok := m.partitions.Load(tp); ok {
		p := v.(*Partition)
		if p.offline.Load() {
			return nil, wire.KafkaStorageError
		}
		return p, wire.None
	}
	if t := m.config.Metadata.Topic(tp.Topic); t != nil && t.Partition(tp.Partition) != nil {
		return nil, wire.NotLeaderOrFollower
	}
	return nil, wire.UnknownTopicOrPartition
}

// All iterates over the hosted partitions, offline ones too.
func (m *Manager) All() iter.Seq[*Partition] {
	return func(yield func(*Partition) bool) {
		m.partitions.Range(func(_, v any) bool { return yield(v.(*Partition)) })
	}
}

// ControllerEpoch returns the highest controller epoch this broker was contacted with, -1 before the first.
func (m *Manager) ControllerEpoch() int32 {
	m.control.Lock()
	defer m.control.Unlock()
	return m.control.controllerEpoch
}

// LogStartMoved tells that a partition's log start offset has risen by itself, as by retention: fetch sessions report it with their next answer. It doesn't block.
func (m *Manager) LogStartMoved(tp TopicPartition) {
	if p := m.hosted(tp); p != nil {
		p.waiting.sessions.touch()
	}
}

// HandleDirFailure marks the partitions whose log directory has failed offline, and returns those that weren't. Requests for them, waiting ones too, are answered
// KAFKA_STORAGE_ERROR.
func (m *Manager) HandleDirFailure() []TopicPartition {
	m.control.Lock()
	defer m.control.Unlock()
	var affected []TopicPartition
	for p := range m.All() {
		if p.leaveFailedDir() {
			affected = append(affected, p.tp)
		}
	}
	return affected
}

// track registers a waiting request, so that Close can end it; false after Close.
func (m *Manager) track(r abandoner) bool {
	m.waiting.Lock()
	defer m.waiting.Unlock()
	if m.waiting.closed {
		return false
	}
	m.waiting.requests[r] = struct{}{}
	return true
}

func (m *Manager) untrack(r abandoner) {
	m.waiting.Lock()
	defer m.waiting.Unlock()
	delete(m.waiting.requests, r)
}

// Waiting returns how many fetches and produces wait.
func (m *Manager) Waiting() int {
	m.waiting.Lock()
	defer m.waiting.Unlock()
	return len(m.waiting.requests)
}

// Close ends every waiting request: fetches with what there is, produces with NOT_LEADER_OR_FOLLOWER. Later ones don't wait. It ends the fetchers, too, and returns
// when nothing of the manager runs any more. It may be called again.
func (m *Manager) Close() {
	defer func() {
		if m.stop != nil {
			m.stop()
			<-m.stopped
		}
	}()
	m.waiting.Lock()
	m.waiting.closed = true
	requests := m.waiting.requests
	m.waiting.requests = map[abandoner]struct{}{}
	m.waiting.Unlock()
	for r := range requests {
		r.abandon()
	}
}
