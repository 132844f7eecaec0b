package znode

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// TopicsPath has one child per topic.
const TopicsPath = "/brokers/topics"

// TopicPath holds a topic's id and replica assignment.
func TopicPath(topic string) string { return TopicsPath + "/" + topic }

// PartitionsPath is the parent of a topic's partitions.
func PartitionsPath(topic string) string { return TopicPath(topic) + "/partitions" }

// PartitionPath is the parent of a partition's state.
func PartitionPath(tp TopicPartition) string {
	return PartitionsPath(tp.Topic) + "/" + strconv.Itoa(int(tp.Partition))
}

// PartitionStatePath holds leader, ISR and epochs of a partition.
func PartitionStatePath(tp TopicPartition) string { return PartitionPath(tp) + "/state" }

// ParsePartitionStatePath is the inverse of PartitionStatePath.
func ParsePartitionStatePath(path string) (TopicPartition, bool) {
	parts := strings.Split(path, "/")
	if len(parts) != 7 || parts[0] != "" || parts[1] != "brokers" || parts[2] != "topics" || parts[4] != "partitions" || parts[6] != "state" {
		return TopicPartition{}, false
	}
	p, err := strconv.ParseInt(parts[5], 10, 32)
	if err != nil || p < 0 {
		return TopicPartition{}, false
	}
	return TopicPartition{parts[3], int32(p)}, true
}

// Topic is the content of /brokers/topics/<topic>.
type Topic struct {
	// ID is zero if the node has none: written by a broker with inter.broker.protocol.version below 2.8.
	ID TopicID
	// Partitions has an assignment per partition.
	Partitions map[int32]Assignment
}

// Assignment lists the replicas of a partition.
type Assignment struct {
	// Replicas: the first is the preferred leader. During a reassignment the targets come first, then those being removed.
	Replicas []int32
	// Adding and Removing are empty unless the partition is being reassigned (KIP-455).
	Adding, Removing []int32
}

// Reassigning reports whether replicas are being added or removed.
func (a Assignment) Reassigning() bool { return len(a.Adding) > 0 || len(a.Removing) > 0 }

// Encode gives the version 3 bytes, without topic_id if there is none.
func (t Topic) Encode() []byte {
	b := make([]byte, 0, 128+len(t.Partitions)*24)
	b = t.appendReplicas(append(b, `{"partitions":`...), func(a Assignment) []int32 { return a.Replicas }, true)
	if !t.ID.IsZero() {
		b = appendString(append(b, `,"topic_id":`...), t.ID.String())
	}
	b = t.appendReplicas(append(b, `,"adding_replicas":`...), func(a Assignment) []int32 { return a.Adding }, false)
	b = t.appendReplicas(append(b, `,"removing_replicas":`...), func(a Assignment) []int32 { return a.Removing }, false)
	return append(b, `,"version":3}`...)
}

func (t Topic) appendReplicas(b []byte, pick func(Assignment) []int32, empty bool) []byte {
	byKey := make(map[string][]int32, len(t.Partitions))
	keys := make([]string, 0, len(t.Partitions))
	for p, a := range t.Partitions {
		if ids := pick(a); empty || len(ids) > 0 {
			k := strconv.Itoa(int(p))
			byKey[k] = ids
			keys = append(keys, k)
		}
	}
	tableOrder(keys)
	return appendObject(b, keys, func(b []byte, k string) []byte { return appendInts(b, byKey[k]) })
}

// DecodeTopic reads a topic node of any version. Stricter than Apache: a negative partition is an error.
func DecodeTopic(data []byte) (Topic, error) {
	t, err := decodeTopic(data)
	if err != nil {
		return Topic{}, fmt.Errorf("topic: %w", err)
	}
	return t, nil
}

