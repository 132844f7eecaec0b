package replica

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/wire"
)

// staleSender checks the epochs that every control request carries (controller.md §16): the broker epoch the controller knows of us, and the
// controller's own. control is held. A newer controller epoch is remembered.
func (m *Manager) staleSenderLocked(controllerEpoch int32, brokerEpoch int64) wire.Error {
	if brokerEpoch != -1 && brokerEpoch < m.config.BrokerEpoch() {
		return wire.StaleBrokerEpoch
	}
	if controllerEpoch < m.control.controllerEpoch {
		return wire.StaleControllerEpoch
	}
	m.control.controllerEpoch = controllerEpoch
	return wire.None
}

// UpdateMetadata applies an UpdateMetadata request to the metadata cache.
func (m *Manager) UpdateMetadata(req *wire.UpdateMetadataRequest) *wire.UpdateMetadataResponse {
	m.control.Lock()
	defer m.control.Unlock()
	if code := m.staleSenderLocked(req.ControllerEpoch, req.BrokerEpoch); code != wire.None {
		return &wire.UpdateMetadataResponse{ErrorCode: code}
	}
	if removed := m.config.Metadata.Update(req); len(removed) > 0 && m.config.Events.Removed != nil {
		m.config.Events.Removed(removed)
	}
	return &wire.UpdateMetadataResponse{}
}

// Cause is the control request that made a replica what it is.
type Cause struct {
	Controller    int32 // the broker that sent it
	CorrelationID int32 // its name for the request
}

// Cause returns the last LeaderAndIsr request that gave a hosted partition its role, the zero value when there is none. It takes no lock.
func (m *Manager) Cause(tp TopicPartition) Cause {
	if p := m.hosted(tp); p != nil {
		return p.role.Load().cause
	}
	return Cause{}
}

// leaderAndIsrState is one partition of a LeaderAndIsr request, whatever its version.
type leaderAndIsrState struct {
	tp                              TopicPartition
	topicID                         wire.UUID
	leader, leaderEpoch             int32
	partitionEpoch, controllerEpoch int32
	isr, replicas, adding, removing []int32
	isNew                           bool
	cause                           Cause
}

func leaderAndIsrStates(req *wire.LeaderAndIsrRequest) []leaderAndIsrState {
	var states []leaderAndIsrState
	add := func(topic string, id wire.UUID, p *wire.LeaderAndIsrPartitionState) {
		states = append(states, leaderAndIsrState{
			tp: TopicPartition{Topic: topic, Partition: p.PartitionIndex}, topicID: id,
			leader: p.Leader, leaderEpoch: p.LeaderEpoch, partitionEpoch: p.PartitionEpoch, controllerEpoch: p.ControllerEpoch,
			isr: p.Isr, replicas: p.Replicas, adding: p.AddingReplicas, removing: p.RemovingReplicas, isNew: p.IsNew,
		})
	}
	for i := range req.TopicStates {
		t := &req.TopicStates[i]
		for j := range t.PartitionStates {
			add(t.TopicName, t.TopicID, &t.PartitionStates[j])
		}
	}
	for i := range req.UngroupedPartitionStates {
		p := &req.UngroupedPartitionStates[i]
		add(p.TopicName, wire.UUID{}, p)
	}
	return states
}

// LeaderAndIsr makes this broker leader or follower of the request's partitions (controller.md §16.1). The request must not be used by the caller
// afterwards: its slices become partition state. The correlation id is told with what follows, see [Cause].
func (m *Manager) LeaderAndIsr(req *wire.LeaderAndIsrRequest, version int16, correlationID int32) *wire.LeaderAndIsrResponse {
	m.control.Lock()
	defer m.control.Unlock()
	if code := m.staleSenderLocked(req.ControllerEpoch, req.BrokerEpoch); code != wire.None {
		return &wire.LeaderAndIsrResponse{ErrorCode: code}
	}
	began := time.Now()
	states := leaderAndIsrStates(req)
	codes := make([]wire.Error, len(states))
	var leading, following []*change
	for i := range states {
		states[i].cause = Cause{req.ControllerID, correlationID}
	}
	for i, c := range m.admitAllLocked(states, codes) {
		if c == nil {
			continue
		}
		c.code = &codes[i]
		if c.state.leader == m.config.BrokerID {
			leading = append(leading, c)
		} else {
			following = append(following, c)
		}
	}
	// Leaders first, as in Kafka: they don't wait for anything.
	m.makeLeaders(leading)
	m.makeFollowers(following)
	m.moves.resume(leading)
	m.moves.resume(following)
	m.fetchers.stopIdle()
	if len(leading) > 0 {
		wakeUp(m.followed)
	}
	if !m.control.initialized {
		m.control.initialized = true
		if m.config.Events.FirstLeaderAndIsr != nil {
			m.config.Events.FirstLeaderAndIsr()
		}
	}
	m.rolesApplied(Cause{req.ControllerID, correlationID}, codes, len(leading), began)
	return leaderAndIsrResponse(states, codes, version)
}

