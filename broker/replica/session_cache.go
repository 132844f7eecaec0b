package replica

import (
	"cmp"
	"math"
	"math/rand/v2"
	"time"
)

func (c *sessionCache) init(slots int) {
	c.slots = slots
	c.mu.byID = map[int32]*fetchSession{}
}

func (c *sessionCache) get(id int32) *fetchSession {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.byID[id]
}

// remove ends a session because its owner wants that.
func (c *sessionCache) remove(id int32) {
	if s := c.get(id); s != nil {
		c.forget(s)
		s.end()
	}
}

// forget takes a session out of the table.
func (c *sessionCache) forget(s *fetchSession) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.byID[s.id] == s {
		delete(c.mu.byID, s.id)
	}
}

// end lets a session's partitions go. The session is out of the table.
func (s *fetchSession) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.closed = true
	for key := range s.mu.entries {
		s.dropLocked(key)
	}
}

// create puts a session into the table, if there is a slot or one may be taken from another session.
func (c *sessionCache) create(s *fetchSession, now int64) bool {
	c.mu.Lock()
	var evicted *fetchSession
	if len(c.mu.byID) >= c.slots {
		if evicted = c.evictableLocked(s, now); evicted == nil {
			c.mu.Unlock()
			return false
		}
		delete(c.mu.byID, evicted.id)
		c.mu.evictions++
	}
	for s.id == 0 || c.mu.byID[s.id] != nil {
		s.id = 1 + rand.Int32N(math.MaxInt32)
	}
	c.mu.byID[s.id] = s
	c.mu.Unlock()
	if evicted != nil {
		evicted.end()
	}
	return true
}

// evictableLocked chooses whom a new session replaces (KIP-227): one that nobody has used for two minutes, else the least of those that it may replace, if it is greater
// than that one itself. A follower may replace any consumer, other than that sessions are safe for their first two minutes.
func (c *sessionCache) evictableLocked(s *fetchSession, now int64) *fetchSession {
	var stale, least *fetchSession
	for _, other := range c.mu.byID {
		if stale == nil || other.clock.last.Load() < stale.clock.last.Load() {
			stale = other
		}
		old := now-other.created > evictionAge.Milliseconds()
		if s.privileged && (!other.privileged || old) || !s.privileged && !other.privileged && old {
			if least == nil || compareSessions(other, least) < 0 {
				least = other
			}
		}
	}
	switch {
	case stale != nil && now-stale.clock.last.Load() > evictionAge.Milliseconds():
		return stale
	case least != nil && compareSessions(least, s) < 0:
		return least
	}
	return nil
}

// compareSessions orders sessions by what they're worth: followers, then size, then id.
func compareSessions(a, b *fetchSession) int {
	rank := func(s *fetchSession) int {
		if s.privileged {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.size.Load(), b.size.Load()), cmp.Compare(a.id, b.id))
}

// SessionStats is what there is of fetch sessions.
type SessionStats struct {
	Sessions, Partitions int
	Evictions            int64
}

// SessionStats counts the fetch sessions and the partitions in them.
func (m *Manager) SessionStats() SessionStats {
	c := &m.sessions
	c.mu.Lock()
	defer c.mu.Unlock()
	stats := SessionStats{Sessions: len(c.mu.byID), Evictions: c.mu.evictions}
	for _, s := range c.mu.byID {
		stats.Partitions += int(s.size.Load())
	}
	return stats
}

// newSession makes the session that a full fetch asked for; nil when there is no slot. Every partition counts as changed, so that the next fetch visits them all: nothing that has
// happened since the read is missed.
func (f *SessionFetch) newSession(replica int32, results []FetchResult) *fetchSession {
	if len(f.Parts) == 0 || f.manager.sessions.slots <= 0 {
		return nil
	}
	now := time.Now().UnixMilli()
	s := &fetchSession{replica: replica, privileged: replica >= 0, byTopicID: f.byTopicID, created: now}
	s.clock.last.Store(now)
	s.size.Store(int32(len(f.Parts)))
	s.mu.epoch = 1
	s.mu.entries = make(map[sessionKey]*sessionEntry, len(f.Parts))
	s.mu.Lock() // whoever guesses the id waits
	defer s.mu.Unlock()
	if !f.manager.sessions.create(s, now) {
		return nil
	}
	for i := range f.Parts {
		e := s.putLocked(&f.Parts[i])
		e.remember(&results[i])
		if e.part.Topic != "" {
			s.watch(f.manager, e)
		}
		e.touch()
	}
	s.size.Store(int32(len(s.mu.entries)))
	return s
}
