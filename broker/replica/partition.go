package replica

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/wire"
)

// TopicPartition names a partition.
type TopicPartition = commitlog.TopicPartition

// noEpoch is the leader epoch of a partition that no LeaderAndIsr request has reached yet.
const noEpoch int32 = -1

// role is what the controller last made of this replica. It is immutable: a change replaces it.
type role struct {
	leader          int32 // the leader's broker id, -1 none
	leaderEpoch     int32 // noEpoch before the first LeaderAndIsr
	epochStart      int64 // log end offset when this broker became leader for leaderEpoch; unset on followers
	partitionEpoch  int32 // version of the state znode
	controllerEpoch int32
	cause           Cause     // the request that made it so
	isr             []int32   // committed ISR; empty on followers
	maximal         []int32   // isr, and who is being added; those in it hold the high watermark back
	pending         *proposal // the change of the ISR under way, nil for none
	replicas        []int32
	adding          []int32
	removing        []int32
	isLeader        bool
}

// Partition is a replica that this broker hosts. Its methods may be called from any goroutine.
type Partition struct {
	tp    TopicPartition
	env   *partitionEnv
	meter Meter

	// leadership is held shared while records are appended, read or looked up under a role, and alone to change the role.
	leadership sync.RWMutex
	role       atomic.Pointer[role]
	log        atomic.Pointer[commitlog.Log] // nil until the first LeaderAndIsr created or loaded it
	offline    atomic.Bool                   // its log directory has failed
	watermark  atomic.Int32                  // the leader epoch in which the high watermark was last told to have risen, noEpoch for none

	// moving is held while a piece of the log is copied into another directory, and while the log is truncated. leadership is taken before it.
	moving struct {
		sync.Mutex
		agreed *commitlog.Log // the copy that has nothing that the log hasn't
	}

	followers struct { // of a leader; a leaf lock
		sync.Mutex
		byID map[int32]*progress
	}

	waiting waiting
}

// partitionEnv is what all partitions of a broker share.
type partitionEnv struct {
	brokerID int32
	isAlive  func(broker int32) bool
	lag      time.Duration // replica.lag.time.max.ms
	events   Events
	meter    func(topic string) Meter
	throttle *Throttle // of what a leader gives to followers outside of the ISR
}

func newPartition(tp TopicPartition, env *partitionEnv) *Partition {
	p := &Partition{tp: tp, env: env, meter: env.meter(tp.Topic)}
	p.watermark.Store(noEpoch)
	p.role.Store(&role{leader: -1, leaderEpoch: noEpoch, partitionEpoch: 0})
	return p
}

// TopicPartition returns the partition's name.
func (p *Partition) TopicPartition() TopicPartition { return p.tp }

// Meter counts what the partition moves.
func (p *Partition) Meter() Meter { return p.meter }

// Log returns the partition's log, or nil before the first LeaderAndIsr request.
func (p *Partition) Log() *commitlog.Log { return p.log.Load() }

// Leader returns the leader's id (-1 none) and the leader epoch (-1 unknown) as this replica knows them.
func (p *Partition) Leader() (leader, leaderEpoch int32) {
	r := p.role.Load()
	return r.leader, r.leaderEpoch
}

// IsLeader tells whether this replica leads.
func (p *Partition) IsLeader() bool { return p.role.Load().isLeader && !p.offline.Load() }

// TopicID returns the topic id that the log was made with, zero when it has none.
func (p *Partition) TopicID() wire.UUID {
	if log := p.log.Load(); log != nil {
		return wire.UUID(log.TopicID())
	}
	return wire.UUID{}
}

