// Package kafka holds sarama set up the way we recommend it for a Kafka 3.9 cluster, in small pieces that can be imported alone.
//
// The settings differ from sarama's defaults where those lose records or hide errors: the protocol version is 3.9, producers wait for all
// in-sync replicas, retries keep order, and partitions are chosen as Java's producer chooses them (murmur2 of the key).
package kafka
