package replica

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// sessionClock says when a fetch session was last used, in Unix milliseconds.
type sessionClock struct{ last atomic.Int64 }

const (
	// evictionAge is how long a session must have been unused to be evicted by one that isn't privileged over it (Kafka: FetchSessionCache, KIP-227).
	evictionAge = 2 * time.Minute
)

// sessionCache holds the incremental fetch sessions (replication.md §9). One lock guards the table; each session has its own.
//
// Kafka keeps an eighth of the slots in each of eight caches with a lock of its own. The table is touched once per request and full fetches are rare, so one is enough here.
type sessionCache struct {
	slots int

	mu struct {
		sync.Mutex
		byID      map[int32]*fetchSession
		evictions int64
	}
}

// fetchSession is one requester's session: what it fetches, and what it was told last.
type fetchSession struct {
	id         int32
	replica    int32 // the follower's id, below 0 for consumers
	privileged bool  // a follower's
	byTopicID  bool
	created    int64 // Unix milliseconds
	clock      sessionClock
	size       atomic.Int32 // partitions in it, for the cache's choice of whom to evict
	parked     atomic.Pointer[parkedFetch]

	mu struct {
		sync.Mutex
		epoch   int32 // expected of the next request
		closed  bool
		entries map[sessionKey]*sessionEntry
		order   []*sessionEntry // as they're read; nil where one was removed
		gaps    int
	}

	// changed are the entries that something has happened to since they were last read: only those are visited. It is a leaf lock, taken by appends.
	changed struct {
		sync.Mutex
		entries []*sessionEntry
	}
}

type sessionKey struct {
	name      string // empty in sessions by topic id
	id        wire.UUID
	partition int32
}

// sessionEntry is one partition of a session.
type sessionEntry struct {
	session  *fetchSession
	key      sessionKey
	part     FetchPartition
	position int // in order

	highWatermark, logStart int64 // as the requester was told; highWatermark -1 to tell anew

	partition *Partition    // the one it watches, nil for none
	next      *sessionEntry // in the partition's list of watchers
	prev      *sessionEntry
	queued    atomic.Bool // it is in changed
}

// touch puts an entry among those to be visited.
func (e *sessionEntry) touch() {
	if e.queued.Swap(true) {
		return
	}
	c := &e.session.changed
	c.Lock()
	c.entries = append(c.entries, e)
	c.Unlock()
}

// watchers are the session entries that are told when something about a partition changes.
type watchers struct {
	count atomic.Int32 // lets an append without sessions pass

	sync.Mutex
	first *sessionEntry
}

func (w *watchers) add(e *sessionEntry) {
	w.Lock()
	defer w.Unlock()
	e.prev, e.next = nil, w.first
	if w.first != nil {
		w.first.prev = e
	}
	w.first = e
	w.count.Add(1)
}

