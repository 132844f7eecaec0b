package zkserver

import (
	"strings"
)

// nodeKind tells the lifetimes of nodes apart.
type nodeKind uint8

const (
	kindPersistent nodeKind = iota
	kindEphemeral
	kindContainer
	kindTTL
)

// node is one znode.
type node struct {
	data                []byte // never changed in place: replies, copies of the tree and the log share it. nil and empty differ
	acl                 *aclList
	czxid, mzxid, pzxid int64
	ctime, mtime        int64 // ms
	owner               int64 // session id when kind is kindEphemeral, else 0
	ttl                 int64 // ms when kind is kindTTL
	version, aversion   int32
	// creates counts the children ever created: the sequence counter. Deletes do not change it.
	// Invariant: the cversion that clients see is 2*creates - number of children, that is creates + deletes.
	creates  int32
	kind     nodeKind
	children childSet
}

// size is what a node counts towards Options.MaxData.
func (n *node) size(path string) int64 { return int64(len(path)+len(n.data)) + n.acl.size }

func (n *node) stat() Stat {
	return Stat{
		Czxid: n.czxid, Mzxid: n.mzxid, Ctime: n.ctime, Mtime: n.mtime,
		Version: n.version, Cversion: 2*n.creates - int32(n.children.len()), Aversion: n.aversion,
		EphemeralOwner: n.owner, DataLength: int32(len(n.data)), NumChildren: int32(n.children.len()), Pzxid: n.pzxid,
	}
}

// childSet is a set of names with a cheap enumeration. Small sets are searched, large ones have an index.
type childSet struct {
	names []string
	index map[string]int32
}

const indexedChildren = 16

func (s *childSet) len() int { return len(s.names) }

func (s *childSet) add(name string) {
	s.names = append(s.names, name)
	if s.index != nil {
		s.index[name] = int32(len(s.names) - 1)
	} else if len(s.names) > indexedChildren {
		s.index = make(map[string]int32, 2*len(s.names))
		for i, n := range s.names {
			s.index[n] = int32(i)
		}
	}
}

func (s *childSet) remove(name string) {
	at := -1
	if s.index != nil {
		if i, ok := s.index[name]; ok {
			at = int(i)
		}
		delete(s.index, name)
	} else {
		for i, n := range s.names {
			if n == name {
				at = i
				break
			}
		}
	}
	if at < 0 {
		return
	}
	last := len(s.names) - 1
	if at != last {
		s.names[at] = s.names[last]
		if s.index != nil {
			s.index[s.names[at]] = int32(at)
		}
	}
	s.names[last] = ""
	s.names = s.names[:last]
	if last == 0 {
		*s = childSet{}
	}
}

func (s *childSet) clone() childSet {
	out := childSet{names: append([]string(nil), s.names...)}
	if s.index != nil {
		out.index = make(map[string]int32, len(s.names))
		for i, n := range out.names {
			out.index[n] = int32(i)
		}
	}
	return out
}

// tree is the state that transactions change. It checks nothing: a mutation is validated when it is made (txn.go),
// and applying the same mutations in the same order gives the same tree everywhere.
type tree struct {
	nodes      map[string]*node
	ephemerals map[int64]map[string]struct{} // by session
	timed      map[string]struct{}           // container and TTL nodes, for the sweep
	zxid       int64                         // last transaction applied
	ephemeral  int                           // number of ephemeral nodes
	bytes      int64                         // sum of size over all nodes
}

func newTree(acls *aclCache) *tree {
	t := &tree{nodes: map[string]*node{}, ephemerals: map[int64]map[string]struct{}{}, timed: map[string]struct{}{}}
	open := acls.intern([]ACL{{PermAll, "world", "anyone"}})
	// What a fresh ZooKeeper holds. The nodes under /zookeeper are not transactions: their zxids and times are 0,
	// and creating them did not move their parents' counters.
	for _, p := range []string{"/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"} {
		t.insert(p, &node{data: []byte{}, acl: open})
		if p != "/" {
			parent, name := splitPath(p)
			t.nodes[parent].children.add(name)
		}
	}
	return t
}

// splitPath splits a valid path other than the root.
func splitPath(p string) (parent, name string) {
	i := strings.LastIndexByte(p, '/')
	if i <= 0 {
		return "/", p[i+1:]
	}
	return p[:i], p[i+1:]
}

// get looks a node up. The empty path is the root's second name, as in the original.
func (t *tree) get(path string) *node {
	if path == "" {
		path = "/"
	}
	return t.nodes[path]
}

type mutKind uint8

const (
	mutCreate mutKind = iota + 1
	mutDelete
	mutSet
	mutSetACL
	mutOpen  // a session begins; not seen by the tree
	mutClose // a session ends; its ephemerals are deleted by mutDelete of the same transaction
)

// mutation is one change inside a transaction.
type mutation struct {
	kind    mutKind
	node    nodeKind // mutCreate
	path    string
	data    []byte   // mutCreate, mutSet
	acl     *aclList // mutCreate, mutSetACL; for mutDelete and mutSet the node's, for watchers' rights
	parent  *aclList // mutCreate, mutDelete: the parent's, for watchers' rights
	owner   int64    // mutCreate of an ephemeral, mutOpen, mutClose
	ttl     int64    // mutCreate of a TTL node, ms; mutOpen: the session's timeout, ms
	passwd  []byte   // mutOpen
	version int32    // mutSet: new version; mutSetACL: new aversion
}

// txn is one transaction: all its mutations have the same zxid and time. A failed write is a transaction without mutations.
type txn struct {
	zxid int64
	time int64 // ms
	muts []mutation
}

