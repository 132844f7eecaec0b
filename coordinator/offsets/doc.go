// Package offsets keeps what consumer groups commit: in the topic __consumer_offsets, in ZooKeeper under /consumers, or in both.
//
// # The stores
//
//	OffsetCommit v1+ --> group coordinator --> Store -- append, acks=all --> __consumer_offsets --> cache --> answer
//	                                             |                                                   |
//	                                             |                                                   '--> Mirror --> /consumers   (dual)
//	                                             '--------------------------> Legacy ------------------> /consumers   (zookeeper)
//	OffsetCommit v0  --------------------------------> Legacy ------------------> /consumers
//
// [Store] owns the offsets of every group whose partition of __consumer_offsets this broker leads. It knows groups by name only: members,
// generations and who may commit are the group coordinator's, which calls the Store and is called back through [Groups].
//
// With [Dual], the default, an answer depends on the topic alone. The mirror then brings ZooKeeper after it. It holds no values, only which
// offsets are newer than their znode; it reads a value when it writes it. So it is bounded by the cache, writes the latest value of a
// partition and no other, and goes on where it was when ZooKeeper is back. Each of its transactions checks the version of the
// znode of the offsets partition's state: a coordinator that was deposed, and doesn't know it yet, cannot overwrite what its successor wrote.
//
// # Who calls what
//
//	replica manager   Elected, Resigned                      never block
//	coordinator       Commit, StoreGroup, Remove..., Expire  never block, may be called under the group's lock: they decide the order
//	                  Flush                                  after those, without a lock: writes what is queued
//	                  Check, Fetch
//
// Commit and StoreGroup queue; Flush writes. A goroutine that finds another one writing leaves its records to it: that is how groups of one
// partition share a write when they wait, without a timer. Callbacks (done) run without any lock of this package, in the goroutine that
// flushed or that moved the high watermark, never inside the call that got them.
//
// Order of locks: a group's lock, then a partition's lock of this package; nothing is called under the latter.
//
// # What is on disk
//
// Keys and values begin with a version. Strings have a length of 16 bits, bytes and arrays one of 32 bits; version 4 of either value is
// of the compact kind, with tagged fields. A record without a value deletes its key.
//
//	key   0, 1   version i16 | group str | topic str | partition i32                                an offset
//	key   2      version i16 | group str                                                            a group
//	value 0      version i16 | offset i64 | metadata str | commit time i64
//	value 1      version i16 | offset i64 | metadata str | commit time i64 | expire time i64       written when the client gave a retention
//	value 2      as 0
//	value 3, 4   version i16 | offset i64 | leader epoch i32 | metadata str | commit time i64      3 is what is written
//	group 0..4   version i16 | protocol type str | generation i32 | protocol ?str | leader ?str | (2+) state time i64 | members
//	member       id str | (3+) instance id ?str | client id str | client host str | (1+) rebalance timeout i32 | session timeout i32 |
//	             subscription bytes | assignment bytes                                               3 is what is written
//
// In ZooKeeper an offset is the decimal text at /consumers/<group>/offsets/<topic>/<partition>, without metadata, time or epoch.
//
// Facts: reference groups-and-offsets.md §11-§17, §20; Kafka source group-coordinator/src/main/resources/common/message,
// core/src/main/scala/kafka/coordinator/group/GroupMetadataManager.scala, core/src/main/scala/kafka/server/KafkaApis.scala (v0).
package offsets
