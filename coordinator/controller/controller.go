package controller

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Controller takes part in the election and, while it is elected, runs the cluster. All methods may be called from any
// goroutine and none of them blocks, except Close.
type Controller struct {
	cfg   Config
	queue *taskQueue

	ids      atomic.Uint64 // Last event id given out.
	active   atomic.Bool
	activeID atomic.Int32
	epoch    atomic.Int32
	stats    atomic.Pointer[Stats]
	started  atomic.Bool

	// dirty collects the arguments of watch events, so that one queued event of a kind stands for all.
	dirty struct {
		sync.Mutex
		topics      map[string]bool
		brokers     map[int32]bool
		unreachable map[int32]int64 // Broker and its epoch.
		resets      map[int32]bool
		unclean     map[string]bool
		moving      map[TopicPartition]bool // Being reassigned; their states were written.
	}

	cancel  context.CancelFunc
	done    chan struct{}
	senders sync.WaitGroup // Channel and guard goroutines.

	// Owned by the loop goroutine.
	cluster       *cluster
	channels      map[int32]*channel
	balancing     *time.Timer // Until the next balancing; nil while not active, or if there is none.
	balanceFrom   time.Time   // When the first balancing of this tenure is due; the others follow at intervals.
	guard         *guard      // Of the controller that another broker is; nil if there is none to guard.
	current       EventID     // The event being processed; cause of what is done now.
	electionPause time.Duration
	notBefore     time.Time // No election before, because failovers did not succeed.
	unregistered  bool      // The session expired and the broker has not registered itself again: no election.
	// movesWatched: the partitions whose state znodes have a watch because they are being reassigned (IBP below 2.7-IV2).
	movesWatched map[TopicPartition]bool
	// rereadStates: somebody writes ISRs into ZooKeeper without asking (a broker at an IBP below 2.7-IV2), so that the
	// cache cannot be trusted to be current.
	rereadStates bool
}

// New returns a controller that is not running yet.
func New(cfg Config) (*Controller, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Controller{
		cfg:      cfg,
		queue:    newTaskQueue(cfg.MaxQueuedRequests, cfg.MaxQueuedAnswers),
		done:     make(chan struct{}),
		cluster:  newCluster(),
		channels: map[int32]*channel{},
	}
	c.activeID.Store(-1)
	c.stats.Store(&Stats{ActiveControllerID: -1})
	c.dirty.topics = map[string]bool{}
	c.dirty.brokers = map[int32]bool{}
	c.dirty.unreachable = map[int32]int64{}
	c.dirty.resets = map[int32]bool{}
	c.dirty.unclean = map[string]bool{}
	c.dirty.moving = map[TopicPartition]bool{}
	c.movesWatched = map[TopicPartition]bool{}
	return c, nil
}

// Start starts the loop goroutine, which first tries to become the controller. The broker must be registered by then.
// It runs until Close or until ctx ends. Start is called once.
func (c *Controller) Start(ctx context.Context) {
	ctx, c.cancel = context.WithCancel(ctx)
	c.started.Store(true)
	c.queue.putSignal(task{kind: KindStartup, run: c.startup})
	go c.run(ctx)
}

// Close stops the loop and the channels and waits for them. Requests that wait are answered as by a broker that is not
// the controller. The znode /controller is left to the end of the ZooKeeper session, as Kafka does.
func (c *Controller) Close() {
	if !c.started.Load() {
		return
	}
	c.cancel()
	<-c.done
}

func (c *Controller) run(ctx context.Context) {
	defer close(c.done)
	defer c.shutdown()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.queue.wake:
			for ctx.Err() == nil {
				t, ok := c.queue.take()
				if !ok {
					break
				}
				c.process(ctx, t)
			}
		}
	}
}

func (c *Controller) shutdown() {
	c.active.Store(false)
	for _, t := range c.queue.close() {
		if t.dropped != nil {
			t.dropped()
		}
	}
	c.resign("shutdown")
	c.unguard()
	c.setActiveID(-1)
	c.senders.Wait()
	c.refreshStats(0)
}

