// DeleteTopics: v0-v6. Served by the controller; answered when this broker's metadata has forgotten the topics, or at the timeout.
//
// Versions:  v5 error messages, v6 topics by id.

package api

import (
	"time"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/wire"
)

func (h *Handlers) deleteTopics(r *network.Request, req *wire.DeleteTopicsRequest) {
	version := r.Header.APIVersion
	asked := req.Topics
	for i := range req.TopicNames {
		asked = append(asked, wire.DeleteTopicsRequestTopic{Name: &req.TopicNames[i]})
	}
	resp := &wire.DeleteTopicsResponse{Responses: make([]wire.DeleteTopicsResponseTopic, len(asked))}
	times := map[string]int{}
	for i := range asked {
		out := &resp.Responses[i]
		*out = wire.DeleteTopicsResponseTopic{Name: asked[i].Name, TopicID: asked[i].TopicID}
		switch {
		case asked[i].Name != nil && !asked[i].TopicID.IsZero():
			out.ErrorCode, out.ErrorMessage = wire.InvalidRequest, new("Topic name and topic ID can not both be specified.")
		case asked[i].Name == nil:
			t := h.deps.Metadata.TopicByID(asked[i].TopicID)
			if t == nil {
				out.ErrorCode, out.ErrorMessage = wire.UnknownTopicID, new(wire.UnknownTopicID.Message())
				continue
			}
			out.Name = &t.Name
		default:
			if t := h.deps.Metadata.Topic(*out.Name); t != nil {
				out.TopicID = t.ID
			}
		}
		if out.Name != nil {
			times[*out.Name]++
		}
	}
	var deleted []string
	var slots []*wire.DeleteTopicsResponseTopic
	for i := range resp.Responses {
		out := &resp.Responses[i]
		if out.ErrorCode != wire.None {
			continue
		}
		if f := h.deleteTopic(*out.Name, version, times[*out.Name] > 1); f.code != wire.None {
			out.ErrorCode, out.ErrorMessage = f.code, new(f.message)
			continue
		}
		deleted, slots = append(deleted, *out.Name), append(slots, out)
	}
	if len(deleted) == 0 {
		r.Reply(resp)
		return
	}
	gone := func(c *metadata.Cache, name string) bool { return c.Topic(name) == nil }
	h.awaitTopics(deleted, time.Duration(req.TimeoutMs)*time.Millisecond, gone, func(left map[string]bool) {
		for i, name := range deleted {
			if left[name] {
				slots[i].ErrorCode, slots[i].ErrorMessage = wire.RequestTimedOut, new("Timed out while waiting for the topic to be deleted; it is marked for deletion.")
			}
		}
		r.Reply(resp)
	})
}

func (h *Handlers) deleteTopic(name string, version int16, twice bool) failure {
	switch {
	case !h.deps.Controller.IsActive():
		return failure{wire.NotController, wire.NotController.Message()}
	case !h.deps.Config().Bool(config.DeleteTopicEnable) && version < 3:
		return failure{wire.InvalidRequest, "Topic deletion is disabled."}
	case !h.deps.Config().Bool(config.DeleteTopicEnable):
		return failure{wire.TopicDeletionDisabled, wire.TopicDeletionDisabled.Message()}
	case twice:
		return failure{wire.InvalidRequest, "Duplicate topic name."}
	}
	return h.topicError("delete topic", name, h.deps.Topics.DeleteTopic(h.deps.Context, name))
}
