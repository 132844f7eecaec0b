package zkserver

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	turnEvents = 256     // events handled before output is flushed and the log written
	softOutput = 1 << 20 // unread output of a connection at which its requests wait
)

type eventKind uint8

const (
	evConnect eventKind = iota
	evFrames
	evWord
	evDrained
	evGone
)

// event is what a connection's goroutines tell the core.
type event struct {
	kind    eventKind
	c       *conn
	frames  []byte
	word    string
	connect *connectRequest
	err     error
}

// core owns the whole state. One goroutine runs it; everything in it is touched by nobody else.
//
// All promises about order follow from that: one transaction at a time; events and replies are appended to the same
// queue of a connection, events first; a connection's requests are handled in order.
type core struct {
	s    *Server
	opts Options
	acls *aclCache
	rng  *rand.Rand
	now  time.Time // of this turn

	leader   *tree
	heads    []*head
	sessions map[int64]*session
	conns    map[uint64]*conn
	nextSID  int64
	wal      *wal // nil: in memory

	timers   timerHeap
	sweeping bool
	dirty    []*conn
	scratch  []byte
	stamp    uint64
	stats    stats

	// Faults.
	paused    bool
	stallNew  bool
	noQuorum  bool
	elections int // LoseQuorum calls that have not ended
	rules     []*rule
	refusals  []*matcher
	holds     []*matcher
	frozen    map[string]int
	ending    map[int64]EventKind // sessions whose end waits for a frozen path
	trace     func(Trace)
	stallList []*conn
	failure   error
}

// stats feed the four-letter words.
type stats struct {
	received, sent    int64
	count, sumNs      int64
	minNs, maxNs      int64
	expired, rejected int64
	queueOverflows    int64
}

func newCore(s *Server, opts Options) *core {
	seed1, seed2 := uint64(opts.Seed), uint64(0x9e3779b97f4a7c15)
	if opts.Seed == 0 {
		seed1, seed2 = rand.Uint64(), rand.Uint64()
	}
	k := &core{
		s: s, opts: opts, acls: newACLCache(len(opts.Users) > 0, opts.X509), rng: rand.New(rand.NewPCG(seed1, seed2)),
		now:      time.Now(),
		sessions: map[int64]*session{}, conns: map[uint64]*conn{},
		frozen: map[string]int{}, ending: map[int64]EventKind{},
	}
	k.leader = newTree(k.acls)
	for i := range opts.Heads {
		k.heads = append(k.heads, &head{id: i, k: k, data: newWatchTable(), child: newWatchTable()})
	}
	// Five bytes of start time and a counter below them, as the original does for server number 1.
	k.nextSID = 1<<56 | int64(uint64(k.now.UnixMilli())<<24>>8)
	return k
}

// zxidFromClock gives a start that grows with the clock: seconds since 2000 as the epoch in the upper half, the part of
// the second at the top of the lower half. So a server that lost its data is always ahead of its former clients, which
// would be refused for ever otherwise. It stays positive until 2068.
func zxidFromClock(now time.Time) int64 {
	ms := max(now.UnixMilli()-946684800000, 1000)
	return ms/1000<<32 | ms%1000<<22
}

// run is the core's goroutine.
func (k *core) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		events, tick := k.s.events, timer.C
		switch {
		case k.paused:
			events, tick = nil, nil
		case len(k.timers) == 0:
			// No timer at all: an idle server in a bubble must not keep virtual time running when everybody else is stuck.
			timer.Stop()
			tick = nil
		default:
			timer.Reset(max(time.Until(k.timers[0].at), 0))
		}
		select {
		case <-k.s.quit:
			k.shutdown()
			return
		case f := <-k.s.control:
			k.now = time.Now()
			f(k)
		case e := <-events:
			k.now = time.Now()
			k.handle(e)
			k.drain()
		case <-tick:
			k.now = time.Now()
			k.runTimers()
		}
		k.settle()
		if k.failure != nil {
			k.shutdown()
			return
		}
	}
}

// drain handles what else has arrived, so that the log is written and the output flushed once for all of it.
func (k *core) drain() {
	for range turnEvents {
		select {
		case e := <-k.s.events:
			k.handle(e)
		default:
			return
		}
	}
}

