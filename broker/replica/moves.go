package replica

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/wire"
)

// A move copies a replica into another log directory of this broker, batch by batch, while it goes on leading or following, and lets the copy take its place when it has everything
// (AlterReplicaLogDirs, reference replication.md §13).

// MoveState is how far a move is.
type MoveState int

// The states of a move.
const (
	MoveStarted   MoveState = iota // copying begins, or goes on after a restart
	MoveDone                       // the replica is in the other directory
	MoveCancelled                  // another move, a move back, or the deletion of the replica came in between
	MoveFailed                     // the directory failed; the replica stays where it is
)

// String returns the state in a word.
func (s MoveState) String() string {
	return [...]string{"started", "done", "cancelled", "failed"}[s]
}

const (
	// moveBytes is how much is copied at a time: nothing may truncate the log meanwhile.
	moveBytes = 1 << 20
	// lastMoveBytes is how much may be left to be copied while the partition stands still.
	lastMoveBytes = 1 << 20
)

// errMoveEnded says that a move has no replica to copy any more.
var errMoveEnded = errors.New("the replica is gone")

// move is one replica under way.
type move struct {
	partition *Partition
	from, to  string
	log       *commitlog.Log // the future log
	ctx       context.Context
	cancel    context.CancelFunc
	left      chan struct{} // closed when no goroutine works on it any more
	done      bool          // the copy has taken the replica's place; set before left is closed
	buf       []byte
	rate      fetchRate // of the steps of the copying
}

// moves owns the moves. A worker takes one at a time and copies it to its end, so that one after the other is done instead of all at once.
type moves struct {
	manager *Manager
	wake    chan struct{}

	mu struct {
		sync.Mutex
		ctx   context.Context // nil before start and after the end
		byTP  map[TopicPartition]*move
		queue []*move // not begun
		// failed are the replicas whose last move failed, until they are moved again or gone.
		failed map[TopicPartition]struct{}
	}
}

func (ms *moves) init(m *Manager) {
	ms.manager, ms.wake = m, make(chan struct{}, 1)
	ms.mu.byTP, ms.mu.failed = map[TopicPartition]*move{}, map[TopicPartition]struct{}{}
}

// start runs n workers until ctx ends.
func (ms *moves) start(ctx context.Context, running *sync.WaitGroup, n int) {
	ms.mu.Lock()
	ms.mu.ctx = ctx
	ms.mu.Unlock()
	for range n {
		running.Go(func() { ms.work(ctx) })
	}
}

func (ms *moves) work(ctx context.Context) {
	for {
		ms.mu.Lock()
		var next *move
		if len(ms.mu.queue) > 0 {
			next = ms.mu.queue[0]
			ms.mu.queue = ms.mu.queue[1:]
		}
		more := len(ms.mu.queue) > 0
		ms.mu.Unlock()
		if more {
			wakeUp(ms.wake)
		}
		if next != nil {
			ms.run(next)
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-ms.wake:
		}
	}
}

// AlterLogDir moves a replica to another log directory, or makes it there when it isn't here yet. It returns when that has begun. Codes: LOG_DIR_NOT_FOUND, KAFKA_STORAGE_ERROR (the directory
// or the replica is offline), REPLICA_NOT_AVAILABLE (the replica isn't here; the directory is remembered), INVALID_TOPIC_EXCEPTION (the name is too long), UNKNOWN_TOPIC_OR_PARTITION.
func (m *Manager) AlterLogDir(tp TopicPartition, dir string) wire.Error {
	if err := m.config.Logs.Prefer(tp, dir); err != nil { // only remembered for a log that isn't here
		return CodeOf(err)
	}
	m.control.Lock()
	defer m.control.Unlock()
	p, code := m.Partition(tp)
	switch {
	case code == wire.NotLeaderOrFollower:
		return wire.ReplicaNotAvailable // as Kafka, for old clients
	case code != wire.None:
		return code
	}
	if mv := m.moves.under(tp); mv != nil {
		if m.config.Logs.SameDir(mv.log, dir) {
			return wire.None
		}
		m.moves.halt(tp)
	}
	// Nobody moves the replica now, and control requests are held off.
	log := p.log.Load()
	if log == nil {
		return wire.ReplicaNotAvailable
	}
	if future, ok := m.config.Logs.Future(tp); ok && !m.config.Logs.SameDir(future, dir) {
		if err := m.config.Logs.DeleteFuture(tp); err != nil {
			return CodeOf(err)
		}
	}
	if m.config.Logs.SameDir(log, dir) {
		return wire.None
	}
	if _, err := m.config.Logs.CreateFuture(tp, dir); err != nil {
		return CodeOf(err)
	}
	m.moves.begin(p)
	return wire.None
}

