// Package config holds every config of a broker and of a topic in one table, loads them, and layers dynamic changes over them.
//
// The table (see Defs, TopicDefs, UserDefs, IPDefs) has, for each config of Apache Kafka 3.9 and each of our own, its name,
// type, default, allowed values, importance, scope, documentation and whether this program acts on it. Loading, validation,
// DescribeConfigs and docs/configs.md (see Markdown) all read it. Names, types, defaults and ranges are Kafka's; a test
// compares the table with what Apache Kafka 3.9.1 prints about itself.
//
// # Where a value comes from
//
// Lowest first; the last one that has the key wins:
//
//	default                  the table
//	file                     Sources.Files in order: server.properties as it is, or YAML, TOML, JSON
//	environment              KAFKA_LOG_DIRS and KAFKA_CFG_LOG_DIRS, as container images use them
//	set                      Sources.Set, "key=value" from the command line
//	dynamic cluster default  /config/brokers/<default> in ZooKeeper
//	dynamic broker           /config/brokers/<id> in ZooKeeper
//
// Files, environment and set together are what Kafka calls static. Some values can be written under several names
// (log.retention.ms, log.retention.minutes, log.retention.hours). Within the static level and within each dynamic level the
// finer unit wins; between levels the level wins, so a dynamic log.retention.ms beats any static log.retention.hours.
//
// Security and connection configs may be given for one listener with the prefix listener.name.<listener>., which beats the
// plain name: see Config.ForListener.
//
// # Ownership
//
// A Config is an immutable snapshot, safe for concurrent use. WithDynamic returns a new one; who keeps the current snapshot
// (one atomic.Pointer in the broker) and tells the parts of a change is not this package's business. Nothing here reads
// ZooKeeper, watches files, logs or starts goroutines.
package config
