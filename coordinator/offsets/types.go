package offsets

import (
	"context"
	"errors"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// Topic is the topic that holds offsets and groups.
const Topic = "__consumer_offsets"

// TopicPartition names a partition.
type TopicPartition = znode.TopicPartition

// None of the things an offset may have.
const (
	NoOffset      int64 = -1 // no offset is committed
	NoLeaderEpoch int32 = -1
	NoTimestamp   int64 = -1 // unknown, or never
)

// Storage says where offsets are kept: the values of offsets.storage.
type Storage uint8

// The storages.
const (
	// Dual keeps offsets in the topic, and copies them to ZooKeeper behind the answer.
	Dual Storage = iota
	// Kafka keeps offsets in the topic, as Apache Kafka does.
	Kafka
	// ZooKeeper keeps offsets under /consumers alone.
	ZooKeeper
)

// String returns the value of offsets.storage.
func (s Storage) String() string {
	switch s {
	case Kafka:
		return "kafka"
	case ZooKeeper:
		return "zookeeper"
	}
	return "dual"
}

// Committed is a committed offset.
type Committed struct {
	// Offset is the next one to read. It isn't compared with the log; negative ones are kept as they came.
	Offset int64
	// LeaderEpoch is that of the last record read, NoLeaderEpoch if unknown.
	LeaderEpoch int32
	// Metadata is the client's own text.
	Metadata string
	// CommitTimestampMs is when it was committed; ExpireTimestampMs when it is to go, NoTimestamp to leave that to the broker's retention.
	CommitTimestampMs, ExpireTimestampMs int64
}

// Item is one partition of a commit. Code is the answer.
type Item struct {
	TopicPartition
	Committed
	Code wire.Error
}

// Fetched is one partition of an answer: Offset NoOffset, LeaderEpoch NoLeaderEpoch and no metadata if nothing is committed.
type Fetched struct {
	TopicPartition
	Committed
	Code wire.Error
}

// LoadedGroup is a group that was found in a partition of __consumer_offsets.
type LoadedGroup struct {
	Group string
	// Metadata is nil for a group that has committed offsets and nothing else.
	Metadata *GroupMetadata
	// Offsets is how many partitions it has committed offsets for, open transactions counted.
	Offsets int
}

// Groups is what the store tells the coordinator. Calls of one partition come one after the other, from a goroutine of the store and without
// its locks.
type Groups interface {
	// Loaded hands over a partition's groups, which are the coordinator's from then on. The partition is served when it has returned; it may call Commit and StoreGroup.
	Loaded(partition int32, groups []LoadedGroup)
	// Unloaded says that another broker coordinates the partition's groups now. It follows a Loaded.
	Unloaded(partition int32)
}

// Rule says when the offsets of a group expire (KIP-211). The zero value never does.
type Rule struct {
	// Enabled is false for a group whose offsets are in use. An expire time that the client gave takes the place of the retention, it doesn't enable.
	Enabled bool
	// EmptySinceMs, if not 0, is when the group became empty: all of its offsets go a retention later. 0 counts from each offset's commit.
	EmptySinceMs int64
	// Subscribed tells which topics' offsets stay; nil is none. It must not call the store.
	Subscribed func(topic string) bool
}

// Settings are the configs that the store follows.
type Settings struct {
	Storage Storage
	// MaxMetadata is offset.metadata.max.bytes, in UTF-16 units as in Kafka.
	MaxMetadata int
	// Acks and Timeout are offsets.commit.required.acks and offsets.commit.timeout.ms.
	Acks    int16
	Timeout time.Duration
	// Retention is offsets.retention.minutes.
	Retention time.Duration
	// Codec is offsets.topic.compression.codec.
	Codec int8
	// LoadBuffer is offsets.load.buffer.size, in bytes: how much is read at a time. A larger batch is read whole.
	LoadBuffer int
}

// Log is __consumer_offsets as this broker hosts it.
type Log interface {
	// Append appends one batch as the leader of a partition; acks is 0, 1 or -1. done is called once, with the offset of the batch's first record, when the acks are there; or
	// with what went wrong. It may be called before Append returns, and from any goroutine. The batch may be changed, and isn't kept.
	Append(partition int32, batch []byte, acks int16, timeout time.Duration, done func(baseOffset int64, code wire.Error))
	// Bounds returns the log start offset and the log end offset; an error when this broker doesn't lead.
	Bounds(partition int32) (start, end int64, err error)
	// Read reads whole batches into buffer, which it may replace, from the one that holds offset on: as many as fit into maxBytes, at least one, none at the log's end.
	// An error when this broker doesn't lead.
	Read(partition int32, offset int64, maxBytes int, buffer []byte) ([]byte, error)
}

// Znode is a znode that was read.
type Znode struct {
	Exists bool
	Data   []byte
	// MtimeMs is when it was written, by ZooKeeper's clock; Version counts the writes.
	MtimeMs int64
	Version int32
}

// ZnodeWrite is a write of a transaction: of a znode that is there or, with Create, of one that isn't.
type ZnodeWrite struct {
	Path   string
	Data   []byte
	Create bool
}

// Znodes is ZooKeeper, in the chroot of the cluster. Errors wrap ErrNoZnode, ErrZnodeExists and ErrZnodeVersion where they apply; all others mean that ZooKeeper wasn't asked, or
// that nobody knows whether it did it.
type Znodes interface {
	// Get reads znodes, several at a time, in their order. A znode that isn't there is no error.
	Get(ctx context.Context, paths []string) ([]Znode, error)
	// Children lists a znode's children, sorted; none if it isn't there.
	Children(ctx context.Context, path string) ([]string, error)
	// Ensure makes a persistent znode and its parents where they are missing.
	Ensure(ctx context.Context, path string) error
	// Write executes one write by itself, whatever the version.
	Write(ctx context.Context, w ZnodeWrite) error
	// Transact executes all writes or none, provided that the znode at check has the version.
	Transact(ctx context.Context, check string, version int32, writes []ZnodeWrite) error
	// Delete removes a znode that has no children.
	Delete(ctx context.Context, path string) error
}

// Errors of Znodes.
var (
	ErrNoZnode      = errors.New("znode does not exist")
	ErrZnodeExists  = errors.New("znode exists")
	ErrZnodeVersion = errors.New("znode has another version")
)
