package controller

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// TestRandomHistories lets three brokers with controllers die, come back, bounce, shut down, lose sessions, change ISRs,
// create, grow and delete topics in any order, and checks after every step what must always hold in ZooKeeper:
//
//   - a leader epoch never has two leaders, and neither leader epochs nor partition epochs nor controller epochs fall;
//   - the leader is in the ISR, the ISR is not empty and holds assigned replicas only;
//   - once all is quiet, the active controller's cache is what ZooKeeper holds;
//   - a partition with a live replica in its ISR has a live leader;
//   - counters that are kept by increments are what counting gives.
func TestRandomHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var failure any
		synctest.Test(t, func(*testing.T) {
			w := newWorld(t)
			defer w.close()
			// A panic, of rapid or of a check, has to leave the bubble before rapid may see it.
			defer func() { failure = recover() }()
			h := &history{w: w, rt: rt, seen: map[string]seen{}}
			for id := int32(1); id <= 3; id++ {
				w.register(w.member(id))
				w.start(w.member(id))
				synctest.Wait()
			}
			steps := rapid.IntRange(5, 40).Draw(rt, "steps")
			for range steps {
				h.step()
				synctest.Wait()
				h.check()
			}
		})
		switch f := failure.(type) {
		case nil:
		case brokenInvariant:
			rt.Fatal(string(f))
		default:
			panic(f)
		}
	})
}

// brokenInvariant is what a check panics with.
type brokenInvariant string

type seen struct {
	leaders map[int32]int32
	last    Leadership
}

type history struct {
	w      *world
	rt     *rapid.T
	topics int
	seen   map[string]seen
	epoch  int32
	log    []string
}

func (h *history) fail(format string, args ...any) {
	panic(brokenInvariant(fmt.Sprintf(format, args...) + fmt.Sprintf("\nhistory: %v", h.log)))
}

func (h *history) step() {
	w := h.w
	m := w.member(int32(rapid.IntRange(1, 3).Draw(h.rt, "broker")))
	registered := slices.Contains(w.tree.ls(znode.BrokerIDsPath), fmt.Sprint(m.id))
	action := rapid.SampledFrom([]string{
		"kill", "start", "bounce", "crash", "expire", "topic", "grow", "delete", "alter", "alter", "shutdown", "elect", "lose", "depose", "logdir",
	}).Draw(h.rt, "action")
	h.log = append(h.log, fmt.Sprintf("%s %d", action, m.id))
	switch action {
	case "kill":
		w.kill(m)
	case "start":
		switch {
		case !registered:
			w.register(m)
		case m.ctl == nil: // Its last process left the registration, and perhaps the office.
			w.takeOver(m)
			if data, _, ok := w.tree.get(znode.ControllerPath); ok {
				if now, err := znode.DecodeController([]byte(data)); err == nil && now.BrokerID == m.id {
					w.tree.removeOne(znode.ControllerPath)
				}
			}
		}
		if m.ctl == nil {
			w.start(m)
		}
	case "bounce":
		if registered {
			w.bounce(m)
		}
	case "crash":
		w.crash(m)
	case "expire":
		if m.ctl != nil {
			m.session.expire()
			m.ctl.SessionExpired()
			synctest.Wait()
			m.session.renew()
			m.ctl.SessionStarted()
		}
	case "topic":
		h.topics++
		w.topic(fmt.Sprintf("t%d", h.topics%4), h.replicas(), h.replicas())
	case "grow":
		name := fmt.Sprintf("t%d", h.topics%4)
		if data, _, ok := w.tree.get(znode.TopicPath(name)); ok {
			topic, err := znode.DecodeTopic([]byte(data))
			require.NoError(w.t, err)
			topic.Partitions[int32(len(topic.Partitions))] = znode.Assignment{Replicas: h.replicas()}
			w.tree.set(znode.TopicPath(name), topic.Encode())
		}
	case "delete":
		w.tree.mustCreate(znode.DeleteTopicPath(fmt.Sprintf("t%d", rapid.IntRange(0, 4).Draw(h.rt, "topic"))), nil, nil)
	case "alter":
		h.alter(m)
	case "shutdown":
		if c := w.anyActive(); c != nil {
			c.ControlledShutdown(&wire.ControlledShutdownRequest{BrokerID: m.id, BrokerEpoch: m.epoch}, func(*wire.ControlledShutdownResponse) {})
		}
	case "elect":
		if c := w.anyActive(); c != nil {
			c.RunElections(ElectionType(rapid.IntRange(0, 1).Draw(h.rt, "type")), nil, func([]ElectionResult) {})
		}
	case "lose":
		m.session.loseNext(1)
	case "depose":
		if c := w.anyActive(); c != nil && c.IsActive() {
			// Its ephemeral goes in the middle of its next write, and another is elected.
			d := w.member(c.cfg.BrokerID)
			d.session.onNextWrite(func([]Op) {
				data, _, _ := w.tree.get(znode.ControllerEpochPath)
				epoch, _ := znode.DecodeControllerEpoch([]byte(data))
				w.tree.set(znode.ControllerEpochPath, znode.EncodeControllerEpoch(epoch+1))
				w.tree.removeOne(znode.ControllerPath)
			})
		}
	case "logdir":
		code := rapid.SampledFrom([]wire.Error{wire.None, wire.KafkaStorageError}).Draw(h.rt, "code")
		w.mu.Lock()
		m.errors["LeaderAndIsr t0-0"] = code
		w.mu.Unlock()
		w.tree.mustCreate(znode.LogDirEventPrefix+fmt.Sprintf("%010d", len(h.log)), znode.EncodeLogDirEvent(m.id), nil)
	}
}

