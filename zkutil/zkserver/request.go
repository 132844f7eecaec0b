package zkserver

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/prekraft/prekraft/zkutil/sasl"
)

var (
	errFuture      = errors.New("client has seen a later transaction than this server")
	errQueueFull   = errors.New("output queue full")
	errShortHeader = errors.New("request shorter than its header")
	errManyWatches = errors.New("too many watches")

	errTooManySessions = errors.New("too many sessions")
)

// isViolation tells ends of connections worth an event from ordinary ones.
func isViolation(err error) bool { return errors.Is(err, errFrameLength) }

// result is what a request came to.
type result struct {
	code Code
	body []byte // part of the core's scratch buffer
	zxid int64  // of the write: the reply waits until the connection's head has applied it; 0 for reads
	// fixed: the header's zxid is headZxid, whatever the head has applied.
	fixed    bool
	headZxid int64
	fin      bool // close the connection after the reply
}

// request handles one frame. It returns false if the connection got blocked before the request was executed.
func (k *core) request(c *conn, frame []byte) bool {
	d := decoder{b: frame}
	xid, op := d.int32(), Op(d.int32())
	if d.err != nil {
		k.tell(Event{Kind: ConnectionCut, Session: c.sessionID(), Remote: c.remote, Err: errShortHeader})
		k.cut(c)
		return true
	}
	if len(k.frozen) > 0 && k.hitsFrozen(c, op, d.b) {
		c.blocked |= blockFrozen
		return false
	}
	var act Action
	if len(k.rules) > 0 && !c.delayed {
		act = k.matchRules(c, xid, op, d.b)
		switch act.kind {
		case actDropBefore:
			k.cut(c)
			return true
		case actDelay:
			c.delayed = true
			c.blocked |= blockDelay
			k.after(act.delay, func() { k.unblock(c, blockDelay) })
			return false
		case actNone, actDropAfter, actFail:
		}
	}
	c.received++
	k.stats.received++
	var r result
	if act.kind == actFail {
		r = result{code: act.code}
	} else {
		r = k.execute(c, op, d.b)
	}
	if k.trace != nil {
		k.traceRequest(c, xid, op, d.b, r)
	}
	switch {
	case c.gone:
	case act.kind == actDropAfter:
		k.cut(c)
	default:
		if op == OpPing {
			xid = xidPing
		}
		k.respond(c, xid, r)
	}
	return true
}

// respond queues the reply, or keeps it until the connection's head has applied the transaction.
func (k *core) respond(c *conn, xid int32, r result) {
	if c.head.applied < r.zxid {
		b := putInt32(nil, int32(16+len(r.body)))
		b = putInt32(b, xid)
		b = putInt64(b, 0)
		b = putInt32(b, int32(r.code))
		c.waiting, c.waitZxid, c.waitFin = append(b, r.body...), r.zxid, r.fin
		c.blocked |= blockApply
		return
	}
	zxid := c.head.applied
	if r.fixed {
		zxid = r.headZxid
	}
	k.reply(c, xid, zxid, r.code, r.body)
	if r.fin {
		k.finish(c)
	}
}

// applied sends the reply that waited for the head, and goes on with the connection's requests.
func (k *core) applied(c *conn) {
	if c.blocked&blockApply == 0 || c.gone || c.head.applied < c.waitZxid {
		return
	}
	binary.BigEndian.PutUint64(c.waiting[8:], uint64(c.head.applied))
	b := c.sink(false)
	*b = append(*b, c.waiting...)
	c.waiting = nil
	k.queued(c)
	if c.waitFin {
		k.finish(c)
	}
	k.unblock(c, blockApply)
}