func decodeTopic(data []byte) (Topic, error) {
	t := Topic{Partitions: map[int32]Assignment{}}
	v, err := parseObject(data)
	if err != nil {
		return t, err
	}
	f := v.fields("topic_id", "adding_replicas", "removing_replicas", "partitions")
	if f[0] != nil {
		s, err := f[0].str("topic_id")
		if err != nil {
			return t, err
		}
		if t.ID, err = ParseTopicID(s); err != nil {
			return t, err
		}
	}
	adding, err := rawReplicas("adding_replicas", f[1])
	if err != nil {
		return t, err
	}
	removing, err := rawReplicas("removing_replicas", f[2])
	if err != nil || f[3] == nil {
		return t, err
	}
	return t, f[3].members(func(key string, val raw) error {
		p, err := strconv.ParseInt(key, 10, 32)
		if err != nil || p < 0 {
			return malformed("partition %.30q", key)
		}
		var a Assignment
		if a.Replicas, err = val.int32s("partitions"); err != nil {
			return err
		}
		if r, ok := adding[key]; ok {
			if a.Adding, err = r.int32s("adding_replicas"); err != nil {
				return err
			}
		}
		if r, ok := removing[key]; ok {
			if a.Removing, err = r.int32s("removing_replicas"); err != nil {
				return err
			}
		}
		t.Partitions[int32(p)] = a
		return nil
	})
}

func rawReplicas(name string, v raw) (map[string]raw, error) {
	if v == nil {
		return nil, nil
	}
	if !v.isObject() {
		return nil, malformed("field %s: expected an object, found %.20s", name, v)
	}
	var out map[string]raw
	err := v.members(func(key string, val raw) error {
		if out == nil {
			out = make(map[string]raw)
		}
		out[key] = val
		return nil
	})
	return out, err
}

// PartitionIDs returns the partitions in order.
func (t Topic) PartitionIDs() []int32 {
	ids := make([]int32, 0, len(t.Partitions))
	for p := range t.Partitions {
		ids = append(ids, p)
	}
	slices.Sort(ids)
	return ids
}

// NoLeader is the leader of a partition that has none.
const NoLeader int32 = -1

// LeaderRecoveryState says whether the leader came out of an unclean election (KIP-704).
type LeaderRecoveryState int8

// The two states of LeaderRecoveryState.
const (
	Recovered  LeaderRecoveryState = 0
	Recovering LeaderRecoveryState = 1
)

// PartitionState is the content of /brokers/topics/<topic>/partitions/<partition>/state. The partition epoch is the zkVersion of that node.
type PartitionState struct {
	// Leader is NoLeader if there is none.
	Leader      int32
	LeaderEpoch LeaderEpoch
	// ISR holds the in-sync replicas; its order means nothing to readers.
	ISR []int32
	// ControllerEpoch is the epoch of the controller that decided this.
	ControllerEpoch ControllerEpoch
	RecoveryState   LeaderRecoveryState
}

// Encode gives the version 1 bytes; leader_recovery_state is written only if it is Recovering.
func (s PartitionState) Encode() []byte {
	b := make([]byte, 0, 112)
	b = appendInt(append(b, `{"controller_epoch":`...), s.ControllerEpoch)
	b = appendInt(append(b, `,"leader":`...), s.Leader)
	b = append(b, `,"version":1,`...)
	if s.RecoveryState != Recovered {
		b = append(appendInt(append(b, `"leader_recovery_state":`...), s.RecoveryState), ',')
	}
	b = appendInt(append(b, `"leader_epoch":`...), s.LeaderEpoch)
	b = appendInts(append(b, `,"isr":`...), s.ISR)
	return append(b, '}')
}

// DecodePartitionState reads a state node. Stricter than Apache, which looks at the low byte of the recovery state only.
func DecodePartitionState(data []byte) (PartitionState, error) {
	s, err := decodePartitionState(data)
	if err != nil {
		return PartitionState{}, fmt.Errorf("partition state: %w", err)
	}
	return s, nil
}

func decodePartitionState(data []byte) (s PartitionState, err error) {
	v, err := parseObject(data)
	if err != nil {
		return s, err
	}
	f := v.fields("leader", "leader_epoch", "isr", "controller_epoch", "leader_recovery_state")
	if s.Leader, err = f[0].int32("leader"); err != nil {
		return s, err
	}
	n, err := f[1].int32("leader_epoch")
	if err != nil {
		return s, err
	}
	s.LeaderEpoch = LeaderEpoch(n)
	if s.ISR, err = f[2].int32s("isr"); err != nil {
		return s, err
	}
	if n, err = f[3].int32("controller_epoch"); err != nil {
		return s, err
	}
	s.ControllerEpoch = ControllerEpoch(n)
	if f[4] != nil {
		if n, err = f[4].int32("leader_recovery_state"); err != nil {
			return s, err
		}
		if n != int32(Recovered) && n != int32(Recovering) {
			return s, malformed("leader recovery state %d", n)
		}
		s.RecoveryState = LeaderRecoveryState(n)
	}
	return s, nil
}
