package dynamic

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/coordinator/controller"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// notificationLifetime is how long a notification stays (Kafka: ZkNodeChangeNotificationListener's default of 15 minutes).
const notificationLifetime = 15 * time.Minute

// retryPause is the pause before notifications are looked at again after ZooKeeper failed.
const retryPause = 500 * time.Millisecond

// Store is what this package needs of ZooKeeper.
type Store interface {
	controller.AdminStore
	Watch(path string, kind controller.WatchKind, fn func())
	Unwatch(path string, kind controller.WatchKind)
}

// Hooks are told of changes, in the Run goroutine (or, for BrokerChanged, in Load). Nil functions are skipped.
type Hooks struct {
	// BrokerChanged gets the snapshots before and after.
	BrokerChanged func(before, after *config.Config)
	// TopicChanged gets a hosted topic's new overrides. The map must not be changed.
	TopicChanged func(topic string, overrides map[string]string)
	// Failed is told of a notification or an entity that could not be applied.
	Failed func(what string, err error)
}

// Manager is the owner of this broker's effective configuration.
type Manager struct {
	store    Store
	brokerID int32
	hooks    Hooks
	current  atomic.Pointer[config.Config]
	wake     chan struct{} // capacity 1

	executed int64 // highest notification sequence number applied; owned by Run after Load

	mu struct {
		sync.Mutex
		topics map[string]map[string]string // overrides of the topics this broker hosts
	}
}

// New returns a manager whose configuration is static until Load.
func New(store Store, static *config.Config, brokerID int32, hooks Hooks) *Manager {
	m := &Manager{store: store, brokerID: brokerID, hooks: hooks, wake: make(chan struct{}, 1), executed: -1}
	m.current.Store(static)
	m.mu.topics = map[string]map[string]string{}
	return m
}

// Config returns the effective configuration now.
func (m *Manager) Config() *config.Config { return m.current.Load() }

// Load watches the notifications and reads the dynamic broker configs.
func (m *Manager) Load(ctx context.Context) error {
	m.store.Watch(znode.ConfigChangesPath, controller.WatchChildren, m.poke)
	names, err := m.store.Children(ctx, znode.ConfigChangesPath)
	if err != nil {
		return fmt.Errorf("config notifications: %w", err)
	}
	for _, name := range names {
		if seq, err := znode.SequenceNumber(znode.ConfigChangesPath+"/"+name, znode.ConfigChangePrefix); err == nil {
			m.executed = max(m.executed, seq)
		}
	}
	return m.loadBroker(ctx)
}

func (m *Manager) poke() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Run applies notifications until ctx is done.
func (m *Manager) Run(ctx context.Context) {
	defer m.store.Unwatch(znode.ConfigChangesPath, controller.WatchChildren)
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.wake:
		}
		for {
			err := m.process(ctx)
			if err == nil || ctx.Err() != nil {
				break
			}
			m.failed("read config notifications", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(retryPause):
			}
		}
	}
}

func (m *Manager) failed(what string, err error) {
	if m.hooks.Failed != nil {
		m.hooks.Failed(what, err)
	}
}

// process applies what is new and deletes what is old. The read arms the watch again.
func (m *Manager) process(ctx context.Context) error {
	names, err := m.store.Children(ctx, znode.ConfigChangesPath)
	if err != nil {
		return err
	}
	slices.Sort(names)
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = znode.ConfigChangesPath + "/" + name
	}
	nodes, err := m.store.Get(ctx, paths...)
	if err != nil {
		return err
	}
	var old []controller.Op
	for i, name := range names {
		seq, err := znode.SequenceNumber(znode.ConfigChangesPath+"/"+name, znode.ConfigChangePrefix)
		if err != nil || !nodes[i].Exists {
			continue
		}
		if seq > m.executed {
			if err := m.apply(ctx, nodes[i].Data); err != nil {
				if ctx.Err() != nil || errors.Is(err, controller.ErrSessionExpired) {
					return err
				}
				m.failed("config notification "+name, err)
			}
			m.executed = seq
		}
		if time.Since(time.UnixMilli(nodes[i].Stat.CtimeMs)) > notificationLifetime {
			old = append(old, controller.Delete(paths[i], controller.AnyVersion))
		}
	}
	for _, op := range old {
		if _, err := m.store.Multi(ctx, op); err != nil {
			return err
		}
	}
	return nil
}

