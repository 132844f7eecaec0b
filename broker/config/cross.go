package config

import (
	"slices"
	"strconv"
	"strings"
)

// crossCheck holds the configs against each other, as KafkaConfig.validateValues does. It returns every contradiction.
func (c *Config) crossCheck() []error {
	var errs []error
	require := func(ok bool, text string) {
		if !ok {
			errs = append(errs, reason(text))
		}
	}
	require(c.Int(NodeID) == c.Int(BrokerID), "You must set `node.id` to the same value as `broker.id`.")
	require(c.String(ZooKeeperConnect) != "", "Missing required configuration `zookeeper.connect` which has no default value.")
	if c.Bool(BrokerIDGenerationEnable) {
		require(c.BrokerID() >= -1 && (c.generatedID != nil || c.BrokerID() <= c.Int(ReservedBrokerMaxID)),
			"broker.id must be greater than or equal to -1 and not greater than reserved.broker.max.id")
	} else {
		require(c.BrokerID() >= 0, "broker.id must be greater than or equal to 0")
	}
	c.crossCheckLog(require)
	require(c.Long(ReplicaFetchWaitMaxMs) <= c.Long(ReplicaSocketTimeoutMs),
		"replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary socket timeouts")
	require(c.Long(ReplicaFetchWaitMaxMs) <= c.Long(ReplicaLagTimeMaxMs),
		"replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent frequent changes in ISR")
	acks := c.Int(OffsetsCommitRequiredAcks)
	require(acks >= -1 && acks <= c.Int(OffsetsTopicReplicationFactor),
		"offsets.commit.required.acks must be greater or equal to -1 and less or equal to offsets.topic.replication.factor")
	codec := c.Int(OffsetsTopicCompressionCodec)
	require(codec >= 0 && codec <= 4, "offsets.topic.compression.codec must be 0, 1, 2, 3 or 4")

	l, err := c.parseListeners()
	if err != nil {
		errs = append(errs, err)
	} else {
		c.listeners = l
		c.crossCheckSASL(require)
	}
	c.crossCheckConnections(require)
	return errs
}

func (c *Config) crossCheckLog(require func(bool, string)) {
	require(c.LogRollMs() >= 1, "log.roll.ms must be greater than or equal to 1")
	require(c.LogRollJitterMs() >= 0, "log.roll.jitter.ms must be greater than or equal to 0")
	retention := c.LogRetentionMs()
	require(retention >= 1 || retention == -1, "log.retention.ms must be unlimited (-1) or, greater than or equal to 1")
	dirs := c.LogDirs()
	require(len(dirs) > 0, "At least one log directory must be defined via log.dirs or log.dir.")
	sorted := slices.Sorted(slices.Values(dirs))
	require(len(slices.Compact(sorted)) == len(dirs), "Duplicate log directory found: "+strings.Join(dirs, ","))
	threads := c.Long(LogCleanerThreads)
	require(threads == 0 || c.Long(LogCleanerDedupeBufferSize)/threads > 1024*1024,
		"log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.")
	require(c.Long(LogCleanerMinCompactionLagMs) <= c.Long(LogCleanerMaxCompactionLagMs),
		"conflict topic config setting min.compaction.lag.ms ("+strconv.FormatInt(c.Long(LogCleanerMinCompactionLagMs), 10)+
			") > max.compaction.lag.ms ("+strconv.FormatInt(c.Long(LogCleanerMaxCompactionLagMs), 10)+")")
}

func (c *Config) crossCheckSASL(require func(bool, string)) {
	if !c.listeners.InterBrokerProtocol.SASL() {
		return
	}
	enabled := c.ForListener(c.listeners.InterBroker).List(SASLEnabledMechanisms)
	require(slices.Contains(enabled, c.String(SASLMechanismInterBrokerProtocol)),
		"sasl.mechanism.inter.broker.protocol must be included in sasl.enabled.mechanisms when SASL is used for inter-broker communication")
}

func (c *Config) crossCheckConnections(require func(bool, string)) {
	queued := c.Long(QueuedMaxRequestBytes)
	require(queued <= 0 || queued >= c.Long(SocketRequestMaxBytes),
		"queued.max.request.bytes must be larger or equal to socket.request.max.bytes")
	pairs, bad, ok := splitPairs(c.String(MaxConnectionsPerIPOverrides))
	require(ok, "Error parsing configuration property 'max.connections.per.ip.overrides': "+bad+" is not host:count")
	for _, p := range pairs {
		n, err := strconv.ParseInt(p[1], 10, 32)
		require(err == nil && n >= 0, "Error parsing configuration property 'max.connections.per.ip.overrides': "+p[1]+
			" is not a number of connections")
		require(validHost(p[0]), "max.connections.per.ip.overrides contains invalid addresses : "+p[0])
	}
	require(c.Int(MaxConnectionsPerIP) != 0 || len(pairs) > 0,
		"max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.")
	idle, delay := c.Long(ConnectionsMaxIdleMs), c.Long(ConnectionFailedAuthenticationDelayMs)
	require(idle < 0 || delay < idle, "connection.failed.authentication.delay.ms="+strconv.FormatInt(delay, 10)+
		" should always be less than connections.max.idle.ms="+strconv.FormatInt(idle, 10)+
		" to prevent failed authentication responses from timing out")
}

// validHost allows the characters of names and addresses.
func validHost(s string) bool {
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
		case strings.ContainsRune(`-%._:`, r):
		default:
			return false
		}
	}
	return true
}
