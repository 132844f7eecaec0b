package legacy

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// ErrClosed says that the consumer was closed.
var ErrClosed = errors.New("consumer closed")

// EventKind names what a consumer did.
type EventKind string

// The kinds of events.
const (
	Rebalanced      EventKind = "rebalanced"
	RebalanceFailed EventKind = "rebalance attempt failed"
	RebalanceGaveUp EventKind = "rebalance given up"
	SessionExpired  EventKind = "session expired"
	CommitFailed    EventKind = "commit failed"
	FetchFailed     EventKind = "fetch failed"
)

// Event is something that a consumer did.
type Event struct {
	Kind EventKind
	// Owned has the partitions of each of the consumer's threads, with Rebalanced.
	Owned map[string][]znode.TopicPartition
	// Attempt counts from 1, with RebalanceFailed.
	Attempt int
	// Err is why something failed.
	Err error
}

// closePatience bounds the last commit of Close, as offsets.channel.socket.timeout.ms did.
const closePatience = 10 * time.Second

// Consumer is a member of a group.
type Consumer struct {
	cfg          Config
	subscription Subscription
	id           string
	zk           *zkutil.Client
	streams      []*Stream
	byThread     map[string]*Stream

	ctx     context.Context
	cancel  context.CancelCauseFunc
	wake    chan struct{} // capacity 1: rebalance
	commits chan chan error
	done    chan struct{}

	// Owned by Start, then by run.
	registered int64 // the session that the registration belongs to
	watched    map[string]func()
	watchIDs   func() // of brokers, nil unless there were none
	// tenure is what is owned; its end is also called by the ZooKeeper client's hook.
	mu struct {
		sync.Mutex
		tenure *tenure
	}
}

// Stream gives the records of one thread of a consumer.
type Stream struct {
	thread string
	queue  chan delivery
	closed <-chan struct{}
}

// delivery is a record on its way to Next.
type delivery struct {
	claim   *claim
	message *sarama.ConsumerMessage
}

// Thread is what owner znodes call the stream.
func (s *Stream) Thread() string { return s.thread }

// Next returns the next record, which counts as consumed from then on. Its error is ErrClosed, or why ctx ended. It may be called from several goroutines.
func (s *Stream) Next(ctx context.Context) (*sarama.ConsumerMessage, error) {
	for {
		select {
		case d := <-s.queue:
			if d.claim.take(d.message.Offset) {
				return d.message, nil // else the partition was given up meanwhile
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-s.closed:
			return nil, ErrClosed
		}
	}
}

// Start registers a consumer and does its first rebalance. It fails when that does, as the old code. ctx bounds Start only.
func Start(ctx context.Context, cfg Config, subscription Subscription) (*Consumer, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("consumer config: %w", err)
	}
	if subscription.pattern == "" {
		return nil, errors.New("consumer config: no subscription")
	}
	c := &Consumer{
		cfg: cfg, subscription: subscription, byThread: map[string]*Stream{}, watched: map[string]func(){},
		wake: make(chan struct{}, 1), commits: make(chan chan error), done: make(chan struct{}),
	}
	if c.id, err = consumerID(cfg); err != nil {
		return nil, err
	}
	c.zk, err = zkutil.Connect(ctx, zkutil.Config{
		Connect: cfg.ZooKeeper, SessionTimeout: cfg.SessionTimeout, ConnectionTimeout: cfg.ConnectionTimeout, Dial: cfg.Dial,
		SASL: cfg.SASL, TLS: cfg.TLS, SetACL: cfg.SASL != nil || cfg.TLS != nil && len(cfg.TLS.Certificates) > 0,
	})
	if err != nil {
		return nil, err
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	for i := range subscription.streams() {
		s := &Stream{thread: znode.ConsumerOwner(c.id, int(i)), queue: make(chan delivery), closed: c.ctx.Done()}
		c.streams = append(c.streams, s)
		c.byThread[s.thread] = s
	}
	c.zk.OnSessionExpired(c.expired)
	c.zk.OnNewSession(c.rebalanceSoon)
	c.zk.WatchChildren(znode.ConsumerIDsPath(cfg.Group), func(zkutil.Event) { c.rebalanceSoon() })
	if subscription.dynamic() {
		c.zk.WatchChildren(znode.TopicsPath, func(zkutil.Event) { c.rebalanceSoon() })
	}
	stop := context.AfterFunc(ctx, func() { c.cancel(context.Cause(ctx)) })
	err = c.rebalance()
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	go c.run()
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// consumerID makes <group>_<host>-<milliseconds>-<8 hex digits>.
func consumerID(cfg Config) (string, error) {
	if cfg.ConsumerID != "" {
		return cfg.Group + "_" + cfg.ConsumerID, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("consumer id: %w", err)
	}
	host = strings.ReplaceAll(host, "/", "_")
	var random [4]byte
	rand.Read(random[:]) //nolint:errcheck // never fails since Go 1.24
	return fmt.Sprintf("%s_%s-%d-%s", cfg.Group, host, time.Now().UnixMilli(), hex.EncodeToString(random[:])), nil
}

// ID is the name of the registration in /consumers/<group>/ids.
func (c *Consumer) ID() string { return c.id }

// Streams returns one stream for each thread: as many as the topic with most streams has.
func (c *Consumer) Streams() []*Stream { return append([]*Stream(nil), c.streams...) }

// Commit stores the offsets of all that was consumed, with one try. It waits for a rebalance under way.
func (c *Consumer) Commit(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case c.commits <- answer:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.ctx.Done():
		return ErrClosed
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.done:
		return ErrClosed
	}
}

// Close stops reading, commits unless NoAutoCommit is set, and leaves the group: the session ends, and with it registration and claims. It returns when all
// goroutines are gone, with the error of the commit. Further calls return nil.
func (c *Consumer) Close() error {
	c.cancel(ErrClosed)
	<-c.done
	c.mu.Lock()
	t := c.mu.tenure
	c.mu.tenure = nil
	c.mu.Unlock()
	var err error
	if t != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closePatience)
		defer cancel()
		t.stop()
		if !c.cfg.NoAutoCommit && t.alive() {
			err = c.commit(ctx, t, 0)
		}
		t.close()
	}
	return errors.Join(err, c.zk.Close())
}

// run is the consumer's goroutine.
func (c *Consumer) run() {
	defer close(c.done)
	var tick <-chan time.Time
	if !c.cfg.NoAutoCommit {
		ticker := time.NewTicker(c.cfg.AutoCommitInterval)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-c.wake:
			if err := c.rebalance(); err != nil && c.ctx.Err() == nil {
				c.cfg.OnEvent(Event{Kind: RebalanceGaveUp, Err: err})
			}
		case <-tick:
			if err := c.commit(c.ctx, c.current(), c.cfg.CommitMaxRetries); err != nil && c.ctx.Err() == nil {
				c.cfg.OnEvent(Event{Kind: CommitFailed, Err: err})
			}
		case answer := <-c.commits:
			answer <- c.commit(c.ctx, c.current(), 0)
		}
	}
}

// rebalanceSoon is what watches and hooks do.
func (c *Consumer) rebalanceSoon() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// expired stops deliveries: by now others may own the partitions. The offsets are not committed, for the same reason.
func (c *Consumer) expired() {
	if t := c.current(); t != nil {
		t.end()
	}
	c.cfg.OnEvent(Event{Kind: SessionExpired})
}

func (c *Consumer) current() *tenure {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.tenure
}

// pause waits between two tries.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
