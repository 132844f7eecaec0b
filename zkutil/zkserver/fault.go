package zkserver

import (
	"slices"
	"strings"
	"time"
)

// ConnInfo describes a connection to the functions that choose connections.
type ConnInfo struct {
	Session int64  // 0 before the handshake; during it, the id the client asks for
	Remote  string // remote address, or the name given to DialAs
	Head    int
}

func (c *conn) info() ConnInfo {
	i := ConnInfo{Session: c.sessionID(), Remote: c.remote, Head: c.head.id}
	if i.Session == 0 {
		i.Session = c.asked
	}
	return i
}

// BySession chooses the connection of a session.
func BySession(id int64) func(ConnInfo) bool { return func(i ConnInfo) bool { return i.Session == id } }

// ByRemote chooses connections by address or name.
func ByRemote(remote string) func(ConnInfo) bool {
	return func(i ConnInfo) bool { return i.Remote == remote }
}

// matcher is a condition that can be taken back. nil chooses all.
type matcher struct{ match func(ConnInfo) bool }

func matchAny(list []*matcher, i ConnInfo) bool {
	for _, m := range list {
		if m.match == nil || m.match(i) {
			return true
		}
	}
	return false
}

func chosen(match func(ConnInfo) bool, i ConnInfo) bool { return match == nil || match(i) }

// Request describes a request to the functions that choose or trace requests.
type Request struct {
	Conn    ConnInfo
	Xid     int32
	Op      Op
	Path    string    // of operations on one path
	Version int32     // of delete, setData, setACL and check
	Data    []byte    // of create and setData; valid during the call only
	Sub     []Request // of multi and multiRead
}

// Touches says whether the request, or an operation of its multi or multiRead, is about path.
func (r *Request) Touches(path string) bool {
	if r.Path == path {
		return true
	}
	for i := range r.Sub {
		if r.Sub[i].Path == path {
			return true
		}
	}
	return false
}

// Write says whether the request changes the tree.
func (r *Request) Write() bool { return isWrite(r.Op) }

func isWrite(op Op) bool {
	switch op {
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL, OpDelete, OpSetData, OpSetACL, OpMulti:
		return true
	default:
		return false
	}
}

// describe decodes what a matcher may want to know. Undecodable parts stay empty.
func describe(c *conn, xid int32, op Op, body []byte) Request {
	r := Request{Conn: c.info(), Xid: xid, Op: op}
	d := decoder{b: body}
	switch op {
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL:
		r.Path, r.Data = d.path(), d.buffer()
	case OpSetData:
		r.Path, r.Data, r.Version = d.path(), d.buffer(), d.int32()
	case OpSetACL:
		r.Path = d.path()
		d.acls()
		r.Version = d.int32()
	case OpDelete, OpCheck:
		r.Path, r.Version = d.path(), d.int32()
	case OpMulti:
		ops, err := decodeMulti(body)
		if err != nil {
			return r
		}
		for _, s := range ops {
			r.Sub = append(r.Sub, Request{Conn: r.Conn, Xid: xid, Op: s.op, Path: s.path, Version: s.version, Data: s.data})
		}
	case OpMultiRead:
		for {
			sub, done := Op(d.int32()), d.boolean()
			d.int32()
			if done || d.err != nil {
				return r
			}
			path := d.path()
			if d.boolean(); d.err != nil {
				return r
			}
			r.Sub = append(r.Sub, Request{Conn: r.Conn, Xid: xid, Op: sub, Path: path})
		}
	case OpExists, OpGetData, OpGetACL, OpGetChildren, OpGetChildren2, OpSync, OpRemoveWatches, OpCheckWatches,
		OpGetAllChildrenNumber, OpAddWatch:
		r.Path = d.path()
	default:
	}
	return r
}

type actionKind uint8

const (
	actNone actionKind = iota
	actDropBefore
	actDropAfter
	actDelay
	actFail
)

// Action is what OnRequest does to a request.
type Action struct {
	kind  actionKind
	delay time.Duration
	code  Code
}

// DropBefore closes the connection instead of executing the request.
func DropBefore() Action { return Action{kind: actDropBefore} }

// DropAfter executes the request and closes the connection before the reply: to the client the outcome is unknown.
func DropAfter() Action { return Action{kind: actDropAfter} }

// Delay keeps the request, and those after it on its connection, for d, and then executes it.
func Delay(d time.Duration) Action { return Action{kind: actDelay, delay: d} }

// Fail answers the request with code instead of executing it.
func Fail(code Code) Action { return Action{kind: actFail, code: code} }

