package cluster

import (
	"errors"
	"sync"

	"github.com/IBM/sarama"
)

// bubbleProducer is a sarama.SyncProducer for a testing/synctest bubble: sarama's own lends channels from a pool of the whole process, which bubbles must not share. It
// sends what it is given as one batch at a time; callers take turns.
type bubbleProducer struct {
	sarama.AsyncProducer
	turn chan struct{}
}

func newBubbleProducer(addresses []string, config *sarama.Config) (sarama.SyncProducer, error) {
	if !config.Producer.Return.Successes || !config.Producer.Return.Errors {
		return nil, errors.New("a synchronous producer needs Producer.Return.Successes and Producer.Return.Errors")
	}
	producer, err := sarama.NewAsyncProducer(addresses, config)
	if err != nil {
		return nil, err
	}
	return &bubbleProducer{AsyncProducer: producer, turn: make(chan struct{}, 1)}, nil
}

// SendMessage sends one record and waits for its answer.
func (p *bubbleProducer) SendMessage(m *sarama.ProducerMessage) (partition int32, offset int64, err error) {
	if err := p.SendMessages([]*sarama.ProducerMessage{m}); err != nil {
		var failed sarama.ProducerErrors
		if errors.As(err, &failed) {
			return -1, -1, failed[0].Err
		}
		return -1, -1, err
	}
	return m.Partition, m.Offset, nil
}

// SendMessages sends records and waits for all answers.
func (p *bubbleProducer) SendMessages(messages []*sarama.ProducerMessage) error {
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	var sending sync.WaitGroup
	sending.Go(func() {
		for _, m := range messages {
			p.Input() <- m
		}
	})
	defer sending.Wait()
	var failed sarama.ProducerErrors
	for range messages {
		select {
		case <-p.Successes():
		case err := <-p.Errors():
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return failed
	}
	return nil
}
