package offsets

import "github.com/prekraft/prekraft/zkutil/znode"

// PartitionOf returns the partition of __consumer_offsets that a group belongs to, out of so many. partitions is at least 1.
// Source: GroupMetadataManager.partitionFor.
func PartitionOf(group string, partitions int32) int32 {
	h := znode.JavaHash(group)
	if h == -1<<31 {
		return 0
	}
	return max(h, -h) % partitions
}

// utf16Len is String.length of Java.
func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}