type rule struct {
	match  func(*Request) bool
	action Action
	left   int // 0: no limit
}

func (k *core) matchRules(c *conn, xid int32, op Op, body []byte) Action {
	r := describe(c, xid, op, body)
	for i, u := range k.rules {
		if u.match != nil && !u.match(&r) {
			continue
		}
		if u.left > 0 {
			if u.left--; u.left == 0 {
				k.rules = slices.Delete(k.rules, i, i+1)
			}
		}
		return u.action
	}
	return Action{}
}

// OnRequest does action to the next n requests that match chooses, pings included; n = 0 means all to come, match = nil any.
// Of several rules the first made counts. match runs on the server's goroutine: it must neither block nor call the server.
// The returned function takes the rule back.
func (s *Server) OnRequest(match func(*Request) bool, action Action, n int) (remove func()) {
	u := &rule{match: match, action: action, left: n}
	s.do(func(k *core) { k.rules = append(k.rules, u) })
	return func() {
		s.do(func(k *core) { k.rules = slices.DeleteFunc(k.rules, func(o *rule) bool { return o == u }) })
	}
}

// ExpireSession ends a session as if it had been silent for too long, and says whether it existed.
func (s *Server) ExpireSession(id int64) bool {
	return s.ExpireSessions(func(i SessionInfo) bool { return i.ID == id }) > 0
}

// ExpireSessions ends all sessions that match chooses (nil: all) and returns how many these were.
func (s *Server) ExpireSessions(match func(SessionInfo) bool) int {
	n := 0
	s.do(func(k *core) {
		for _, ss := range k.sessionList() {
			if match == nil || match(ss.view()) {
				k.expire(ss)
				n++
			}
		}
	})
	return n
}

// DropConnections closes the connections that match chooses (nil: all), with whatever is under way on them, and returns
// how many. Their sessions live on.
func (s *Server) DropConnections(match func(ConnInfo) bool) int {
	n := 0
	s.do(func(k *core) {
		for _, c := range k.connList() {
			if !c.gone && chosen(match, c.info()) {
				k.cut(c)
				n++
			}
		}
	})
	return n
}

// Refuse closes the connections that match chooses (nil: all) and every new one at its handshake, until the returned function is called.
// At the handshake ConnInfo.Session is the id of the session the client wants to resume.
func (s *Server) Refuse(match func(ConnInfo) bool) (allow func()) {
	m := &matcher{match}
	s.do(func(k *core) {
		k.refusals = append(k.refusals, m)
		for _, c := range k.connList() {
			if !c.gone && chosen(match, c.info()) {
				k.cut(c)
			}
		}
	})
	return func() {
		s.do(func(k *core) { k.refusals = slices.DeleteFunc(k.refusals, func(o *matcher) bool { return o == m }) })
	}
}

// Pause makes the server behave like a stopped process: connections are accepted, nothing is answered, no session expires.
// Methods of Server go on working.
func (s *Server) Pause() { s.do(func(k *core) { k.paused = true }) }

// Resume ends Pause. What has arrived meanwhile is handled; sessions whose clients were silent for too long expire.
func (s *Server) Resume() { s.do(func(k *core) { k.paused = false }) }

// PauseAccepted leaves the handshakes of new connections unanswered until the returned function is called.
func (s *Server) PauseAccepted() (resume func()) {
	s.do(func(k *core) { k.stallNew = true })
	return func() {
		s.do(func(k *core) {
			k.stallNew = false
			list := k.stallList
			k.stallList = nil
			for _, c := range list {
				if !c.gone {
					c.blocked &^= blockStall
					k.handshake(c)
				}
			}
		})
	}
}

// HoldEvents delays watch events to the connections that match chooses (nil: all). Since an event precedes every reply that
// shows its change, everything a connection would get after the first held event is held too, except for replies to pings.
func (s *Server) HoldEvents(match func(ConnInfo) bool) {
	s.do(func(k *core) { k.holds = append(k.holds, &matcher{match}) })
}

// ReleaseEvents ends all HoldEvents and sends what was held.
func (s *Server) ReleaseEvents() {
	s.do(func(k *core) {
		k.holds = nil
		for _, c := range k.connList() {
			if !c.holding {
				continue
			}
			c.holding = false
			c.pend = append(c.pend, c.held...)
			c.held = nil
			c.fin = c.fin || c.heldFin
			k.mark(c)
		}
	})
}

