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

// RegisterBroker creates /brokers/ids/<id> and, in the same transaction, /prekraft/sessions/<session>, and returns the registration with its broker epoch. A
// registration by this session, from an attempt whose answer was lost, counts as success; one by an earlier session of this client is replaced.
// ErrBrokerRegistered says that another session holds it.
//
// The second node is there for whoever finds this broker dead and deletes its registration: ZooKeeper has no check on czxid, but a transaction that deletes both
// fails whole once the registration is another's. For the session's node goes with the session, and who takes a registration over deletes it as well.
func (c *Client) RegisterBroker(ctx context.Context, id int32, b znode.Broker, opts RegisterOptions) (Registration, error) {
	stat, err := c.Bound().hold(ctx, holding{
		path: znode.BrokerPath(id), data: b.Encode(), session: znode.OwnSession{BrokerID: id}.Encode(), wait: opts.Wait,
		takeOver: func(data []byte, stat Stat) bool {
			return opts.TakeOver != nil && opts.TakeOver(registrationOf(id, data, stat))
		},
	})
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
	_, err := c.Bound().hold(ctx, holding{path: znode.OwnBrokerPath(id), data: own.Encode(), takeOver: func([]byte, Stat) bool { return true }})
	return err
}

// holding is an ephemeral node that a broker is to have in its session.
type holding struct {
	path     string
	data     []byte
	session  []byte // content of the session's own node, which comes and goes with this one; nil: it has none
	takeOver func(data []byte, stat Stat) bool
	wait     time.Duration // for another session's node to go
}

// creation makes the node, by create and set since the answer to a create holds no Stat, after what has to go. The session's node comes first: who sees the
// registration, in whatever order a server shows the parts of a transaction, finds it.
func (h *holding) creation(session int64, gone ...Op) []Op {
	if h.session != nil {
		gone = append(gone, CreateOp(znode.OwnSessionPath(session), h.session, Ephemeral))
	}
	return append(gone, CreateOp(h.path, nil, Ephemeral), SetOp(h.path, h.data, 0))
}

// hold creates an ephemeral node. The client is a bound one.
func (c *Client) hold(ctx context.Context, h holding) (Stat, error) {
	deadline, self := time.Now().Add(h.wait), c.Session().ID
	ops := h.creation(self)
	for {
		results, err := c.Multi(ctx, ops...)
		if err == nil {
			return results[len(results)-1].Stat, nil
		}
		if !errors.Is(err, ErrNodeExists) && !errors.Is(err, ErrBadVersion) && !errors.Is(err, ErrNoNode) && !retryable(ctx, err) {
			return Stat{}, err
		}
		if i := failedOp(results); i >= 0 && ops[i].kind == opCreate && errors.Is(err, ErrNoNode) { // its parent is missing
			if ops[i].path == h.path {
				return Stat{}, err
			}
			if err := c.EnsurePath(ctx, znode.OwnSessionsPath); err != nil {
				return Stat{}, err
			}
		}
		if err := c.Sync(ctx, h.path); err != nil {
			return Stat{}, err
		}
		old, stat, err := c.Get(ctx, h.path)
		switch {
		case errors.Is(err, ErrNoNode):
			gone, err := c.leftSessions(ctx, h, self)
			if err != nil {
				return Stat{}, err
			}
			ops = h.creation(self, gone...)
			continue
		case err != nil:
			return Stat{}, err
		case stat.EphemeralOwner == self:
			if bytes.Equal(old, h.data) {
				return stat, nil
			}
			return c.setResolved(ctx, h.path, h.data)
		case stat.EphemeralOwner != 0 && (c.owns(stat.EphemeralOwner) || h.takeOver(old, stat)):
			gone, err := c.leftSessions(ctx, h, self, stat.EphemeralOwner)
			if err != nil {
				return Stat{}, err
			}
			ops = h.creation(self, append(gone, DeleteOp(h.path, stat.Version))...)
			continue
		}
		if err := c.awaitDeletion(ctx, h.path, deadline); err != nil {
			return Stat{}, err
		}
		ops = h.creation(self)
	}
}

// leftSessions lists deletions of what there is of the nodes of sessions: that of who held the node, and our own if somebody removed the registration by hand.
func (c *Client) leftSessions(ctx context.Context, h holding, sessions ...int64) ([]Op, error) {
	var gone []Op
	if h.session == nil {
		return nil, nil
	}
	for _, id := range sessions {
		path := znode.OwnSessionPath(id)
		exists, _, err := c.Exists(ctx, path)
		if err != nil {
			return nil, err
		}
		if exists {
			gone = append(gone, DeleteOp(path, znode.AnyVersion))
		}
	}
	return gone, nil
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
