package config

// The names of the topic configs. Topic has a field for each that is acted on; the constants are for reading and writing overrides.
const (
	TopicCleanupPolicy                        = "cleanup.policy"
	TopicCompressionGzipLevel                 = "compression.gzip.level"
	TopicCompressionLZ4Level                  = "compression.lz4.level"
	TopicCompressionType                      = "compression.type"
	TopicCompressionZstdLevel                 = "compression.zstd.level"
	TopicDeleteRetentionMs                    = "delete.retention.ms"
	TopicFileDeleteDelayMs                    = "file.delete.delay.ms"
	TopicFlushMessages                        = "flush.messages"
	TopicFlushMs                              = "flush.ms"
	TopicFollowerReplicationThrottledReplicas = "follower.replication.throttled.replicas"
	TopicIndexIntervalBytes                   = "index.interval.bytes"
	TopicLeaderReplicationThrottledReplicas   = "leader.replication.throttled.replicas"
	TopicLocalRetentionBytes                  = "local.retention.bytes"
	TopicLocalRetentionMs                     = "local.retention.ms"
	TopicMaxCompactionLagMs                   = "max.compaction.lag.ms"
	TopicMaxMessageBytes                      = "max.message.bytes"
	TopicMessageDownconversionEnable          = "message.downconversion.enable"
	TopicMessageFormatVersion                 = "message.format.version"
	TopicMessageTimestampAfterMaxMs           = "message.timestamp.after.max.ms"
	TopicMessageTimestampBeforeMaxMs          = "message.timestamp.before.max.ms"
	TopicMessageTimestampDifferenceMaxMs      = "message.timestamp.difference.max.ms"
	TopicMessageTimestampType                 = "message.timestamp.type"
	TopicMinCleanableDirtyRatio               = "min.cleanable.dirty.ratio"
	TopicMinCompactionLagMs                   = "min.compaction.lag.ms"
	TopicMinInsyncReplicas                    = "min.insync.replicas"
	TopicPreallocate                          = "preallocate"
	TopicRemoteLogCopyDisable                 = "remote.log.copy.disable"
	TopicRemoteLogDeleteOnDisable             = "remote.log.delete.on.disable"
	TopicRemoteStorageEnable                  = "remote.storage.enable"
	TopicRetentionBytes                       = "retention.bytes"
	TopicRetentionMs                          = "retention.ms"
	TopicSegmentBytes                         = "segment.bytes"
	TopicSegmentIndexBytes                    = "segment.index.bytes"
	TopicSegmentJitterMs                      = "segment.jitter.ms"
	TopicSegmentMs                            = "segment.ms"
	TopicUncleanLeaderElectionEnable          = "unclean.leader.election.enable"
)

