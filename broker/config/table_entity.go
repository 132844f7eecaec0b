package config

// The names of quotas and credentials.
const (
	ProducerByteRate       = "producer_byte_rate"
	ConsumerByteRate       = "consumer_byte_rate"
	RequestPercentage      = "request_percentage"
	ControllerMutationRate = "controller_mutation_rate"
	ConnectionCreationRate = "connection_creation_rate"
	ScramSHA256            = "SCRAM-SHA-256"
	ScramSHA512            = "SCRAM-SHA-512"
)

// The names of the broker configs that exist only in ZooKeeper.
const (
	LeaderReplicationThrottledRate         LongKey = "leader.replication.throttled.rate"
	FollowerReplicationThrottledRate       LongKey = "follower.replication.throttled.rate"
	ReplicaAlterLogDirsIOMaxBytesPerSecond LongKey = "replica.alter.log.dirs.io.max.bytes.per.second"
)

const maxLong = "9223372036854775807"

// dynamicOnlyDefs are the broker configs without a static form: the replication throttles.
func dynamicOnlyDefs() []Def {
	return section("Replication throttles",
		long(LeaderReplicationThrottledRate, maxLong, Medium, ClusterWide, atLeast(0),
			"Bytes per second this broker sends to followers of the replicas in leader.replication.throttled.replicas."),
		long(FollowerReplicationThrottledRate, maxLong, Medium, ClusterWide, atLeast(0),
			"Bytes per second this broker fetches for the replicas in follower.replication.throttled.replicas."),
		long(ReplicaAlterLogDirsIOMaxBytesPerSecond, maxLong, Medium, ClusterWide, atLeast(0),
			"Bytes per second this broker copies while replicas move between its log directories."),
	)
}

// quotaDefs are the quotas of users and client ids, all per broker.
func quotaDefs() []Def {
	return section("Quotas",
		long(ProducerByteRate, maxLong, Medium, ClusterWide, anyValue,
			"Bytes per second that may be produced before the client is throttled."),
		long(ConsumerByteRate, maxLong, Medium, ClusterWide, anyValue,
			"Bytes per second that may be fetched before the client is throttled."),
		double(RequestPercentage, "2.147483647E9", Medium, ClusterWide, anyValue,
			"Share of one handler's time, in percent, that requests may take before the client is throttled."),
		double(ControllerMutationRate, "2.147483647E9", Medium, ClusterWide, anyValue,
			"Partitions per second that may be created or deleted."),
	)
}

// scramDefs are the credentials of users.
func scramDefs() []Def {
	return section("Credentials",
		str(ScramSHA256, unset, Medium, ClusterWide, anyValue, "Credential of the user for SCRAM-SHA-256."),
		str(ScramSHA512, unset, Medium, ClusterWide, anyValue, "Credential of the user for SCRAM-SHA-512."),
	)
}

// ipDefs are the quotas of addresses.
func ipDefs() []Def {
	return section("Addresses",
		integer(ConnectionCreationRate, "2147483647", Medium, ClusterWide, atLeast(0),
			"Connections per second that may be opened from the address."),
	)
}
