package controller

import (
	"context"
	"sync"
	"time"
)

// Kind is a kind of event in the controller's queue; the names are Kafka's.
type Kind string

// The kinds of events.
const (
	KindStartup                Kind = "Startup"
	KindControllerChange       Kind = "ControllerChange"
	KindRegisterBrokerReelect  Kind = "RegisterBrokerAndReelect"
	KindExpire                 Kind = "Expire"
	KindBrokerChange           Kind = "BrokerChange"
	KindBrokerModifications    Kind = "BrokerModifications"
	KindBrokerUnreachable      Kind = "BrokerUnreachable"
	KindControllerUnreachable  Kind = "ControllerUnreachable"
	KindChannelReset           Kind = "ChannelReset"
	KindTopicChange            Kind = "TopicChange"
	KindPartitionModifications Kind = "PartitionModifications"
	KindTopicDeletion          Kind = "TopicDeletion"
	KindTopicDeletionAnswer    Kind = "TopicDeletionStopReplicaResponseReceived"
	KindIsrChangeNotification  Kind = "IsrChangeNotification"
	KindAlterPartition         Kind = "AlterPartitionReceived"
	KindLogDirEvent            Kind = "LogDirEventNotification"
	KindLeaderAndIsrAnswer     Kind = "LeaderAndIsrResponseReceived"
	KindControlledShutdown     Kind = "ControlledShutdown"
	KindReplicaLeaderElection  Kind = "ReplicaLeaderElection"
	KindUncleanElectionEnable  Kind = "UncleanLeaderElectionEnable"
	KindTopicUncleanElection   Kind = "TopicUncleanLeaderElectionEnable"
	KindAPIReassignment        Kind = "ApiPartitionReassignment"
	KindZkReassignment         Kind = "ZkPartitionReassignment"
	KindReassignmentIsrChange  Kind = "PartitionReassignmentIsrChange"
	KindListReassignments      Kind = "ListPartitionReassignments"
	KindAutoLeaderBalance      Kind = "AutoPreferredReplicaLeaderElection"
	KindUpdateFeatures         Kind = "UpdateFeatures"
	KindAllocateProducerIds    Kind = "AllocateProducerIds"
	KindElectionRetry          Kind = "ElectionRetry"
	KindPreferredElectionZNode Kind = "PreferredReplicaElection"
)

// State returns the value of Kafka's ControllerState gauge while an event of this kind is processed.
func (k Kind) State() int {
	switch k {
	case KindStartup, KindControllerChange, KindRegisterBrokerReelect, KindExpire, KindElectionRetry, KindControllerUnreachable:
		return 1
	case KindBrokerChange, KindBrokerModifications, KindBrokerUnreachable, KindChannelReset:
		return 2
	case KindTopicChange, KindPartitionModifications:
		return 3
	case KindTopicDeletion, KindTopicDeletionAnswer:
		return 4
	case KindAPIReassignment, KindZkReassignment, KindReassignmentIsrChange:
		return 5
	case KindAutoLeaderBalance:
		return 6
	case KindReplicaLeaderElection, KindPreferredElectionZNode:
		return 7
	case KindControlledShutdown:
		return 8
	case KindIsrChangeNotification, KindAlterPartition:
		return 9
	case KindLeaderAndIsrAnswer:
		return 10
	case KindLogDirEvent:
		return 11
	case KindUncleanElectionEnable:
		return 13
	case KindTopicUncleanElection:
		return 14
	case KindListReassignments:
		return 15
	case KindUpdateFeatures:
		return 17
	}
	return 0
}

// task is one queued event.
type task struct {
	kind   Kind
	detail string
	cause  EventID
	queued time.Time
	// run handles the event on the loop goroutine.
	run func(ctx context.Context) error
	// dropped is called instead of run when the event is preempted or the controller closes. May be nil.
	dropped func()
	class   taskClass
}

type taskClass uint8

const (
	classSignal  taskClass = iota // Watches and the session: at most one queued per key.
	classRequest                  // API handlers: bounded, refused when too many.
	classAnswer                   // Channels: bounded, the channel waits.
)

