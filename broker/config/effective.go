package config

import (
	"math"
	"strconv"
	"time"
)

// BrokerID returns the broker's id, or -1 if it is to be generated or read from meta.properties.
func (c *Config) BrokerID() int { return c.Int(BrokerID) }

// WithBrokerID returns a snapshot that knows the id which was generated or found in meta.properties.
func (c *Config) WithBrokerID(id int) *Config {
	next := *c
	next.generatedID = &id
	next.build() // it was valid, and only the id changes
	return &next
}

// LogDirs returns the data directories, from log.dirs or else log.dir.
func (c *Config) LogDirs() []string {
	if c.IsSet(string(LogDirs)) {
		return splitCSV(c.String(LogDirs))
	}
	return splitCSV(c.String(LogDir))
}

// firstSet returns the first of some times that is set, in milliseconds.
func (c *Config) firstSet(keys ...DurationKey) int64 {
	for _, k := range keys {
		if v := c.values[string(k)]; v.set {
			return millis(v.n, unit(string(k)))
		}
	}
	return 0
}

// millis converts to milliseconds and stops at the ends.
func millis(n int64, unit time.Duration) int64 {
	factor := int64(unit / time.Millisecond)
	switch limit := math.MaxInt64 / factor; {
	case n > limit:
		return math.MaxInt64
	case n < -limit:
		return math.MinInt64
	}
	return n * factor
}

// LogRollMs returns the age at which segments roll, in milliseconds.
func (c *Config) LogRollMs() int64 { return c.firstSet(LogRollMs, LogRollHours) }

// LogRollJitterMs returns the random reduction of that age, in milliseconds.
func (c *Config) LogRollJitterMs() int64 { return c.firstSet(LogRollJitterMs, LogRollJitterHours) }

// LogRetentionMs returns the age at which segments are deleted, in milliseconds; -1 keeps them.
func (c *Config) LogRetentionMs() int64 {
	return max(-1, c.firstSet(LogRetentionMs, LogRetentionMinutes, LogRetentionHours))
}

// LogFlushIntervalMs returns the age at which records are forced to disk, in milliseconds.
func (c *Config) LogFlushIntervalMs() int64 {
	return c.firstSet(LogFlushIntervalMs, LogFlushSchedulerIntervalMs)
}

// LogMessageTimestampBeforeMaxMs returns how far before the broker's clock timestamps may be, in milliseconds.
func (c *Config) LogMessageTimestampBeforeMaxMs() int64 {
	return c.timestampLimit(LogMessageTimestampBeforeMaxMs)
}

// LogMessageTimestampAfterMaxMs returns how far after the broker's clock timestamps may be, in milliseconds.
func (c *Config) LogMessageTimestampAfterMaxMs() int64 {
	return c.timestampLimit(LogMessageTimestampAfterMaxMs)
}

// timestampLimit falls back to the deprecated config while the new one is at its default.
func (c *Config) timestampLimit(k DurationKey) int64 {
	if n := c.Long(k); n != math.MaxInt64 {
		return n
	}
	return c.Long(LogMessageTimestampDifferenceMaxMs)
}

// ZooKeeperConnectionTimeout returns how long to wait for ZooKeeper at start.
func (c *Config) ZooKeeperConnectionTimeout() time.Duration {
	if c.IsSet(string(ZooKeeperConnectionTimeoutMs)) {
		return c.Duration(ZooKeeperConnectionTimeoutMs)
	}
	return c.Duration(ZooKeeperSessionTimeoutMs)
}

// InterBrokerProtocol returns the full name of the protocol version between brokers, such as "3.9-IV0".
func (c *Config) InterBrokerProtocol() string {
	if i := resolveMetadataVersion(c.String(InterBrokerProtocolVersion)); i >= 0 {
		return metadataVersions[i]
	}
	return c.String(InterBrokerProtocolVersion)
}

// MaxConnectionsPerIPOverrides returns the connections allowed from particular addresses, by host name or address.
func (c *Config) MaxConnectionsPerIPOverrides() map[string]int {
	pairs, _, _ := splitPairs(c.String(MaxConnectionsPerIPOverrides)) // crossCheck has parsed it
	out := make(map[string]int, len(pairs))
	for _, p := range pairs {
		if n, err := strconv.ParseInt(p[1], 10, 32); err == nil {
			out[p[0]] = int(n)
		}
	}
	return out
}
