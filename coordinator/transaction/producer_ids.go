package transaction

import (
	"context"
	"sync"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// Block is a range of producer ids that belongs to this broker.
type Block struct {
	First int64
	Count int32
}

// Allocator asks the controller for a block. It blocks; an error means that none was given and that it may be asked again.
type Allocator func(ctx context.Context) (Block, error)

const (
	// prefetchAt is how much of a block is used when the next one is fetched: 90 % (Kafka: ProducerIdManager.PidPrefetchThreshold).
	prefetchAt = 0.9
	// retryBackoff is the pause after a block could not be had (Kafka: RetryBackoffMs).
	retryBackoff = 50 * time.Millisecond
	// waitForFirst is how long a producer waits for a block before it is told to ask again. Kafka answers at once; a producer that
	// starts with a fresh broker is spared a round of retries.
	waitForFirst = time.Second
	// maxWaiting bounds the producers that wait for a block.
	maxWaiting = 10_000
)

// ProducerIDs hands out producer ids from blocks. One goroutine ([ProducerIDs.Run]) fetches blocks.
type ProducerIDs struct {
	allocate Allocator
	need     chan struct{} // capacity 1: a block is wanted

	mu struct {
		sync.Mutex
		next, end int64 // ids left of the present block: [next, end)
		count     int32 // size of the present block
		ahead     Block // fetched in advance; Count 0 means none
		fetching  bool
		closed    bool
		waiting   []waitingProducer
	}
}

type waitingProducer struct {
	done  func(id int64, code wire.Error)
	timer *time.Timer
	over  *bool
}

// NewProducerIDs returns a source without a block; the first is fetched when a producer asks.
func NewProducerIDs(allocate Allocator) *ProducerIDs {
	return &ProducerIDs{allocate: allocate, need: make(chan struct{}, 1)}
}

// Next calls done once: with an id, or with COORDINATOR_LOAD_IN_PROGRESS, which a producer retries, when no block came in time.
func (p *ProducerIDs) Next(done func(id int64, code wire.Error)) {
	p.mu.Lock()
	if id, ok := p.takeLocked(); ok {
		p.mu.Unlock()
		done(id, wire.None)
		return
	}
	if p.mu.closed || len(p.mu.waiting) >= maxWaiting {
		p.mu.Unlock()
		done(-1, wire.CoordinatorLoadInProgress)
		return
	}
	over := false
	w := waitingProducer{done: done, over: &over}
	w.timer = time.AfterFunc(waitForFirst, func() {
		p.mu.Lock()
		given := over
		over = true
		p.mu.Unlock()
		if !given {
			done(-1, wire.CoordinatorLoadInProgress)
		}
	})
	p.mu.waiting = append(p.mu.waiting, w)
	p.wantLocked()
	p.mu.Unlock()
}

// takeLocked takes an id and asks for the next block in time.
func (p *ProducerIDs) takeLocked() (int64, bool) {
	if p.mu.next == p.mu.end && p.mu.ahead.Count > 0 {
		p.mu.next, p.mu.end, p.mu.count = p.mu.ahead.First, p.mu.ahead.First+int64(p.mu.ahead.Count), p.mu.ahead.Count
		p.mu.ahead = Block{}
	}
	if p.mu.next == p.mu.end {
		return 0, false
	}
	id := p.mu.next
	p.mu.next++
	if p.mu.ahead.Count == 0 && float64(p.mu.end-p.mu.next) <= float64(p.mu.count)*(1-prefetchAt) {
		p.wantLocked()
	}
	return id, true
}

func (p *ProducerIDs) wantLocked() {
	if p.mu.fetching {
		return
	}
	p.mu.fetching = true
	select {
	case p.need <- struct{}{}:
	default:
	}
}

// Run fetches blocks as they are needed until ctx is done; then waiting producers are told to ask again.
func (p *ProducerIDs) Run(ctx context.Context) {
	defer p.close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.need:
		}
		for {
			block, err := p.allocate(ctx)
			if err == nil && block.Count > 0 {
				p.add(block)
				break
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(retryBackoff):
			}
		}
	}
}

// add takes a block in and serves who waits.
func (p *ProducerIDs) add(block Block) {
	type served struct {
		done func(int64, wire.Error)
		id   int64
	}
	var now []served
	p.mu.Lock()
	p.mu.fetching = false
	p.mu.ahead = block
	for len(p.mu.waiting) > 0 {
		w := p.mu.waiting[0]
		if *w.over {
			p.mu.waiting = p.mu.waiting[1:]
			continue
		}
		id, ok := p.takeLocked()
		if !ok {
			p.wantLocked()
			break
		}
		*w.over = true
		w.timer.Stop()
		p.mu.waiting = p.mu.waiting[1:]
		now = append(now, served{w.done, id})
	}
	if len(p.mu.waiting) == 0 {
		p.mu.waiting = nil
	}
	p.mu.Unlock()
	for _, s := range now {
		s.done(s.id, wire.None)
	}
}

func (p *ProducerIDs) close() {
	p.mu.Lock()
	p.mu.closed = true
	waiting := p.mu.waiting
	p.mu.waiting = nil
	var now []func(int64, wire.Error)
	for _, w := range waiting {
		if !*w.over {
			*w.over = true
			w.timer.Stop()
			now = append(now, w.done)
		}
	}
	p.mu.Unlock()
	for _, done := range now {
		done(-1, wire.CoordinatorLoadInProgress)
	}
}
