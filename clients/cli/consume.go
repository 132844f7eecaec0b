package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/IBM/sarama"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/prekraft/prekraft/clients/kafka"
)

type consumeOptions struct {
	partition     int32
	offset        string
	fromBeginning bool
	toEnd         bool
	maxMessages   int
	timeout       time.Duration
	show          []string
	separator     string
	isolation     string
	legacy        legacyOptions
}

func (a *app) consumeCommand() *cobra.Command {
	o := consumeOptions{}
	cmd := &cobra.Command{
		Use: "consume [TOPIC]", Short: "Print records, without a group or in one of the 0.8 kind", Args: cobra.MaximumNArgs(1),
		Long: `Print the records of a topic, without a group and without committing anything, until Ctrl-C or a limit. A broker that dies is waited for.

With --zookeeper and --group it is a consumer of the 0.8 kind: it registers under /consumers in ZooKeeper, shares the partitions with the other
members by claiming them there, and keeps its offsets there unless --property offsets.storage=kafka says otherwise. Every rebalance is told on
standard error. Start two of them, look with "prekraft zk tree /consumers", kill one.`,
		Example: "  prekraft consume orders --from-beginning\n  prekraft consume orders --partition 3 --offset 1000 --max-messages 10 --show timestamp,offset,key,value\n" +
			"  prekraft consume orders --from-beginning --to-end -o json\n" +
			"  prekraft consume orders --zookeeper 127.0.0.1:2181 --group payments --property partition.assignment.strategy=roundrobin",
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.legacy.group == "" {
				for _, name := range legacyOnly {
					if cmd.Flags().Changed(name) {
						return fmt.Errorf("%w: --%s needs --group", errUsage, name)
					}
				}
				return a.consume(cmd.Context(), args, o)
			}
			if err := o.checkLegacy(cmd); err != nil {
				return err
			}
			return a.consumeLegacy(cmd.Context(), args, o)
		},
	}
	flags := cmd.Flags()
	flags.Int32Var(&o.partition, "partition", -1, "only this partition (default: all)")
	flags.StringVar(&o.offset, "offset", "latest", "where to start: a number, earliest or latest")
	flags.BoolVar(&o.fromBeginning, "from-beginning", false, "the same as --offset earliest")
	flags.BoolVar(&o.toEnd, "to-end", false, "stop at what was the end when the command began")
	flags.IntVar(&o.maxMessages, "max-messages", 0, "stop after so many (default: go on for ever)")
	flags.DurationVar(&o.timeout, "timeout", 0, "stop when no record came for so long (default: never)")
	flags.StringSliceVar(&o.show, "show", []string{"value"}, "what to print of each record: timestamp,partition,offset,headers,key,value")
	flags.StringVar(&o.separator, "separator", "\t", "text between the columns")
	flags.StringVar(&o.isolation, "isolation", "read_uncommitted", "read_uncommitted or read_committed")
	flags.StringVar(&o.legacy.group, "group", "", "be a member of this `group` in the ZooKeeper that --zookeeper names")
	flags.StringVar(&o.legacy.whitelist, "whitelist", "", "with --group: all topics that this regular `expression` matches")
	flags.StringVar(&o.legacy.blacklist, "blacklist", "", "with --group: all topics that it doesn't match")
	flags.IntVar(&o.legacy.streams, "streams", 1, "with --group: so many threads that partitions are given to")
	flags.StringArrayVar(&o.legacy.properties, "property", nil, "with --group: a property of the old consumer, `key=value` (repeatable)")
	return cmd
}

// legacyOnly are the flags that mean something in a group alone, plainOnly those that mean something without one.
var (
	legacyOnly = [...]string{"whitelist", "blacklist", "streams", "property"}
	plainOnly  = [...]string{"partition", "offset", "to-end", "isolation"}
)

// checkLegacy refuses flags that a group consumer would ignore.
func (o consumeOptions) checkLegacy(cmd *cobra.Command) error {
	if !cmd.Flags().Changed("zookeeper") {
		return fmt.Errorf("%w: --group needs --zookeeper, where the group meets", errUsage)
	}
	for _, name := range plainOnly {
		if cmd.Flags().Changed(name) {
			return fmt.Errorf("%w: --%s can't be used with --group: the group decides what is read from where", errUsage, name)
		}
	}
	return o.checkShow()
}

// recordRow is a record's JSON form. Keys and values that aren't UTF-8 are in the fields with base64.
type recordRow struct {
	Topic       string      `json:"topic"`
	Partition   int32       `json:"partition"`
	Offset      int64       `json:"offset"`
	Timestamp   int64       `json:"timestamp"` // milliseconds
	Key         *string     `json:"key"`
	KeyBase64   []byte      `json:"keyBase64,omitempty"`
	Value       *string     `json:"value"`
	ValueBase64 []byte      `json:"valueBase64,omitempty"`
	Headers     []headerRow `json:"headers,omitempty"`
}

