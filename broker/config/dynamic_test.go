package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/config"
)

// Between levels the level wins, whatever the unit.
func TestDynamicLevels(t *testing.T) {
	c := load(t, map[string]string{"log.retention.ms": "1000", "log.retention.hours": "1", "num.io.threads": "4", "broker.id": "3"})
	next, err := c.WithDynamic(map[string]string{"log.retention.ms": "2000", "num.io.threads": "5"}, map[string]string{"num.io.threads": "6"})
	require.NoError(t, err)
	require.Equal(t, int64(2000), next.LogRetentionMs())
	require.Equal(t, 6, next.Int(config.NumIOThreads))
	require.Equal(t, config.SourceDynamicDefault, next.Source("log.retention.ms"))
	require.Equal(t, config.Origin{Source: config.SourceDynamicBroker, Where: "/config/brokers/3"}, next.Origin("num.io.threads"))
	require.Equal(t, int64(1000), c.LogRetentionMs(), "snapshots do not change")

	// A dynamic default beats a static value in a coarser or finer unit, and goes as it came.
	hours := load(t, map[string]string{"log.retention.hours": "1"})
	next, err = hours.WithDynamic(map[string]string{"log.retention.ms": "7"}, nil)
	require.NoError(t, err)
	require.Equal(t, int64(7), next.LogRetentionMs())
	next, err = next.WithDynamic(nil, nil)
	require.NoError(t, err)
	require.Equal(t, int64(3600_000), next.LogRetentionMs())
}

// What ZooKeeper holds and cannot be applied is left out and reported; the rest is applied.
func TestDynamicLoadLeavesOutBadValues(t *testing.T) {
	c := load(t, nil)
	next, err := c.WithDynamic(
		map[string]string{"listeners": "SSL://:1", "min.insync.replicas": "2"},
		map[string]string{
			"num.partitions": "9", "num.io.threads": "many", "ssl.keystore.type": "JKS", "log.segment.bytes": "1000",
			"listener.name.plaintext.ssl.keystore.password": "encrypted", "listener.name.plaintext.ssl.client.auth": "maybe", "my.own": "x",
		})
	require.NoError(t, err)
	require.Equal(t, 2, next.Int(config.MinInsyncReplicas))
	require.Equal(t, 1000, next.Int(config.LogSegmentBytes))
	require.Equal(t, 8, next.Int(config.NumIOThreads))
	require.Equal(t, 1, next.Int(config.NumPartitions))
	own, ok := next.Custom("my.own")
	require.True(t, ok)
	require.Equal(t, "x", own)
	var keys []string
	for _, p := range next.Problems() {
		keys = append(keys, p.Key)
		require.NotEmpty(t, p.Where, p.Key)
		require.NotContains(t, p.Error(), "encrypted for", "the value of a password")
	}
	require.Equal(t, []string{"listeners", "listener.name.plaintext.ssl.client.auth", "listener.name.plaintext.ssl.keystore.password",
		"num.io.threads", "num.partitions", "ssl.keystore.type"}, keys)

	// What contradicts the rest is not applied at all.
	_, err = c.WithDynamic(nil, map[string]string{"log.cleaner.threads": "1000"})
	require.ErrorContains(t, err, "at least 1MB per cleaner thread")
}

// A running listener keeps its protocol and its settings; adding one is fine, removing the one between brokers is not.
func TestDynamicListeners(t *testing.T) {
	c := load(t, map[string]string{
		"listeners":                      "PLAINTEXT://:9092,EXTRA://:9093",
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,EXTRA:PLAINTEXT,NEW:SSL",
	})
	for _, v := range []struct {
		props map[string]string
		want  string
	}{
		{map[string]string{"listeners": "PLAINTEXT://:9092,EXTRA://:9093,NEW://:9094"}, ""},
		{map[string]string{"listeners": "PLAINTEXT://:9092"}, ""},
		{map[string]string{"listeners": "EXTRA://:9093"}, "inter.broker.listener.name must be"},
		{map[string]string{"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,EXTRA:SSL"}, "Security protocol cannot be updated"},
		{map[string]string{"listener.name.extra.ssl.truststore.location": "/t", "listener.name.extra.max.connections": "5"}, ""},
		{map[string]string{"listener.name.extra.my.thing": "1"}, "restart broker or create a new listener"},
		{map[string]string{"listener.name.new.my.thing": "1"}, ""},
		{map[string]string{"listener.name.plaintext.ssl.engine.factory.class": "com.example.E"}, "must not be ignored"},
	} {
		err := c.ValidateDynamic(v.props, true)
		if v.want == "" {
			require.NoError(t, err, v.props)
		} else {
			require.ErrorContains(t, err, v.want)
		}
	}
}

// Thread counts move by at most a factor of two, in both directions.
func TestThreadSteps(t *testing.T) {
	c := load(t, map[string]string{"num.io.threads": "8"})
	for text, ok := range map[string]bool{"3": false, "4": true, "8": true, "16": true, "17": false} {
		err := c.ValidateDynamic(map[string]string{"num.io.threads": text}, false)
		require.Equal(t, ok, err == nil, "%s: %v", text, err)
	}
}