// topicDefs is the table of topic configs.
func topicDefs() []Def {
	return section("Topics",
		list(TopicCleanupPolicy, "delete", Medium, ClusterWide, eachOf("compact", "delete"),
			"What happens to old data: delete (retention.ms and retention.bytes), compact (keep the last value of each key), or both. Compacted topics refuse records without a key."),
		integer(TopicCompressionGzipLevel, "-1", Medium, ClusterWide, gzipLevel(),
			"Level used when the broker compresses with gzip: 1 (fast) to 9 (small), -1 for the codec's own default."),
		integer(TopicCompressionLZ4Level, "9", Medium, ClusterWide, between(1, 17),
			"Level used when the broker compresses with lz4: 1 (fast) to 17 (small)."),
		str(TopicCompressionType, "producer", Medium, ClusterWide, oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
			"Codec of stored batches. producer keeps what the producer chose; any other value recompresses what arrives in another codec."),
		integer(TopicCompressionZstdLevel, "3", Medium, ClusterWide, between(-131072, 22),
			"Level used when the broker compresses with zstd: -131072 (fast) to 22 (small)."),
		longTime(TopicDeleteRetentionMs, "86400000", Medium, ClusterWide, atLeast(0),
			"How long tombstones stay in a compacted log, so that slow consumers see them."),
		longTime(TopicFileDeleteDelayMs, "60000", Medium, ClusterWide, atLeast(0),
			"How long deleted files stay on disk, renamed, for readers that still have them open."),
		long(TopicFlushMessages, "9223372036854775807", Medium, ClusterWide, atLeast(1),
			"Records after which the log is forced to disk. The default leaves it to the operating system, as durability comes from replication."),
		longTime(TopicFlushMs, "9223372036854775807", Medium, ClusterWide, atLeast(0),
			"Age after which appended records are forced to disk."),
		list(TopicFollowerReplicationThrottledReplicas, "", Medium, ClusterWide, throttledReplicas(),
			"Replicas whose fetching is throttled by follower.replication.throttled.rate: partition:broker pairs, or * for all."),
		integer(TopicIndexIntervalBytes, "4096", Medium, ClusterWide, atLeast(0),
			"Bytes of log between two index entries. Small: exact and large indexes."),
		list(TopicLeaderReplicationThrottledReplicas, "", Medium, ClusterWide, throttledReplicas(),
			"Replicas whose serving of followers is throttled by leader.replication.throttled.rate: partition:broker pairs, or * for all."),
		long(TopicLocalRetentionBytes, "-2", Medium, ClusterWide, atLeast(-2),
			"Size kept on local disks under tiered storage; -2 is retention.bytes.", inert(tieredOnly)),
		longTime(TopicLocalRetentionMs, "-2", Medium, ClusterWide, atLeast(-2),
			"Age kept on local disks under tiered storage; -2 is retention.ms.", inert(tieredOnly)),
		longTime(TopicMaxCompactionLagMs, "9223372036854775807", Medium, ClusterWide, atLeast(1),
			"Age above which a record makes the log due for compaction, whatever the dirty share."),
		integer(TopicMaxMessageBytes, "1048588", Medium, ClusterWide, atLeast(0),
			"Largest record batch accepted, after compression."),
		boolean(TopicMessageDownconversionEnable, "true", Low, ClusterWide,
			"Whether batches are converted for consumers that only read an older format. Off: those fetches fail."),
		str(TopicMessageFormatVersion, "3.0-IV1", Medium, ClusterWide, metadataVersion(),
			"Record format of stored batches. Ignored since inter.broker.protocol.version 3.0: always v2.", inert(byDesign), deprecated),
		longTime(TopicMessageTimestampAfterMaxMs, "9223372036854775807", Medium, ClusterWide, atLeast(0),
			"How far after the broker's clock a CreateTime timestamp may be."),
		longTime(TopicMessageTimestampBeforeMaxMs, "9223372036854775807", Medium, ClusterWide, atLeast(0),
			"How far before the broker's clock a CreateTime timestamp may be."),
		longTime(TopicMessageTimestampDifferenceMaxMs, "9223372036854775807", Medium, ClusterWide, atLeast(0),
			"Old form of the two limits above. Used where they are left at their defaults.", deprecated),
		str(TopicMessageTimestampType, "CreateTime", Medium, ClusterWide, oneOf("CreateTime", "LogAppendTime"),
			"Whether stored timestamps are the producer's (CreateTime) or the broker's (LogAppendTime)."),
		double(TopicMinCleanableDirtyRatio, "0.5", Medium, ClusterWide, between(0, 1),
			"Share of the log that must be dirty before it is compacted."),
		longTime(TopicMinCompactionLagMs, "0", Medium, ClusterWide, atLeast(0),
			"Age below which a record is not compacted. Must not exceed max.compaction.lag.ms."),
		integer(TopicMinInsyncReplicas, "1", Medium, ClusterWide, atLeast(1),
			"In-sync replicas a write with acks=all needs; with fewer it is refused."),
		boolean(TopicPreallocate, "false", Medium, ClusterWide,
			"Whether segment files are created at full size."),
		boolean(TopicRemoteLogCopyDisable, "false", Medium, ClusterWide,
			"Whether copying to tiered storage is off. KRaft only.", inert(tieredOnly)),
		boolean(TopicRemoteLogDeleteOnDisable, "false", Medium, ClusterWide,
			"Whether remote data goes when tiered storage is switched off. KRaft only.", inert(tieredOnly)),
		boolean(TopicRemoteStorageEnable, "false", Medium, ClusterWide,
			"Whether the topic uses tiered storage.", inert(tieredOnly)),
		long(TopicRetentionBytes, "-1", Medium, ClusterWide, anyValue,
			"Size of a partition above which its oldest segments are deleted; -1 has no limit."),
		longTime(TopicRetentionMs, "604800000", Medium, ClusterWide, atLeast(-1),
			"Age after which closed segments are deleted; -1 keeps them."),
		integer(TopicSegmentBytes, "1073741824", Medium, ClusterWide, atLeast(14),
			"Size in bytes at which a segment is closed and the next begun."),
		integer(TopicSegmentIndexBytes, "10485760", Medium, ClusterWide, atLeast(4),
			"Largest offset index of a segment; a segment rolls when its index is full."),
		longTime(TopicSegmentJitterMs, "0", Medium, ClusterWide, atLeast(0),
			"Up to this much is taken off segment.ms, at random, so that segments do not all roll at once."),
		longTime(TopicSegmentMs, "604800000", Medium, ClusterWide, atLeast(1),
			"Age at which a segment is closed even if it is not full."),
		boolean(TopicUncleanLeaderElectionEnable, "false", Medium, ClusterWide,
			"Whether a replica outside the ISR may become leader when no member of it is alive. Loses acknowledged records."),
	)
}

