// ElectLeaders: v0-v2. Served by the controller: preferred and unclean elections; answered when this broker's metadata has the elected leaders, or at
// the timeout (controller.md §19, DelayedElectLeader).

package api

import (
	"time"

	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/controller"
)

func (h *Handlers) electLeaders(r *network.Request, req *wire.ElectLeadersRequest) {
	deadline := time.Now().Add(time.Duration(req.TimeoutMs) * time.Millisecond)
	h.deps.Controller.ElectLeaders(req, func(resp *wire.ElectLeadersResponse, elected map[controller.TopicPartition]int32) {
		h.awaitLeaders(elected, time.Until(deadline), func(left map[controller.TopicPartition]int32) {
			for i := range resp.ReplicaElectionResults {
				t := &resp.ReplicaElectionResults[i]
				for j := range t.PartitionResult {
					p := &t.PartitionResult[j]
					if _, waits := left[controller.TopicPartition{Topic: t.Topic, Partition: p.PartitionID}]; waits && p.ErrorCode == wire.None {
						p.ErrorCode, p.ErrorMessage = wire.RequestTimedOut, new(wire.RequestTimedOut.Message())
					}
				}
			}
			r.Reply(resp)
		})
	})
}

// awaitLeaders calls done when this broker's metadata has the leaders, or when the timeout has passed, with those that it doesn't have.
func (h *Handlers) awaitLeaders(leaders map[controller.TopicPartition]int32, timeout time.Duration, done func(left map[controller.TopicPartition]int32)) {
	missing := func(c *metadata.Cache) map[controller.TopicPartition]int32 {
		left := map[controller.TopicPartition]int32{}
		for tp, leader := range leaders {
			if !ledBy(c, tp, leader) {
				left[tp] = leader
			}
		}
		return left
	}
	h.deps.Metadata.Wait(timeout, func(c *metadata.Cache) bool { return len(missing(c)) == 0 }, func(bool) { done(missing(h.deps.Metadata)) })
}

func ledBy(c *metadata.Cache, tp controller.TopicPartition, leader int32) bool {
	t := c.Topic(tp.Topic)
	if t == nil {
		return false
	}
	p := t.Partition(tp.Partition)
	return p != nil && p.Leader == leader
}