func (k *core) handle(e event) {
	c := e.c
	switch e.kind {
	case evConnect:
		k.conns[c.id] = c
		c.connect, c.owed = e.connect, true
		c.asked = e.connect.session
		if k.stallNew {
			c.blocked |= blockStall
			k.stallList = append(k.stallList, c)
			return
		}
		k.handshake(c)
	case evFrames:
		if c.gone {
			return
		}
		c.batch, c.owed = e.frames, true
		k.process(c)
	case evWord:
		k.conns[c.id] = c
		k.fourLetter(c, e.word)
	case evDrained:
		k.unblock(c, blockOutput)
	case evGone:
		if e.err != nil && !c.gone && isViolation(e.err) {
			k.tell(Event{Kind: ConnectionCut, Session: c.sessionID(), Remote: c.remote, Err: e.err})
		}
		k.forget(c)
		delete(k.conns, c.id)
	}
}

// forget takes a connection out of all tables but the list of those whose goroutines run.
func (k *core) forget(c *conn) {
	c.gone = true
	c.head.data.removeConn(c)
	c.head.child.removeConn(c)
	if c.session != nil && c.session.conn == c {
		c.session.heard = max(c.session.heard, c.heard.Load())
		c.session.conn = nil
	}
	c.batch, c.held, c.waiting = nil, nil, nil
}

// cut ends a connection at once; what is queued for it is lost.
func (k *core) cut(c *conn) {
	if c.gone {
		return
	}
	k.forget(c)
	c.pend = nil
	c.cut()
}

// finish ends a connection after what is queued for it.
func (k *core) finish(c *conn) {
	if c.gone {
		return
	}
	k.forgetKeepingOutput(c)
	k.mark(c)
}

func (k *core) forgetKeepingOutput(c *conn) {
	held, holding := c.held, c.holding
	k.forget(c)
	if holding {
		c.held, c.heldFin = held, true
		return
	}
	c.fin = true
}

func (k *core) mark(c *conn) {
	if !c.dirty {
		c.dirty = true
		k.dirty = append(k.dirty, c)
	}
}

// settle makes the turn's transactions durable as configured and only then lets its output go.
func (k *core) settle() {
	if k.wal != nil && k.failure == nil {
		if err := k.wal.flush(); err != nil {
			k.fail(err)
			return
		}
		if k.wal.due() {
			if err := k.wal.rewrite(k); err != nil {
				k.fail(err)
				return
			}
		}
	}
	for i := 0; i < len(k.dirty); i++ { // unblocking may append
		c := k.dirty[i]
		c.dirty = false
		if c.gone && !c.fin {
			c.pend = nil
			continue
		}
		if c.fin { // who does not read its last reply is not waited for
			_ = c.nc.SetWriteDeadline(k.now.Add(k.opts.HandshakeTimeout))
		}
		wait := c.blocked&blockOutput != 0
		c.outSize = c.push(c.pend, c.fin, wait)
		c.pend = c.pend[:0]
		if cap(c.pend) > readBatch {
			c.pend = nil
		}
		if c.outSize > k.opts.MaxQueue && !c.fin {
			k.stats.queueOverflows++
			k.tell(Event{Kind: ConnectionCut, Session: c.sessionID(), Remote: c.remote, Err: errQueueFull})
			k.cut(c)
		}
	}
	k.dirty = k.dirty[:0]
}

// fail is the end of a server that cannot write its log: going on would answer writes that a restart forgets.
func (k *core) fail(err error) {
	k.failure = err
	k.tell(Event{Kind: ServerFailed, Err: err})
}

func (k *core) shutdown() {
	if k.wal != nil {
		if err := k.wal.close(); err != nil && k.failure == nil {
			k.failure = err
		}
	}
	k.s.coreDone(k.failure)
}

func (k *core) tell(e Event) { k.s.tell(e) }

// clock is Server.clock at the start of this turn.
func (k *core) clock() int64 { return int64(k.now.Sub(k.s.started)) }