// becomeLeader makes this replica the leader as the request says. The log exists. It returns false when the request's partition epoch is older
// than the known one (nothing changes). The caller has checked the leader epoch.
func (p *Partition) becomeLeader(s *leaderAndIsrState, log *commitlog.Log) (bool, error) {
	p.leadership.Lock()
	old := p.role.Load()
	if s.partitionEpoch < old.partitionEpoch && !planted(acceptOldControl) {
		p.leadership.Unlock()
		return false, nil
	}
	next := &role{
		leader: p.env.brokerID, leaderEpoch: s.leaderEpoch, partitionEpoch: s.partitionEpoch, controllerEpoch: s.controllerEpoch, cause: s.cause,
		isr: s.isr, maximal: s.isr, replicas: s.replicas, adding: s.adding, removing: s.removing, isLeader: true, epochStart: old.epochStart,
	}
	log = p.adopt(log)
	if s.leaderEpoch > old.leaderEpoch {
		next.epochStart = log.LogEndOffset()
		if err := log.AssignEpoch(s.leaderEpoch, next.epochStart); err != nil {
			p.leadership.Unlock()
			return false, err
		}
	}
	p.resetFollowers(next, s.leaderEpoch > old.leaderEpoch, old.isLeader, time.Now().UnixMilli())
	p.role.Store(next)
	p.watermark.Store(s.leaderEpoch) // what rises here is told with the role
	advanced := p.advanceHighWatermark(next, log)
	if !advanced {
		p.watermark.Store(noEpoch)
	}
	p.leadership.Unlock()
	p.waiting.notify(p, advanced, true)
	return true, nil
}

// adopt makes a log the partition's, unless it has one: that may have taken the place of the given one since the manager of the logs was asked. leadership is held.
func (p *Partition) adopt(log *commitlog.Log) *commitlog.Log {
	if own := p.log.Load(); own != nil {
		return own
	}
	p.log.Store(log)
	return log
}

// becomeFollower makes this replica a follower as the request says.
func (p *Partition) becomeFollower(s *leaderAndIsrState, log *commitlog.Log) bool {
	p.leadership.Lock()
	old := p.role.Load()
	if s.partitionEpoch < old.partitionEpoch && !planted(acceptOldControl) {
		p.leadership.Unlock()
		return false
	}
	p.adopt(log)
	p.role.Store(&role{
		leader: s.leader, leaderEpoch: s.leaderEpoch, partitionEpoch: s.partitionEpoch, controllerEpoch: s.controllerEpoch, cause: s.cause,
		replicas: s.replicas, adding: s.adding, removing: s.removing,
	})
	p.forgetFollowers()
	p.leadership.Unlock()
	p.waiting.notifyAll(p)
	return true
}

func (p *Partition) forgetFollowers() {
	p.followers.Lock()
	p.followers.byID = nil
	p.followers.Unlock()
}

// adoptLog keeps a log without taking over the request's epoch: what a follower does whose leader isn't known to be alive, so that its high watermark stays in the
// checkpoint file (KAFKA-1647), and so that the same request makes it follow once the leader is known. If this replica led until now it stops doing so. (Apache Kafka lets
// it go on in its old epoch.) It returns whether it led.
func (p *Partition) adoptLog(s *leaderAndIsrState, log *commitlog.Log) bool {
	p.leadership.Lock()
	old := p.role.Load()
	p.adopt(log)
	if !old.isLeader {
		p.leadership.Unlock()
		return false
	}
	p.role.Store(&role{
		leader: -1, leaderEpoch: old.leaderEpoch, partitionEpoch: old.partitionEpoch, controllerEpoch: old.controllerEpoch, cause: s.cause,
		replicas: old.replicas, adding: old.adding, removing: old.removing,
	})
	p.forgetFollowers()
	p.leadership.Unlock()
	p.waiting.notifyAll(p)
	return true
}

// leaveFailedDir marks the partition offline if its log directory has failed, and tells whether it did: every later request is answered KAFKA_STORAGE_ERROR. A log that has just moved to
// another directory isn't affected.
func (p *Partition) leaveFailedDir() bool {
	p.leadership.Lock()
	log := p.log.Load()
	failed := log != nil && log.Offline() && !p.offline.Load()
	if failed {
		p.offline.Store(true)
	}
	p.leadership.Unlock()
	if failed {
		p.waiting.notifyAll(p)
	}
	return failed
}

