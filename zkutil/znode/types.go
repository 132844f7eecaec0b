package znode

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// ErrMalformed is wrapped by every error of a decoder or path parser of this package.
var ErrMalformed = errors.New("malformed znode")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// ZkVersion is the data version in a znode's Stat. AnyVersion matches every version in a conditional write.
type ZkVersion int32

// Special values of ZkVersion, as Kafka names them (core/src/main/scala/kafka/zk/ZkData.scala).
const (
	AnyVersion     ZkVersion = -1 // matches any version
	UnknownVersion ZkVersion = -2 // the node does not exist, or was not read
)

// ControllerEpoch is the value of /controller_epoch. The first controller has epoch 1. It is not the zkVersion of that node.
type ControllerEpoch int32

// LeaderEpoch counts the leadership decisions of one partition, from 0.
type LeaderEpoch int32

// BrokerEpoch is the czxid of /brokers/ids/<id>: a new one for each registration. -1 means unknown.
type BrokerEpoch int64

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// String gives topic-partition, as Kafka prints it.
func (tp TopicPartition) String() string { return tp.Topic + "-" + strconv.Itoa(int(tp.Partition)) }

// TopicID is the 16 byte id of a topic (KIP-516). The zero value means that there is none.
type TopicID [16]byte

// IsZero reports whether there is no id.
func (id TopicID) IsZero() bool { return id == TopicID{} }

// String gives 22 characters of URL-safe base64 without padding, as Kafka writes ids.
func (id TopicID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ParseTopicID reads what String gives; padding is accepted, as Apache does.
func ParseTopicID(s string) (TopicID, error) {
	id, err := parseUUID(s)
	return TopicID(id), err
}

func parseUUID(s string) (id [16]byte, err error) {
	if len(s) > 24 {
		return id, malformed("id %.30q... is too long", s)
	}
	t := s
	if len(t) == 24 && t[22:] == "==" {
		t = t[:22]
	}
	b, err := base64.RawURLEncoding.DecodeString(t)
	if err != nil || len(b) != 16 {
		return id, malformed("id %q", s)
	}
	return [16]byte(b), nil
}

// NewTopicID draws a random topic id from r (crypto/rand.Reader in a broker): a version 4 UUID that is none of the reserved values
// and whose text does not start with a dash, which command lines would take for an option
// (clients/src/main/java/org/apache/kafka/common/Uuid.java). It returns r's error.
func NewTopicID(r io.Reader) (TopicID, error) {
	for {
		id, err := randomUUID(r)
		if err != nil {
			return TopicID{}, fmt.Errorf("draw topic id: %w", err)
		}
		// A version 4 UUID is never one of the reserved values, which are 0 and 1.
		if t := TopicID(id); t.String()[0] != '-' {
			return t, nil
		}
	}
}

func randomUUID(r io.Reader) (id [16]byte, err error) {
	if _, err = io.ReadFull(r, id[:]); err != nil {
		return id, err
	}
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}
