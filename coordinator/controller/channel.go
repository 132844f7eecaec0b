package controller

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// Bounds of a channel's queue.
const (
	// mergeAfter is how many rounds wait before the newest are merged. Below it a broker sees one request of a kind per
	// batch, exactly as from an Apache controller.
	mergeAfter = 16
	// maxRounds is how many rounds wait at most when they cannot be merged; then the queue is dropped and the broker
	// gets its full state.
	maxRounds = 64
)

// channel delivers rounds of requests to one incarnation of one broker, in order, one request in flight, each repeated
// until it is answered or the channel is closed. It has one goroutine and one connection.
//
// The queue is bounded although the broker may be unreachable for hours: from mergeAfter waiting rounds on, a new round is
// merged into the last one that waits, if that changes nothing for the receiver (see round.merge). What cannot be merged
// (a role for a replica whose stop still waits) makes the queue grow up to maxRounds.
type channel struct {
	c      *Controller
	id     int32
	epoch  int64 // Broker epoch that requests carry.
	cancel context.CancelFunc
	wake   chan struct{} // Capacity 1: a round was added.

	mu struct {
		sync.Mutex
		to     Endpoint
		rounds []*round
	}
}

// addChannel opens a channel to a broker unless there is one. Only the loop goroutine changes the set of channels.
func (c *Controller) addChannel(b *brokerInfo) {
	if c.channels[b.id] != nil {
		return
	}
	to, ok := c.endpoint(b.id, b.info)
	if !ok {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	ch := &channel{c: c, id: b.id, epoch: b.epoch, cancel: cancel, wake: make(chan struct{}, 1)}
	ch.mu.to = to
	c.channels[b.id] = ch
	c.senders.Add(1)
	go func() {
		defer c.senders.Done()
		ch.run(ctx)
	}()
}

// removeChannel closes a channel and drops what it has queued. Its goroutine ends on its own; Close waits for it.
func (c *Controller) removeChannel(id int32) {
	if ch := c.channels[id]; ch != nil {
		ch.cancel()
		delete(c.channels, id)
	}
}

// enqueue adds a round. It never blocks.
func (ch *channel) enqueue(r *round) {
	merged, dropped := 0, 0
	ch.mu.Lock()
	n := len(ch.mu.rounds)
	added := false
	if n >= mergeAfter {
		if m, ok := ch.mu.rounds[n-1].merge(r); ok {
			ch.mu.rounds[n-1] = m
			merged, added = n, true
		} else if n >= maxRounds {
			dropped, added = n+1, true
			ch.mu.rounds = nil
		}
	}
	if !added {
		ch.mu.rounds = append(ch.mu.rounds, r)
	}
	ch.mu.Unlock()
	select {
	case ch.wake <- struct{}{}:
	default:
	}
	if merged > 0 {
		ch.c.emit(ChannelMerged{Header: ch.c.header(), BrokerID: ch.id, Rounds: merged})
	}
	if dropped > 0 {
		ch.c.emit(ChannelReset{Header: ch.c.header(), BrokerID: ch.id, Dropped: dropped})
		ch.c.channelReset(ch.id, ch.c.current)
	}
}

// moveTo changes the address for the next connection.
func (ch *channel) moveTo(to Endpoint) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.mu.to = to
}

func (ch *channel) endpoint() Endpoint {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.mu.to
}

func (ch *channel) next() *round {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if len(ch.mu.rounds) == 0 {
		return nil
	}
	r := ch.mu.rounds[0]
	ch.mu.rounds[0] = nil
	ch.mu.rounds = ch.mu.rounds[1:]
	return r
}

func (ch *channel) queued() int {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return len(ch.mu.rounds)
}

// link is a channel's connection, owned by the channel's goroutine.
type link struct {
	conn Conn
	gone <-chan struct{} // Nil if the connection does not tell.
	// proven: this broker answered connections before, so that a refused one means that its process is gone.
	proven bool
}

func (ch *channel) run(ctx context.Context) {
	var l link
	defer func() { l.close() }()
	var again <-chan time.Time // when to look anew whether the broker listens; nil: no reason to
	for {
		if r := ch.next(); r != nil {
			for _, o := range r.requests(ch.c.cfg.IBP, ch.epoch) {
				if !ch.deliver(ctx, &l, o, r.cause) {
					return
				}
			}
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-ch.wake:
		case <-l.gone:
			// The broker closed the connection while there was nothing to say: see whether it still listens.
			l.close()
			again = ch.look(ctx, &l)
		case <-again:
			again = nil
			if l.conn == nil {
				again = ch.look(ctx, &l)
			}
		}
	}
}

// look connects while there is nothing to say. An error that is no refusal proves nothing: a process that is being killed resets connections for a moment before its
// port refuses them. It is looked at again then, until the port either answers or refuses.
func (ch *channel) look(ctx context.Context, l *link) (again <-chan time.Time) {
	if err := ch.connect(ctx, l); err != nil && l.proven {
		return time.After(ch.c.cfg.RetryBackoff)
	}
	return nil
}

