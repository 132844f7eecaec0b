package controller

import (
	"slices"
	"sort"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// cluster is everything the active controller knows (Kafka's ControllerContext). The loop goroutine owns it; it is
// emptied on resignation. It holds no logic beyond keeping its indexes and counters consistent.
type cluster struct {
	epoch        int32 // Controller epoch; 0 while not active.
	epochVersion int32 // Version of /controller_epoch, with which every write is fenced.

	brokers      map[int32]*brokerInfo // Registered and usable, shutting down or not.
	shuttingDown map[int32]bool

	topics    map[string]*topic
	topicByID map[wire.UUID]*topic
	order     []*topic // All topics by name; nil when it has to be rebuilt.

	offlineDirs map[int32]map[*partition]bool // Replicas on failed log dirs, by broker.

	deleting map[string]*topic // Topics queued for deletion.

	// reassignmentZNode is the czxid of the /admin/reassign_partitions that was carried out; 0 for none.
	reassignmentZNode int64

	features map[string]int16 // Finalized features and their max level.

	counts counts
}

// counts are kept up to date by recount, so that refreshing the metrics after an event costs nothing.
type counts struct {
	partitions int
	offline    int // Partitions not online, of topics not being deleted.
	imbalanced int // Partitions not led by their preferred replica, of topics not being deleted.
}

// brokerInfo is a registered broker.
type brokerInfo struct {
	id    int32
	epoch int64 // Czxid of the registration.
	info  znode.Broker
}

// topic is one topic and its deletion state.
type topic struct {
	name       string
	id         wire.UUID // Zero if it has none.
	partitions []*partition
	index      map[int32]*partition

	// deleting: queued for deletion. started: its partitions are already NonExistent and brokers were told to forget
	// them. ineligible: cannot go on for the reason in halted.
	deleting, started, ineligible bool
	halted                        string
}

// partition is one partition with its assignment, its committed leadership and the states of the state machines.
type partition struct {
	topic *topic
	tp    TopicPartition

	// The assignment. Replaced, never changed in place: requests on their way share the slices.
	replicas, adding, removing []int32

	led  bool // Has a leadership.
	lead Leadership

	state    PartitionState
	replicaS []replicaEntry

	counted struct{ offline, imbalanced bool }
}

type replicaEntry struct {
	id    int32
	state ReplicaState
}

// replica is one replica of a partition.
type replica struct {
	p  *partition
	id int32
}

func newCluster() *cluster {
	return &cluster{
		brokers:      map[int32]*brokerInfo{},
		shuttingDown: map[int32]bool{},
		topics:       map[string]*topic{},
		topicByID:    map[wire.UUID]*topic{},
		offlineDirs:  map[int32]map[*partition]bool{},
		deleting:     map[string]*topic{},
		features:     map[string]int16{},
	}
}

// replicaState returns the state of a replica; NonExistentReplica if it was never set.
func (p *partition) replicaState(id int32) ReplicaState {
	for i := range p.replicaS {
		if p.replicaS[i].id == id {
			return p.replicaS[i].state
		}
	}
	return NonExistentReplica
}

// setReplicaState sets or, with NonExistentReplica, forgets the state of a replica.
func (p *partition) setReplicaState(id int32, s ReplicaState) {
	for i := range p.replicaS {
		if p.replicaS[i].id == id {
			if s == NonExistentReplica {
				p.replicaS = slices.Delete(p.replicaS, i, i+1)
			} else {
				p.replicaS[i].state = s
			}
			return
		}
	}
	if s != NonExistentReplica {
		p.replicaS = append(p.replicaS, replicaEntry{id, s})
	}
}

// reassigning says whether replicas are being added or removed.
func (p *partition) reassigning() bool { return len(p.adding) > 0 || len(p.removing) > 0 }

// targets returns the assigned replicas less those being removed, in order.
func (p *partition) targets() []int32 {
	if len(p.removing) == 0 {
		return p.replicas
	}
	return filter(p.replicas, func(id int32) bool { return !contains(p.removing, id) })
}

// registered says whether a broker is registered, shutting down or not.
func (c *cluster) registered(id int32) bool { return c.brokers[id] != nil }

// live says whether a broker is registered and not shutting down.
func (c *cluster) live(id int32) bool { return c.brokers[id] != nil && !c.shuttingDown[id] }

// online says whether a replica can serve: its broker is live and its log dir is fine.
func (c *cluster) online(p *partition, id int32) bool {
	return c.live(id) && !c.offlineDirs[id][p]
}

// onlineOrShuttingDown is online without regard to shutting down.
func (c *cluster) onlineOrShuttingDown(p *partition, id int32) bool {
	return c.registered(id) && !c.offlineDirs[id][p]
}

// brokerIDs returns the registered brokers in ascending order.
func (c *cluster) brokerIDs() []int32 {
	ids := make([]int32, 0, len(c.brokers))
	for id := range c.brokers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// sortedTopics returns all topics by name. The slice is valid until topics change; do not keep it over a change.
func (c *cluster) sortedTopics() []*topic {
	if c.order == nil {
		c.order = make([]*topic, 0, len(c.topics))
		for _, t := range c.topics {
			c.order = append(c.order, t)
		}
		sort.Slice(c.order, func(i, j int) bool { return c.order[i].name < c.order[j].name })
	}
	return c.order
}

// addTopic adds an empty topic.
func (c *cluster) addTopic(name string, id wire.UUID) *topic {
	t := &topic{name: name, id: id, index: map[int32]*partition{}}
	c.topics[name] = t
	if !id.IsZero() {
		c.topicByID[id] = t
	}
	c.order = nil
	return t
}

// removeTopic forgets a topic and everything about its partitions.
func (c *cluster) removeTopic(t *topic) {
	for _, p := range t.partitions {
		for _, offline := range c.offlineDirs {
			delete(offline, p)
		}
		c.uncount(p)
	}
	c.counts.partitions -= len(t.partitions)
	delete(c.topics, t.name)
	delete(c.deleting, t.name)
	if c.topicByID[t.id] == t {
		delete(c.topicByID, t.id)
	}
	c.order = nil
}

// addPartition adds a partition, in state NonExistent.
func (c *cluster) addPartition(t *topic, id int32, a znode.Assignment) *partition {
	p := &partition{
		topic: t, tp: TopicPartition{Topic: t.name, Partition: id}, state: NonExistentPartition,
		replicas: a.Replicas, adding: a.Adding, removing: a.Removing,
	}
	p.lead.Leader, p.lead.LeaderEpoch = NoLeader, -1
	t.index[id] = p
	at := sort.Search(len(t.partitions), func(i int) bool { return t.partitions[i].tp.Partition >= id })
	t.partitions = slices.Insert(t.partitions, at, p)
	c.counts.partitions++
	return p
}

// partition finds a partition; nil if it is not known.
func (c *cluster) partition(tp TopicPartition) *partition {
	t := c.topics[tp.Topic]
	if t == nil {
		return nil
	}
	return t.index[tp.Partition]
}

// allPartitions calls f for every partition, by topic name and partition id.
func (c *cluster) allPartitions(f func(p *partition)) {
	for _, t := range c.sortedTopics() {
		for _, p := range t.partitions {
			f(p)
		}
	}
}

// replicasOn returns the replicas assigned to a broker, by topic name and partition id.
func (c *cluster) replicasOn(id int32) []replica {
	var out []replica
	c.allPartitions(func(p *partition) {
		if contains(p.replicas, id) {
			out = append(out, replica{p, id})
		}
	})
	return out
}

// setLeadership stores the committed leadership of a partition.
func (c *cluster) setLeadership(p *partition, l Leadership) {
	p.led, p.lead = true, l
	c.recount(p)
}

// setState stores the state of a partition.
func (c *cluster) setState(p *partition, s PartitionState) {
	p.state = s
	c.recount(p)
}

// setDeleting marks a topic as queued for deletion.
func (c *cluster) setDeleting(t *topic) {
	t.deleting = true
	c.deleting[t.name] = t
	for _, p := range t.partitions {
		c.recount(p)
	}
}

// sortedDeleting returns the topics queued for deletion by name.
func (c *cluster) sortedDeleting() []*topic {
	out := make([]*topic, 0, len(c.deleting))
	for _, t := range c.deleting {
		out = append(out, t)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}

// recount brings the counters up to date after a change of p.
func (c *cluster) recount(p *partition) {
	offline := !p.topic.deleting && p.state != OnlinePartition && p.state != NonExistentPartition
	imbalanced := !p.topic.deleting && p.led && len(p.replicas) > 0 && p.lead.Leader != p.replicas[0]
	if offline != p.counted.offline {
		c.counts.offline += delta(offline)
		p.counted.offline = offline
	}
	if imbalanced != p.counted.imbalanced {
		c.counts.imbalanced += delta(imbalanced)
		p.counted.imbalanced = imbalanced
	}
}

func (c *cluster) uncount(p *partition) {
	if p.counted.offline {
		c.counts.offline--
	}
	if p.counted.imbalanced {
		c.counts.imbalanced--
	}
	p.counted.offline, p.counted.imbalanced = false, false
}

func delta(up bool) int {
	if up {
		return 1
	}
	return -1
}

// candidates describes p for Elect.
func (c *cluster) candidates(p *partition, unclean bool) Candidates {
	return Candidates{
		Replicas: p.replicas, Targets: p.targets(), ISR: p.lead.ISR, Unclean: unclean,
		Online:       func(id int32) bool { return c.online(p, id) },
		Registered:   func(id int32) bool { return c.onlineOrShuttingDown(p, id) },
		ShuttingDown: func(id int32) bool { return c.shuttingDown[id] },
	}
}
