package kafka_test

import (
	"fmt"
	"strings"

	"github.com/IBM/sarama"

	"github.com/prekraft/prekraft/clients/kafka"
)

// Records go to one partition after the other, whatever their keys.
func ExampleNewRoundRobinPartitioner() {
	orders := topic("round-robin", 3)
	fmt.Println(partitionsOf(orders, kafka.NewRoundRobinPartitioner, "", "", "", "key", "key", "key"))
	// Output: 0 1 2 0 1 2
}

// A key has one partition, the same that Java's producer gives it.
func ExampleNewMurmur2Partitioner() {
	orders := topic("murmur2", 6)
	fmt.Println(partitionsOf(orders, kafka.NewMurmur2Partitioner, "alice", "bob", "alice", "bob"))
	fmt.Println(kafka.PartitionForKey([]byte("alice"), 6), kafka.PartitionForKey([]byte("bob"), 6))
	// Output:
	// 3 0 3 0
	// 3 0
}

// Three records fill a batch of one partition, then comes another.
func ExampleNewStickyPartitioner() {
	orders := topic("sticky", 4)
	went := strings.Fields(partitionsOf(orders, kafka.NewStickyPartitioner(3), "", "", "", "", "", "", "", "", ""))
	for batch := 0; batch < len(went); batch += 3 {
		fmt.Println("one partition:", went[batch] == went[batch+1] && went[batch] == went[batch+2])
	}
	fmt.Println("then another:", went[2] != went[3] && went[5] != went[6])
	// Output:
	// one partition: true
	// one partition: true
	// one partition: true
	// then another: true
}

// The last partition is for those who pay, all others share the rest.
func ExampleCustomPartitioner() {
	orders := topic("custom", 4)
	premium := kafka.CustomPartitioner(func(message *sarama.ProducerMessage, partitions int32) (int32, error) {
		key, err := message.Key.Encode()
		if err != nil || strings.HasPrefix(string(key), "premium-") {
			return partitions - 1, err
		}
		return kafka.PartitionForKey(key, partitions-1), nil
	})
	fmt.Println(partitionsOf(orders, premium.New, "premium-alice", "premium-bob", "carol", "dave"))
	// Output: 3 3 2 1
}
