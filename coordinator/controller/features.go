package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// setUpFeatures brings /feature into the form of our IBP. Brokers of the ZooKeeper era support no features, so that a fresh
// cluster has none finalized; existing ones are kept.
func (c *Controller) setUpFeatures(ctx context.Context) error {
	nodes, err := c.cfg.Store.Get(ctx, znode.FeaturePath)
	if err != nil {
		return err
	}
	want := znode.Feature{
		Version: int32(c.cfg.IBP.FeatureVersion()), Enabled: c.cfg.IBP.Features(), Features: map[string]int16{},
	}
	n := nodes[0]
	if !n.Exists {
		results, err := c.multi(ctx, Check(znode.ControllerEpochPath, c.cluster.epochVersion), Create(znode.FeaturePath, want.Encode()))
		if err != nil {
			return err
		}
		return fencedResult(results, ErrNodeExists)
	}
	have, err := znode.DecodeFeature(n.Data)
	if err != nil {
		c.emit(ZnodeUnreadable{Header: c.header(), Path: n.Path, Err: err})
		have = znode.Feature{}
	}
	if want.Enabled && have.Enabled {
		want.Features = have.Features
	}
	c.cluster.features = want.Features
	if err == nil && have.Version == want.Version && have.Enabled == want.Enabled && maps.Equal(have.Features, want.Features) {
		return nil
	}
	return c.writeAll(ctx, []Op{Set(znode.FeaturePath, want.Encode(), n.Stat.Version)}, ErrBadVersion)
}

// fencedResult returns the error of a multi of [check of the epoch, operation]; accepted is no error.
func fencedResult(results []OpResult, accepted error) error {
	if errors.Is(results[0].Err, ErrBadVersion) {
		return ErrControllerMoved
	}
	for _, r := range results {
		if r.Err != nil && !errors.Is(r.Err, ErrRolledBack) && !errors.Is(r.Err, accepted) {
			return r.Err
		}
	}
	return nil
}

// UpdateFeatures answers as a controller whose brokers support no features: every update is refused. done is called
// exactly once.
func (c *Controller) UpdateFeatures(req *wire.UpdateFeaturesRequest, done func(*wire.UpdateFeaturesResponse)) {
	fail := func(code wire.Error) func() {
		return func() { done(&wire.UpdateFeaturesResponse{ErrorCode: code}) }
	}
	c.request(KindUpdateFeatures, "", func(context.Context) error {
		if !c.active.Load() {
			done(&wire.UpdateFeaturesResponse{ErrorCode: wire.NotController})
			return nil
		}
		resp := &wire.UpdateFeaturesResponse{}
		for _, u := range req.FeatureUpdates {
			message := "Could not apply finalized feature update because the provided feature is not supported."
			switch {
			case u.Feature == "":
				message = "Feature name can not be empty."
			case u.UpgradeType < 1 || u.UpgradeType > 3:
				message = "Received unknown upgrade type."
			case u.MaxVersionLevel < 1 && (u.AllowDowngrade || u.UpgradeType > 1):
				message = "Can not delete non-existing finalized feature."
			case u.MaxVersionLevel < 1:
				message = fmt.Sprintf("Can not provide maxVersionLevel: %d less than 1.", u.MaxVersionLevel)
			}
			resp.Results = append(resp.Results, wire.UpdateFeaturesResponseResult{
				Feature: u.Feature, ErrorCode: wire.InvalidRequest, ErrorMessage: &message,
			})
		}
		done(resp)
		return nil
	}, fail(wire.NotController), fail(wire.RequestTimedOut))
}

// maxBlockAttempts bounds how often a block is tried again because somebody else took one at the same time.
const maxBlockAttempts = 100

// AllocateProducerIDs gives a broker a block of producer ids. done is called exactly once.
func (c *Controller) AllocateProducerIDs(req *wire.AllocateProducerIdsRequest, done func(*wire.AllocateProducerIdsResponse)) {
	fail := func(code wire.Error) func() {
		return func() { done(&wire.AllocateProducerIdsResponse{ErrorCode: code, ProducerIDStart: -1}) }
	}
	c.request(KindAllocateProducerIds, "", func(ctx context.Context) error {
		b := c.cluster.brokers[req.BrokerID]
		switch {
		case !c.active.Load():
			fail(wire.NotController)()
			return nil
		case b == nil:
			fail(wire.BrokerIDNotRegistered)()
			return nil
		case b.epoch != req.BrokerEpoch:
			fail(wire.StaleBrokerEpoch)()
			return nil
		}
		block, err := c.nextProducerIDs(ctx, req.BrokerID)
		if err != nil {
			code := wire.UnknownServerError
			if errors.Is(err, ErrControllerMoved) || errors.Is(err, ErrSessionExpired) {
				code = wire.NotController
			}
			fail(code)()
			return err
		}
		done(&wire.AllocateProducerIdsResponse{ProducerIDStart: block.First, ProducerIDLen: int32(block.Last - block.First + 1)})
		return nil
	}, fail(wire.NotController), fail(wire.RequestTimedOut))
}

// nextProducerIDs takes the next block for a broker.
func (c *Controller) nextProducerIDs(ctx context.Context, broker int32) (znode.ProducerIDBlock, error) {
	return nextProducerIDs(ctx, c.cfg.Store, c.write, broker)
}

// NextProducerIDs takes the next block of producer ids in ZooKeeper, without asking the controller: what a broker does for itself at an IBP below 3.0-IV0
// (core/src/main/scala/kafka/coordinator/transaction/ProducerIdManager.scala, ZkProducerIdManager).
func (a *Admin) NextProducerIDs(ctx context.Context, broker int32) (znode.ProducerIDBlock, error) {
	return nextProducerIDs(ctx, a.cfg.Store, func(ctx context.Context, ops []Op) ([]OpResult, error) { return a.cfg.Store.Multi(ctx, ops...) }, broker)
}

// nextProducerIDs takes the next block: compare and set on the version of the znode, because the controller and brokers at an IBP below 3.0 take blocks side by side.
func nextProducerIDs(ctx context.Context, store Reader, write func(context.Context, []Op) ([]OpResult, error), broker int32) (znode.ProducerIDBlock, error) {
	for range maxBlockAttempts {
		nodes, err := store.Get(ctx, znode.ProducerIDBlockPath)
		if err != nil {
			return znode.ProducerIDBlock{}, err
		}
		n := nodes[0]
		next := znode.ProducerIDBlock{Broker: broker}
		if len(n.Data) > 0 {
			last, err := znode.DecodeProducerIDBlock(n.Data)
			if err != nil {
				return next, err
			}
			if last.Last > math.MaxInt64-znode.ProducerIDBlockSize {
				return next, errors.New("all producer ids are used up")
			}
			next.First = last.Last + 1
		}
		next.Last = next.First + znode.ProducerIDBlockSize - 1
		op := Set(znode.ProducerIDBlockPath, next.Encode(), n.Stat.Version)
		if !n.Exists {
			op = Create(znode.ProducerIDBlockPath, next.Encode())
		}
		results, err := write(ctx, []Op{op})
		if err != nil {
			return next, err
		}
		switch err := results[0].Err; {
		case err == nil:
			return next, nil
		case errors.Is(err, ErrBadVersion), errors.Is(err, ErrNodeExists), errors.Is(err, ErrNoNode):
		default:
			return next, err
		}
	}
	return znode.ProducerIDBlock{}, fmt.Errorf("producer id block after %d attempts: %w", maxBlockAttempts, ErrBadVersion)
}
