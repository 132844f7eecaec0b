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

// minChangePause and maxChangePause bound the pause before notifications that could not be processed are looked at again.
const (
	minChangePause = 500 * time.Millisecond
	maxChangePause = 30 * time.Second
)

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

// NotifyLogDirFailure tells the controller that a log directory of the broker failed.
func (c *Client) NotifyLogDirFailure(ctx context.Context, broker int32) error {
	return c.notify(ctx, znode.LogDirEventPrefix, znode.EncodeLogDirEvent(broker))
}

// NotifyISRChanges tells the controller which partitions' ISRs a leader has written itself.
func (c *Client) NotifyISRChanges(ctx context.Context, tps []znode.TopicPartition) error {
	return c.notify(ctx, znode.IsrChangePrefix, znode.EncodeIsrChange(tps))
}

// ChangeListener follows the sequential nodes of one notification path: /config/changes, ACL and token changes. Each notification is handled once, in the order
// of creation, whatever happens to the session.
type ChangeListener struct {
	c       *Client
	prefix  string // with the parent
	parent  string
	handle  func(ctx context.Context, data []byte) error
	pending chan struct{} // capacity 1
	cancel  func()

	// Owned by Poll.
	last    int64            // sequence number of the newest notification that was handled
	created map[string]int64 // ctime in ms of the nodes that are there
}

// ListenChanges makes a listener for the notifications that are created with prefix, such as znode.ConfigChangePrefix. It registers the watch at
// once; Run does the rest. Call order: ListenChanges, the first Poll or Run, then load everything that the notifications are about, so that no change falls
// between.
//
// handle runs where Poll or Run was called. If it returns an error, the notification counts as not handled: it is handled again later, and those
// that follow wait. A notification that nobody can handle, because it is malformed, is therefore no error.
func (c *Client) ListenChanges(prefix string, handle func(ctx context.Context, data []byte) error) *ChangeListener {
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

// Run processes notifications until ctx ends or the client is closed, returns that as its error, and takes the watch back. What else goes wrong is told to
// report and tried again, after a pause or when there is news: a new notification, a reconnection, a new session.
func (l *ChangeListener) Run(ctx context.Context, report func(error)) error {
	defer l.cancel()
	pause := minChangePause
	retry := time.NewTimer(pause)
	retry.Stop()
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-l.pending:
		case <-retry.C:
		}
		err := l.Poll(ctx)
		switch {
		case err == nil:
			pause = minChangePause
			retry.Stop()
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, ErrClosed):
			return err
		default:
			report(err)
			retry.Reset(pause)
			pause = min(2*pause, maxChangePause)
		}
	}
}

// Poll processes the notifications that are there, arms the watch and deletes old ones. The first call after the start processes all of them. Run calls it;
// others call it before they call Run, or not at all.
func (l *ChangeListener) Poll(ctx context.Context) error {
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
		if n.Err == nil {
			if err := l.handle(ctx, n.Data); err != nil {
				return fmt.Errorf("handle %s: %w", fresh[i], err)
			}
			l.created[fresh[i]] = n.Stat.CtimeMs
		}
		l.last = seqs[i]
	}
	return l.purge(ctx)
}

// purge deletes notifications that every broker has seen. Any broker does it, so nodes may be gone already; those that this one may not delete are
// left to the others. As in Kafka, the servers' clock is compared with ours.
func (l *ChangeListener) purge(ctx context.Context) error {
	now := time.Now()
	for path, ctimeMs := range l.created {
		if now.Sub(time.UnixMilli(ctimeMs)) <= changeExpiration {
			continue
		}
		if err := fatal(l.c.Delete(ctx, path, znode.AnyVersion)); err != nil {
			return err
		}
		delete(l.created, path)
	}
	return nil
}
