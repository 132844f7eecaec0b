package zkserver

import (
	"fmt"
	"strings"
)

// maxTTL is the longest TTL the original can store in a node's owner field: 40 bits of milliseconds.
const maxTTL = 1<<40 - 1

// writer is one transaction in the making. Each operation is checked against the tree as the ones before it left it,
// and applied at once; rollback undoes them all. This works since nothing else runs meanwhile, and saves the
// overlay of outstanding changes that the original needs.
type writer struct {
	t        *tree
	acls     *aclCache
	zxid     int64
	now      int64 // ms
	session  int64
	ids      []authID
	extended bool // TTL nodes allowed
	maxBytes int64
	muts     []mutation
	undos    []undo
}

func (w *writer) do(m mutation) {
	w.undos = append(w.undos, w.t.apply(w.zxid, w.now, &m))
	w.muts = append(w.muts, m)
}

func (w *writer) rollback() {
	for i := len(w.undos) - 1; i >= 0; i-- {
		w.t.revert(&w.undos[i])
	}
	w.undos, w.muts = nil, nil
}

// parentForWrite returns the parent's path by the original's rule, which looks at nothing but the last slash.
func parentForWrite(path string) (string, bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 || strings.IndexByte(path, 0) >= 0 {
		return "", false
	}
	return path[:i], true
}

// createMode decodes the flags of a create (CreateMode.fromFlag).
func createMode(flags int32) (kind nodeKind, sequential, ok bool) {
	switch flags {
	case 0:
		return kindPersistent, false, true
	case 1:
		return kindEphemeral, false, true
	case 2:
		return kindPersistent, true, true
	case 3:
		return kindEphemeral, true, true
	case 4:
		return kindContainer, false, true
	case 5:
		return kindTTL, false, true
	case 6:
		return kindTTL, true, true
	}
	return 0, false, false
}

// create checks in the original's order: flags, TTL, parent's path, ACL form, parent, permission, path, existence, ephemeral parent.
func (w *writer) create(r *createRequest) (string, *node, Code) {
	kind, sequential, ok := createMode(r.flags)
	if !ok {
		return "", nil, CodeBadArguments
	}
	if kind == kindTTL {
		if !w.extended {
			return "", nil, CodeUnimplemented
		}
		if r.ttl <= 0 || r.ttl > maxTTL {
			return "", nil, CodeBadArguments
		}
	} else if r.ttl != noTTL {
		// The original accepts a negative TTL here and then dies of it, for good: the transaction is in its log.
		return "", nil, CodeBadArguments
	}
	if r.container {
		kind = kindContainer
	}
	parentPath, ok := parentForWrite(r.path)
	if !ok {
		return "", nil, CodeBadArguments
	}
	acl, code := w.acls.fixup(r.acl, w.ids)
	if code != CodeOK {
		return "", nil, code
	}
	parent := w.t.get(parentPath)
	if parent == nil {
		return "", nil, CodeNoNode
	}
	if !parent.acl.allows(PermCreate, w.ids) {
		return "", nil, CodeNoAuth
	}
	path := r.path
	if sequential {
		path += fmt.Sprintf("%010d", parent.creates)
	}
	if !validPath(path) {
		return "", nil, CodeBadArguments
	}
	if w.t.get(path) != nil {
		return "", nil, CodeNodeExists
	}
	if parent.kind == kindEphemeral {
		return "", nil, CodeNoChildrenForEphemerals
	}
	if !w.fits(int64(len(path)+len(r.data)) + acl.size) {
		return "", nil, CodeQuotaExceeded
	}
	m := mutation{kind: mutCreate, node: kind, path: path, data: cloneData(r.data), acl: acl, parent: parent.acl}
	switch kind {
	case kindEphemeral:
		m.owner = w.session
	case kindTTL:
		m.ttl = r.ttl
	case kindPersistent, kindContainer:
	}
	w.do(m)
	return path, w.t.nodes[path], CodeOK
}

// fits says whether the tree may grow by that many bytes.
func (w *writer) fits(more int64) bool { return more <= 0 || w.t.bytes+more <= w.maxBytes }

func (w *writer) delete(path string, version int32) Code {
	parentPath, ok := parentForWrite(path)
	if !ok || specialPath(path) {
		return CodeBadArguments
	}
	parent := w.t.get(parentPath)
	if parent == nil {
		return CodeNoNode
	}
	if !parent.acl.allows(PermDelete, w.ids) {
		return CodeNoAuth
	}
	n := w.t.get(path)
	switch {
	case n == nil:
		return CodeNoNode
	case version != -1 && version != n.version:
		return CodeBadVersion
	case n.children.len() > 0:
		return CodeNotEmpty
	}
	w.do(mutation{kind: mutDelete, path: path, acl: n.acl, parent: parent.acl})
	return CodeOK
}

// specialPath says whether a node is part of every tree and may not be deleted.
func specialPath(p string) bool {
	return p == "/" || p == "/zookeeper" || p == "/zookeeper/quota" || p == "/zookeeper/config"
}

func (w *writer) set(path string, data []byte, version int32) (*node, Code) {
	if !validPath(path) {
		return nil, CodeBadArguments
	}
	n := w.t.get(path)
	switch {
	case n == nil:
		return nil, CodeNoNode
	case !n.acl.allows(PermWrite, w.ids):
		return nil, CodeNoAuth
	case version != -1 && version != n.version:
		return nil, CodeBadVersion
	case !w.fits(int64(len(data) - len(n.data))):
		return nil, CodeQuotaExceeded
	}
	w.do(mutation{kind: mutSet, path: path, data: cloneData(data), acl: n.acl, version: n.version + 1})
	return n, CodeOK
}