// apply looks up the entity that a notification names and applies its present configs.
func (m *Manager) apply(ctx context.Context, notification []byte) error {
	entity, err := znode.DecodeConfigChange(notification)
	if err != nil {
		return err
	}
	switch entity.Type {
	case znode.ConfigBrokers:
		if entity.Name == znode.DefaultEntity || entity.Name == fmt.Sprint(m.brokerID) {
			return m.loadBroker(ctx)
		}
	case znode.ConfigTopics:
		m.mu.Lock()
		_, hosted := m.mu.topics[entity.Name]
		m.mu.Unlock()
		overrides, err := m.readTopics(ctx, entity.Name)
		if err != nil {
			return err
		}
		if hosted {
			m.keep(entity.Name, overrides[0])
		}
		if m.hooks.TopicChanged != nil {
			m.hooks.TopicChanged(entity.Name, overrides[0])
		}
	}
	// Quotas, users and IPs are not acted on yet.
	return nil
}

func brokerEntity(name string) znode.Entity {
	return znode.Entity{Type: znode.ConfigBrokers, Name: name}
}

func topicEntity(name string) znode.Entity { return znode.Entity{Type: znode.ConfigTopics, Name: name} }

// loadBroker reads both dynamic levels of this broker and replaces the snapshot.
func (m *Manager) loadBroker(ctx context.Context) error {
	nodes, err := m.store.Get(ctx, brokerEntity(znode.DefaultEntity).Path(), brokerEntity(fmt.Sprint(m.brokerID)).Path())
	if err != nil {
		return fmt.Errorf("dynamic broker configs: %w", err)
	}
	var levels [2]map[string]string
	for i, node := range nodes {
		if levels[i], err = znode.DecodeConfig(node.Data); err != nil {
			m.failed(node.Path, err)
			levels[i] = nil
		}
	}
	before := m.current.Load()
	after, err := before.WithDynamic(levels[0], levels[1])
	if err != nil {
		m.failed("dynamic broker configs", err)
		return nil // the snapshot in use stays
	}
	for _, problem := range after.Problems() {
		m.failed("dynamic broker configs", problem)
	}
	m.current.Store(after)
	if m.hooks.BrokerChanged != nil {
		m.hooks.BrokerChanged(before, after)
	}
	return nil
}

// readTopics reads topics' overrides from ZooKeeper, pipelined.
func (m *Manager) readTopics(ctx context.Context, names ...string) ([]map[string]string, error) {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = topicEntity(name).Path()
	}
	nodes, err := m.store.Get(ctx, paths...)
	if err != nil {
		return nil, fmt.Errorf("topic configs: %w", err)
	}
	all := make([]map[string]string, len(names))
	for i, node := range nodes {
		if all[i], err = znode.DecodeConfig(node.Data); err != nil {
			m.failed(node.Path, err)
			all[i] = map[string]string{}
		}
	}
	return all, nil
}

// LoadTopics reads the overrides of topics that this broker is about to host and doesn't know yet. It tries again until ctx ends: a replica must not begin
// with configs that aren't its own.
func (m *Manager) LoadTopics(ctx context.Context, names []string) error {
	var unknown []string
	m.mu.Lock()
	for _, name := range names {
		if _, ok := m.mu.topics[name]; !ok {
			unknown = append(unknown, name)
		}
	}
	m.mu.Unlock()
	if len(unknown) == 0 {
		return nil
	}
	for {
		all, err := m.readTopics(ctx, unknown...)
		if err == nil {
			for i, name := range unknown {
				m.keep(name, all[i])
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryPause):
		}
	}
}

func (m *Manager) keep(topic string, overrides map[string]string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.topics[topic] = overrides
}

// ForgetTopic drops a topic's overrides: the broker hosts none of it any more.
func (m *Manager) ForgetTopic(topic string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.mu.topics, topic)
}

// TopicConfig returns a topic's effective configs, from its overrides if the broker hosts it and from the broker's own values otherwise.
func (m *Manager) TopicConfig(topic string) (*config.Topic, error) {
	m.mu.Lock()
	overrides := m.mu.topics[topic]
	m.mu.Unlock()
	return config.TopicConfig(m.Config(), overrides)
}

// Topic reads a topic's overrides from ZooKeeper, for a request. The map is the caller's.
func (m *Manager) Topic(ctx context.Context, name string) (map[string]string, error) {
	all, err := m.readTopics(ctx, name)
	if err != nil {
		return nil, err
	}
	return maps.Clone(all[0]), nil
}

// Broker reads a broker's dynamic configs from ZooKeeper, for a request; id -1 means the cluster's defaults.
func (m *Manager) Broker(ctx context.Context, id int32) (map[string]string, error) {
	name := znode.DefaultEntity
	if id >= 0 {
		name = fmt.Sprint(id)
	}
	nodes, err := m.store.Get(ctx, brokerEntity(name).Path())
	if err != nil {
		return nil, err
	}
	return znode.DecodeConfig(nodes[0].Data)
}
