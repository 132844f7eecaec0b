package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/clients/kafka"
)

// offsetRow is the answer for one partition.
type offsetRow struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Offset    *int64  `json:"offset"` // null: no such record, or an error
	Timestamp *int64  `json:"timestamp,omitempty"`
	Error     *string `json:"error,omitempty"`
}

// maxTimestamp asks for the record with the largest timestamp (KIP-734).
const maxTimestamp = -3

// parseTime reads what --time takes: a name, its number, milliseconds since 1970, or a time as RFC 3339 writes it.
func parseTime(text string) (int64, error) {
	switch text {
	case "latest":
		return -1, nil
	case "earliest":
		return -2, nil
	case "max-timestamp":
		return maxTimestamp, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= maxTimestamp {
		return n, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UnixMilli(), nil
	}
	return 0, fmt.Errorf("%w: --time is earliest, latest, max-timestamp, milliseconds since 1970 or a time such as 2026-01-31T15:04:05Z, not %q", errUsage, text)
}

func (a *app) topicsOffsets() *cobra.Command {
	var at string
	var partitions []int32
	cmd := &cobra.Command{
		Use: "offsets TOPIC...", Short: "Show offsets of partitions: the first, the end, or that of a time", Args: cobra.MinimumNArgs(1),
		Long: `Show an offset of each partition, a line topic:partition:offset as kafka-get-offsets prints it. latest is the offset that the next record gets,
earliest that of the first one, max-timestamp that of the record with the latest time, and for a time it is the first record from then on. A partition without such a
record has an empty offset.`,
		Example: "  prekraft topics offsets orders\n  prekraft topics offsets orders --time earliest\n  prekraft topics offsets orders --time 2026-01-31T15:04:05Z",
		RunE: func(cmd *cobra.Command, args []string) error {
			timestamp, err := parseTime(at)
			if err != nil {
				return err
			}
			c, err := a.caller(cmd.Context())
			if err != nil {
				return err
			}
			defer c.close()
			rows, err := listOffsets(cmd.Context(), c, args, partitions, timestamp)
			if err != nil {
				return err
			}
			return a.printOffsets(rows)
		},
	}
	cmd.Flags().StringVar(&at, "time", "latest", "earliest, latest, max-timestamp, `milliseconds` since 1970 or a time such as 2026-01-31T15:04:05Z")
	cmd.Flags().Int32SliceVar(&partitions, "partitions", nil, "only these `partitions` (default: all)")
	return cmd
}

func (a *app) printOffsets(rows []offsetRow) error {
	failed := 0
	for _, row := range rows {
		if row.Error != nil {
			failed++
			fmt.Fprintf(a.err, "Skip getting offsets for topic-partition %s-%d due to error: %s\n", row.Topic, row.Partition, *row.Error)
		} else if a.output != "json" {
			offset := ""
			if row.Offset != nil {
				offset = strconv.FormatInt(*row.Offset, 10)
			}
			fmt.Fprintf(a.out, "%s:%d:%s\n", row.Topic, row.Partition, offset)
		}
	}
	if a.output == "json" {
		if err := a.json(rows); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("no offset for %s", plural(failed, "partition"))
	}
	return nil
}

// client connects; topics that are asked about aren't made by asking. The caller closes it.
func (a *app) client(id string) (sarama.Client, error) {
	config := kafka.NewConfig(id)
	config.Metadata.Retry.Max = 3
	config.Metadata.AllowAutoTopicCreation = false
	client, err := sarama.NewClient(kafka.Bootstrap(a.bootstrap), config)
	if err != nil {
		return nil, a.unreachable(err)
	}
	return client, nil
}

// partitionsOf returns a topic's partitions, or only the wanted ones, in order.
func partitionsOf(client sarama.Client, topic string, wanted []int32) ([]int32, error) {
	partitions, err := client.Partitions(topic)
	if err != nil {
		return nil, topicError(topic, err)
	}
	slices.Sort(partitions)
	for _, p := range wanted {
		if !slices.Contains(partitions, p) {
			return nil, noPartition(topic, p, len(partitions))
		}
	}
	if len(wanted) > 0 {
		return wanted, nil
	}
	return partitions, nil
}

// topicError says what to do about a topic that doesn't exist.
func topicError(topic string, err error) error {
	if errors.Is(err, sarama.ErrUnknownTopicOrPartition) || errors.Is(err, wire.UnknownTopicOrPartition) {
		return fmt.Errorf("topic %s doesn't exist; `prekraft topics list` shows those that do, `prekraft topics create %s` makes it", topic, topic)
	}
	return fmt.Errorf("topic %s: %w", topic, err)
}

// listOffsets asks the leaders, each once. (sarama knows nothing newer than ListOffsets v6, which has no max-timestamp.)
func listOffsets(ctx context.Context, c *caller, topics []string, wanted []int32, timestamp int64) ([]offsetRow, error) {
	if timestamp == maxTimestamp && c.version(wire.ListOffsets) < 7 {
		return nil, errors.New("the brokers don't know --time max-timestamp: it came with Apache Kafka 3.0")
	}
	known, err := c.metadata(ctx, topics)
	if err != nil {
		return nil, err
	}
	requests := map[int32]*wire.ListOffsetsRequest{}
	rows := []offsetRow{}
	for i := range known.Topics {
		topic := &known.Topics[i]
		partitions, err := chosenPartitions(topic, wanted)
		if err != nil {
			return nil, err
		}
		for _, p := range partitions {
			if p.ErrorCode == wire.LeaderNotAvailable || p.LeaderID < 0 {
				rows = append(rows, offsetRow{Topic: *topic.Name, Partition: p.PartitionIndex, Error: new(wire.LeaderNotAvailable.Error())})
				continue
			}
			if requests[p.LeaderID] == nil {
				requests[p.LeaderID] = &wire.ListOffsetsRequest{ReplicaID: -1}
			}
			addTimestamp(requests[p.LeaderID], *topic.Name, p.PartitionIndex, timestamp)
		}
	}
	for leader, request := range requests {
		answer, err := askBroker[*wire.ListOffsetsResponse](ctx, c, leader, request)
		if err != nil {
			return nil, fmt.Errorf("broker %d: %w", leader, err)
		}
		for _, topic := range answer.Topics {
			for _, p := range topic.Partitions {
				rows = append(rows, offsetAnswered(topic.Name, p, timestamp))
			}
		}
	}
	slices.SortFunc(rows, func(x, y offsetRow) int {
		return cmp.Or(strings.Compare(x.Topic, y.Topic), cmp.Compare(x.Partition, y.Partition))
	})
	return rows, nil
}

// chosenPartitions returns a topic's partitions, or only the wanted ones.
func chosenPartitions(topic *wire.MetadataResponseTopic, wanted []int32) ([]wire.MetadataResponsePartition, error) {
	if topic.ErrorCode != wire.None {
		return nil, topicError(*topic.Name, topic.ErrorCode)
	}
	if len(wanted) == 0 {
		return topic.Partitions, nil
	}
	var chosen []wire.MetadataResponsePartition
	for _, index := range wanted {
		i := slices.IndexFunc(topic.Partitions, func(p wire.MetadataResponsePartition) bool { return p.PartitionIndex == index })
		if i < 0 {
			return nil, noPartition(*topic.Name, index, len(topic.Partitions))
		}
		chosen = append(chosen, topic.Partitions[i])
	}
	return chosen, nil
}

func noPartition(topic string, index int32, have int) error {
	return fmt.Errorf("topic %s has no partition %d; it has %d, from 0 on", topic, index, have)
}

func addTimestamp(r *wire.ListOffsetsRequest, topic string, partition int32, timestamp int64) {
	i := slices.IndexFunc(r.Topics, func(t wire.ListOffsetsRequestTopic) bool { return t.Name == topic })
	if i < 0 {
		i = len(r.Topics)
		r.Topics = append(r.Topics, wire.ListOffsetsRequestTopic{Name: topic})
	}
	p := wire.New[wire.ListOffsetsRequestPartition]()
	p.PartitionIndex, p.Timestamp = partition, timestamp
	r.Topics[i].Partitions = append(r.Topics[i].Partitions, p)
}

// offsetAnswered is the row of what a leader says.
func offsetAnswered(topic string, p wire.ListOffsetsResponsePartition, timestamp int64) offsetRow {
	row := offsetRow{Topic: topic, Partition: p.PartitionIndex}
	switch {
	case p.ErrorCode != wire.None:
		row.Error = new(p.ErrorCode.Error())
	case p.Offset >= 0:
		row.Offset = &p.Offset
		if timestamp >= 0 || timestamp == maxTimestamp {
			row.Timestamp = &p.Timestamp
		}
	}
	return row
}

// deletion is one partition of kafka-delete-records' file.
type deletion struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

func (a *app) topicsDeleteRecords() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "delete-records [TOPIC:PARTITION:OFFSET...]", Short: "Delete the records before an offset", Args: cobra.ArbitraryArgs,
		Long: `Delete all records of a partition before an offset, for ever. The offset end (or -1) means all records there are. The file is that of
kafka-delete-records: {"partitions":[{"topic":"orders","partition":0,"offset":10}],"version":1}.`,
		Example: "  prekraft topics delete-records orders:0:100 orders:1:end\n  prekraft topics delete-records --offset-json-file offsets.json",
		RunE: func(_ *cobra.Command, args []string) error {
			list, err := parseDeletions(args)
			if err != nil {
				return err
			}
			if file != "" {
				more, err := readDeletions(file)
				if err != nil {
					return err
				}
				list = append(list, more...)
			}
			if len(list) == 0 {
				return fmt.Errorf("%w: name TOPIC:PARTITION:OFFSET or give --offset-json-file", errUsage)
			}
			return a.deleteRecords(list)
		},
	}
	cmd.Flags().StringVar(&file, "offset-json-file", "", "the offsets, in a `file` as kafka-delete-records takes it")
	return cmd
}

