package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// startup arms the watch of /controller and tries to become the controller.
func (c *Controller) startup(ctx context.Context) error {
	c.watchController()
	return c.elect(ctx)
}

func (c *Controller) watchController() {
	c.cfg.Store.Watch(znode.ControllerPath, WatchData, func() {
		c.queue.putSignal(task{kind: KindControllerChange, run: c.reelect})
	})
}

// reelect handles every change of /controller. Kafka tells creation (ControllerChange: perhaps resign) from deletion
// (Reelect: resign and elect); reading the znode tells the same, also after events that were missed.
func (c *Controller) reelect(ctx context.Context) error {
	c.watchController()
	if err := c.maybeResign(ctx); err != nil {
		return err
	}
	if c.active.Load() || c.unregistered {
		return nil
	}
	return c.elect(ctx)
}

// readController reads /controller, arms its watch and remembers who it is. The second result is false if there is none.
func (c *Controller) readController(ctx context.Context) (id int32, found bool, err error) {
	nodes, err := c.cfg.Store.Get(ctx, znode.ControllerPath)
	if err != nil {
		return -1, false, err
	}
	if !nodes[0].Exists {
		c.unguard()
		c.setActiveID(-1)
		return -1, false, nil
	}
	decoded, err := znode.DecodeController(nodes[0].Data)
	if err != nil {
		return -1, true, err
	}
	c.setActiveID(decoded.BrokerID)
	if decoded.BrokerID == c.cfg.BrokerID {
		c.unguard()
		return decoded.BrokerID, true, nil
	}
	return decoded.BrokerID, true, c.guardController(ctx, decoded.BrokerID, nodes[0].Stat)
}

func (c *Controller) setActiveID(id int32) {
	if c.activeID.Swap(id) != id {
		c.emit(ActiveControllerChanged{Header: c.header(), BrokerID: id})
	}
}

// maybeResign reads /controller again and resigns if it names another broker or nobody.
func (c *Controller) maybeResign(ctx context.Context) error {
	id, found, err := c.readController(ctx)
	if err != nil {
		return err
	}
	if c.active.Load() && (!found || id != c.cfg.BrokerID) {
		c.resign("another controller")
	}
	return nil
}

// elect tries to become the controller and, if it does, takes over.
func (c *Controller) elect(ctx context.Context) error {
	if wait := time.Until(c.notBefore); wait > 0 {
		time.AfterFunc(wait, func() { c.queue.putSignal(task{kind: KindElectionRetry, run: c.reelect}) })
		return nil
	}
	if _, found, err := c.readController(ctx); err != nil || found {
		return err
	}
	epoch, version, err := c.cfg.Store.Elect(ctx, c.cfg.BrokerID)
	if errors.Is(err, ErrControllerMoved) {
		_, _, err = c.readController(ctx)
		return err
	}
	if err != nil {
		return fmt.Errorf("elect controller: %w", err)
	}
	c.cluster = newCluster()
	c.cluster.epoch, c.cluster.epochVersion = epoch, version
	c.epoch.Store(epoch)
	c.active.Store(true)
	c.emit(Elected{Header: c.header(), Epoch: epoch, EpochVersion: version})
	c.setActiveID(c.cfg.BrokerID)
	// Arm the watch of the znode that now exists. If it does not, the next event tells.
	if _, _, err := c.readController(ctx); err != nil {
		return c.failoverError(ctx, err)
	}
	start := time.Now()
	if err := c.failover(ctx); err != nil {
		return c.failoverError(ctx, err)
	}
	c.electionPause, c.notBefore = 0, time.Time{}
	if c.emitting() {
		c.emit(FailedOver{
			Header: c.header(), Epoch: epoch, Took: time.Since(start),
			Brokers: len(c.cluster.brokers), Topics: len(c.cluster.topics), Partitions: c.cluster.counts.partitions,
		})
	}
	return nil
}

// failoverError gives up the office if taking over did not work, so that another broker may try. Each attempt in a row
// that does not work makes this broker wait longer before the next.
func (c *Controller) failoverError(ctx context.Context, err error) error {
	if errors.Is(err, ErrControllerMoved) || errors.Is(err, ErrSessionExpired) || ctx.Err() != nil {
		return err
	}
	c.electionPause = min(max(2*c.electionPause, retryPause), maxElectionPause)
	c.notBefore = time.Now().Add(c.electionPause)
	if moveErr := c.move(ctx, err); moveErr != nil {
		return errors.Join(err, moveErr)
	}
	return err
}

