package zkutil

import (
	"slices"
	"sync"
)

// EventType says what happened to a watched path.
type EventType uint8

// The types of watch events.
const (
	// Created, DataChanged and Deleted go to data handlers.
	Created EventType = iota + 1
	DataChanged
	Deleted
	// ChildrenChanged goes to children handlers. The deletion of the parent itself does not, as in Kafka.
	ChildrenChanged
	// Resync goes to all handlers after a reconnection and after a new session: anything may have happened, read again.
	Resync
)

// String gives the name of the type.
func (t EventType) String() string {
	switch t {
	case Created:
		return "created"
	case DataChanged:
		return "data changed"
	case Deleted:
		return "deleted"
	case ChildrenChanged:
		return "children changed"
	case Resync:
		return "resync"
	}
	return "unknown"
}

// Event tells a watch handler that a path changed. It holds no data: read it again, which also arms the watch for the next change.
type Event struct {
	Type EventType
	Path string // relative to the chroot
}

type watchKind uint8

const (
	watchData watchKind = iota
	watchChildren
)

type watchKey struct {
	kind watchKind
	path string // with the chroot
}

// handler is one registration.
type handler struct {
	path string // relative to the chroot
	fn   func(Event)
}

// watches is the registry of handlers and the queue of events. The queue holds each key once, so it is bounded by the registry.
type watches struct {
	wake func() // tells the client's goroutine that the queue is not empty

	mu struct {
		sync.Mutex
		handlers map[watchKey][]*handler
		pending  map[watchKey]EventType
		order    []watchKey // keys of pending, oldest first
	}
}

func newWatches(wake func()) *watches {
	w := &watches{wake: wake}
	w.mu.handlers = make(map[watchKey][]*handler)
	w.mu.pending = make(map[watchKey]EventType)
	return w
}

func (w *watches) register(key watchKey, path string, fn func(Event)) (cancel func()) {
	h := &handler{path: path, fn: fn}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.handlers[key] = append(w.mu.handlers[key], h)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		// A copy: the slice may be in use by deliver.
		left := slices.DeleteFunc(slices.Clone(w.mu.handlers[key]), func(o *handler) bool { return o == h })
		if len(left) > 0 {
			w.mu.handlers[key] = left
			return
		}
		delete(w.mu.handlers, key)
		if _, ok := w.mu.pending[key]; ok {
			delete(w.mu.pending, key)
			w.mu.order = slices.DeleteFunc(w.mu.order, func(o watchKey) bool { return o == key })
		}
	}
}

// watched says whether a read must arm the watch.
func (w *watches) watched(kind watchKind, path string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.mu.handlers[watchKey{kind, path}]) > 0
}

// fire queues an event. It is called from the library's goroutines and never blocks.
func (w *watches) fire(key watchKey, t EventType) {
	w.mu.Lock()
	queued := w.queueLocked(key, t)
	w.mu.Unlock()
	if queued {
		w.wake()
	}
}

// queueLocked merges t into what is pending for key: a Resync stays one, else the later event counts.
func (w *watches) queueLocked(key watchKey, t EventType) bool {
	if len(w.mu.handlers[key]) == 0 {
		return false
	}
	old, ok := w.mu.pending[key]
	if !ok {
		w.mu.order = append(w.mu.order, key)
	}
	if old != Resync {
		w.mu.pending[key] = t
	}
	return true
}

// resync queues a Resync for every handler, in the order of their paths.
func (w *watches) resync() {
	w.mu.Lock()
	defer w.mu.Unlock()
	keys := make([]watchKey, 0, len(w.mu.handlers))
	for k := range w.mu.handlers {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b watchKey) int {
		if a.path != b.path {
			if a.path < b.path {
				return -1
			}
			return 1
		}
		return int(a.kind) - int(b.kind)
	})
	for _, k := range keys {
		w.queueLocked(k, Resync)
	}
}

// next takes the oldest event and the handlers it is for.
func (w *watches) next() (EventType, []*handler, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.mu.order) == 0 {
		w.mu.order = nil
		return 0, nil, false
	}
	key := w.mu.order[0]
	w.mu.order = w.mu.order[1:]
	t := w.mu.pending[key]
	delete(w.mu.pending, key)
	return t, w.mu.handlers[key], true
}

// deliver calls handlers until the queue is empty. It is called from the client's goroutine only.
func (w *watches) deliver() {
	for {
		t, handlers, ok := w.next()
		if !ok {
			return
		}
		for _, h := range handlers {
			h.fn(Event{Type: t, Path: h.path})
		}
	}
}

// WatchData registers a handler for the creation, change and deletion of path. From then on every Get and Exists of that path by any
// caller arms the watch; registering alone does not. Several handlers of one path are all called. cancel ends it; an event that is being
// delivered may still arrive.
func (c *Client) WatchData(path string, fn func(Event)) (cancel func()) {
	return c.watches.register(watchKey{watchData, c.full(path)}, path, fn)
}

// WatchChildren registers a handler for changes in the list of path's children, armed by Children.
func (c *Client) WatchChildren(path string, fn func(Event)) (cancel func()) {
	return c.watches.register(watchKey{watchChildren, c.full(path)}, path, fn)
}
