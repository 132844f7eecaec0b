package kafka

import (
	"math/rand/v2"

	"github.com/IBM/sarama"
)

// murmur2Partitioner chooses partitions as Java's producer does: by the key's murmur2 hash; without a key, one partition at a time at random, kept
// for a while so that batches fill (KIP-480's idea of a sticky partition).
type murmur2Partitioner struct {
	sticky int32
	left   int
}

// stickyRecords is how many records without a key go to one partition before another is drawn.
const stickyRecords = 100

// NewMurmur2Partitioner returns a partitioner equal to Java's for keyed records, so that a Go and a Java producer put the same key into the same
// partition (clients/src/main/java/org/apache/kafka/clients/producer/internals/BuiltInPartitioner.java). It is a sarama.PartitionerConstructor.
func NewMurmur2Partitioner(string) sarama.Partitioner { return &murmur2Partitioner{sticky: -1} }

// Partition is sarama's.
func (p *murmur2Partitioner) Partition(message *sarama.ProducerMessage, partitions int32) (int32, error) {
	if message.Key == nil {
		if p.left == 0 || p.sticky >= partitions || p.sticky < 0 {
			p.sticky, p.left = rand.Int32N(partitions), stickyRecords
		}
		p.left--
		return p.sticky, nil
	}
	key, err := message.Key.Encode()
	if err != nil {
		return -1, err
	}
	return PartitionForKey(key, partitions), nil
}

// RequiresConsistency is sarama's: a key belongs to one partition, whether or not that is available now.
func (p *murmur2Partitioner) RequiresConsistency() bool { return true }

// PartitionForKey returns the partition that Java's producer gives a key.
func PartitionForKey(key []byte, partitions int32) int32 {
	return int32(Murmur2(key)&0x7fffffff) % partitions
}

// Murmur2 is the 32-bit MurmurHash2 with Kafka's seed (clients/src/main/java/org/apache/kafka/common/utils/Utils.java).
func Murmur2(data []byte) uint32 {
	const (
		seed uint32 = 0x9747b28c
		m    uint32 = 0x5bd1e995
	)
	h := seed ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16 | uint32(data[3])<<24
		k *= m
		k ^= k >> 24
		k *= m
		h *= m
		h ^= k
	}
	switch len(data) {
	case 3:
		h ^= uint32(data[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(data[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(data[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return h
}