// change is a partition of a LeaderAndIsr request that passed the checks.
type change struct {
	state     *leaderAndIsrState
	partition *Partition
	log       *commitlog.Log
	code      *wire.Error
}

// makeAtOnce is how many partitions of a request are worth a goroutine more.
const makeAtOnce = 16

// admitAllLocked is admit for every partition, whose codes it sets. Logs are made at the same time: for a thousand new partitions that is nearly all the work.
func (m *Manager) admitAllLocked(states []leaderAndIsrState, codes []wire.Error) []*change {
	changes := make([]*change, len(states))
	var next atomic.Int64
	work := func() {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(states) {
				return
			}
			changes[i], codes[i] = m.admit(&states[i])
		}
	}
	var helping sync.WaitGroup
	for range min(len(states)/makeAtOnce, runtime.GOMAXPROCS(0)-1) {
		helping.Go(work)
	}
	work()
	helping.Wait()
	return changes
}

// admit checks one partition's state and makes or loads its log. nil means that nothing is to be done but to answer the code. It may run beside that of other partitions of
// the same request: control is held meanwhile.
func (m *Manager) admit(s *leaderAndIsrState) (*change, wire.Error) {
	p := m.hosted(s.tp)
	if p != nil && p.offline.Load() {
		return nil, wire.KafkaStorageError
	}
	epoch := noEpoch
	if p != nil {
		if id := p.TopicID(); !id.IsZero() && !s.topicID.IsZero() && id != s.topicID {
			return nil, wire.InconsistentTopicID
		}
		_, epoch = p.Leader()
	}
	if s.leaderEpoch <= epoch && !(s.leaderEpoch < epoch && planted(acceptOldControl)) {
		// The same epoch again: a controller that has just been elected sends everything once. A log without a topic id takes the request's.
		if s.leaderEpoch == epoch && !s.topicID.IsZero() && p.Log() != nil && p.TopicID().IsZero() {
			if err := p.Log().AssignTopicID(commitlog.TopicID(s.topicID)); err != nil {
				return nil, CodeOf(err)
			}
			m.fetchers.assignTopicID(s.tp, s.topicID)
			return nil, wire.None
		}
		return nil, wire.StaleControllerEpoch
	}
	if !contains(s.replicas, m.config.BrokerID) {
		return nil, wire.UnknownTopicOrPartition
	}
	log, err := m.config.Logs.GetOrCreate(s.tp, commitlog.TopicID(s.topicID), s.isNew)
	if err != nil && CodeOf(err) != wire.KafkaStorageError {
		return nil, CodeOf(err)
	}
	if p == nil {
		hosted, _ := m.partitions.LoadOrStore(s.tp, newPartition(s.tp, &m.env))
		p = hosted.(*Partition)
	}
	if err != nil {
		// Its log is in a directory that had failed before this broker started, or can't be made. As in Kafka it is here from now on, and offline: it can't be deleted, for one.
		p.leaveBrokenLog()
		return nil, wire.KafkaStorageError
	}
	return &change{state: s, partition: p, log: log}, wire.None
}

// makeLeaders stops the partitions' fetchers and makes this broker their leader (replication.md §11.2).
func (m *Manager) makeLeaders(changes []*change) {
	m.fetchers.remove(changes)
	for _, c := range changes {
		changed, err := c.partition.becomeLeader(c.state, c.log)
		if err != nil {
			*c.code = CodeOf(err)
			continue
		}
		if changed {
			m.roleChanged(c)
		}
	}
}

// makeFollowers makes this broker follow, and starts fetching from the leaders that live (replication.md §11.3). Where the leader isn't known to be alive only the log is
// made; the controller sends another request when it is.
func (m *Manager) makeFollowers(changes []*change) {
	m.fetchers.remove(changes)
	var fetching []*change
	for _, c := range changes {
		if c.state.leader < 0 || !m.env.isAlive(c.state.leader) {
			if c.partition.adoptLog(c.state, c.log) {
				m.roleChanged(c)
			}
			continue
		}
		if c.partition.becomeFollower(c.state, c.log) {
			m.roleChanged(c)
			fetching = append(fetching, c)
		}
	}
	m.fetchers.add(fetching)
}

func (m *Manager) roleChanged(c *change) {
	if m.config.Events.RoleChanged != nil {
		m.config.Events.RoleChanged(c.state.tp, c.partition.State())
	}
}

func (m *Manager) rolesApplied(by Cause, codes []wire.Error, leaders int, began time.Time) {
	if m.config.Events.RolesApplied == nil || len(codes) == 0 {
		return
	}
	refused := 0
	for _, code := range codes {
		if code != wire.None {
			refused++
		}
	}
	m.config.Events.RolesApplied(by, leaders, max(len(codes)-leaders-refused, 0), refused, time.Since(began))
}

