package api

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/controller"
)

// Topics makes, grows and deletes topics in ZooKeeper; controller.Admin does.
type Topics interface {
	CreateTopic(ctx context.Context, spec controller.TopicSpec) (controller.CreatedTopic, error)
	DeleteTopic(ctx context.Context, name string) error
	CreatePartitions(ctx context.Context, spec controller.PartitionsSpec) (map[int32][]int32, error)
}

// autoCreation keeps a broker from making the same topic twice at once, as a burst of Metadata requests asks for.
type autoCreation struct {
	mu       sync.Mutex
	inFlight map[string]chan struct{}
}

// run calls create unless another request is making the topic; then it waits for that one. Either way the topic's leaders come a moment later.
func (a *autoCreation) run(ctx context.Context, name string, create func() error) error {
	a.mu.Lock()
	if a.inFlight == nil {
		a.inFlight = map[string]chan struct{}{}
	}
	if done, ok := a.inFlight[name]; ok {
		a.mu.Unlock()
		select {
		case <-done:
		case <-ctx.Done():
		}
		return nil
	}
	done := make(chan struct{})
	a.inFlight[name] = done
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.inFlight, name)
		a.mu.Unlock()
		close(done)
	}()
	return create()
}

// autoCreate makes a topic that a client asked for and returns what that client is told: LEADER_NOT_AVAILABLE where it will be there on the next try.
func (h *Handlers) autoCreate(name string) wire.Error {
	err := h.creating.run(h.deps.Context, name, func() error {
		_, err := h.deps.Topics.CreateTopic(h.deps.Context, h.autoCreated(name))
		return err
	})
	code := h.topicError("auto-create topic", name, err).code
	if code == wire.None || code == wire.TopicAlreadyExists {
		return wire.LeaderNotAvailable
	}
	return code
}

// brokerMetadata lists the live brokers for the placement of replicas.
func (h *Handlers) brokerMetadata() []controller.BrokerMetadata {
	var brokers []controller.BrokerMetadata
	for _, b := range h.deps.Metadata.Brokers() {
		brokers = append(brokers, controller.BrokerMetadata{ID: b.ID, Rack: b.Rack})
	}
	return brokers
}

// topicError maps an error of Topics to what a client is told; the zero failure for none.
func (h *Handlers) topicError(what, name string, err error) failure {
	if err == nil {
		return failure{}
	}
	var refused *controller.Refused
	if errors.As(err, &refused) {
		return failure{code: refused.Code, message: refused.Message}
	}
	return *h.failure(what, name, err)
}

// awaitTopics calls done when holds is true of this broker's metadata for each name, or when the timeout has passed, with the names that are left.
func (h *Handlers) awaitTopics(names []string, timeout time.Duration, holds func(*metadata.Cache, string) bool, done func(left map[string]bool)) {
	missing := func(c *metadata.Cache) map[string]bool {
		left := map[string]bool{}
		for _, name := range names {
			if !holds(c, name) {
				left[name] = true
			}
		}
		return left
	}
	h.deps.Metadata.Wait(timeout, func(c *metadata.Cache) bool {
		for _, name := range names {
			if !holds(c, name) {
				return false
			}
		}
		return true
	}, func(bool) { done(missing(h.deps.Metadata)) })
}

// hasLeaders tells whether each of a topic's partitions, as many as were asked for, has a leader.
func hasLeaders(partitions int) func(*metadata.Cache, string) bool {
	return func(c *metadata.Cache, name string) bool {
		t := c.Topic(name)
		if t == nil || len(t.Partitions) < partitions {
			return false
		}
		for _, p := range t.Partitions {
			if p.Leader < 0 {
				return false
			}
		}
		return true
	}
}

// topicConfigs describes a created topic's configs for CreateTopics v5+.
func (h *Handlers) topicConfigs(overrides map[string]string) ([]wire.CreateTopicsResponseConfig, error) {
	entries, err := config.DescribeTopic(h.deps.Config(), maps.Clone(overrides), nil)
	if err != nil {
		return nil, err
	}
	out := make([]wire.CreateTopicsResponseConfig, 0, len(entries))
	for _, e := range entries {
		one := wire.CreateTopicsResponseConfig{Name: e.Name, ReadOnly: e.ReadOnly, ConfigSource: e.Source.Code(), IsSensitive: e.Sensitive}
		if !e.Null {
			one.Value = new(e.Value)
		}
		out = append(out, one)
	}
	return out, nil
}
