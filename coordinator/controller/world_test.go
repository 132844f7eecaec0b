package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// world is a cluster of brokers that do nothing but record what controllers tell them, around a tree. It runs in a
// synctest bubble.
type world struct {
	t       testing.TB
	tree    *tree
	members map[int32]*member
	ibp     IBP
	mu      sync.Mutex
	traces  map[int32]*trace // By controller.
	keep    bool             // KeepDeadBrokers.
	unclean bool
	noDel   bool
	balance time.Duration
	percent int
	silent  bool // No telemetry, no recording: benchmarks.
}

// member is one broker: what it has registered, whether it answers, and its controller if it has one.
type member struct {
	id       int32
	rack     string
	listener string
	session  *session
	ctl      *Controller
	epoch    int64

	// down: connections fail. refuse: with a refusal. resets: so many are reset before that. hang: requests are not answered. conns: open connections.
	down, refuse, hang bool
	resets             int
	refusals           int  // So many registrations fail.
	foreign            bool // Apache's: it makes no znode for its session.
	conns              []*memConn
	errors             map[string]wire.Error // Answers by "API topic-partition" or "API".
}

// trace is what one controller did since it was last looked at.
type trace struct {
	events []string
	begun  string // The event being processed, until something is printed for it.
	header string // The last one printed.
	sent   map[int32][]string
}

func newWorld(t testing.TB) *world {
	return &world{t: t, tree: newTree(), members: map[int32]*member{}, traces: map[int32]*trace{}}
}

func (w *world) member(id int32) *member {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.members[id]
	if m == nil {
		m = &member{id: id, listener: "PLAINTEXT", session: w.tree.connect(), errors: map[string]wire.Error{}}
		w.members[id] = m
	}
	return m
}

// register creates brokers' registrations, all at once.
func (w *world) register(ms ...*member) {
	t := w.tree
	t.mu.Lock()
	var fired []func()
	for _, m := range ms {
		path := znode.BrokerPath(m.id)
		b := znode.Broker{Version: 5, JMXPort: -1, Rack: m.rack, Endpoints: []znode.Endpoint{
			{Listener: m.listener, Host: fmt.Sprintf("host%d", m.id), Port: 9092, Protocol: "PLAINTEXT"},
		}}
		if t.nodes[path] == nil {
			t.zxid++
			fired = append(fired, t.createLocked(path, b.Encode(), m.session)...)
			t.nodes[path].stat.Version = 1 // It is created and set in one multi.
			fired = append(fired, t.vouchLocked(m)...)
		}
		w.mu.Lock()
		m.down, m.refuse, m.hang = false, false, false
		m.epoch = t.nodes[path].stat.Czxid
		w.mu.Unlock()
	}
	t.mu.Unlock()
	run(fired)
}

// vouchLocked creates the znode of a broker's session, as zkutil.RegisterBroker does beside the registration.
func (t *tree) vouchLocked(m *member) []func() {
	if path := znode.OwnSessionPath(m.session.id); !m.foreign && t.nodes[path] == nil {
		return t.createLocked(path, znode.OwnSession{BrokerID: m.id}.Encode(), m.session)
	}
	return nil
}

// bounce replaces a broker's registration in one step, so that watchers see one change.
func (w *world) bounce(m *member) {
	path := znode.BrokerPath(m.id)
	t := w.tree
	t.mu.Lock()
	data := t.nodes[path].data
	t.zxid++
	fired := t.deleteLocked(path)
	if old := znode.OwnSessionPath(m.session.id); m.ctl == nil && t.nodes[old] != nil {
		fired = append(fired, t.deleteLocked(old)...)
		m.session.id += 100 // Its successor's.
	}
	t.zxid++
	fired = append(fired, t.createLocked(path, data, m.session)...)
	t.nodes[path].stat.Version = 1
	fired = append(fired, t.vouchLocked(m)...)
	w.mu.Lock()
	m.epoch, m.down, m.refuse, m.hang = t.zxid, false, false, false
	w.mu.Unlock()
	t.mu.Unlock()
	run(fired)
}

// start gives a broker a controller and starts it.
func (w *world) start(m *member) *Controller {
	w.mu.Lock()
	w.traces[m.id] = &trace{sent: map[int32][]string{}}
	w.mu.Unlock()
	cfg := Config{
		BrokerID: m.id, Listener: "PLAINTEXT", IBP: w.ibp, Store: m.session, Transport: &memTransport{w, m.id},
		BalanceInterval: w.balance, ImbalancePercentage: w.percent,
		KeepDeadBrokers: w.keep, DeleteTopicDisabled: w.noDel, UncleanLeaderElection: func() bool { return w.unclean },
		Register: func(context.Context) error {
			if m.refusals > 0 {
				m.refusals--
				return errors.New("registration refused")
			}
			w.register(m)
			return nil
		},
	}
	if !w.silent {
		cfg.Events = &recorder{w, m.id}
	}
	c, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	m.ctl = c
	c.Start(context.Background())
	return c
}

