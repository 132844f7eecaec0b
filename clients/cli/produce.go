package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/IBM/sarama"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/prekraft/prekraft/clients/kafka"
)

// maxLine bounds a line of input; brokers refuse records above about 1 MB unless configured otherwise.
const maxLine = 64 << 20

type produceOptions struct {
	keySeparator string
	codec        string
	acks         string
	partition    int32
	headers      []string
	linger       time.Duration
	plain        bool
}

func (a *app) produceCommand() *cobra.Command {
	o := produceOptions{}
	cmd := &cobra.Command{
		Use: "produce TOPIC", Short: "Send each line of standard input as a record", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.produce(cmd.Context(), args[0], o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.keySeparator, "key-separator", "", "the text between key and value in a line (default: lines have no key)")
	flags.StringVar(&o.codec, "codec", "none", "compression: none, gzip, snappy, lz4 or zstd")
	flags.StringVar(&o.acks, "acks", "all", "what to wait for: all in-sync replicas, 1 (the leader) or 0 (nothing)")
	flags.Int32Var(&o.partition, "partition", -1, "send all to this partition (default: by the key, as Java's producer does)")
	flags.StringArrayVar(&o.headers, "header", nil, "header `key=value` on every record (repeatable)")
	flags.DurationVar(&o.linger, "linger", 5*time.Millisecond, "how long to wait for more records before a batch is sent")
	flags.BoolVar(&o.plain, "no-idempotence", false, "send without a producer id")
	return cmd
}

func (o produceOptions) config() (*sarama.Config, error) {
	config := kafka.NewConfig("prekraft-produce")
	var err error
	if config.Producer.Compression, err = kafka.Codec(o.codec); err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	if config.Producer.RequiredAcks, err = kafka.Acks(o.acks); err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	if o.plain || config.Producer.RequiredAcks != sarama.WaitForAll {
		config.Producer.Idempotent = false
	}
	config.Producer.Flush.Frequency = o.linger
	config.Metadata.Retry.Max = 10
	if o.partition >= 0 {
		config.Producer.Partitioner = sarama.NewManualPartitioner
	}
	return config, nil
}

func (a *app) produce(ctx context.Context, topic string, o produceOptions) error {
	config, err := o.config()
	if err != nil {
		return err
	}
	headers, err := headerPairs(o.headers)
	if err != nil {
		return err
	}
	producer, err := sarama.NewAsyncProducer(kafka.Bootstrap(a.bootstrap), config)
	if err != nil {
		return a.unreachable(err)
	}
	var sent, failed int
	var firstError error
	var group errgroup.Group
	group.Go(func() error {
		for range producer.Successes() {
			sent++
		}
		return nil
	})
	group.Go(func() error {
		for e := range producer.Errors() {
			if failed++; firstError == nil {
				firstError = e.Err
			}
		}
		return nil
	})
	readErr := a.readLines(ctx, func(line []byte) error {
		message := &sarama.ProducerMessage{Topic: topic, Headers: headers, Partition: o.partition}
		value := line
		if o.keySeparator != "" {
			key, rest, ok := bytes.Cut(line, []byte(o.keySeparator))
			if !ok {
				return fmt.Errorf("a line has no key separator %q: %.60q", o.keySeparator, line)
			}
			message.Key, value = sarama.ByteEncoder(key), rest
		}
		message.Value = sarama.ByteEncoder(value)
		select {
		case producer.Input() <- message:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	producer.AsyncClose()
	_ = group.Wait()
	switch {
	case firstError != nil:
		return fmt.Errorf("%d of %d records were not sent: %w", failed, sent+failed, firstError)
	case readErr != nil && !errors.Is(readErr, context.Canceled):
		return readErr
	}
	if a.output == "json" {
		return a.json(map[string]int{"sent": sent})
	}
	fmt.Fprintf(a.err, "Sent %d records.\n", sent)
	return nil
}

// readLines calls f for each line of standard input, without its end; the slice is f's.
func (a *app) readLines(ctx context.Context, f func(line []byte) error) error {
	reader := bufio.NewReaderSize(a.in, 1<<16)
	for ctx.Err() == nil {
		line, err := reader.ReadBytes('\n')
		if len(line) > maxLine {
			return fmt.Errorf("a line of %d bytes: more than %d", len(line), maxLine)
		}
		if len(line) > 0 {
			if err := f(bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func headerPairs(pairs []string) ([]sarama.RecordHeader, error) {
	configs, err := configPairs(pairs)
	if err != nil {
		return nil, err
	}
	var headers []sarama.RecordHeader
	for key, value := range configs {
		headers = append(headers, sarama.RecordHeader{Key: []byte(key), Value: []byte(*value)})
	}
	return headers, nil
}