// begin queues the move of a partition that has a future log, unless it is under way.
func (ms *moves) begin(p *Partition) {
	future, ok := ms.manager.config.Logs.Future(p.tp)
	log := p.log.Load()
	if !ok || log == nil {
		return
	}
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if ms.mu.ctx == nil || ms.mu.byTP[p.tp] != nil {
		return
	}
	mv := &move{partition: p, from: log.Dir(), to: future.Dir(), log: future, left: make(chan struct{})}
	mv.ctx, mv.cancel = context.WithCancel(ms.mu.ctx)
	ms.mu.byTP[p.tp] = mv
	delete(ms.mu.failed, p.tp)
	ms.mu.queue = append(ms.mu.queue, mv)
	wakeUp(ms.wake)
}

// resume goes on with moves that a restart has interrupted, of partitions that have just got their role.
func (ms *moves) resume(changes []*change) {
	if len(changes) == 0 || !ms.manager.config.Logs.HasFutures() {
		return
	}
	for _, c := range changes {
		ms.begin(c.partition)
	}
}

// halt ends the move of a partition and returns when nobody works on it any more.
func (ms *moves) halt(tp TopicPartition) {
	ms.mu.Lock()
	delete(ms.mu.failed, tp)
	mv := ms.mu.byTP[tp]
	if mv == nil {
		ms.mu.Unlock()
		return
	}
	delete(ms.mu.byTP, tp)
	mv.cancel()
	for i, one := range ms.mu.queue {
		if one == mv {
			ms.mu.queue = append(ms.mu.queue[:i:i], ms.mu.queue[i+1:]...)
			close(mv.left)
			break
		}
	}
	ms.mu.Unlock()
	<-mv.left
	if !mv.done {
		ms.tell(mv, MoveCancelled, nil)
	}
}

// under returns the move of a partition, nil when there is none.
func (ms *moves) under(tp TopicPartition) *move {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	return ms.mu.byTP[tp]
}

func (ms *moves) tell(mv *move, state MoveState, err error) {
	if f := ms.manager.config.Events.Moving; f != nil {
		f(mv.partition.tp, state, mv.from, mv.to, err)
	}
}

// run copies until the copy has taken the replica's place, or the move is ended.
func (ms *moves) run(mv *move) {
	defer close(mv.left)
	defer mv.cancel()
	ms.tell(mv, MoveStarted, nil)
	err := ms.copy(mv)
	if err != nil && mv.ctx.Err() != nil {
		return // whoever ended it tells; or the broker stops, and goes on after its next start
	}
	if mv.done = err == nil; mv.done {
		ms.tell(mv, MoveDone, nil)
	} else {
		_ = ms.manager.config.Logs.DeleteFuture(mv.partition.tp) // its failure is that of its directory, which is known
		ms.tell(mv, MoveFailed, err)
	}
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if ms.mu.byTP[mv.partition.tp] == mv {
		delete(ms.mu.byTP, mv.partition.tp)
		if !mv.done {
			ms.mu.failed[mv.partition.tp] = struct{}{}
		}
	}
}

// MoveStats is what moves between log directories are doing.
type MoveStats struct {
	Moving, Failed int     // replicas under way, and those whose last move failed
	MaxLag         int64   // the most offsets below the high watermark that one of them still has to copy
	MinFetchRate   float64 // steps of the copying per second of the slowest one over the last minute, 0 without any
}

// MoveStats returns how the moves between log directories stand (Kafka: ReplicaAlterLogDirsManager's gauges).
func (m *Manager) MoveStats() MoveStats {
	ms := &m.moves
	ms.mu.Lock()
	defer ms.mu.Unlock()
	s := MoveStats{Moving: len(ms.mu.byTP), Failed: len(ms.mu.failed)}
	now, first := time.Now(), true
	for _, mv := range ms.mu.byTP {
		if rate := mv.rate.perSecond(now); first || rate < s.MinFetchRate {
			s.MinFetchRate, first = rate, false
		}
		if log := mv.partition.log.Load(); log != nil {
			s.MaxLag = max(s.MaxLag, log.HighWatermark()-mv.log.LogEndOffset())
		}
	}
	return s
}

func (ms *moves) copy(mv *move) error {
	throttle := ms.manager.config.MoveThrottle
	for {
		if err := mv.ctx.Err(); err != nil {
			return err
		}
		if wait := throttle.Wait(); wait > 0 {
			timer := time.NewTimer(wait)
			select {
			case <-mv.ctx.Done():
			case <-timer.C:
			}
			timer.Stop()
			continue
		}
		mv.rate.mark(time.Now())
		n, left, err := mv.partition.copyInto(mv)
		throttle.Record(n)
		if err != nil {
			return err
		}
		if left > 0 {
			continue
		}
		if err := mv.log.Flush(); err != nil { // not while the partition stands still
			return err
		}
		done, err := mv.partition.replaceLog(ms.manager, mv)
		if done || err != nil {
			return err
		}
	}
}

