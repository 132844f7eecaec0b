package kafka_test

import (
	"context"
	"fmt"

	"github.com/IBM/sarama"

	"github.com/prekraft/prekraft/clients/kafka"
)

// One record at a time: the call returns when all in-sync replicas have the record, with its place in the log.
func Example_synchronousProducer() {
	orders := topic("synchronous", 1)
	producer, err := sarama.NewSyncProducer(bootstrap, kafka.NewConfig("example"))
	check(err)
	defer producer.Close()
	for range 3 {
		partition, offset, err := producer.SendMessage(&sarama.ProducerMessage{Topic: orders, Value: sarama.StringEncoder("hello")})
		fmt.Println(partition, offset, err)
	}
	// Output:
	// 0 0 <nil>
	// 0 1 <nil>
	// 0 2 <nil>
}

// Many records on their way at once, in batches. Order is kept, each is acknowledged.
func ExampleSendAll() {
	orders := topic("asynchronous", 1)
	producer, err := sarama.NewAsyncProducer(bootstrap, kafka.NewConfig("example"))
	check(err)
	defer producer.Close()
	acked, err := kafka.SendAll(context.Background(), producer, func(yield func(*sarama.ProducerMessage) bool) {
		for i := range 1000 {
			if !yield(&sarama.ProducerMessage{Topic: orders, Value: sarama.StringEncoder(fmt.Sprint(i))}) {
				return
			}
		}
	})
	fmt.Println(acked, err)
	// Output: 1000 <nil>
}
