package zkutil

import (
	"context"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// EnsurePersistentPaths creates what every broker creates at startup.
func (c *Client) EnsurePersistentPaths(ctx context.Context) error {
	paths := znode.PersistentPaths()
	return c.parallel(ctx, len(paths), func(ctx context.Context, i int) error { return c.EnsurePath(ctx, paths[i]) })
}
