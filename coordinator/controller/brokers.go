package controller

import (
	"context"
	"slices"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// usable says whether the controller can reach a broker, and reports it if not.
func (c *Controller) usable(b *brokerInfo) bool {
	if _, ok := c.endpoint(b.id, b.info); ok {
		return true
	}
	c.emit(BrokerChanged{Header: c.header(), BrokerID: b.id, Epoch: b.epoch, Change: BrokerUnusable})
	return false
}

// compatible says whether a broker supports all finalized features, and reports it if not. One that does not is
// connected but gets no part in anything.
func (c *Controller) compatible(b *brokerInfo) bool {
	for name, level := range c.cluster.features {
		if r, ok := b.info.Features[name]; !ok || level < r.Min || level > r.Max {
			c.emit(BrokerChanged{Header: c.header(), BrokerID: b.id, Epoch: b.epoch, Change: BrokerIncompatible})
			return false
		}
	}
	return true
}

// brokerChange compares the registrations with the brokers known. A broker whose registration was created anew since is a
// bounce: a failure and a start, even if both collapsed into one notification.
func (c *Controller) brokerChange(ctx context.Context) error {
	brokers, err := c.readBrokers(ctx)
	if err != nil {
		return err
	}
	var started, bounced []*brokerInfo
	registered := map[int32]bool{}
	for _, b := range brokers {
		if !c.usable(b) {
			continue
		}
		registered[b.id] = true
		switch known := c.cluster.brokers[b.id]; {
		case known == nil:
			started = append(started, b)
		case known.epoch != b.epoch:
			bounced = append(bounced, b)
		}
	}
	var dead []int32
	for _, id := range c.cluster.brokerIDs() {
		if !registered[id] {
			dead = append(dead, id)
		}
	}
	for id := range c.channels {
		if !registered[id] {
			c.removeChannel(id)
		}
	}
	for _, b := range bounced {
		c.removeChannel(b.id)
	}
	for _, b := range slices.Concat(started, bounced) {
		if ch := c.channels[b.id]; ch != nil && ch.epoch != b.epoch {
			c.removeChannel(b.id) // It was incompatible and came back.
		}
		c.addChannel(b)
	}
	if err := c.brokersStarted(ctx, started, BrokerStarted); err != nil {
		return err
	}
	if len(bounced) > 0 {
		ids := make([]int32, len(bounced))
		for i, b := range bounced {
			ids[i] = b.id
		}
		if err := c.brokersDied(ctx, ids, BrokerBounced); err != nil {
			return err
		}
		if err := c.brokersStarted(ctx, bounced, BrokerStarted); err != nil {
			return err
		}
	}
	return c.brokersDied(ctx, dead, BrokerDied)
}

// brokersStarted takes brokers in: everybody learns of them, they learn everything, their replicas get their roles, and
// partitions that waited for them get leaders.
func (c *Controller) brokersStarted(ctx context.Context, brokers []*brokerInfo, change BrokerChange) error {
	brokers = slices.DeleteFunc(slices.Clone(brokers), func(b *brokerInfo) bool { return !c.compatible(b) })
	if len(brokers) == 0 {
		return nil
	}
	k := c.cluster
	existing := k.brokerIDs()
	ids := make([]int32, len(brokers))
	for i, b := range brokers {
		ids[i] = b.id
		k.brokers[b.id] = b
		delete(k.offlineDirs, b.id)
		c.emit(BrokerChanged{Header: c.header(), BrokerID: b.id, Epoch: b.epoch, Change: change})
	}
	old := c.newBatch()
	for _, id := range existing {
		old.to[id] = true
	}
	old.send()
	c.sendAllMetadata(ids)
	var replicas []replica
	deleting := map[*topic]bool{}
	for _, id := range ids {
		for _, r := range k.replicasOn(id) {
			replicas = append(replicas, r)
			if r.p.topic.deleting {
				deleting[r.p.topic] = true
			}
		}
	}
	if err := c.moveReplicas(ctx, replicas, OnlineReplica); err != nil {
		return err
	}
	if err := c.triggerOnline(ctx); err != nil {
		return err
	}
	if err := c.resumeReassignments(ctx, func(p *partition) bool {
		return slices.ContainsFunc(p.targets(), func(id int32) bool { return contains(ids, id) })
	}); err != nil {
		return err
	}
	if err := c.resumeDeletionOf(ctx, deleting); err != nil {
		return err
	}
	c.watchBrokers(ctx, ids)
	return nil
}

// sendAllMetadata tells brokers about all partitions that have a leadership.
func (c *Controller) sendAllMetadata(ids []int32) {
	b := c.newBatch()
	for _, id := range ids {
		b.to[id] = true
	}
	c.cluster.allPartitions(func(p *partition) {
		if p.led && !p.topic.deleting {
			b.entry(p).update = true
		}
	})
	b.send()
}

// watchBrokers registers the data watches of brokers and reads once to arm them. A change that slipped in since the
// registration was read is handled like one that comes later.
func (c *Controller) watchBrokers(ctx context.Context, ids []int32) {
	paths := make([]string, len(ids))
	for i, id := range ids {
		c.watchBroker(id)
		paths[i] = znode.BrokerPath(id)
	}
	nodes, err := c.cfg.Store.Get(ctx, paths...)
	if err != nil {
		return // The session is gone, or will call the watches again.
	}
	for i, n := range nodes {
		info, err := znode.DecodeBroker(n.Data)
		known := c.cluster.brokers[ids[i]]
		if n.Exists && err == nil && known != nil && known.epoch == n.Stat.Czxid && !slices.Equal(info.Endpoints, known.info.Endpoints) {
			c.dirty.Lock()
			c.dirty.brokers[ids[i]] = true
			c.dirty.Unlock()
			c.queue.putSignal(task{kind: KindBrokerModifications, cause: c.current, run: c.ifActive(c.brokerModifications)})
		}
	}
}

// brokersDied takes brokers out: their partitions get other leaders, their replicas leave the ISRs.
func (c *Controller) brokersDied(ctx context.Context, ids []int32, change BrokerChange) error {
	if len(ids) == 0 {
		return nil
	}
	k := c.cluster
	var replicas []replica
	for _, id := range ids {
		c.emit(BrokerChanged{Header: c.header(), BrokerID: id, Epoch: k.brokers[id].epoch, Change: change})
		delete(k.brokers, id)
		delete(k.offlineDirs, id)
		delete(k.shuttingDown, id)
		replicas = append(replicas, k.replicasOn(id)...)
	}
	err := c.replicasOffline(ctx, replicas)
	for _, id := range ids {
		c.cfg.Store.Unwatch(znode.BrokerPath(id), WatchData)
	}
	return err
}

// replicasOffline handles replicas that went offline, because their broker died or their log dir failed: elections
// first, so that clients wait as little as possible, then the ISRs.
func (c *Controller) replicasOffline(ctx context.Context, rs []replica) error {
	k := c.cluster
	var leaderless []*partition
	k.allPartitions(func(p *partition) {
		if p.led && !p.topic.deleting && !k.online(p, p.lead.Leader) {
			leaderless = append(leaderless, p)
		}
	})
	c.setPartitions(leaderless, OfflinePartition)
	if err := c.triggerOnline(ctx); err != nil {
		return err
	}
	var keep, deleting []replica
	for _, r := range rs {
		if r.p.topic.deleting {
			deleting = append(deleting, r)
		} else {
			keep = append(keep, r)
		}
	}
	if err := c.moveReplicas(ctx, keep, OfflineReplica); err != nil {
		return err
	}
	if len(deleting) > 0 {
		if err := c.failReplicaDeletion(ctx, deleting); err != nil {
			return err
		}
	}
	if len(keep) == 0 && len(leaderless) == 0 {
		c.announce() // Nothing else told the brokers who is gone.
	}
	return nil
}

// brokerModifications handles changes of registrations: other endpoints or features are told to all brokers.
func (c *Controller) brokerModifications(ctx context.Context) error {
	c.dirty.Lock()
	var ids []int32
	for id := range c.dirty.brokers {
		ids = append(ids, id)
	}
	clear(c.dirty.brokers)
	c.dirty.Unlock()
	slices.Sort(ids)
	ids = slices.DeleteFunc(ids, func(id int32) bool { return c.cluster.brokers[id] == nil })
	read, err := c.readBrokerInfos(ctx, ids)
	if err != nil {
		c.dirty.Lock()
		for _, id := range ids {
			c.dirty.brokers[id] = true
		}
		c.dirty.Unlock()
		return err
	}
	changed := false
	for _, b := range read {
		known := c.cluster.brokers[b.id]
		if b.epoch != known.epoch {
			continue // Another incarnation: BrokerChange deals with it.
		}
		if slices.Equal(b.info.Endpoints, known.info.Endpoints) && equalFeatures(b.info.Features, known.info.Features) {
			continue
		}
		to, ok := c.endpoint(b.id, b.info)
		if !ok {
			c.emit(BrokerChanged{Header: c.header(), BrokerID: b.id, Epoch: b.epoch, Change: BrokerUnusable})
			continue
		}
		c.cluster.brokers[b.id] = b
		if ch := c.channels[b.id]; ch != nil {
			ch.moveTo(to)
		}
		changed = true
	}
	if changed {
		c.announce()
	}
	return nil
}

func equalFeatures(a, b map[string]znode.VersionRange) bool {
	if len(a) != len(b) {
		return false
	}
	for name, r := range a {
		if b[name] != r {
			return false
		}
	}
	return true
}

// resyncBrokers gives brokers whose queue overflowed their full state.
func (c *Controller) resyncBrokers(ctx context.Context) error {
	c.dirty.Lock()
	resets := c.dirty.resets
	c.dirty.resets = map[int32]bool{}
	c.dirty.Unlock()
	var ids []int32
	for id := range resets {
		if c.cluster.registered(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	c.sendAllMetadata(ids)
	deleting := map[*topic]bool{}
	for _, id := range ids {
		b := c.newBatch()
		var failed []replica
		for _, r := range c.cluster.replicasOn(id) {
			switch r.p.replicaState(id) {
			case OnlineReplica:
				if r.p.led && !r.p.topic.deleting {
					b.leaderAndIsr(r.p, []int32{id}, false)
				}
			case OfflineReplica:
				b.stopReplica(r.p, id, false)
			case ReplicaDeletionStarted:
				failed = append(failed, r)
				deleting[r.p.topic] = true
			}
		}
		b.send()
		if err := c.failReplicaDeletion(ctx, failed); err != nil {
			return err
		}
	}
	return c.resumeDeletionOf(ctx, deleting)
}
