// Package group coordinates consumer groups as Kafka 3.9's classic coordinator does: who is a member, which generation the group is in, what each
// member was assigned, and whether a commit comes from somebody who may make it.
//
// # Core and shell
//
// A group (group.go and the files named for its requests) is a state machine without goroutines, input, output or clock: its methods take the
// time as an argument and leave what is to be done in effects: replies to requests that waited, records to be stored, state changes to be told.
//
//	Empty --join--> PreparingRebalance --all joined, or time--> CompletingRebalance --leader's assignment is stored--> Stable
//	  ^                    |   ^                                        |                                                |
//	  '--nobody is left----'   '-----------join, leave, expiry----------'------------------------------------------------'
//
// The [Coordinator] is the shell: it finds the group, holds the lock of its partition of __consumer_offsets while the core decides and while the
// store queues what was decided, and carries out the rest without any lock. A request that waits (a join until the others have
// joined, a sync until the leader has synced) is a function in its member; nobody blocks for it.
//
// # Time
//
// Each member has one deadline, each group two more (the rebalance, and the syncs after it). A group knows the earliest of them, or an earlier time
// that used to be: a heartbeat moves its member's deadline and touches nothing else. All groups of a broker share one heap and one
// goroutine, which looks at a group no earlier than that time and then learns the next one.
//
// # What outlives a coordinator
//
// The generation with its members and assignments is stored in __consumer_offsets when the leader's SyncGroup arrives, before anybody is told
// of it. Whoever leads the partition next loads it: the members go on in the same generation and need not join again. A join in progress isn't stored:
// its members are told NOT_COORDINATOR and join at the new coordinator.
//
// # Order of locks
//
//	shard.mu -> offsets.Store's locks, Coordinator.mu, timers.mu (the last two are leaves)
//
// Replies are made, and the store is flushed, without any lock.
//
// Facts: reference groups-and-offsets.md §4-§17; Kafka source core/src/main/scala/kafka/coordinator/group; KIP-62, KIP-134, KIP-211, KIP-345,
// KIP-389, KIP-394, KIP-814.
package group
