package offsets

import (
	"errors"
	"fmt"
	"math"
)

// Errors of the decoders.
var (
	// ErrMalformed says that bytes are no key or value of __consumer_offsets.
	ErrMalformed = errors.New("malformed record of " + Topic)
	// ErrUnknownVersion says that a key or value has a version that isn't known. Such keys are skipped; such values end a load, as in Kafka.
	ErrUnknownVersion = errors.New("unknown version")
	// ErrTooLong says that a string doesn't fit into the format's 32,767 bytes.
	ErrTooLong = errors.New("string is longer than 32,767 bytes")
)

// Versions that are written: those of inter.broker.protocol.version 2.3 and later. The highest that are read is flexibleVersion.
const (
	offsetKeyVersion     = 1
	groupKeyVersion      = 2
	offsetValueVersion   = 3
	expiringValueVersion = 1
	groupValueVersion    = 3
	flexibleVersion      = 4
)

// Key is the key of a record.
type Key struct {
	Group string
	// TopicPartition is that of an offset; its Topic is "" and IsGroup true in a group's key.
	TopicPartition
	IsGroup bool
}

// AppendOffsetKey appends the key of an offset. Group and topic must not be longer than 32,767 bytes, which [CheckNames] checks.
func AppendOffsetKey(b []byte, group string, tp TopicPartition) []byte {
	b = append(b, 0, offsetKeyVersion)
	b = appendString(b, group)
	b = appendString(b, tp.Topic)
	return appendInt32(b, tp.Partition)
}

// AppendGroupKey appends the key of a group.
func AppendGroupKey(b []byte, group string) []byte {
	return appendString(append(b, 0, groupKeyVersion), group)
}

// DecodeKey reads a key. Errors: ErrUnknownVersion for keys of groups of newer kinds, ErrMalformed.
func DecodeKey(b []byte) (Key, error) {
	r := reader{b: b}
	version := r.int16()
	if r.failed {
		return Key{}, fmt.Errorf("%w: key of %d bytes", ErrMalformed, len(b))
	}
	var k Key
	switch version {
	case 0, offsetKeyVersion:
		k.Group, k.Topic, k.Partition = r.text(), r.text(), r.int32()
	case groupKeyVersion:
		k.Group, k.IsGroup = r.text(), true
	default:
		return Key{}, fmt.Errorf("key: %w %d", ErrUnknownVersion, version)
	}
	return k, r.end("key")
}

// AppendOffsetValue appends the value of an offset: version 3, or version 1 when it has an expire timestamp, which drops the leader epoch.
func AppendOffsetValue(b []byte, c Committed) []byte {
	if c.ExpireTimestampMs != NoTimestamp {
		b = append(b, 0, expiringValueVersion)
		b = appendInt64(b, c.Offset)
		b = appendString(b, c.Metadata)
		b = appendInt64(b, c.CommitTimestampMs)
		return appendInt64(b, c.ExpireTimestampMs)
	}
	b = append(b, 0, offsetValueVersion)
	b = appendInt64(b, c.Offset)
	b = appendInt32(b, c.LeaderEpoch)
	b = appendString(b, c.Metadata)
	return appendInt64(b, c.CommitTimestampMs)
}

// DecodeOffsetValue reads the value of an offset, versions 0 to 4.
func DecodeOffsetValue(b []byte) (Committed, error) {
	r := reader{b: b}
	version := r.int16()
	if version < 0 || version > flexibleVersion {
		return Committed{}, fmt.Errorf("offset value: %w %d", ErrUnknownVersion, version)
	}
	r.flexible = version >= flexibleVersion
	c := Committed{LeaderEpoch: NoLeaderEpoch, ExpireTimestampMs: NoTimestamp}
	c.Offset = r.int64()
	if version >= offsetValueVersion {
		c.LeaderEpoch = r.int32()
	}
	c.Metadata = r.text()
	c.CommitTimestampMs = r.int64()
	if version == expiringValueVersion {
		c.ExpireTimestampMs = r.int64()
	}
	r.tags()
	return c, r.end("offset value")
}

