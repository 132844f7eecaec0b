package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// featureRetry is the pause before /feature is read again after ZooKeeper failed.
const featureRetry = 500 * time.Millisecond

// noFeatures is the finalized features epoch while there are none, or they aren't known.
const noFeatures int64 = -1

// watchFeatures keeps the finalized features epoch, which ApiVersions tells, in step with /feature. A feature that somebody finalized and this broker doesn't know ends it, as it ends
// an Apache broker: it could not take part in the cluster any more (reference zookeeper.md §6.14).
func (b *Broker) watchFeatures(ctx context.Context) error {
	changed := make(chan struct{}, 1)
	cancel := b.zk.WatchData(znode.FeaturePath, func(zkutil.Event) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	if err := b.readFeatures(ctx); err != nil {
		cancel()
		return err
	}
	b.run(func(ctx context.Context) {
		defer cancel()
		for {
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
			for ctx.Err() == nil {
				err := b.readFeatures(ctx)
				if err == nil {
					break
				}
				if errors.Is(err, errUnknownFeature) {
					b.fail(err)
					return
				}
				select {
				case <-ctx.Done():
				case <-time.After(featureRetry):
				}
			}
		}
	})
	return nil
}

var errUnknownFeature = errors.New("the cluster has finalized a feature that this broker doesn't know")

// readFeatures reads /feature and arms its watch.
func (b *Broker) readFeatures(ctx context.Context) error {
	epoch := noFeatures
	feature, version, err := b.zk.Feature(ctx)
	switch {
	case errors.Is(err, zkutil.ErrNoNode):
		if _, _, err := b.zk.Exists(ctx, znode.FeaturePath); err != nil { // arms the watch for its creation
			return err
		}
	case errors.Is(err, znode.ErrMalformed):
		b.telemetry.problem("read "+znode.FeaturePath, err)
	case err != nil:
		return err
	case feature.Enabled:
		for name := range feature.Features {
			return fmt.Errorf("%w: %s", errUnknownFeature, name)
		}
		epoch = int64(version)
	}
	b.featuresEpoch.Store(epoch)
	return nil
}
