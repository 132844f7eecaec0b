// Package replica owns the partitions that this broker hosts: their role (leader or follower of a leader epoch), their high
// watermark, and the requests that wait on them.
//
// # Owners
//
//	Manager     which partitions are hosted, the highest controller epoch seen, the order of control requests
//	Partition   one partition's role: an immutable snapshot, replaced under its leadership lock
//	commitlog   the bytes: offsets, segments, producer state
//	waiting     fetches below their minimum bytes, acks=all produces below the high watermark
//
// LeaderAndIsr, StopReplica and UpdateMetadata are applied one at a time (Manager.control, Kafka's replicaStateChangeLock). Appends,
// reads and offset look-ups hold a partition's leadership lock shared, so that a role never changes under them; a role change
// holds it alone. Waiting requests are completed after these locks are released.
//
// Invariant, always: log start offset <= last stable offset <= high watermark <= log end offset.
//
// # Waiting
//
// A waiting request is a value, not a goroutine. It is registered with each of its partitions; an advance of the log end offset or the high watermark completes
// those whose need it met, in the goroutine that made the advance. A timer answers the rest.
//
// Facts: reference replication.md, controller.md §16, storage.md §7 and §12; Kafka source core/src/main/scala/kafka/server/ReplicaManager.scala,
// core/src/main/scala/kafka/cluster/Partition.scala.
package replica
