package timeline

import (
	"container/heap"
	"time"

	"github.com/prekraft/prekraft/broker/telemetry"
)

// Line is an event in its place.
type Line struct {
	// Number counts the lines from 1.
	Number int
	// From is the number of the line that this one follows from, 0 when none is known.
	From   int
	Record telemetry.Record
}

// Config is what a Timeline is made of.
type Config struct {
	// Window is how long an event is held back for others to come that belong before it. 0 releases each at once.
	Window time.Duration
	// Filter is what is shown.
	Filter Filter
}

// Bounds of what is kept.
const (
	// maxHeld is how many events wait in the window at most; beyond it the oldest go early.
	maxHeld = 100_000
	// maxIndexed is how many causes each of the two generations of the index holds.
	maxIndexed = 200_000
	// maxDepth is how long a chain of causes that aren't shown is kept.
	maxDepth = 64
	// maxPending is how many events of a controller event are kept that nobody has asked for yet.
	maxPending = 1024
)

// Timeline orders and links events. Its zero value isn't usable, see New.
type Timeline struct {
	config Config
	index  index
	held   byTime
	queue  []*node // in the order of arrival; released ones are skipped
	batch  []*node // released, and not yet shown or left out
	lines  int
	out    []Line
}

// New returns an empty timeline.
func New(c Config) *Timeline {
	t := &Timeline{config: c}
	t.index.prefer = func(p named) bool {
		return p.topic == c.Filter.Topic && (c.Filter.Partition < 0 || p.partition == c.Filter.Partition)
	}
	return t
}

// node is an event on its way.
type node struct {
	record  telemetry.Record
	arrived time.Time
	order   uint64 // of arrival

	parent   *node
	linked   bool
	visiting bool
	released bool
	wanted   bool // it, or something that follows from it, is to be shown
	number   int  // of its line, 0 while it has none
	depth    int
	scope    *scope
}

// scope is a controller event with what follows from it: the unit that a filter by partition shows or leaves out.
type scope struct {
	relevant bool
	pending  []*node
}

// Add takes in an event that arrived at now. Events of one broker must come in their order.
func (t *Timeline) Add(r telemetry.Record, now time.Time) {
	n := &node{record: r, arrived: now, order: t.index.count}
	t.index.add(n)
	heap.Push(&t.held, n)
	t.queue = append(t.queue, n)
}

// Ready returns the lines whose time has come, in order. The slice is the caller's.
func (t *Timeline) Ready(now time.Time) []Line {
	due := now.Add(-t.config.Window)
	for len(t.queue) > 0 && (!t.queue[0].arrived.After(due) || t.held.Len() > maxHeld) {
		last := t.queue[0]
		t.queue[0] = nil
		t.queue = t.queue[1:]
		for !last.released {
			t.release(heap.Pop(&t.held).(*node))
		}
	}
	return t.take()
}

// Drain returns all that is left.
func (t *Timeline) Drain() []Line {
	for t.held.Len() > 0 {
		t.release(heap.Pop(&t.held).(*node))
	}
	t.queue = nil
	return t.take()
}

// Next is when Ready has something, and false while nothing waits.
func (t *Timeline) Next() (time.Time, bool) {
	if len(t.queue) == 0 {
		return time.Time{}, false
	}
	return t.queue[0].arrived.Add(t.config.Window), true
}

// take makes lines of what was released. What only is shown because something that came later follows from it stands in its place, as far as it came in the same batch.
func (t *Timeline) take() []Line {
	for _, n := range t.batch {
		t.mark(n)
	}
	for _, n := range t.batch {
		t.filter(n)
	}
	clear(t.batch)
	t.batch = t.batch[:0]
	out := t.out
	t.out = nil
	return out
}

// release puts an event into the story, its cause before it.
func (t *Timeline) release(n *node) {
	if n.released {
		return
	}
	t.link(n)
	n.released = true
	t.batch = append(t.batch, n)
}

// link finds an event's cause and releases it, when it is still held.
func (t *Timeline) link(n *node) {
	if n.linked || n.visiting {
		return
	}
	n.visiting = true
	if p := t.index.causeOf(n); p != nil && !p.visiting {
		t.release(p)
		n.parent, n.depth = p, p.depth+1
		if n.depth > maxDepth {
			p.parent = nil
			n.depth = 1
		}
	}
	n.visiting, n.linked = false, true
	if _, begins := n.record.Event.(telemetry.ControllerEventStarted); begins || n.parent == nil {
		n.scope = &scope{}
	} else {
		n.scope = n.parent.scope
	}
}

// mark finds what is to be shown: what the filter matches, and what that follows from.
func (t *Timeline) mark(n *node) {
	f := &t.config.Filter
	if hidden(n.record.Event) || lazy(n.record.Event) || f.tooOld(n.record) || !f.matches(n.record) {
		return
	}
	if f.specific() {
		n.scope.relevant = true
	}
	for ; n != nil && !n.wanted; n = n.parent {
		n.wanted = true
	}
}

// filter shows an event, or keeps it for the case that something that comes later makes it worth showing.
func (t *Timeline) filter(n *node) {
	f := &t.config.Filter
	switch {
	case f.tooOld(n.record):
	case n.wanted:
		if n.scope.relevant {
			for _, p := range n.scope.pending {
				t.show(p)
			}
			n.scope.pending = nil
		}
		t.show(n)
	case f.specific() && general(n.record.Event) && !hidden(n.record.Event):
		if n.scope.relevant {
			t.show(n)
		} else if len(n.scope.pending) < maxPending {
			n.scope.pending = append(n.scope.pending, n)
		}
	}
}

// show makes a line of an event, after one of its cause.
func (t *Timeline) show(n *node) {
	if n.number != 0 || t.config.Filter.tooOld(n.record) {
		return
	}
	from := 0
	if n.parent != nil {
		t.show(n.parent)
		from = n.parent.number
	}
	t.lines++
	n.number = t.lines
	n.parent = nil // its number is all that is needed of it
	t.out = append(t.out, Line{Number: n.number, From: from, Record: n.record})
}

// byTime orders events by their clocks; those of one broker by their numbers, since a clock may stand still.
type byTime []*node

func (h byTime) Len() int      { return len(h) }
func (h byTime) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h byTime) Less(i, j int) bool {
	if c := h[i].record.Time.Compare(h[j].record.Time); c != 0 {
		return c < 0
	}
	return h[i].order < h[j].order
}

// Push is heap.Interface's.
func (h *byTime) Push(x any) { *h = append(*h, x.(*node)) }

// Pop is heap.Interface's.
func (h *byTime) Pop() any {
	last := len(*h) - 1
	n := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return n
}