func (h *history) replicas() []int32 {
	ids := rapid.Permutation([]int32{1, 2, 3}).Draw(h.rt, "replicas")
	return ids[:rapid.IntRange(1, 3).Draw(h.rt, "rf")]
}

// alter has a broker ask for an ISR as a leader would, with what it believes, right or wrong.
func (h *history) alter(m *member) {
	c := h.w.anyActive()
	name := fmt.Sprintf("t%d", rapid.IntRange(0, 3).Draw(h.rt, "topic"))
	now, ok := leadership(h.w, name, 0)
	if c == nil || !ok {
		return
	}
	p := wire.AlterPartitionRequestPartition{
		LeaderEpoch: now.LeaderEpoch, LeaderRecoveryState: int8(now.Recovery),
		PartitionEpoch: now.PartitionEpoch - int32(rapid.IntRange(0, 1).Draw(h.rt, "stale")),
	}
	for _, id := range h.replicas() {
		p.NewIsrWithEpochs = append(p.NewIsrWithEpochs, wire.AlterPartitionRequestBrokerState{BrokerID: id})
	}
	// A leader is in its own ISR.
	if !slices.ContainsFunc(p.NewIsrWithEpochs, func(b wire.AlterPartitionRequestBrokerState) bool { return b.BrokerID == m.id }) {
		p.NewIsrWithEpochs = append(p.NewIsrWithEpochs, wire.AlterPartitionRequestBrokerState{BrokerID: m.id})
	}
	c.AlterPartition(&wire.AlterPartitionRequest{BrokerID: m.id, BrokerEpoch: m.epoch, Topics: []wire.AlterPartitionRequestTopic{{
		TopicID: wire.UUID(topicID(name)), Partitions: []wire.AlterPartitionRequestPartition{p},
	}}}, func(*wire.AlterPartitionResponse) {})
}

func (h *history) check() {
	w := h.w
	if data, _, ok := w.tree.get(znode.ControllerEpochPath); ok {
		epoch, err := znode.DecodeControllerEpoch([]byte(data))
		require.NoError(w.t, err)
		if int32(epoch) < h.epoch {
			h.fail("controller epoch fell from %d to %d", h.epoch, epoch)
		}
		h.epoch = int32(epoch)
	}
	deleting := w.tree.ls(znode.DeleteTopicsPath)
	present := map[string]bool{}
	for _, name := range w.tree.ls(znode.TopicsPath) {
		data, _, _ := w.tree.get(znode.TopicPath(name))
		topic, err := znode.DecodeTopic([]byte(data))
		require.NoError(w.t, err)
		for id, a := range topic.Partitions {
			if l, ok := leadership(w, name, id); ok {
				key := TopicPartition{Topic: name, Partition: id}.String()
				present[key] = true
				h.checkState(key, a.Replicas, l, slices.Contains(deleting, name))
			}
		}
	}
	for key := range h.seen {
		if !present[key] {
			delete(h.seen, key) // Deleted; a new topic of the name starts afresh.
		}
	}
	if c := w.anyActive(); c != nil && c.IsActive() {
		h.checkCache(c)
	}
}

