package zkserver

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// View shows the server's state to a function given to Do. It is valid during that call only.
type View struct{ k *core }

// Do calls f with a view of the state between two requests and waits for it. On a closed server it does nothing.
func (s *Server) Do(f func(*View)) { s.do(func(k *core) { f(&View{k}) }) }

// Get returns a copy of a node's data and its Stat.
func (v *View) Get(path string) ([]byte, Stat, bool) {
	n := v.k.leader.get(path)
	if n == nil {
		return nil, Stat{}, false
	}
	return cloneData(n.data), n.stat(), true
}

// ACL returns a node's access control list, nil if there is no node.
func (v *View) ACL(path string) []ACL {
	n := v.k.leader.get(path)
	if n == nil {
		return nil
	}
	return slices.Clone(n.acl.entries)
}

// Children returns the sorted names of a node's children, nil if there is no node.
func (v *View) Children(path string) []string {
	n := v.k.leader.get(path)
	if n == nil {
		return nil
	}
	names := slices.Clone(n.children.names)
	slices.Sort(names)
	return names
}

// Paths returns the sorted paths of all nodes at and below prefix.
func (v *View) Paths(prefix string) []string {
	var out []string
	for p := range v.k.leader.nodes {
		if prefix == "/" || p == prefix || strings.HasPrefix(p, prefix+"/") {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// Zxid returns the last transaction's id.
func (v *View) Zxid() int64 { return v.k.leader.zxid }

// HeadZxid returns the last transaction that head i has applied.
func (v *View) HeadZxid(i int) int64 { return v.k.heads[i].applied }

// SessionInfo describes a session.
type SessionInfo struct {
	ID         int64
	Timeout    time.Duration
	Connected  bool
	Remote     string // of the connection; empty while disconnected
	Ephemerals []string
}

func (s *session) view() SessionInfo {
	i := SessionInfo{ID: s.id, Timeout: s.timeout, Connected: s.conn != nil}
	if s.conn != nil {
		i.Remote = s.conn.remote
	}
	return i
}

func (k *core) sessionList() []*session {
	out := make([]*session, 0, len(k.sessions))
	for _, s := range k.sessions {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *session) int { return cmp.Compare(a.id, b.id) })
	return out
}

// Sessions returns the sessions, oldest first, with their ephemerals sorted.
func (v *View) Sessions() []SessionInfo {
	var out []SessionInfo
	for _, s := range v.k.sessionList() {
		i := s.view()
		for p := range v.k.leader.ephemerals[s.id] {
			i.Ephemerals = append(i.Ephemerals, p)
		}
		slices.Sort(i.Ephemerals)
		out = append(out, i)
	}
	return out
}

// WatchInfo describes one watch.
type WatchInfo struct {
	Path       string
	Session    int64
	Child      bool // child watch, else data watch
	Persistent bool
	Recursive  bool
}

// Watches returns all watches, sorted by path, then session. A persistent watch counts as a data and as a child watch.
func (v *View) Watches() []WatchInfo {
	var out []WatchInfo
	for _, h := range v.k.heads {
		for i, t := range []*watchTable{h.data, h.child} {
			for p, set := range t.byPath {
				for c, mode := range set {
					out = append(out, WatchInfo{
						Path: p, Session: c.sessionID(), Child: i == 1,
						Persistent: mode&^watchOnce != 0, Recursive: mode&watchRecursive != 0,
					})
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b WatchInfo) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		switch {
		case a.Session != b.Session && a.Session < b.Session, a.Session == b.Session && !a.Child && b.Child:
			return -1
		case a == b:
			return 0
		}
		return 1
	})
	return out
}

// Counters are what the server has counted since it started.
type Counters struct {
	Received, Sent      int64 // frames
	SessionsExpired     int64
	ConnectionsRejected int64 // at the handshake
	QueueOverflows      int64 // connections cut for not reading
}

// Counters returns the server's counters.
func (v *View) Counters() Counters {
	t := v.k.stats
	return Counters{t.received, t.sent, t.expired, t.rejected, t.queueOverflows}
}
