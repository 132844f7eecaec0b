package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

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
	null         string
	linger       time.Duration
	plain        bool
}

func (a *app) produceCommand() *cobra.Command {
	o := produceOptions{}
	cmd := &cobra.Command{
		Use: "produce TOPIC", Short: "Send each line of standard input as a record", Args: cobra.ExactArgs(1),
		Long: `Send each line of standard input as a record. On a terminal end the input with Ctrl-D. What was read before Ctrl-C is still sent.`,
		Example: "  echo hello | prekraft produce orders\n  prekraft produce users --key-separator : --codec lz4 < users.txt\n" +
			"  echo 'alice:NULL' | prekraft produce users --key-separator : --null NULL",
		RunE: func(cmd *cobra.Command, args []string) error { return a.produce(cmd.Context(), args[0], o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.keySeparator, "key-separator", "", "the text between key and value in a line (default: lines have no key)")
	flags.StringVar(&o.codec, "codec", "none", "compression: none, gzip, snappy, lz4 or zstd")
	flags.StringVar(&o.acks, "acks", "all", "what to wait for: all in-sync replicas, 1 (the leader) or 0 (nothing)")
	flags.Int32Var(&o.partition, "partition", -1, "send all to this partition (default: by the key, as Java's producer does)")
	flags.StringArrayVar(&o.headers, "header", nil, "header `key=value` on every record (repeatable)")
	flags.StringVar(&o.null, "null", "", "a `text` that stands for null as key or value, to delete a key of a compacted topic (default: none)")
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
	var sent atomic.Int64
	var failed int
	var firstError error
	var group errgroup.Group
	group.Go(func() error {
		for range producer.Successes() {
			sent.Add(1)
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
	progress := a.showProgress(&sent)
	readErr := a.readLines(ctx, func(line []byte) error {
		message := &sarama.ProducerMessage{Topic: topic, Headers: headers, Partition: o.partition}
		value := line
		if o.keySeparator != "" {
			key, rest, ok := bytes.Cut(line, []byte(o.keySeparator))
			if !ok {
				return fmt.Errorf("a line has no key separator %q: %.60q", o.keySeparator, line)
			}
			message.Key, value = o.encoder(key), rest
		}
		message.Value = o.encoder(value)
		select {
		case producer.Input() <- message:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	producer.AsyncClose()
	_ = group.Wait()
	progress()
	switch {
	case errors.Is(firstError, sarama.ErrUnknownTopicOrPartition):
		return topicError(topic, firstError)
	case errors.Is(firstError, sarama.ErrInvalidPartition):
		return fmt.Errorf("topic %s has no partition %d; `prekraft topics describe %s` shows those it has", topic, o.partition, topic)
	case firstError != nil:
		return fmt.Errorf("%d of %d records were not sent: %w", failed, int(sent.Load())+failed, firstError)
	case readErr != nil && !errors.Is(readErr, context.Canceled):
		return readErr
	}
	if a.output == "json" {
		return a.json(map[string]int64{"sent": sent.Load()})
	}
	fmt.Fprintf(a.err, "Sent %s.\n", plural(int(sent.Load()), "record"))
	return nil
}

// encoder makes a key or value of a part of a line.
func (o produceOptions) encoder(b []byte) sarama.Encoder {
	if o.null != "" && string(b) == o.null {
		return nil
	}
	return sarama.ByteEncoder(b)
}

// showProgress counts on standard error while it is a terminal and input comes from elsewhere, once a second has gone by. The function returned ends it.
func (a *app) showProgress(sent *atomic.Int64) func() {
	if !isTerminal(a.err) || isTerminal(a.in) {
		return func() {}
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		began, shown := time.Now(), false
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if took := time.Since(began); took > time.Second {
					n := sent.Load()
					fmt.Fprintf(a.err, "\r%d records sent, %.0f/s ", n, float64(n)/took.Seconds())
					shown = true
				}
			case <-stop:
				if shown {
					fmt.Fprint(a.err, "\r\x1b[K")
				}
				return
			}
		}
	}()
	return func() { close(stop); <-done }
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// readLines calls f for each line of standard input, without its end; the slice is f's. It returns when ctx ends, although a read that waits for a
// terminal can't be interrupted: that goroutine stays until the input ends, or the process.
func (a *app) readLines(ctx context.Context, f func(line []byte) error) error {
	type input struct {
		line []byte
		err  error
	}
	lines := make(chan input, 64)
	go func() {
		defer close(lines)
		reader := bufio.NewReaderSize(a.in, 1<<16)
		for {
			line, err := readLine(reader)
			select {
			case lines <- input{line, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case in := <-lines:
			if errors.Is(in.err, io.EOF) {
				return nil
			}
			if in.err != nil {
				return in.err
			}
			if err := f(in.line); err != nil {
				return err
			}
		}
	}
}

// readLine returns the next line without its end, io.EOF behind the last one.
func readLine(reader *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := reader.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			return nil, fmt.Errorf("a line of more than %d bytes", maxLine)
		}
		line = append(line, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) > 0:
			return line, nil
		case err != nil:
			return nil, err
		}
		return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
	}
}

func headerPairs(pairs []string) ([]sarama.RecordHeader, error) {
	headers := make([]sarama.RecordHeader, 0, len(pairs))
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("%w: a header is key=value, not %q", errUsage, pair)
		}
		headers = append(headers, sarama.RecordHeader{Key: []byte(key), Value: []byte(value)})
	}
	return headers, nil
}
