package replica

import (
	"context"
	"sync"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// alterRetry is the pause after an AlterPartition request that failed as a whole (Kafka: AlterPartitionManager).
const alterRetry = 50 * time.Millisecond

// ControllerLink reaches the active controller.
type ControllerLink interface {
	// Once sends one request and returns the answer. It finds the controller anew for each call.
	Once(ctx context.Context, req wire.Request, version int16) (wire.Response, error)
}

// alterations are the ISR changes on their way to the controller: at most one per partition, one request in flight, everything that waits in the next.
type alterations struct {
	sync.Mutex
	queued map[TopicPartition]*proposal
	wake   chan struct{} // holds one token when something was queued
}

// submit queues a change. An older one of the same partition is replaced: its leader epoch, or its pending state, is over.
func (m *Manager) submit(change *proposal) {
	if change == nil {
		return
	}
	m.alterations.Lock()
	m.alterations.queued[change.partition.tp] = change
	m.alterations.Unlock()
	wakeUp(m.alterations.wake)
}

func wakeUp(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// alterISRs sends proposals until ctx ends.
func (m *Manager) alterISRs(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.alterations.wake:
		}
		for !m.alterOnce(ctx) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(alterRetry):
			}
		}
	}
}

// alterOnce sends all queued proposals in one request. It returns false when the request failed as a whole: everything stays queued.
func (m *Manager) alterOnce(ctx context.Context) bool {
	sent := m.waitingProposals()
	if len(sent) == 0 {
		return true
	}
	req, version := alterRequest(sent)
	req.BrokerID, req.BrokerEpoch = m.config.BrokerID, m.config.BrokerEpoch()
	answer, err := m.config.Controller.Once(ctx, req, version)
	if err != nil {
		return false
	}
	resp, ok := answer.(*wire.AlterPartitionResponse)
	if !ok || resp.ErrorCode != wire.None {
		return false
	}
	names := map[wire.UUID]string{}
	for tp, change := range sent {
		names[change.topicID] = tp.Topic
	}
	complete := true
	for i := range resp.Topics {
		t := &resp.Topics[i]
		name := t.TopicName
		if version >= 2 {
			name = names[t.TopicID]
		}
		for j := range t.Partitions {
			a := &t.Partitions[j]
			tp := TopicPartition{Topic: name, Partition: a.PartitionIndex}
			change := sent[tp]
			if change == nil {
				continue
			}
			delete(sent, tp)
			if !m.settle(change, outcome{a.ErrorCode, a.LeaderEpoch, a.PartitionEpoch, a.Isr}) {
				complete = false
			}
		}
	}
	return complete && len(sent) == 0
}

// waitingProposals returns those of the queue that are still their partitions' pending state, and forgets the others.
func (m *Manager) waitingProposals() map[TopicPartition]*proposal {
	m.alterations.Lock()
	defer m.alterations.Unlock()
	waiting := make(map[TopicPartition]*proposal, len(m.alterations.queued))
	for tp, change := range m.alterations.queued {
		if change.partition.role.Load().pending != change {
			delete(m.alterations.queued, tp) // the role changed meanwhile
			continue
		}
		waiting[tp] = change
	}
	return waiting
}

// settle takes a proposal with its outcome from the queue. false says that it is queued again: the next attempt is paced, so that an answer that stays the same doesn't make
// the caller spin.
func (m *Manager) settle(change *proposal, o outcome) bool {
	tp := change.partition.tp
	m.alterations.Lock()
	if m.alterations.queued[tp] == change {
		delete(m.alterations.queued, tp)
	}
	m.alterations.Unlock()
	again, changed, failed := change.partition.settle(change, o)
	if changed != nil && m.config.Events.ISRChanged != nil {
		m.config.Events.ISRChanged(*changed)
	}
	if failed && m.config.Events.ISRUpdateFailed != nil {
		m.config.Events.ISRUpdateFailed(tp, o.code)
	}
	if again != nil {
		m.submit(again)
		return false
	}
	return true
}

// alterRequest brings proposals into one request: by topic id when all have one.
func alterRequest(changes map[TopicPartition]*proposal) (*wire.AlterPartitionRequest, int16) {
	version := int16(3)
	for _, c := range changes {
		if c.topicID.IsZero() {
			version = 1
		}
	}
	req := &wire.AlterPartitionRequest{}
	at := map[string]int{}
	for tp, c := range changes {
		i, ok := at[tp.Topic]
		if !ok {
			i = len(req.Topics)
			at[tp.Topic] = i
			topic := wire.AlterPartitionRequestTopic{TopicName: tp.Topic}
			if version >= 2 {
				topic = wire.AlterPartitionRequestTopic{TopicID: c.topicID}
			}
			req.Topics = append(req.Topics, topic)
		}
		p := wire.AlterPartitionRequestPartition{PartitionIndex: tp.Partition, LeaderEpoch: c.leaderEpoch, PartitionEpoch: c.partitionEpoch}
		for _, id := range c.isr {
			if version >= 3 {
				p.NewIsrWithEpochs = append(p.NewIsrWithEpochs, wire.AlterPartitionRequestBrokerState{BrokerID: id, BrokerEpoch: -1})
			} else {
				p.NewIsr = append(p.NewIsr, id)
			}
		}
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, p)
	}
	return req, version
}

// shrinkISRs looks for members that have fallen behind, twice per replica.lag.time.max.ms, until ctx ends. While this broker leads nobody it sleeps.
func (m *Manager) shrinkISRs(ctx context.Context) {
	ticker := time.NewTicker(max(m.config.LagTime/2, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		followed := false
		for p := range m.All() {
			m.submit(p.maybeShrink(time.Now()))
			r := p.role.Load()
			followed = followed || r.isLeader && (len(r.isr) > 1 || len(r.replicas) > 1)
		}
		if followed {
			continue
		}
		ticker.Stop()
		select {
		case <-ctx.Done():
			return
		case <-m.followed:
		}
		ticker.Reset(max(m.config.LagTime/2, time.Millisecond))
	}
}
