package controller

import (
	"context"
	"errors"
	"slices"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// AlterPartition handles a leader's wish to change ISRs and calls done exactly once: on the loop goroutine, or at once if
// the request cannot be queued. The request is not to be changed until then.
func (c *Controller) AlterPartition(req *wire.AlterPartitionRequest, done func(*wire.AlterPartitionResponse)) {
	fail := func(code wire.Error) func() {
		return func() { done(&wire.AlterPartitionResponse{ErrorCode: code}) }
	}
	c.request(KindAlterPartition, "", func(ctx context.Context) error {
		return c.alterPartition(ctx, req, done)
	}, fail(wire.NotController), fail(wire.RequestTimedOut))
}

// alteration is one partition of an AlterPartition request on its way.
type alteration struct {
	p       *partition // Nil if unknown.
	want    Leadership
	outcome wire.Error
	write   bool // It passed all checks and has to be written.
}

func (c *Controller) alterPartition(ctx context.Context, req *wire.AlterPartitionRequest, done func(*wire.AlterPartitionResponse)) error {
	if !c.active.Load() {
		done(&wire.AlterPartitionResponse{ErrorCode: wire.NotController})
		return nil
	}
	b := c.cluster.brokers[req.BrokerID]
	if b == nil || b.epoch != req.BrokerEpoch {
		done(&wire.AlterPartitionResponse{ErrorCode: wire.StaleBrokerEpoch})
		return nil
	}
	topics := make([][]alteration, len(req.Topics))
	var writing []*alteration
	for i := range req.Topics {
		t := &req.Topics[i]
		// Below v2 topics have names, from then on ids.
		known := c.cluster.topics[t.TopicName]
		missing := wire.UnknownTopicOrPartition
		byName := t.TopicName != ""
		if !byName {
			known, missing = c.cluster.topicByID[t.TopicID], wire.UnknownTopicID
		}
		topics[i] = make([]alteration, len(t.Partitions))
		for j := range t.Partitions {
			a := &topics[i][j]
			if known == nil {
				a.outcome = missing
				continue
			}
			*a = c.checkAlteration(req.BrokerID, known.index[t.Partitions[j].PartitionIndex], &t.Partitions[j], byName)
			if a.write {
				writing = append(writing, a)
			}
		}
	}
	if err := c.writeAlterations(ctx, writing); err != nil {
		code := wire.UnknownServerError
		if errors.Is(err, ErrControllerMoved) || errors.Is(err, ErrSessionExpired) {
			code = wire.NotController
		}
		done(&wire.AlterPartitionResponse{ErrorCode: code})
		return err
	}
	update := c.newBatch()
	update.updateAll()
	resp := &wire.AlterPartitionResponse{}
	var changed []*partition
	for i := range req.Topics {
		t := &req.Topics[i]
		answer := wire.AlterPartitionResponseTopic{TopicName: t.TopicName, TopicID: t.TopicID}
		for j := range t.Partitions {
			a := &topics[i][j]
			out := wire.AlterPartitionResponsePartition{PartitionIndex: t.Partitions[j].PartitionIndex, ErrorCode: a.outcome}
			if a.p != nil {
				update.entry(a.p).update = true
			}
			if a.outcome == wire.None {
				changed = append(changed, a.p)
				l := a.p.lead
				out.LeaderID, out.LeaderEpoch, out.Isr = l.Leader, l.LeaderEpoch, l.ISR
				out.LeaderRecoveryState, out.PartitionEpoch = int8(l.Recovery), l.PartitionEpoch
			}
			answer.Partitions = append(answer.Partitions, out)
		}
		resp.Topics = append(resp.Topics, answer)
	}
	if len(update.entries) > 0 {
		update.send()
	}
	done(resp)
	return c.completeReassignments(ctx, changed)
}

// checkAlteration compares a request for one partition with what is committed. The order of the checks is Kafka's.
func (c *Controller) checkAlteration(leader int32, p *partition, r *wire.AlterPartitionRequestPartition, byName bool) alteration {
	if p == nil || !p.led {
		return alteration{outcome: wire.UnknownTopicOrPartition}
	}
	isr := r.NewIsr
	if len(r.NewIsrWithEpochs) > 0 { // From v3 on. The broker epochs in it mean nothing in ZooKeeper mode.
		isr = make([]int32, len(r.NewIsrWithEpochs))
		for i, m := range r.NewIsrWithEpochs {
			isr[i] = m.BrokerID
		}
	}
	now := p.lead
	want := now
	want.Leader, want.ISR, want.ControllerEpoch = leader, isr, c.cluster.epoch
	want.Recovery = znode.LeaderRecoveryState(r.LeaderRecoveryState)
	a := alteration{p: p, want: want}
	switch {
	case r.PartitionEpoch > now.PartitionEpoch || r.LeaderEpoch > now.LeaderEpoch:
		// The leader knows more than this controller: there is probably a newer one.
		a.outcome = wire.NotController
	case r.LeaderEpoch < now.LeaderEpoch:
		a.outcome = wire.FencedLeaderEpoch
	case now.Leader == leader && slices.Equal(now.ISR, isr) && now.Recovery == want.Recovery:
		// A repetition of what is committed already, whose answer was lost.
	case r.PartitionEpoch < now.PartitionEpoch:
		a.outcome = wire.InvalidUpdateVersion
	case want.Recovery == znode.Recovering && (len(isr) > 1 || now.Recovery == znode.Recovered):
		a.outcome = wire.InvalidRequest
	case now.Leader != leader || !validISR(p, isr) || want.Recovery != znode.Recovering && want.Recovery != znode.Recovered:
		// Kafka in ZooKeeper mode would write it; its KRaft controller refuses it like this.
		a.outcome = wire.InvalidRequest
	case slices.ContainsFunc(isr, func(id int32) bool { return !c.cluster.live(id) }):
		a.outcome = wire.IneligibleReplica
		if byName {
			a.outcome = wire.OperationNotAttempted
		}
	default:
		a.write = true
	}
	return a
}

// validISR says whether an ISR holds assigned replicas, each once, and at least one: a partition without ISR could never
// be elected again.
func validISR(p *partition, isr []int32) bool {
	return len(isr) > 0 && !hasDuplicates(isr) && !slices.ContainsFunc(isr, func(id int32) bool { return !contains(p.replicas, id) })
}

// writeAlterations writes what passed the checks and sets the outcomes. A write that was refused because of its version
// may be our own whose answer was lost; then it counts as done.
func (c *Controller) writeAlterations(ctx context.Context, as []*alteration) error {
	if len(as) == 0 {
		return nil
	}
	ops := make([]Op, len(as))
	for i, a := range as {
		ops[i] = Set(znode.PartitionStatePath(a.p.tp), encodeLeadership(a.want), a.want.PartitionEpoch)
	}
	results, err := c.write(ctx, ops)
	if err != nil {
		return err
	}
	var refused []*alteration
	for i, r := range results {
		a := as[i]
		switch {
		case r.Err == nil:
			a.want.PartitionEpoch = r.Stat.Version
			c.commit(a.p, a.want, "AlterPartition")
		case errors.Is(r.Err, ErrBadVersion):
			refused = append(refused, a)
		default:
			a.outcome = wire.UnknownServerError
		}
	}
	return c.resolveAlterations(ctx, refused)
}

func (c *Controller) resolveAlterations(ctx context.Context, as []*alteration) error {
	if len(as) == 0 {
		return nil
	}
	ps := make([]*partition, len(as))
	for i, a := range as {
		ps[i] = a.p
	}
	states, err := c.readStates(ctx, ps)
	if err != nil {
		return err
	}
	for i, s := range states {
		a := as[i]
		a.outcome = wire.InvalidUpdateVersion
		if !s.exists || s.err != nil {
			continue
		}
		if s.lead.PartitionEpoch == a.want.PartitionEpoch+1 && sameDecision(s.lead, a.want) {
			a.outcome = wire.None
			c.commit(a.p, s.lead, "AlterPartition")
			continue
		}
		if s.lead.ControllerEpoch <= c.cluster.epoch {
			c.cluster.setLeadership(a.p, s.lead)
		}
	}
	return nil
}

// isrChanges handles the notifications of leaders that write their ISRs themselves (IBP below 2.7-IV2): read them, tell
// all brokers, delete the notifications.
func (c *Controller) isrChanges(ctx context.Context) error {
	names, nodes, err := c.readNotifications(ctx, znode.IsrChangesPath)
	if err != nil || len(names) == 0 {
		return err
	}
	c.rereadStates = true
	var ps []*partition
	seen := map[*partition]bool{}
	for _, n := range nodes {
		if !n.Exists {
			continue
		}
		tps, err := znode.DecodeIsrChange(n.Data)
		if err != nil {
			c.emit(ZnodeUnreadable{Header: c.header(), Path: n.Path, Err: err})
			continue
		}
		for _, tp := range tps {
			if p := c.cluster.partition(tp); p != nil && !seen[p] {
				seen[p] = true
				ps = append(ps, p)
			}
		}
	}
	if len(ps) > 0 {
		if err := c.takeStates(ctx, ps, "IsrChangeNotification"); err != nil {
			return err
		}
		b := c.newBatch()
		b.updateAll()
		for _, p := range ps {
			b.updateMetadata(p)
		}
		b.send()
		if err := c.completeReassignments(ctx, ps); err != nil {
			return err
		}
	}
	return c.deleteChildren(ctx, znode.IsrChangesPath, names)
}

// takeStates takes what leaders wrote into the states of partitions into the cache. What a newer controller wrote is not
// this one's to pass on.
func (c *Controller) takeStates(ctx context.Context, ps []*partition, reason string) error {
	states, err := c.readStates(ctx, ps)
	if err != nil {
		return err
	}
	for i, s := range states {
		if s.exists && s.err == nil && s.lead.ControllerEpoch <= c.cluster.epoch && (!ps[i].led || s.lead.PartitionEpoch != ps[i].lead.PartitionEpoch) {
			c.commit(ps[i], s.lead, reason)
		}
	}
	return nil
}

// logDirEvents handles the notifications of brokers whose log dir failed: their full set of roles is sent again, and the
// answers tell which replicas are gone.
func (c *Controller) logDirEvents(ctx context.Context) error {
	names, nodes, err := c.readNotifications(ctx, znode.LogDirEventsPath)
	if err != nil || len(names) == 0 {
		return err
	}
	var replicas []replica
	seen := map[int32]bool{}
	for _, n := range nodes {
		if !n.Exists {
			continue
		}
		id, err := znode.DecodeLogDirEvent(n.Data)
		if err != nil {
			c.emit(ZnodeUnreadable{Header: c.header(), Path: n.Path, Err: err})
			continue
		}
		if b := c.cluster.brokers[id]; b != nil && !seen[id] {
			seen[id] = true
			c.emit(BrokerChanged{Header: c.header(), BrokerID: id, Epoch: b.epoch, Change: BrokerDirFailed})
			replicas = append(replicas, c.cluster.replicasOn(id)...)
		}
	}
	if err := c.moveReplicas(ctx, replicas, OnlineReplica); err != nil {
		return err
	}
	return c.deleteChildren(ctx, znode.LogDirEventsPath, names)
}

// readNotifications lists and reads the children of a notification parent, which arms its watch, in order.
func (c *Controller) readNotifications(ctx context.Context, parent string) ([]string, []Node, error) {
	names, err := c.cfg.Store.Children(ctx, parent)
	if err != nil || len(names) == 0 {
		return nil, nil, err
	}
	slices.Sort(names)
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = parent + "/" + name
	}
	nodes, err := c.cfg.Store.Get(ctx, paths...)
	return names, nodes, err
}

