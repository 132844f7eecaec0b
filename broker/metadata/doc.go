// Package metadata holds what this broker knows of the cluster: the live brokers with their listeners, the controller, and
// every topic's partitions with leader, leader epoch, ISR and replicas.
//
// # Owner and flow
//
// The controller owns the truth (in ZooKeeper) and pushes it with UpdateMetadata. [Cache.Update] applies one such request;
// nothing else changes the cache. Every Metadata, DescribeCluster and CreateTopics answer is read from it, and so is the
// address of the controller and of other brokers. In ZooKeeper mode a broker never reads topics from ZooKeeper for this.
//
// A request carries the complete list of live brokers but only the partitions that changed: brokers are replaced, partitions
// are merged. Leader -2 removes a partition, and with its last partition a topic goes.
//
// Topics and brokers that readers get are immutable values, replaced and never changed. The cache itself is guarded by a read-write mutex
// that is held for map look-ups only.
//
// Facts: reference controller.md §15.3 and §16.2; Kafka source core/src/main/scala/kafka/server/metadata/ZkMetadataCache.scala.
package metadata