// leaveBrokenLog marks the partition offline, whatever its log is.
func (p *Partition) leaveBrokenLog() {
	p.leadership.Lock()
	p.offline.Store(true)
	p.leadership.Unlock()
	p.waiting.notifyAll(p)
}

// retire ends the role of a replica that is being deleted: whoever still holds it can neither append nor read.
func (p *Partition) retire() {
	p.leadership.Lock()
	p.role.Store(&role{leader: -1, leaderEpoch: p.role.Load().leaderEpoch, partitionEpoch: p.role.Load().partitionEpoch})
	p.log.Store(nil)
	p.forgetFollowers()
	p.leadership.Unlock()
	p.waiting.notifyAll(p)
}

// leaderLog returns the log and role when this replica leads and the caller's leader epoch (-1: not given) is its own.
// Leadership is held.
func (p *Partition) leaderLog(currentLeaderEpoch int32) (*commitlog.Log, *role, wire.Error) {
	r := p.role.Load()
	if err := p.checkEpoch(r, currentLeaderEpoch); err != wire.None {
		return nil, r, err
	}
	log := p.log.Load()
	if p.offline.Load() {
		return nil, r, wire.KafkaStorageError
	}
	if !r.isLeader || log == nil {
		return nil, r, wire.NotLeaderOrFollower
	}
	return log, r, wire.None
}

func (p *Partition) checkEpoch(r *role, currentLeaderEpoch int32) wire.Error {
	switch {
	case currentLeaderEpoch < 0:
		return wire.None
	case currentLeaderEpoch < r.leaderEpoch:
		return wire.FencedLeaderEpoch
	case currentLeaderEpoch > r.leaderEpoch:
		return wire.UnknownLeaderEpoch
	}
	return wire.None
}

// AppendOptions says how records are appended.
type AppendOptions struct {
	RequiredAcks int16 // -1, 0 or 1
	Origin       commitlog.Origin
	Now          time.Time
}

// Append appends one batch to the leader's log and returns where it went. records are patched in place (offset, leader epoch,
// timestamps) and not kept. Waiting fetches are not completed here: the caller does that with [Partition.Notify] after it has
// answered the producer.
//
// Errors: a [wire.Error] for what the partition decides (6, 19, 56), or the log's typed errors (storage.md §3.5).
func (p *Partition) Append(records []byte, o AppendOptions) (info commitlog.AppendInfo, advanced bool, err error) {
	p.leadership.RLock()
	defer p.leadership.RUnlock()
	log, r, code := p.leaderLog(-1)
	if code != wire.None {
		return commitlog.AppendInfo{}, false, code
	}
	if o.RequiredAcks == -1 && len(r.isr) < p.effectiveMinISR(r, log) {
		return commitlog.AppendInfo{}, false, wire.NotEnoughReplicas
	}
	info, err = log.AppendAsLeader(records, commitlog.AppendOptions{LeaderEpoch: r.leaderEpoch, Origin: o.Origin, Now: o.Now})
	if err != nil {
		return info, false, err
	}
	return info, p.advanceHighWatermark(r, log), nil
}

// effectiveMinISR is min.insync.replicas, but never more than there are replicas (Kafka: Partition.effectiveMinIsr).
func (p *Partition) effectiveMinISR(r *role, log *commitlog.Log) int {
	return min(log.Config().MinInsyncReplicas, max(len(r.replicas), 1))
}

// Appended has fetches in sessions visit the partition, without waking those that wait: [Partition.Notify] is still to come. A fetch that something else wakes meanwhile brings these records too.
func (p *Partition) Appended() { p.waiting.sessions.touch() }

// Notify completes the requests that an append or a moved high watermark has satisfied. Call it without any lock.
func (p *Partition) Notify(highWatermarkAdvanced bool) {
	p.waiting.notify(p, highWatermarkAdvanced, true)
}