func (l *link) close() {
	if l.conn != nil {
		_ = l.conn.Close() // The connection is given up either way.
		l.conn, l.gone = nil, nil
	}
}

// connect opens the connection; a refusal after an earlier connection is reported.
func (ch *channel) connect(ctx context.Context, l *link) error {
	dialCtx, cancel := context.WithTimeout(ctx, ch.c.cfg.SocketTimeout)
	defer cancel()
	conn, err := ch.c.cfg.Transport.Dial(dialCtx, ch.endpoint())
	if err != nil {
		if l.proven && errors.Is(err, syscall.ECONNREFUSED) && ctx.Err() == nil {
			l.proven = false
			ch.c.brokerUnreachable(ch.id, ch.epoch)
		}
		return err
	}
	l.conn, l.proven = conn, true
	if n, ok := conn.(Notifier); ok {
		l.gone = n.Done()
	}
	return nil
}

// deliver sends one request until it is answered; false if the channel was closed before.
func (ch *channel) deliver(ctx context.Context, l *link, o outgoing, cause EventID) bool {
	c := ch.c
	for attempt := 1; ; attempt++ {
		sent := Header{ID: c.nextID(), Cause: cause, At: time.Now()}
		response, err := ch.attempt(ctx, l, o, attempt, sent)
		if err == nil {
			return ch.answered(ctx, o, response, sent)
		}
		if ctx.Err() != nil {
			return false
		}
		c.emit(RPCFailed{Header: Header{ID: c.nextID(), Cause: sent.ID, At: time.Now()}, BrokerID: ch.id, API: o.request.APIKey(), Err: err})
		pause := time.NewTimer(c.cfg.RetryBackoff)
		select {
		case <-ctx.Done():
			pause.Stop()
			return false
		case <-pause.C:
		}
	}
}

func (ch *channel) attempt(ctx context.Context, l *link, o outgoing, attempt int, sent Header) (wire.Response, error) {
	if l.conn == nil {
		if err := ch.connect(ctx, l); err != nil {
			return nil, err
		}
	}
	if ch.c.emitting() {
		ch.c.emit(RPCSent{
			Header: sent, BrokerID: ch.id, API: o.request.APIKey(), Version: o.version, Partitions: o.partitions,
			Attempt: attempt, CorrelationID: sent.ID.correlation(), Request: o.request,
		})
	}
	callCtx, cancel := context.WithTimeout(ctx, ch.c.cfg.RequestTimeout)
	defer cancel()
	response, err := l.conn.Do(callCtx, o.request, o.version, sent.ID.correlation())
	if err != nil {
		l.close()
		if ctx.Err() == nil {
			// Look at once whether the broker is still there instead of after the pause.
			if dialErr := ch.connect(ctx, l); dialErr != nil {
				return nil, errors.Join(err, dialErr)
			}
		}
	}
	return response, err
}

// answered reports an answer and gives the loop what it has to act on; false if the channel was closed.
func (ch *channel) answered(ctx context.Context, o outgoing, response wire.Response, sent Header) bool {
	c := ch.c
	h := Header{ID: c.nextID(), Cause: sent.Cause, At: time.Now()}
	report := func(code wire.Error) {
		if c.emitting() {
			c.emit(RPCAnswered{Header: h, BrokerID: ch.id, API: o.request.APIKey(), CorrelationID: sent.ID.correlation(), Error: code, Took: h.At.Sub(sent.At)})
		}
	}
	switch r := response.(type) {
	case *wire.LeaderAndIsrResponse:
		report(r.ErrorCode)
		return c.queue.putAnswer(ctx, task{
			kind: KindLeaderAndIsrAnswer, cause: sent.ID,
			run: c.ifActive(func(ctx context.Context) error { return c.leaderAndIsrAnswered(ctx, ch, r) }),
		}) || ctx.Err() == nil
	case *wire.StopReplicaResponse:
		report(r.ErrorCode)
		if len(o.deletes) == 0 {
			return true
		}
		return c.queue.putAnswer(ctx, task{
			kind: KindTopicDeletionAnswer, cause: sent.ID,
			run: c.ifActive(func(ctx context.Context) error { return c.replicasDeleted(ctx, ch, r, o.deletes) }),
		}) || ctx.Err() == nil
	case *wire.UpdateMetadataResponse:
		report(r.ErrorCode)
	}
	return true
}

// brokerUnreachable tells the loop that nobody listens any more where a broker was.
func (c *Controller) brokerUnreachable(id int32, epoch int64) {
	if c.cfg.KeepDeadBrokers {
		return
	}
	c.dirty.Lock()
	c.dirty.unreachable[id] = epoch
	c.dirty.Unlock()
	c.queue.putSignal(task{kind: KindBrokerUnreachable, run: c.ifActive(c.expelBrokers)})
}

// channelReset tells the loop that a broker lost its queue and needs its full state.
func (c *Controller) channelReset(id int32, cause EventID) {
	c.dirty.Lock()
	c.dirty.resets[id] = true
	c.dirty.Unlock()
	c.queue.putSignal(task{kind: KindChannelReset, cause: cause, run: c.ifActive(c.resyncBrokers)})
}