func (h *history) checkState(key string, replicas []int32, l Leadership, deleting bool) {
	s, ok := h.seen[key]
	if !ok || l.PartitionEpoch < s.last.PartitionEpoch && l.LeaderEpoch == 0 {
		s = seen{leaders: map[int32]int32{}, last: Leadership{LeaderEpoch: -1, PartitionEpoch: -1}}
	}
	if l.LeaderEpoch < s.last.LeaderEpoch || l.PartitionEpoch < s.last.PartitionEpoch {
		h.fail("%s: epochs fell from %s to %s", key, leadText(s.last), leadText(l))
	}
	if leader, known := s.leaders[l.LeaderEpoch]; known && leader != l.Leader {
		h.fail("%s: leader epoch %d has leaders %d and %d", key, l.LeaderEpoch, leader, l.Leader)
	}
	if len(l.ISR) == 0 || l.Leader != NoLeader && !contains(l.ISR, l.Leader) || hasDuplicates(l.ISR) {
		h.fail("%s: %s", key, leadText(l))
	}
	for _, id := range l.ISR {
		if !contains(replicas, id) {
			h.fail("%s: %d is no replica: %s", key, id, leadText(l))
		}
	}
	s.leaders[l.LeaderEpoch] = l.Leader
	s.last = l
	h.seen[key] = s
}

// checkCache compares the controller's memory with ZooKeeper. Everything is quiet: nobody else touches it.
func (h *history) checkCache(c *Controller) {
	k := c.cluster
	if names := h.w.tree.ls(znode.TopicsPath); len(names) != len(k.topics) {
		h.fail("controller knows %d topics of %v", len(k.topics), names)
	}
	if ids := h.w.tree.ls(znode.BrokerIDsPath); len(ids) != len(k.brokers) {
		h.fail("controller knows %v of brokers %v", k.brokerIDs(), ids)
	}
	offline, imbalanced, partitions := 0, 0, 0
	k.allPartitions(func(p *partition) {
		partitions++
		stored, ok := leadership(h.w, p.tp.Topic, p.tp.Partition)
		if ok != p.led {
			h.fail("%s: cached %t, stored %t", p.tp, p.led, ok)
		}
		if ok && (stored.PartitionEpoch != p.lead.PartitionEpoch || stored.Leader != p.lead.Leader ||
			stored.LeaderEpoch != p.lead.LeaderEpoch || !slices.Equal(stored.ISR, p.lead.ISR)) {
			h.fail("%s: cached %s, stored %s", p.tp, leadText(p.lead), leadText(stored))
		}
		if p.topic.deleting {
			return
		}
		if p.state != OnlinePartition {
			offline++
		}
		if p.led && p.lead.Leader != p.replicas[0] {
			imbalanced++
		}
		live := slices.ContainsFunc(p.lead.ISR, func(id int32) bool { return k.online(p, id) })
		leads := p.led && k.onlineOrShuttingDown(p, p.lead.Leader)
		if live && !leads {
			h.fail("%s has a live replica in its ISR and no leader: %s", p.tp, leadText(p.lead))
		}
		if !p.led && slices.ContainsFunc(p.replicas, func(id int32) bool { return k.online(p, id) }) {
			h.fail("%s has a live replica and no state", p.tp)
		}
	})
	if k.counts != (counts{partitions, offline, imbalanced}) {
		h.fail("counted %+v, have %d partitions, %d offline, %d imbalanced", k.counts, partitions, offline, imbalanced)
	}
}
