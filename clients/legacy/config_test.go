package legacy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// A consumer.properties of 2015.
func TestPropertiesAreRead(t *testing.T) {
	c, err := ParseProperties(map[string]string{
		"zookeeper.connect": "zk:2181/kafka", "group.id": "g", "zookeeper.session.timeout.ms": "400", "zookeeper.sync.time.ms": "200", "auto.commit.interval.ms": "1000",
		"auto.offset.reset": "smallest", "partition.assignment.strategy": "roundrobin", "offsets.storage": "kafka", "socket.timeout.ms": "30000", "rebalance.max.retries": "9",
		"exclude.internal.topics": "false", "auto.commit.enable": "false", "offsets.commit.max.retries": "0",
	})
	require.NoError(t, err)
	c, err = c.withDefaults()
	require.NoError(t, err)
	require.Equal(t, 400*time.Millisecond, c.SessionTimeout)
	require.Equal(t, time.Second, c.AutoCommitInterval)
	require.Equal(t, RoundRobin, c.Strategy)
	require.Equal(t, StorageDual, c.Storage, "dual.commit.enabled is true where offsets.storage is kafka")
	require.Equal(t, 9, c.RebalanceMaxRetries)
	require.Zero(t, c.CommitMaxRetries)
	require.True(t, c.FromSmallest && c.InternalTopics && c.NoAutoCommit)
	require.Equal(t, "g", c.ClientID)
}

func TestDefaultsAreThoseOfTheOldConsumer(t *testing.T) {
	c, err := Config{ZooKeeper: "zk", Group: "g"}.withDefaults()
	require.NoError(t, err)
	require.Equal(t, Range, c.Strategy)
	require.Equal(t, StorageZooKeeper, c.Storage)
	require.Equal(t, 4, c.RebalanceMaxRetries)
	require.Equal(t, 5, c.CommitMaxRetries)
	require.Equal(t, []time.Duration{2 * time.Second, time.Minute, time.Second, 6 * time.Second, 6 * time.Second},
		[]time.Duration{c.RebalanceBackoff, c.AutoCommitInterval, c.OffsetsBackoff, c.SessionTimeout, c.ConnectionTimeout})
	require.False(t, c.FromSmallest || c.InternalTopics || c.NoAutoCommit)
}

func TestStorageIsMadeOfTwoProperties(t *testing.T) {
	for _, test := range []struct {
		storage, dual string
		want          Storage
	}{
		{"zookeeper", "", StorageZooKeeper},
		{"zookeeper", "true", StorageZooKeeper}, // ignored
		{"kafka", "true", StorageDual},
		{"kafka", "false", StorageKafka},
	} {
		values := map[string]string{"offsets.storage": test.storage}
		if test.dual != "" {
			values["dual.commit.enabled"] = test.dual
		}
		c, err := ParseProperties(values)
		require.NoError(t, err)
		require.Equal(t, test.want, c.Storage, test)
	}
}

func TestWrongConfigsAreRefused(t *testing.T) {
	for _, test := range []struct{ name, value, text string }{
		{"offsets.storage", "both", `kafka or zookeeper, not "both"`},
		{"rebalance.max.retries", "-1", "is not a number from 0"},
		{"auto.commit.enable", "yes", "true or false"},
		{"auto.offset.reset", "earliest", "smallest or largest"},
		{"bootstrap.servers", "x", "no property"},
	} {
		_, err := ParseProperties(map[string]string{test.name: test.value})
		require.ErrorContains(t, err, test.text)
	}
	for text, c := range map[string]Config{
		"zookeeper.connect is missing": {Group: "g"},
		`group.id "a/b"`:               {ZooKeeper: "zk", Group: "a/b"},
		`group.id ""`:                  {ZooKeeper: "zk"},
		`consumer.id "/"`:              {ZooKeeper: "zk", Group: "g", ConsumerID: "/"},
		"range or roundrobin":          {ZooKeeper: "zk", Group: "g", Strategy: "sticky"},
		"offsets.storage is zookeeper": {ZooKeeper: "zk", Group: "g", Storage: "disk"},
		"is negative":                  {ZooKeeper: "zk", Group: "g", RebalanceBackoff: -1},
	} {
		_, err := c.withDefaults()
		require.ErrorContains(t, err, text)
	}
}

func TestFiltersMatchAsTheOldOnesDid(t *testing.T) {
	white, err := WhiteList(`"orders, pay.*"`, 2)
	require.NoError(t, err)
	require.Equal(t, map[string]int32{"orders|pay.*": 2}, white.counts)
	existing := []string{"orders", "orders2", "payments", "__consumer_offsets", "other"}
	require.Equal(t, map[string]int32{"orders": 2, "payments": 2}, white.topics(existing, false))
	black, err := BlackList("orders.*", 1)
	require.NoError(t, err)
	require.Equal(t, map[string]int32{"payments": 1, "other": 1}, black.topics(existing, false))
	require.Contains(t, black.topics(existing, true), "__consumer_offsets")

	_, err = WhiteList("(", 1)
	require.ErrorContains(t, err, "topic filter")
	_, err = Topics(nil)
	require.ErrorContains(t, err, "no topic")
	_, err = Topics(map[string]int{"t": 0})
	require.ErrorContains(t, err, "0 streams")
	_, err = Topics(map[string]int{"a/b": 1})
	require.ErrorContains(t, err, "illegal topic")
}

// What another member wrote may be anything.
func TestRegistrationsOfOthersAreChecked(t *testing.T) {
	for _, r := range []znode.ConsumerRegistration{
		{Pattern: "other", Subscription: map[string]int32{"t": 1}},
		{Pattern: znode.PatternWhiteList, Subscription: map[string]int32{"a": 1, "b": 1}},
		{Pattern: znode.PatternWhiteList, Subscription: map[string]int32{"(": 1}},
		{Pattern: znode.PatternStatic, Subscription: map[string]int32{"t": 1 << 30}},
		{Pattern: znode.PatternStatic, Subscription: map[string]int32{"t": -1}},
	} {
		_, err := subscriptionOf(r)
		require.Error(t, err, r)
	}
}
