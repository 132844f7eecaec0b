// Package legacy is a consumer of the 0.8 kind: a group that meets in ZooKeeper instead of at a coordinator.
//
// # What it keeps in ZooKeeper
//
//	/consumers/<group>/ids/<consumer id>                   ephemeral   {"version":1,"subscription":{"orders":2},"pattern":"static","timestamp":"1400000000000"}
//	/consumers/<group>/owners/<topic>/<partition>          ephemeral   <consumer id>-<stream number>
//	/consumers/<group>/offsets/<topic>/<partition>         persistent  12345, the next offset to read
//
// A consumer id is <group>_<host>-<milliseconds>-<8 hex digits>. These are the bytes that kafka.consumer.ZookeeperConsumerConnector of 0.8.2 and 0.9 wrote, so
// that such consumers and this one can share a group.
//
// # How the group agrees
//
// Nobody leads. Every member watches the members (/consumers/<group>/ids), the partitions of its topics (/brokers/topics/<topic>) and, with a topic filter,
// the topics. When one of them changes, each member on its own stops its fetchers, commits, gives up its partitions, reads the same znodes, computes the same assignment
// (Assign) and claims its part by creating owner znodes. A claim that somebody else still holds makes the attempt fail: everything claimed is given back, and
// after rebalance.backoff.ms the member tries again, rebalance.max.retries times. Then it reads nothing until something changes again. So the retries times the backoff should be
// longer than the session timeout: the partitions of a member that was killed stay claimed until its session ends.
//
// # What differs from the old code
//
// A rebalance that finds everything as the last one left it, which is what a reconnection with the same session mostly is, keeps the fetchers running. A
// session that expires stops deliveries at once instead of at the next rebalance, because others may own the partitions by then. Offsets are read after a partition was claimed, not before, so that
// what its last owner committed meanwhile isn't read again. Owner znodes left by an earlier session of the same
// consumer count as taken, not as one's own. The fetchers are sarama's, one for each leader.
//
// # Order of calls
//
// Start, then Next of each Stream from a goroutine of its own, Commit at any time, Close once. A record counts as consumed when Next returns it, before it is
// processed: a commit in between and a crash lose it, as they did with the old iterator. Turn AutoCommit off and Commit after processing to be safe.
//
// # Goroutines
//
// Consumer.run: one for each consumer, from Start to Close; it rebalances and commits, one thing at a time. One for each owned partition, between two rebalances, carries records
// from sarama to the stream. The ZooKeeper client has its own (package zkutil).
//
// Sources: core/src/main/scala/kafka/consumer/{ZookeeperConsumerConnector,PartitionAssignor,TopicCount,TopicFilter}.scala and
// core/src/main/scala/kafka/utils/ZkUtils.scala of Apache Kafka 0.8.2 and 0.9.
package legacy