// move triggers a new election: resign and delete /controller, which everybody watches.
func (c *Controller) move(ctx context.Context, reason error) error {
	id, found, err := c.readController(ctx)
	if err != nil {
		return err
	}
	version := c.cluster.epochVersion
	c.resign(reason.Error())
	if !found || id != c.cfg.BrokerID {
		return nil
	}
	c.setActiveID(-1)
	results, err := c.cfg.Store.Write(ctx, version, []Op{Delete(znode.ControllerPath, AnyVersion)}, 1)
	if err != nil {
		return err
	}
	if err := results[0].Err; err != nil && !errors.Is(err, ErrNoNode) {
		return err
	}
	return nil
}

// resign forgets everything that an active controller has: watches, channels, state. It touches nothing in ZooKeeper.
func (c *Controller) resign(reason string) {
	wasActive := c.cluster.epoch != 0
	c.active.Store(false)
	c.epoch.Store(0)
	if !wasActive {
		return
	}
	for _, path := range []string{znode.IsrChangesPath, znode.LogDirEventsPath, znode.TopicsPath, znode.DeleteTopicsPath, znode.BrokerIDsPath} {
		c.cfg.Store.Unwatch(path, WatchChildren)
	}
	c.cfg.Store.Unwatch(znode.PreferredReplicaElectionPath, WatchData)
	c.cfg.Store.Unwatch(znode.ReassignPartitionsPath, WatchData)
	for id := range c.cluster.brokers {
		c.cfg.Store.Unwatch(znode.BrokerPath(id), WatchData)
	}
	for name := range c.cluster.topics {
		c.cfg.Store.Unwatch(znode.TopicPath(name), WatchData)
	}
	for tp := range c.movesWatched {
		c.unwatchMove(tp)
	}
	c.stopBalancing()
	for id := range c.channels {
		c.removeChannel(id)
	}
	c.emit(Resigned{Header: c.header(), Epoch: c.cluster.epoch, Reason: reason})
	c.cluster = newCluster()
	c.rereadStates = false
}

// failover reads the cluster and takes over. The order matters; see §3 of the reference page on the controller.
func (c *Controller) failover(ctx context.Context) error {
	c.rereadStates = !c.cfg.IBP.AlterPartition()
	if err := c.setUpFeatures(ctx); err != nil {
		return fmt.Errorf("feature znode: %w", err)
	}
	c.watchCluster()
	if err := c.dropNotifications(ctx); err != nil {
		return fmt.Errorf("notifications: %w", err)
	}
	bounced, err := c.loadCluster(ctx)
	if err != nil {
		return fmt.Errorf("read cluster: %w", err)
	}
	if err := c.loadDeletions(ctx); err != nil {
		return fmt.Errorf("topic deletions: %w", err)
	}
	// Brokers must know each other before a LeaderAndIsr names one of them as leader.
	c.announce()
	// Elections come before the ISRs, as when a broker dies, so that clients wait as little as possible. Kafka empties the ISRs first: what the dead led is written twice there,
	// once without a leader. All roles go in one round, for the first request a broker gets has to name all it hosts (KAFKA-1647).
	roles := c.newBatch()
	offline, err := c.startReplicas(ctx, roles)
	if err != nil {
		return fmt.Errorf("replica states: %w", err)
	}
	if err := c.startPartitions(ctx, roles); err != nil {
		return fmt.Errorf("partition states: %w", err)
	}
	roles.send()
	if err := c.moveReplicas(ctx, offline, OfflineReplica); err != nil {
		return fmt.Errorf("replicas that are offline: %w", err)
	}
	if err := c.brokersStarted(ctx, bounced, BrokerStarted); err != nil {
		return fmt.Errorf("brokers that bounced: %w", err)
	}
	if err := c.resumeAllReassignments(ctx); err != nil {
		return fmt.Errorf("partition reassignments: %w", err)
	}
	if err := c.resumeDeletions(ctx); err != nil {
		return fmt.Errorf("topic deletions: %w", err)
	}
	if err := c.preferredElectionZNode(ctx); err != nil {
		return err
	}
	c.balanceFrom = time.Now().Add(firstBalance)
	return nil
}

