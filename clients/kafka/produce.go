package kafka

import (
	"context"
	"fmt"
	"iter"

	"github.com/IBM/sarama"
)

// SendAll hands records to an asynchronous producer without waiting for one before sending the next, and returns when each is acknowledged or has failed: how many
// were acknowledged, and the first failure. The end of ctx stops the sending, not the waiting. The producer must return successes and errors, as NewConfig's do, and serve nobody else meanwhile.
func SendAll(ctx context.Context, producer sarama.AsyncProducer, messages iter.Seq[*sarama.ProducerMessage]) (acked int, err error) {
	next, stop := iter.Pull(messages)
	defer stop()
	message, more := next()
	for pending := 0; more || pending > 0; {
		input, ended := producer.Input(), ctx.Done()
		if !more {
			input, ended = nil, nil
		}
		select {
		case input <- message:
			pending++
			message, more = next()
		case <-producer.Successes():
			pending--
			acked++
		case failed := <-producer.Errors():
			pending--
			if err == nil {
				err = fmt.Errorf("record of %s: %w", failed.Msg.Topic, failed.Err)
			}
		case <-ended:
			more = false
			if err == nil {
				err = context.Cause(ctx)
			}
		}
	}
	return acked, err
}