func (w *writer) setACL(path string, in []aclEntry, version int32) (*node, Code) {
	if !validPath(path) {
		return nil, CodeBadArguments
	}
	acl, code := w.acls.fixup(in, w.ids)
	if code != CodeOK {
		return nil, code
	}
	n := w.t.get(path)
	switch {
	case n == nil:
		return nil, CodeNoNode
	case !n.acl.allows(PermAdmin, w.ids):
		return nil, CodeNoAuth
	case version != -1 && version != n.aversion:
		return nil, CodeBadVersion
	case !w.fits(acl.size - n.acl.size):
		return nil, CodeQuotaExceeded
	}
	w.do(mutation{kind: mutSetACL, path: path, acl: acl, version: n.aversion + 1})
	return n, CodeOK
}

func (w *writer) check(path string, version int32) Code {
	if !validPath(path) {
		return CodeBadArguments
	}
	n := w.t.get(path)
	switch {
	case n == nil:
		return CodeNoNode
	case !n.acl.allows(PermRead, w.ids):
		return CodeNoAuth
	case version != -1 && version != n.version:
		return CodeBadVersion
	}
	return CodeOK
}

// deleteOwned deletes the ephemerals of a session, in the order given.
func (w *writer) deleteOwned(paths []string) {
	for _, p := range paths {
		parentPath, _ := splitPath(p)
		w.do(mutation{kind: mutDelete, path: p, acl: w.t.nodes[p].acl, parent: w.t.nodes[parentPath].acl})
	}
}

// expiredNodes returns the containers and TTL nodes that are to go at now: containers that had children and have
// none, TTL nodes without children that were not changed for their TTL.
func (t *tree) expiredNodes(now int64) []string {
	var out []string
	for p := range t.timed {
		n := t.nodes[p]
		if n.children.len() > 0 {
			continue
		}
		if n.kind == kindContainer && n.creates > 0 || n.kind == kindTTL && now-n.mtime > n.ttl {
			out = append(out, p)
		}
	}
	return out
}

// cloneData copies data out of the connection's read buffer, keeping null and empty apart.
func cloneData(p []byte) []byte {
	if p == nil {
		return nil
	}
	out := make([]byte, len(p))
	copy(out, p)
	return out
}

// subOp is one operation of a multi.
type subOp struct {
	op      Op
	path    string
	data    []byte
	acl     []aclEntry
	flags   int32
	version int32
	ttl     int64
}

// decodeMulti reads the operations of a multi. Reads are refused, as the original does.
func decodeMulti(body []byte) ([]subOp, error) {
	d := decoder{b: body}
	var ops []subOp
	for {
		op := Op(d.int32())
		done := d.boolean()
		d.int32()
		if d.err != nil {
			return nil, d.err
		}
		if done {
			return ops, nil
		}
		s := subOp{op: op}
		switch op {
		case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL:
			r := d.create(op)
			s.path, s.data, s.acl, s.flags, s.ttl = r.path, r.data, r.acl, r.flags, r.ttl
			if _, _, ok := createMode(r.flags); !ok {
				return nil, fmt.Errorf("create flags %d", r.flags)
			}
		case OpDelete, OpCheck:
			s.path, s.version = d.path(), d.int32()
		case OpSetData:
			s.path, s.data, s.version = d.path(), d.buffer(), d.int32()
		default:
			return nil, fmt.Errorf("operation %v inside a multi", op)
		}
		if d.err != nil {
			return nil, d.err
		}
		ops = append(ops, s)
	}
}

// putMultiHeader writes the header that precedes each element of a multi's reply.
func putMultiHeader(b []byte, op Op, done bool, code Code) []byte {
	b = putInt32(b, int32(op))
	b = putBool(b, done)
	return putInt32(b, int32(code))
}

// multi runs all operations or none and appends the reply's body to b. It returns the index of the operation that
// failed, -1 if none did, and its code.
func (w *writer) multi(b []byte, ops []subOp) ([]byte, int, Code) {
	start := len(b)
	for i := range ops {
		s := &ops[i]
		var code Code
		b, code = w.sub(b, s)
		if code == CodeOK {
			continue
		}
		w.rollback()
		b = b[:start]
		for j := range ops {
			c := CodeOK
			if j == i {
				c = code
			} else if j > i {
				c = CodeRuntimeInconsistency
			}
			b = putMultiHeader(b, -1, false, c)
			b = putInt32(b, int32(c))
		}
		return putMultiHeader(b, -1, true, -1), i, code
	}
	return putMultiHeader(b, -1, true, -1), -1, CodeOK
}

func (w *writer) sub(b []byte, s *subOp) ([]byte, Code) {
	switch s.op {
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL:
		path, n, code := w.create(&createRequest{path: s.path, data: s.data, acl: s.acl, flags: s.flags, ttl: s.ttl, container: s.op == OpCreateContainer})
		if code != CodeOK {
			return b, code
		}
		if s.op == OpCreate {
			return putString(putMultiHeader(b, OpCreate, false, 0), path), CodeOK
		}
		st := n.stat()
		return putStat(putString(putMultiHeader(b, OpCreate2, false, 0), path), &st), CodeOK
	case OpDelete:
		return putMultiHeader(b, OpDelete, false, 0), w.delete(s.path, s.version)
	case OpSetData:
		n, code := w.set(s.path, s.data, s.version)
		if code != CodeOK {
			return b, code
		}
		st := n.stat()
		return putStat(putMultiHeader(b, OpSetData, false, 0), &st), CodeOK
	default: // OpCheck: decodeMulti lets nothing else through
		return putMultiHeader(b, OpCheck, false, 0), w.check(s.path, s.version)
	}
}
