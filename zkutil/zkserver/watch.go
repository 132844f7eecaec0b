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
