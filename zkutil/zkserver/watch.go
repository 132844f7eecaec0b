package zkserver

import "strings"

// watchMode is how a watch behaves when it fires. A connection may have several modes on one path, as from 3.9 on; in 3.8 the
// last one set replaces the others (ZOOKEEPER-4466).
type watchMode uint8

const (
	watchOnce watchMode = 1 << iota
	watchPersistent
	watchRecursive
)

// watchTable holds the watches of one kind, data or child. A watch belongs to a connection.
type watchTable struct {
	byPath map[string]map[*conn]watchMode
	byConn map[*conn]map[string]struct{}
	deep   int // number of recursive watches; 0 spares the walk to the root
}

func newWatchTable() *watchTable {
	return &watchTable{byPath: map[string]map[*conn]watchMode{}, byConn: map[*conn]map[string]struct{}{}}
}

func (w *watchTable) len() int {
	n := 0
	for _, set := range w.byConn {
		n += len(set)
	}
	return n
}

func (w *watchTable) add(c *conn, path string, mode watchMode) {
	set := w.byPath[path]
	if set == nil {
		set = map[*conn]watchMode{}
		w.byPath[path] = set
	}
	old := set[c]
	if old == 0 {
		c.watchBytes += int64(len(path))
	}
	if mode&^old&watchRecursive != 0 {
		w.deep++
	}
	set[c] = old | mode
	paths := w.byConn[c]
	if paths == nil {
		paths = map[string]struct{}{}
		w.byConn[c] = paths
	}
	paths[path] = struct{}{}
}

func (w *watchTable) has(c *conn, path string) bool {
	_, ok := w.byPath[path][c]
	return ok
}

func (w *watchTable) remove(c *conn, path string) bool {
	set := w.byPath[path]
	mode, ok := set[c]
	if !ok {
		return false
	}
	if mode&watchRecursive != 0 {
		w.deep--
	}
	c.watchBytes -= int64(len(path))
	delete(set, c)
	if len(set) == 0 {
		delete(w.byPath, path)
	}
	paths := w.byConn[c]
	delete(paths, path)
	if len(paths) == 0 {
		delete(w.byConn, c)
	}
	return true
}

func (w *watchTable) removeConn(c *conn) {
	for path := range w.byConn[c] {
		w.remove(c, path)
	}
}

// fire calls tell for each connection that is to hear of an event at path, and removes the one-shot watches among them.
// Recursive watches above path hear of everything but changed children.
func (w *watchTable) fire(path string, event int32, tell func(*conn)) {
	if set := w.byPath[path]; len(set) > 0 {
		for c, mode := range set {
			if mode == watchRecursive && event == eventChildrenChanged {
				continue
			}
			tell(c)
			switch {
			case mode == watchOnce:
				w.remove(c, path)
			case mode&watchOnce != 0:
				set[c] = mode &^ watchOnce
			}
		}
	}
	if w.deep == 0 || event == eventChildrenChanged {
		return
	}
	for p := path; p != "/"; {
		if i := strings.LastIndexByte(p, '/'); i > 0 {
			p = p[:i]
		} else {
			p = "/"
		}
		for c, mode := range w.byPath[p] {
			if mode&watchRecursive != 0 {
				tell(c)
			}
		}
	}
}

// executeWatch handles the operations that are about watches only.
func (k *core) executeWatch(c *conn, op Op, body []byte) result {
	d := decoder{b: body}
	data, child := c.head.data, c.head.child
	switch op {
	case OpSetWatches, OpSetWatches2:
		since := d.int64()
		lists := [5][]string{d.paths(), d.paths(), d.paths()}
		if op == OpSetWatches2 {
			lists[3], lists[4] = d.paths(), d.paths()
		}
		if d.err != nil {
			return result{code: CodeMarshallingError}
		}
		k.setWatches(c, since, &lists)
		return result{}
	case OpAddWatch:
		path, ok := d.ustring()
		mode := d.int32()
		if d.err != nil || mode < 0 || mode > 1 {
			return result{code: CodeMarshallingError}
		}
		m := watchPersistent
		if mode == 1 {
			m = watchRecursive
		}
		if ok { // the original accepts a null path
			k.watch(c, data, path, m)
			k.watch(c, child, path, m)
		}
		k.scratch = putInt32(k.scratch[:0], 0)
		return result{body: k.scratch}
	default: // OpRemoveWatches, OpCheckWatches; types: 1 children, 2 data, 3 any
		path, typ := d.path(), d.int32()
		if d.err != nil || typ < 1 || typ > 3 {
			return result{code: CodeMarshallingError}
		}
		found := false
		if typ != 2 {
			found = child.has(c, path)
			if op == OpRemoveWatches {
				child.remove(c, path)
			}
		}
		if typ != 1 {
			found = data.has(c, path) || found
			if op == OpRemoveWatches {
				data.remove(c, path)
			}
		}
		if !found {
			return result{code: CodeNoWatcher}
		}
		return result{}
	}
}

// setWatches re-arms the watches of a reconnected client; what changed since the last zxid it saw fires at once.
func (k *core) setWatches(c *conn, since int64, lists *[5][]string) {
	t, data, child := c.head.tree(), c.head.data, c.head.child
	for _, p := range lists[0] {
		switch n := t.get(p); {
		case n == nil:
			k.notify(c, p, eventDeleted)
		case n.mzxid > since:
			k.notify(c, p, eventDataChanged)
		default:
			k.watch(c, data, p, watchOnce)
		}
	}
	for _, p := range lists[1] {
		if t.get(p) != nil {
			k.notify(c, p, eventCreated)
		} else {
			k.watch(c, data, p, watchOnce)
		}
	}
	for _, p := range lists[2] {
		switch n := t.get(p); {
		case n == nil:
			k.notify(c, p, eventDeleted)
		case n.pzxid > since:
			k.notify(c, p, eventChildrenChanged)
		default:
			k.watch(c, child, p, watchOnce)
		}
	}
	for i, mode := range []watchMode{watchPersistent, watchRecursive} {
		for _, p := range lists[3+i] {
			k.watch(c, data, p, mode)
			k.watch(c, child, p, mode)
		}
	}
}

// watch sets a watch, or cuts the connection that has too many.
func (k *core) watch(c *conn, t *watchTable, path string, mode watchMode) {
	if c.gone {
		return
	}
	full := len(t.byConn[c]) >= k.opts.MaxWatches || c.watchBytes+int64(len(path)) > 64*int64(k.opts.MaxWatches)
	if full && !t.has(c, path) {
		k.tell(Event{Kind: ConnectionCut, Session: c.sessionID(), Remote: c.remote, Err: errManyWatches})
		k.cut(c)
		return
	}
	t.add(c, path, mode)
}
