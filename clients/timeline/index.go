package timeline

import (
	"path"
	"slices"
	"time"

	"github.com/prekraft/prekraft/broker/telemetry"
)

// key is what a cause and its effect have in common.
type key struct {
	kind   keyKind
	broker int32 // where
	other  int32 // the other side of a request
	text   string
	part   int32
	number int64
}

// keyKind tells keys of different meaning apart.
type keyKind uint8

const (
	keyCause     keyKind = iota // an event of the controller's loop, by its cause id
	keySent                     // a control request, by its id
	keyReceived                 // the same, by its id and receiver
	keyAnswered                 // its answer
	keyApplied                  // the last control request of a kind that a broker got
	keyRole                     // a replica's role
	keyFetch                    // a follower's fetching
	keyProposed                 // an ISR that a leader asked for
	keyCommitted                // an ISR that the controller wrote
	keyCommits                  // the same, by the controller's event
	keyZnode                    // a znode that somebody wrote, or whose children
	keyWatch                    // a watch that fired
	keySession                  // a broker's session
)

// near bounds how far apart by the clock a write and the watch that it fires are taken to be. The writer hears of its write after the watcher at times.
const (
	watchAfter  = 5 * time.Second
	watchBefore = 100 * time.Millisecond
)

// idLifetime is how long after an event others may name its id.
const idLifetime = 5 * time.Minute

func always(*node) bool { return true }

// recent is how many causes are kept under one key.
const recent = 8

// index finds causes. It forgets: when the younger of its two generations is full, it becomes the older one.
type index struct {
	count      uint64
	prefer     func(named) bool // which of several partitions counts when an event is about more than one
	young, old map[key][]*node
}

func (x *index) put(k key, n *node) {
	if x.young == nil || len(x.young) >= maxIndexed {
		x.young, x.old = map[key][]*node{}, x.young
	}
	list, ok := x.young[k]
	if !ok {
		list = x.old[k]
	}
	if len(list) >= recent {
		list = list[1:]
	}
	x.young[k] = append(slices.Clone(list), n)
}

// latest is the newest event under a key that effect can follow from.
func (x *index) latest(k key, effect *node, fits func(*node) bool) *node {
	list, ok := x.young[k]
	if !ok {
		list = x.old[k]
	}
	for i := len(list) - 1; i >= 0; i-- {
		if n := list[i]; n != effect && fits(n) {
			return n
		}
	}
	return nil
}

// named is the event that an id names: the nearest by the clock, since a broker that was started anew counts its ids from 1 again.
func (x *index) named(k key, effect *node) *node {
	return x.nearest(k, effect, func(n *node) bool { return effect.record.Time.Sub(n.record.Time).Abs() < idLifetime })
}

// before is latest of the same broker, earlier than the effect by its broker's own order.
func (x *index) before(k key, effect *node) *node {
	return x.latest(k, effect, func(n *node) bool { return n.order < effect.order })
}

// around is the nearest by the clock, for a write and its watch.
func (x *index) around(k key, effect *node, fits func(*node) bool) *node {
	return x.nearest(k, effect, func(n *node) bool {
		d := effect.record.Time.Sub(n.record.Time)
		return fits(n) && d < watchAfter && d > -watchBefore
	})
}

// nearest is the event under a key that is least far away by the clock.
func (x *index) nearest(k key, effect *node, fits func(*node) bool) *node {
	var nearest *node
	x.latest(k, effect, func(n *node) bool {
		if fits(n) && (nearest == nil || effect.record.Time.Sub(n.record.Time).Abs() < effect.record.Time.Sub(nearest.record.Time).Abs()) {
			nearest = n
		}
		return false
	})
	return nearest
}

func partKey(kind keyKind, broker int32, p named, number int64) key {
	return key{kind: kind, broker: broker, text: p.topic, part: p.partition, number: number}
}

// causeKey names an event of the controller, or a request of its.
func causeKey(kind keyKind, c telemetry.CauseID) key {
	return key{kind: kind, broker: c.Broker, number: int64(c.Seq)}
}

// receivedKey names a request that arrived.
func receivedKey(c telemetry.CauseID, receiver int32) key {
	return key{kind: keyReceived, broker: c.Broker, other: receiver, number: int64(c.Seq)}
}

// noEpoch marks a key that holds for all leader epochs.
const noEpoch = -1