func (w *watchers) remove(e *sessionEntry) {
	w.Lock()
	defer w.Unlock()
	if e.prev != nil {
		e.prev.next = e.next
	} else if w.first == e {
		w.first = e.next
	} else {
		return
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
	e.next, e.prev = nil, nil
	w.count.Add(-1)
}

// touch makes every session visit the partition with its next fetch.
func (w *watchers) touch() {
	if w.count.Load() == 0 {
		return
	}
	w.Lock()
	defer w.Unlock()
	for e := w.first; e != nil; e = e.next {
		e.touch()
	}
}

// watch lets an entry be told of its partition's changes; one whose partition isn't here is visited every time.
func (s *fetchSession) watch(m *Manager, e *sessionEntry) {
	p := m.hosted(e.part.TopicPartition)
	if p == e.partition {
		return
	}
	if e.partition != nil {
		e.partition.waiting.sessions.remove(e)
	}
	e.partition = p
	if p != nil {
		p.waiting.sessions.add(e)
	}
}

// Session is what a fetch request says about sessions.
type Session struct {
	ID, Epoch int32
	// ByTopicID tells that the request names topics by id (v13).
	ByTopicID bool
	// Resolve returns the name of a topic id, empty when it isn't known.
	Resolve func(id wire.UUID) string
}

// ForgottenPartition leaves a session.
type ForgottenPartition struct {
	TopicPartition
	TopicID wire.UUID
}

// SessionFetch is one fetch of a session, or of none.
type SessionFetch struct {
	// Code is an error about the whole request: nothing else is set then.
	Code wire.Error
	// Parts are what has to be read; empty topic names are topic ids that aren't known. They belong to this fetch.
	Parts []FetchPartition

	manager     *Manager
	session     *fetchSession // nil without one
	entries     []*sessionEntry
	epoch       int32 // the session's, when this fetch began
	incremental bool
	create      bool
	byTopicID   bool
}

// BeginFetch finds the session of a request and what it has to read. parts and forgotten are the request's; they are kept.
func (m *Manager) BeginFetch(s Session, parts []FetchPartition, forgotten []ForgottenPartition) SessionFetch {
	f := SessionFetch{manager: m, Parts: parts, byTopicID: s.ByTopicID}
	if s.Epoch <= 0 {
		if s.ID != 0 {
			m.sessions.remove(s.ID)
		}
		f.create = s.Epoch == 0
		return f
	}
	session := m.sessions.get(s.ID)
	if session == nil {
		f.Code = wire.FetchSessionIDNotFound
		return f
	}
	session.mu.Lock()
	defer session.mu.Unlock()
	switch {
	case session.mu.closed:
		f.Code = wire.FetchSessionIDNotFound
		return f
	case session.mu.epoch != s.Epoch:
		f.Code = wire.InvalidFetchSessionEpoch
		return f
	case session.byTopicID != s.ByTopicID:
		f.Code = wire.FetchSessionTopicIDError
		return f
	}
	for i := range parts {
		session.putLocked(&parts[i]).touch()
	}
	for i := range forgotten {
		session.dropLocked(session.key(forgotten[i].Topic, forgotten[i].TopicID, forgotten[i].Partition))
	}
	session.size.Store(int32(len(session.mu.entries)))
	if len(session.mu.entries) == 0 {
		session.mu.closed = true
		m.sessions.forget(session)
		f.Parts = nil
		return f
	}
	session.mu.epoch = nextSessionEpoch(s.Epoch)
	f.session, f.epoch, f.incremental = session, session.mu.epoch, true
	f.takeLocked(s.Resolve)
	return f
}

// takeLocked lists the entries to be visited, in the session's order.
func (f *SessionFetch) takeLocked(resolve func(wire.UUID) string) {
	s := f.session
	s.changed.Lock()
	f.entries = s.changed.entries
	s.changed.entries = nil
	s.changed.Unlock()
	for _, e := range f.entries {
		e.queued.Store(false) // what happens from now on counts for the next fetch
	}
	f.entries = slices.DeleteFunc(f.entries, func(e *sessionEntry) bool { return s.mu.entries[e.key] != e })
	slices.SortFunc(f.entries, func(a, b *sessionEntry) int { return cmp.Compare(a.position, b.position) })
	f.Parts = make([]FetchPartition, len(f.entries))
	for i, e := range f.entries {
		if e.part.Topic == "" && resolve != nil {
			e.part.Topic = resolve(e.part.TopicID)
		}
		s.watch(f.manager, e)
		f.Parts[i] = e.part
	}
}

func nextSessionEpoch(epoch int32) int32 {
	if epoch == math.MaxInt32 {
		return 1
	}
	return epoch + 1
}

func (s *fetchSession) key(name string, id wire.UUID, partition int32) sessionKey {
	if s.byTopicID {
		name = ""
	}
	return sessionKey{name, id, partition}
}

// putLocked adds a partition or takes over what the request says of it.
func (s *fetchSession) putLocked(part *FetchPartition) *sessionEntry {
	key := s.key(part.Topic, part.TopicID, part.Partition)
	e := s.mu.entries[key]
	if e == nil {
		e = &sessionEntry{session: s, key: key, part: *part, position: len(s.mu.order), highWatermark: -1, logStart: -1}
		s.mu.entries[key] = e
		s.mu.order = append(s.mu.order, e)
		return e
	}
	topic := e.part.Topic
	e.part = *part
	if topic != "" {
		e.part.Topic = topic // resolved once
	}
	return e
}

func (s *fetchSession) dropLocked(key sessionKey) {
	e := s.mu.entries[key]
	if e == nil {
		return
	}
	delete(s.mu.entries, key)
	s.mu.order[e.position] = nil
	s.gapLocked()
	if e.partition != nil {
		e.partition.waiting.sessions.remove(e)
		e.partition = nil
	}
}

// toEndLocked moves a partition that got data behind the others, so that none starves.
func (s *fetchSession) toEndLocked(e *sessionEntry) {
	s.mu.order[e.position] = nil
	e.position = len(s.mu.order)
	s.mu.order = append(s.mu.order, e)
	s.gapLocked()
}

// gapLocked closes the order's gaps when half of it is gaps.
func (s *fetchSession) gapLocked() {
	s.mu.gaps++
	if s.mu.gaps <= len(s.mu.order)/2 {
		return
	}
	s.mu.gaps = 0
	s.mu.order = slices.DeleteFunc(s.mu.order, func(e *sessionEntry) bool { return e == nil })
	for i, e := range s.mu.order {
		e.position = i
	}
}
