package controller

import (
	"context"
	"errors"

	"github.com/prekraft/prekraft/broker/wire"
)

// ControlledShutdown moves leaderships away from a broker that wants to stop and calls done exactly once with what it still
// leads. Partitions with a single replica are not counted: nobody can take them; nor are those being deleted.
func (c *Controller) ControlledShutdown(req *wire.ControlledShutdownRequest, done func(*wire.ControlledShutdownResponse)) {
	fail := func(code wire.Error) func() {
		return func() { done(&wire.ControlledShutdownResponse{ErrorCode: code}) }
	}
	c.request(KindControlledShutdown, "", func(ctx context.Context) error {
		remaining, code, err := c.controlledShutdown(ctx, req.BrokerID, req.BrokerEpoch)
		if err != nil {
			code = wire.UnknownServerError
			if errors.Is(err, ErrControllerMoved) || errors.Is(err, ErrSessionExpired) {
				code = wire.StaleControllerEpoch
			}
		}
		resp := &wire.ControlledShutdownResponse{ErrorCode: code}
		for _, p := range remaining {
			resp.RemainingPartitions = append(resp.RemainingPartitions, wire.ControlledShutdownResponseRemainingPartition{
				TopicName: p.tp.Topic, PartitionIndex: p.tp.Partition,
			})
		}
		done(resp)
		return err
	}, fail(wire.StaleControllerEpoch), fail(wire.RequestTimedOut))
}

func (c *Controller) controlledShutdown(ctx context.Context, id int32, epoch int64) ([]*partition, wire.Error, error) {
	if !c.active.Load() {
		return nil, wire.StaleControllerEpoch, nil
	}
	k := c.cluster
	b := k.brokers[id]
	switch {
	case b == nil && epoch == UnknownBrokerEpoch:
		return nil, wire.BrokerNotAvailable, nil
	case b == nil:
		return nil, wire.UnknownServerError, nil
	case epoch != UnknownBrokerEpoch && epoch < b.epoch:
		return nil, wire.StaleBrokerEpoch, nil
	}
	k.shuttingDown[id] = true
	c.emit(BrokerChanged{Header: c.header(), BrokerID: id, Epoch: b.epoch, Change: BrokerShuttingDown})

	var led []*partition
	var followed []replica
	for _, r := range k.replicasOn(id) {
		if len(r.p.replicas) < 2 || !r.p.led || r.p.topic.deleting {
			continue
		}
		if r.p.lead.Leader == id {
			led = append(led, r.p)
		} else {
			followed = append(followed, r)
		}
	}
	if _, err := c.bringOnline(ctx, led, StrategyControlledShutdown, false); err != nil {
		return nil, wire.None, err
	}
	// Stop its fetchers before its replicas leave the ISRs, so that they do not ask to come back.
	stop := c.newBatch()
	for _, r := range followed {
		stop.stopReplica(r.p, id, false)
	}
	stop.send()
	if err := c.moveReplicas(ctx, followed, OfflineReplica); err != nil {
		return nil, wire.None, err
	}
	var remaining []*partition
	k.allPartitions(func(p *partition) {
		if p.led && p.lead.Leader == id && len(p.replicas) > 1 && !p.topic.deleting {
			remaining = append(remaining, p)
		}
	})
	return remaining, wire.None, nil
}
