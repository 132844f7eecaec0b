package zkutil

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// ErrBrokerRegistered says that another session holds the broker's registration.
var ErrBrokerRegistered = errors.New("a broker with this id is registered by another session")

// Registration is a broker in /brokers/ids.
type Registration struct {
	ID      int32
	Broker  znode.Broker
	Epoch   znode.BrokerEpoch // czxid
	Version znode.ZkVersion
	Session int64 // owner
	Err     error // the data cannot be decoded; Broker is then zero
}

// EnsurePersistentPaths creates what every broker creates at startup.
func (c *Client) EnsurePersistentPaths(ctx context.Context) error {
	paths := znode.PersistentPaths()
	return c.parallel(ctx, len(paths), func(ctx context.Context, i int) error { return c.EnsurePath(ctx, paths[i]) })
}

// BrokerIDs lists the live brokers in ascending order and arms the list's watch. Names that are no ids are left out.
func (c *Client) BrokerIDs(ctx context.Context) ([]int32, error) {
	names, _, err := c.Children(ctx, znode.BrokerIDsPath)
	if err != nil {
		return nil, err
	}
	ids := make([]int32, 0, len(names))
	for _, n := range names {
		if id, err := znode.ParseBrokerID(n); err == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// Brokers reads all registrations, by id, and arms the watches of list and nodes. Brokers that go while it reads are left out.
func (c *Client) Brokers(ctx context.Context) (map[int32]Registration, error) {
	ids, err := c.BrokerIDs(ctx)
	if err != nil {
		return nil, err
	}
	return c.ReadBrokers(ctx, ids)
}

// ReadBrokers reads the registrations of the given brokers; those that are not registered are left out.
func (c *Client) ReadBrokers(ctx context.Context, ids []int32) (map[int32]Registration, error) {
	paths := make([]string, len(ids))
	for i, id := range ids {
		paths[i] = znode.BrokerPath(id)
	}
	nodes, err := c.GetMany(ctx, paths)
	if err != nil {
		return nil, err
	}
	out := make(map[int32]Registration, len(ids))
	for i, n := range nodes {
		if errors.Is(n.Err, ErrNoNode) {
			continue
		}
		if n.Err != nil {
			return nil, n.Err
		}
		r := Registration{ID: ids[i], Epoch: znode.BrokerEpoch(n.Stat.Czxid), Version: n.Stat.Version, Session: n.Stat.EphemeralOwner}
		r.Broker, r.Err = znode.DecodeBroker(n.Data)
		out[r.ID] = r
	}
	return out, nil
}

// RegisterOptions say what to do when the broker's id is taken.
type RegisterOptions struct {
	// TakeOver decides whether the registration that is there is the caller's own, left by a process that is surely dead. It is then replaced
	// at once, in one transaction, instead of waiting for its session to expire. The caller needs a proof: it holds the lock of the data
	// directory that the old process had, and SameEndpoints. nil: never.
	TakeOver func(old Registration) bool

	// Wait is how long to wait for another session's registration to go. 0: not at all, as Kafka.
	Wait time.Duration
}

// SameEndpoints makes a TakeOver that recognizes a registration by its endpoints: whoever could bind the listeners that the old registration
// advertises, and holds its data directory, is its successor. A registration without endpoints is not recognized.
func SameEndpoints(own znode.Broker) func(Registration) bool {
	return func(old Registration) bool {
		return old.Err == nil && len(old.Broker.Endpoints) > 0 && slices.Equal(old.Broker.Endpoints, own.Endpoints)
	}
}

// RegisterBroker creates /brokers/ids/<id> and returns the registration with its broker epoch. A registration by this session, from an attempt whose
// answer was lost, counts as success; one by an earlier session of this client is replaced. ErrBrokerRegistered says that
// another session holds it.
func (c *Client) RegisterBroker(ctx context.Context, id int32, b znode.Broker, opts RegisterOptions) (Registration, error) {
	judge := func(data []byte, stat Stat) bool {
		if opts.TakeOver == nil {
			return false
		}
		old := Registration{ID: id, Epoch: znode.BrokerEpoch(stat.Czxid), Version: stat.Version, Session: stat.EphemeralOwner}
		old.Broker, old.Err = znode.DecodeBroker(data)
		return opts.TakeOver(old)
	}
	stat, err := c.registerEphemeral(ctx, znode.BrokerPath(id), b.Encode(), judge, opts.Wait)
	if err != nil {
		return Registration{}, fmt.Errorf("register broker %d: %w", id, err)
	}
	return Registration{ID: id, Broker: b, Epoch: znode.BrokerEpoch(stat.Czxid), Version: stat.Version, Session: stat.EphemeralOwner}, nil
}

// RegisterOwnBroker creates /prekraft/brokers/<id>. The caller has registered the broker, so whatever is there is stale and replaced.
func (c *Client) RegisterOwnBroker(ctx context.Context, id int32, own znode.OwnBroker) error {
	if err := c.EnsurePath(ctx, znode.OwnBrokersPath); err != nil {
		return err
	}
	_, err := c.registerEphemeral(ctx, znode.OwnBrokerPath(id), own.Encode(), func([]byte, Stat) bool { return true }, 0)
	return err
}

// maxReplacements bounds the versions that tell successive registrations apart.
const maxReplacements = 16

// registerEphemeral creates an ephemeral node by create and set in one transaction, since the answer to a create holds no Stat.
func (c *Client) registerEphemeral(ctx context.Context, path string, data []byte, takeOver func([]byte, Stat) bool, wait time.Duration) (Stat, error) {
	c = c.Bound()
	deadline := time.Now().Add(wait)
	ops := []Op{CreateOp(path, nil, Ephemeral), SetOp(path, data, 0)}
	for {
		results, err := c.Multi(ctx, ops...)
		if err == nil {
			return results[len(results)-1].Stat, nil
		}
		if !errors.Is(err, ErrNodeExists) && !errors.Is(err, ErrBadVersion) && !errors.Is(err, ErrNoNode) && !retryable(ctx, err) {
			return Stat{}, err
		}
		if errors.Is(err, ErrNoNode) && len(ops) == 2 {
			return Stat{}, err // the parent is missing
		}
		ops = []Op{CreateOp(path, nil, Ephemeral), SetOp(path, data, 0)}
		if err := c.Sync(ctx, path); err != nil {
			return Stat{}, err
		}
		old, stat, err := c.Get(ctx, path)
		switch {
		case errors.Is(err, ErrNoNode):
			continue
		case err != nil:
			return Stat{}, err
		case stat.EphemeralOwner == c.Session().ID:
			if bytes.Equal(old, data) {
				return stat, nil
			}
			return c.setResolved(ctx, path, data)
		case stat.EphemeralOwner != 0 && (c.owns(stat.EphemeralOwner) || takeOver(old, stat)):
			ops = replacement(path, data, stat.Version)
			continue
		}
		if err := c.awaitDeletion(ctx, path, deadline); err != nil {
			return Stat{}, err
		}
	}
}

// replacement deletes a registration and creates the new one in one transaction. The new one gets a version that the old one did not have: ZooKeeper has
// no check on czxid, so a deletion of the old registration that comes late can only be told apart by its version.
func replacement(path string, data []byte, old znode.ZkVersion) []Op {
	ops := []Op{DeleteOp(path, old), CreateOp(path, nil, Ephemeral)}
	for v := range old%maxReplacements + 1 {
		ops = append(ops, SetOp(path, data, v))
	}
	return ops
}

// awaitDeletion waits until the node is gone.
func (c *Client) awaitDeletion(ctx context.Context, path string, deadline time.Time) error {
	changed := make(chan struct{}, 1)
	exists, cancel, err := c.WatchExists(ctx, path, func(Event) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return err
	}
	defer cancel()
	if !exists {
		return nil
	}
	left := time.Until(deadline)
	if left <= 0 {
		return &Error{Op: "register", Path: path, Err: fmt.Errorf("%w: %w", ErrBrokerRegistered, ErrNodeExists)}
	}
	limit := time.NewTimer(left)
	defer limit.Stop()
	select {
	case <-changed:
	case <-limit.C:
	case <-c.session().done:
		return &Error{Op: "register", Path: path, Err: ErrSessionExpired}
	case <-c.closing:
		return &Error{Op: "register", Path: path, Err: ErrClosed}
	case <-ctx.Done():
		return &Error{Op: "register", Path: path, Err: context.Cause(ctx)}
	}
	return nil
}

// setResolved sets data whatever the version, and repeats until it is answered.
func (c *Client) setResolved(ctx context.Context, path string, data []byte) (Stat, error) {
	for {
		stat, err := c.Set(ctx, path, data, znode.AnyVersion)
		if !retryable(ctx, err) {
			return stat, err
		}
	}
}

// UpdateBroker replaces the data of the broker's own registration, after a change of listeners. The broker epoch stays.
func (c *Client) UpdateBroker(ctx context.Context, id int32, b znode.Broker) (znode.ZkVersion, error) {
	stat, err := c.setResolved(ctx, znode.BrokerPath(id), b.Encode())
	return stat.Version, err
}

// RemoveBroker deletes the registration of a broker that is known to be dead before its session expires. It deletes only the registration
// with the given epoch: it reads that epoch and deletes on condition of the version it saw with it, which a replacement by RegisterBroker
// changes. removed is false if that registration is gone.
func (f *Fenced) RemoveBroker(ctx context.Context, id int32, epoch znode.BrokerEpoch) (removed bool, err error) {
	path := znode.BrokerPath(id)
	_, stat, err := f.c.Get(ctx, path)
	if errors.Is(err, ErrNoNode) || err == nil && stat.Czxid != int64(epoch) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = f.Multi(ctx, DeleteOp(path, stat.Version))
	if errors.Is(err, ErrNoNode) || errors.Is(err, ErrBadVersion) {
		return false, nil
	}
	return err == nil, err
}

// GenerateBrokerID draws a broker id above reservedMax (reserved.broker.max.id): a counter in ZooKeeper.
func (c *Client) GenerateBrokerID(ctx context.Context, reservedMax int32) (int32, error) {
	for {
		stat, err := c.setResolved(ctx, znode.BrokerSeqIDPath, nil)
		if errors.Is(err, ErrNoNode) {
			if err = c.EnsurePath(ctx, znode.BrokerSeqIDPath); err == nil {
				continue
			}
		}
		if err != nil {
			return 0, fmt.Errorf("generate broker id: %w", err)
		}
		return int32(stat.Version) + reservedMax, nil
	}
}