// leaderAndIsrAnswered learns from a LeaderAndIsr answer which replicas are on failed log dirs. Everything else in it is of
// no interest: a newer controller or the next BrokerChange mends it.
func (c *Controller) leaderAndIsrAnswered(ctx context.Context, ch *channel, resp *wire.LeaderAndIsrResponse) error {
	if c.channels[ch.id] != ch || resp.ErrorCode != wire.None {
		return nil //nolint:nilerr // the code is the broker's answer, not this function's failure
	}
	offline := c.cluster.offlineDirs[ch.id]
	var failed []replica
	back := map[*topic]bool{}
	learn := func(p *partition, code wire.Error) {
		switch {
		case p == nil:
		case code == wire.None:
			if offline[p] {
				delete(offline, p)
				back[p.topic] = true
			}
		case code == wire.KafkaStorageError && !offline[p]:
			if offline == nil {
				offline = map[*partition]bool{}
				c.cluster.offlineDirs[ch.id] = offline
			}
			offline[p] = true
			failed = append(failed, replica{p, ch.id})
		}
	}
	for _, e := range resp.PartitionErrors {
		learn(c.cluster.partition(TopicPartition{Topic: e.TopicName, Partition: e.PartitionIndex}), e.ErrorCode)
	}
	for _, t := range resp.Topics {
		if known := c.cluster.topicByID[t.TopicID]; known != nil {
			for _, e := range t.PartitionErrors {
				learn(known.index[e.PartitionIndex], e.ErrorCode)
			}
		}
	}
	if len(failed) > 0 {
		return c.replicasOffline(ctx, failed)
	}
	if len(back) > 0 {
		// Kafka leaves a partition that waited for such a replica without leader until something else happens.
		return c.triggerOnlineFor(ctx, func(t *topic) bool { return back[t] })
	}
	return nil
}