// execute runs one request. Its body is never kept.
func (k *core) execute(c *conn, op Op, body []byte) result {
	switch op {
	case OpPing:
		return result{}
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL, OpDelete, OpSetData, OpSetACL, OpMulti:
		return k.executeWrite(c, op, body)
	case OpSync:
		d := decoder{b: body}
		path, ok := d.ustring()
		if d.err != nil {
			return result{code: CodeMarshallingError}
		}
		k.scratch = putInt32(k.scratch[:0], -1)
		if ok {
			k.scratch = putString(k.scratch[:0], path)
		}
		return result{body: k.scratch, zxid: k.leader.zxid}
	case OpCloseSession:
		x := k.endSession(c.session, SessionClosed)
		return result{zxid: x.zxid, fin: true}
	case OpAuth:
		return k.auth(c, body)
	case OpSASL:
		return k.saslMessage(c, body)
	case OpExists, OpGetData, OpGetACL, OpGetChildren, OpGetChildren2, OpMultiRead, OpGetEphemerals,
		OpGetAllChildrenNumber, OpWhoAmI:
		return k.executeRead(c, op, body)
	case OpSetWatches, OpSetWatches2, OpAddWatch, OpRemoveWatches, OpCheckWatches:
		return k.executeWatch(c, op, body)
	case OpCheck: // outside a multi: the original never answers
		return result{code: CodeUnimplemented}
	case OpCreateSession: // not for clients, but the original does not cut the connection for it
		return k.failedWrite(CodeMarshallingError)
	case OpDeleteContainer:
		return k.failedWrite(CodeBadArguments)
	case OpReconfig:
		d := decoder{b: body}
		d.ustring()
		d.ustring()
		d.ustring()
		if d.int64(); d.err != nil {
			return result{code: CodeMarshallingError}
		}
		return k.failedWrite(CodeReconfigDisabled)
	}
	return result{code: CodeUnimplemented, fixed: true, headZxid: -1, fin: true}
}

// failedWrite takes a transaction id for a write that is refused whatever it holds.
func (k *core) failedWrite(code Code) result {
	x := &txn{zxid: k.leader.zxid + 1, time: k.now.UnixMilli()}
	k.commit(x)
	return result{code: code, zxid: x.zxid}
}

func (k *core) executeWrite(c *conn, op Op, body []byte) result {
	w := k.writer(c)
	var code Code
	d := decoder{b: body}
	out := k.scratch[:0]
	switch op {
	case OpDelete:
		path, version := d.path(), d.int32()
		if code = marshalled(&d); code == CodeOK {
			code = w.delete(path, version)
		}
	case OpSetData:
		path, _ := d.ustring() // null is no valid path
		data, version := d.buffer(), d.int32()
		if code = marshalled(&d); code == CodeOK {
			var n *node
			if n, code = w.set(path, data, version); code == CodeOK {
				st := n.stat()
				out = putStat(out, &st)
			}
		}
	case OpSetACL:
		path, _ := d.ustring()
		acl, version := d.acls(), d.int32()
		if code = marshalled(&d); code == CodeOK {
			var n *node
			if n, code = w.setACL(path, acl, version); code == CodeOK {
				st := n.stat()
				out = putStat(out, &st)
			}
		}
	case OpMulti:
		ops, err := decodeMulti(body)
		if err != nil {
			code = CodeMarshallingError
			break
		}
		out, _, _ = w.multi(out, ops) // a failed one is answered with code 0 too
	default:
		r := d.create(op)
		if code = marshalled(&d); code == CodeOK {
			var path string
			var n *node
			if path, n, code = w.create(&r); code == CodeOK {
				out = putString(out, path)
				if op != OpCreate {
					st := n.stat()
					out = putStat(out, &st)
				}
			}
		}
	}
	k.scratch = keepScratch(out)
	k.commit(&txn{zxid: w.zxid, time: w.now, muts: w.muts}) // a failed write is a transaction too
	if code != CodeOK {
		out = nil
	}
	return result{code: code, body: out, zxid: w.zxid}
}

// keepScratch returns the buffer to use next, not holding on to a huge one.
func keepScratch(b []byte) []byte {
	if cap(b) > 1<<20 {
		return nil
	}
	return b
}

func marshalled(d *decoder) Code {
	if d.err != nil {
		return CodeMarshallingError
	}
	return CodeOK
}

