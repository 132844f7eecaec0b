package config_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/config"
)

func TestTopicFollowsBroker(t *testing.T) {
	c := load(t, map[string]string{
		"log.segment.bytes": "1000", "log.retention.hours": "1", "log.flush.scheduler.interval.ms": "50", "min.insync.replicas": "2",
		"log.message.timestamp.difference.max.ms": "9", "log.roll.jitter.hours": "1", "log.message.format.version": "2.0",
	})
	topic, err := config.TopicConfig(c, map[string]string{"segment.ms": " 77 ", "cleanup.policy": "compact,delete", "message.timestamp.type": "LogAppendTime"})
	require.NoError(t, err)
	require.Equal(t, 1000, topic.SegmentBytes)
	require.Equal(t, int64(3600_000), topic.RetentionMs)
	require.Equal(t, int64(50), topic.FlushMs)
	require.Equal(t, 2, topic.MinInsyncReplicas)
	require.Equal(t, int64(77), topic.SegmentMs)
	require.Equal(t, int64(3600_000), topic.SegmentJitterMs)
	require.Equal(t, int64(9), topic.MessageTimestampBeforeMaxMs)
	require.True(t, topic.Compact && topic.Delete && topic.LogAppendTime)
	require.True(t, topic.Overridden("segment.ms"))
	require.False(t, topic.Overridden("retention.ms"))
	require.Equal(t, "3.0-IV1", topic.Text("message.format.version"), "ignored since 3.0")
	require.Equal(t, "0.5", topic.Text("min.cleanable.dirty.ratio"))
}

func TestTopicDefaults(t *testing.T) {
	topic, err := config.TopicConfig(load(t, nil), nil)
	require.NoError(t, err)
	require.True(t, topic.Delete)
	require.False(t, topic.Compact)
	require.Equal(t, int64(math.MaxInt64), topic.FlushMessages)
	require.Equal(t, int64(math.MaxInt64), topic.MessageTimestampAfterMaxMs)
	require.Equal(t, int64(-1), topic.RetentionBytes)
	require.Equal(t, 1<<30, topic.SegmentBytes)
	require.Equal(t, 1048588, topic.MaxMessageBytes)
	require.InDelta(t, 0.5, topic.MinCleanableDirtyRatio, 0)
	require.True(t, topic.LeaderThrottled.Empty())

	deprecated, err := config.TopicConfig(load(t, nil), map[string]string{"message.timestamp.difference.max.ms": "5"})
	require.NoError(t, err)
	require.Equal(t, int64(5), deprecated.MessageTimestampBeforeMaxMs)
}

func TestThrottledReplicas(t *testing.T) {
	topic, err := config.TopicConfig(load(t, nil), map[string]string{
		"leader.replication.throttled.replicas": "0:1, 2:3,", "follower.replication.throttled.replicas": "*",
	})
	require.NoError(t, err)
	require.True(t, topic.LeaderThrottled.Contains(2, 3))
	require.False(t, topic.LeaderThrottled.Contains(2, 1))
	require.True(t, topic.FollowerThrottled.Contains(99, 99))
	for _, bad := range []string{"0", "0:", "0:1,x", "*,0:1", "-1:2"} {
		require.Error(t, config.ValidateTopic(nil, map[string]string{"leader.replication.throttled.replicas": bad}), bad)
	}
}

// Values are held against the broker's where the topic does not set them.
func TestTopicAgainstBroker(t *testing.T) {
	c := load(t, map[string]string{"log.cleaner.max.compaction.lag.ms": "10"})
	require.ErrorContains(t, config.ValidateTopic(c, map[string]string{"min.compaction.lag.ms": "11"}), "min.compaction.lag.ms (11) > ")
	require.NoError(t, config.ValidateTopic(nil, map[string]string{"min.compaction.lag.ms": "11"}))
}

func TestQuotaText(t *testing.T) {
	for _, v := range []struct {
		entity config.Entity
		key    string
		value  float64
		want   string
	}{
		{config.EntityUser, "producer_byte_rate", 1024, "1024"},
		{config.EntityUser, "producer_byte_rate", 1023.9999999, "1024"},
		{config.EntityClient, "request_percentage", 150.25, "150.25"},
		{config.EntityClient, "controller_mutation_rate", 10, "10.0"},
		{config.EntityIP, "connection_creation_rate", 5, "5"},
		{config.EntityUser, "consumer_byte_rate", math.MaxInt64, "9223372036854775807"},
		{config.EntityUser, "request_percentage", 1e7, "1.0E7"},
	} {
		got, err := config.QuotaText(v.entity, v.key, v.value)
		require.NoError(t, err)
		require.Equal(t, v.want, got)
	}
	_, err := config.QuotaText(config.EntityUser, "producer_byte_rate", 1.5)
	require.ErrorIs(t, err, config.ErrQuotaValue)
	require.EqualError(t, err, "Configuration producer_byte_rate must be a LONG value")
	for _, v := range []float64{math.NaN(), math.Inf(1), 1e300, -1e300} {
		_, err = config.QuotaText(config.EntityUser, "producer_byte_rate", v)
		require.ErrorIs(t, err, config.ErrQuotaValue, v)
	}
	_, err = config.QuotaText(config.EntityIP, "connection_creation_rate", 3e9)
	require.ErrorIs(t, err, config.ErrQuotaValue)
	_, err = config.QuotaText(config.EntityIP, "producer_byte_rate", 1)
	require.ErrorIs(t, err, config.ErrUnknownQuota)
	_, err = config.QuotaText(config.EntityUser, "SCRAM-SHA-256", 1)
	require.ErrorIs(t, err, config.ErrUnknownQuota)
	require.ErrorIs(t, config.ValidateEntity(config.EntityClient, map[string]string{"SCRAM-SHA-256": "x"}), config.ErrUnknownQuota)
	require.ErrorContains(t, config.ValidateEntity(config.EntityIP, map[string]string{"connection_creation_rate": "-1"}), "at least 0")
}
