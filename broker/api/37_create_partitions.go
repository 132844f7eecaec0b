// CreatePartitions: v0-v3. Served by the controller; answered when this broker's metadata shows leaders for the new partitions, or at the timeout.

package api

import (
	"time"

	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/controller"
)

func (h *Handlers) createPartitions(r *network.Request, req *wire.CreatePartitionsRequest) {
	resp := &wire.CreatePartitionsResponse{Results: make([]wire.CreatePartitionsResponseResult, len(req.Topics))}
	times := map[string]int{}
	for i := range req.Topics {
		times[req.Topics[i].Name]++
	}
	var grown []string
	var slots []*wire.CreatePartitionsResponseResult
	counts := map[string]int{}
	for i := range req.Topics {
		topic, out := &req.Topics[i], &resp.Results[i]
		out.Name = topic.Name
		var f failure
		switch {
		case !h.deps.Controller.IsActive():
			f = failure{wire.NotController, wire.NotController.Message()}
		case times[topic.Name] > 1:
			f = failure{wire.InvalidRequest, "Duplicate topic in request."}
		default:
			spec := controller.PartitionsSpec{Topic: topic.Name, Count: topic.Count, ValidateOnly: req.ValidateOnly}
			for _, a := range topic.Assignments {
				spec.Assignments = append(spec.Assignments, a.BrokerIDs)
			}
			_, err := h.deps.Topics.CreatePartitions(h.deps.Context, spec)
			f = h.topicError("create partitions", topic.Name, err)
		}
		if f.code != wire.None {
			out.ErrorCode, out.ErrorMessage = f.code, new(f.message)
			continue
		}
		if !req.ValidateOnly {
			grown, slots = append(grown, topic.Name), append(slots, out)
			counts[topic.Name] = int(topic.Count)
		}
	}
	if len(grown) == 0 {
		r.Reply(resp)
		return
	}
	h.awaitTopics(grown, time.Duration(req.TimeoutMs)*time.Millisecond, func(c *metadata.Cache, name string) bool {
		return hasLeaders(counts[name])(c, name)
	}, func(left map[string]bool) {
		for i, name := range grown {
			if left[name] {
				slots[i].ErrorCode, slots[i].ErrorMessage = wire.RequestTimedOut, new("Timed out while waiting for the new partitions' leaders.")
			}
		}
		r.Reply(resp)
	})
}
