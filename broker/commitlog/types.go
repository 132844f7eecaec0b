package commitlog

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// String returns "topic-partition", which is also the name of the partition's directory.
func (tp TopicPartition) String() string {
	return tp.Topic + "-" + strconv.Itoa(int(tp.Partition))
}

// compare orders partitions by topic, then by number.
func (tp TopicPartition) compare(o TopicPartition) int {
	if c := strings.Compare(tp.Topic, o.Topic); c != 0 {
		return c
	}
	return int(tp.Partition) - int(o.Partition)
}

// TopicID is the 16 bytes of a topic's UUID; the zero value means that the topic has none.
type TopicID [16]byte

// IsZero tells whether there is no topic id.
func (id TopicID) IsZero() bool { return id == TopicID{} }

// String returns the id as Kafka prints it: 22 characters of URL-safe base64 without padding.
func (id TopicID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ParseTopicID reads what String returns.
func ParseTopicID(s string) (TopicID, error) {
	var id TopicID
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return id, fmt.Errorf("topic id %q: %w", s, err)
	}
	if len(b) != len(id) {
		return id, fmt.Errorf("topic id %q: %d bytes instead of 16", s, len(b))
	}
	copy(id[:], b)
	return id, nil
}

// Origin says who appends. Source: storage AppendOrigin.java.
type Origin uint8

// The origins.
const (
	// OriginClient is a Produce request: everything is checked.
	OriginClient Origin = iota
	// OriginCoordinator is a coordinator of this broker: control batches are allowed, sequence numbers aren't checked.
	OriginCoordinator
	// OriginReplication is a follower's fetcher: batches are kept byte for byte.
	OriginReplication
)

// String returns the origin's name in Kafka.
func (o Origin) String() string {
	switch o {
	case OriginClient:
		return "CLIENT"
	case OriginCoordinator:
		return "COORDINATOR"
	case OriginReplication:
		return "REPLICATION"
	}
	return fmt.Sprintf("Origin(%d)", uint8(o))
}

// Suffixes of replica directories and of files. Source: UnifiedLog.scala, LogFileUtils.java.
const (
	deleteDirSuffix = "-delete"
	futureDirSuffix = "-future"
	strayDirSuffix  = "-stray"

	logSuffix       = ".log"
	indexSuffix     = ".index"
	timeIndexSuffix = ".timeindex"
	txnIndexSuffix  = ".txnindex"
	snapshotSuffix  = ".snapshot"

	deletedSuffix = ".deleted"
	cleanedSuffix = ".cleaned"
	swapSuffix    = ".swap"

	maxDirName = 255
)

// errNotReplicaDir is returned for a directory name that isn't a replica's.
var errNotReplicaDir = errors.New("not a replica directory name")

// dirKind is what a directory inside a log directory holds.
type dirKind uint8

const (
	dirReplica dirKind = iota
	dirDelete
	dirFuture
	dirStray
)

// parseReplicaDir reads a directory name: "topic-3", or "topic-3.<32 hex>-delete", "-future", "-stray". The topic of a -delete and a -stray
// directory may be cut short. Source: UnifiedLog.parseTopicPartitionName.
func parseReplicaDir(name string) (TopicPartition, dirKind, error) {
	kind, base := dirReplica, name
	for suffix, k := range map[string]dirKind{deleteDirSuffix: dirDelete, futureDirSuffix: dirFuture, strayDirSuffix: dirStray} {
		cut, ok := strings.CutSuffix(name, suffix)
		if !ok {
			continue
		}
		dot := strings.LastIndexByte(cut, '.')
		if dot < 0 || len(cut)-dot-1 != 32 || strings.Trim(cut[dot+1:], "0123456789abcdef") != "" {
			continue // a topic may be named like this: "a-delete" has no partition and is refused below
		}
		kind, base = k, cut[:dot]
	}
	dash := strings.LastIndexByte(base, '-')
	if dash < 0 {
		return TopicPartition{}, kind, fmt.Errorf("%q: %w", name, errNotReplicaDir)
	}
	partition, err := strconv.ParseInt(base[dash+1:], 10, 32)
	if err != nil || partition < 0 || (dash == 0 && kind == dirReplica) {
		return TopicPartition{}, kind, fmt.Errorf("%q: %w", name, errNotReplicaDir)
	}
	return TopicPartition{Topic: base[:dash], Partition: int32(partition)}, kind, nil
}

// suffixedDirName makes the name that a replica directory gets when it is to be deleted. The topic is shortened so that the name fits
// into 255 bytes. Source: UnifiedLog.logDirNameWithSuffixCappedLength.
func suffixedDirName(tp TopicPartition, unique TopicID, suffix string) string {
	tail := fmt.Sprintf("-%d.%x%s", tp.Partition, unique[:], suffix)
	topic := tp.Topic
	if len(topic)+len(tail) > maxDirName {
		topic = topic[:maxDirName-len(tail)]
	}
	return topic + tail
}

// fileName is the name of a segment's file: the offset in 20 digits and the suffix.
func fileName(offset int64, suffix string) string {
	const zeros = "00000000000000000000"
	digits := strconv.FormatInt(offset, 10)
	return zeros[min(len(digits), len(zeros)):] + digits + suffix
}

// parseFileName reads the offset out of a file name with the given suffix.
func parseFileName(name, suffix string) (int64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	offset, err := strconv.ParseInt(digits, 10, 64)
	return offset, err == nil && offset >= 0
}

func sortOffsets(offsets []int64) { slices.Sort(offsets) }
