package dynamic

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// retryPause is the pause before topics' configs are read again after ZooKeeper failed.
const retryPause = 500 * time.Millisecond

// Hooks are told of changes, in the Run goroutine (or, for BrokerChanged, in Load). Nil functions are skipped.
type Hooks struct {
	// BrokerChanged gets the snapshots before and after.
	BrokerChanged func(before, after *config.Config)
	// TopicChanged gets a topic's new overrides, whether or not this broker hosts it. The map must not be changed.
	TopicChanged func(topic string, overrides map[string]string)
	// Failed is told of a notification or an entity that nobody can read and that is skipped, and of what ZooKeeper failed with and is tried again. It may be
	// called from several goroutines.
	Failed func(what string, err error)
}

// Manager is the owner of this broker's effective configuration.
type Manager struct {
	zk       *zkutil.Client
	brokerID int32
	hooks    Hooks
	current  atomic.Pointer[config.Config]

	changes *zkutil.ChangeListener // made by Load
	loaded  bool                   // the bulk load is done; written by Load, read by Run

	mu struct {
		sync.Mutex
		topics map[string]*hosted // the topics this broker hosts
		// changes counts the notifications about topics: what was read before one may be outdated after it.
		changes uint64
	}
}

// hosted is a topic that this broker hosts: its overrides, and what they come to with the broker's own values, which is worked out once for all its partitions.
type hosted struct {
	overrides map[string]string

	base      *config.Config // what effective was made from; nil: not yet
	effective *config.Topic
	err       error
}

// New returns a manager whose configuration is static until Load. It has no part in the life of zk, which must be open until Run has returned.
func New(zk *zkutil.Client, static *config.Config, brokerID int32, hooks Hooks) *Manager {
	m := &Manager{zk: zk, brokerID: brokerID, hooks: hooks}
	m.current.Store(static)
	m.mu.topics = map[string]*hosted{}
	return m
}

// Config returns the effective configuration now.
func (m *Manager) Config() *config.Config { return m.current.Load() }

// Load watches the notifications and reads the dynamic broker configs. It is called once, before Run and before LoadTopics.
func (m *Manager) Load(ctx context.Context) error {
	m.changes = m.zk.ListenChanges(znode.ConfigChangePrefix, m.apply)
	if err := m.changes.Poll(ctx); err != nil {
		return fmt.Errorf("config notifications: %w", err)
	}
	if err := m.loadBroker(ctx); err != nil {
		return err
	}
	m.loaded = true
	return nil
}

// Run applies notifications until ctx is done. It may start any time after Load: what comes in between waits.
func (m *Manager) Run(ctx context.Context) {
	// Its error says that ctx is done, or that the client is closed, which whoever closed it knows.
	_ = m.changes.Run(ctx, func(err error) { m.failed("config notifications", err) })
}

func (m *Manager) failed(what string, err error) {
	if m.hooks.Failed != nil {
		m.hooks.Failed(what, err)
	}
}

// apply looks up the entity that a notification names and applies its present configs. An error means that ZooKeeper did not tell them: it is to be
// called again.
func (m *Manager) apply(ctx context.Context, notification []byte) error {
	if !m.loaded {
		return nil // older than the bulk load that follows
	}
	entity, err := znode.DecodeConfigChange(notification)
	if err != nil {
		m.failed("config notification", err)
		return nil
	}
	switch entity.Type {
	case znode.ConfigBrokers:
		if entity.Name == znode.DefaultEntity || entity.Name == fmt.Sprint(m.brokerID) {
			return m.loadBroker(ctx)
		}
	case znode.ConfigTopics:
		overrides, err := m.readTopics(ctx, entity.Name)
		if err != nil {
			return err
		}
		m.mu.Lock()
		m.mu.changes++
		if _, ok := m.mu.topics[entity.Name]; ok {
			m.mu.topics[entity.Name] = &hosted{overrides: overrides[0]}
		}
		m.mu.Unlock()
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
	read, err := m.zk.Configs(ctx, brokerEntity(znode.DefaultEntity), brokerEntity(fmt.Sprint(m.brokerID)))
	if err != nil {
		return fmt.Errorf("dynamic broker configs: %w", err)
	}
	for _, level := range read {
		if level.Err != nil {
			m.failed("dynamic broker configs", level.Err) // it counts as empty
		}
	}
	before := m.current.Load()
	after, err := before.WithDynamic(read[0].Config, read[1].Config)
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

// readTopics reads topics' overrides from ZooKeeper, several at a time. Overrides that nobody can read count as none.
func (m *Manager) readTopics(ctx context.Context, names ...string) ([]map[string]string, error) {
	entities := make([]znode.Entity, len(names))
	for i, name := range names {
		entities[i] = topicEntity(name)
	}
	read, err := m.zk.Configs(ctx, entities...)
	if err != nil {
		return nil, fmt.Errorf("topic configs: %w", err)
	}
	all := make([]map[string]string, len(names))
	for i, r := range read {
		if all[i] = r.Config; r.Err != nil {
			m.failed("topic configs", r.Err)
			all[i] = map[string]string{}
		}
	}
	return all, nil
}

// LoadTopics reads the overrides of topics that this broker is about to host and doesn't know yet. It tries again until ctx ends or the client is closed: a
// replica must not begin with configs that aren't its own.
func (m *Manager) LoadTopics(ctx context.Context, names []string) error {
	for {
		m.mu.Lock()
		changes := m.mu.changes
		var unknown []string
		for _, name := range names {
			if _, ok := m.mu.topics[name]; !ok {
				unknown = append(unknown, name)
			}
		}
		m.mu.Unlock()
		if len(unknown) == 0 {
			return nil
		}
		all, err := m.readTopics(ctx, unknown...)
		if err == nil {
			if m.keep(unknown, all, changes) {
				return nil
			}
			continue
		}
		if errors.Is(err, zkutil.ErrClosed) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryPause):
		}
	}
}

// keep takes in what was read when there had been so many changes. It refuses when there was another one since, which may be about one of these topics and
// was not kept, because the topic was not hosted yet.
func (m *Manager) keep(topics []string, overrides []map[string]string, changes uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.changes != changes {
		return false
	}
	for i, name := range topics {
		m.mu.topics[name] = &hosted{overrides: overrides[i]}
	}
	return true
}

// ForgetTopic drops a topic's overrides: the broker hosts none of it any more.
func (m *Manager) ForgetTopic(topic string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.mu.topics, topic)
}

// TopicConfig returns a topic's effective configs, from its overrides if the broker hosts it and from the broker's own values otherwise. The caller must not
// change it: it is the same for all partitions.
func (m *Manager) TopicConfig(topic string) (*config.Topic, error) {
	base := m.Config()
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.mu.topics[topic]
	if h == nil {
		return config.TopicConfig(base, nil)
	}
	if h.base != base {
		h.base = base
		h.effective, h.err = config.TopicConfig(base, h.overrides)
	}
	return h.effective, h.err
}

// Topic reads a topic's overrides from ZooKeeper, for a request. The map is the caller's.
func (m *Manager) Topic(ctx context.Context, name string) (map[string]string, error) {
	all, err := m.readTopics(ctx, name)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// Broker reads a broker's dynamic configs from ZooKeeper, for a request; id -1 means the cluster's defaults.
func (m *Manager) Broker(ctx context.Context, id int32) (map[string]string, error) {
	name := znode.DefaultEntity
	if id >= 0 {
		name = fmt.Sprint(id)
	}
	return m.zk.Config(ctx, brokerEntity(name))
}
