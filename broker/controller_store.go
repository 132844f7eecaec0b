package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prekraft/prekraft/coordinator/controller"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// controllerStore is the controller's and the admin's ZooKeeper: zkutil's client in the words of controller.Store.
type controllerStore struct {
	client *zkutil.Client
	// elected is the client of the session under which this broker became controller: the controller's writes end with that session.
	elected atomic.Pointer[zkutil.Client]
	// changed is told of every watch that fires, before it acts; nil for nobody.
	changed func(zkutil.Event)

	mu      sync.Mutex
	cancels map[watchKey]func()
}

type watchKey struct {
	path string
	kind controller.WatchKind
}

func newControllerStore(client *zkutil.Client) *controllerStore {
	return &controllerStore{client: client, cancels: map[watchKey]func(){}}
}

// storeError brings an error of zkutil into the words of the controller. The cause stays in the chain.
func storeError(err error) error {
	if err == nil {
		return nil
	}
	for _, pair := range [...]struct{ theirs, ours error }{
		{zkutil.ErrControllerMoved, controller.ErrControllerMoved},
		{zkutil.ErrSessionExpired, controller.ErrSessionExpired},
		{zkutil.ErrNoNode, controller.ErrNoNode},
		{zkutil.ErrNodeExists, controller.ErrNodeExists},
		{zkutil.ErrBadVersion, controller.ErrBadVersion},
		{zkutil.ErrNotEmpty, controller.ErrNotEmpty},
		{zkutil.ErrNotExecuted, controller.ErrRolledBack},
	} {
		if errors.Is(err, pair.theirs) {
			return fmt.Errorf("%w: %w", pair.ours, err)
		}
	}
	return err
}

func storeStat(s zkutil.Stat) controller.Stat {
	return controller.Stat{Czxid: s.Czxid, Mzxid: s.Mzxid, CtimeMs: s.CtimeMs, Version: int32(s.Version), EphemeralOwner: s.EphemeralOwner}
}

// Get reads znodes, several at a time.
func (s *controllerStore) Get(ctx context.Context, paths ...string) ([]controller.Node, error) {
	read, err := s.client.GetMany(ctx, paths)
	if err != nil {
		return nil, storeError(err)
	}
	nodes := make([]controller.Node, len(paths))
	for i, r := range read {
		nodes[i].Path = paths[i]
		switch {
		case r.Err == nil:
			nodes[i].Data, nodes[i].Stat, nodes[i].Exists = r.Data, storeStat(r.Stat), true
		case !errors.Is(r.Err, zkutil.ErrNoNode):
			return nil, storeError(r.Err)
		}
	}
	// A read of a znode that isn't there arms nothing: its creation is watched for by asking whether it exists.
	for i := range nodes {
		if nodes[i].Exists || !s.watched(paths[i]) {
			continue
		}
		exists, _, err := s.client.Exists(ctx, paths[i])
		if err != nil {
			return nil, storeError(err)
		}
		if exists { // made in between
			data, stat, err := s.client.Get(ctx, paths[i])
			if err == nil {
				nodes[i].Data, nodes[i].Stat, nodes[i].Exists = data, storeStat(stat), true
			} else if !errors.Is(err, zkutil.ErrNoNode) {
				return nil, storeError(err)
			}
		}
	}
	return nodes, nil
}

func (s *controllerStore) watched(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.cancels[watchKey{path, controller.WatchData}]
	return ok
}

// Children lists a znode's children.
func (s *controllerStore) Children(ctx context.Context, path string) ([]string, error) {
	names, _, err := s.client.Children(ctx, path)
	if errors.Is(err, zkutil.ErrNoNode) {
		return nil, nil
	}
	return names, storeError(err)
}