// add indexes an event by what it can be the cause of.
func (x *index) add(n *node) {
	x.count++
	at := n.record.Broker
	p := partitionOf(n.record.Event)
	switch e := n.record.Event.(type) {
	case telemetry.ControllerEventStarted:
		x.put(causeKey(keyCause, e.Cause.Cause), n)
	case telemetry.ControlRequestSent:
		x.put(causeKey(keySent, e.ID), n)
	case telemetry.ControlRequestReceived:
		x.put(receivedKey(e.Cause.Cause, at), n)
		x.put(key{kind: keyApplied, broker: at, text: e.Request}, n)
	case telemetry.ControlRequestAnswered:
		x.put(causeKey(keyAnswered, e.ID), n)
	case telemetry.PartitionRoleChanged:
		x.put(partKey(keyRole, at, p, noEpoch), n)
		x.put(partKey(keyRole, at, p, int64(e.LeaderEpoch)), n)
	case telemetry.FetchStarted:
		x.put(partKey(keyFetch, at, p, noEpoch), n)
	case telemetry.IsrProposed:
		x.put(partKey(keyProposed, at, p, noEpoch), n)
		x.put(partKey(keyProposed, noBroker, p, int64(e.PartitionEpoch)), n)
	case telemetry.IsrCommitted:
		x.put(partKey(keyCommitted, noBroker, p, noEpoch), n)
		x.put(causeKey(keyCommits, e.Cause.Cause), n)
	case telemetry.ZnodeChanged:
		x.put(key{kind: keyWatch, broker: at, text: e.Path}, n)
	case telemetry.ZnodeWritten:
		if e.Err == "" {
			x.put(key{kind: keyZnode, text: e.Path}, n)
			if e.Op != "set" {
				x.put(key{kind: keyZnode, text: path.Dir(e.Path)}, n)
			}
		}
	case telemetry.BrokerRegistered:
		x.put(key{kind: keyZnode, text: "/brokers/ids"}, n)
		x.put(key{kind: keySession, broker: at}, n)
	case telemetry.ControllerElected:
		x.put(key{kind: keyZnode, text: "/controller"}, n)
	case telemetry.SessionExpired:
		x.put(key{kind: keyZnode, text: "/brokers/ids"}, n)
		x.put(key{kind: keyZnode, text: "/controller"}, n)
		x.put(key{kind: keySession, broker: at}, n)
	case telemetry.SessionEstablished, telemetry.SessionLost:
		x.put(key{kind: keySession, broker: at}, n)
	}
}

// noBroker stands for any broker.
const noBroker = -1

// watched are the znodes whose watches lead to the controller's events.
var watched = map[string]string{
	"BrokerChange": "/brokers/ids", "TopicChange": "/brokers/topics", "ControllerChange": "/controller", "TopicDeletion": "/admin/delete_topics",
	"IsrChangeNotification": "/isr_change_notification", "LogDirEventNotification": "/log_dir_event_notification",
	"PreferredReplicaElection": "/admin/preferred_replica_election", "ZkPartitionReassignment": "/admin/reassign_partitions",
}

