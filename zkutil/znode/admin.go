package znode

import (
	"fmt"
	"strconv"
)

// Paths of administrative requests and notifications.
const (
	AdminPath                    = "/admin"
	DeleteTopicsPath             = "/admin/delete_topics"
	ReassignPartitionsPath       = "/admin/reassign_partitions"
	PreferredReplicaElectionPath = "/admin/preferred_replica_election"
	IsrChangesPath               = "/isr_change_notification"
	// IsrChangePrefix is what a notification is created with; ZooKeeper appends ten digits.
	IsrChangePrefix  = "/isr_change_notification/isr_change_"
	LogDirEventsPath = "/log_dir_event_notification"
	// LogDirEventPrefix is what a notification is created with; ZooKeeper appends ten digits.
	LogDirEventPrefix = "/log_dir_event_notification/log_dir_event_"
)

// DeleteTopicPath asks for the deletion of a topic. The node has no data.
func DeleteTopicPath(topic string) string { return DeleteTopicsPath + "/" + topic }

// ReassignmentEntry is one line of /admin/reassign_partitions.
type ReassignmentEntry struct {
	TopicPartition
	Replicas []int32
}

// EncodeReassignment gives the content of /admin/reassign_partitions.
func EncodeReassignment(entries []ReassignmentEntry) []byte {
	b := []byte(`{"version":1,"partitions":[`)
	for i, e := range entries {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTopicPartition(b, e.TopicPartition)
		b = append(appendInts(append(b, `,"replicas":`...), e.Replicas), '}')
	}
	return append(b, `]}`...)
}

// DecodeReassignment reads /admin/reassign_partitions. Apache binds it to classes, which refuse unknown fields. Stricter than Apache, which
// coerces strings to numbers and absent fields to null or 0 here: every field is mandatory and typed.
func DecodeReassignment(data []byte) ([]ReassignmentEntry, error) {
	out, err := decodeReassignment(data)
	if err != nil {
		return nil, fmt.Errorf("partition reassignment: %w", err)
	}
	return out, nil
}

func decodeReassignment(data []byte) ([]ReassignmentEntry, error) {
	v, err := parseObject(data)
	if err != nil {
		return nil, err
	}
	if err := v.only("version", "partitions"); err != nil {
		return nil, err
	}
	f := v.fields("version", "partitions")
	if _, err := f[0].int32("version"); err != nil {
		return nil, err
	}
	if f[1] == nil {
		return nil, malformed("field partitions is missing")
	}
	out := []ReassignmentEntry{}
	err = f[1].elements(func(e raw) error {
		if err := e.only("topic", "partition", "replicas"); err != nil {
			return err
		}
		tp, err := e.topicPartition()
		if err != nil {
			return err
		}
		replicas, err := e.fields("replicas")[0].int32s("replicas")
		out = append(out, ReassignmentEntry{tp, replicas})
		return err
	})
	return out, err
}

// only refuses members other than the named ones.
func (v raw) only(names ...string) error {
	return v.members(func(key string, _ raw) error {
		for _, n := range names {
			if n == key {
				return nil
			}
		}
		return malformed("unknown field %.30q", key)
	})
}

func (v raw) topicPartition() (tp TopicPartition, err error) {
	if !v.isObject() {
		return tp, malformed("expected an object, found %.20s", v)
	}
	f := v.fields("topic", "partition")
	if tp.Topic, err = f[0].str("topic"); err != nil {
		return tp, err
	}
	tp.Partition, err = f[1].int32("partition")
	return tp, err
}

// appendTopicPartition leaves the object open.
func appendTopicPartition(b []byte, tp TopicPartition) []byte {
	b = appendString(append(b, `{"topic":`...), tp.Topic)
	return appendInt(append(b, `,"partition":`...), tp.Partition)
}

func encodePartitions(tps []TopicPartition) []byte {
	b := []byte(`{"version":1,"partitions":[`)
	for i, tp := range tps {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendTopicPartition(b, tp), '}')
	}
	return append(b, `]}`...)
}

func decodePartitions(what string, data []byte) ([]TopicPartition, error) {
	v, err := parseObject(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	list := v.fields("partitions")[0]
	if list == nil {
		return nil, fmt.Errorf("%s: %w", what, malformed("field partitions is missing"))
	}
	out := []TopicPartition{}
	err = list.elements(func(e raw) error {
		tp, err := e.topicPartition()
		out = append(out, tp)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return out, nil
}

// EncodePreferredReplicaElection gives the content of /admin/preferred_replica_election.
func EncodePreferredReplicaElection(tps []TopicPartition) []byte { return encodePartitions(tps) }

// DecodePreferredReplicaElection reads /admin/preferred_replica_election. Apache takes data that is not JSON for an empty list; here it is an
// error, and the caller decides.
func DecodePreferredReplicaElection(data []byte) ([]TopicPartition, error) {
	return decodePartitions("preferred replica election", data)
}

// EncodeIsrChange gives the content of an ISR change notification.
func EncodeIsrChange(tps []TopicPartition) []byte { return encodePartitions(tps) }

// DecodeIsrChange reads an ISR change notification. Apache takes data that is not JSON for an empty list; here it is an error.
func DecodeIsrChange(data []byte) ([]TopicPartition, error) {
	return decodePartitions("isr change", data)
}

// LogDirFailure is the only event of a log dir notification.
const LogDirFailure = 1

// EncodeLogDirEvent gives the content of a log dir notification: a log directory of the broker failed.
func EncodeLogDirEvent(broker int32) []byte {
	return []byte(`{"version":1,"broker":` + strconv.Itoa(int(broker)) + `,"event":1}`)
}

// DecodeLogDirEvent reads a log dir notification and returns the broker.
func DecodeLogDirEvent(data []byte) (broker int32, err error) {
	v, err := parseObject(data)
	if err == nil {
		broker, err = v.fields("broker")[0].int32("broker")
	}
	if err != nil {
		return 0, fmt.Errorf("log dir event: %w", err)
	}
	return broker, nil
}
