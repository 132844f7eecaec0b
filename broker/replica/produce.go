package replica

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// ProduceWait is one partition of an acks=all produce that was appended and waits for its replicas.
type ProduceWait struct {
	Partition *Partition
	Required  int64      // the high watermark must reach this offset: last appended offset + 1
	Code      wire.Error // set when the wait is over
}

// Sender sends answers that are ready.
type Sender interface{ Send() }

// pendingProduce is an acks=all produce that waits. It is a value on its partitions' lists; nobody blocks for it.
type pendingProduce struct {
	manager *Manager
	done    func([]ProduceWait) Sender
	claimed atomic.Bool
	timer   *time.Timer
	waiters []produceWaiter
	// partitions are the items' partitions, which don't change.
	partitions []*Partition

	mu struct {
		sync.Mutex
		items   []ProduceWait
		over    []bool
		pending int
	}
}

// AwaitReplicas calls done once, with every item's code set: when each partition's high watermark has reached what the item needs, when this
// broker no longer leads it (6, 3, 56), or, with REQUEST_TIMED_OUT for those still waiting, after timeout. done runs in the goroutine that
// ended the wait; it may be the caller's. One event may end several waits: what done returns is asked to send afterwards, once for all of them. It may be nil, and isn't asked when there was nothing
// to wait for.
func (m *Manager) AwaitReplicas(items []ProduceWait, timeout time.Duration, done func([]ProduceWait) Sender) {
	over, satisfied := make([]bool, len(items)), 0
	for i := range items {
		if over[i], items[i].Code = items[i].Partition.checkReached(items[i].Required); over[i] {
			satisfied++
		}
	}
	if satisfied == len(items) {
		done(items)
		return
	}
	p := &pendingProduce{manager: m, done: done, waiters: make([]produceWaiter, len(items)), partitions: make([]*Partition, len(items))}
	for i := range items {
		p.partitions[i] = items[i].Partition
		p.waiters[i] = produceWaiter{produce: p, index: i, required: items[i].Required, position: -1}
	}
	p.mu.items = items
	p.mu.over = over
	p.mu.pending = len(items) - satisfied
	p.mu.Lock()
	p.timer = time.AfterFunc(timeout, p.timeout)
	p.mu.Unlock()
	if !m.track(p) {
		p.abandon()
		return
	}
	for i := range p.waiters {
		p.partitions[i].waiting.addProduce(&p.waiters[i])
	}
	// The high watermark may have moved between the first look and the registration. A produce that ended meanwhile leaves nothing on the lists.
	for i := range p.waiters {
		p.recheck(i)
	}
	if p.claimed.Load() {
		p.leave()
		p.manager.untrack(p)
	}
}

// recheck looks at item i again, because its high watermark reached the offset or its partition's role changed, and finishes the
// produce when it was the last one.
func (p *pendingProduce) recheck(i int) {
	if p.settle(i) {
		p.finish()
	}
}

// settle is recheck without finishing: it tells whether that is to be done.
func (p *pendingProduce) settle(i int) bool {
	over, code := p.partitions[i].checkReached(p.waiters[i].required)
	if !over {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.over[i] {
		return false
	}
	p.mu.over[i] = true
	p.mu.items[i].Code = code
	p.mu.pending--
	return p.mu.pending == 0
}

func (p *pendingProduce) timeout() {
	p.mu.Lock()
	for i := range p.mu.items {
		if !p.mu.over[i] {
			p.mu.over[i] = true
			p.mu.items[i].Code = wire.RequestTimedOut
		}
	}
	p.mu.pending = 0
	p.mu.Unlock()
	p.finish()
}

func (p *pendingProduce) finish() {
	if s := p.end(); s != nil {
		s.Send()
	}
}

// finishProduces finishes several and has their answers sent when all are ready.
func finishProduces(list []*pendingProduce) {
	var few [4]Sender
	senders := few[:0]
	for _, p := range list {
		if s := p.end(); s != nil && !slices.Contains(senders, s) {
			senders = append(senders, s)
		}
	}
	for _, s := range senders {
		s.Send()
	}
}

// end tells the caller of AwaitReplicas that the wait is over, unless somebody else has.
func (p *pendingProduce) end() Sender {
	if !p.claimed.CompareAndSwap(false, true) {
		return nil
	}
	p.mu.Lock()
	p.timer.Stop()
	items := p.mu.items
	p.mu.Unlock()
	p.leave()
	p.manager.untrack(p)
	return p.done(items)
}

// leave takes the produce off its partitions' lists.
func (p *pendingProduce) leave() {
	for i := range p.waiters {
		p.partitions[i].waiting.removeProduce(&p.waiters[i])
	}
}

// abandon ends the wait at shutdown: leadership is given up.
func (p *pendingProduce) abandon() {
	p.mu.Lock()
	for i := range p.mu.items {
		if !p.mu.over[i] {
			p.mu.over[i] = true
			p.mu.items[i].Code = wire.NotLeaderOrFollower
		}
	}
	p.mu.pending = 0
	p.mu.Unlock()
	p.finish()
}