// kill ends a broker's process and, as after its session timeout, its session.
func (w *world) kill(m *member) {
	w.gone(m, false)
	m.session.expire()
	m.session = w.tree.connect()
}

// crash ends a broker's process; its session lives on until it is found out or renewed.
func (w *world) crash(m *member) { w.gone(m, true) }

// gone ends a broker's process, and with refuse false its host.
func (w *world) gone(m *member, refuse bool) {
	w.mu.Lock()
	ctl := m.ctl
	m.ctl = nil
	w.mu.Unlock()
	if ctl != nil {
		ctl.Close()
	}
	w.mu.Lock()
	m.down, m.refuse = true, refuse
	conns := m.conns
	m.conns = nil
	w.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}

func (w *world) close() {
	for _, m := range w.members {
		if m.ctl != nil {
			m.ctl.Close()
		}
	}
}

// topic creates a topic's znode, as any broker might.
func (w *world) topic(name string, assignments ...[]int32) {
	t := znode.Topic{ID: topicID(name), Partitions: map[int32]znode.Assignment{}}
	for i, a := range assignments {
		t.Partitions[int32(i)] = znode.Assignment{Replicas: a}
	}
	w.tree.mustCreate(znode.TopicPath(name), t.Encode(), nil)
}

// topicAndDeletion creates a topic and the request to delete it at once; the request is noticed first.
func (w *world) topicAndDeletion(name string, replicas []int32) {
	t := w.tree
	t.mu.Lock()
	topic := znode.Topic{ID: topicID(name), Partitions: map[int32]znode.Assignment{0: {Replicas: replicas}}}
	t.zxid++
	later := t.createLocked(znode.TopicPath(name), topic.Encode(), nil)
	t.zxid++
	first := t.createLocked(znode.DeleteTopicPath(name), nil, nil)
	t.mu.Unlock()
	run(append(first, later...))
}

// topicID makes an id from a name, so that traces are the same every time.
func topicID(name string) znode.TopicID {
	id := znode.TopicID{0x40, 0, 0, 0, 0, 0, 0x40, 0, 0x80}
	copy(id[9:], name)
	return id
}

// recorder writes telemetry as text.
type recorder struct {
	w  *world
	id int32
}

func (r *recorder) Emit(ev Event) {
	if line := describe(ev); line != "" {
		r.w.mu.Lock()
		defer r.w.mu.Unlock()
		t := r.w.traces[r.id]
		if _, ok := ev.(Began); ok {
			t.begun = line // Most events find nothing to do; only what follows makes them worth a line.
			return
		}
		if t.begun != "" && !(t.begun == t.header && t.begun[0] == 'a') {
			t.events = append(t.events, t.begun)
			t.header = t.begun
		}
		t.begun = ""
		t.events = append(t.events, line)
	}
}

func describe(ev Event) string {
	switch e := ev.(type) {
	case Began:
		if e.Kind == KindLeaderAndIsrAnswer || e.Kind == KindTopicDeletionAnswer {
			return "answers of brokers" // They come in any order.
		}
		return "event " + string(e.Kind)
	case Ended:
		if e.Err != nil {
			return "  abandoned: " + e.Err.Error()
		}
	case Elected:
		return fmt.Sprintf("  elected: epoch %d, version %d", e.Epoch, e.EpochVersion)
	case FailedOver:
		return fmt.Sprintf("  took over: %d brokers, %d topics, %d partitions", e.Brokers, e.Topics, e.Partitions)
	case Resigned:
		return fmt.Sprintf("  resigned from epoch %d: %s", e.Epoch, e.Reason)
	case BrokerChanged:
		return fmt.Sprintf("  broker %d %s", e.BrokerID, e.Change)
	case AssignmentChanged:
		a := e.Assignment
		return fmt.Sprintf("  %s: replicas %v adding %v removing %v", e.TopicPartition, a.Replicas, a.Adding, a.Removing)
	case LeadershipChanged:
		return fmt.Sprintf("  %s: %s (%s)", e.TopicPartition, leadText(e.Leadership), e.Reason)
	case TransitionRefused:
		who := e.TopicPartition.String()
		if e.BrokerID != NoLeader {
			who += fmt.Sprintf(" on %d", e.BrokerID)
		}
		return fmt.Sprintf("  %s not %s: %s", who, e.To, e.Err)
	case ZnodeUnreadable:
		return "  unreadable " + e.Path
	case ZnodesWritten:
		if e.Err != nil {
			return "  write: " + e.Err.Error()
		}
		var out []string
		for i, op := range e.Ops {
			if op.Kind == OpCheck || strings.HasSuffix(op.Path, "/state") && op.Kind == OpSet && e.Results[i].Err == nil {
				continue // The committed states tell.
			}
			line := "  " + op.Kind.String() + " " + op.Path
			if e.Results[i].Err != nil {
				line += ": " + e.Results[i].Err.Error()
			}
			out = append(out, line)
		}
		return strings.Join(out, "\n")
	case TopicDeletionHalted:
		return fmt.Sprintf("  deletion of %s waits: %s", e.Topic, e.Reason)
	case TopicDeleted:
		return "  topic " + e.Topic + " is gone"
	case ChannelMerged:
		return fmt.Sprintf("  requests for %d merged, %d rounds wait", e.BrokerID, e.Rounds)
	case ChannelReset:
		return fmt.Sprintf("  requests for %d dropped: %d rounds", e.BrokerID, e.Dropped)
	case QueueRejected:
		return "  rejected " + string(e.Kind)
	}
	return ""
}

