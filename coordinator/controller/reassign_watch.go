package controller

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// At an IBP below 2.7-IV2 leaders write their ISRs into ZooKeeper themselves, and tell of it with a delay of seconds
// (/isr_change_notification). Who waits for the targets of a reassignment to be in sync watches the state znodes.
// Source: KafkaController.PartitionReassignmentIsrChangeHandler.

// watchMoves registers the watches of the states of partitions that are being reassigned; the read that follows arms them.
func (c *Controller) watchMoves(ps []*partition) {
	if c.cfg.IBP.AlterPartition() {
		return
	}
	for _, p := range ps {
		tp := p.tp
		if !p.reassigning() || c.movesWatched[tp] {
			continue
		}
		c.movesWatched[tp] = true
		c.cfg.Store.Watch(znode.PartitionStatePath(tp), WatchData, func() {
			c.dirty.Lock()
			c.dirty.moving[tp] = true
			c.dirty.Unlock()
			c.queue.putSignal(task{kind: KindReassignmentIsrChange, run: c.ifActive(c.moveIsrChanges)})
		})
	}
}

func (c *Controller) unwatchMove(tp TopicPartition) {
	if c.movesWatched[tp] {
		delete(c.movesWatched, tp)
		c.cfg.Store.Unwatch(znode.PartitionStatePath(tp), WatchData)
	}
}

// moveIsrChanges reads the states that were written and completes the reassignments that can be completed. Reading arms the
// watches again, whoever wrote: this controller writes these states too.
func (c *Controller) moveIsrChanges(ctx context.Context) error {
	c.dirty.Lock()
	var tps []TopicPartition
	for tp := range c.dirty.moving {
		tps = append(tps, tp)
	}
	clear(c.dirty.moving)
	c.dirty.Unlock()
	slices.SortFunc(tps, func(a, b TopicPartition) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	var ps []*partition
	for _, tp := range tps {
		if p := c.cluster.partition(tp); p != nil && p.reassigning() {
			ps = append(ps, p)
		} else {
			c.unwatchMove(tp) // Done, or its topic is gone.
		}
	}
	if err := c.takeStates(ctx, ps, "PartitionReassignmentIsrChange"); err != nil {
		c.dirty.Lock()
		for _, p := range ps {
			c.dirty.moving[p.tp] = true
		}
		c.dirty.Unlock()
		return err
	}
	return c.completeReassignments(ctx, ps)
}