// copyInto copies what fits into one step, and returns the bytes and how many offsets are left.
func (p *Partition) copyInto(mv *move) (bytes int, left int64, err error) {
	p.moving.Lock()
	defer p.moving.Unlock()
	return p.copyLocked(mv, moveBytes)
}

// copyLocked is copyInto with moving held, so that nothing truncates the log.
func (p *Partition) copyLocked(mv *move, limit int) (bytes int, left int64, err error) {
	log := p.log.Load()
	if log == nil || p.offline.Load() {
		return 0, 0, errMoveEnded
	}
	future := mv.log
	if p.moving.agreed != future {
		if err := agree(log, future); err != nil {
			return 0, 0, err
		}
		p.moving.agreed = future
	}
	if start := log.LogStartOffset(); future.LogEndOffset() < start {
		if err := future.TruncateFullyAndStartAt(start); err != nil {
			return 0, 0, err
		}
	}
	end, from := log.LogEndOffset(), future.LogEndOffset()
	if from < end {
		fetched, err := log.Read(from, commitlog.ReadOptions{MaxBytes: limit, UpTo: end, MinOneMessage: true})
		if err != nil {
			return 0, 0, err
		}
		mv.buf, err = fetched.Span.AppendTo(mv.buf[:0])
		fetched.Span.Release()
		if err != nil {
			return 0, 0, err
		}
		info, err := appendFetched(future, from, mv.buf)
		if err != nil {
			return 0, 0, err
		}
		bytes = info.Bytes
		switch {
		case fetched.Span.Length == 0: // what is left has no batches: a truncation or the cleaner has taken them
			if err := future.SkipTo(end); err != nil {
				return 0, 0, err
			}
		case future.LogEndOffset() == from:
			return bytes, 0, fmt.Errorf("copy %s: no whole batch at offset %d, but the log ends at %d", p.tp, from, end)
		}
	}
	future.SetHighWatermark(log.HighWatermark())
	if start := log.LogStartOffset(); start > future.LogStartOffset() && start <= future.HighWatermark() {
		if err := future.IncrementLogStartOffset(start); err != nil {
			return bytes, 0, err
		}
	}
	return bytes, log.LogEndOffset() - future.LogEndOffset(), nil
}

// truncating holds off a copying of the log while it is truncated, and lets the copy follow.
func (p *Partition) truncating(truncate func() error) error {
	p.moving.Lock()
	defer p.moving.Unlock()
	p.moving.agreed = nil
	return truncate()
}

// agree cuts a future log, that has outlived a restart or a truncation of its log, back to what they have in common, as a follower does with its leader's.
func agree(log, future *commitlog.Log) error {
	for {
		latest, end := future.LatestEpoch(), future.LogEndOffset()
		if latest < 0 {
			return future.TruncateFullyAndStartAt(log.LogStartOffset())
		}
		epoch, epochEnd := log.OffsetForLeaderEpoch(latest)
		if epoch == latest && epochEnd >= end {
			return nil
		}
		to := truncationPoint(future, epoch, epochEnd, log.LogStartOffset())
		if to <= log.LogStartOffset() {
			return future.TruncateFullyAndStartAt(log.LogStartOffset())
		}
		if _, err := future.TruncateTo(to); err != nil {
			return err
		}
		if future.LatestEpoch() == latest && future.LogEndOffset() == end {
			return future.TruncateFullyAndStartAt(log.LogStartOffset()) // they have nothing to agree on
		}
	}
}

// replaceLog lets the copy take the log's place if there is little enough left to be copied. Nobody appends or reads meanwhile.
func (p *Partition) replaceLog(m *Manager, mv *move) (done bool, err error) {
	p.leadership.Lock()
	done, err = p.replaceLogLocked(m, mv)
	p.leadership.Unlock()
	if done {
		p.waiting.notify(p, false, true) // what waits finds the new log
	}
	return done, err
}

func (p *Partition) replaceLogLocked(m *Manager, mv *move) (bool, error) {
	p.moving.Lock()
	defer p.moving.Unlock()
	if err := mv.ctx.Err(); err != nil {
		return false, err
	}
	for copied := 0; ; {
		n, left, err := p.copyLocked(mv, moveBytes)
		if err != nil {
			return false, err
		}
		if left == 0 {
			break
		}
		if copied += n; copied > lastMoveBytes {
			return false, nil
		}
	}
	log, err := m.config.Logs.ReplaceByFuture(p.tp)
	if err != nil {
		return false, err
	}
	p.log.Store(log)
	return true, nil
}