// Multi applies operations all or none. A cut-off attempt is repeated: what the admin writes may be written twice (reference zookeeper.md §1.2).
func (s *controllerStore) Multi(ctx context.Context, ops ...controller.Op) ([]controller.OpResult, error) {
	translated := make([]zkutil.Op, len(ops))
	for i, op := range ops {
		translated[i] = storeOp(op)
	}
	for {
		results, err := s.client.Multi(ctx, translated...)
		if len(results) == len(ops) {
			return storeResults(results), nil
		}
		if !errors.Is(err, zkutil.ErrUnknown) || errors.Is(err, zkutil.ErrSessionExpired) || ctx.Err() != nil {
			return nil, storeError(err)
		}
	}
}

func storeOp(op controller.Op) zkutil.Op {
	version := znode.ZkVersion(op.Version)
	switch op.Kind {
	case controller.OpCheck:
		return zkutil.CheckOp(op.Path, version)
	case controller.OpCreate:
		return zkutil.CreateOp(op.Path, op.Data, zkutil.Persistent)
	case controller.OpCreateSequential:
		return zkutil.CreateOp(op.Path, op.Data, zkutil.PersistentSequential)
	case controller.OpSet:
		return zkutil.SetOp(op.Path, op.Data, version)
	case controller.OpDelete:
		return zkutil.DeleteOp(op.Path, version)
	}
	return zkutil.Op{} // refused by the client
}

func storeResults(results []zkutil.Result) []controller.OpResult {
	out := make([]controller.OpResult, len(results))
	for i, r := range results {
		out[i] = controller.OpResult{Err: storeError(r.Err), Path: r.Path, Stat: storeStat(r.Stat)}
	}
	return out
}

// Elect runs the election transaction.
func (s *controllerStore) Elect(ctx context.Context, brokerID int32) (epoch, epochVersion int32, err error) {
	bound := s.client.Bound()
	won, err := bound.ElectController(ctx, brokerID, time.Now())
	if err != nil {
		return 0, 0, storeError(err)
	}
	s.elected.Store(bound)
	return int32(won.Epoch), int32(won.EpochVersion), nil
}

// Write applies independent groups of operations, each fenced by the version of /controller_epoch.
func (s *controllerStore) Write(ctx context.Context, epochVersion int32, ops []controller.Op, together int) ([]controller.OpResult, error) {
	client := s.elected.Load()
	if client == nil {
		return nil, controller.ErrControllerMoved
	}
	translated := make([]zkutil.Op, len(ops))
	for i, op := range ops {
		translated[i] = storeOp(op)
	}
	groups := make([]zkutil.Group, 0, len(ops)/together)
	for chunk := range slices.Chunk(translated, together) {
		groups = append(groups, chunk)
	}
	done, err := client.Fenced(znode.ZkVersion(epochVersion)).Do(ctx, groups...)
	if err != nil {
		return nil, storeError(err)
	}
	out := make([]controller.OpResult, 0, len(ops))
	for i, group := range done {
		if len(group.Results) == len(groups[i]) {
			out = append(out, storeResults(group.Results)...)
			continue
		}
		for range groups[i] {
			out = append(out, controller.OpResult{Err: storeError(group.Err)})
		}
	}
	return out, nil
}

// Watch registers fn for a path; it replaces what was registered.
func (s *controllerStore) Watch(path string, kind controller.WatchKind, fn func()) {
	told := func(e zkutil.Event) {
		if s.changed != nil {
			s.changed(e)
		}
		fn()
	}
	var cancel func()
	if kind == controller.WatchChildren {
		cancel = s.client.WatchChildren(path, told)
	} else {
		cancel = s.client.WatchData(path, told)
	}
	s.mu.Lock()
	old := s.cancels[watchKey{path, kind}]
	s.cancels[watchKey{path, kind}] = cancel
	s.mu.Unlock()
	if old != nil {
		old()
	}
}

// Unwatch forgets a registration.
func (s *controllerStore) Unwatch(path string, kind controller.WatchKind) {
	s.mu.Lock()
	cancel := s.cancels[watchKey{path, kind}]
	delete(s.cancels, watchKey{path, kind})
	s.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}
