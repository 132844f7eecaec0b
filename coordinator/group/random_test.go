package group

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/offsets"
)

// TestRandomHistories has clients join, leave, crash, pause and commit, with a coordinator that moves and writes that fail, and checks what a naive model knows: no two
// members of one generation own a partition, a commit that was accepted isn't followed by one of an older generation, every request is answered once, and when the clients are left
// in peace all partitions have an owner.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	seeds := uint64(400)
	if testing.Short() {
		seeds = 50
	}
	for seed := range seeds {
		h := newHistory(t, seed)
		for range 400 {
			h.step()
			h.check()
		}
		h.settle()
	}
}

// partitions of the topic that the clients share.
const sharedPartitions = 7

// life is what a client is doing.
type life uint8

const (
	idle    life = iota // will join
	waiting             // for an answer
	joined              // has a generation, will sync
	stable              // has an assignment
	crashed
)

// client is a member, or wants to be.
type client struct {
	name     string
	instance *string
	old      bool // needs no member id first
	life     life
	paused   bool
	id       string
	gen      int32
	members  []string // of the leader
	owned    []byte   // partitions
	asked    int      // serial of the request under way; answers to others are of a former life
}

// history is one run.
type history struct {
	t         *testing.T
	rnd       *rand.Rand
	rebalance time.Duration
	seed      uint64
	settings  Settings
	now       time.Time
	ids       int
	g         *group
	writes    []*write
	last      *offsets.GroupMetadata
	clients   []*client
	serial    int
	open      map[int]string // requests that aren't answered
	owners    map[int32]map[byte]string
	committed int32 // generation of the last accepted commit
	log       []string
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{
		t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 1)), settings: Settings{MaxSize: 1 << 30}, now: time.UnixMilli(1_000_000), open: map[int]string{},
		owners: map[int32]map[byte]string{}, committed: -1,
	}
	h.rebalance = time.Duration(1+h.rnd.IntN(9)) * time.Second
	h.settings.InitialDelay = time.Duration(h.rnd.IntN(3)) * time.Second
	h.settings.Settle = time.Duration(h.rnd.IntN(2)) * 50 * time.Millisecond
	h.g = newGroup("g", &h.settings, h.newID, h.now)
	for i := range 2 + h.rnd.IntN(5) {
		c := &client{name: fmt.Sprintf("c%d", i), old: h.rnd.IntN(4) == 0}
		if h.rnd.IntN(3) == 0 {
			c.instance = new("i" + c.name)
		}
		h.clients = append(h.clients, c)
	}
	return h
}

func (h *history) newID() string {
	h.ids++
	return fmt.Sprint(h.ids)
}

func (h *history) note(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf("%6.1fs ", float64(h.now.UnixMilli()-1_000_000)/1000)+fmt.Sprintf(format, args...))
}

func (h *history) fail(format string, args ...any) {
	h.t.Helper()
	h.t.Fatalf("seed %d: %s\n%s", h.seed, fmt.Sprintf(format, args...), strings.Join(h.log, "\n"))
}

// ask opens a request. The answer is taken by then, if its client still waits for it.
func (h *history) ask(c *client, what string) int {
	h.serial++
	c.asked, c.life = h.serial, waiting
	h.open[h.serial] = c.name + " " + what
	h.note("%s %s id=%q gen=%d", c.name, what, c.id, c.gen)
	return h.serial
}

func (h *history) answered(c *client, serial int) bool {
	if h.open[serial] == "" {
		h.fail("a request of %s is answered twice", c.name)
	}
	delete(h.open, serial)
	return c.asked == serial && c.life == waiting
}

func (h *history) step() {
	var fx effects
	switch n := h.rnd.IntN(100); {
	case n < 55:
		h.act(h.clients[h.rnd.IntN(len(h.clients))], &fx)
	case n < 67:
		h.pass(time.Duration(h.rnd.IntN(2500)) * time.Millisecond)
	case n < 80:
		h.endWrite(&fx)
	case n < 82:
		h.move(&fx)
	default:
		h.upset(h.clients[h.rnd.IntN(len(h.clients))], &fx)
	}
	h.carryOut(&fx)
}

// upset makes a client crash, come back, pause, go on or leave.
func (h *history) upset(c *client, fx *effects) {
	switch h.rnd.IntN(5) {
	case 0:
		h.note("%s crashes", c.name)
		c.life, c.owned, c.members = crashed, nil, nil
		if h.rnd.IntN(2) == 0 { // and is back before anybody notices
			c.life, c.id, c.gen = idle, "", noGeneration
			h.act(c, fx)
		}
	case 1, 2:
		if c.life == crashed {
			h.note("%s comes back", c.name)
			c.life, c.id, c.gen, c.paused = idle, "", noGeneration, false
		}
		c.paused = false
	case 3:
		h.note("%s pauses", c.name)
		c.paused = true
	case 4:
		if c.life == stable && c.instance == nil && !c.paused {
			code := h.g.leave(h.now, c.id, nil, "", fx)
			h.note("%s leaves: %s", c.name, code.Name())
			c.life, c.id, c.owned = idle, "", nil
		}
	}
}

