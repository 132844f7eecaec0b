// Package commitlog keeps the logs of a broker's partitions in the files of Apache Kafka 3.9, byte for byte, and the log directories they are in.
//
// # Files
//
//	<log dir>/                                  one of log.dirs, owned by one Manager
//	  .lock                                     held with a record lock while the manager is open
//	  meta.properties                           broker id and cluster id
//	  .kafka_cleanshutdown                      there only between a clean shutdown and the next start
//	  recovery-point-offset-checkpoint          below which offsets everything is synced
//	  log-start-offset-checkpoint               for logs that begin inside their first segment
//	  replication-offset-checkpoint             high watermarks
//	  <topic>-<partition>/                      a replica, a Log
//	    00000000000000000000.log                batches, one after the other; the name is the first offset
//	    00000000000000000000.index              relativeOffset int32, position int32
//	    00000000000000000000.timeindex          timestamp int64, relativeOffset int32
//	    00000000000000000000.txnindex           aborted transactions, if there are any
//	    00000000000000000042.snapshot           the producers after all batches below 42
//	    leader-epoch-checkpoint                 which leader epoch begins where
//	    partition.metadata                      the topic id
//	  <topic>-<partition>.<32 hex>-delete/      to be removed after file.delete.delay.ms
//
// X.deleted, X.cleaned and X.swap are files that a start removes or completes.
//
// # Owners
//
//	Manager         the directories, which logs there are, checkpoints, background work (Run)
//	Log             offsets, the list of segments, epochs and producers of one partition
//	segment         one .log file and its indexes
//	fileCache       which .log files are open
//
// There is no goroutine, timer or mapped memory per log, and no open file for an idle one. Run is the only long-lived goroutine, with one beside it that syncs closed segments.
//
// # Appending
//
// AppendAsLeader checks checksum, header and records, and patches timestamps, without the log's lock. Then it takes the lock, or, if the log is busy, leaves its batch in a queue: whoever holds
// the log takes all that has gathered, gives each its offsets and writes them with one system call. No timer is involved: an idle log appends at once, a busy one in
// larger pieces. A batch becomes visible (the log end offset moves) after it was written; nothing is synced unless flush.messages or flush.ms say so.
//
// # Reading
//
// Read returns a place in a file, a [Span]. Positions of the newest batches are kept in memory, so that whoever keeps up costs no look-up; others go through the
// sparse index and a scan of headers. A span's bytes never change: deletion leaves the file open, and truncation moves what is kept to a new file if anybody holds a span.
//
// # What is better than in Apache Kafka
//
//   - Indexes always have their true size, in memory only where they are used, and are checked when they are loaded: a bad one is made anew.
//   - A crash doesn't undo DeleteRecords.
//   - Recovery compares offsets and leader epochs, which no checksum covers, with the neighbours.
//   - A cleanly closed log whose snapshots are lost is read through instead of forgetting its producers.
//   - A clean shutdown of many logs syncs the file system once.
//
// # What is left to others
//
// Compaction isn't here yet: a log with cleanup.policy=compact only validates keys and applies retention where delete is set too.
//
// Source: reference storage.md; Kafka source core/src/main/scala/kafka/log and storage/src/main/java/org/apache/kafka/storage/internals/log, release 3.9.
package commitlog
