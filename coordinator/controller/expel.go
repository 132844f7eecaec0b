package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/prekraft/prekraft/zkutil/znode"
)

const (
	// maxExpelAttempts bounds how often the znodes of a dead broker are read again because they changed meanwhile.
	maxExpelAttempts = 8
	// newRegistrationVersion is the version of a new registration, Apache's or ours: it is created and set in one multi.
	newRegistrationVersion = 1
)

// expelBrokers deletes the registrations of brokers whose port is refused after their connection broke: the process is
// gone, and waiting for the end of its session would only keep its partitions without a leader. The watch of
// /brokers/ids does the rest. Kafka does not do this.
func (c *Controller) expelBrokers(ctx context.Context) error {
	c.dirty.Lock()
	unreachable := c.dirty.unreachable
	c.dirty.unreachable = map[int32]int64{}
	c.dirty.Unlock()
	for id, epoch := range unreachable {
		b := c.cluster.brokers[id]
		// A broker that shuts down in order closes its ports before its session; leave that to it.
		if b == nil || b.epoch != epoch || c.cluster.shuttingDown[id] || id == c.cfg.BrokerID {
			continue
		}
		if err := c.expel(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// registrationDeletion deletes a broker's registration, if it is still the one that was read. ZooKeeper cannot delete "the
// znode with this czxid", and after it was read the broker may have come back. But with its registration a broker of ours
// makes a znode for its session (zkutil.RegisterBroker), and that is gone when there is another registration: it ends with the
// session, and who takes a registration over deletes it in the same multi. So the second operation fails then, and the first with it.
func registrationDeletion(n Node) []Op {
	return []Op{Delete(n.Path, n.Stat.Version), Delete(znode.OwnSessionPath(n.Stat.EphemeralOwner), AnyVersion)}
}

// expel deletes the registration of a dead broker.
//
// The session of an Apache broker has no znode. Its registration is deleted on condition of a version that a new one does not
// have; if it has that itself, it is written with what it holds first. Left is a registration that ends with its session, is made
// anew and written as often, all between two of these steps.
func (c *Controller) expel(ctx context.Context, b *brokerInfo) error {
	foreign := false
	for range maxExpelAttempts {
		n, found, err := c.deadRegistration(ctx, b)
		if err != nil || !found {
			return err
		}
		ops := registrationDeletion(n)
		switch {
		case foreign && n.Stat.Version <= newRegistrationVersion:
			ops = []Op{Set(n.Path, n.Data, n.Stat.Version)}
		case foreign:
			ops = ops[:1]
		}
		results, err := c.writeTogether(ctx, ops, len(ops))
		if err != nil {
			return err
		}
		failed := slices.IndexFunc(results, func(r OpResult) bool { return r.Err != nil && !errors.Is(r.Err, ErrRolledBack) })
		switch {
		case failed < 0 && ops[0].Kind == OpDelete:
			c.emit(BrokerChanged{Header: c.header(), BrokerID: b.id, Epoch: b.epoch, Change: BrokerExpelled})
			return nil
		case failed < 0:
			// Written; what is there now?
		case !errors.Is(results[failed].Err, ErrNoNode) && !errors.Is(results[failed].Err, ErrBadVersion):
			return fmt.Errorf("%s registration of broker %d: %w", ops[failed].Kind, b.id, results[failed].Err)
		case failed == 1:
			foreign = true // Unless it was replaced, which the next look shows.
		}
	}
	return nil
}

// deadRegistration reads the registration that the broker had when its port was found to refuse. There is none if another has
// replaced it, or if it names another address by now: then the broker moved, which brokerModifications deals with.
func (c *Controller) deadRegistration(ctx context.Context, b *brokerInfo) (n Node, found bool, err error) {
	nodes, err := c.cfg.Store.Get(ctx, znode.BrokerPath(b.id))
	if err != nil {
		return Node{}, false, err
	}
	n = nodes[0]
	if !n.Exists || n.Stat.Czxid != b.epoch {
		return n, false, nil
	}
	to, readable := c.registeredAt(b.id, n.Data)
	ch := c.channels[b.id]
	return n, !readable || ch == nil || ch.endpoint() == to, nil
}