// act lets a client do its next thing.
func (h *history) act(c *client, fx *effects) {
	if c.paused {
		return
	}
	switch c.life {
	case idle:
		h.join(c, fx)
	case joined:
		h.sync(c, fx)
	case stable:
		if h.rnd.IntN(3) == 0 {
			h.commit(c)
			return
		}
		code := h.g.heartbeat(h.now, c.gen, c.id, c.instance)
		h.note("%s beats: %s", c.name, code.Name())
		h.react(c, code)
	case waiting:
		if h.rnd.IntN(30) == 0 { // it gives up on the answer and asks again
			c.life = idle
		}
	case crashed:
	}
}

// react is what a client does about an error.
func (h *history) react(c *client, code wire.Error) {
	switch code {
	case wire.None:
		return
	case wire.UnknownMemberID, wire.IllegalGeneration, wire.FencedInstanceID:
		c.id = ""
	}
	c.life = idle
}

func (h *history) join(c *client, fx *effects) {
	serial := h.ask(c, "joins")
	h.g.join(h.now, &JoinRequest{
		ClientID: c.name, MemberID: c.id, InstanceID: c.instance, ProtocolType: consumerType, Protocols: []Protocol{{Name: "range", Metadata: []byte{byte(h.rnd.IntN(10) / 9)}}},
		SessionTimeout: 6 * time.Second, RebalanceTimeout: h.rebalance, RequireMemberID: !c.old, CanSkipAssignment: h.rnd.IntN(2) == 0,
		Done: func(r JoinResult) {
			mine := h.answered(c, serial)
			h.note("%s has joined: %s", c.name, joinText(r))
			if !mine {
				return
			}
			if r.Code == wire.MemberIDRequired {
				c.id, c.life = r.MemberID, idle
				return
			}
			if r.Code != wire.None {
				h.react(c, r.Code)
				return
			}
			c.id, c.gen, c.life, c.members, c.owned = r.MemberID, r.Generation, joined, nil, nil
			if r.Leader != r.MemberID && len(r.Members) > 0 {
				h.fail("%s isn't the leader and is told of the members", c.name)
			}
			if r.Leader == r.MemberID && !r.SkipAssignment {
				for _, m := range r.Members {
					c.members = append(c.members, m.MemberID)
				}
			}
		},
	}, fx)
}

func (h *history) sync(c *client, fx *effects) {
	serial := h.ask(c, "syncs")
	r := &SyncRequest{MemberID: c.id, InstanceID: c.instance, Generation: c.gen, ProtocolType: new(consumerType), ProtocolName: new("range")}
	for i, id := range c.members {
		var owned []byte
		for p := i; p < sharedPartitions; p += len(c.members) {
			owned = append(owned, byte(p))
		}
		r.Assignments = append(r.Assignments, wire.SyncGroupRequestAssignment{MemberID: id, Assignment: owned})
	}
	r.Done = func(result SyncResult) {
		mine := h.answered(c, serial)
		h.note("%s has synced: %s %v", c.name, result.Code.Name(), result.Assignment)
		if result.Code == wire.None {
			h.own(c, r.Generation, result.Assignment)
		}
		if !mine {
			return
		}
		if result.Code != wire.None {
			h.react(c, result.Code)
			return
		}
		c.life, c.owned = stable, result.Assignment
	}
	h.g.syncGroup(h.now, r, fx)
}

// own notes who owns what in a generation.
func (h *history) own(c *client, gen int32, partitions []byte) {
	if h.owners[gen] == nil {
		h.owners[gen] = map[byte]string{}
	}
	who := c.name
	for _, p := range partitions {
		if other := h.owners[gen][p]; other != "" && other != who {
			h.fail("partition %d belongs to %s and %s in generation %d", p, other, who, gen)
		}
		h.owners[gen][p] = who
	}
}

func (h *history) commit(c *client) {
	code := h.g.checkCommit(h.now, c.gen, c.id, c.instance)
	h.note("%s commits in %d: %s", c.name, c.gen, code.Name())
	if code == wire.None {
		if c.gen < h.committed {
			h.fail("%s commits in generation %d after a commit of %d", c.name, c.gen, h.committed)
		}
		h.committed = c.gen
	}
	if code != wire.RebalanceInProgress {
		h.react(c, code)
	}
}

func (h *history) pass(d time.Duration) {
	end := h.now.Add(d)
	for rounds := 0; !h.g.wake.IsZero() && !h.g.wake.After(end); rounds++ {
		if rounds > 1000 {
			h.fail("the group's timer doesn't stop going off")
		}
		if h.g.wake.After(h.now) {
			h.now = h.g.wake
		}
		var fx effects
		h.g.tick(h.now, &fx)
		h.carryOut(&fx)
	}
	h.now = end
}

