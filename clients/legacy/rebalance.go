package legacy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// ErrOwned says that somebody else still claims a partition.
var ErrOwned = errors.New("partition has another owner")

// view is what an assignment is computed from.
type view struct {
	threads    map[string][]string // of the whole group, by topic
	partitions map[string][]int32  // of the own topics
}

// rebalance tries until an attempt succeeds or none is left.
func (c *Consumer) rebalance() error {
	for attempt := 1; ; attempt++ {
		err := c.attempt(c.ctx)
		if err == nil || c.ctx.Err() != nil {
			return reason(c.ctx, err)
		}
		c.cfg.OnEvent(Event{Kind: RebalanceFailed, Attempt: attempt, Err: err})
		c.release(c.ctx)
		if attempt >= c.cfg.RebalanceMaxRetries {
			return fmt.Errorf("%s can't rebalance after %d retries: %w", c.id, attempt, err)
		}
		if err := pause(c.ctx, c.cfg.RebalanceBackoff); err != nil {
			return err
		}
	}
}

// reason is why ctx ended, if it did, else err.
func reason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// attempt is one try: look, give up what is owned, compute, claim, read. All of it belongs to one session.
func (c *Consumer) attempt(ctx context.Context) error {
	zk := c.zk.Bound()
	if err := c.register(ctx, zk); err != nil {
		return err
	}
	v, err := c.look(ctx, zk)
	if err != nil {
		return err
	}
	if t := c.current(); t != nil && t.alive() && reflect.DeepEqual(t.view, v) {
		return nil // a reconnection
	}
	brokers, err := c.brokers(ctx, zk)
	if err != nil || len(brokers) == 0 {
		return err // the watch on brokers will tell
	}
	c.release(ctx)
	assignment, err := Assign(c.cfg.Strategy, v.threads, v.partitions)
	if err != nil {
		return err
	}
	t := c.newTenure(zk, v)
	for tp, thread := range assignment {
		if stream := c.byThread[thread]; stream != nil {
			t.claims = append(t.claims, &claim{tenure: t, tp: tp, stream: stream, position: -1, stored: -1})
		}
	}
	slices.SortFunc(t.claims, func(a, b *claim) int { return compareTP(a.tp, b.tp) })
	if len(t.claims) > 0 {
		err = t.connect(brokers)
	}
	if err == nil {
		err = t.own(ctx)
	}
	// The old code read the offsets before it claimed, and so missed what the last owner committed in between: those records were read twice.
	if err == nil {
		if err = c.fetchOffsets(ctx, t); err != nil {
			t.disown(ctx, t.claims)
		}
	}
	if err != nil {
		t.close()
		return err
	}
	c.mu.Lock()
	c.mu.tenure = t
	c.mu.Unlock()
	if !t.alive() {
		return zkutil.ErrSessionExpired // the hook may have come before there was a tenure to end
	}
	t.run()
	c.cfg.OnEvent(Event{Kind: Rebalanced, Owned: t.owned()})
	return nil
}

func (t *tenure) owned() map[string][]znode.TopicPartition {
	owned := map[string][]znode.TopicPartition{}
	for _, claim := range t.claims {
		owned[claim.stream.thread] = append(owned[claim.stream.thread], claim.tp)
	}
	return owned
}

// release stops reading, commits and gives up the partitions. What can't be done because the session is over needn't be: ZooKeeper has removed the claims, and others may
// have gone on from the offsets.
func (c *Consumer) release(ctx context.Context) {
	c.mu.Lock()
	t := c.mu.tenure
	c.mu.tenure = nil
	c.mu.Unlock()
	if t == nil {
		return
	}
	t.stop()
	// What was delivered is committed even when Close comes in the middle of a rebalance.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
	defer cancel()
	if t.alive() {
		if !c.cfg.NoAutoCommit {
			if err := c.commit(ctx, t, 0); err != nil {
				c.cfg.OnEvent(Event{Kind: CommitFailed, Err: err})
			}
		}
		t.disown(ctx, t.claims)
	}
	t.close()
}

