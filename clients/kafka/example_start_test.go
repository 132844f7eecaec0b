package kafka_test

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/prekraft/prekraft/clients/kafka"
)

// Ten records, one each minute; a group has read six.
func ExampleStart() {
	orders := topic("starts", 1)
	noon := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	producer := must(sarama.NewSyncProducer(bootstrap, kafka.NewConfig("example")))
	defer producer.Close()
	for i := range 10 {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: orders, Value: sarama.StringEncoder("v"), Timestamp: noon.Add(time.Duration(i) * time.Minute)})
		check(err)
	}
	client := must(sarama.NewClient(bootstrap, kafka.NewConfig("example")))
	defer client.Close()
	check(kafka.Seek(client, "readers", orders, kafka.Offset(6)))

	for _, start := range []struct {
		name string
		from kafka.Start
	}{
		{"earliest", kafka.Earliest},
		{"latest", kafka.Latest},
		{"offset 4", kafka.Offset(4)},
		{"since 12:07:30", kafka.Since(noon.Add(7*time.Minute + 30*time.Second))},
		{"since tomorrow", kafka.Since(noon.Add(24 * time.Hour))},
		{"committed", kafka.Committed("readers", kafka.Earliest)},
		{"committed by nobody", kafka.Committed("strangers", kafka.Earliest)},
	} {
		fmt.Println(start.name, must(start.from(client, orders, 0)))
	}
	// Output:
	// earliest 0
	// latest 10
	// offset 4 4
	// since 12:07:30 8
	// since tomorrow 10
	// committed 6
	// committed by nobody 0
}

// A group is sent back to the second record and goes on from there.
func ExampleSeek() {
	orders := topic("seek", 1)
	fill(orders, 4)
	client := must(sarama.NewClient(bootstrap, kafka.NewConfig("example")))
	defer client.Close()
	check(kafka.Seek(client, "rewound", orders, kafka.Offset(1)))
	values := make(chan string, 3)
	m := join("rewound", orders, kafka.AtLeastOnce(func(_ context.Context, message *sarama.ConsumerMessage) error {
		values <- string(message.Value)
		return nil
	}, kafka.PerRecord), kafka.PerRecord.Configure)
	fmt.Println(<-values, <-values, <-values)
	m.leave()
	// Output: 1 2 3
}
