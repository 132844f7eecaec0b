package zkutil

import (
	"context"
	"errors"
	"fmt"

	"github.com/prekraft/prekraft/zkutil/znode"
)

var (
	// ErrNoController says that a config was not written because there is no controller.
	ErrNoController = errors.New("no controller")
	// ErrMigrating says that a KRaft controller owns the cluster: brokers must not write configs.
	ErrMigrating = errors.New("the cluster is being migrated to KRaft")
)

// Config reads the configs of an entity; none if it has no node.
func (c *Client) Config(ctx context.Context, e znode.Entity) (map[string]string, error) {
	data, _, err := c.Get(ctx, e.Path())
	if err != nil && !errors.Is(err, ErrNoNode) {
		return nil, err
	}
	return znode.DecodeConfig(data)
}

// Configs reads the configs of many entities, in their order.
func (c *Client) Configs(ctx context.Context, entities []znode.Entity) ([]map[string]string, error) {
	paths := make([]string, len(entities))
	for i, e := range entities {
		paths[i] = e.Path()
	}
	nodes, err := c.GetMany(ctx, paths)
	if err != nil {
		return nil, err
	}
	out := make([]map[string]string, len(nodes))
	for i, n := range nodes {
		if n.Err != nil && !errors.Is(n.Err, ErrNoNode) {
			return nil, n.Err
		}
		if out[i], err = znode.DecodeConfig(n.Data); err != nil {
			return nil, fmt.Errorf("%s: %w", paths[i], err)
		}
	}
	return out, nil
}

// ConfigEntities lists the entities of a type; for users also the pairs of user and client. Names that cannot be decoded are left out.
func (c *Client) ConfigEntities(ctx context.Context, t znode.ConfigType) ([]znode.Entity, error) {
	names, _, err := c.Children(ctx, znode.ConfigTypePath(t))
	if err != nil && !errors.Is(err, ErrNoNode) {
		return nil, err
	}
	var out []znode.Entity
	var pairs []string
	for _, n := range names {
		e, err := znode.ParseEntity(string(t) + "/" + n)
		if err != nil {
			continue
		}
		out = append(out, e)
		if t == znode.ConfigUsers {
			pairs = append(pairs, e.Path()+"/clients")
		}
	}
	lists, err := c.ChildrenMany(ctx, pairs)
	if err != nil {
		return nil, err
	}
	for i, l := range lists {
		if l.Err != nil && !errors.Is(l.Err, ErrNoNode) {
			return nil, l.Err
		}
		for _, n := range l.Names {
			if e, err := znode.ParseEntity(out[i].String() + "/clients/" + n); err == nil {
				out = append(out, e)
			}
		}
	}
	return out, nil
}

// AllConfigs reads the configs of all entities of a type.
func (c *Client) AllConfigs(ctx context.Context, t znode.ConfigType) (map[znode.Entity]map[string]string, error) {
	entities, err := c.ConfigEntities(ctx, t)
	if err != nil {
		return nil, err
	}
	configs, err := c.Configs(ctx, entities)
	if err != nil {
		return nil, err
	}
	out := make(map[znode.Entity]map[string]string, len(entities))
	for i, e := range entities {
		out[e] = configs[i]
	}
	return out, nil
}

// SetConfig replaces the configs of an entity and announces the change to all brokers, as AdminZkClient does. A user, client or address
// without configs loses its node. ErrNoController, ErrMigrating and ErrControllerMoved say that nothing was written.
func (c *Client) SetConfig(ctx context.Context, e znode.Entity, config map[string]string) error {
	var err error
	if len(config) == 0 && (e.Type == znode.ConfigUsers || e.Type == znode.ConfigClients || e.Type == znode.ConfigIPs) {
		err = c.dropConfig(ctx, e)
	} else {
		err = c.storeConfig(ctx, e, config)
	}
	if err != nil {
		return err
	}
	return c.notify(ctx, znode.ConfigChangePrefix, znode.EncodeConfigChange(e))
}

// storeConfig writes the entity's node on condition that the controller stays the same, or creates it without that condition: Kafka's procedure.
func (c *Client) storeConfig(ctx context.Context, e znode.Entity, config map[string]string) error {
	path, data := e.Path(), znode.EncodeConfig(config)
	for {
		ctl, stat, err := c.Controller(ctx)
		switch {
		case errors.Is(err, ErrNoNode):
			return fmt.Errorf("set config of %s: %w", e, ErrNoController)
		case err != nil:
			return fmt.Errorf("set config of %s: %w", e, err)
		case ctl.KRaftControllerEpoch > 0:
			return fmt.Errorf("set config of %s: %w", e, ErrMigrating)
		}
		results, err := c.Multi(ctx, CheckOp(znode.ControllerPath, stat.Version), SetOp(path, data, znode.AnyVersion))
		switch {
		case err == nil:
			return nil
		case retryable(ctx, err):
			continue // writing the same once more does no harm
		case failedOp(results) == 0:
			return fmt.Errorf("set config of %s: %w: %w", e, ErrControllerMoved, err)
		case !errors.Is(err, ErrNoNode):
			return fmt.Errorf("set config of %s: %w", e, err)
		}
		err = c.CreateRecursive(ctx, path, data)
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrNodeExists) {
			return fmt.Errorf("set config of %s: %w", e, err)
		}
	}
}

// dropConfig removes the entity's node. A node that has children keeps an empty config; a user's node and its list of clients go with the last of them.
func (c *Client) dropConfig(ctx context.Context, e znode.Entity) error {
	err := c.deleteIfChildless(ctx, e.Path())
	if errors.Is(err, ErrNotEmpty) {
		return c.storeConfig(ctx, e, nil)
	}
	if err != nil || e.Client == "" {
		return err
	}
	user := znode.Entity{Type: znode.ConfigUsers, Name: e.Name}
	if err := c.deleteIfChildless(ctx, user.Path()+"/clients"); err != nil {
		if errors.Is(err, ErrNotEmpty) {
			return nil
		}
		return err
	}
	config, err := c.Config(ctx, user)
	if err != nil || len(config) > 0 {
		return err
	}
	if err := c.deleteIfChildless(ctx, user.Path()); err != nil && !errors.Is(err, ErrNotEmpty) {
		return err
	}
	return nil
}

func (c *Client) deleteIfChildless(ctx context.Context, path string) error {
	for {
		err := c.Delete(ctx, path, znode.AnyVersion)
		if errors.Is(err, ErrNoNode) {
			return nil
		}
		if !retryable(ctx, err) {
			return err
		}
	}
}