// undo puts back what apply changed. Undos are run in reverse order.
type undo struct {
	m       mutation
	node    *node // as it was (mutDelete: the node itself)
	pzxid   int64 // the parent's
	creates int32
}

func (t *tree) apply(zxid, now int64, m *mutation) undo {
	u := undo{m: *m}
	switch m.kind {
	case mutCreate:
		parentPath, name := splitPath(m.path)
		parent := t.nodes[parentPath]
		u.pzxid, u.creates = parent.pzxid, parent.creates
		n := &node{
			data: m.data, acl: m.acl, czxid: zxid, mzxid: zxid, pzxid: zxid, ctime: now, mtime: now,
			kind: m.node, owner: m.owner, ttl: m.ttl,
		}
		t.insert(m.path, n)
		parent.children.add(name)
		parent.creates++
		parent.pzxid = zxid
	case mutDelete:
		parentPath, name := splitPath(m.path)
		parent := t.nodes[parentPath]
		u.pzxid, u.creates = parent.pzxid, parent.creates
		u.node = t.nodes[m.path]
		t.drop(m.path, u.node)
		parent.children.remove(name)
		parent.pzxid = zxid
	case mutSet:
		n := t.nodes[m.path]
		u.node = &node{data: n.data, mzxid: n.mzxid, mtime: n.mtime, version: n.version}
		t.bytes += int64(len(m.data) - len(n.data))
		n.data, n.mzxid, n.mtime, n.version = m.data, zxid, now, m.version
	case mutSetACL:
		n := t.nodes[m.path]
		u.node = &node{acl: n.acl, aversion: n.aversion}
		t.bytes += m.acl.size - n.acl.size
		n.acl, n.aversion = m.acl, m.version
	}
	return u
}

func (t *tree) revert(u *undo) {
	switch u.m.kind {
	case mutCreate:
		parentPath, name := splitPath(u.m.path)
		parent := t.nodes[parentPath]
		t.drop(u.m.path, t.nodes[u.m.path])
		parent.children.remove(name)
		parent.pzxid, parent.creates = u.pzxid, u.creates
	case mutDelete:
		parentPath, name := splitPath(u.m.path)
		parent := t.nodes[parentPath]
		t.insert(u.m.path, u.node)
		parent.children.add(name)
		parent.pzxid, parent.creates = u.pzxid, u.creates
	case mutSet:
		n := t.nodes[u.m.path]
		t.bytes += int64(len(u.node.data) - len(n.data))
		n.data, n.mzxid, n.mtime, n.version = u.node.data, u.node.mzxid, u.node.mtime, u.node.version
	case mutSetACL:
		n := t.nodes[u.m.path]
		t.bytes += u.node.acl.size - n.acl.size
		n.acl, n.aversion = u.node.acl, u.node.aversion
	}
}

// insert registers a node, without its parent's side.
func (t *tree) insert(path string, n *node) {
	t.bytes += n.size(path)
	t.nodes[path] = n
	switch n.kind {
	case kindEphemeral:
		set := t.ephemerals[n.owner]
		if set == nil {
			set = map[string]struct{}{}
			t.ephemerals[n.owner] = set
		}
		set[path] = struct{}{}
		t.ephemeral++
	case kindContainer, kindTTL:
		t.timed[path] = struct{}{}
	case kindPersistent:
	}
}

func (t *tree) drop(path string, n *node) {
	t.bytes -= n.size(path)
	delete(t.nodes, path)
	switch n.kind {
	case kindEphemeral:
		set := t.ephemerals[n.owner]
		delete(set, path)
		if len(set) == 0 {
			delete(t.ephemerals, n.owner)
		}
		t.ephemeral--
	case kindContainer, kindTTL:
		delete(t.timed, path)
	case kindPersistent:
	}
}

// applyTxn applies a whole transaction, on a copy of the tree or on recovery.
func (t *tree) applyTxn(x *txn) {
	for i := range x.muts {
		t.apply(x.zxid, x.time, &x.muts[i])
	}
	t.zxid = x.zxid
}

// clone copies the tree; data and ACLs, which are immutable, are shared.
func (t *tree) clone() *tree {
	out := &tree{
		nodes: make(map[string]*node, len(t.nodes)), ephemerals: make(map[int64]map[string]struct{}, len(t.ephemerals)),
		timed: make(map[string]struct{}, len(t.timed)), zxid: t.zxid,
	}
	for p, n := range t.nodes {
		c := *n
		c.children = n.children.clone()
		out.insert(p, &c)
	}
	return out
}

// descendants counts the nodes below path.
func (t *tree) descendants(path string) int {
	if path == "/" || path == "" {
		return len(t.nodes) - 1
	}
	total := 0
	stack := []string{path}
	for len(stack) > 0 {
		p := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		n := t.nodes[p]
		total += n.children.len()
		for _, name := range n.children.names {
			stack = append(stack, p+"/"+name)
		}
	}
	return total
}

// validPath is PathUtils.validatePath: absolute, no trailing slash, no empty, "." or ".." component, none of the
// characters Java cannot print. Characters beyond U+FFFF are surrogate pairs in Java, hence refused.
func validPath(p string) bool {
	if p == "" || p[0] != '/' {
		return false
	}
	if p == "/" {
		return true
	}
	if p[len(p)-1] == '/' {
		return false
	}
	for _, c := range p {
		if c <= 0x1f || c >= 0x7f && c <= 0x9f || c >= 0xd800 && c <= 0xf8ff || c >= 0xfff0 {
			return false
		}
	}
	for rest := p[1:]; ; {
		comp, tail, more := strings.Cut(rest, "/")
		if comp == "" || comp == "." || comp == ".." {
			return false
		}
		if !more {
			return true
		}
		rest = tail
	}
}