// causeOf finds what an event follows from; nil when nothing that is known.
func (x *index) causeOf(n *node) *node {
	at := n.record.Broker
	p := partitionOf(n.record.Event)
	switch e := n.record.Event.(type) {
	case telemetry.ControllerEventStarted:
		return x.causeOfControllerEvent(n, e)
	case telemetry.ControlRequestReceived:
		return x.named(causeKey(keySent, e.Cause.Cause), n)
	case telemetry.ControlRequestAnswered:
		return either(x.named(receivedKey(e.ID, e.To), n), x.named(causeKey(keySent, e.ID), n))
	case telemetry.PartitionRoleChanged:
		return either(x.named(receivedKey(e.Cause.Cause, at), n), x.named(causeKey(keySent, e.Cause.Cause), n))
	case telemetry.FetchStarted:
		return x.nearest(partKey(keyRole, at, p, int64(e.LeaderEpoch)), n, always)
	case telemetry.LogTruncated:
		return either(x.before(partKey(keyFetch, at, p, noEpoch), n), x.before(partKey(keyRole, at, p, noEpoch), n))
	case telemetry.HighWatermarkAdvanced:
		return x.nearest(partKey(keyRole, at, p, int64(e.LeaderEpoch)), n, always)
	case telemetry.IsrProposed:
		return x.causeOfProposal(n, e, p)
	case telemetry.IsrRefused:
		return x.before(partKey(keyProposed, at, p, noEpoch), n)
	case telemetry.IsrChanged:
		return x.latest(partKey(keyCommitted, noBroker, p, noEpoch), n, func(c *node) bool {
			committed := c.record.Event.(telemetry.IsrCommitted)
			return committed.Leader == at && slices.Equal(committed.To, e.To)
		})
	case telemetry.CoordinatorLoaded:
		return x.before(partKey(keyRole, at, p, noEpoch), n)
	case telemetry.ZnodeChanged:
		return x.around(key{kind: keyZnode, text: e.Path}, n, func(w *node) bool { return fires(w.record.Event, e) })
	case telemetry.BrokerRegistered, telemetry.SessionExpired, telemetry.SessionEstablished:
		return x.before(key{kind: keySession, broker: at}, n)
	case telemetry.BrokerStateChanged:
		if e.To == "serving" {
			return x.before(key{kind: keyApplied, broker: at, text: "UpdateMetadata"}, n)
		}
	}
	if c := n.record.Event.CauseID(); !c.IsZero() {
		return either(x.named(causeKey(keyCause, c), n), x.named(receivedKey(c, at), n), x.named(causeKey(keySent, c), n))
	}
	return nil
}

// fires tells whether what somebody did can have fired a watch.
func fires(did telemetry.Event, watch telemetry.ZnodeChanged) bool {
	made, went := false, false
	switch e := did.(type) {
	case telemetry.ZnodeWritten:
		made, went = e.Op == "create", e.Op == "delete"
	case telemetry.BrokerRegistered, telemetry.ControllerElected:
		made = true
	case telemetry.SessionExpired:
		went = true
	}
	switch watch.Change {
	case "created":
		return made
	case "deleted":
		return went
	case "children":
		return made || went
	}
	return !made && !went
}

// either is the first that is known.
func either(nodes ...*node) *node {
	for _, n := range nodes {
		if n != nil {
			return n
		}
	}
	return nil
}

// causeOfControllerEvent finds the watch, answer or session that put an event into the controller's queue.
func (x *index) causeOfControllerEvent(n *node, e telemetry.ControllerEventStarted) *node {
	at := n.record.Broker
	if p, ok := watched[e.Event]; ok {
		return x.before(key{kind: keyWatch, broker: at, text: p}, n)
	}
	switch e.Event {
	case "PartitionModifications":
		return x.before(key{kind: keyWatch, broker: at, text: "/brokers/topics/" + e.Detail}, n)
	case "Startup", "RegisterBrokerAndReelect", "Expire":
		return x.before(key{kind: keySession, broker: at}, n)
	}
	commits := causeKey(keyCommits, e.Cause.Cause)
	committed := x.named(commits, n)
	if committed != nil {
		preferred := x.nearest(commits, n, func(c *node) bool {
			return x.prefer(partitionOf(c.record.Event)) && c.record.Event.CauseID() == committed.record.Event.CauseID() && c.record.Time.Sub(committed.record.Time).Abs() < time.Second
		})
		committed = either(preferred, committed)
	}
	if committed != nil {
		// Which proposal the event is about only shows in what it wrote.
		isr := committed.record.Event.(telemetry.IsrCommitted)
		return x.nearest(partKey(keyProposed, noBroker, partitionOf(isr), int64(isr.PartitionEpoch)-1), n, always)
	}
	if !e.After.IsZero() {
		return either(x.named(causeKey(keyAnswered, e.After), n), x.named(causeKey(keySent, e.After), n), x.named(causeKey(keyCause, e.After), n))
	}
	return nil
}

// causeOfProposal is the fetching of the follower that the leader wants to let in, otherwise the leader's role.
func (x *index) causeOfProposal(n *node, e telemetry.IsrProposed, p named) *node {
	for _, id := range e.To {
		if slices.Contains(e.From, id) {
			continue
		}
		fetch := x.latest(partKey(keyFetch, id, p, noEpoch), n, func(f *node) bool {
			return f.record.Event.(telemetry.FetchStarted).LeaderEpoch == e.LeaderEpoch
		})
		if fetch != nil {
			return fetch
		}
	}
	return x.nearest(partKey(keyRole, n.record.Broker, p, int64(e.LeaderEpoch)), n, always)
}
