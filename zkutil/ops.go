package zkutil

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// Stat is the metadata of a znode.
type Stat struct {
	Czxid, Mzxid, Pzxid int64
	CtimeMs, MtimeMs    int64 // the server's clock, since 1970
	Version             znode.ZkVersion
	ChildrenVersion     int32
	ACLVersion          int32
	EphemeralOwner      int64 // session id, 0 for a persistent node
	DataLength          int32
	NumChildren         int32
}

func statOf(s *zk.Stat) Stat {
	if s == nil {
		return Stat{}
	}
	return Stat{
		Czxid: s.Czxid, Mzxid: s.Mzxid, Pzxid: s.Pzxid, CtimeMs: s.Ctime, MtimeMs: s.Mtime, Version: znode.ZkVersion(s.Version),
		ChildrenVersion: s.Cversion, ACLVersion: s.Aversion, EphemeralOwner: s.EphemeralOwner, DataLength: s.DataLength, NumChildren: s.NumChildren,
	}
}

// Mode is how a node is created.
type Mode int32

// The modes that Kafka uses.
const (
	Persistent           Mode = zk.FlagPersistent
	Ephemeral            Mode = zk.FlagEphemeral
	PersistentSequential Mode = zk.FlagSequence
)

// request is one call of the library, repeated as its kind allows.
type request[T any] struct {
	op    string
	path  string
	write bool
	do    func(*zk.Conn) (T, error)
}

type answer[T any] struct {
	value T
	err   error
}

// send runs a request. Unless the server answered, a read is repeated; a write only if it was surely not executed.
func send[T any](ctx context.Context, c *Client, r request[T]) (T, error) {
	var zero T
	fail := func(err error, unknown bool) (T, error) {
		return zero, &Error{Op: r.op, Path: r.path, Err: err, Unknown: unknown && r.write}
	}
	s := c.session()
	for {
		if err := c.admit(ctx, s); err != nil {
			return fail(err, false)
		}
		ch := make(chan answer[T], 1)
		go func() {
			v, err := r.do(s.conn)
			<-c.slots
			ch <- answer[T]{v, err}
		}()
		var a answer[T]
		select {
		case a = <-ch:
		case <-ctx.Done():
			return fail(context.Cause(ctx), true)
		case <-s.done:
			// The answer may have come before the end; prefer it.
			select {
			case a = <-ch:
			default:
				if c.isClosing() {
					return fail(ErrClosed, true)
				}
				return fail(ErrSessionExpired, true)
			}
		}
		if a.err == nil {
			return a.value, nil
		}
		o, err := translate(a.err)
		switch {
		case o == answered:
			// With the value: a failed multi has results beside its error.
			return a.value, &Error{Op: r.op, Path: r.path, Err: err}
		case c.isClosing():
			return fail(ErrClosed, o == lost)
		case s.ended() || o == expired:
			return fail(ErrSessionExpired, o != notSent)
		case o == lost && r.write:
			return fail(err, true)
		}
	}
}

// admit waits until the session is connected and a slot is free, and takes the slot.
func (c *Client) admit(ctx context.Context, s *session) error {
	select {
	case <-s.gate():
	case <-ctx.Done():
	case <-s.done:
	case <-c.closing:
	}
	if err := c.refuse(ctx, s); err != nil {
		return err
	}
	select {
	case c.slots <- struct{}{}:
		err := c.refuse(ctx, s)
		if err != nil {
			<-c.slots
		}
		return err
	case <-ctx.Done():
	case <-s.done:
	case <-c.closing:
	}
	return c.refuse(ctx, s)
}

