package kafka_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/clients/kafka"
	"github.com/prekraft/prekraft/integration/cluster"
)

// bootstrap has the brokers of a cluster that all examples share.
var bootstrap []string

func TestMain(m *testing.M) {
	kafka.Silence()
	env := &environment{}
	c := cluster.Start(env, cluster.Brokers(1), cluster.Set("offsets.topic.replication.factor", "1"), cluster.Set("group.initial.rebalance.delay.ms", "0"))
	bootstrap = c.Bootstrap()
	status := m.Run()
	env.end()
	if err := goleak.Find(); status == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// environment is as much of a testing.TB as a cluster needs: examples have none.
type environment struct {
	testing.TB
	cleanups []func()
}

func (e *environment) Helper()                  {}
func (e *environment) Name() string             { return "examples" }
func (e *environment) Failed() bool             { return false }
func (e *environment) Logf(string, ...any)      {}
func (e *environment) Context() context.Context { return context.Background() }
func (e *environment) Cleanup(f func())         { e.cleanups = append(e.cleanups, f) }
func (e *environment) Fatal(args ...any)        { panic(fmt.Sprint(args...)) }
func (e *environment) Fatalf(text string, args ...any) {
	panic(fmt.Sprintf(text, args...))
}

func (e *environment) TempDir() string {
	dir, err := os.MkdirTemp("", "examples")
	check(err)
	e.Cleanup(func() { check(os.RemoveAll(dir)) })
	return dir
}

func (e *environment) end() {
	for i := len(e.cleanups) - 1; i >= 0; i-- {
		e.cleanups[i]()
	}
}

// check keeps the examples short.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

// must is check for calls that return something.
func must[T any](value T, err error) T {
	check(err)
	return value
}

// topic makes a topic and returns its name.
func topic(name string, partitions int32) string {
	admin := must(sarama.NewClusterAdmin(bootstrap, kafka.NewConfig("")))
	defer admin.Close()
	check(admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false))
	return name
}

// fill writes records 0, 1, ... to a topic, one after the other.
func fill(topic string, records int) {
	producer := must(sarama.NewSyncProducer(bootstrap, kafka.NewConfig("")))
	defer producer.Close()
	for i := range records {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(fmt.Sprint(i))})
		check(err)
	}
}

// committed is where a group stands in partition 0 of a topic.
func committed(group, topic string) int64 {
	client := must(sarama.NewClient(bootstrap, kafka.NewConfig("")))
	defer client.Close()
	return must(kafka.Committed(group, kafka.Offset(-1))(client, topic, 0))
}

// partitionsOf sends records with one partitioner and says where each went.
func partitionsOf(topic string, partitioner sarama.PartitionerConstructor, keys ...string) string {
	config := kafka.NewConfig("example")
	config.Producer.Partitioner = partitioner
	producer := must(sarama.NewSyncProducer(bootstrap, config))
	defer producer.Close()
	var went []string
	for _, key := range keys {
		message := &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("value")}
		if key != "" {
			message.Key = sarama.StringEncoder(key)
		}
		partition, _, err := producer.SendMessage(message)
		check(err)
		went = append(went, fmt.Sprint(partition))
	}
	return strings.Join(went, " ")
}