func leadText(l Leadership) string {
	s := fmt.Sprintf("leader %d epoch %d isr %v version %d by %d", l.Leader, l.LeaderEpoch, l.ISR, l.PartitionEpoch, l.ControllerEpoch)
	if l.Recovery == znode.Recovering {
		s += " recovering"
	}
	return s
}

// memTransport connects one controller to the members.
type memTransport struct {
	w    *world
	from int32
}

type memConn struct {
	w    *world
	from int32
	m    *member
	done chan struct{}
	once sync.Once
}

func (tr *memTransport) Dial(_ context.Context, to Endpoint) (Conn, error) {
	tr.w.mu.Lock()
	defer tr.w.mu.Unlock()
	m := tr.w.members[to.BrokerID]
	if m == nil || m.down {
		if m != nil && m.resets > 0 {
			m.resets--
			return nil, fmt.Errorf("dial %s: %w", to.Host, syscall.ECONNRESET)
		}
		if m != nil && m.refuse {
			return nil, fmt.Errorf("dial %s: %w", to.Host, syscall.ECONNREFUSED)
		}
		return nil, errors.New("no route to host")
	}
	c := &memConn{w: tr.w, from: tr.from, m: m, done: make(chan struct{})}
	m.conns = append(m.conns, c)
	return c, nil
}

func (c *memConn) Close() error {
	c.once.Do(func() { close(c.done) })
	return nil
}

func (c *memConn) Done() <-chan struct{} { return c.done }

func (c *memConn) Do(ctx context.Context, req wire.Request, version int16, _ int32) (wire.Response, error) {
	if c.w.silent {
		return answer(req, nil), nil
	}
	select {
	case <-c.done:
		return nil, errors.New("connection closed")
	default:
	}
	// What cannot be encoded could not be sent.
	if _, err := wire.Encode(nil, req, version); err != nil {
		return nil, err
	}
	c.w.mu.Lock()
	if c.m.hang {
		c.w.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.done:
			return nil, errors.New("connection closed")
		}
	}
	defer c.w.mu.Unlock()
	t := c.w.traces[c.from]
	t.sent[c.m.id] = append(t.sent[c.m.id], requestText(req, version, c.m.epoch)...)
	return answer(req, c.m.errors), nil
}

// answer makes the response of a broker that does as it is told, except for the errors given.
func answer(req wire.Request, failing map[string]wire.Error) wire.Response {
	code := func(api string, tp TopicPartition) wire.Error { return failing[api+" "+tp.String()] }
	switch r := req.(type) {
	case *wire.LeaderAndIsrRequest:
		resp := &wire.LeaderAndIsrResponse{ErrorCode: failing["LeaderAndIsr"]}
		for _, t := range r.TopicStates {
			out := wire.LeaderAndIsrTopicError{TopicID: t.TopicID}
			for _, p := range t.PartitionStates {
				out.PartitionErrors = append(out.PartitionErrors, wire.LeaderAndIsrPartitionError{
					PartitionIndex: p.PartitionIndex, ErrorCode: code("LeaderAndIsr", TopicPartition{Topic: t.TopicName, Partition: p.PartitionIndex}),
				})
			}
			resp.Topics = append(resp.Topics, out)
		}
		return resp
	case *wire.StopReplicaRequest:
		resp := &wire.StopReplicaResponse{}
		for _, t := range r.TopicStates {
			for _, p := range t.PartitionStates {
				e := wire.StopReplicaPartitionError{TopicName: t.TopicName, PartitionIndex: p.PartitionIndex}
				if p.DeletePartition {
					e.ErrorCode = code("StopReplica", TopicPartition{Topic: t.TopicName, Partition: p.PartitionIndex})
				}
				resp.PartitionErrors = append(resp.PartitionErrors, e)
			}
		}
		return resp
	}
	return &wire.UpdateMetadataResponse{}
}

