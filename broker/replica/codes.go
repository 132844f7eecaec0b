package replica

import (
	"errors"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/wire"
)

// CodeOf maps an error of this package or of the log to Kafka's code (storage.md §3.5). What has no code of its own is UNKNOWN_SERVER_ERROR.
func CodeOf(err error) wire.Error {
	if err == nil {
		return wire.None
	}
	var code wire.Error
	if errors.As(err, &code) {
		return code
	}
	var failed *commitlog.Error
	if !errors.As(err, &failed) {
		return wire.UnknownServerError
	}
	switch failed.Kind {
	case commitlog.KindCorruptMessage:
		return wire.CorruptMessage
	case commitlog.KindInvalidRecord:
		return wire.InvalidRecord
	case commitlog.KindInvalidTimestamp:
		return wire.InvalidTimestamp
	case commitlog.KindMessageTooLarge:
		return wire.MessageTooLarge
	case commitlog.KindRecordListTooLarge:
		return wire.RecordListTooLarge
	case commitlog.KindOutOfOrderSequence:
		return wire.OutOfOrderSequenceNumber
	case commitlog.KindInvalidProducerEpoch:
		return wire.InvalidProducerEpoch
	case commitlog.KindInvalidTxnState:
		return wire.InvalidTxnState
	case commitlog.KindTransactionCoordinatorFenced:
		return wire.TransactionCoordinatorFenced
	case commitlog.KindOffsetOutOfRange:
		return wire.OffsetOutOfRange
	case commitlog.KindStorage:
		return wire.KafkaStorageError
	case commitlog.KindUnsupportedCompression:
		return wire.UnsupportedCompressionType
	case commitlog.KindUnsupportedFormat:
		return wire.UnsupportedForMessageFormat
	case commitlog.KindInconsistentTopicID:
		return wire.InconsistentTopicID
	case commitlog.KindLogDirNotFound:
		return wire.LogDirNotFound
	case commitlog.KindInvalidName:
		return wire.InvalidTopicException
	case commitlog.KindUnknownLog, commitlog.KindClosed:
		// The replica was deleted, or the broker is stopping: another broker is, or will be, the one to ask.
		return wire.NotLeaderOrFollower
	}
	return wire.UnknownServerError
}