// GroupMetadata is the value of a group's record: what a coordinator needs to go on with the group.
type GroupMetadata struct {
	ProtocolType     string // "" for none
	Generation       int32
	Protocol, Leader *string // nil for none
	// StateTimestampMs is when the group reached its state; NoTimestamp in a record of an old version.
	StateTimestampMs int64
	Members          []GroupMember
}

// GroupMember is a member in a group's record.
type GroupMember struct {
	MemberID                             string
	InstanceID                           *string
	ClientID, ClientHost                 string
	RebalanceTimeoutMs, SessionTimeoutMs int32
	// Subscription is the member's metadata for the group's protocol.
	Subscription, Assignment []byte
}

// AppendGroupValue appends the value of a group, version 3. Errors: ErrTooLong.
func AppendGroupValue(b []byte, g GroupMetadata) ([]byte, error) {
	start := len(b)
	fits := len(g.ProtocolType) <= math.MaxInt16 && (g.Protocol == nil || len(*g.Protocol) <= math.MaxInt16) && (g.Leader == nil || len(*g.Leader) <= math.MaxInt16)
	b = append(b, 0, groupValueVersion)
	b = appendString(b, g.ProtocolType)
	b = appendInt32(b, g.Generation)
	b = appendNullable(b, g.Protocol)
	b = appendNullable(b, g.Leader)
	b = appendInt64(b, g.StateTimestampMs)
	b = appendInt32(b, int32(len(g.Members)))
	for i := range g.Members {
		m := &g.Members[i]
		fits = fits && len(m.MemberID) <= math.MaxInt16 && len(m.ClientID) <= math.MaxInt16 && len(m.ClientHost) <= math.MaxInt16 &&
			(m.InstanceID == nil || len(*m.InstanceID) <= math.MaxInt16)
		if !fits {
			break
		}
		b = appendString(b, m.MemberID)
		b = appendNullable(b, m.InstanceID)
		b = appendString(b, m.ClientID)
		b = appendString(b, m.ClientHost)
		b = appendInt32(b, m.RebalanceTimeoutMs)
		b = appendInt32(b, m.SessionTimeoutMs)
		b = appendBytes(b, m.Subscription)
		b = appendBytes(b, m.Assignment)
	}
	if !fits {
		return b[:start], fmt.Errorf("group value: %w", ErrTooLong)
	}
	return b, nil
}

// DecodeGroupValue reads the value of a group, versions 0 to 4. Nothing of it shares memory with b.
func DecodeGroupValue(b []byte) (GroupMetadata, error) {
	r := reader{b: b}
	version := r.int16()
	if version < 0 || version > flexibleVersion {
		return GroupMetadata{}, fmt.Errorf("group value: %w %d", ErrUnknownVersion, version)
	}
	r.flexible = version >= flexibleVersion
	g := GroupMetadata{StateTimestampMs: NoTimestamp}
	g.ProtocolType, g.Generation, g.Protocol, g.Leader = r.text(), r.int32(), r.nullable(), r.nullable()
	if version >= 2 {
		g.StateTimestampMs = r.int64()
	}
	n := r.length()
	for i := 0; i < n && !r.failed; i++ { // members are as many as there are bytes for: the list grows as it is read
		var m GroupMember
		m.MemberID = r.text()
		if version >= 3 {
			m.InstanceID = r.nullable()
		}
		m.ClientID, m.ClientHost = r.text(), r.text()
		if version >= 1 {
			m.RebalanceTimeoutMs = r.int32()
		}
		m.SessionTimeoutMs = r.int32()
		if version == 0 {
			m.RebalanceTimeoutMs = m.SessionTimeoutMs
		}
		m.Subscription, m.Assignment = r.bytes(), r.bytes()
		r.tags()
		g.Members = append(g.Members, m)
	}
	r.tags()
	return g, r.end("group value")
}

// CheckNames says whether a group and a topic fit into a key, and a metadata text into a value.
func CheckNames(texts ...string) error {
	for _, s := range texts {
		if len(s) > math.MaxInt16 {
			return ErrTooLong
		}
	}
	return nil
}