// watchCluster registers the watches of an active controller; the reads that follow arm them.
func (c *Controller) watchCluster() {
	watch := func(path string, kind WatchKind, k Kind, run func(context.Context) error) {
		run = c.ifActive(run)
		c.cfg.Store.Watch(path, kind, func() { c.queue.putSignal(task{kind: k, run: run}) })
	}
	watch(znode.BrokerIDsPath, WatchChildren, KindBrokerChange, c.brokerChange)
	watch(znode.TopicsPath, WatchChildren, KindTopicChange, c.topicChange)
	watch(znode.DeleteTopicsPath, WatchChildren, KindTopicDeletion, c.topicDeletion)
	watch(znode.LogDirEventsPath, WatchChildren, KindLogDirEvent, c.logDirEvents)
	watch(znode.IsrChangesPath, WatchChildren, KindIsrChangeNotification, c.isrChanges)
	watch(znode.ReassignPartitionsPath, WatchData, KindZkReassignment, c.reassignmentZNode)
	watch(znode.PreferredReplicaElectionPath, WatchData, KindPreferredElectionZNode, c.preferredElectionZNode)
}

// dropNotifications deletes what earlier controllers left unread: everything is read afresh now.
func (c *Controller) dropNotifications(ctx context.Context) error {
	for _, parent := range []string{znode.LogDirEventsPath, znode.IsrChangesPath} {
		names, err := c.cfg.Store.Children(ctx, parent)
		if err != nil {
			return err
		}
		if err := c.deleteChildren(ctx, parent, names); err != nil {
			return err
		}
	}
	return nil
}

// loadCluster reads brokers, topics and partition states and opens a channel to every broker. Brokers that bounced are returned, and aren't in the cluster yet: they must be
// started once everything else is.
func (c *Controller) loadCluster(ctx context.Context) ([]*brokerInfo, error) {
	brokers, err := c.readBrokers(ctx)
	if err != nil {
		return nil, err
	}
	k := c.cluster
	for _, b := range brokers {
		if c.usable(b) && c.compatible(b) {
			k.brokers[b.id] = b
		}
	}
	names, err := c.cfg.Store.Children(ctx, znode.TopicsPath)
	if err != nil {
		return nil, err
	}
	if _, err := c.addTopics(ctx, names); err != nil {
		return nil, err
	}
	c.watchBrokers(ctx, k.brokerIDs())
	var all []*partition
	k.allPartitions(func(p *partition) { all = append(all, p) })
	written, err := c.loadStates(ctx, all)
	if err != nil {
		return nil, err
	}
	bounced := k.bouncedSince(all, written)
	for _, b := range bounced {
		delete(k.brokers, b.id)
		c.emit(BrokerChanged{Header: c.header(), BrokerID: b.id, Epoch: b.epoch, Change: BrokerBounced})
	}
	for _, b := range brokers {
		if c.usable(b) {
			c.addChannel(b)
		}
	}
	return bounced, nil
}

// bouncedSince returns the brokers that have registered anew since a partition state was written that has them in its ISR, when another in-sync replica has lived all the
// while. written are the mzxids of the states of ps. Such a broker may have lost the end of its log with its machine, and what the controller that saw it go would have done is still
// to do: give its partitions other leaders and take it out of their ISRs. In Kafka a broker can't register before its last session ended, so that some controller sees it gone;
// here it replaces the registration that it left, and /controller with it. Where every in-sync replica is new, as after a power cut, there is nobody better.
func (k *cluster) bouncedSince(ps []*partition, written []int64) []*brokerInfo {
	var bounced []*brokerInfo
	for i, p := range ps {
		stayed := func(id int32) bool { b := k.brokers[id]; return b != nil && b.epoch <= written[i] }
		if !p.led || !slices.ContainsFunc(p.lead.ISR, stayed) {
			continue
		}
		for _, id := range p.lead.ISR {
			if b := k.brokers[id]; b != nil && !stayed(id) && !slices.Contains(bounced, b) {
				bounced = append(bounced, b)
			}
		}
	}
	return bounced
}

// announce sends UpdateMetadata without partitions to every broker: who is registered, and who is the controller.
func (c *Controller) announce() {
	b := c.newBatch()
	b.updateAll()
	b.send()
}