// auth adds an identity to the connection. The digest scheme takes any user and password: a wrong one is another identity.
func (k *core) auth(c *conn, body []byte) result {
	d := decoder{b: body}
	d.int32()
	scheme, _ := d.ustring()
	data := d.buffer()
	if d.err != nil {
		return result{code: CodeMarshallingError, fixed: true}
	}
	if len(data) > maxAuth {
		scheme = ""
	}
	switch scheme {
	case "digest":
		id := Digest(string(data))
		if k.opts.SuperDigest != "" && id == k.opts.SuperDigest {
			c.addID(authID{"super", ""})
		}
		c.addID(authID{"digest", id})
	case "ip":
	default:
		return result{code: CodeAuthFailed, fixed: true, fin: true}
	}
	return result{fixed: true}
}

// saslMessage handles one message of the exchange that gives a connection the identity of a user.
func (k *core) saslMessage(c *conn, body []byte) result {
	d := decoder{b: body}
	token := d.buffer()
	if d.err != nil || token == nil {
		k.cut(c) // without an answer, as the original
		return result{}
	}
	if len(k.opts.Users) == 0 {
		return result{fixed: true, body: putInt32(nil, -1)}
	}
	if c.sasl == nil {
		c.sasl = sasl.NewServer(func(user string) (string, bool) {
			password, known := k.opts.Users[user]
			return password, known
		}, nil)
	}
	reply, done, err := c.sasl.Step(token)
	if err != nil {
		k.tell(Event{Kind: AuthFailed, Session: c.sessionID(), Remote: c.remote, Err: err})
		return result{code: CodeAuthFailed, fixed: true, body: putInt32(nil, -1), fin: true}
	}
	if done {
		c.addID(authID{"sasl", c.sasl.User()})
		k.tell(Event{Kind: Authenticated, Session: c.sessionID(), Remote: c.remote})
	}
	return result{fixed: true, body: putBuffer(nil, reply)}
}

const (
	maxIDs  = 256     // identities of a connection; each permission check walks them
	maxAuth = 8 << 10 // bytes of one
)

func (c *conn) addID(id authID) {
	if len(c.ids) < maxIDs && !slices.Contains(c.ids, id) {
		c.ids = append(c.ids, id)
	}
}

func (k *core) executeRead(c *conn, op Op, body []byte) result {
	d := decoder{b: body}
	out := k.scratch[:0]
	var code Code
	switch op {
	case OpExists:
		path, watch := d.path(), d.boolean()
		if code = marshalled(&d); code == CodeOK {
			out, code = k.exists(c, out, path, watch)
		}
	case OpGetData:
		path, watch := d.path(), d.boolean()
		if code = marshalled(&d); code == CodeOK {
			out, code = k.getData(c, out, path, watch)
		}
	case OpGetChildren, OpGetChildren2:
		path, watch := d.path(), d.boolean()
		if code = marshalled(&d); code == CodeOK {
			out, code = k.getChildren(c, out, path, watch, op == OpGetChildren2)
		}
	case OpGetACL:
		path := d.path()
		if code = marshalled(&d); code == CodeOK {
			out, code = k.getACL(c, out, path)
		}
	case OpGetAllChildrenNumber:
		path := d.path()
		if code = marshalled(&d); code == CodeOK {
			if _, code = readable(c, path); code == CodeOK {
				out = putInt32(out, int32(c.head.tree().descendants(path)))
			}
		}
	case OpGetEphemerals:
		prefix, _ := d.ustring()
		if code = marshalled(&d); code == CodeOK {
			out = k.getEphemerals(c, out, prefix)
		}
	case OpWhoAmI:
		out = putInt32(out, int32(len(c.ids)))
		for _, id := range c.ids {
			user := id.id
			if id.scheme == "digest" {
				user, _, _ = strings.Cut(user, ":")
			}
			out = putString(putString(out, id.scheme), user)
		}
	default: // OpMultiRead
		out, code = k.multiRead(c, out, body)
	}
	k.scratch = keepScratch(out)
	if code != CodeOK && op != OpMultiRead {
		out = nil
	}
	return result{code: code, body: out}
}

// readable returns a node the caller may read.
func readable(c *conn, path string) (*node, Code) {
	n := c.head.tree().get(path)
	if n == nil {
		return nil, CodeNoNode
	}
	if !n.acl.allows(PermRead, c.ids) {
		return nil, CodeNoAuth
	}
	return n, CodeOK
}

