package controller

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sort"
	"strings"
	"sync"
	"testing/synctest"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// tree is a small ZooKeeper: versions, czxids, multis, ephemerals and one-shot watches, shared by sessions.
type tree struct {
	mu       sync.Mutex
	zxid     int64
	nodes    map[string]*treeNode
	children map[string]map[string]bool
	sessions []*session
	disarmed []func() // Arm the watches again that the running multi has fired.
}

type treeNode struct {
	data  []byte
	stat  Stat
	owner *session
}

func newTree() *tree {
	t := &tree{nodes: map[string]*treeNode{"/": {}}, children: map[string]map[string]bool{}}
	for _, p := range znode.PersistentPaths() {
		t.mustCreate(p, nil, nil)
	}
	return t
}

// mustCreate creates a node and its parents from outside of any controller.
func (t *tree) mustCreate(p string, data []byte, owner *session) int64 {
	t.mu.Lock()
	var fired []func()
	if parent := path.Dir(p); t.nodes[parent] == nil {
		t.mu.Unlock()
		t.mustCreate(parent, nil, nil)
		t.mu.Lock()
	}
	if n := t.nodes[p]; n != nil {
		t.mu.Unlock()
		return n.stat.Czxid
	}
	t.zxid++
	fired = t.createLocked(p, data, owner)
	czxid := t.zxid
	t.mu.Unlock()
	run(fired)
	return czxid
}

// runInTurn calls watchers from a script: each controller settles before the next hears, so that it is always the same one
// that wins an election.
func runInTurn(fs []func()) {
	for _, f := range fs {
		f()
		synctest.Wait()
	}
}

func run(fs []func()) {
	for _, f := range fs {
		f()
	}
}

// set writes a node from outside.
func (t *tree) set(p string, data []byte) {
	t.mu.Lock()
	t.zxid++
	n := t.nodes[p]
	n.data = data
	n.stat.Version++
	n.stat.Mzxid = t.zxid
	fired := t.fireLocked(p, WatchData)
	t.mu.Unlock()
	run(fired)
}

// remove deletes a node and what is below it, from outside.
func (t *tree) remove(p string) {
	t.mu.Lock()
	var fired []func()
	var below []string
	for q := range t.nodes {
		if q == p || strings.HasPrefix(q, p+"/") {
			below = append(below, q)
		}
	}
	sort.Sort(sort.Reverse(sort.StringSlice(below)))
	for _, q := range below {
		t.zxid++
		fired = append(fired, t.deleteLocked(q)...)
	}
	t.mu.Unlock()
	runInTurn(fired)
}

// removeOne deletes one node from within a controller's event.
func (t *tree) removeOne(p string) {
	t.mu.Lock()
	t.zxid++
	fired := t.deleteLocked(p)
	t.mu.Unlock()
	run(fired)
}

func (t *tree) get(p string) (string, int32, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.nodes[p]
	if n == nil {
		return "", 0, false
	}
	return string(n.data), n.stat.Version, true
}

