package commitlog

import (
	"errors"
	"fmt"

	"github.com/prekraft/prekraft/broker/record"
)

// Kind is the cause of a refused operation. Each kind maps to one Kafka error code, which is named here; this package doesn't know the codes.
type Kind uint8

// The kinds.
const (
	KindNone                         Kind = iota
	KindCorruptMessage                    // CORRUPT_MESSAGE (2): checksum, size or magic
	KindInvalidRecord                     // INVALID_RECORD (87): structure, records or a control batch from a client
	KindInvalidTimestamp                  // INVALID_TIMESTAMP (32)
	KindMessageTooLarge                   // MESSAGE_TOO_LARGE (10): larger than max.message.bytes
	KindRecordListTooLarge                // RECORD_LIST_TOO_LARGE (18): larger than segment.bytes
	KindOutOfOrderSequence                // OUT_OF_ORDER_SEQUENCE_NUMBER (45)
	KindInvalidProducerEpoch              // INVALID_PRODUCER_EPOCH (47)
	KindInvalidTxnState                   // INVALID_TXN_STATE (48)
	KindTransactionCoordinatorFenced      // TRANSACTION_COORDINATOR_FENCED (52)
	KindOffsetOutOfRange                  // OFFSET_OUT_OF_RANGE (1)
	KindStorage                           // KAFKA_STORAGE_ERROR (56): the log directory is offline
	KindUnsupportedCompression            // UNSUPPORTED_COMPRESSION_TYPE (76)
	KindUnsupportedFormat                 // UNSUPPORTED_FOR_MESSAGE_FORMAT (43)
	KindUnknownServer                     // UNKNOWN_SERVER_ERROR (-1): a broken compressed stream, an unknown codec
	KindInconsistentTopicID               // INCONSISTENT_TOPIC_ID (103)
	KindUnexpectedAppendOffset            // a follower was handed an offset below its log end offset
	KindOffsetsOutOfOrder                 // a follower was handed batches whose offsets fall
	KindUnknownLog                        // the manager has no log of that name
	KindLogDirNotFound                    // LOG_DIR_NOT_FOUND (57): not one of log.dirs
	KindInvalidName                       // INVALID_TOPIC_EXCEPTION (17): too long for a directory's name
	KindClosed                            // the log or the manager is closed
)

// Error is an error of this package. Compare with errors.Is and the Err... values, which match by kind, or switch over [KindOf].
type Error struct {
	Kind   Kind
	Detail string // may be empty
	Err    error  // the cause, may be nil
}

// Error implements error.
func (e *Error) Error() string {
	s := e.Kind.String()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches errors of the same kind.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && t.Detail == "" && t.Err == nil
}

// The errors to compare with.
var (
	ErrCorruptMessage               error = &Error{Kind: KindCorruptMessage}
	ErrInvalidRecord                error = &Error{Kind: KindInvalidRecord}
	ErrInvalidTimestamp             error = &Error{Kind: KindInvalidTimestamp}
	ErrMessageTooLarge              error = &Error{Kind: KindMessageTooLarge}
	ErrRecordListTooLarge           error = &Error{Kind: KindRecordListTooLarge}
	ErrOutOfOrderSequence           error = &Error{Kind: KindOutOfOrderSequence}
	ErrInvalidProducerEpoch         error = &Error{Kind: KindInvalidProducerEpoch}
	ErrInvalidTxnState              error = &Error{Kind: KindInvalidTxnState}
	ErrTransactionCoordinatorFenced error = &Error{Kind: KindTransactionCoordinatorFenced}
	ErrOffsetOutOfRange             error = &Error{Kind: KindOffsetOutOfRange}
	ErrStorage                      error = &Error{Kind: KindStorage}
	ErrUnsupportedCompression       error = &Error{Kind: KindUnsupportedCompression}
	ErrUnsupportedFormat            error = &Error{Kind: KindUnsupportedFormat}
	ErrUnknownServer                error = &Error{Kind: KindUnknownServer}
	ErrInconsistentTopicID          error = &Error{Kind: KindInconsistentTopicID}
	ErrUnexpectedAppendOffset       error = &Error{Kind: KindUnexpectedAppendOffset}
	ErrOffsetsOutOfOrder            error = &Error{Kind: KindOffsetsOutOfOrder}
	ErrUnknownLog                   error = &Error{Kind: KindUnknownLog}
	ErrLogDirNotFound               error = &Error{Kind: KindLogDirNotFound}
	ErrInvalidName                  error = &Error{Kind: KindInvalidName}
	ErrClosed                       error = &Error{Kind: KindClosed}
)

// KindOf returns the kind of the first Error in err's chain, KindNone for nil and KindUnknownServer for any other error.
func KindOf(err error) Kind {
	if err == nil {
		return KindNone
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindUnknownServer
}

// String returns what the kind means in a few words.
func (k Kind) String() string {
	switch k {
	case KindNone:
		return "no error"
	case KindCorruptMessage:
		return "corrupt message"
	case KindInvalidRecord:
		return "invalid record"
	case KindInvalidTimestamp:
		return "invalid timestamp"
	case KindMessageTooLarge:
		return "message too large"
	case KindRecordListTooLarge:
		return "record list larger than a segment"
	case KindOutOfOrderSequence:
		return "out of order sequence number"
	case KindInvalidProducerEpoch:
		return "invalid producer epoch"
	case KindInvalidTxnState:
		return "invalid transaction state"
	case KindTransactionCoordinatorFenced:
		return "transaction coordinator fenced"
	case KindOffsetOutOfRange:
		return "offset out of range"
	case KindStorage:
		return "log directory offline"
	case KindUnsupportedCompression:
		return "unsupported compression type"
	case KindUnsupportedFormat:
		return "unsupported for message format"
	case KindUnknownServer:
		return "unknown server error"
	case KindInconsistentTopicID:
		return "inconsistent topic id"
	case KindUnexpectedAppendOffset:
		return "unexpected append offset"
	case KindOffsetsOutOfOrder:
		return "offsets out of order"
	case KindUnknownLog:
		return "unknown log"
	case KindLogDirNotFound:
		return "log directory not found"
	case KindInvalidName:
		return "invalid name"
	case KindClosed:
		return "log closed"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

func errorf(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

// recordError gives an error of package record the kind that Kafka answers with.
func recordError(err error) error {
	kind := KindUnknownServer
	switch {
	case errors.Is(err, record.ErrCorrupt):
		kind = KindCorruptMessage
	case errors.Is(err, record.ErrInvalidRecord), errors.Is(err, record.ErrIncomplete), errors.Is(err, record.ErrUnsupportedMagic):
		kind = KindInvalidRecord
	case errors.Is(err, record.ErrBatchTooLarge):
		kind = KindMessageTooLarge
	}
	return &Error{Kind: kind, Err: err}
}

// CorruptError says where a log holds something that can't be read. It is what recovery met or what a read refused to serve.
type CorruptError struct {
	Dir  string // replica directory
	Base int64  // base offset of the segment
	Pos  int64  // position in the segment's .log file
	Err  error
}

// Error implements error.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("segment %d of %s at position %d: %v", e.Base, e.Dir, e.Pos, e.Err)
}

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Err }