// process handles one event and what follows from its error.
func (c *Controller) process(ctx context.Context, t task) {
	start := time.Now()
	c.current = c.nextID()
	if c.cfg.Events != nil {
		c.cfg.Events.Emit(Began{
			Header: Header{ID: c.current, Cause: t.cause, At: start},
			Kind:   t.kind, Detail: t.detail, Waited: start.Sub(t.queued),
		})
	}
	c.refreshStats(t.kind.State())
	err := t.run(ctx)
	switch {
	case err == nil, ctx.Err() != nil, errors.Is(err, ErrSessionExpired):
		// An expired session has its own event.
	case errors.Is(err, ErrControllerMoved):
		if again := c.maybeResign(ctx); again != nil && ctx.Err() == nil {
			c.retryLater(task{kind: KindControllerChange, cause: c.current, run: c.reelect})
		}
	case t.class == classSignal:
		t.cause = c.current
		c.retryLater(t)
	}
	c.armBalancing()
	if c.cfg.Events != nil {
		c.cfg.Events.Emit(Ended{Header: c.header(), Kind: t.kind, Took: time.Since(start), Err: err})
	}
	c.refreshStats(0)
}

// retryLater puts a signal back after a pause: a watch event must not be lost because ZooKeeper had a bad moment.
func (c *Controller) retryLater(t task) {
	time.AfterFunc(retryPause, func() { c.queue.putSignal(t) })
}

// header returns the header of a telemetry event caused by the event being processed.
func (c *Controller) header() Header {
	return Header{ID: c.nextID(), Cause: c.current, At: time.Now()}
}

func (c *Controller) nextID() EventID { return EventID(c.ids.Add(1)) }

// emitting says whether telemetry is wanted; hot paths ask before they build events.
func (c *Controller) emitting() bool { return c.cfg.Events != nil }

func (c *Controller) emit(ev Event) {
	if c.cfg.Events != nil {
		c.cfg.Events.Emit(ev)
	}
}

// IsActive says whether this broker is the controller.
func (c *Controller) IsActive() bool { return c.active.Load() }

// ActiveControllerID returns the id in /controller as last read; -1 if there is none.
func (c *Controller) ActiveControllerID() int32 { return c.activeID.Load() }

// Epoch returns the controller epoch while this broker is the controller, else 0.
func (c *Controller) Epoch() int32 { return c.epoch.Load() }

// SessionExpired tells that the ZooKeeper session is gone, and with it /controller if it was ours. Everything queued is
// dropped; requests are answered as by a broker that is not the controller.
func (c *Controller) SessionExpired() {
	dropped := c.queue.replaceAll(task{kind: KindExpire, run: func(context.Context) error {
		c.unregistered = true
		c.setActiveID(-1)
		c.resign("session expired")
		return nil
	}})
	for _, t := range dropped {
		if t.dropped != nil {
			t.dropped()
		}
	}
}

// SessionStarted tells that there is a new ZooKeeper session: the broker is registered again and takes part in the election.
func (c *Controller) SessionStarted() {
	c.queue.putSignal(task{kind: KindRegisterBrokerReelect, run: func(ctx context.Context) error {
		if c.cfg.Register != nil {
			if err := c.cfg.Register(ctx); err != nil {
				return err
			}
		}
		c.unregistered = false
		return c.reelect(ctx)
	}})
}

// UncleanLeaderElectionEnabled tells that the broker-wide default of unclean.leader.election.enable became true.
func (c *Controller) UncleanLeaderElectionEnabled() {
	c.queue.putSignal(task{kind: KindUncleanElectionEnable, run: c.ifActive(c.triggerOnline)})
}

// TopicUncleanLeaderElectionEnabled tells that a topic's config allows unclean elections now.
func (c *Controller) TopicUncleanLeaderElectionEnabled(name string) {
	c.dirty.Lock()
	c.dirty.unclean[name] = true
	c.dirty.Unlock()
	c.queue.putSignal(task{kind: KindTopicUncleanElection, run: c.ifActive(func(ctx context.Context) error {
		c.dirty.Lock()
		topics := c.dirty.unclean
		c.dirty.unclean = map[string]bool{}
		c.dirty.Unlock()
		return c.triggerOnlineFor(ctx, func(t *topic) bool { return topics[t.name] })
	})})
}

// ifActive makes a handler do nothing while this broker is not the controller.
func (c *Controller) ifActive(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if !c.active.Load() {
			return nil
		}
		return run(ctx)
	}
}

// request queues what an API handler wants; refuse answers it if the queue is full, and also when the event is dropped.
func (c *Controller) request(kind Kind, detail string, run func(context.Context) error, dropped, refuse func()) {
	if c.queue.putRequest(task{kind: kind, detail: detail, run: run, dropped: dropped}) {
		return
	}
	c.emit(QueueRejected{Header: Header{ID: c.nextID(), At: time.Now()}, Kind: kind})
	refuse()
}
