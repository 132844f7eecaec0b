package controller

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// Config returns the configs of an entity; empty if it has none.
func (a *Admin) Config(ctx context.Context, e znode.Entity) (map[string]string, error) {
	nodes, err := a.cfg.Store.Get(ctx, e.Path())
	if err != nil {
		return nil, fmt.Errorf("read config of %s: %w", e, err)
	}
	if !nodes[0].Exists {
		return map[string]string{}, nil
	}
	return znode.DecodeConfig(nodes[0].Data)
}

// SetConfig replaces the configs of an entity and notifies all brokers. The last writer wins, as in Kafka. Quota entities
// without configs and children are deleted.
func (a *Admin) SetConfig(ctx context.Context, e znode.Entity, configs map[string]string) error {
	removed := false
	if len(configs) == 0 && (e.Type == znode.ConfigUsers || e.Type == znode.ConfigClients || e.Type == znode.ConfigIPs) {
		var err error
		if removed, err = a.removeConfig(ctx, e); err != nil {
			return fmt.Errorf("remove config of %s: %w", e, err)
		}
	}
	if !removed {
		if err := a.writeConfig(ctx, e, configs); err != nil {
			return fmt.Errorf("write config of %s: %w", e, err)
		}
	}
	results, err := a.cfg.Store.Multi(ctx, CreateSequential(znode.ConfigChangePrefix, znode.EncodeConfigChange(e)))
	if err == nil {
		_, err = firstError(results)
	}
	if err != nil {
		return fmt.Errorf("notify of config of %s: %w", e, err)
	}
	return nil
}

// writeConfig writes an entity's znode under the present controller, creating it and what is above it if needed.
func (a *Admin) writeConfig(ctx context.Context, e znode.Entity, configs map[string]string) error {
	data := znode.EncodeConfig(configs)
	for range maxAdminRetries {
		version, err := a.controllerVersion(ctx)
		if err != nil {
			return err
		}
		results, err := a.cfg.Store.Multi(ctx, Check(znode.ControllerPath, version), Set(e.Path(), data, AnyVersion))
		if err != nil {
			return err
		}
		switch i, err := firstError(results); {
		case err == nil:
			return nil
		case i == 0 && (errors.Is(err, ErrBadVersion) || errors.Is(err, ErrNoNode)):
			// Another controller; read again.
		case i == 1 && errors.Is(err, ErrNoNode):
			if err := a.createWithParents(ctx, e.Path(), data); err == nil || !errors.Is(err, ErrNodeExists) {
				return err
			}
		default:
			return err
		}
	}
	return fmt.Errorf("after %d attempts: %w", maxAdminRetries, ErrBadVersion)
}

// createWithParents creates a znode and the persistent znodes above it that do not exist.
func (a *Admin) createWithParents(ctx context.Context, p string, data []byte) error {
	results, err := a.cfg.Store.Multi(ctx, Create(p, data))
	if err != nil {
		return err
	}
	_, err = firstError(results)
	if !errors.Is(err, ErrNoNode) {
		return err
	}
	parent := path.Dir(p)
	if parent == "/" {
		return err
	}
	if err := a.createWithParents(ctx, parent, nil); err != nil && !errors.Is(err, ErrNodeExists) {
		return err
	}
	results, err = a.cfg.Store.Multi(ctx, Create(p, data))
	if err != nil {
		return err
	}
	_, err = firstError(results)
	return err
}

// removeConfig deletes the znode of a quota entity that has no children, and with the last client of a user the then
// empty znodes above it; false if it has children.
func (a *Admin) removeConfig(ctx context.Context, e znode.Entity) (bool, error) {
	children, err := a.cfg.Store.Children(ctx, e.Path())
	if err != nil || len(children) > 0 {
		return false, err
	}
	ops := []Op{Delete(e.Path(), AnyVersion)}
	if e.Client != "" {
		above, err := a.emptyParents(ctx, e)
		if err != nil {
			return false, err
		}
		ops = append(ops, above...)
	}
	for _, op := range ops {
		results, err := a.cfg.Store.Multi(ctx, op)
		if err != nil {
			return false, err
		}
		if _, err := firstError(results); err != nil && !errors.Is(err, ErrNoNode) && !errors.Is(err, ErrNotEmpty) {
			return false, err
		}
	}
	return true, nil
}

func (a *Admin) emptyParents(ctx context.Context, e znode.Entity) ([]Op, error) {
	clients := path.Dir(e.Path())
	user := znode.Entity{Type: e.Type, Name: e.Name}
	siblings, err := a.cfg.Store.Children(ctx, clients)
	if err != nil || !slices.Equal(siblings, []string{path.Base(e.Path())}) {
		return nil, err
	}
	ops := []Op{Delete(clients, AnyVersion)}
	own, err := a.Config(ctx, user)
	if err != nil {
		return nil, err
	}
	under, err := a.cfg.Store.Children(ctx, user.Path())
	if err != nil {
		return nil, err
	}
	if len(own) == 0 && slices.Equal(under, []string{path.Base(clients)}) {
		ops = append(ops, Delete(user.Path(), AnyVersion))
	}
	return ops, nil
}