// Freeze keeps everything at and below path from changing: requests that would, and the ends of sessions with ephemerals there, wait
// until the returned function is called. Other requests behind a waiting one on its connection wait too.
func (s *Server) Freeze(path string) (thaw func()) {
	s.do(func(k *core) { k.frozen[path]++ })
	once := false
	return func() {
		s.do(func(k *core) {
			if once {
				return
			}
			once = true
			if k.frozen[path]--; k.frozen[path] == 0 {
				delete(k.frozen, path)
			}
			for _, ss := range k.sessionList() {
				if kind, ok := k.ending[ss.id]; ok {
					k.endSession(ss, kind)
				}
			}
			for _, c := range k.connList() {
				k.unblock(c, blockFrozen)
			}
		})
	}
}

func (k *core) isFrozen(path string) bool {
	for p := range k.frozen {
		if path == p || p == "/" || strings.HasPrefix(path, p) && path[len(p)] == '/' {
			return true
		}
	}
	return false
}

// hitsFrozen says whether a request would change something frozen. The name of a sequential node is not known yet; its prefix is.
func (k *core) hitsFrozen(c *conn, op Op, body []byte) bool {
	if op == OpCloseSession {
		for p := range k.leader.ephemerals[c.sessionID()] {
			if k.isFrozen(p) {
				return true
			}
		}
		return false
	}
	if !isWrite(op) {
		return false
	}
	r := describe(c, 0, op, body)
	if k.isFrozen(r.Path) {
		return true
	}
	for i := range r.Sub {
		if r.Sub[i].Op != OpCheck && k.isFrozen(r.Sub[i].Path) {
			return true
		}
	}
	return false
}

// Trace is one executed request and its outcome.
type Trace struct {
	Request
	Code Code  // of a multi: the failing operation's
	Zxid int64 // of the transaction, 0 for reads
}

// Trace calls fn for every request after it was executed; nil ends it. fn runs on the server's goroutine: it must neither block
// nor call the server, and must copy the Data it wants to keep.
func (s *Server) Trace(fn func(Trace)) { s.do(func(k *core) { k.trace = fn }) }

func (k *core) traceRequest(c *conn, xid int32, op Op, body []byte, r result) {
	t := Trace{Request: describe(c, xid, op, body), Code: r.code, Zxid: r.zxid}
	if op == OpSync {
		t.Zxid = 0
	}
	if op == OpMulti && r.code == CodeOK {
		t.Code = multiCode(r.body)
	}
	k.trace(t)
}

// multiCode finds the code of the operation that failed in the body of a multi's reply.
func multiCode(body []byte) Code {
	d := decoder{b: body}
	for {
		op, done, code := d.int32(), d.boolean(), Code(d.int32())
		if d.err != nil || done || op != -1 {
			return CodeOK
		}
		if d.int32(); code != CodeOK {
			return code
		}
	}
}

// KillHead closes the connections of head i and refuses new ones until StartHead.
func (s *Server) KillHead(i int) error {
	return s.withHead(i, func(k *core, h *head) {
		h.down = true
		for _, c := range k.connList() {
			if c.head == h {
				k.cut(c)
			}
		}
	})
}

// StartHead ends KillHead. The head has caught up by then as far as its lag allows.
func (s *Server) StartHead(i int) error {
	return s.withHead(i, func(_ *core, h *head) { h.down = false })
}

// LagHead lets head i apply transactions d after they were made: its clients read old data, hear of changes late, and get
// the replies to their own writes once the head has applied them. A client that has seen more elsewhere is not let in.
// 0 makes the head catch up and stay current.
func (s *Server) LagHead(i int, d time.Duration) error {
	return s.withHead(i, func(_ *core, h *head) { h.setLag(d) })
}

// LoseQuorum makes the ensemble serve nobody for d: connections are closed, new ones too. Sessions survive with a fresh
// timeout and transactions go on in a new epoch, as after an election.
func (s *Server) LoseQuorum(d time.Duration) {
	s.do(func(k *core) {
		k.noQuorum = true
		k.elections++
		for _, c := range k.connList() {
			k.cut(c)
		}
		k.after(d, func() {
			if k.elections--; k.elections > 0 {
				return
			}
			k.noQuorum = false
			for _, ss := range k.sessions {
				ss.heard = k.clock()
			}
			k.commit(&txn{zxid: (k.leader.zxid>>32 + 1) << 32, time: k.now.UnixMilli()})
		})
	})
}

func (s *Server) withHead(i int, f func(*core, *head)) error {
	if i < 0 || i >= s.opts.Heads {
		return ErrNoHead
	}
	s.do(func(k *core) { f(k, k.heads[i]) })
	return nil
}
