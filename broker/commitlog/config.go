package commitlog

import (
	"math"

	"github.com/prekraft/prekraft/broker/record"
)

// Config is what a log needs of its topic's configuration. A log holds an immutable copy that [Log.SetConfig] swaps at once. The names are
// Kafka's topic configs. A zero Config isn't usable: start from [DefaultConfig].
type Config struct {
	// SegmentBytes is segment.bytes: a segment isn't made larger, and no append may be. At least 14.
	SegmentBytes int
	// SegmentMs and SegmentJitterMs are segment.ms and segment.jitter.ms: the age, in record time, after which an append rolls the segment.
	SegmentMs, SegmentJitterMs int64
	// SegmentIndexBytes is segment.index.bytes: a segment whose index would be larger is rolled.
	SegmentIndexBytes int
	// IndexIntervalBytes is index.interval.bytes: the log bytes between two index entries.
	IndexIntervalBytes int

	// CleanupDelete and CleanupCompact are the values of cleanup.policy.
	CleanupDelete, CleanupCompact bool
	// RetentionMs and RetentionBytes are retention.ms and retention.bytes; negative means unlimited.
	RetentionMs, RetentionBytes int64
	// FileDeleteDelayMs is file.delete.delay.ms: how long a deleted file stays under the name *.deleted.
	FileDeleteDelayMs int64
	// MaxCompactionLagMs is max.compaction.lag.ms. With compact, it also limits the age of the active segment.
	MaxCompactionLagMs int64

	// MaxMessageBytes is max.message.bytes: the largest batch a leader accepts, with its overhead.
	MaxMessageBytes int
	// TimestampType is message.timestamp.type.
	TimestampType record.TimestampType
	// TimestampBeforeMaxMs and TimestampAfterMaxMs are message.timestamp.before.max.ms and message.timestamp.after.max.ms.
	TimestampBeforeMaxMs, TimestampAfterMaxMs int64
	// Compression is compression.type, record.CodecProducer to keep what the producer chose; CompressionLevel is the level of that codec.
	Compression      record.Codec
	CompressionLevel int
	// TrustRecords skips the checks of the single records and keeps those of the batch (our own option; Kafka always checks). A bad
	// record can then reach consumers, but batches with a wrong checksum still can't. Compacted topics are always checked.
	TrustRecords bool

	// FlushMessages and FlushMs are flush.messages and flush.ms.
	FlushMessages, FlushMs int64
	// Preallocate is preallocate: reserve the whole segment on disk when it is made. File sizes stay true, other than with Apache Kafka.
	Preallocate bool
	// MinInsyncReplicas is min.insync.replicas. The log only carries it for the partition.
	MinInsyncReplicas int
	// UncleanLeaderElection is unclean.leader.election.enable. The log only carries it.
	UncleanLeaderElection bool
	// LeaderThrottled and FollowerThrottled tell whether this replica is in the topic's leader.replication.throttled.replicas and
	// follower.replication.throttled.replicas. The log only carries them.
	LeaderThrottled, FollowerThrottled bool
	// TransactionVerification is transaction.partition.verification.enable: a client's transactional batch needs an ongoing transaction
	// or a verification guard (KIP-890).
	TransactionVerification bool
}

// DefaultConfig returns Kafka's defaults, except that transactions need no verification.
func DefaultConfig() Config {
	return Config{
		SegmentBytes:         1 << 30,
		SegmentMs:            7 * 24 * 3600 * 1000,
		SegmentIndexBytes:    10 << 20,
		IndexIntervalBytes:   4096,
		CleanupDelete:        true,
		RetentionMs:          7 * 24 * 3600 * 1000,
		RetentionBytes:       -1,
		FileDeleteDelayMs:    60000,
		MaxCompactionLagMs:   math.MaxInt64,
		MaxMessageBytes:      1048588,
		TimestampType:        record.CreateTime,
		TimestampBeforeMaxMs: math.MaxInt64,
		TimestampAfterMaxMs:  math.MaxInt64,
		Compression:          record.CodecProducer,
		FlushMessages:        math.MaxInt64,
		FlushMs:              math.MaxInt64,
		MinInsyncReplicas:    1,
	}
}

// maxIndexEntries is how many entries of the given size fit an index.
func (c *Config) maxIndexEntries(entrySize int) int { return c.SegmentIndexBytes / entrySize }

// segmentMaxAgeMs is the age at which a segment is rolled, without jitter.
func (c *Config) segmentMaxAgeMs() int64 {
	if c.CleanupCompact {
		return min(c.SegmentMs, c.MaxCompactionLagMs)
	}
	return c.SegmentMs
}
