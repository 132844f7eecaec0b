package telemetry

import (
	"sync"
	"sync/atomic"
	"time"
)

// Bus is a broker's Sink. It keeps the latest records and hands each one to every subscriber that has room for it.
type Bus struct {
	broker           atomic.Int32
	causes           atomic.Uint64
	emitted, dropped *Counter
	keep             int // length of a full ring

	mu struct {
		sync.Mutex
		seq    uint64
		ring   []Record // ring[(seq-1) % keep] is the record with that number; it grows until it is full
		subs   map[*Subscription]struct{}
		closed bool
	}
}

// maxRing bounds what a caller may ask the ring to keep: about 400 MB.
const maxRing = 10_000_000

// NewBus makes a bus that keeps the latest keep records (at least one). broker is the id of the broker, -1 if it is not known yet.
// m counts what is emitted and what subscribers lose; it may be nil.
func NewBus(broker int32, keep int, m *Metrics) *Bus {
	b := &Bus{keep: min(max(keep, 1), maxRing), emitted: m.Counter(EventsEmitted), dropped: m.Counter(EventsDropped)}
	b.broker.Store(broker)
	b.mu.subs = map[*Subscription]struct{}{}
	return b
}

// SetBroker gives the bus its broker's id once that is known.
func (b *Bus) SetBroker(id int32) { b.broker.Store(id) }

// NewCause begins a chain of events.
func (b *Bus) NewCause() CauseID {
	return CauseID{Broker: b.broker.Load(), Seq: b.causes.Add(1)}
}

// Emit stamps the event with time and broker, keeps it and hands it on. It does not wait for anyone. After Close it does nothing.
func (b *Bus) Emit(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.closed {
		return
	}
	b.mu.seq++
	b.emitted.Inc()
	r := Record{Seq: b.mu.seq, Time: time.Now(), Broker: b.broker.Load(), Event: e}
	if len(b.mu.ring) < b.keep {
		b.mu.ring = append(b.mu.ring, r)
	} else {
		b.mu.ring[(r.Seq-1)%uint64(b.keep)] = r
	}
	for s := range b.mu.subs {
		select {
		case s.records <- r:
		default:
			s.dropped.Add(1)
			b.dropped.Add(1)
		}
	}
}

// Latest returns up to n of the latest records, oldest first.
func (b *Bus) Latest(n int) []Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sinceLocked(b.mu.seq - uint64(min(max(n, 0), len(b.mu.ring))))
}

// sinceLocked returns the kept records with a higher number, oldest first.
func (b *Bus) sinceLocked(seq uint64) []Record {
	oldest := b.mu.seq - uint64(len(b.mu.ring))
	seq = min(max(seq, oldest), b.mu.seq)
	out := make([]Record, 0, b.mu.seq-seq)
	for n := seq + 1; n <= b.mu.seq; n++ {
		out = append(out, b.mu.ring[(n-1)%uint64(b.keep)])
	}
	return out
}

// Subscription is one reader's bounded queue of records.
type Subscription struct {
	bus     *Bus
	records chan Record
	dropped atomic.Uint64
	once    sync.Once
}

// Subscribe returns the kept records with a number above after, and a queue of at most capacity (at least one) that continues
// them without a gap. The caller must Close it. On a closed bus the queue is closed.
func (b *Bus) Subscribe(after uint64, capacity int) (backlog []Record, s *Subscription) {
	s = &Subscription{bus: b, records: make(chan Record, max(capacity, 1))}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.closed {
		s.once.Do(func() { close(s.records) })
		return b.sinceLocked(after), s
	}
	b.mu.subs[s] = struct{}{}
	return b.sinceLocked(after), s
}

// Records returns the queue. It is closed by Close of the subscription or of the bus, after what is in it.
func (s *Subscription) Records() <-chan Record { return s.records }

// Dropped returns how many records the queue had no room for.
func (s *Subscription) Dropped() uint64 { return s.dropped.Load() }

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	delete(s.bus.mu.subs, s)
	s.once.Do(func() { close(s.records) })
}

// Close ends all subscriptions. It may be called more than once. The latest records stay readable.
func (b *Bus) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.closed = true
	for s := range b.mu.subs {
		s.once.Do(func() { close(s.records) })
	}
	clear(b.mu.subs)
}
