package zkutil

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// changeExpiration is how long notifications are kept (core/src/main/scala/kafka/common/ZkNodeChangeNotificationListener.scala).
const changeExpiration = 15 * time.Minute

// notify creates a sequential node. One too many does no harm, so it is repeated until it is answered.
func (c *Client) notify(ctx context.Context, prefix string, data []byte) error {
	parent := prefix[:strings.LastIndexByte(prefix, '/')]
	for {
		_, err := c.Create(ctx, prefix, data, PersistentSequential)
		switch {
		case errors.Is(err, ErrNoNode):
			if err := c.EnsurePath(ctx, parent); err != nil {
				return err
			}
		case !retryable(ctx, err):
			return err
		}
	}
}

// NotifyACLChange tells all brokers that the ACLs of a resource changed.
func (c *Client) NotifyACLChange(ctx context.Context, r znode.ResourcePattern) error {
	return c.notify(ctx, r.ChangePrefix(), r.EncodeChange())
}

// NotifyTokenChange tells all brokers that a delegation token changed.
func (c *Client) NotifyTokenChange(ctx context.Context, tokenID string) error {
	return c.notify(ctx, znode.DelegationTokenChangePrefix, []byte(tokenID))
}

// ChangeListener follows the sequential nodes of one notification path: /config/changes, ACL and token changes.
type ChangeListener struct {
	c       *Client
	prefix  string // with the parent
	parent  string
	handle  func(data []byte)
	pending chan struct{} // capacity 1
	cancel  func()
	last    int64
	created map[string]int64 // ctime in ms of the nodes that are there
}

// ListenChanges makes a listener for the notifications that are created with prefix, such as znode.ConfigChangePrefix. It registers the watch at
// once; Run does the rest. Call order: ListenChanges, the first Poll or Run, then load everything that the notifications are about, so that no change falls
// between.
func (c *Client) ListenChanges(prefix string, handle func(data []byte)) *ChangeListener {
	l := &ChangeListener{
		c: c, prefix: prefix, parent: prefix[:strings.LastIndexByte(prefix, '/')], handle: handle, pending: make(chan struct{}, 1), last: -1, created: make(map[string]int64),
	}
	l.pending <- struct{}{} // process what is there
	l.cancel = c.WatchChildren(l.parent, func(Event) {
		select {
		case l.pending <- struct{}{}:
		default:
		}
	})
	return l
}

// Run processes notifications until ctx ends, and takes the watch back then. Errors of ZooKeeper make it try again: after a session ended, the
// new session's Resync wakes it. now is time.Now.
func (l *ChangeListener) Run(ctx context.Context, now func() time.Time) error {
	defer l.cancel()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-l.pending:
		}
		if err := l.Poll(ctx, now()); errors.Is(err, ErrClosed) {
			return err
		}
	}
}

// Poll processes the notifications that are there and deletes old ones. The first call after the start processes all of them. Run calls it; others call it
// before they call Run, or not at all.
func (l *ChangeListener) Poll(ctx context.Context, now time.Time) error {
	names, _, err := l.c.Children(ctx, l.parent)
	if errors.Is(err, ErrNoNode) {
		if err = l.c.EnsurePath(ctx, l.parent); err == nil {
			names, _, err = l.c.Children(ctx, l.parent)
		}
	}
	if err != nil {
		return fmt.Errorf("list %s: %w", l.parent, err)
	}
	// Sorted names are in the order of their creation: ten digits.
	var fresh []string
	var seqs []int64
	for _, n := range names {
		seq, err := znode.SequenceNumber("/"+n, l.prefix[len(l.parent):])
		if err == nil && seq > l.last {
			fresh, seqs = append(fresh, l.parent+"/"+n), append(seqs, seq)
		}
	}
	nodes, err := l.c.GetMany(ctx, fresh)
	if err != nil {
		return err
	}
	for i, n := range nodes {
		if n.Err != nil && !errors.Is(n.Err, ErrNoNode) {
			return n.Err
		}
		l.last = seqs[i]
		if n.Err == nil {
			l.created[fresh[i]] = n.Stat.CtimeMs
			l.handle(n.Data)
		}
	}
	return l.purge(ctx, now)
}

// purge deletes notifications that every broker has seen. Any broker does it, so nodes may be gone already. As in Kafka, the servers' clock is
// compared with ours.
func (l *ChangeListener) purge(ctx context.Context, now time.Time) error {
	for path, ctimeMs := range l.created {
		if now.Sub(time.UnixMilli(ctimeMs)) <= changeExpiration {
			continue
		}
		err := l.c.Delete(ctx, path, znode.AnyVersion)
		if err != nil && !errors.Is(err, ErrNoNode) {
			return err
		}
		delete(l.created, path)
	}
	return nil
}
