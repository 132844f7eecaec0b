package metadata

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/prekraft/prekraft/broker/wire"
)

// NoLeader is the leader of a partition that has none.
const NoLeader int32 = -1

// LeaderDuringDelete is the leader that an UpdateMetadata request gives a partition whose topic is being deleted: readers
// drop the partition (Kafka: LeaderAndIsr.LeaderDuringDelete).
const LeaderDuringDelete int32 = -2

// NoController is the controller id of a cluster whose controller this broker doesn't know.
const NoController int32 = -1

// Endpoint is one listener of a broker, as clients reach it.
type Endpoint struct {
	Listener         string // listener name, upper case
	Host             string
	Port             int32
	SecurityProtocol int16 // 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL
}

// Broker is a live broker. It is immutable.
type Broker struct {
	ID        int32
	Rack      string // empty when the broker has none
	Endpoints []Endpoint
}

// Endpoint returns the broker's endpoint on the named listener.
func (b *Broker) Endpoint(listener string) (Endpoint, bool) {
	for _, e := range b.Endpoints {
		if e.Listener == listener {
			return e, true
		}
	}
	return Endpoint{}, false
}

// Partition is one partition's state as the controller last sent it. It is immutable, its slices too.
type Partition struct {
	Index           int32
	Leader          int32 // NoLeader when there is none
	LeaderEpoch     int32
	ControllerEpoch int32
	PartitionEpoch  int32 // the version of the state znode
	ISR             []int32
	Replicas        []int32
	OfflineReplicas []int32
}

// Topic is a topic with all partitions this broker was told of. It is immutable.
type Topic struct {
	Name       string
	ID         wire.UUID    // zero when the controller sent none
	Partitions []*Partition // by ascending index; indexes may have gaps while a topic is being made
}

// Partition returns the partition with the given index, or nil.
func (t *Topic) Partition(index int32) *Partition {
	// Nearly always the position is the index.
	if index >= 0 && int(index) < len(t.Partitions) && t.Partitions[index].Index == index {
		return t.Partitions[index]
	}
	i, ok := slices.BinarySearchFunc(t.Partitions, index, func(p *Partition, index int32) int { return int(p.Index) - int(index) })
	if !ok {
		return nil
	}
	return t.Partitions[i]
}

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Cache is one broker's view of the cluster. Its methods may be called from any goroutine.
type Cache struct {
	known chan struct{} // closed by the first Update

	mu struct {
		sync.RWMutex
		controller int32
		tenure     context.Context // ends when controller becomes another
		endTenure  context.CancelFunc
		brokers    map[int32]*Broker
		topics     map[string]*Topic
		names      map[wire.UUID]string
		updated    bool
	}
	waiters waiters
}

// New returns an empty cache: no controller, no brokers, no topics.
func New() *Cache {
	c := &Cache{known: make(chan struct{})}
	c.mu.controller = NoController
	c.mu.tenure, c.mu.endTenure = context.WithCancel(context.Background())
	c.mu.brokers = map[int32]*Broker{}
	c.mu.topics = map[string]*Topic{}
	c.mu.names = map[wire.UUID]string{}
	c.waiters.init()
	return c
}

// Known is closed when the first UpdateMetadata has been applied: from then on this broker can answer clients truthfully.
func (c *Cache) Known() <-chan struct{} { return c.known }

// Controller returns the id of the active controller, or NoController.
func (c *Cache) Controller() int32 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.mu.controller
}

// Tenure returns the id of the active controller, or NoController, and a context that ends as soon as it is another: what was asked of the old one is then
// asked in vain.
func (c *Cache) Tenure() (int32, context.Context) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.mu.controller, c.mu.tenure
}

// Broker returns a live broker, or nil.
func (c *Cache) Broker(id int32) *Broker {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.mu.brokers[id]
}

// Brokers returns the live brokers by ascending id. The slice is the caller's.
func (c *Cache) Brokers() []*Broker {
	c.mu.RLock()
	brokers := slices.Collect(maps.Values(c.mu.brokers))
	c.mu.RUnlock()
	slices.SortFunc(brokers, func(a, b *Broker) int { return int(a.ID) - int(b.ID) })
	return brokers
}

// Topic returns the named topic, or nil.
func (c *Cache) Topic(name string) *Topic {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.mu.topics[name]
}

// TopicByID returns the topic with that id, or nil. The zero id names no topic.
func (c *Cache) TopicByID(id wire.UUID) *Topic {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if name, ok := c.mu.names[id]; ok {
		return c.mu.topics[name]
	}
	return nil
}

// Topics returns all topics by name. The slice is the caller's.
func (c *Cache) Topics() []*Topic {
	c.mu.RLock()
	topics := slices.Collect(maps.Values(c.mu.topics))
	c.mu.RUnlock()
	slices.SortFunc(topics, func(a, b *Topic) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return topics
}

// TopicCount returns how many topics and partitions the cache holds.
func (c *Cache) TopicCount() (topics, partitions int) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, t := range c.mu.topics {
		partitions += len(t.Partitions)
	}
	return len(c.mu.topics), partitions
}

