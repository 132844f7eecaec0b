package timeline

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prekraft/prekraft/broker/telemetry"
)

// Filter says what is shown. What an event that is shown follows from is shown too.
type Filter struct {
	// Topic shows only what is about this topic; empty: all.
	Topic string
	// Partition shows only what is about this partition of Topic; -1: all. With an empty Topic it means nothing.
	Partition int32
	// Brokers shows only the events of these; empty: all.
	Brokers []int32
	// Since leaves out what happened before; the zero time: nothing.
	Since time.Time
}

// specific tells that only some partitions are wanted.
func (f *Filter) specific() bool { return f.Topic != "" }

func (f *Filter) tooOld(r telemetry.Record) bool { return r.Time.Before(f.Since) }

func (f *Filter) matches(r telemetry.Record) bool {
	if len(f.Brokers) > 0 && !slices.Contains(f.Brokers, r.Broker) {
		return false
	}
	if f.Topic == "" {
		return true
	}
	topic, partition := subject(r.Event)
	return topic == f.Topic && (f.Partition < 0 || partition < 0 || partition == f.Partition)
}

// general tells that an event isn't about one topic.
func general(e telemetry.Event) bool {
	topic, _ := subject(e)
	return topic == ""
}

// hidden are the kinds that belong to no story of the cluster; `prekraft events` has them.
func hidden(e telemetry.Event) bool {
	switch e.(type) {
	case telemetry.SegmentRolled, telemetry.SegmentsDeleted, telemetry.LogCompacted, telemetry.ConnectionRejected, telemetry.AuthenticationFailed:
		return true
	}
	return false
}

// lazy are the kinds that are shown only when something follows from them.
func lazy(e telemetry.Event) bool {
	_, yes := e.(telemetry.ControllerEventStarted)
	return yes
}

// subject is the topic and partition that an event is about; the partition is -1 for the whole topic, the topic empty for an event about neither.
func subject(e telemetry.Event) (topic string, partition int32) {
	switch e := e.(type) {
	case telemetry.TopicCreated:
		return e.Topic, -1
	case telemetry.TopicDeleted:
		return e.Topic, -1
	case telemetry.ZnodeWritten:
		return pathSubject(e.Path)
	case telemetry.ZnodeChanged:
		return pathSubject(e.Path)
	case telemetry.ConfigChanged:
		if name, ok := strings.CutPrefix(e.Entity, "topics/"); ok {
			return name, -1
		}
	}
	if p := partitionOf(e); p.topic != "" {
		return p.topic, p.partition
	}
	return "", -1
}

// named is a partition.
type named struct {
	topic     string
	partition int32
}

// partitionOf is the partition of an event about one, otherwise its topic is empty.
func partitionOf(e telemetry.Event) named {
	switch e := e.(type) {
	case telemetry.LeaderElected:
		return named{e.Topic, e.Partition}
	case telemetry.IsrCommitted:
		return named{e.Topic, e.Partition}
	case telemetry.PartitionRoleChanged:
		return named{e.Topic, e.Partition}
	case telemetry.FetchStarted:
		return named{e.Topic, e.Partition}
	case telemetry.ReplicaMoving:
		return named{e.Topic, e.Partition}
	case telemetry.HighWatermarkAdvanced:
		return named{e.Topic, e.Partition}
	case telemetry.IsrProposed:
		return named{e.Topic, e.Partition}
	case telemetry.IsrRefused:
		return named{e.Topic, e.Partition}
	case telemetry.IsrChanged:
		return named{e.Topic, e.Partition}
	case telemetry.ReassignmentStarted:
		return named{e.Topic, e.Partition}
	case telemetry.ReassignmentEnded:
		return named{e.Topic, e.Partition}
	case telemetry.SegmentRolled:
		return named{e.Topic, e.Partition}
	case telemetry.SegmentsDeleted:
		return named{e.Topic, e.Partition}
	case telemetry.LogTruncated:
		return named{e.Topic, e.Partition}
	case telemetry.LogRecovered:
		return named{e.Topic, e.Partition}
	case telemetry.LogCompacted:
		return named{e.Topic, e.Partition}
	case telemetry.CoordinatorLoaded:
		return named{e.Topic, e.Partition}
	}
	return named{}
}

// pathSubject is the topic and partition of a znode.
func pathSubject(path string) (topic string, partition int32) {
	for _, prefix := range []string{"/brokers/topics/", "/config/topics/", "/admin/delete_topics/"} {
		rest, ok := strings.CutPrefix(path, prefix)
		if !ok {
			continue
		}
		topic, rest, _ = strings.Cut(rest, "/")
		number, _, _ := strings.Cut(strings.TrimPrefix(rest, "partitions/"), "/")
		if n, err := strconv.ParseInt(number, 10, 32); err == nil {
			return topic, int32(n)
		}
		return topic, -1
	}
	return "", -1
}
