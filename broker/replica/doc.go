// Package replica owns the partitions that this broker hosts: their role (leader or follower of a leader epoch), their high
// watermark, and the requests that wait on them.
//
// # Owners
//
//	Manager     which partitions are hosted, the highest controller epoch seen, the order of control requests
//	Partition   one partition's role: an immutable snapshot, replaced under its leadership lock
//	progress    what a leader knows of a follower, under Partition.followers
//	fetchers    whom this broker follows; one goroutine per leader and number, which owns its connection and its fetch session
//	alterations changes of ISRs on their way to the controller, one request in flight
//	sessionCache  the fetch sessions of those who fetch from here (KIP-227)
//	commitlog   the bytes: offsets, segments, producer state
//	waiting     fetches below their minimum bytes, acks=all produces below the high watermark
//
// LeaderAndIsr, StopReplica and UpdateMetadata are applied one at a time (Manager.control, Kafka's replicaStateChangeLock). Appends,
// reads and offset look-ups hold a partition's leadership lock shared, so that a role never changes under them; a role change
// holds it alone. Waiting requests are completed after these locks are released.
//
// Invariant, always: log start offset <= last stable offset <= high watermark <= log end offset.
//
// # Replication
//
// A follower fetches from its log end offset with the epoch of its last record; the leader answers with records or with where the logs diverge, and the follower cuts its
// log there (KIP-101, KIP-595). The fetch tells the leader what the follower has. The high watermark is what all of the maximal ISR have: the committed
// ISR, and whoever may be in it because a change is under way (KIP-497). Who is in the ISR is the controller's decision; a leader proposes.
//
// At an inter.broker.protocol.version below 2.7, as in the middle of an upgrade, a follower asks by OffsetForLeaderEpoch where its log diverges before it fetches (truncate.go), and a
// leader writes the ISR into ZooKeeper itself, against the version it knows, and tells the controller a few seconds later (isr_direct.go). The version of the state node is the only
// arbiter then: who has lost waits for LeaderAndIsr.
//
// Two things are faster than in Kafka. After an error a partition's fetches pause for 10 ms first and only then for longer, since most errors are those of a leader that is
// about to learn that it leads; the other partitions' fetch doesn't wait for records any longer than until the first pause ends. And a fetch that waits for records is given up when
// partitions join its fetcher, so that they don't wait with it.
//
// # Moving between log directories
//
// A replica that is to be in another log directory is copied there batch by batch, while it goes on leading or following, and the copy takes its place when it has everything
// (AlterReplicaLogDirs). A truncation holds the copying off, and the copy is cut back by the same rules as a follower. Only the last step, some milliseconds, needs the partition to stand still.
//
// # Fetch sessions
//
// Each partition knows the sessions that hold it and puts itself on their lists when something changes; a fetch visits the partitions on its list and no others. That a follower has
// fetched is noted once for all the partitions that weren't visited (sessionClock).
//
// # Waiting
//
// A waiting request is a value, not a goroutine. It is registered with each of its partitions; an advance of the log end offset or the high watermark completes
// those whose need it met, in the goroutine that made the advance. A timer answers the rest.
//
// Facts: reference replication.md, controller.md §16, storage.md §7 and §12; Kafka source core/src/main/scala/kafka/server/ReplicaManager.scala,
// core/src/main/scala/kafka/cluster/Partition.scala.
package replica