// Update applies one UpdateMetadata request (any version; fields of older versions are understood) and returns the partitions
// that it removed. The caller has checked the controller's and the broker's epoch. Waiters whose condition now holds are
// completed before it returns, outside the cache's lock.
func (c *Cache) Update(req *wire.UpdateMetadataRequest) (removed []TopicPartition) {
	brokers := make(map[int32]*Broker, len(req.LiveBrokers))
	for i := range req.LiveBrokers {
		b := brokerOf(&req.LiveBrokers[i])
		brokers[b.ID] = b
	}
	states := topicStates(req)

	c.mu.Lock()
	controller := max(req.ControllerID, NoController)
	if controller != c.mu.controller {
		c.mu.controller = controller
		c.mu.endTenure()
		c.mu.tenure, c.mu.endTenure = context.WithCancel(context.Background())
	}
	c.mu.brokers = brokers
	for i := range states {
		removed = append(removed, c.mergeLocked(&states[i])...)
	}
	first := !c.mu.updated
	c.mu.updated = true
	c.mu.Unlock()

	if first {
		close(c.known)
	}
	c.waiters.check(c)
	return removed
}

// topicState is one topic's part of a request, whatever its version.
type topicState struct {
	name       string
	id         wire.UUID
	partitions []wire.UpdateMetadataPartitionState
}

// topicStates brings the flat list of versions below 5 into the shape of the later ones.
func topicStates(req *wire.UpdateMetadataRequest) []topicState {
	states := make([]topicState, 0, len(req.TopicStates))
	for _, t := range req.TopicStates {
		states = append(states, topicState{name: t.TopicName, id: t.TopicID, partitions: t.PartitionStates})
	}
	byName := map[string]int{}
	for _, p := range req.UngroupedPartitionStates {
		i, ok := byName[p.TopicName]
		if !ok {
			i = len(states)
			byName[p.TopicName] = i
			states = append(states, topicState{name: p.TopicName})
		}
		states[i].partitions = append(states[i].partitions, p)
	}
	return states
}

// mergeLocked replaces one topic by a copy with the request's partitions in it.
func (c *Cache) mergeLocked(s *topicState) (removed []TopicPartition) {
	old := c.mu.topics[s.name]
	next := &Topic{Name: s.name, ID: s.id}
	merged := make(map[int32]*Partition, len(s.partitions))
	if old != nil {
		for _, p := range old.Partitions {
			merged[p.Index] = p
		}
	}
	for i := range s.partitions {
		p := &s.partitions[i]
		if p.Leader == LeaderDuringDelete {
			if _, ok := merged[p.PartitionIndex]; ok {
				delete(merged, p.PartitionIndex)
				removed = append(removed, TopicPartition{s.name, p.PartitionIndex})
			}
			continue
		}
		merged[p.PartitionIndex] = &Partition{
			Index: p.PartitionIndex, Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, ControllerEpoch: p.ControllerEpoch,
			PartitionEpoch: p.ZkVersion, ISR: slices.Clone(p.Isr), Replicas: slices.Clone(p.Replicas), OfflineReplicas: slices.Clone(p.OfflineReplicas),
		}
	}
	if old != nil && old.ID != s.id && !old.ID.IsZero() {
		delete(c.mu.names, old.ID)
	}
	if len(merged) == 0 {
		delete(c.mu.topics, s.name)
		delete(c.mu.names, s.id)
		return removed
	}
	next.Partitions = slices.Collect(maps.Values(merged))
	slices.SortFunc(next.Partitions, func(a, b *Partition) int { return int(a.Index) - int(b.Index) })
	c.mu.topics[s.name] = next
	if !s.id.IsZero() {
		c.mu.names[s.id] = s.name
	}
	return removed
}

func brokerOf(b *wire.UpdateMetadataBroker) *Broker {
	broker := &Broker{ID: b.ID}
	if b.Rack != nil {
		broker.Rack = *b.Rack
	}
	for _, e := range b.Endpoints {
		name := e.Listener
		if name == "" {
			name = securityProtocolName(e.SecurityProtocol)
		}
		broker.Endpoints = append(broker.Endpoints, Endpoint{Listener: name, Host: e.Host, Port: e.Port, SecurityProtocol: e.SecurityProtocol})
	}
	if b.V0Host != "" {
		broker.Endpoints = append(broker.Endpoints, Endpoint{Listener: "PLAINTEXT", Host: b.V0Host, Port: b.V0Port})
	}
	return broker
}

// securityProtocolName names the listener of requests below version 3, which have none: it is called as its protocol.
func securityProtocolName(protocol int16) string {
	names := [...]string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}
	if protocol < 0 || int(protocol) >= len(names) {
		return "PLAINTEXT"
	}
	return names[protocol]
}