// endWrite ends the oldest write: stored, or not.
func (h *history) endWrite(fx *effects) {
	if len(h.writes) == 0 {
		return
	}
	w := h.writes[0]
	h.writes = h.writes[1:]
	code := wire.None
	if h.rnd.IntN(6) == 0 {
		code = []wire.Error{wire.CoordinatorNotAvailable, wire.NotCoordinator, wire.RebalanceInProgress}[h.rnd.IntN(3)]
	}
	if code == wire.None || h.rnd.IntN(2) == 0 { // a record that timed out may be in the log all the same
		h.last = &w.metadata
	}
	h.note("write of generation %d: %s", w.generation, code.Name())
	h.g.stored(h.now, w, code, fx)
}

// move gives the group another coordinator, which loads what is stored. Some of what is being written is, the rest never will be.
func (h *history) move(fx *effects) {
	for range h.rnd.IntN(len(h.writes) + 1) {
		h.last = &h.writes[0].metadata
		h.writes = h.writes[1:]
	}
	h.writes = nil
	h.note("the coordinator moves")
	h.g.end(h.now, wire.NotCoordinator, "", fx)
	h.carryOut(fx)
	*fx = effects{}
	h.g = restore(offsets.LoadedGroup{Group: "g", Metadata: h.last}, &h.settings, h.newID, h.now, fx)
}

func (h *history) carryOut(fx *effects) {
	for _, reply := range fx.replies {
		reply()
	}
	h.writes = append(h.writes, fx.writes...)
	for _, change := range fx.changes {
		h.note("%s -> %s: %s", change.From, change.To, change.Reason)
	}
}

// check holds the group to what must always be true of it.
func (h *history) check() {
	g := h.g
	if first := g.next(); !first.IsZero() && (g.wake.IsZero() || g.wake.After(first)) {
		h.fail("the group wants to be looked at at %v, and wakes at %v", first, g.wake)
	}
	require.Len(h.t, g.byID, len(g.members))
	support := 0
	for _, m := range g.members {
		if g.byID[m.id] != m {
			h.fail("member %s isn't found", m.id)
		}
		if m.static() && g.static[*m.instanceID] != m {
			h.fail("static member %s isn't found", m.id)
		}
		if m.join != nil && g.state != PreparingRebalance && g.state != Stable {
			h.fail("a join of %s waits in %s", m.id, g.state)
		}
		if m.sync != nil && g.state != CompletingRebalance {
			h.fail("a sync of %s waits in %s", m.id, g.state)
		}
		if m.deadline.IsZero() && !m.waits() {
			h.fail("member %s may be silent for ever", m.id)
		}
		support += len(m.protocols)
	}
	if support != g.support["range"] {
		h.fail("%d members know range, not %d", support, g.support["range"])
	}
	if (g.state == Empty) != (len(g.members) == 0) && g.state != PreparingRebalance {
		h.fail("%s with %d members", g.state, len(g.members))
	}
	if len(g.members) > 0 && g.byID[g.leader] == nil {
		h.fail("the leader %q isn't a member", g.leader)
	}
	if g.state == PreparingRebalance && g.joinDeadline.IsZero() {
		h.fail("a rebalance without an end")
	}
}

// settle leaves the clients in peace until all partitions have an owner, and then ends the group.
func (h *history) settle() {
	for _, c := range h.clients {
		if c.paused = false; c.life == crashed {
			c.life, c.id, c.gen = idle, "", noGeneration
		}
	}
	whole := false
	for range 300 {
		for _, c := range h.clients {
			var fx effects
			if c.life != waiting {
				h.act(c, &fx)
			}
			h.carryOut(&fx)
			h.check()
		}
		for len(h.writes) > 0 {
			w := h.writes[0]
			h.writes = h.writes[1:]
			var fx effects
			h.last = &w.metadata
			h.g.stored(h.now, w, wire.None, &fx)
			h.carryOut(&fx)
		}
		h.pass(100 * time.Millisecond)
		owned, current := map[byte]bool{}, true
		for _, c := range h.clients {
			current = current && c.life == stable && c.gen == h.g.generation
			for _, p := range c.owned {
				owned[p] = true
			}
		}
		if whole = current && h.g.state == Stable && len(owned) == sharedPartitions; whole {
			break
		}
	}
	if !whole {
		h.fail("the clients don't come to rest: %s in generation %d", h.g.state, h.g.generation)
	}
	var fx effects
	h.g.end(h.now, wire.NotCoordinator, "", &fx)
	h.carryOut(&fx)
	if len(h.open) > 0 {
		h.fail("requests that are never answered: %v", h.open)
	}
}
