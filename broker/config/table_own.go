package config

// Our own.
const (
	OffsetsStorage         StringKey = "offsets.storage"
	GroupMaxCount          IntKey    = "group.max.count"
	BrokerFailureDetection StringKey = "broker.failure.detection"
	RecordValidation       StringKey = "record.validation"
	AdminListener          StringKey = "admin.listener"
	EventsRetained         IntKey    = "events.retained"

	ZooKeeperSASLJAASFile     StringKey   = "zookeeper.sasl.jaas.file"
	ZooKeeperSASLJAASConfig   PasswordKey = "zookeeper.sasl.jaas.config"
	ZooKeeperSASLClient       BoolKey     = "zookeeper.sasl.client"
	ZooKeeperSASLClientConfig StringKey   = "zookeeper.sasl.clientconfig"
)

// Values of our own configs.
const (
	// OffsetsStorageKafka keeps committed offsets in __consumer_offsets only.
	OffsetsStorageKafka = "kafka"
	// OffsetsStorageZooKeeper keeps committed offsets under /consumers in ZooKeeper only.
	OffsetsStorageZooKeeper = "zookeeper"
	// OffsetsStorageDual acknowledges from __consumer_offsets and copies to ZooKeeper behind it.
	OffsetsStorageDual = "dual"
	// FailureDetectionSession waits for ZooKeeper to expire the session of a dead broker.
	FailureDetectionSession = "session"
	// FailureDetectionProbe also looks whether the port of a broker that broke its connection refuses new ones.
	FailureDetectionProbe = "probe"
	// RecordValidationStrict checks every record of a produced batch, as Kafka does.
	RecordValidationStrict = "strict"
	// RecordValidationOuter checks the batch header and its checksum only.
	RecordValidationOuter = "outer"
)

// ownDefs is the section "Our own" of the table of broker configs: what Apache Kafka does not have. An Apache broker would keep
// these keys as unknown ones, so one server.properties serves both.
func ownDefs() []Def {
	return section("Our own",
		str(OffsetsStorage, OffsetsStorageDual, Medium, ClusterWide,
			oneOf(OffsetsStorageKafka, OffsetsStorageZooKeeper, OffsetsStorageDual),
			"Where committed offsets are kept. kafka: in __consumer_offsets only. zookeeper: under /consumers in ZooKeeper only, as "+
				"before Kafka 0.9. dual: in __consumer_offsets, and copied to ZooKeeper behind the acknowledgement, so that both can be "+
				"looked at side by side. OffsetCommit v0 always means ZooKeeper.", own),
		integer(GroupMaxCount, "1000000", Medium, ReadOnly, atLeast(1),
			"Groups that a broker coordinates at most. A new one is refused with COORDINATOR_NOT_AVAILABLE; those that are there, or are taken over from another broker, "+
				"aren't. Each takes a few kilobytes.", own),
		str(BrokerFailureDetection, FailureDetectionProbe, Medium, ReadOnly,
			oneOf(FailureDetectionSession, FailureDetectionProbe),
			"How a broker is found dead. session: by the end of its ZooKeeper session, as Apache Kafka does. probe: "+
				"also by its port refusing connections after a connection to it broke, the controller included; a crashed process is then noticed in well "+
				"under a second instead of zookeeper.session.timeout.ms.", own),
		str(RecordValidation, RecordValidationStrict, Medium, ReadOnly,
			oneOf(RecordValidationStrict, RecordValidationOuter),
			"How far produced batches are checked. strict: every record, as Apache Kafka does. outer: the batch header and its checksum "+
				"only, which costs less processor time and lets a faulty producer store records that consumers cannot read.", own),
		str(AdminListener, "127.0.0.1:0", Medium, ReadOnly, hostPort(),
			"Address host:port of the small HTTP server with /metrics, /livez, /readyz and /events. Port 0 takes a free port, which the "+
				"broker publishes under /prekraft/brokers/<id> in ZooKeeper. Empty: no such server.", own),
		str(ZooKeeperSASLJAASFile, unset, Medium, ReadOnly, anyValue,
			"JAAS file whose section Client says who this broker is towards ZooKeeper. An Apache broker gets it by -Djava.security.auth.login.config in "+
				"KAFKA_OPTS, which is understood here too.", own),
		password(ZooKeeperSASLJAASConfig, unset, Medium, ReadOnly,
			"The login module of that section itself, in the form of sasl.jaas.config: org.apache.zookeeper.server.auth.DigestLoginModule required "+
				"username=\"...\" password=\"...\"; Wins over the file.", own),
		boolean(ZooKeeperSASLClient, "true", Medium, ReadOnly,
			"Whether the broker logs in at ZooKeeper when its login configuration has a section for that. An Apache broker gets it by "+
				"-Dzookeeper.sasl.client. As there, false beside such a section is an error.", own),
		str(ZooKeeperSASLClientConfig, "Client", Low, ReadOnly, anyValue,
			"Name of the section of the JAAS file for ZooKeeper. An Apache broker gets it by -Dzookeeper.sasl.clientconfig.", own),
		integer(EventsRetained, "10000", Low, ReadOnly, between(1, 10_000_000),
			"How many of the latest events are kept in memory for the timeline. Each takes a few hundred bytes.", own),
	)
}