func (m *Manager) hosted(tp TopicPartition) *Partition {
	if v, ok := m.partitions.Load(tp); ok {
		return v.(*Partition)
	}
	return nil
}

func leaderAndIsrResponse(states []leaderAndIsrState, codes []wire.Error, version int16) *wire.LeaderAndIsrResponse {
	resp := &wire.LeaderAndIsrResponse{}
	if version < 5 {
		for i := range states {
			resp.PartitionErrors = append(resp.PartitionErrors, wire.LeaderAndIsrPartitionError{
				TopicName: states[i].tp.Topic, PartitionIndex: states[i].tp.Partition, ErrorCode: codes[i],
			})
		}
		return resp
	}
	byID := map[wire.UUID]int{}
	for i := range states {
		at, ok := byID[states[i].topicID]
		if !ok {
			at = len(resp.Topics)
			byID[states[i].topicID] = at
			resp.Topics = append(resp.Topics, wire.LeaderAndIsrTopicError{TopicID: states[i].topicID})
		}
		resp.Topics[at].PartitionErrors = append(resp.Topics[at].PartitionErrors, wire.LeaderAndIsrPartitionError{
			PartitionIndex: states[i].tp.Partition, ErrorCode: codes[i],
		})
	}
	return resp
}

// Leader epochs in StopReplica that are no epochs (controller.md §1).
const (
	epochDuringDelete int32 = -2
	epochUnknown      int32 = -1
)

// stopReplicaState is one partition of a StopReplica request, whatever its version.
type stopReplicaState struct {
	tp          TopicPartition
	leaderEpoch int32
	delete      bool
}

func stopReplicaStates(req *wire.StopReplicaRequest) []stopReplicaState {
	var states []stopReplicaState
	for _, t := range req.TopicStates {
		for _, p := range t.PartitionStates {
			states = append(states, stopReplicaState{TopicPartition{Topic: t.TopicName, Partition: p.PartitionIndex}, p.LeaderEpoch, p.DeletePartition})
		}
	}
	for _, t := range req.Topics {
		for _, p := range t.PartitionIndexes {
			states = append(states, stopReplicaState{TopicPartition{Topic: t.Name, Partition: p}, epochUnknown, req.DeletePartitions})
		}
	}
	for _, p := range req.UngroupedPartitions {
		states = append(states, stopReplicaState{TopicPartition{Topic: p.TopicName, Partition: p.PartitionIndex}, epochUnknown, req.DeletePartitions})
	}
	return states
}

// StopReplica stops, and where asked deletes, the request's replicas (controller.md §16.3). Every partition of the request is answered: a deletion
// whose answer lacks one hangs until this broker restarts.
func (m *Manager) StopReplica(req *wire.StopReplicaRequest, correlationID int32) *wire.StopReplicaResponse {
	m.control.Lock()
	defer m.control.Unlock()
	if code := m.staleSenderLocked(req.ControllerEpoch, req.BrokerEpoch); code != wire.None {
		return &wire.StopReplicaResponse{ErrorCode: code}
	}
	resp := &wire.StopReplicaResponse{}
	for _, s := range stopReplicaStates(req) {
		resp.PartitionErrors = append(resp.PartitionErrors, wire.StopReplicaPartitionError{
			TopicName: s.tp.Topic, PartitionIndex: s.tp.Partition, ErrorCode: m.stopLocked(s, Cause{req.ControllerID, correlationID}),
		})
	}
	m.fetchers.stopIdle()
	return resp
}

func (m *Manager) stopLocked(s stopReplicaState, cause Cause) wire.Error {
	p := m.hosted(s.tp)
	if p != nil {
		if p.offline.Load() {
			return wire.KafkaStorageError
		}
		if _, epoch := p.Leader(); s.leaderEpoch >= 0 && s.leaderEpoch < epoch {
			return wire.FencedLeaderEpoch
		}
	}
	m.fetchers.removeOne(s.tp)
	if !s.delete {
		if p != nil {
			p.waiting.notifyAll(p)
		}
		return wire.None // stops the fetcher only: the partition and its role stay
	}
	m.moves.halt(s.tp)
	if p != nil {
		m.partitions.Delete(s.tp)
		p.retire()
	}
	if err := m.config.Logs.AsyncDelete(s.tp); err != nil && !errors.Is(err, commitlog.ErrUnknownLog) {
		return CodeOf(err)
	}
	if m.config.Events.Deleted != nil {
		m.config.Events.Deleted(s.tp, cause)
	}
	return wire.None
}

func contains(ids []int32, id int32) bool {
	for _, one := range ids {
		if one == id {
			return true
		}
	}
	return false
}