func (t *tree) ls(p string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for name := range t.children[p] {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

func (t *tree) createLocked(p string, data []byte, owner *session) []func() {
	n := &treeNode{data: data, owner: owner, stat: Stat{Czxid: t.zxid, Mzxid: t.zxid}}
	if owner != nil {
		n.stat.EphemeralOwner = owner.id
	}
	t.nodes[p] = n
	parent := path.Dir(p)
	if t.children[parent] == nil {
		t.children[parent] = map[string]bool{}
	}
	t.children[parent][path.Base(p)] = true
	return append(t.fireLocked(p, WatchData), t.fireLocked(parent, WatchChildren)...)
}

func (t *tree) deleteLocked(p string) []func() {
	delete(t.nodes, p)
	delete(t.children, p)
	delete(t.children[path.Dir(p)], path.Base(p))
	return append(t.fireLocked(p, WatchData), t.fireLocked(path.Dir(p), WatchChildren)...)
}

type watchKey struct {
	path string
	kind WatchKind
}

func (t *tree) fireLocked(p string, kind WatchKind) []func() {
	var out []func()
	k := watchKey{p, kind}
	for _, s := range t.sessions {
		if s.armed[k] {
			delete(s.armed, k)
			t.disarmed = append(t.disarmed, func() { s.armed[k] = true })
			if fn := s.watches[k]; fn != nil && !s.expired {
				out = append(out, fn)
			}
		}
	}
	return out
}

// checkLocked says what an operation would result in.
func (t *tree) checkLocked(op Op) error {
	n := t.nodes[op.Path]
	switch op.Kind {
	case OpCreate:
		if n != nil {
			return ErrNodeExists
		}
		if t.nodes[path.Dir(op.Path)] == nil {
			return ErrNoNode
		}
		return nil
	case OpCreateSequential:
		return nil
	}
	if n == nil {
		return ErrNoNode
	}
	if op.Version != AnyVersion && op.Version != n.stat.Version {
		return ErrBadVersion
	}
	if op.Kind == OpDelete && len(t.children[op.Path]) > 0 {
		return ErrNotEmpty
	}
	return nil
}

// multiLocked applies ops all or none, in order, so that a create may follow the create of its parent.
func (t *tree) multiLocked(ops []Op, owner map[int]*session) ([]OpResult, []func()) {
	saved := make(map[string]*treeNode)
	remember := func(p string) {
		if _, ok := saved[p]; !ok {
			if n := t.nodes[p]; n != nil {
				c := *n
				saved[p] = &c
			} else {
				saved[p] = nil
			}
		}
	}
	results := make([]OpResult, len(ops))
	var fired []func()
	t.zxid++
	t.disarmed = nil
	for i, op := range ops {
		if err := t.checkLocked(op); err != nil {
			run(t.disarmed)
			for p, n := range saved { // Undo.
				if n == nil {
					delete(t.nodes, p)
					delete(t.children[path.Dir(p)], path.Base(p))
				} else {
					t.nodes[p] = n
					if t.children[path.Dir(p)] == nil {
						t.children[path.Dir(p)] = map[string]bool{}
					}
					t.children[path.Dir(p)][path.Base(p)] = true
				}
			}
			for j := range results {
				results[j] = OpResult{Err: ErrRolledBack}
			}
			results[i].Err = err
			return results, nil
		}
		switch op.Kind {
		case OpCreate:
			remember(op.Path)
			fired = append(fired, t.createLocked(op.Path, op.Data, owner[i])...)
		case OpCreateSequential:
			p := fmt.Sprintf("%s%010d", op.Path, t.zxid)
			remember(p)
			fired = append(fired, t.createLocked(p, op.Data, nil)...)
			results[i].Path = p
		case OpSet:
			remember(op.Path)
			n := t.nodes[op.Path]
			t.nodes[op.Path] = &treeNode{data: op.Data, owner: n.owner, stat: n.stat}
			t.nodes[op.Path].stat.Version++
			t.nodes[op.Path].stat.Mzxid = t.zxid
			results[i].Stat = t.nodes[op.Path].stat
			fired = append(fired, t.fireLocked(op.Path, WatchData)...)
		case OpDelete:
			remember(op.Path)
			fired = append(fired, t.deleteLocked(op.Path)...)
		}
	}
	return results, fired
}

// session is one client of the tree; it implements Store.
type session struct {
	t       *tree
	id      int64
	expired bool
	watches map[watchKey]func()
	armed   map[watchKey]bool

	// beforeWrite is called before the next write, outside the lock, for faults in the middle of an event.
	beforeWrite func(ops []Op)
	// loseAnswers has so many writes applied twice, as after a lost answer.
	loseAnswers int
	writes      int // Operations written under the fence, for benchmarks.
}

func (t *tree) connect() *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &session{t: t, id: int64(len(t.sessions) + 1), watches: map[watchKey]func(){}, armed: map[watchKey]bool{}}
	t.sessions = append(t.sessions, s)
	return s
}

// expire ends a session: its ephemerals go.
func (s *session) expire() { runInTurn(s.end()) }

// expireWithin is expire from within a controller's event.
func (s *session) expireWithin() { run(s.end()) }

func (s *session) end() []func() {
	t := s.t
	t.mu.Lock()
	s.expired = true
	var fired []func()
	var own []string
	for p, n := range t.nodes {
		if n.owner == s {
			own = append(own, p)
		}
	}
	sort.Strings(own)
	for _, p := range own {
		t.zxid++
		fired = append(fired, t.deleteLocked(p)...)
	}
	t.mu.Unlock()
	return fired
}

// renew gives the session a new life under a new id; all watches are called.
func (s *session) renew() {
	s.t.mu.Lock()
	s.expired = false
	s.id += 100
	var fired []func()
	var keys []watchKey
	for k := range s.watches {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i].path < keys[j].path })
	for _, k := range keys {
		fired = append(fired, s.watches[k])
	}
	s.armed = map[watchKey]bool{}
	s.t.mu.Unlock()
	run(fired)
}

func (s *session) Get(ctx context.Context, paths ...string) ([]Node, error) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if s.expired {
		return nil, ErrSessionExpired
	}
	out := make([]Node, len(paths))
	for i, p := range paths {
		out[i].Path = p
		if n := s.t.nodes[p]; n != nil {
			out[i].Exists, out[i].Data, out[i].Stat = true, n.data, n.stat
		}
		if k := (watchKey{p, WatchData}); s.watches[k] != nil {
			s.armed[k] = true
		}
	}
	return out, ctx.Err()
}

