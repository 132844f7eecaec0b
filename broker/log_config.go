package broker

import (
	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/record"
)

// logConfig brings a topic's effective configs into the form of a log.
func logConfig(t *config.Topic, c *config.Config) commitlog.Config {
	out := commitlog.DefaultConfig()
	out.SegmentBytes = t.SegmentBytes
	out.SegmentMs, out.SegmentJitterMs = t.SegmentMs, t.SegmentJitterMs
	out.SegmentIndexBytes, out.IndexIntervalBytes = t.SegmentIndexBytes, t.IndexIntervalBytes
	out.CleanupDelete, out.CleanupCompact = t.Delete, t.Compact
	out.RetentionMs, out.RetentionBytes = t.RetentionMs, t.RetentionBytes
	out.FileDeleteDelayMs, out.MaxCompactionLagMs = t.FileDeleteDelayMs, t.MaxCompactionLagMs
	out.MaxMessageBytes = t.MaxMessageBytes
	out.TimestampType = record.CreateTime
	if t.LogAppendTime {
		out.TimestampType = record.LogAppendTime
	}
	out.TimestampBeforeMaxMs, out.TimestampAfterMaxMs = t.MessageTimestampBeforeMaxMs, t.MessageTimestampAfterMaxMs
	// The table allows no other names than ParseCodec knows.
	if codec, err := record.ParseCodec(t.CompressionType); err == nil {
		out.Compression = codec
	}
	switch out.Compression {
	case record.CodecGzip:
		out.CompressionLevel = t.CompressionGzipLevel
	case record.CodecLZ4:
		out.CompressionLevel = t.CompressionLZ4Level
	case record.CodecZstd:
		out.CompressionLevel = t.CompressionZstdLevel
	}
	out.TrustRecords = c.String(config.RecordValidation) == config.RecordValidationOuter
	out.FlushMessages, out.FlushMs = t.FlushMessages, t.FlushMs
	out.Preallocate = t.Preallocate
	out.MinInsyncReplicas = t.MinInsyncReplicas
	out.UncleanLeaderElection = t.UncleanLeaderElectionEnable
	out.TransactionVerification = c.Bool(config.TransactionPartitionVerificationEnable)
	return out
}