// topicSynonyms gives, for each topic config, the broker configs it follows while the topic does not set it.
func topicSynonyms() map[string][]string {
	return map[string][]string{
		TopicSegmentBytes:                    {string(LogSegmentBytes)},
		TopicSegmentMs:                       {string(LogRollMs), string(LogRollHours)},
		TopicSegmentJitterMs:                 {string(LogRollJitterMs), string(LogRollJitterHours)},
		TopicSegmentIndexBytes:               {string(LogIndexSizeMaxBytes)},
		TopicFlushMessages:                   {string(LogFlushIntervalMessages)},
		TopicFlushMs:                         {string(LogFlushIntervalMs), string(LogFlushSchedulerIntervalMs)},
		TopicRetentionBytes:                  {string(LogRetentionBytes)},
		TopicRetentionMs:                     {string(LogRetentionMs), string(LogRetentionMinutes), string(LogRetentionHours)},
		TopicMaxMessageBytes:                 {string(MessageMaxBytes)},
		TopicIndexIntervalBytes:              {string(LogIndexIntervalBytes)},
		TopicDeleteRetentionMs:               {string(LogCleanerDeleteRetentionMs)},
		TopicMinCompactionLagMs:              {string(LogCleanerMinCompactionLagMs)},
		TopicMaxCompactionLagMs:              {string(LogCleanerMaxCompactionLagMs)},
		TopicFileDeleteDelayMs:               {string(LogSegmentDeleteDelayMs)},
		TopicMinCleanableDirtyRatio:          {string(LogCleanerMinCleanableRatio)},
		TopicCleanupPolicy:                   {string(LogCleanupPolicy)},
		TopicUncleanLeaderElectionEnable:     {string(UncleanLeaderElectionEnable)},
		TopicMinInsyncReplicas:               {string(MinInsyncReplicas)},
		TopicCompressionType:                 {string(CompressionType)},
		TopicCompressionGzipLevel:            {string(CompressionGzipLevel)},
		TopicCompressionLZ4Level:             {string(CompressionLZ4Level)},
		TopicCompressionZstdLevel:            {string(CompressionZstdLevel)},
		TopicPreallocate:                     {string(LogPreallocate)},
		TopicMessageFormatVersion:            {string(LogMessageFormatVersion)},
		TopicMessageTimestampType:            {string(LogMessageTimestampType)},
		TopicMessageTimestampDifferenceMaxMs: {string(LogMessageTimestampDifferenceMaxMs)},
		TopicMessageTimestampBeforeMaxMs:     {string(LogMessageTimestampBeforeMaxMs)},
		TopicMessageTimestampAfterMaxMs:      {string(LogMessageTimestampAfterMaxMs)},
		TopicMessageDownconversionEnable:     {string(LogMessageDownconversionEnable)},
		TopicLocalRetentionMs:                {string(LogLocalRetentionMs)},
		TopicLocalRetentionBytes:             {string(LogLocalRetentionBytes)},
	}
}