func (s *session) Children(ctx context.Context, p string) ([]string, error) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if s.expired {
		return nil, ErrSessionExpired
	}
	var out []string
	for name := range s.t.children[p] {
		out = append(out, name)
	}
	if k := (watchKey{p, WatchChildren}); s.watches[k] != nil {
		s.armed[k] = true
	}
	return out, ctx.Err()
}

// hook calls beforeWrite, once.
func (s *session) hook(ops []Op) {
	s.t.mu.Lock()
	f := s.beforeWrite
	s.beforeWrite = nil
	s.t.mu.Unlock()
	if f != nil {
		f(ops)
	}
}

// onNextWrite sets what happens just before the next write.
func (s *session) onNextWrite(f func(ops []Op)) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	s.beforeWrite = f
}

// beforeWriteNumber sets what happens just before the nth write from now.
func (s *session) beforeWriteNumber(n int, f func()) {
	s.onNextWrite(func([]Op) {
		if n > 1 {
			s.beforeWriteNumber(n-1, f)
			return
		}
		f()
	})
}

// loseNext has the answers to the next n writes lost.
func (s *session) loseNext(n int) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	s.loseAnswers = n
}

func (s *session) Multi(ctx context.Context, ops ...Op) ([]OpResult, error) {
	s.hook(ops)
	s.t.mu.Lock()
	if s.expired {
		s.t.mu.Unlock()
		return nil, ErrSessionExpired
	}
	results, fired := s.t.multiLocked(ops, nil)
	if s.loseAnswers > 0 {
		s.loseAnswers--
		results, _ = s.t.multiLocked(ops, nil)
	}
	s.t.mu.Unlock()
	run(fired)
	return results, ctx.Err()
}

func (s *session) Write(ctx context.Context, epochVersion int32, ops []Op, together int) ([]OpResult, error) {
	s.hook(ops)
	s.t.mu.Lock()
	if s.expired {
		s.t.mu.Unlock()
		return nil, ErrSessionExpired
	}
	var fired []func()
	results := make([]OpResult, len(ops))
	times := 1
	if s.loseAnswers > 0 {
		s.loseAnswers--
		times = 2
	}
	for range times {
		for i := 0; i < len(ops); i += together {
			r, f := s.t.multiLocked(append([]Op{Check(znode.ControllerEpochPath, epochVersion)}, ops[i:i+together]...), nil)
			if errors.Is(r[0].Err, ErrBadVersion) {
				s.t.mu.Unlock()
				run(fired)
				return nil, ErrControllerMoved
			}
			copy(results[i:], r[1:])
			fired = append(fired, f...)
		}
	}
	s.writes += len(ops)
	s.t.mu.Unlock()
	run(fired)
	return results, ctx.Err()
}

func (s *session) Elect(ctx context.Context, id int32) (int32, int32, error) {
	s.t.mu.Lock()
	if s.expired {
		s.t.mu.Unlock()
		return 0, 0, ErrSessionExpired
	}
	n := s.t.nodes[znode.ControllerEpochPath]
	if n == nil {
		s.t.createLocked(znode.ControllerEpochPath, []byte("0"), nil)
		n = s.t.nodes[znode.ControllerEpochPath]
	}
	epoch, err := znode.DecodeControllerEpoch(n.data)
	if err != nil {
		s.t.mu.Unlock()
		return 0, 0, err
	}
	results, fired := s.t.multiLocked([]Op{
		Create(znode.ControllerPath, znode.Controller{BrokerID: id, KRaftControllerEpoch: -1}.Encode()),
		Set(znode.ControllerEpochPath, znode.EncodeControllerEpoch(epoch+1), n.stat.Version),
	}, map[int]*session{0: s})
	s.t.mu.Unlock()
	run(fired)
	if results[0].Err != nil || results[1].Err != nil {
		return 0, 0, ErrControllerMoved
	}
	return int32(epoch) + 1, results[1].Stat.Version, ctx.Err()
}

func (s *session) Watch(p string, kind WatchKind, fn func()) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	s.watches[watchKey{p, kind}] = fn
}

func (s *session) Unwatch(p string, kind WatchKind) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	delete(s.watches, watchKey{p, kind})
}

// setVersion gives a node another version, as if it had been written before.
func (t *tree) setVersion(p string, version int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.nodes[p].stat.Version = version
}

// bumpVersion has a node written with what it holds.
func (t *tree) bumpVersion(p string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.nodes[p].stat.Version++
}
