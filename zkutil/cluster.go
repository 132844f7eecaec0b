package zkutil

import (
	"context"
	"errors"
	"fmt"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// EnsurePersistentPaths creates what every broker creates at startup.
func (c *Client) EnsurePersistentPaths(ctx context.Context) error {
	paths := znode.PersistentPaths()
	return c.parallel(ctx, len(paths), func(ctx context.Context, i int) error { return c.EnsurePath(ctx, paths[i]) })
}

// EnsureClusterID reads the cluster id, or stores proposal (see znode.NewClusterID) if there is none. Of several brokers that start at once one wins;
// all get the same id.
func (c *Client) EnsureClusterID(ctx context.Context, proposal string) (string, error) {
	for {
		data, _, err := c.Get(ctx, znode.ClusterIDPath)
		if err == nil {
			return znode.DecodeClusterID(data)
		}
		if errors.Is(err, ErrNoNode) {
			err = c.createRecursive(ctx, znode.ClusterIDPath, znode.EncodeClusterID(proposal))
		}
		if err != nil && !errors.Is(err, ErrNodeExists) {
			return "", fmt.Errorf("cluster id: %w", err)
		}
	}
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

// Config reads the configs of an entity; none if it has no node.
func (c *Client) Config(ctx context.Context, e znode.Entity) (map[string]string, error) {
	all, err := c.Configs(ctx, e)
	if err != nil {
		return nil, err
	}
	return all[0].Config, all[0].Err
}

// ConfigResult is the outcome of reading one entity's configs.
type ConfigResult struct {
	Config map[string]string // never nil, unless Err is set; the caller's
	Err    error             // the data cannot be decoded
}

// Configs reads the configs of entities, several at a time, in their order. An entity without a node has none.
func (c *Client) Configs(ctx context.Context, entities ...znode.Entity) ([]ConfigResult, error) {
	paths := make([]string, len(entities))
	for i, e := range entities {
		paths[i] = e.Path()
	}
	nodes, err := c.GetMany(ctx, paths)
	if err != nil {
		return nil, err
	}
	out := make([]ConfigResult, len(nodes))
	for i, n := range nodes {
		if n.Err != nil && !errors.Is(n.Err, ErrNoNode) {
			return nil, n.Err
		}
		if out[i].Config, err = znode.DecodeConfig(n.Data); err != nil {
			out[i] = ConfigResult{Err: fmt.Errorf("%s: %w", paths[i], err)}
		}
	}
	return out, nil
}