// process handles the frames of a connection's batch until it is empty or something blocks.
func (k *core) process(c *conn) {
	for c.blocked == 0 && len(c.batch) > 0 && !c.gone {
		if c.outSize+len(c.pend) > softOutput {
			c.blocked |= blockOutput
			k.mark(c)
			return
		}
		size := 4 + int(binary.BigEndian.Uint32(c.batch))
		frame := c.batch[4:size]
		rest := c.batch[size:]
		if !k.request(c, frame) {
			return // blocked before it was executed; the same frame is tried again
		}
		c.delayed = false
		if !c.gone {
			c.batch = rest
		}
	}
	if len(c.batch) == 0 && c.blocked == 0 && !c.gone {
		k.release(c)
	}
}

// release lets the reader send its next batch. There is one ack for each event, so there is room for it.
func (k *core) release(c *conn) {
	if c.owed {
		c.owed = false
		c.ack <- struct{}{}
	}
}

func (k *core) unblock(c *conn, why blockReason) {
	if c.blocked&why == 0 || c.gone {
		return
	}
	c.blocked &^= why
	if why == blockOutput {
		c.outSize = 0
	}
	k.process(c)
}

// reply queues the reply to a request. The body is copied.
func (k *core) reply(c *conn, xid int32, zxid int64, code Code, body []byte) {
	b := c.sink(xid == xidPing)
	*b = putInt32(*b, int32(16+len(body)))
	*b = putInt32(*b, xid)
	if c.holding && xid == xidPing {
		zxid = c.heldZxid
	}
	*b = putInt64(*b, zxid)
	*b = putInt32(*b, int32(code))
	*b = append(*b, body...)
	k.queued(c)
}

func (k *core) queued(c *conn) {
	c.sent++
	k.stats.sent++
	if ns := k.clock() - c.heard.Load(); ns >= 0 {
		k.stats.count++
		k.stats.sumNs += ns
		k.stats.maxNs = max(k.stats.maxNs, ns)
		if k.stats.minNs == 0 || ns < k.stats.minNs {
			k.stats.minNs = ns
		}
	}
	if len(c.held) > k.opts.MaxQueue {
		k.stats.queueOverflows++
		k.cut(c)
		return
	}
	k.mark(c)
}

// sink is where output goes: to the writer, or, while events are held, aside; pings pass, so that the session lives.
func (c *conn) sink(ping bool) *[]byte {
	if c.holding && !ping {
		return &c.held
	}
	return &c.pend
}

func (c *conn) sessionID() int64 {
	if c.session != nil {
		return c.session.id
	}
	return 0
}

// connList returns the connections in the order they came, so that a seed and virtual time determine what happens.
func (k *core) connList() []*conn {
	out := make([]*conn, 0, len(k.conns))
	for _, c := range k.conns {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *conn) int { return cmp.Compare(a.id, b.id) })
	return out
}

func (k *core) shuffle(names []string) {
	k.rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
}

// commit makes a transaction part of the state's history: log, then each head.
func (k *core) commit(x *txn) {
	k.leader.zxid = x.zxid
	if k.wal != nil && len(x.muts) > 0 {
		k.wal.append(x)
	}
	for _, h := range k.heads {
		h.deliver(x)
	}
	if !k.sweeping && len(k.leader.timed) > 0 {
		k.sweeping = true
		k.after(k.opts.SweepInterval, k.sweep)
	}
}

// sweep deletes empty containers and old TTL nodes.
func (k *core) sweep() {
	k.sweeping = false
	nowMs := k.now.UnixMilli()
	for _, p := range k.leader.expiredNodes(nowMs) {
		if k.isFrozen(p) {
			continue
		}
		w := k.writer(nil)
		w.deleteOwned([]string{p})
		k.commit(&txn{zxid: w.zxid, time: w.now, muts: w.muts})
	}
	if len(k.leader.timed) > 0 {
		k.sweeping = true
		k.after(k.opts.SweepInterval, k.sweep)
	}
}

// writer begins a transaction on behalf of c, or of the server itself.
func (k *core) writer(c *conn) *writer {
	w := &writer{
		t: k.leader, acls: k.acls, zxid: k.leader.zxid + 1, now: k.now.UnixMilli(), extended: k.opts.ExtendedTypes, maxBytes: k.opts.MaxData,
	}
	if c != nil {
		w.session, w.ids = c.sessionID(), c.ids
	}
	return w
}
