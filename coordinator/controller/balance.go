package controller

import (
	"context"
	"time"
)

// Automatic preferred leader election (auto.leader.rebalance.enable).

// firstBalance is how long after its election a controller looks for the first time, as Kafka's.
const firstBalance = 5 * time.Second

// armBalancing has the leaders looked at when Kafka would look the next time, if there is anything to see then: a controller of a cluster
// that is in order sleeps. It is called after every event.
func (c *Controller) armBalancing() {
	if c.cfg.BalanceInterval <= 0 || !c.active.Load() || c.balancing != nil || c.cluster.counts.imbalanced == 0 {
		return
	}
	wait := time.Until(c.balanceFrom)
	if wait <= 0 {
		wait = c.cfg.BalanceInterval - -wait%c.cfg.BalanceInterval
	}
	c.balancing = time.AfterFunc(wait, func() {
		c.queue.putSignal(task{kind: KindAutoLeaderBalance, run: c.ifActive(c.balanceLeaders)})
	})
}

func (c *Controller) stopBalancing() {
	if c.balancing != nil {
		c.balancing.Stop()
		c.balancing = nil
	}
}

// balanceLeaders elects the preferred leaders of brokers that lead too few of the partitions they are preferred for. Nothing is
// elected while any partition is being reassigned.
func (c *Controller) balanceLeaders(ctx context.Context) error {
	c.stopBalancing()
	type share struct {
		all  int
		lost []*partition // Led by others.
	}
	shares := map[int32]*share{}
	reassigning := false
	c.cluster.allPartitions(func(p *partition) {
		reassigning = reassigning || p.reassigning()
		if p.topic.deleting || len(p.replicas) == 0 {
			return
		}
		s := shares[p.replicas[0]]
		if s == nil {
			s = &share{}
			shares[p.replicas[0]] = s
		}
		s.all++
		if p.led && p.lead.Leader != p.replicas[0] {
			s.lost = append(s.lost, p)
		}
	})
	if reassigning {
		return nil
	}
	var electing []*partition
	for _, id := range c.cluster.brokerIDs() {
		s := shares[id]
		if s == nil || len(s.lost)*100 <= s.all*c.cfg.ImbalancePercentage {
			continue
		}
		for _, p := range s.lost {
			if c.cluster.online(p, id) && contains(p.lead.ISR, id) {
				electing = append(electing, p)
			}
		}
	}
	_, err := c.bringOnline(ctx, electing, StrategyPreferred, false)
	return err
}