func parseDeletions(args []string) ([]deletion, error) {
	var list []deletion
	for _, arg := range args {
		parts := strings.Split(arg, ":")
		bad := fmt.Errorf("%w: %q isn't TOPIC:PARTITION:OFFSET", errUsage, arg)
		if len(parts) != 3 || parts[0] == "" {
			return nil, bad
		}
		partition, err := strconv.ParseInt(parts[1], 10, 32)
		if err != nil || partition < 0 {
			return nil, bad
		}
		offset := int64(-1)
		if parts[2] != "end" {
			if offset, err = strconv.ParseInt(parts[2], 10, 64); err != nil || offset < -1 {
				return nil, bad
			}
		}
		list = append(list, deletion{parts[0], int32(partition), offset})
	}
	return list, nil
}

func readDeletions(path string) ([]deletion, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Version    int        `json:"version"`
		Partitions []deletion `json:"partitions"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if file.Version != 1 {
		return nil, fmt.Errorf("%s: version %d instead of 1", path, file.Version)
	}
	for _, d := range file.Partitions {
		if d.Topic == "" || d.Partition < 0 || d.Offset < -1 {
			return nil, fmt.Errorf("%s: topic %q, partition %d, offset %d: not a place in a topic", path, d.Topic, d.Partition, d.Offset)
		}
	}
	return file.Partitions, nil
}

// deletionRow is the outcome for one partition.
type deletionRow struct {
	Partition    string  `json:"partition"`
	LowWatermark *int64  `json:"low_watermark,omitempty"`
	Error        *string `json:"error,omitempty"`
}

func (a *app) deleteRecords(list []deletion) error {
	client, err := a.client("prekraft-delete-records")
	if err != nil {
		return err
	}
	defer client.Close()
	rows := make([]deletionRow, 0, len(list))
	failed := 0
	if a.output != "json" {
		fmt.Fprintf(a.out, "Executing records delete operation\nRecords delete operation completed:\n")
	}
	for _, d := range list {
		row := deletionRow{Partition: fmt.Sprintf("%s-%d", d.Topic, d.Partition)}
		low, err := deleteBefore(client, d)
		if err != nil {
			row.Error = new(err.Error())
			failed++
		} else {
			row.LowWatermark = &low
		}
		rows = append(rows, row)
		if a.output != "json" {
			if err != nil {
				fmt.Fprintf(a.out, "partition: %s\terror: %v\n", row.Partition, err)
			} else {
				fmt.Fprintf(a.out, "partition: %s\tlow_watermark: %d\n", row.Partition, low)
			}
		}
	}
	if a.output == "json" {
		if err := a.json(rows); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d partitions were not changed", failed, len(list))
	}
	return nil
}

// deleteBefore asks the partition's leader and returns the new first offset.
func deleteBefore(client sarama.Client, d deletion) (int64, error) {
	if _, err := partitionsOf(client, d.Topic, []int32{d.Partition}); err != nil {
		return 0, err
	}
	leader, err := client.Leader(d.Topic, d.Partition)
	if err != nil {
		return 0, err
	}
	answer, err := leader.DeleteRecords(&sarama.DeleteRecordsRequest{
		Version: 2, Timeout: 30 * time.Second,
		Topics: map[string]*sarama.DeleteRecordsRequestTopic{d.Topic: {PartitionOffsets: map[int32]int64{d.Partition: d.Offset}}},
	})
	if err != nil {
		return 0, err
	}
	topic := answer.Topics[d.Topic]
	if topic == nil || topic.Partitions[d.Partition] == nil {
		return 0, sarama.ErrIncompleteResponse
	}
	p := topic.Partitions[d.Partition]
	if p.Err != sarama.ErrNoError {
		return 0, p.Err
	}
	return p.LowWatermark, nil
}