// register creates the consumer's znode, once in each session.
func (c *Consumer) register(ctx context.Context, zk *zkutil.Client) error {
	session := zk.Session().ID
	if c.registered == session {
		return nil
	}
	data := znode.ConsumerRegistration{Subscription: c.subscription.counts, Pattern: c.subscription.pattern, TimestampMs: time.Now().UnixMilli()}.Encode()
	if _, err := create(ctx, zk, znode.ConsumerIDPath(c.cfg.Group, c.id), data); err != nil {
		return fmt.Errorf("register %s: %w", c.id, err)
	}
	c.registered = session
	return nil
}

// create makes an ephemeral node and the parents that it lacks. A node of this session counts as made: an answer was lost. Otherwise the error is ErrNodeExists, and holder what the node says.
func create(ctx context.Context, zk *zkutil.Client, path string, data []byte) (holder string, err error) {
	for {
		_, err := zk.Create(ctx, path, data, zkutil.Ephemeral)
		switch {
		case errors.Is(err, zkutil.ErrNoNode):
			if err := zk.EnsurePath(ctx, parent(path)); err != nil {
				return "", err
			}
		case errors.Is(err, zkutil.ErrNodeExists):
			old, stat, getErr := zk.Get(ctx, path)
			switch {
			case errors.Is(getErr, zkutil.ErrNoNode):
				continue
			case getErr != nil:
				return "", getErr
			case stat.EphemeralOwner == zk.Session().ID:
				return "", nil
			}
			return string(old), err
		case errors.Is(err, zkutil.ErrUnknown) && !errors.Is(err, zkutil.ErrSessionExpired) && !errors.Is(err, zkutil.ErrClosed) && ctx.Err() == nil:
			// Again: if it was made, it exists.
		default:
			return "", err
		}
	}
}

// look reads the group and the topics. Reading arms the watches.
func (c *Consumer) look(ctx context.Context, zk *zkutil.Client) (view, error) {
	names, _, err := zk.Children(ctx, znode.ConsumerIDsPath(c.cfg.Group))
	if err != nil {
		return view{}, err
	}
	if !slices.Contains(names, c.id) {
		c.registered = 0
		return view{}, fmt.Errorf("registration of %s is gone", c.id)
	}
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = znode.ConsumerIDPath(c.cfg.Group, name)
	}
	members, err := zk.GetMany(ctx, paths)
	if err != nil {
		return view{}, err
	}
	existing, _, err := zk.Children(ctx, znode.TopicsPath)
	if err != nil && !errors.Is(err, zkutil.ErrNoNode) {
		return view{}, err
	}
	v := view{threads: map[string][]string{}, partitions: map[string][]int32{}}
	for i, member := range members {
		if member.Err != nil {
			return view{}, fmt.Errorf("member %s: %w", names[i], member.Err) // it left meanwhile: another rebalance follows
		}
		registration, err := znode.DecodeConsumerRegistration(member.Data)
		if err != nil {
			return view{}, fmt.Errorf("member %s: %w", names[i], err)
		}
		subscription, err := subscriptionOf(registration)
		if err != nil {
			return view{}, fmt.Errorf("member %s: %w", names[i], err)
		}
		for topic, streams := range subscription.topics(existing, c.cfg.InternalTopics) {
			for n := range streams {
				v.threads[topic] = append(v.threads[topic], znode.ConsumerOwner(names[i], int(n)))
			}
		}
	}
	topics := slices.Sorted(maps.Keys(c.subscription.topics(existing, c.cfg.InternalTopics)))
	c.watchTopics(topics)
	v.partitions, err = partitionsOf(ctx, zk, topics)
	return v, err
}

// watchTopics keeps a watch on each topic that is read.
func (c *Consumer) watchTopics(topics []string) {
	for topic, cancel := range c.watched {
		if !slices.Contains(topics, topic) {
			cancel()
			delete(c.watched, topic)
		}
	}
	for _, topic := range topics {
		if c.watched[topic] == nil {
			c.watched[topic] = c.zk.WatchData(znode.TopicPath(topic), func(zkutil.Event) { c.rebalanceSoon() })
		}
	}
}

