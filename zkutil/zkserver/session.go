package zkserver

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"time"
)

const passwdSize = 16

// session outlives its connections.
type session struct {
	id      int64
	passwd  []byte
	timeout time.Duration
	heard   int64 // Server.clock; the connection's own mark counts too
	conn    *conn // nil while disconnected
}

// handshake answers the first frame of a connection.
func (k *core) handshake(c *conn) {
	req := c.connect
	c.connect = nil
	if c.head.down || k.noQuorum || matchAny(k.refusals, c.info()) {
		k.stats.rejected++
		k.cut(c)
		return
	}
	if req.lastZxidSeen > c.head.applied {
		// "You have seen the future": another server may do better. Nothing else is closed without an answer.
		k.stats.rejected++
		k.tell(Event{Kind: ConnectionRejected, Session: req.session, Remote: c.remote, Err: errFuture})
		k.cut(c)
		return
	}
	timeout := min(max(time.Duration(req.timeoutMs)*time.Millisecond, k.opts.MinSessionTimeout), k.opts.MaxSessionTimeout)
	if req.session == 0 {
		if len(k.sessions) >= k.opts.MaxSessions {
			k.stats.rejected++
			k.tell(Event{Kind: ConnectionRejected, Remote: c.remote, Err: errTooManySessions})
			k.cut(c)
			return
		}
		k.openSession(c, timeout)
		k.accept(c, req, SessionOpened)
		return
	}
	s := k.sessions[req.session]
	if s == nil || k.hasEnding(s.id) || subtle.ConstantTimeCompare(s.passwd, req.passwd) != 1 {
		// A normal answer with zeros, then the end: clients read exactly this as "session expired".
		k.stats.rejected++
		k.tell(Event{Kind: SessionRefused, Session: req.session, Remote: c.remote})
		c.pend = putConnectResponse(c.pend, 0, 0, nil, req.hasReadOnly)
		k.mark(c)
		k.finish(c)
		return
	}
	if s.conn != nil {
		k.cut(s.conn)
	}
	s.timeout, s.conn, c.session = timeout, c, s
	s.heard = k.clock()
	k.accept(c, req, SessionResumed)
}

func (k *core) accept(c *conn, req *connectRequest, kind EventKind) {
	s := c.session
	c.pend = putConnectResponse(c.pend, s.timeout, s.id, s.passwd, req.hasReadOnly)
	k.stats.sent++
	k.mark(c)
	k.tell(Event{Kind: kind, Session: s.id, Remote: c.remote})
	k.release(c)
}

func putConnectResponse(b []byte, timeout time.Duration, id int64, passwd []byte, readOnly bool) []byte {
	n := 36
	if readOnly {
		n++
	}
	b = putInt32(b, int32(n))
	b = putInt32(b, 0)
	b = putInt32(b, int32(timeout/time.Millisecond))
	b = putInt64(b, id)
	if passwd == nil {
		passwd = make([]byte, passwdSize)
	}
	b = putBuffer(b, passwd)
	if readOnly {
		b = append(b, 0)
	}
	return b
}

func (k *core) openSession(c *conn, timeout time.Duration) {
	k.nextSID++
	for k.sessions[k.nextSID-1] != nil {
		k.nextSID++
	}
	s := &session{id: k.nextSID - 1, passwd: k.newPasswd(), timeout: timeout, heard: k.clock(), conn: c}
	c.session = s
	k.addSession(s)
	k.commit(&txn{zxid: k.leader.zxid + 1, time: k.now.UnixMilli(), muts: []mutation{{
		kind: mutOpen, owner: s.id, passwd: s.passwd, ttl: timeout.Milliseconds(),
	}}})
}

func (k *core) newPasswd() []byte {
	p := make([]byte, passwdSize)
	if k.opts.Seed == 0 {
		_, _ = rand.Read(p) // never fails
		return p
	}
	binary.BigEndian.PutUint64(p, k.rng.Uint64())
	binary.BigEndian.PutUint64(p[8:], k.rng.Uint64())
	return p
}

// addSession registers a session and arms its expiry.
func (k *core) addSession(s *session) {
	k.sessions[s.id] = s
	k.armExpiry(s)
}

// deadline is the end of a session nobody hears of: the next multiple of the tick after the timeout, as in the original.
func (k *core) deadline(s *session) time.Time {
	heard := s.heard
	if s.conn != nil {
		heard = max(heard, s.conn.heard.Load())
	}
	after := time.Duration(heard) + s.timeout
	return k.s.started.Add((after/k.opts.TickTime + 1) * k.opts.TickTime)
}

// armExpiry keeps one timer per session. When it goes off, the deadline is computed again: requests do not touch timers.
func (k *core) armExpiry(s *session) {
	k.at(k.deadline(s), func() {
		if k.sessions[s.id] != s {
			return
		}
		if k.noQuorum || k.deadline(s).After(k.now) {
			if k.noQuorum { // sessions live through an election
				s.heard = k.clock()
			}
			k.armExpiry(s)
			return
		}
		k.expire(s)
	})
}

// expire ends a session for silence. Its connection, if there is one, is closed without a word.
func (k *core) expire(s *session) {
	if c := s.conn; c != nil {
		k.cut(c)
	}
	k.endSession(s, SessionExpired)
}

// endSession deletes a session and its ephemerals in one transaction, which it returns. With an ephemeral below a frozen path it
// waits for the thaw, and returns nil.
func (k *core) endSession(s *session, kind EventKind) *txn {
	var paths []string
	for p := range k.leader.ephemerals[s.id] {
		paths = append(paths, p)
	}
	for _, p := range paths {
		if k.isFrozen(p) {
			k.ending[s.id] = kind
			return nil
		}
	}
	sortShuffle(paths, k)
	w := k.writer(nil)
	w.deleteOwned(paths)
	x := &txn{zxid: w.zxid, time: w.now, muts: append(w.muts, mutation{kind: mutClose, owner: s.id})}
	delete(k.sessions, s.id)
	delete(k.ending, s.id)
	if kind == SessionExpired {
		k.stats.expired++
	}
	k.commit(x)
	remote := ""
	if s.conn != nil {
		remote = s.conn.remote
	}
	k.tell(Event{Kind: kind, Session: s.id, Remote: remote})
	return x
}

func (k *core) hasEnding(id int64) bool {
	_, ok := k.ending[id]
	return ok
}
