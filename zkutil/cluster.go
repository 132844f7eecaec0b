package zkutil

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// ClusterID reads the cluster id. ErrNoNode says that no broker was ever started.
func (c *Client) ClusterID(ctx context.Context) (string, error) {
	data, _, err := c.Get(ctx, znode.ClusterIDPath)
	if err != nil {
		return "", err
	}
	return znode.DecodeClusterID(data)
}

// EnsureClusterID reads the cluster id, or stores proposal (see znode.NewClusterID) if there is none. Of several brokers that start at once one wins;
// all get the same id.
func (c *Client) EnsureClusterID(ctx context.Context, proposal string) (string, error) {
	id, err := c.ClusterID(ctx)
	if !errors.Is(err, ErrNoNode) {
		return id, err
	}
	err = c.CreateRecursive(ctx, znode.ClusterIDPath, znode.EncodeClusterID(proposal))
	if err != nil && !errors.Is(err, ErrNodeExists) {
		return "", fmt.Errorf("create cluster id: %w", err)
	}
	return c.ClusterID(ctx)
}

// Feature reads /feature and arms its watch. The version is the finalized features epoch. ErrNoNode says that there is none.
func (c *Client) Feature(ctx context.Context) (znode.Feature, znode.ZkVersion, error) {
	data, stat, err := c.Get(ctx, znode.FeaturePath)
	if err != nil {
		return znode.Feature{}, znode.UnknownVersion, err
	}
	f, err := znode.DecodeFeature(data)
	return f, stat.Version, err
}

// SetFeature writes /feature whatever its version, as the controller does, and returns the new version.
func (c *Client) SetFeature(ctx context.Context, f znode.Feature) (znode.ZkVersion, error) {
	data := f.Encode()
	for {
		stat, err := c.setResolved(ctx, znode.FeaturePath, data)
		if !errors.Is(err, ErrNoNode) {
			return stat.Version, err
		}
		err = c.createResolved(ctx, znode.FeaturePath, data)
		if err == nil {
			return 0, nil
		}
		if !errors.Is(err, ErrNodeExists) {
			return znode.UnknownVersion, err
		}
	}
}

// AllocateProducerIDs takes the next block of producer ids for a broker. Blocks never overlap; an attempt whose answer is lost may waste
// one, as in Kafka.
func (c *Client) AllocateProducerIDs(ctx context.Context, broker int32) (znode.ProducerIDBlock, error) {
	for {
		data, stat, err := c.Get(ctx, znode.ProducerIDBlockPath)
		if errors.Is(err, ErrNoNode) {
			if err = c.EnsurePath(ctx, znode.ProducerIDBlockPath); err == nil {
				continue
			}
		}
		if err != nil {
			return znode.ProducerIDBlock{}, fmt.Errorf("allocate producer ids: %w", err)
		}
		next := znode.ProducerIDBlock{Broker: broker, Last: znode.ProducerIDBlockSize - 1}
		if len(data) > 0 {
			last, err := znode.DecodeProducerIDBlock(data)
			if err != nil {
				return znode.ProducerIDBlock{}, fmt.Errorf("allocate producer ids: %w", err)
			}
			if last.Last > 1<<63-1-znode.ProducerIDBlockSize {
				return znode.ProducerIDBlock{}, errors.New("allocate producer ids: all are used up")
			}
			next.First, next.Last = last.Last+1, last.Last+znode.ProducerIDBlockSize
		}
		_, err = c.Set(ctx, znode.ProducerIDBlockPath, next.Encode(), stat.Version)
		switch {
		case err == nil:
			return next, nil
		case errors.Is(err, ErrBadVersion), errors.Is(err, ErrNoNode), retryable(ctx, err):
		default:
			return znode.ProducerIDBlock{}, fmt.Errorf("allocate producer ids: %w", err)
		}
	}
}

// casResolved sets data on condition of a version, and finds out what happened if the outcome is unknown: the same data at the next version is ours.
func (c *Client) casResolved(ctx context.Context, path string, data []byte, version znode.ZkVersion) (znode.ZkVersion, error) {
	stat, err := c.Set(ctx, path, data, version)
	if retryable(ctx, err) {
		done, now, rerr := c.executed(ctx, SetOp(path, data, version))
		if rerr != nil {
			return znode.UnknownVersion, errors.Join(err, rerr)
		}
		if done {
			return now.Version, nil
		}
		return c.casResolved(ctx, path, data, version)
	}
	if err != nil {
		return znode.UnknownVersion, err
	}
	return stat.Version, nil
}

// sameData says whether a node holds data now, and its version.
func (c *Client) sameData(ctx context.Context, path string, data []byte) (bool, znode.ZkVersion, error) {
	now, stat, err := c.Get(ctx, path)
	if err != nil {
		return false, znode.UnknownVersion, err
	}
	return bytes.Equal(now, data), stat.Version, nil
}
