package controller

import (
	"context"
	"fmt"
	"slices"
)

// The replica state machine: what to tell the broker of a replica, and when to take it out of the ISR.

// startReplicas gives every assigned replica its first state at failover and puts the roles of those that are online into b. It returns those that are not.
func (c *Controller) startReplicas(ctx context.Context, b *batch) (offline []replica, err error) {
	var online []replica
	c.cluster.allPartitions(func(p *partition) {
		for _, id := range p.replicas {
			if c.cluster.online(p, id) {
				p.setReplicaState(id, OnlineReplica)
				online = append(online, replica{p, id})
			} else {
				// A topic that is being deleted must not wait for this one; any other topic moves it on right away.
				p.setReplicaState(id, ReplicaDeletionIneligible)
				offline = append(offline, replica{p, id})
			}
		}
	})
	return offline, c.moveReplicasIn(ctx, b, online, OnlineReplica)
}

// moveReplicas moves replicas to a state and sends one round of requests for all of them. Replicas for which the
// transition is not valid, or for which it cannot be made, are reported and keep their state.
func (c *Controller) moveReplicas(ctx context.Context, rs []replica, to ReplicaState) error {
	b := c.newBatch()
	if err := c.moveReplicasIn(ctx, b, rs, to); err != nil {
		return err
	}
	b.send()
	return nil
}

// moveReplicasIn is moveReplicas with a batch that the caller sends.
func (c *Controller) moveReplicasIn(ctx context.Context, b *batch, rs []replica, to ReplicaState) error {
	valid := make([]replica, 0, len(rs))
	for _, r := range rs {
		if from := r.p.replicaState(r.id); !to.validFrom(from) {
			c.refuse(r.p, r.id, to.String(), fmt.Errorf("not valid from %s", from))
			continue
		}
		valid = append(valid, r)
	}
	if to == OfflineReplica {
		return c.takeOffline(ctx, b, valid)
	}
	for _, r := range valid {
		switch to {
		case NewReplica:
			if r.p.led && r.p.lead.Leader == r.id {
				c.refuse(r.p, r.id, to.String(), fmt.Errorf("it is the leader"))
				continue
			}
			if r.p.led {
				b.leaderAndIsr(r.p, []int32{r.id}, true)
			}
		case OnlineReplica:
			if r.p.replicaState(r.id) == NewReplica {
				if !contains(r.p.replicas, r.id) {
					r.p.replicas = append(slices.Clone(r.p.replicas), r.id)
				}
			} else if r.p.led {
				b.leaderAndIsr(r.p, []int32{r.id}, false)
			}
		case ReplicaDeletionStarted:
			b.stopReplica(r.p, r.id, true)
		case NonExistentReplica:
			r.p.replicas = without(r.p.replicas, r.id)
			c.cluster.recount(r.p)
		}
		c.setReplicaState(r, to)
	}
	return nil
}

// takeOffline stops replicas, takes them out of the ISRs in ZooKeeper and tells the other replicas.
func (c *Controller) takeOffline(ctx context.Context, b *batch, rs []replica) error {
	byBroker := map[int32][]replica{}
	for _, r := range rs {
		byBroker[r.id] = append(byBroker[r.id], r)
		b.stopReplica(r.p, r.id, false)
	}
	ids := make([]int32, 0, len(byBroker))
	for id := range byBroker {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		var led []*partition
		for _, r := range byBroker[id] {
			if r.p.led {
				led = append(led, r.p)
				continue
			}
			c.setReplicaState(r, OfflineReplica)
			b.updateMetadata(r.p)
		}
		results, err := c.removeFromISR(ctx, id, led)
		if err != nil {
			return err
		}
		for i, p := range led {
			if results[i] != nil {
				c.refuse(p, id, OfflineReplica.String(), results[i])
				continue
			}
			if !p.topic.deleting {
				b.leaderAndIsr(p, without(p.replicas, id), false)
			}
			c.setReplicaState(replica{p, id}, OfflineReplica)
		}
	}
	return nil
}

// removeFromISR takes a broker out of the ISRs of partitions; where it led there is no leader afterwards. The last
// member stays in the ISR: whoever holds it is the only one known to have all committed records. Partitions in
// whose ISR it is not are not written, but count as decided by this controller. One result per partition.
func (c *Controller) removeFromISR(ctx context.Context, id int32, ps []*partition) ([]error, error) {
	out := make([]error, len(ps))
	var members []*partition
	var at []int
	if c.rereadStates {
		if _, err := c.loadStates(ctx, ps); err != nil {
			return out, err
		}
	}
	for i, p := range ps {
		switch {
		case p.lead.ControllerEpoch > c.cluster.epoch:
			out[i] = errNewerController
		case contains(p.lead.ISR, id):
			members = append(members, p)
			at = append(at, i)
		default:
			p.lead.ControllerEpoch = c.cluster.epoch
		}
	}
	results, err := c.updateStates(ctx, members, "ISR removal", func(p *partition) (Leadership, error) {
		if !contains(p.lead.ISR, id) { // Somebody else took it out meanwhile.
			p.lead.ControllerEpoch = c.cluster.epoch
			return Leadership{}, errUnchanged
		}
		leader, isr := p.lead.Leader, p.lead.ISR
		if leader == id {
			leader = NoLeader
		}
		if len(isr) > 1 {
			isr = without(isr, id)
		}
		return p.lead.next(leader, isr, c.cluster.epoch), nil
	})
	for n, i := range at {
		out[i] = results[n]
	}
	return out, err
}

func (c *Controller) setReplicaState(r replica, to ReplicaState) {
	from := r.p.replicaState(r.id)
	r.p.setReplicaState(r.id, to)
	if c.emitting() && from != to {
		c.emit(ReplicaStateChanged{Header: c.header(), TopicPartition: r.p.tp, BrokerID: r.id, From: from, To: to})
	}
}

// refuse reports a transition that is not made; broker is NoLeader for partitions.
func (c *Controller) refuse(p *partition, broker int32, to string, err error) {
	c.emit(TransitionRefused{Header: c.header(), TopicPartition: p.tp, BrokerID: broker, To: to, Err: err})
}