// refuse says why no request may be sent.
func (c *Client) refuse(ctx context.Context, s *session) error {
	switch {
	case c.isClosing():
		return ErrClosed
	case s.ended():
		return ErrSessionExpired
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return nil
}

func (c *core) isClosing() bool {
	select {
	case <-c.closing:
		return true
	default:
		return false
	}
}

// Get reads a node and arms the watch of a data handler. Data is nil for a node with null data.
func (c *Client) Get(ctx context.Context, path string) (data []byte, stat Stat, err error) {
	type node struct {
		data []byte
		stat Stat
	}
	full := c.full(path)
	n, err := send(ctx, c, request[node]{op: "get", path: path, do: func(conn *zk.Conn) (node, error) {
		data, stat, err := conn.Get(full)
		return node{data, statOf(stat)}, err
	}})
	if err != nil {
		return nil, Stat{}, err
	}
	return n.data, n.stat, nil
}

// Children reads the names of a node's children, sorted, and arms the watch of a children handler. stat is that of the parent.
func (c *Client) Children(ctx context.Context, path string) (names []string, stat Stat, err error) {
	type list struct {
		names []string
		stat  Stat
	}
	full := c.full(path)
	l, err := send(ctx, c, request[list]{op: "children", path: path, do: func(conn *zk.Conn) (list, error) {
		names, stat, err := conn.Children(full)
		return list{names, statOf(stat)}, err
	}})
	if err != nil {
		return nil, Stat{}, err
	}
	slices.Sort(l.names)
	return l.names, l.stat, nil
}

// Exists looks for a node and arms the watch of a data handler, also if the node does not exist: it then fires on creation.
func (c *Client) Exists(ctx context.Context, path string) (bool, Stat, error) {
	type node struct {
		ok   bool
		stat Stat
	}
	full := c.full(path)
	n, err := send(ctx, c, request[node]{op: "exists", path: path, do: func(conn *zk.Conn) (node, error) {
		ok, stat, err := conn.Exists(full)
		return node{ok, statOf(stat)}, err
	}})
	return n.ok, n.stat, err
}

// ACL gives a node's access control list. It takes the right to read the node or to administer it.
func (c *Client) ACL(ctx context.Context, path string) ([]znode.ACL, error) {
	full := c.full(path)
	return send(ctx, c, request[[]znode.ACL]{op: "get ACL", path: path, do: func(conn *zk.Conn) ([]znode.ACL, error) {
		list, _, err := conn.GetACL(full)
		out := make([]znode.ACL, len(list))
		for i, a := range list {
			out[i] = znode.ACL{Perms: a.Perms, Scheme: a.Scheme, ID: a.ID}
		}
		return out, err
	}})
}

// WatchExists registers a data handler and looks for the node, which arms it.
func (c *Client) WatchExists(ctx context.Context, path string, fn func(Event)) (exists bool, cancel func(), err error) {
	cancel = c.WatchData(path, fn)
	exists, _, err = c.Exists(ctx, path)
	if err != nil {
		cancel()
		return false, nil, err
	}
	return exists, cancel, nil
}

// Create makes a node with the ACL that Kafka gives to the path, and returns its path, which differs from the asked one for a sequential node.
func (c *Client) Create(ctx context.Context, path string, data []byte, mode Mode) (string, error) {
	if err := c.checkSize("create", path, len(data)); err != nil {
		return "", err
	}
	full, acl := c.full(path), c.acl(path)
	created, err := send(ctx, c, request[string]{op: "create", path: path, write: true, do: func(conn *zk.Conn) (string, error) {
		return conn.Create(full, data, int32(mode), acl)
	}})
	if err != nil {
		return "", err
	}
	return c.relative(created), nil
}

// Set replaces a node's data if it has the given version; znode.AnyVersion is any.
func (c *Client) Set(ctx context.Context, path string, data []byte, version znode.ZkVersion) (Stat, error) {
	if err := c.checkSize("set", path, len(data)); err != nil {
		return Stat{}, err
	}
	full := c.full(path)
	stat, err := send(ctx, c, request[Stat]{op: "set", path: path, write: true, do: func(conn *zk.Conn) (Stat, error) {
		stat, err := conn.Set(full, data, int32(version))
		return statOf(stat), err
	}})
	if err != nil {
		return Stat{}, err
	}
	return stat, nil
}

// Delete removes a node without children if it has the given version.
func (c *Client) Delete(ctx context.Context, path string, version znode.ZkVersion) error {
	full := c.full(path)
	_, err := send(ctx, c, request[struct{}]{op: "delete", path: path, write: true, do: func(conn *zk.Conn) (struct{}, error) {
		return struct{}{}, conn.Delete(full, int32(version))
	}})
	return err
}

// Sync waits until the server that we are connected to knows every write that was acknowledged before.
func (c *Client) Sync(ctx context.Context, path string) error {
	full := c.full(path)
	_, err := send(ctx, c, request[struct{}]{op: "sync", path: path, do: func(conn *zk.Conn) (struct{}, error) {
		_, err := conn.Sync(full)
		return struct{}{}, err
	}})
	return err
}

func (c *core) checkSize(op, path string, n int) error {
	if n > c.cfg.MaxRequestBytes {
		return &Error{Op: op, Path: path, Err: fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, n, c.cfg.MaxRequestBytes)}
	}
	return nil
}

// EnsurePath creates a persistent node with null data, and its parents, unless they exist. An unknown outcome is resolved.
func (c *Client) EnsurePath(ctx context.Context, path string) error {
	err := c.createRecursive(ctx, path, nil)
	if errors.Is(err, ErrNodeExists) {
		return nil
	}
	return err
}

// createRecursive creates a persistent node and, with null data, the parents it lacks. ErrNodeExists says that the node itself exists.
func (c *Client) createRecursive(ctx context.Context, path string, data []byte) error {
	for {
		err := c.createResolved(ctx, path, data)
		if !errors.Is(err, ErrNoNode) {
			return err
		}
		parent := path[:max(strings.LastIndexByte(path, '/'), 0)]
		if parent == "" {
			return err
		}
		if err := c.EnsurePath(ctx, parent); err != nil {
			return err
		}
	}
}

// createResolved creates a persistent node; when the outcome is unknown, it reads back and repeats. A node that is there after an unknown outcome and has
// the same data counts as ours.
func (c *Client) createResolved(ctx context.Context, path string, data []byte) error {
	for {
		_, err := c.Create(ctx, path, data, Persistent)
		if !errors.Is(err, ErrUnknown) || ctx.Err() != nil {
			return err
		}
		done, _, rerr := c.executed(ctx, CreateOp(path, data, Persistent))
		if rerr != nil {
			return errors.Join(err, rerr)
		}
		if done {
			return nil
		}
	}
}

// retryable says whether a write whose repetition does no harm should be repeated.
func retryable(ctx context.Context, err error) bool {
	return errors.Is(err, ErrUnknown) && ctx.Err() == nil && !errors.Is(err, ErrSessionExpired) && !errors.Is(err, ErrClosed)
}

// DeleteRecursive removes a node and everything below it, children first. A node that does not exist is fine. It is not atomic; somebody
// who creates children meanwhile makes it start over.
func (c *Client) DeleteRecursive(ctx context.Context, path string) error {
	for {
		err := c.Delete(ctx, path, znode.AnyVersion)
		switch {
		case err == nil || errors.Is(err, ErrNoNode):
			return nil
		case retryable(ctx, err):
			continue
		case !errors.Is(err, ErrNotEmpty):
			return err
		}
		names, _, err := c.Children(ctx, path)
		if err != nil && !errors.Is(err, ErrNoNode) {
			return err
		}
		for _, n := range names {
			if err := c.DeleteRecursive(ctx, strings.TrimSuffix(path, "/")+"/"+n); err != nil {
				return err
			}
		}
	}
}
