// Package logdump shows what is in the files of a partition's log, without a broker: the lines of Apache Kafka's kafka-dump-log
// (core/src/main/scala/kafka/tools/DumpLogSegments.scala), or one JSON object per line.
//
// It reads .log (magic 0 to 2, all codecs), .index, .timeindex, .txnindex, .snapshot, leader-epoch-checkpoint, the offset checkpoints of a log directory,
// partition.metadata, meta.properties and .kafka_cleanshutdown, alone or as directories, also while a broker uses them. It never writes.
//
// Files are judged as they are read. What is wrong is a Problem with the file and the byte where it begins; unlike Apache's tool this one goes on behind a
// problem as long as that makes sense, and never ends with a stack trace.
//
// Memory: one batch of at most MaxBatch bytes, whatever the size of the files. Indexes are compared with their log by walking through both side by side.
package logdump
