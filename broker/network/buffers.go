package network

import (
	"sync"
	"sync/atomic"
)

// bufferSizes are the classes of pooled buffers. The one above 1 MiB has room for the headers around the megabyte that
// producers send at most and consumers ask for by default.
var bufferSizes = [...]int{1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1<<20 + 16<<10, 4<<20 + 16<<10}

// buffer is pooled memory. It is shared by counting references, and returns to its pool when the last is dropped.
type buffer struct {
	b    []byte // len(b) == cap(b)
	pool *buffers
	refs atomic.Int32
}

// buffers is a set of pools, one per class.
type buffers struct {
	classes [len(bufferSizes)]sync.Pool
}

// get lends a buffer of at least n bytes with one reference. Its content is arbitrary.
func (p *buffers) get(n int) *buffer {
	for class, size := range bufferSizes {
		if n <= size {
			b, ok := p.classes[class].Get().(*buffer)
			if !ok {
				b = &buffer{b: make([]byte, size), pool: p}
			}
			b.refs.Store(1)
			return b
		}
	}
	b := &buffer{b: make([]byte, n), pool: p}
	b.refs.Store(1)
	return b
}

// adopt makes memory that replaced b's (append outgrew it) b's own, so that what grew is kept for others. What b had
// before is left to the garbage collector.
func (b *buffer) adopt(grown []byte) {
	b.b = grown[:cap(grown)]
}

func (b *buffer) retain() { b.refs.Add(1) }

// release drops one reference. Buffers above the largest class are not kept: one huge request must not make the broker
// huge for good.
func (b *buffer) release() {
	if b.refs.Add(-1) != 0 {
		return
	}
	if size := len(b.b); size <= 2*bufferSizes[len(bufferSizes)-1] {
		for class := len(bufferSizes) - 1; class >= 0; class-- {
			if size >= bufferSizes[class] {
				b.pool.classes[class].Put(b)
				return
			}
		}
	}
}

// memory is Kafka's SimpleMemoryPool for queued.max.request.bytes: a request is let in while anything is left, so the
// last one may exceed the bound, and a request larger than the bound is still possible.
type memory struct {
	mu        sync.Mutex // guards the rest
	bounded   bool       // except this, which doesn't change
	available int64
	freed     chan struct{} // closed when memory may be available; nil while nobody waits
}

// take takes n bytes, or returns a channel to wait on before trying again.
func (m *memory) take(n int64) <-chan struct{} {
	if !m.bounded {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.available > 0 {
		m.available -= n
		return nil
	}
	if m.freed == nil {
		m.freed = make(chan struct{})
	}
	return m.freed
}

// give returns n bytes and lets everyone who waits try again.
func (m *memory) give(n int64) {
	if !m.bounded {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.available += n
	if m.available > 0 && m.freed != nil {
		close(m.freed)
		m.freed = nil
	}
}