// checkReached tells whether a produce that needs the given offset in the high watermark is done, and how it ended
// (Kafka: Partition.checkEnoughReplicasReachOffset).
func (p *Partition) checkReached(required int64) (done bool, code wire.Error) {
	p.leadership.RLock()
	defer p.leadership.RUnlock()
	log, r, code := p.leaderLog(-1)
	if code != wire.None {
		return true, code
	}
	if log.HighWatermark() < required && !planted(ackEarly) {
		return false, wire.None
	}
	if p.effectiveMinISR(r, log) > len(r.maximal) {
		return true, wire.NotEnoughReplicasAfterAppend
	}
	return true, wire.None
}

// DeleteRecords raises the log start offset to offset, -1 meaning the high watermark, and returns what it was raised to, for [Manager.AwaitDeleted]. Records below it are never
// served again by this broker, also after kill -9; followers are told at once.
func (p *Partition) DeleteRecords(offset int64) (to int64, err error) {
	if to, err = p.deleteRecords(offset); err == nil {
		p.waiting.sessions.wake(true)
	}
	return to, err
}

func (p *Partition) deleteRecords(offset int64) (to int64, err error) {
	p.leadership.RLock()
	defer p.leadership.RUnlock()
	log, _, code := p.leaderLog(-1)
	if code != wire.None {
		return -1, code
	}
	if !log.Config().CleanupDelete {
		return -1, wire.PolicyViolation
	}
	highWatermark := log.HighWatermark()
	if offset == -1 {
		offset = highWatermark
	}
	if offset < 0 || offset > highWatermark {
		return -1, wire.OffsetOutOfRange
	}
	return offset, log.DeleteRecords(offset)
}

// OffsetForLeaderEpoch answers where the given epoch ends in this leader's log (replication.md §7.2).
func (p *Partition) OffsetForLeaderEpoch(currentLeaderEpoch, epoch int32) (foundEpoch int32, endOffset int64, code wire.Error) {
	p.leadership.RLock()
	defer p.leadership.RUnlock()
	log, _, code := p.leaderLog(currentLeaderEpoch)
	if code != wire.None {
		return -1, -1, code
	}
	foundEpoch, endOffset = log.OffsetForLeaderEpoch(epoch)
	return foundEpoch, endOffset, wire.None
}

// State is a partition's role for descriptions and tests.
type State struct {
	Leader, LeaderEpoch, PartitionEpoch int32
	ISR, Replicas                       []int32
	IsLeader, Offline                   bool
	LogEndOffset, HighWatermark         int64 // -1 without a log
}

// State returns a copy of the partition's role.
func (p *Partition) State() State {
	r := p.role.Load()
	end, highWatermark := int64(-1), int64(-1)
	if log := p.log.Load(); log != nil {
		end, highWatermark = log.LogEndOffset(), log.HighWatermark()
	}
	return State{
		LogEndOffset: end, HighWatermark: highWatermark,
		Leader: r.leader, LeaderEpoch: r.leaderEpoch, PartitionEpoch: r.partitionEpoch,
		ISR: slices.Clone(r.isr), Replicas: slices.Clone(r.replicas), IsLeader: r.isLeader, Offline: p.offline.Load(),
	}
}

// Health is what metrics tell of a partition. The numbers are those of a leader.
type Health struct {
	Leader, Offline bool
	Reassigning     bool
	InSync          int // members of the committed ISR
	Replicas        int // how many there are to be: those being added don't count
	MinInSync       int // the effective min.insync.replicas
}

// Health returns the partition's state without copying its lists.
func (p *Partition) Health() Health {
	r, log := p.role.Load(), p.log.Load()
	h := Health{Leader: r.isLeader, Offline: p.offline.Load(), Reassigning: len(r.adding)+len(r.removing) > 0, InSync: len(r.isr), Replicas: len(r.replicas) - len(r.adding)}
	if log != nil {
		h.MinInSync = p.effectiveMinISR(r, log)
	}
	return h
}
