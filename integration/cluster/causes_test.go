package cluster_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/integration/cluster"
)

// story is what all brokers told, taken apart as a reader of the timeline has to: by the ids that join one broker's events to another's.
type story struct {
	sent     map[telemetry.CauseID]telemetry.ControlRequestSent
	answered map[telemetry.CauseID]telemetry.ControlRequestAnswered
	began    map[telemetry.CauseID]telemetry.ControllerEventStarted
	received []telemetry.Record
	effects  []telemetry.Record // of a request: role changes, fetches that begin, high watermarks
}

func readStory(buses []*telemetry.Bus) story {
	s := story{
		sent: map[telemetry.CauseID]telemetry.ControlRequestSent{}, answered: map[telemetry.CauseID]telemetry.ControlRequestAnswered{},
		began: map[telemetry.CauseID]telemetry.ControllerEventStarted{},
	}
	for _, bus := range buses {
		for _, r := range bus.Latest(1 << 20) {
			switch e := r.Event.(type) {
			case telemetry.ControlRequestSent:
				s.sent[e.ID] = e
			case telemetry.ControlRequestAnswered:
				s.answered[e.ID] = e
			case telemetry.ControllerEventStarted:
				s.began[e.CauseID()] = e
			case telemetry.ControlRequestReceived:
				s.received = append(s.received, r)
			case telemetry.PartitionRoleChanged, telemetry.FetchStarted, telemetry.HighWatermarkAdvanced:
				s.effects = append(s.effects, r)
			}
		}
	}
	return s
}

// From what a replica did, the timeline leads back to the request it got, from there to the controller's event, and forward to the answer and what the controller did about
// it: over three brokers, a topic that is made and a leader that is killed.
func TestEveryEffectNamesItsRequest(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Brokers(3))
	require.NoError(t, c.Admin(t).CreateTopic("orders", &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 3}, false))
	c.WaitTopic("orders", 3)
	buses := []*telemetry.Bus{c.Events(1), c.Events(2), c.Events(3)}
	controller, epoch := c.Controller()
	victim := controller%3 + 1
	c.Kill(victim)
	c.Wait("the dead broker leads nothing", func() error {
		for p := range c.Broker(controller).Replicas().All() {
			if s := p.State(); s.Leader == victim {
				return errors.New(p.TopicPartition().String())
			}
		}
		return nil
	})
	var told story
	c.Wait("every request is answered", func() error {
		told = readStory(buses)
		for id, sent := range told.sent {
			if _, ok := told.answered[id]; !ok && sent.To != victim {
				return fmt.Errorf("%s, %s to %d", id, sent.Request, sent.To)
			}
		}
		// The brokers' events are read one after the other: what was sent in between is in the next look.
		for _, r := range told.received {
			if id := r.Event.(telemetry.ControlRequestReceived).CauseID(); told.sent[id].Request == "" {
				return fmt.Errorf("%s was received", id)
			}
		}
		return nil
	})

	for id, answer := range told.answered {
		sent := told.sent[id]
		require.Equal(t, sent.CauseID(), answer.CauseID())
		require.Equal(t, sent.CorrelationID, answer.CorrelationID)
		require.Equal(t, sent.Request, answer.Request)
		require.Equal(t, sent.To, answer.To)
	}
	for id, sent := range told.sent {
		require.Equal(t, epoch, sent.Epoch)
		require.Equal(t, telemetry.CauseID{Broker: controller, Seq: uint64(sent.CorrelationID)}, id)
		require.Contains(t, told.began, sent.CauseID(), "%s to %d follows from an event of the controller", sent.Request, sent.To)
	}
	require.NotEmpty(t, told.received)
	for _, r := range told.received {
		received := r.Event.(telemetry.ControlRequestReceived)
		sent, ok := told.sent[received.CauseID()]
		require.True(t, ok, "%s was sent", received.CauseID())
		require.Equal(t, sent.Request, received.Request)
		require.Equal(t, r.Broker, sent.To)
		require.Equal(t, controller, received.From)
		require.Equal(t, sent.Epoch, received.Epoch)
		require.Equal(t, sent.Partitions, received.Partitions)
	}
	require.GreaterOrEqual(t, len(told.effects), 9, "nine replicas got a role")
	for _, r := range told.effects {
		sent, ok := told.sent[r.Event.CauseID()]
		require.True(t, ok, "%s of broker %d follows from a request", r.Event.Kind(), r.Broker)
		require.Equal(t, "LeaderAndIsr", sent.Request)
		require.Equal(t, r.Broker, sent.To)
	}
	acted := 0
	for _, e := range told.began {
		if sent, ok := told.sent[e.After]; ok {
			require.Equal(t, "LeaderAndIsrResponseReceived", e.Event)
			require.Equal(t, "LeaderAndIsr", sent.Request)
			acted++
		}
	}
	require.NotZero(t, acted, "the controller acts on the answers")
}
