package zkutil

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

// Brokers reads all registrations, by id. Names that are no ids and brokers that go while it reads are left out.
func (c *Client) Brokers(ctx context.Context) (map[int32]Registration, error) {
	names, _, err := c.Children(ctx, znode.BrokerIDsPath)
	if err != nil {
		return nil, err
	}
	ids := make([]int32, 0, len(names))
	paths := make([]string, 0, len(names))
	for _, n := range names {
		if id, err := znode.ParseBrokerID(n); err == nil {
			ids, paths = append(ids, id), append(paths, znode.BrokerPath(id))
		}
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
		out[ids[i]] = registrationOf(ids[i], n.Data, n.Stat)
	}
	return out, nil
}

func registrationOf(id int32, data []byte, stat Stat) Registration {
	r := Registration{ID: id, Epoch: znode.BrokerEpoch(stat.Czxid), Version: stat.Version, Session: stat.EphemeralOwner}
	r.Broker, r.Err = znode.DecodeBroker(data)
	return r
}

// RegisterOptions say what to do when the broker's id is taken.
type RegisterOptions struct {
	// TakeOver decides whether the registration that is there is the caller's own, left by a process that is surely dead. It is then replaced
	// at once, in one transaction, instead of waiting for its session to expire. The caller needs a proof: it holds the lock of the data
	// directory in which the old process had noted its session. nil: never.
	TakeOver func(old Registration) bool

	// Wait is how long to wait for another session's registration to go. 0: not at all, as Kafka.
	Wait time.Duration
}

// RegisterBroker creates /brokers/ids/<id> and returns the registration with its broker epoch. A registration by this session, from an attempt whose
// answer was lost, counts as success; one by an earlier session of this client is replaced. ErrBrokerRegistered says that
// another session holds it.
func (c *Client) RegisterBroker(ctx context.Context, id int32, b znode.Broker, opts RegisterOptions) (Registration, error) {
	judge := func(data []byte, stat Stat) bool {
		return opts.TakeOver != nil && opts.TakeOver(registrationOf(id, data, stat))
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

// versionCycle bounds the versions that tell successive registrations apart.
const versionCycle = 16

// replacement deletes a registration and creates the new one in one transaction. The new one gets a version that the old one did not have: ZooKeeper has
// no check on czxid, so a deletion of the old registration that comes late can only be told apart by its version. It is an odd one, as that of every new
// registration (Kafka's has 1): the controller makes the version of a registration even before it deletes it.
func replacement(path string, data []byte, old znode.ZkVersion) []Op {
	ops := []Op{DeleteOp(path, old), CreateOp(path, nil, Ephemeral)}
	for v := range (old%versionCycle + 1) | 1 {
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
