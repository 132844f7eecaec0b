package znode

import (
	"fmt"
	"strconv"
)

// ConsumersPath is the root of the 0.8 consumers' nodes and of offsets kept in ZooKeeper.
const ConsumersPath = "/consumers"

// ConsumerGroupPath is the root of a group's nodes.
func ConsumerGroupPath(group string) string { return ConsumersPath + "/" + group }

// ConsumerIDsPath has an ephemeral child per member.
func ConsumerIDsPath(group string) string { return ConsumerGroupPath(group) + "/ids" }

// ConsumerIDPath is the registration of a member.
func ConsumerIDPath(group, consumerID string) string {
	return ConsumerIDsPath(group) + "/" + consumerID
}

// ConsumerOwnersPath has a child per topic.
func ConsumerOwnersPath(group string) string { return ConsumerGroupPath(group) + "/owners" }

// ConsumerOwnerPath names the thread that owns a partition; its data is plain text.
func ConsumerOwnerPath(group string, tp TopicPartition) string {
	return ConsumerOwnersPath(group) + "/" + tp.Topic + "/" + strconv.Itoa(int(tp.Partition))
}

// ConsumerOffsetsPath has a child per topic.
func ConsumerOffsetsPath(group string) string { return ConsumerGroupPath(group) + "/offsets" }

// ConsumerOffsetPath holds a group's committed offset for a partition.
func ConsumerOffsetPath(group string, tp TopicPartition) string {
	return ConsumerOffsetsPath(group) + "/" + tp.Topic + "/" + strconv.Itoa(int(tp.Partition))
}

// EncodeConsumerOffset gives the content of an offset node: decimal text, the next offset to read.
func EncodeConsumerOffset(offset int64) []byte { return appendInt(nil, offset) }

// DecodeConsumerOffset reads an offset node.
func DecodeConsumerOffset(data []byte) (int64, error) {
	n, err := strconv.ParseInt(string(data), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("consumer offset: %w", malformed("%.30q is not a long", data))
	}
	return n, nil
}

// ConsumerOwner is the text of an owner node: a thread of a member.
func ConsumerOwner(consumerID string, thread int) string {
	return consumerID + "-" + strconv.Itoa(thread)
}

// Pattern values of ConsumerRegistration.
const (
	PatternStatic    = "static"
	PatternWhiteList = "white_list"
	PatternBlackList = "black_list"
)

// ConsumerRegistration is the content of /consumers/<group>/ids/<consumer id>.
type ConsumerRegistration struct {
	// Subscription maps a topic, or with a list pattern one regular expression, to a number of streams.
	Subscription map[string]int32
	// Pattern is PatternStatic, PatternWhiteList or PatternBlackList.
	Pattern string
	// TimestampMs is when the member registered.
	TimestampMs int64
}

// Encode gives the version 1 bytes, topics in alphabetical order.
func (c ConsumerRegistration) Encode() []byte {
	b := appendObject([]byte(`{"version":1,"subscription":`), sortedKeys(c.Subscription), func(b []byte, k string) []byte {
		return appendInt(b, c.Subscription[k])
	})
	b = appendString(append(b, `,"pattern":`...), c.Pattern)
	b = appendInt(append(b, `,"timestamp":"`...), c.TimestampMs)
	return append(b, `"}`...)
}

// DecodeConsumerRegistration reads a member's node; subscription and pattern are mandatory.
func DecodeConsumerRegistration(data []byte) (ConsumerRegistration, error) {
	c, err := decodeConsumerRegistration(data)
	if err != nil {
		return ConsumerRegistration{}, fmt.Errorf("consumer registration: %w", err)
	}
	return c, nil
}

func decodeConsumerRegistration(data []byte) (ConsumerRegistration, error) {
	c := ConsumerRegistration{Subscription: map[string]int32{}}
	v, err := parseObject(data)
	if err != nil {
		return c, err
	}
	f := v.fields("subscription", "pattern", "timestamp")
	c.TimestampMs = f[2].lenientMillis()
	if f[0] == nil {
		return c, malformed("field subscription is missing")
	}
	err = f[0].members(func(topic string, val raw) error {
		n, err := val.int32("subscription")
		c.Subscription[topic] = n
		return err
	})
	if err != nil {
		return c, err
	}
	c.Pattern, err = f[1].str("pattern")
	return c, err
}
