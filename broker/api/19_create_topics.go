// CreateTopics: v0-v7. Served by the controller; answered when this broker's metadata shows a leader for every partition, or at the timeout.
//
// Versions:  v1 can only validate, v4 takes -1 for the broker's defaults, v5 returns the configs, v7 the topic id.

package api

import (
	"sync"
	"time"

	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/controller"
)

func (h *Handlers) createTopics(r *network.Request, req *wire.CreateTopicsRequest) {
	resp := &wire.CreateTopicsResponse{Topics: make([]wire.CreateTopicsResponseTopic, len(req.Topics))}
	times := map[string]int{}
	for i := range req.Topics {
		times[req.Topics[i].Name]++
	}
	create := func(i int) {
		topic, out := &req.Topics[i], &resp.Topics[i]
		*out = wire.CreateTopicsResponseTopic{Name: topic.Name, NumPartitions: -1, ReplicationFactor: -1}
		var f failure
		switch {
		case !h.deps.Controller.IsActive():
			f = failure{wire.NotController, wire.NotController.Message()}
		case times[topic.Name] > 1:
			f = failure{wire.InvalidRequest, "Duplicate topic name."}
		default:
			f = h.createTopic(topic, req.ValidateOnly, out)
		}
		if f.code != wire.None {
			out.ErrorCode, out.ErrorMessage = f.code, new(f.message)
		}
	}
	createEach(req.Topics, create)
	var created []string
	var slots []*wire.CreateTopicsResponseTopic
	partitions := map[string]int{}
	for i := range resp.Topics {
		if out := &resp.Topics[i]; out.ErrorCode == wire.None && !req.ValidateOnly {
			created, slots = append(created, out.Name), append(slots, out)
			partitions[out.Name] = int(out.NumPartitions)
		}
	}
	if len(created) == 0 {
		r.Reply(resp)
		return
	}
	h.awaitTopics(created, time.Duration(req.TimeoutMs)*time.Millisecond, func(c *metadata.Cache, name string) bool {
		return hasLeaders(partitions[name])(c, name)
	}, func(left map[string]bool) {
		for i, name := range created {
			if left[name] {
				slots[i].ErrorCode, slots[i].ErrorMessage = wire.RequestTimedOut, new("Timed out while waiting for the topic's leaders; it may still be created.")
			}
		}
		r.Reply(resp)
	})
}

// creating is how many topics of a request are made at once: each waits for ZooKeeper, and the controller takes several topics in one go.
const creating = 16

// createEach calls create with every index, several at once, but one after the other for names that may collide with one another.
func createEach(topics []wire.CreateTopicsRequestTopic, create func(i int)) {
	var running sync.WaitGroup
	slots := make(chan struct{}, creating)
	for i := range topics {
		if controller.CollisionPossible(topics[i].Name) {
			continue
		}
		slots <- struct{}{}
		running.Go(func() {
			create(i)
			<-slots
		})
	}
	running.Wait()
	for i := range topics {
		if controller.CollisionPossible(topics[i].Name) {
			create(i)
		}
	}
}

// createTopic checks and writes one topic and fills in its slot.
func (h *Handlers) createTopic(topic *wire.CreateTopicsRequestTopic, validateOnly bool, out *wire.CreateTopicsResponseTopic) failure {
	configs := map[string]string{}
	for _, c := range topic.Configs {
		if c.Value == nil {
			return failure{wire.InvalidConfig, "Null value not supported for topic configs: " + c.Name}
		}
		configs[c.Name] = *c.Value
	}
	spec := controller.TopicSpec{
		Name: topic.Name, Partitions: topic.NumPartitions, ReplicationFactor: topic.ReplicationFactor, Configs: configs,
		Brokers: h.brokerMetadata(), ValidateOnly: validateOnly,
	}
	if len(topic.Assignments) > 0 {
		spec.Assignments = make(map[int32][]int32, len(topic.Assignments))
		for _, a := range topic.Assignments {
			spec.Assignments[a.PartitionIndex] = a.BrokerIDs
		}
	}
	made, err := h.deps.Topics.CreateTopic(h.deps.Context, spec)
	if f := h.topicError("create topic", topic.Name, err); f.code != wire.None {
		return f
	}
	out.TopicID = made.ID
	out.NumPartitions = int32(len(made.Assignments))
	for _, replicas := range made.Assignments {
		out.ReplicationFactor = int16(len(replicas))
		break
	}
	if out.Configs, err = h.topicConfigs(configs); err != nil {
		return h.topicError("describe topic", topic.Name, err)
	}
	return failure{}
}
