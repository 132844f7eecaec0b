package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/prekraft/prekraft/clients/kafka"
)

// member is a member of a group.
type member struct {
	cancel context.CancelFunc
	done   chan error
}

// join starts a member, which runs until its handler fails or it leaves.
func join(group, topic string, handler sarama.ConsumerGroupHandler, change ...func(*sarama.Config)) *member {
	config := kafka.NewConfig("example")
	config.Consumer.MaxWaitTime = 20 * time.Millisecond
	for _, f := range change {
		f(config)
	}
	g := must(sarama.NewConsumerGroup(bootstrap, group, config))
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{cancel, make(chan error, 1)}
	go func() { m.done <- errors.Join(kafka.Run(ctx, g, []string{topic}, handler, nil), g.Close()) }()
	return m
}

// wait returns when the member has ended by itself, with the reason.
func (m *member) wait() error {
	defer m.cancel()
	return <-m.done
}

// leave ends the member.
func (m *member) leave() {
	m.cancel()
	check(<-m.done)
}

// The four ways to commit differ in what they cost and what a crash repeats, not in where they end.
func ExampleCommit() {
	orders := topic("commits", 1)
	fill(orders, 10)
	for _, commit := range []kafka.Commit{kafka.Automatic, kafka.Synchronous, kafka.Asynchronous, kafka.PerRecord} {
		group := fmt.Sprintf("commits-%d", commit)
		var all sync.WaitGroup
		all.Add(10)
		m := join(group, orders, kafka.AtLeastOnce(func(context.Context, *sarama.ConsumerMessage) error {
			all.Done()
			return nil
		}, commit), commit.Configure)
		all.Wait()
		m.leave()
		fmt.Println(committed(group, orders))
	}
	// Output:
	// 10
	// 10
	// 10
	// 10
}

// errKilled stands for kill -9: nothing more happens in the member, neither work nor commit.
var errKilled = errors.New("killed")

// A member that is killed after the work and before the commit: its successor does the work again.
func ExampleAtLeastOnce() {
	orders := topic("at-least-once", 1)
	fill(orders, 6)
	var done []string
	finished := make(chan struct{})
	work := func(killedAt string) kafka.Process {
		return func(_ context.Context, m *sarama.ConsumerMessage) error {
			done = append(done, string(m.Value))
			switch string(m.Value) {
			case killedAt:
				return errKilled
			case "5":
				close(finished)
			}
			return nil
		}
	}
	first := join("at-least-once", orders, kafka.AtLeastOnce(work("3"), kafka.PerRecord), kafka.PerRecord.Configure)
	fmt.Println(first.wait())
	second := join("at-least-once", orders, kafka.AtLeastOnce(work("none"), kafka.PerRecord), kafka.PerRecord.Configure)
	<-finished
	second.leave()
	fmt.Println(done)
	// Output:
	// killed
	// [0 1 2 3 3 4 5]
}

// A member that is killed after the commit and before the work: nobody does it.
func ExampleAtMostOnce() {
	orders := topic("at-most-once", 1)
	fill(orders, 6)
	var done []string
	finished := make(chan struct{})
	work := func(killedAt string) kafka.Process {
		return func(_ context.Context, m *sarama.ConsumerMessage) error {
			if string(m.Value) == killedAt {
				return errKilled
			}
			done = append(done, string(m.Value))
			if string(m.Value) == "5" {
				close(finished)
			}
			return nil
		}
	}
	first := join("at-most-once", orders, kafka.AtMostOnce(work("3")), kafka.PerRecord.Configure)
	fmt.Println(first.wait())
	second := join("at-most-once", orders, kafka.AtMostOnce(work("none")), kafka.PerRecord.Configure)
	<-finished
	second.leave()
	fmt.Println(done)
	// Output:
	// killed
	// [0 1 2 4 5]
}

// A queue: the members of one group share the records. Publish and subscribe: each group gets all of them.
func ExampleRun() {
	orders := topic("queue", 4)
	fill(orders, 20)
	var mu sync.Mutex
	read := map[string]int{}
	var all sync.WaitGroup
	all.Add(40)
	count := func(group string) sarama.ConsumerGroupHandler {
		return kafka.AtLeastOnce(func(context.Context, *sarama.ConsumerMessage) error {
			mu.Lock()
			defer mu.Unlock()
			read[group]++
			all.Done()
			return nil
		}, kafka.PerRecord)
	}
	members := []*member{
		join("billing", orders, count("billing"), kafka.PerRecord.Configure),
		join("billing", orders, count("billing"), kafka.PerRecord.Configure),
		join("shipping", orders, count("shipping"), kafka.PerRecord.Configure),
	}
	all.Wait()
	for _, m := range members {
		m.leave()
	}
	fmt.Println("billing", read["billing"], "shipping", read["shipping"])
	// Output: billing 20 shipping 20
}

// A static member may go away for less than its session timeout: when it is back under its name, it has its partitions, and the group's generation is the one before.
func Example_staticMembership() {
	orders := topic("static", 2)
	static := func(config *sarama.Config) {
		config.Consumer.Group.InstanceId = "warehouse-1"
		config.Consumer.Group.Session.Timeout = 30 * time.Second
	}
	var generations []int32
	for range 2 {
		joined := make(chan int32, 1)
		m := join("static", orders, generationTo{kafka.AtLeastOnce(nil, kafka.Automatic), joined}, static)
		generations = append(generations, <-joined)
		m.leave()
	}
	fmt.Println("same generation:", generations[0] == generations[1])
	// Output: same generation: true
}

// generationTo tells of each generation that a member is in.
type generationTo struct {
	sarama.ConsumerGroupHandler
	joined chan<- int32
}

func (g generationTo) Setup(session sarama.ConsumerGroupSession) error {
	g.joined <- session.GenerationID()
	return nil
}