type headerRow struct {
	Key         string  `json:"key"`
	Value       *string `json:"value"`
	ValueBase64 []byte  `json:"valueBase64,omitempty"`
}

// textOrBytes returns b as text, or as it is when it isn't UTF-8.
func textOrBytes(b []byte) (*string, []byte) {
	switch {
	case b == nil:
		return nil, nil
	case utf8.Valid(b):
		return new(string(b)), nil
	}
	return nil, b
}

func (a *app) consume(ctx context.Context, topics []string, o consumeOptions) error {
	if len(topics) == 0 {
		return fmt.Errorf("%w: name a topic", errUsage)
	}
	topic := topics[0]
	start, err := o.start()
	if err != nil {
		return err
	}
	config := kafka.NewConfig("prekraft-consume")
	config.Metadata.Retry.Max = 10
	config.Metadata.AllowAutoTopicCreation = false
	config.Consumer.Retry.Backoff = 200 * time.Millisecond
	if o.isolation == "read_committed" {
		config.Consumer.IsolationLevel = sarama.ReadCommitted
	}
	client, err := sarama.NewClient(kafka.Bootstrap(a.bootstrap), config)
	if err != nil {
		return a.unreachable(err)
	}
	defer client.Close()
	var wanted []int32
	if o.partition >= 0 {
		wanted = []int32{o.partition}
	}
	partitions, err := partitionsOf(client, topic, wanted)
	if err != nil {
		return err
	}
	messages, stop, err := a.openPartitions(ctx, client, topic, partitions, start, o.toEnd)
	if err != nil {
		return err
	}
	count, err := a.printMessages(ctx, messages, o)
	if stopErr := stop(); err == nil {
		err = stopErr
	}
	if a.output == "table" {
		fmt.Fprintf(a.err, "Processed a total of %d messages\n", count)
	}
	return err
}

// columns are what --show can name.
var columns = [...]string{"timestamp", "partition", "offset", "headers", "key", "value"}

func (o consumeOptions) checkShow() error {
	for _, column := range o.show {
		if !slices.Contains(columns[:], column) {
			return fmt.Errorf("%w: --show knows %s, not %q", errUsage, strings.Join(columns[:], ", "), column)
		}
	}
	return nil
}

// start checks the options and returns the offset to start from, as sarama numbers it.
func (o consumeOptions) start() (int64, error) {
	if err := o.checkShow(); err != nil {
		return 0, err
	}
	if o.isolation != "read_committed" && o.isolation != "read_uncommitted" {
		return 0, fmt.Errorf("%w: --isolation is read_uncommitted or read_committed, not %q", errUsage, o.isolation)
	}
	switch {
	case o.fromBeginning || o.offset == "earliest":
		return sarama.OffsetOldest, nil
	case o.offset == "latest":
		return sarama.OffsetNewest, nil
	}
	n, err := strconv.ParseInt(o.offset, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: --offset is a number, earliest or latest, not %q", errUsage, o.offset)
	}
	return n, nil
}

// rangeError says which offsets there are.
func rangeError(client sarama.Client, topic string, partition int32, start int64, err error) error {
	if !errors.Is(err, sarama.ErrOffsetOutOfRange) {
		return fmt.Errorf("%s-%d: %w", topic, partition, err)
	}
	oldest, oldestErr := client.GetOffset(topic, partition, sarama.OffsetOldest)
	newest, newestErr := client.GetOffset(topic, partition, sarama.OffsetNewest)
	if oldestErr != nil || newestErr != nil {
		return fmt.Errorf("%s-%d has no offset %d: %w", topic, partition, start, err)
	}
	return fmt.Errorf("%s-%d has no offset %d: its offsets go from %d to %d, where the next record will be", topic, partition, start, oldest, newest)
}

