package record

import (
	"errors"
	"fmt"
	"io"
)

// The kinds of failure that callers tell apart with errors.Is. Each wraps its cause where there is one.
var (
	// ErrIncomplete: the buffer ends before the entry does. It also matches io.ErrUnexpectedEOF. At the end of a
	// segment or of a Fetch response this is ordinary: the rest was cut off.
	ErrIncomplete error = incompleteError{}

	// ErrCorrupt: the entry can't be trusted: wrong checksum, impossible size or unknown magic. Kafka answers
	// CORRUPT_MESSAGE (2).
	ErrCorrupt = errors.New("corrupt record batch")

	// ErrInvalidRecord: checksum and header are right, but what is inside isn't: a record that doesn't fill its
	// declared length, a wrong count, a batch that a client must not send. Kafka answers INVALID_RECORD (87).
	ErrInvalidRecord = errors.New("invalid record")

	// ErrUnsupportedMagic: an entry of a known but here not accepted magic, for example a message set handed to
	// ReadBatch. Produce v3 and later answer INVALID_RECORD (87).
	ErrUnsupportedMagic = errors.New("unsupported magic")

	// ErrUnknownCodec: the codec bits of the attributes name none. Kafka answers UNKNOWN_SERVER_ERROR (-1).
	ErrUnknownCodec = errors.New("unknown compression codec")

	// ErrDecompress: the compressed stream is broken. Kafka answers UNKNOWN_SERVER_ERROR (-1).
	ErrDecompress = errors.New("decompress records")

	// ErrDecompressedTooLarge: the records expand beyond the caller's limit.
	ErrDecompressedTooLarge = errors.New("decompressed records exceed the limit")

	// ErrBatchTooLarge: a built or rebuilt batch is larger than the caller's limit. Kafka answers
	// MESSAGE_TOO_LARGE (10).
	ErrBatchTooLarge = errors.New("record batch exceeds the limit")

	// ErrBuild: a builder was given something no batch can hold, such as a falling offset.
	ErrBuild = errors.New("build record batch")
)

type incompleteError struct{}

func (incompleteError) Error() string        { return "incomplete record batch" }
func (incompleteError) Is(target error) bool { return target == io.ErrUnexpectedEOF }

// CRCError reports a checksum that doesn't match. It is an ErrCorrupt.
type CRCError struct {
	Stored, Computed uint32
}

// Error implements error.
func (e *CRCError) Error() string {
	return fmt.Sprintf("stored crc %08x, computed %08x", e.Stored, e.Computed)
}

// Is makes a CRCError an ErrCorrupt.
func (e *CRCError) Is(target error) bool { return target == ErrCorrupt }

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalidRecord, fmt.Sprintf(format, args...))
}