// exists leaves its watch on a missing node too. Since 3.8.4 it needs READ on one that is there.
func (k *core) exists(c *conn, out []byte, path string, watch bool) ([]byte, Code) {
	if strings.IndexByte(path, 0) >= 0 {
		return out, CodeBadArguments
	}
	n := c.head.tree().get(path)
	if n != nil && !n.acl.allows(PermRead, c.ids) {
		return out, CodeNoAuth
	}
	if watch {
		k.watch(c, c.head.data, path, watchOnce)
	}
	if n == nil {
		return out, CodeNoNode
	}
	st := n.stat()
	return putStat(out, &st), CodeOK
}

func (k *core) getData(c *conn, out []byte, path string, watch bool) ([]byte, Code) {
	n, code := readable(c, path)
	if code != CodeOK {
		return out, code
	}
	if watch {
		k.watch(c, c.head.data, path, watchOnce)
	}
	st := n.stat()
	return putStat(putBuffer(out, n.data), &st), CodeOK
}

// getChildren shuffles: the original's order is that of a hash table, and code that relies on any order should fail early.
func (k *core) getChildren(c *conn, out []byte, path string, watch, stat bool) ([]byte, Code) {
	n, code := readable(c, path)
	if code != CodeOK {
		return out, code
	}
	if watch {
		k.watch(c, c.head.child, path, watchOnce)
	}
	names := slices.Clone(n.children.names)
	k.shuffle(names)
	out = putInt32(out, int32(len(names)))
	for _, name := range names {
		out = putString(out, name)
	}
	if stat {
		st := n.stat()
		out = putStat(out, &st)
	}
	return out, CodeOK
}

func (k *core) getACL(c *conn, out []byte, path string) ([]byte, Code) {
	n := c.head.tree().get(path)
	switch {
	case n == nil:
		return out, CodeNoNode
	case !n.acl.allows(PermRead|PermAdmin, c.ids):
		return out, CodeNoAuth
	}
	entries := n.acl.entries
	if !n.acl.allows(PermAdmin, c.ids) {
		entries = n.acl.masked()
	}
	st := n.stat()
	return putStat(putACLs(out, entries), &st), CodeOK
}

func (k *core) getEphemerals(c *conn, out []byte, prefix string) []byte {
	var paths []string
	all := strings.TrimSpace(prefix) == "" || strings.TrimSpace(prefix) == "/"
	for p := range c.head.tree().ephemerals[c.sessionID()] {
		if all || strings.HasPrefix(p, prefix) {
			paths = append(paths, p)
		}
	}
	sortShuffle(paths, k)
	out = putInt32(out, int32(len(paths)))
	for _, p := range paths {
		out = putString(out, p)
	}
	return out
}

// multiRead answers each read on its own; errors do not stop it. An operation that does not belong there is answered as the
// original does: with an error that has a body.
func (k *core) multiRead(c *conn, out, body []byte) ([]byte, Code) {
	end := putMultiHeader(nil, -1, true, -1)
	for check := range 2 { // the whole request is decoded before any of it runs
		d := decoder{b: body}
		for {
			op := Op(d.int32())
			done := d.boolean()
			d.int32()
			if d.err != nil {
				return out, CodeMarshallingError
			}
			if done {
				break
			}
			if op != OpGetData && op != OpGetChildren {
				return append(out, end...), CodeMarshallingError
			}
			path := d.path()
			d.boolean() // watches are not set
			if d.err != nil {
				return out, CodeMarshallingError
			}
			if check == 0 {
				continue
			}
			// Many reads of one large node fit into a small request: stop at the size at which the connection would be cut anyway.
			if len(out) > k.opts.MaxQueue {
				return out, CodeMarshallingError
			}
			at := len(out)
			out = putMultiHeader(out, op, false, 0)
			var code Code
			if op == OpGetData {
				out, code = k.getData(c, out, path, false)
			} else {
				out, code = k.getChildren(c, out, path, false, false)
			}
			if code != CodeOK {
				out = putInt32(putMultiHeader(out[:at], -1, false, code), int32(code))
			}
		}
	}
	return append(out, end...), CodeOK
}

// sortShuffle puts names from a map into an order that depends on the seed alone.
func sortShuffle(names []string, k *core) {
	slices.Sort(names)
	k.shuffle(names)
}
