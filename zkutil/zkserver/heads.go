package zkserver

import "time"

// maxLag bounds the transactions a lagging head may be behind; beyond, it applies the oldest early.
const maxLag = 1 << 16

// head is one server of the ensemble: a position in the history of transactions, and the watches of its connections.
// Transactions are made on the leader's tree; a head that does not lag reads there too and costs nothing. One that lags has a copy.
type head struct {
	id      int
	k       *core
	down    bool
	lag     time.Duration
	copy    *tree // nil: the leader's
	queue   []pendingTxn
	armed   bool
	applied int64
	data    *watchTable
	child   *watchTable
}

type pendingTxn struct {
	x   *txn
	due time.Time
}

func (h *head) tree() *tree {
	if h.copy != nil {
		return h.copy
	}
	return h.k.leader
}

// deliver gives a head the next transaction.
func (h *head) deliver(x *txn) {
	if h.copy == nil {
		h.apply(x)
		return
	}
	h.queue = append(h.queue, pendingTxn{x, h.k.now.Add(h.lag)})
	if len(h.queue) > maxLag {
		h.next()
	}
	h.arm()
}

func (h *head) arm() {
	if h.armed || len(h.queue) == 0 {
		return
	}
	h.armed = true
	h.k.at(h.queue[0].due, func() {
		h.armed = false
		for len(h.queue) > 0 && !h.queue[0].due.After(h.k.now) {
			h.next()
		}
		h.arm()
	})
}

func (h *head) next() {
	x := h.queue[0].x
	h.queue[0] = pendingTxn{}
	h.queue = h.queue[1:]
	h.apply(x)
}

// apply moves the head's position: the tree, then the watches, then the replies that waited for it.
func (h *head) apply(x *txn) {
	if h.copy != nil {
		h.copy.applyTxn(x)
	}
	h.applied = x.zxid
	for i := range x.muts {
		h.fire(&x.muts[i])
	}
	if h.copy == nil && len(h.queue) == 0 {
		return // nobody waits: replies follow at once
	}
	for _, c := range h.k.connList() {
		if c.head == h {
			h.k.applied(c)
		}
	}
}

// setLag changes how far the head is behind. 0 makes it catch up at once.
func (h *head) setLag(d time.Duration) {
	h.lag = d
	if d > 0 {
		if h.copy == nil {
			h.copy = h.k.leader.clone()
		}
		return
	}
	h.catchUp()
}

func (h *head) catchUp() {
	for len(h.queue) > 0 {
		h.next()
	}
	h.copy, h.queue = nil, nil
}

// fire tells the watchers of one mutation: those of the node, then those of the parent's children.
func (h *head) fire(m *mutation) {
	if len(h.data.byPath) == 0 && len(h.child.byPath) == 0 {
		return
	}
	switch m.kind {
	case mutCreate:
		h.tellAll(m.path, eventCreated, m.acl, h.data)
		parent, _ := splitPath(m.path)
		h.tellAll(parent, eventChildrenChanged, m.parent, h.child)
	case mutDelete:
		h.tellAll(m.path, eventDeleted, m.acl, h.data, h.child)
		parent, _ := splitPath(m.path)
		h.tellAll(parent, eventChildrenChanged, m.parent, h.child)
	case mutSet:
		h.tellAll(m.path, eventDataChanged, m.acl, h.data)
	case mutSetACL, mutOpen, mutClose: // silent
	}
}

// tellAll sends one event to each connection that watches for it in any of the tables, once. A connection that may not
// read the node does not hear of it (since 3.8.4).
func (h *head) tellAll(path string, event int32, acl *aclList, tables ...*watchTable) {
	h.k.stamp++
	stamp := h.k.stamp
	for _, t := range tables {
		t.fire(path, event, func(c *conn) {
			if c.stamp == stamp {
				return
			}
			c.stamp = stamp
			if acl.allows(PermRead, c.ids) {
				h.k.notify(c, path, event)
			}
		})
	}
}

// notify queues a watch event.
func (k *core) notify(c *conn, path string, event int32) {
	if c.gone {
		return
	}
	if !c.holding && matchAny(k.holds, c.info()) {
		c.holding = true
		c.heldZxid = c.head.applied
	}
	b := c.sink(false)
	*b = putInt32(*b, int32(16+12+len(path)))
	*b = putInt32(*b, xidEvent)
	*b = putInt64(*b, -1)
	*b = putInt32(*b, 0)
	*b = putInt32(*b, event)
	*b = putInt32(*b, stateSyncConnected)
	*b = putString(*b, path)
	k.queued(c)
}