// partitionsOf reads the partitions of topics. One that doesn't exist has none; its creation is watched.
func partitionsOf(ctx context.Context, zk *zkutil.Client, topics []string) (map[string][]int32, error) {
	partitions := map[string][]int32{}
	for missing := topics; len(missing) > 0; {
		paths := make([]string, len(missing))
		for i, topic := range missing {
			paths[i] = znode.TopicPath(topic)
		}
		nodes, err := zk.GetMany(ctx, paths)
		if err != nil {
			return nil, err
		}
		var made []string // meanwhile
		for i, topic := range missing {
			exists := nodes[i].Err == nil
			switch {
			case errors.Is(nodes[i].Err, zkutil.ErrNoNode):
				if exists, _, err = zk.Exists(ctx, paths[i]); err != nil { // a Get of nothing arms nothing
					return nil, err
				}
				if exists {
					made = append(made, topic)
				}
			case !exists:
				return nil, nodes[i].Err
			default:
				t, err := znode.DecodeTopic(nodes[i].Data)
				if err != nil {
					return nil, fmt.Errorf("topic %s: %w", topic, err)
				}
				partitions[topic] = slices.Sorted(maps.Keys(t.Partitions))
			}
		}
		missing = made
	}
	return partitions, nil
}

// brokers returns the addresses of the registered brokers' plaintext listeners. When there are none, it watches for them.
func (c *Consumer) brokers(ctx context.Context, zk *zkutil.Client) ([]string, error) {
	for {
		registrations, err := zk.Brokers(ctx)
		if err != nil && !errors.Is(err, zkutil.ErrNoNode) {
			return nil, err
		}
		var addresses []string
		for _, id := range slices.Sorted(maps.Keys(registrations)) {
			for _, endpoint := range registrations[id].Broker.Endpoints {
				if endpoint.Protocol == "PLAINTEXT" {
					addresses = append(addresses, net.JoinHostPort(endpoint.Host, strconv.Itoa(int(endpoint.Port))))
					break
				}
			}
		}
		switch {
		case len(addresses) > 0:
			if c.watchIDs != nil {
				c.watchIDs()
				c.watchIDs = nil
			}
			return addresses, nil
		case c.watchIDs != nil:
			return nil, nil
		}
		c.watchIDs = c.zk.WatchChildren(znode.BrokerIDsPath, func(zkutil.Event) { c.rebalanceSoon() }) // and read again, which arms it
	}
}

// own claims the partitions; all or none.
func (t *tenure) own(ctx context.Context) error {
	for i, claim := range t.claims {
		path := znode.ConsumerOwnerPath(t.c.cfg.Group, claim.tp)
		holder, err := create(ctx, t.zk, path, []byte(claim.stream.thread))
		if err == nil {
			continue
		}
		t.disown(ctx, t.claims[:i])
		if errors.Is(err, zkutil.ErrNodeExists) {
			return fmt.Errorf("%w: %s belongs to %s", ErrOwned, claim.tp, holder)
		}
		return fmt.Errorf("claim %s: %w", claim.tp, err)
	}
	return nil
}

// disown gives partitions up. The claims are of the tenure's session, so that whatever stands there while it lives is its own.
func (t *tenure) disown(ctx context.Context, claims []*claim) {
	for _, claim := range claims {
		path := znode.ConsumerOwnerPath(t.c.cfg.Group, claim.tp)
		for {
			err := t.zk.Delete(ctx, path, znode.AnyVersion)
			if !errors.Is(err, zkutil.ErrUnknown) || errors.Is(err, zkutil.ErrSessionExpired) || errors.Is(err, zkutil.ErrClosed) || ctx.Err() != nil {
				break // whatever could not be deleted goes with the session
			}
		}
	}
}
