package config

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Topic is the effective configuration of one topic: its overrides over what the broker says. It is immutable and may be
// shared by all partitions of the topic. Times are in milliseconds, sizes in bytes, as Kafka's names say.
type Topic struct {
	// Compact and Delete are the cleanup.policy; one of them or both.
	Compact, Delete bool
	// CompressionType is "producer", "uncompressed" or a codec.
	CompressionType string
	// The levels used when CompressionType is a codec and a batch must be compressed again.
	CompressionGzipLevel, CompressionLZ4Level, CompressionZstdLevel int
	DeleteRetentionMs                                               int64
	FileDeleteDelayMs                                               int64
	FlushMessages, FlushMs                                          int64
	IndexIntervalBytes                                              int
	// MinCompactionLagMs <= MaxCompactionLagMs.
	MinCompactionLagMs, MaxCompactionLagMs int64
	MaxMessageBytes                        int
	MessageDownconversionEnable            bool
	// MessageTimestampBeforeMaxMs and MessageTimestampAfterMaxMs bound CreateTime timestamps, math.MaxInt64 being no bound.
	MessageTimestampBeforeMaxMs, MessageTimestampAfterMaxMs int64
	// LogAppendTime is the message.timestamp.type: the broker's clock instead of the producer's.
	LogAppendTime          bool
	MinCleanableDirtyRatio float64
	MinInsyncReplicas      int
	Preallocate            bool
	// RetentionBytes and RetentionMs: -1 has no limit.
	RetentionBytes, RetentionMs int64
	SegmentBytes                int
	SegmentIndexBytes           int
	SegmentJitterMs, SegmentMs  int64
	UncleanLeaderElectionEnable bool
	// LeaderThrottled and FollowerThrottled are the replicas under replication throttles.
	LeaderThrottled, FollowerThrottled ThrottledReplicas

	values    map[string]value
	overrides map[string]string
}

// Text returns a config of the topic as Kafka prints it, "" for names that are not in the table.
func (t *Topic) Text(name string) string { return t.values[name].text }

// Overridden reports whether the topic itself sets a config.
func (t *Topic) Overridden(name string) bool {
	_, ok := t.overrides[name]
	return ok
}

// ThrottledReplicas says which replicas of a topic a throttle applies to.
type ThrottledReplicas struct {
	// All: every replica ("*").
	All   bool
	pairs map[replica]bool
}

type replica struct{ partition, broker int32 }

// Contains reports whether a replica is throttled.
func (r ThrottledReplicas) Contains(partition, broker int32) bool {
	return r.All || len(r.pairs) > 0 && r.pairs[replica{partition, broker}]
}

// Empty reports whether no replica is throttled.
func (r ThrottledReplicas) Empty() bool { return !r.All && len(r.pairs) == 0 }

// TopicConfig returns the effective configuration of a topic with the given overrides, as they stand in /config/topics/<topic>.
// Unknown names and bad values are errors, as in ValidateTopic.
func TopicConfig(c *Config, overrides map[string]string) (*Topic, error) {
	values, err := topicValues(c, overrides)
	if err != nil {
		return nil, err
	}
	return newTopic(values, overrides), nil
}

// ValidateTopic checks overrides as CreateTopics and AlterConfigs must: names, values, and values against each other and
// against the broker's. Without a broker's configuration (nil) the defaults of the table stand in.
//
// An unknown name wraps ErrUnknownTopicConfig, everything else is an *Error. All of them are INVALID_CONFIG to Kafka.
func ValidateTopic(c *Config, overrides map[string]string) error {
	values, err := topicValues(c, overrides)
	if err != nil {
		return err
	}
	switch {
	case values[TopicRemoteLogDeleteOnDisable].bool() || values[TopicRemoteLogCopyDisable].bool():
		return reason("It is invalid to set `remote.log.delete.on.disable` or `remote.log.copy.disable` under Zookeeper's mode.")
	case values[TopicRemoteStorageEnable].bool():
		return reason("Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.")
	}
	return nil
}

// topicValues parses overrides over the broker's values.
func topicValues(c *Config, overrides map[string]string) (map[string]value, error) {
	defs := topicTable()
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		if defs.byName[name] == nil {
			return nil, unknownTopicConfig(name)
		}
	}
	values := make(map[string]value, len(defs.defs))
	for i := range defs.defs {
		d := &defs.defs[i]
		if text, ok := overrides[d.Name]; ok {
			v, err := d.parse(text)
			if err != nil {
				return nil, err
			}
			values[d.Name] = v
			continue
		}
		v, ok := c.forTopic(d)
		if !ok {
			v, _ = d.parse(d.Default) // a test parses every default
		}
		values[d.Name] = v
	}
	least, most := values[TopicMinCompactionLagMs], values[TopicMaxCompactionLagMs]
	if least.n > most.n {
		return nil, reason("conflict topic config setting min.compaction.lag.ms (" + least.text + ") > max.compaction.lag.ms (" +
			most.text + ")")
	}
	return values, nil
}

