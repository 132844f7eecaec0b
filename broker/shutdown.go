package broker

import (
	"context"
	"slices"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/broker/wire"
)

// controlledShutdown asks the controller to move this broker's leaderships away, as often as configured. Without success the broker stops anyway.
//
// Kafka pauses after every attempt, three times five seconds, whatever the answer. Here there is no pause after the last, none while nobody lives who could become leader of what is
// left, as when the last broker of a cluster stops, and none once there is another controller than the one that could not be asked.
func (b *Broker) controlledShutdown(ctx context.Context) {
	if b.brokerEpoch.Load() < 0 || b.metadata.Controller() == metadata.NoController {
		return
	}
	attempts, pause := b.static.Int(config.ControlledShutdownMaxRetries), b.static.Duration(config.ControlledShutdownRetryBackoffMs)
	for attempt := 1; attempt <= attempts; attempt++ {
		_, tenure := b.metadata.Tenure()
		left, err := b.askForShutdown(ctx)
		if err == nil && len(left) == 0 {
			return
		}
		hopeless := func(c *metadata.Cache) bool { return err == nil && nobodyFor(c, b.id, left) }
		if hopeless(b.metadata) {
			b.telemetry.loggers.Write(telemetry.ServerLogger, telemetry.Info, "controlled shutdown leaves partitions behind whose other replicas are all dead", map[string]any{"partitions": len(left)})
			return
		}
		b.telemetry.loggers.Write(telemetry.ServerLogger, telemetry.Warn, "controlled shutdown isn't complete", map[string]any{"partitions": len(left), "error": err})
		if attempt == attempts {
			return
		}
		waited, done := context.WithTimeout(ctx, pause)
		stop := context.AfterFunc(tenure, func() {
			if err != nil {
				done()
			}
		})
		b.metadata.Wait(pause, hopeless, func(bool) { done() })
		<-waited.Done()
		stop()
		done()
		if ctx.Err() != nil {
			return
		}
	}
}

func (b *Broker) askForShutdown(ctx context.Context) (left []wire.ControlledShutdownResponseRemainingPartition, err error) {
	resp, err := b.controllerRPC.Once(ctx, &wire.ControlledShutdownRequest{BrokerID: b.id, BrokerEpoch: b.brokerEpoch.Load()}, b.ibp.ControlledShutdownVersion())
	if err != nil {
		return nil, err
	}
	answer := resp.(*wire.ControlledShutdownResponse)
	if answer.ErrorCode != wire.None {
		err = answer.ErrorCode
	}
	return answer.RemainingPartitions, err
}

// nobodyFor says whether no other broker that lives has a replica of any of the partitions.
func nobodyFor(c *metadata.Cache, self int32, partitions []wire.ControlledShutdownResponseRemainingPartition) bool {
	for _, p := range partitions {
		topic := c.Topic(p.TopicName)
		if topic == nil {
			return false
		}
		known := topic.Partition(p.PartitionIndex)
		if known == nil || slices.ContainsFunc(known.Replicas, func(id int32) bool {
			return id != self && c.Broker(id) != nil && !slices.Contains(known.OfflineReplicas, id)
		}) {
			return false
		}
	}
	return true
}
