package controller

import (
	"slices"
	"strings"
	"sync"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// batch collects what one step has to tell the brokers: per broker the partitions of a LeaderAndIsr and of a StopReplica
// request, and one set of partitions that all brokers get in UpdateMetadata. A partition that is added twice is sent once,
// with its last state; "is new" and "delete" stay set. A batch is a local value of the handler that fills it and is sent
// by it, so that two can never mix.
type batch struct {
	c       *Controller
	index   map[*partition]*batchEntry
	entries []*batchEntry
	to      map[int32]bool // Brokers that get UpdateMetadata.
	all     bool           // All registered brokers get it.
}

type batchEntry struct {
	p      *partition
	lead   []roleFor
	stop   []stopFor
	update bool
}

type roleFor struct {
	id    int32
	isNew bool
}

type stopFor struct {
	id          int32
	leaderEpoch int32
	remove      bool
}

func (c *Controller) newBatch() *batch {
	return &batch{c: c, index: map[*partition]*batchEntry{}, to: map[int32]bool{}}
}

func (b *batch) entry(p *partition) *batchEntry {
	e := b.index[p]
	if e == nil {
		e = &batchEntry{p: p}
		b.index[p] = e
		b.entries = append(b.entries, e)
	}
	return e
}

// leaderAndIsr tells brokers the leadership of p, and all registered brokers the metadata of p.
func (b *batch) leaderAndIsr(p *partition, brokers []int32, isNew bool) {
	e := b.entry(p)
next:
	for _, id := range brokers {
		if id < 0 {
			continue
		}
		for i := range e.lead {
			if e.lead[i].id == id {
				e.lead[i].isNew = e.lead[i].isNew || isNew
				continue next
			}
		}
		if e.lead == nil {
			e.lead = make([]roleFor, 0, len(p.replicas))
		}
		e.lead = append(e.lead, roleFor{id, isNew})
	}
	e.update = true
	b.updateAll()
}

// stopReplica tells one broker to stop, and perhaps to delete, its replica of p.
func (b *batch) stopReplica(p *partition, id int32, remove bool) {
	if id < 0 {
		return
	}
	epoch := NoEpoch
	switch {
	case p.topic.deleting:
		epoch = EpochDuringDelete
	case p.led:
		epoch = p.lead.LeaderEpoch
	}
	e := b.entry(p)
	for i := range e.stop {
		if e.stop[i].id == id {
			e.stop[i].leaderEpoch = epoch
			e.stop[i].remove = e.stop[i].remove || remove
			return
		}
	}
	e.stop = append(e.stop, stopFor{id, epoch, remove})
}

// updateAll has all registered brokers get UpdateMetadata, even if it turns out to hold no partition.
func (b *batch) updateAll() { b.all = true }

// updateMetadata has all registered brokers get the metadata of p.
func (b *batch) updateMetadata(p *partition) {
	b.entry(p).update = true
	b.updateAll()
}

// send hands a round of requests to the channel of every broker concerned.
func (b *batch) send() {
	c := b.c
	if b.all {
		for id := range c.cluster.brokers {
			b.to[id] = true
		}
	}
	if len(b.entries) == 0 && len(b.to) == 0 {
		return
	}
	byName := func(x, y *batchEntry) int { return compareTP(x.p.tp, y.p.tp) }
	if !slices.IsSortedFunc(b.entries, byName) {
		slices.SortFunc(b.entries, byName)
	}
	rounds := map[int32]*round{}
	roundFor := func(id int32) *round {
		r := rounds[id]
		if r == nil {
			r = &round{cause: c.current, controllerID: c.cfg.BrokerID, controllerEpoch: c.cluster.epoch}
			rounds[id] = r
		}
		return r
	}
	metadata := &metadataUpdate{}
	for _, e := range b.entries {
		s := c.snapshot(e.p)
		for _, l := range e.lead {
			if e.p.led && c.cluster.registered(l.id) {
				r := roundFor(l.id)
				r.roles = append(r.roles, role{s, l.isNew})
			}
		}
		for _, st := range e.stop {
			if c.cluster.registered(st.id) {
				r := roundFor(st.id)
				r.stops = append(r.stops, stop{s.tp, st.leaderEpoch, st.remove})
			}
		}
		if e.update && e.p.led {
			metadata.partitions = append(metadata.partitions, s)
		}
	}
	if len(b.to) > 0 {
		metadata.brokers = c.liveBrokers()
		for id := range b.to {
			if c.cluster.registered(id) {
				roundFor(id).metadata = metadata
			}
		}
	}
	var live []Endpoint
	for _, id := range c.cluster.brokerIDs() {
		r := rounds[id]
		ch := c.channels[id]
		if r == nil || ch == nil {
			continue
		}
		if len(r.roles) > 0 {
			if live == nil {
				live = c.liveEndpoints()
			}
			r.live = live
		}
		ch.enqueue(r)
	}
}

// snapshot copies what requests say about p, so that channels can build them while the loop goes on. The slices are
// shared: they are never changed in place.
func (c *Controller) snapshot(p *partition) *partitionSnapshot {
	s := &partitionSnapshot{
		tp: p.tp, topicID: p.topic.id, lead: p.lead, replicas: p.replicas, adding: p.adding, removing: p.removing,
		deleting: p.topic.deleting,
	}
	for _, id := range p.replicas {
		if !c.cluster.online(p, id) {
			s.offline = append(s.offline, id)
		}
	}
	return s
}

// partitionSnapshot is one partition as it was when a batch was sent.
type partitionSnapshot struct {
	tp                         TopicPartition
	topicID                    wire.UUID
	lead                       Leadership
	replicas, adding, removing []int32
	offline                    []int32 // Assigned replicas that are not online.
	deleting                   bool    // UpdateMetadata makes brokers forget it.
}

// metadataUpdate is the content of the UpdateMetadata requests of one batch, the same for every broker.
type metadataUpdate struct {
	partitions []*partitionSnapshot // By topic and partition.
	brokers    []*brokerInfo        // All registered brokers by id; their znode content is never changed in place.

	once   sync.Once
	topics []wire.UpdateMetadataTopicState // Built once, by the first channel that needs it.
	flat   []wire.UpdateMetadataPartitionState
	live   []wire.UpdateMetadataBroker
}

type role struct {
	*partitionSnapshot
	isNew bool
}

type stop struct {
	tp          TopicPartition
	leaderEpoch int32
	remove      bool
}

// round is what one batch tells one broker. It is sent as LeaderAndIsr, UpdateMetadata, StopReplica, in this order;
// parts that are empty are not sent.
type round struct {
	cause                         EventID
	controllerID, controllerEpoch int32

	roles    []role
	live     []Endpoint // Where brokers are reached, for LiveLeaders; set if there are roles.
	metadata *metadataUpdate
	stops    []stop

	// metadataFirst has UpdateMetadata sent before LeaderAndIsr; set when rounds were merged.
	metadataFirst bool
}

// merge returns the round that has the effect of r followed by next, or false if there is none: a replica that r stops
// and next gives a role would be stopped after it got the role.
//
// The merged round sends UpdateMetadata first. The brokers it names must be known before a role names them as leader (a
// follower whose leader is unknown does nothing), and knowing the metadata early does no harm.
func (r *round) merge(next *round) (*round, bool) {
	stopped := make(map[TopicPartition]int, len(r.stops))
	for i, s := range r.stops {
		stopped[s.tp] = i
	}
	for _, x := range next.roles {
		if _, conflict := stopped[x.tp]; conflict {
			return nil, false
		}
	}
	m := &round{
		cause: next.cause, controllerID: next.controllerID, controllerEpoch: next.controllerEpoch,
		live: next.live, metadata: next.metadata, metadataFirst: true,
	}
	if m.live == nil {
		m.live = r.live
	}
	roles := make(map[TopicPartition]int, len(r.roles))
	m.roles = slices.Clone(r.roles)
	for i, x := range m.roles {
		roles[x.tp] = i
	}
	for _, x := range next.roles {
		if i, ok := roles[x.tp]; ok && m.roles[i].topicID == x.topicID {
			m.roles[i] = role{x.partitionSnapshot, x.isNew || m.roles[i].isNew}
		} else {
			m.roles = append(m.roles, x)
		}
	}
	slices.SortStableFunc(m.roles, func(x, y role) int { return compareTP(x.tp, y.tp) })
	m.stops = slices.Clone(r.stops)
	for _, x := range next.stops {
		if i, ok := stopped[x.tp]; ok {
			x.remove = x.remove || m.stops[i].remove
			m.stops[i] = x
		} else {
			m.stops = append(m.stops, x)
		}
	}
	slices.SortStableFunc(m.stops, func(x, y stop) int { return compareTP(x.tp, y.tp) })
	switch {
	case next.metadata == nil:
		m.metadata = r.metadata
	case r.metadata != nil:
		m.metadata = r.metadata.merge(next.metadata)
	}
	return m, true
}

// merge returns the update that has the effect of u followed by next: brokers are always complete, of partitions the
// last word counts.
func (u *metadataUpdate) merge(next *metadataUpdate) *metadataUpdate {
	m := &metadataUpdate{brokers: next.brokers}
	at := make(map[TopicPartition]bool, len(next.partitions))
	for _, s := range next.partitions {
		at[s.tp] = true
	}
	for _, s := range u.partitions {
		if !at[s.tp] {
			m.partitions = append(m.partitions, s)
		}
	}
	m.partitions = append(m.partitions, next.partitions...)
	slices.SortFunc(m.partitions, func(x, y *partitionSnapshot) int { return compareTP(x.tp, y.tp) })
	return m
}

func compareTP(x, y TopicPartition) int {
	if n := strings.Compare(x.Topic, y.Topic); n != 0 {
		return n
	}
	return int(x.Partition) - int(y.Partition)
}

// liveBrokers returns the registered brokers by id.
func (c *Controller) liveBrokers() []*brokerInfo {
	out := make([]*brokerInfo, 0, len(c.cluster.brokers))
	for _, id := range c.cluster.brokerIDs() {
		out = append(out, c.cluster.brokers[id])
	}
	return out
}

// liveEndpoints returns where the registered brokers are reached, by id.
func (c *Controller) liveEndpoints() []Endpoint {
	out := make([]Endpoint, 0, len(c.cluster.brokers))
	for _, id := range c.cluster.brokerIDs() {
		if e, ok := c.endpoint(c.cluster.brokers[id].id, c.cluster.brokers[id].info); ok {
			out = append(out, e)
		}
	}
	return out
}

// endpoint finds the endpoint of a registration that belongs to the controller's listener.
func (c *Controller) endpoint(id int32, info znode.Broker) (Endpoint, bool) {
	e, ok := info.Endpoint(strings.ToUpper(c.cfg.Listener))
	return Endpoint{BrokerID: id, Host: e.Host, Port: e.Port, Listener: e.Listener, SecurityProtocol: e.Protocol}, ok
}