func requestText(req wire.Request, version int16, epoch int64) []string {
	var lines []string
	head := func(api string, brokerEpoch int64) string {
		s := fmt.Sprintf("%s v%d", api, version)
		if brokerEpoch != epoch {
			s += " STALE BROKER EPOCH"
		}
		return s
	}
	switch r := req.(type) {
	case *wire.LeaderAndIsrRequest:
		var leaders []int32
		for _, l := range r.LiveLeaders {
			leaders = append(leaders, l.BrokerID)
		}
		lines = append(lines, fmt.Sprintf("%s by %d/%d leaders %v", head("LeaderAndIsr", r.BrokerEpoch), r.ControllerID, r.ControllerEpoch, leaders))
		for _, t := range r.TopicStates {
			for _, p := range t.PartitionStates {
				s := fmt.Sprintf("  %s-%d leader %d epoch %d isr %v version %d replicas %v", t.TopicName, p.PartitionIndex, p.Leader, p.LeaderEpoch, p.Isr, p.PartitionEpoch, p.Replicas)
				if len(p.AddingReplicas)+len(p.RemovingReplicas) > 0 {
					s += fmt.Sprintf(" adding %v removing %v", p.AddingReplicas, p.RemovingReplicas)
				}
				if p.IsNew {
					s += " new"
				}
				if p.LeaderRecoveryState != 0 {
					s += " recovering"
				}
				lines = append(lines, s)
			}
		}
	case *wire.UpdateMetadataRequest:
		var live []int32
		for _, b := range r.LiveBrokers {
			live = append(live, b.ID)
		}
		lines = append(lines, fmt.Sprintf("%s by %d/%d brokers %v", head("UpdateMetadata", r.BrokerEpoch), r.ControllerID, r.ControllerEpoch, live))
		for _, t := range r.TopicStates {
			for _, p := range t.PartitionStates {
				s := fmt.Sprintf("  %s-%d leader %d epoch %d isr %v version %d", t.TopicName, p.PartitionIndex, p.Leader, p.LeaderEpoch, p.Isr, p.ZkVersion)
				if len(p.OfflineReplicas) > 0 {
					s += fmt.Sprintf(" offline %v", p.OfflineReplicas)
				}
				lines = append(lines, s)
			}
		}
	case *wire.StopReplicaRequest:
		lines = append(lines, fmt.Sprintf("%s by %d/%d", head("StopReplica", r.BrokerEpoch), r.ControllerID, r.ControllerEpoch))
		for _, t := range r.TopicStates {
			for _, p := range t.PartitionStates {
				s := fmt.Sprintf("  %s-%d epoch %d", t.TopicName, p.PartitionIndex, p.LeaderEpoch)
				if p.DeletePartition {
					s += " delete"
				}
				lines = append(lines, s)
			}
		}
	}
	return lines
}

// settle waits until nothing happens any more and returns what happened, brokers that were told the same together.
func (w *world) settle() string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var out strings.Builder
	var ids []int32
	for id := range w.traces {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		t := w.traces[id]
		if len(t.events) == 0 && len(t.sent) == 0 {
			continue
		}
		fmt.Fprintf(&out, "controller %d\n", id)
		for _, e := range t.events {
			for _, line := range strings.Split(e, "\n") {
				fmt.Fprintf(&out, "  %s\n", line)
			}
		}
		groups := map[string][]int32{}
		for b, lines := range t.sent {
			k := strings.Join(lines, "\n")
			groups[k] = append(groups[k], b)
		}
		var keys []string
		for k := range groups {
			slices.Sort(groups[k])
			keys = append(keys, k)
		}
		sort.Slice(keys, func(i, j int) bool { return groups[keys[i]][0] < groups[keys[j]][0] })
		for _, k := range keys {
			fmt.Fprintf(&out, "  to %s\n", joinIDs(groups[k]))
			for _, line := range strings.Split(k, "\n") {
				fmt.Fprintf(&out, "    %s\n", line)
			}
		}
		t.events, t.header, t.sent = nil, "", map[int32][]string{}
	}
	if out.Len() == 0 {
		return "nothing\n"
	}
	return out.String()
}

func leadership(w *world, name string, p int32) (Leadership, bool) {
	data, version, ok := w.tree.get(znode.PartitionStatePath(TopicPartition{Topic: name, Partition: p}))
	if !ok {
		return Leadership{}, false
	}
	s, err := znode.DecodePartitionState([]byte(data))
	if err != nil {
		w.t.Fatal(err)
	}
	return Leadership{
		Leader: s.Leader, LeaderEpoch: int32(s.LeaderEpoch), ISR: s.ISR, Recovery: s.RecoveryState,
		PartitionEpoch: version, ControllerEpoch: int32(s.ControllerEpoch),
	}, true
}