// forTopic returns what the broker says about a topic config. ok is false if it says nothing.
func (c *Config) forTopic(d *Def) (v value, ok bool) {
	if c == nil || len(d.Synonyms) == 0 {
		return value{}, false
	}
	switch d.Name {
	case TopicSegmentMs:
		return integerValue(c.LogRollMs()), true
	case TopicSegmentJitterMs:
		return integerValue(c.LogRollJitterMs()), true
	case TopicRetentionMs:
		return integerValue(c.LogRetentionMs()), true
	case TopicFlushMs:
		return integerValue(c.LogFlushIntervalMs()), true
	case TopicMessageTimestampBeforeMaxMs:
		return integerValue(c.LogMessageTimestampBeforeMaxMs()), true
	case TopicMessageTimestampAfterMaxMs:
		return integerValue(c.LogMessageTimestampAfterMaxMs()), true
	case TopicMessageFormatVersion:
		// Since inter.broker.protocol.version 3.0 the configured version is ignored for this one.
		return value{set: true, text: d.Default}, true
	}
	return c.values[d.Synonyms[0]], true
}

func newTopic(v map[string]value, overrides map[string]string) *Topic {
	difference := v[TopicMessageTimestampDifferenceMaxMs].n
	limit := func(n int64) int64 {
		if n != math.MaxInt64 {
			return n
		}
		return difference
	}
	retention := max(-1, v[TopicRetentionMs].n)
	return &Topic{
		Compact:                     slices.Contains(v[TopicCleanupPolicy].list, "compact"),
		Delete:                      slices.Contains(v[TopicCleanupPolicy].list, "delete"),
		CompressionType:             v[TopicCompressionType].text,
		CompressionGzipLevel:        int(v[TopicCompressionGzipLevel].n),
		CompressionLZ4Level:         int(v[TopicCompressionLZ4Level].n),
		CompressionZstdLevel:        int(v[TopicCompressionZstdLevel].n),
		DeleteRetentionMs:           v[TopicDeleteRetentionMs].n,
		FileDeleteDelayMs:           v[TopicFileDeleteDelayMs].n,
		FlushMessages:               v[TopicFlushMessages].n,
		FlushMs:                     v[TopicFlushMs].n,
		IndexIntervalBytes:          int(v[TopicIndexIntervalBytes].n),
		MinCompactionLagMs:          v[TopicMinCompactionLagMs].n,
		MaxCompactionLagMs:          v[TopicMaxCompactionLagMs].n,
		MaxMessageBytes:             int(v[TopicMaxMessageBytes].n),
		MessageDownconversionEnable: v[TopicMessageDownconversionEnable].bool(),
		MessageTimestampBeforeMaxMs: limit(v[TopicMessageTimestampBeforeMaxMs].n),
		MessageTimestampAfterMaxMs:  limit(v[TopicMessageTimestampAfterMaxMs].n),
		LogAppendTime:               v[TopicMessageTimestampType].text == "LogAppendTime",
		MinCleanableDirtyRatio:      v[TopicMinCleanableDirtyRatio].f,
		MinInsyncReplicas:           int(v[TopicMinInsyncReplicas].n),
		Preallocate:                 v[TopicPreallocate].bool(),
		RetentionBytes:              v[TopicRetentionBytes].n,
		RetentionMs:                 retention,
		SegmentBytes:                int(v[TopicSegmentBytes].n),
		SegmentIndexBytes:           int(v[TopicSegmentIndexBytes].n),
		SegmentJitterMs:             v[TopicSegmentJitterMs].n,
		SegmentMs:                   v[TopicSegmentMs].n,
		UncleanLeaderElectionEnable: v[TopicUncleanLeaderElectionEnable].bool(),
		LeaderThrottled:             newThrottled(v[TopicLeaderReplicationThrottledReplicas].list),
		FollowerThrottled:           newThrottled(v[TopicFollowerReplicationThrottledReplicas].list),
		values:                      v,
		overrides:                   overrides,
	}
}

func newThrottled(entries []string) ThrottledReplicas {
	if strings.Join(entries, "") == "*" {
		return ThrottledReplicas{All: true}
	}
	r := ThrottledReplicas{}
	for _, e := range entries {
		partition, broker, ok := strings.Cut(e, ":")
		p, perr := strconv.ParseInt(partition, 10, 32)
		b, berr := strconv.ParseInt(broker, 10, 32)
		if !ok || perr != nil || berr != nil {
			continue // empty, or beyond any id there can be
		}
		if r.pairs == nil {
			r.pairs = make(map[replica]bool, len(entries))
		}
		r.pairs[replica{int32(p), int32(b)}] = true
	}
	return r
}
