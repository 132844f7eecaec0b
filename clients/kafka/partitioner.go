package kafka

import (
	"math/rand/v2"

	"github.com/IBM/sarama"
)

// NewMurmur2Partitioner returns a partitioner equal to Java's for keyed records, so that a Go and a Java producer put the same key into the same
// partition (clients/src/main/java/org/apache/kafka/clients/producer/internals/BuiltInPartitioner.java). Records without a key stick to a partition for a while.
// It is a sarama.PartitionerConstructor.
func NewMurmur2Partitioner(string) sarama.Partitioner {
	return &murmur2Partitioner{stickyPartitioner{records: stickyRecords, at: -1}}
}

type murmur2Partitioner struct{ keyless stickyPartitioner }

// Partition is sarama's.
func (p *murmur2Partitioner) Partition(message *sarama.ProducerMessage, partitions int32) (int32, error) {
	if message.Key == nil {
		return p.keyless.Partition(message, partitions)
	}
	key, err := message.Key.Encode()
	if err != nil {
		return -1, err
	}
	return PartitionForKey(key, partitions), nil
}

// RequiresConsistency is sarama's: a key belongs to one partition, whether or not that is available now.
func (p *murmur2Partitioner) RequiresConsistency() bool { return true }

// stickyRecords is how many records without a key go to one partition before another is drawn.
const stickyRecords = 100

// NewStickyPartitioner returns a constructor of partitioners that ignore keys: so many records (at least one) go to one partition, then as many to another, drawn at random. Batches
// fill, as KIP-480 wants it, and over time all partitions get the same.
func NewStickyPartitioner(records int) sarama.PartitionerConstructor {
	return func(string) sarama.Partitioner { return &stickyPartitioner{records: max(records, 1), at: -1} }
}

type stickyPartitioner struct {
	records int   // for each partition
	left    int   // of them
	at      int32 // -1 before the first
}

// Partition is sarama's.
func (p *stickyPartitioner) Partition(_ *sarama.ProducerMessage, partitions int32) (int32, error) {
	if p.left == 0 || p.at >= partitions {
		p.left = p.records
		p.at = another(p.at, partitions)
	}
	p.left--
	return p.at, nil
}

// another draws a partition that isn't the last one, if there is any.
func another(last, partitions int32) int32 {
	if last < 0 || last >= partitions || partitions == 1 {
		return rand.Int32N(partitions)
	}
	return (last + 1 + rand.Int32N(partitions-1)) % partitions
}

// RequiresConsistency is sarama's: any available partition will do.
func (p *stickyPartitioner) RequiresConsistency() bool { return false }

// NewRoundRobinPartitioner returns a partitioner that ignores keys and takes one partition after the other. The load is even record by record; batches are as small as can be.
// It is a sarama.PartitionerConstructor.
func NewRoundRobinPartitioner(string) sarama.Partitioner { return &roundRobinPartitioner{} }

type roundRobinPartitioner struct{ next int32 }

// Partition is sarama's.
func (p *roundRobinPartitioner) Partition(_ *sarama.ProducerMessage, partitions int32) (int32, error) {
	at := p.next % partitions
	p.next = at + 1
	return at, nil
}

// RequiresConsistency is sarama's: any available partition will do.
func (p *roundRobinPartitioner) RequiresConsistency() bool { return false }

// CustomPartitioner is a rule of one's own: it returns a partition from 0 to partitions-1. Kafka only sees the result; whoever must find a record again has to know the rule.
type CustomPartitioner func(message *sarama.ProducerMessage, partitions int32) (int32, error)

// New is a sarama.PartitionerConstructor.
func (p CustomPartitioner) New(string) sarama.Partitioner { return p }

// Partition is sarama's.
func (p CustomPartitioner) Partition(message *sarama.ProducerMessage, partitions int32) (int32, error) {
	return p(message, partitions)
}

// RequiresConsistency is sarama's: the rule, not availability, decides.
func (p CustomPartitioner) RequiresConsistency() bool { return true }

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
