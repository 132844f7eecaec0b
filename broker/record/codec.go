package record

import (
	"fmt"
	"strings"
)

// Codec is what a batch's records are compressed with: the low three bits of its attributes.
type Codec int8

// The codecs; the numbers are on the wire and on disk.
const (
	CodecNone   Codec = 0
	CodecGzip   Codec = 1
	CodecSnappy Codec = 2
	CodecLZ4    Codec = 3
	CodecZstd   Codec = 4

	// CodecProducer stands for "whatever the producer used": compression.type=producer. It is never in a batch.
	CodecProducer Codec = -1
)

const codecCount = 5

// DefaultLevel as a level asks for the codec's default.
const DefaultLevel = 0

// codecInfo is a row of the table of codecs. Levels as Kafka's configs accept them (KIP-390).
type codecInfo struct {
	name               string
	defaultLevel       int
	minLevel, maxLevel int
	extraLevel         int // one more valid level outside the range; minLevel when there is none
}

// info returns the table's row for c, which must be valid. A function and not a variable, so that nothing can change it.
func (c Codec) info() codecInfo {
	switch c {
	case CodecGzip:
		return codecInfo{"gzip", -1, 1, 9, -1}
	case CodecSnappy:
		return codecInfo{"snappy", 0, 0, 0, 0}
	case CodecLZ4:
		return codecInfo{"lz4", 9, 1, 17, 1}
	case CodecZstd:
		return codecInfo{"zstd", 3, -(1 << 17), 22, -(1 << 17)}
	}
	return codecInfo{"none", 0, 0, 0, 0}
}

// Valid says whether c is a codec a batch may name.
func (c Codec) Valid() bool { return c >= CodecNone && c < codecCount }

// String returns Kafka's name of the codec, as in compression.type; "producer" for CodecProducer.
func (c Codec) String() string {
	switch {
	case c == CodecProducer:
		return "producer"
	case !c.Valid():
		return fmt.Sprintf("Codec(%d)", int8(c))
	}
	return c.info().name
}

// ParseCodec returns the codec of a name as in compression.type: none, gzip, snappy, lz4, zstd, producer, and
// uncompressed, the older name of none. Case doesn't matter.
func ParseCodec(name string) (Codec, error) {
	switch lower := strings.ToLower(name); lower {
	case "producer":
		return CodecProducer, nil
	case "uncompressed":
		return CodecNone, nil
	default:
		for c := CodecNone; c < codecCount; c++ {
			if c.info().name == lower {
				return c, nil
			}
		}
	}
	return CodecNone, fmt.Errorf("%w %q", ErrUnknownCodec, name)
}

// Levels returns the range of compression levels Kafka accepts for c and its default. Gzip also accepts -1, its default.
// All are 0 for codecs without levels.
func (c Codec) Levels() (lowest, highest, standard int) {
	if !c.Valid() {
		return 0, 0, 0
	}
	i := c.info()
	return i.minLevel, i.maxLevel, i.defaultLevel
}

// ValidLevel says whether c can be used with level; DefaultLevel always can.
func (c Codec) ValidLevel(level int) bool {
	if !c.Valid() {
		return false
	}
	i := c.info()
	return level == DefaultLevel || level == i.extraLevel || level >= i.minLevel && level <= i.maxLevel
}
