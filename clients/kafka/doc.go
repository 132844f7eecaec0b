// Package kafka holds sarama set up the way we recommend it for a Kafka 3.9 cluster, in small pieces that can be imported alone.
//
// The settings differ from sarama's defaults where those lose records or hide errors: the protocol version is 3.9, producers wait for all
// in-sync replicas, retries keep order, and partitions are chosen as Java's producer chooses them (murmur2 of the key).
//
// The pieces: NewConfig; partitioners (NewMurmur2Partitioner, NewRoundRobinPartitioner, NewStickyPartitioner, CustomPartitioner); SendAll for asynchronous producers; group members that
// process and commit in different orders (AtLeastOnce, AtMostOnce, Commit, Run); where to begin (Start, Seek). Each has an example that runs against a cluster; docs/clients.md says what to look at
// in ZooKeeper meanwhile.
//
// No goroutine outlives the call that started it.
package kafka