// taskQueue is the FIFO of events. Watch events coalesce by key, so that their number is bounded by the number of
// kinds; requests and answers have a limit each.
type taskQueue struct {
	wake chan struct{} // Capacity 1: something was added.

	mu struct {
		sync.Mutex
		tasks   []task
		head    int
		pending map[Kind]bool // Signals that are queued.
		count   [3]int        // By class.
		limit   [3]int
		room    chan struct{} // Closed and replaced when an answer leaves the queue; nil if nobody waits.
		closed  bool
	}
}

func newTaskQueue(requests, answers int) *taskQueue {
	q := &taskQueue{wake: make(chan struct{}, 1)}
	q.mu.pending = map[Kind]bool{}
	q.mu.limit[classRequest] = requests
	q.mu.limit[classAnswer] = answers
	return q
}

// putSignal adds a watch or session event unless one of its kind is already waiting.
func (q *taskQueue) putSignal(t task) {
	t.class = classSignal
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed || q.mu.pending[t.kind] {
		return
	}
	q.mu.pending[t.kind] = true
	q.pushLocked(t)
}

// putRequest adds a request; false if there are too many or the queue is closed.
func (q *taskQueue) putRequest(t task) bool {
	t.class = classRequest
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed || q.mu.count[classRequest] >= q.mu.limit[classRequest] {
		return false
	}
	q.pushLocked(t)
	return true
}

// putAnswer adds what a channel received. It waits while there are too many of them, until ctx ends or the queue closes.
func (q *taskQueue) putAnswer(ctx context.Context, t task) bool {
	t.class = classAnswer
	for {
		q.mu.Lock()
		if q.mu.closed {
			q.mu.Unlock()
			return false
		}
		if q.mu.count[classAnswer] < q.mu.limit[classAnswer] {
			q.pushLocked(t)
			q.mu.Unlock()
			return true
		}
		if q.mu.room == nil {
			q.mu.room = make(chan struct{})
		}
		room := q.mu.room
		q.mu.Unlock()
		select {
		case <-ctx.Done():
			return false
		case <-room:
		}
	}
}

func (q *taskQueue) pushLocked(t task) {
	t.queued = time.Now()
	q.mu.tasks = append(q.mu.tasks, t)
	q.mu.count[t.class]++
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take removes the oldest event.
func (q *taskQueue) take() (task, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.head == len(q.mu.tasks) {
		return task{}, false
	}
	t := q.mu.tasks[q.mu.head]
	q.mu.tasks[q.mu.head] = task{}
	q.mu.head++
	if q.mu.head == len(q.mu.tasks) {
		q.mu.tasks, q.mu.head = q.mu.tasks[:0], 0
	} else if q.mu.head >= 64 && q.mu.head*2 >= len(q.mu.tasks) {
		q.mu.tasks = append(q.mu.tasks[:0], q.mu.tasks[q.mu.head:]...)
		q.mu.head = 0
	}
	q.leftLocked(t)
	return t, true
}

func (q *taskQueue) leftLocked(t task) {
	q.mu.count[t.class]--
	switch t.class {
	case classSignal:
		delete(q.mu.pending, t.kind)
	case classAnswer:
		if q.mu.room != nil {
			close(q.mu.room)
			q.mu.room = nil
		}
	}
}

// replaceAll drops everything that waits and, in the same step, adds t. The dropped events are returned: the caller
// calls their dropped functions, outside the lock.
func (q *taskQueue) replaceAll(t task) []task {
	q.mu.Lock()
	defer q.mu.Unlock()
	dropped := q.drainLocked()
	if !q.mu.closed {
		t.class = classSignal
		q.mu.pending[t.kind] = true
		q.pushLocked(t)
	}
	return dropped
}

// close drops everything and refuses what comes later.
func (q *taskQueue) close() []task {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.closed = true
	return q.drainLocked()
}

func (q *taskQueue) drainLocked() []task {
	dropped := append([]task(nil), q.mu.tasks[q.mu.head:]...)
	q.mu.tasks, q.mu.head = nil, 0
	for _, t := range dropped {
		q.leftLocked(t)
	}
	return dropped
}

// len returns how many events wait.
func (q *taskQueue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.mu.tasks) - q.mu.head
}