// openPartitions merges the partitions into one channel, which is closed when all have ended (toEnd) or the stop function was called.
func (a *app) openPartitions(ctx context.Context, client sarama.Client, topic string, partitions []int32, start int64, toEnd bool) (<-chan *sarama.ConsumerMessage, func() error, error) {
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	messages := make(chan *sarama.ConsumerMessage, 256)
	for _, partition := range partitions {
		end := int64(-1)
		if toEnd {
			if end, err = client.GetOffset(topic, partition, sarama.OffsetNewest); err != nil {
				cancel()
				return nil, nil, err
			}
			oldest, err := client.GetOffset(topic, partition, sarama.OffsetOldest)
			if err != nil {
				cancel()
				return nil, nil, err
			}
			if end == oldest || start == sarama.OffsetNewest || start >= end {
				continue
			}
		}
		pc, err := consumer.ConsumePartition(topic, partition, start)
		if err != nil {
			cancel()
			_ = group.Wait()
			return nil, nil, rangeError(client, topic, partition, start, err)
		}
		group.Go(func() error {
			err := follow(ctx, pc, end, messages)
			if errors.Is(err, sarama.ErrOffsetOutOfRange) {
				return rangeError(client, topic, partition, start, err)
			}
			return err
		})
	}
	done := make(chan error, 1)
	go func() {
		err := group.Wait()
		close(messages)
		done <- err
	}()
	return messages, func() error {
		cancel()
		err := <-done
		if closeErr := consumer.Close(); err == nil {
			err = closeErr
		}
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}, nil
}

// quietEnd is how long a partition that must hold more offsets may give no record before they are taken for what isn't delivered: transaction markers,
// aborted records, gaps that compaction left. sarama doesn't tell how far it has read. It is several times the wait of an empty fetch.
const quietEnd = 2 * time.Second

// follow passes one partition's messages on until ctx ends or end (exclusive, -1: never) is reached.
func follow(ctx context.Context, pc sarama.PartitionConsumer, end int64, into chan<- *sarama.ConsumerMessage) error {
	defer pc.AsyncClose()
	var quiet <-chan time.Time
	for {
		if end >= 0 {
			quiet = time.After(quietEnd)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-quiet:
			if pc.HighWaterMarkOffset() >= end {
				return nil // else no broker has answered yet
			}
		case err := <-pc.Errors():
			if err != nil && errors.Is(err.Err, sarama.ErrOffsetOutOfRange) {
				return err
			}
		case m, ok := <-pc.Messages():
			if !ok {
				return nil
			}
			if end >= 0 && m.Offset >= end {
				return nil
			}
			select {
			case into <- m:
			case <-ctx.Done():
				return ctx.Err()
			}
			if end >= 0 && m.Offset == end-1 {
				return nil
			}
		}
	}
}

func (a *app) printMessages(ctx context.Context, messages <-chan *sarama.ConsumerMessage, o consumeOptions) (int, error) {
	out := bufio.NewWriterSize(a.out, 1<<16)
	defer out.Flush()
	printer := *a
	printer.out = out
	count := 0
	var idle <-chan time.Time
	for {
		if o.timeout > 0 {
			idle = time.After(o.timeout)
		}
		if len(messages) == 0 {
			if err := out.Flush(); err != nil {
				return count, err
			}
		}
		select {
		case <-ctx.Done():
			return count, nil
		case <-idle:
			return count, nil
		case m, ok := <-messages:
			if !ok {
				return count, nil
			}
			if err := printer.printMessage(m, o); err != nil {
				return count, err
			}
			if count++; count == o.maxMessages {
				return count, nil
			}
		}
	}
}

func (a *app) printMessage(m *sarama.ConsumerMessage, o consumeOptions) error {
	if a.output == "json" {
		row := recordRow{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Timestamp: m.Timestamp.UnixMilli()}
		row.Key, row.KeyBase64 = textOrBytes(m.Key)
		row.Value, row.ValueBase64 = textOrBytes(m.Value)
		for _, h := range m.Headers {
			header := headerRow{Key: string(h.Key)}
			header.Value, header.ValueBase64 = textOrBytes(h.Value)
			row.Headers = append(row.Headers, header)
		}
		return a.jsonLine(row)
	}
	columns := make([]string, 0, len(o.show))
	for _, column := range o.show {
		switch column {
		case "timestamp":
			columns = append(columns, "CreateTime:"+strconv.FormatInt(m.Timestamp.UnixMilli(), 10))
		case "partition":
			columns = append(columns, "Partition:"+strconv.Itoa(int(m.Partition)))
		case "offset":
			columns = append(columns, "Offset:"+strconv.FormatInt(m.Offset, 10))
		case "headers":
			columns = append(columns, headerText(m.Headers))
		case "key":
			columns = append(columns, textOrNull(m.Key))
		case "value":
			columns = append(columns, textOrNull(m.Value))
		}
	}
	_, err := fmt.Fprintln(a.out, strings.Join(columns, o.separator))
	return err
}

func headerText(headers []*sarama.RecordHeader) string {
	if len(headers) == 0 {
		return "NO_HEADERS"
	}
	texts := make([]string, len(headers))
	for i, h := range headers {
		texts[i] = string(h.Key) + ":" + textOrNull(h.Value)
	}
	return strings.Join(texts, ",")
}

func textOrNull(b []byte) string {
	if b == nil {
		return "null"
	}
	return string(b)
}
