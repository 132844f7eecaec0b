package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
	"github.com/spf13/cobra"
)

// admin connects a cluster admin; the caller closes it.
func (a *app) admin() (sarama.ClusterAdmin, sarama.Client, error) {
	client, err := a.client("prekraft-cli")
	if err != nil {
		return nil, nil, err
	}
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		client.Close()
		return nil, nil, a.unreachable(err)
	}
	return admin, client, nil
}

// unreachable says what to do when no broker answers.
func (a *app) unreachable(err error) error {
	if errors.Is(err, sarama.ErrOutOfBrokers) {
		return fmt.Errorf("no broker answers at %s; start a cluster with `prekraft dev`, or say where yours is with --bootstrap: %w", a.bootstrap, err)
	}
	return err
}

func (a *app) topicsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "topics", Short: "Make, show, change and delete topics"}
	cmd.AddCommand(a.topicsCreate(), a.topicsList(), a.topicsDescribe(), a.topicsAlter(), a.topicsDelete(), a.topicsOffsets(), a.topicsDeleteRecords())
	return cmd
}

func (a *app) topicsCreate() *cobra.Command {
	var (
		partitions        int32
		replicationFactor int16
		assignment        string
		configs           []string
		ifNotExists       bool
		validateOnly      bool
	)
	cmd := &cobra.Command{
		Use: "create TOPIC...", Short: "Make topics", Args: cobra.MinimumNArgs(1),
		Example: "  prekraft topics create orders --partitions 12\n  prekraft topics create users --config cleanup.policy=compact --config min.insync.replicas=1",
		RunE: func(_ *cobra.Command, args []string) error {
			detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: replicationFactor}
			var err error
			if detail.ConfigEntries, err = configPairs(configs); err != nil {
				return err
			}
			if assignment != "" {
				if detail.ReplicaAssignment, err = parseAssignment(assignment); err != nil {
					return err
				}
				detail.NumPartitions, detail.ReplicationFactor = -1, -1
			}
			admin, _, err := a.admin()
			if err != nil {
				return err
			}
			defer admin.Close()
			for _, topic := range args {
				err := admin.CreateTopic(topic, detail, validateOnly)
				switch {
				case errors.Is(err, sarama.ErrTopicAlreadyExists) && ifNotExists:
				case errors.Is(err, sarama.ErrTopicAlreadyExists):
					return fmt.Errorf("topic %s exists already; --if-not-exists makes that no error", topic)
				case err != nil:
					return fmt.Errorf("create topic %s: %w", topic, err)
				case validateOnly:
					fmt.Fprintf(a.out, "Topic %s could be created.\n", topic)
				default:
					fmt.Fprintf(a.out, "Created topic %s.\n", topic)
				}
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.Int32Var(&partitions, "partitions", -1, "how many partitions (default: the broker's num.partitions)")
	flags.Int16Var(&replicationFactor, "replication-factor", -1, "replicas of each partition (default: the broker's default.replication.factor)")
	flags.StringVar(&assignment, "replica-assignment", "", "replicas by hand: partitions separated by commas, a partition's brokers by colons, `1:2,2:3`")
	flags.StringArrayVar(&configs, "config", nil, "topic config `key=value` (repeatable)")
	flags.BoolVar(&ifNotExists, "if-not-exists", false, "no error for a topic that exists")
	flags.BoolVar(&validateOnly, "validate-only", false, "check, but make nothing")
	return cmd
}

func (a *app) topicsList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List topics", Args: cobra.NoArgs,
		Example: "  prekraft topics list\n  prekraft topics list -o json",
		RunE: func(*cobra.Command, []string) error {
			admin, client, err := a.admin()
			if err != nil {
				return err
			}
			defer admin.Close()
			topics, err := client.Topics()
			if err != nil {
				return err
			}
			slices.Sort(topics)
			if a.output == "json" {
				return a.json(append([]string{}, topics...))
			}
			for _, topic := range topics {
				fmt.Fprintln(a.out, topic)
			}
			return nil
		},
	}
}

// topicRow and partitionRow are the JSON form of topics describe.
type topicRow struct {
	Topic      string            `json:"topic"`
	ID         string            `json:"id"`
	Configs    map[string]string `json:"configs"`
	Partitions []partitionRow    `json:"partitions"`
}

type partitionRow struct {
	Partition int32   `json:"partition"`
	Leader    int32   `json:"leader"` // -1 none
	Epoch     int32   `json:"leader_epoch"`
	Replicas  []int32 `json:"replicas"`
	ISR       []int32 `json:"isr"`
	Offline   []int32 `json:"offline_replicas"`
}

func (a *app) topicsDescribe() *cobra.Command {
	var underReplicated, unavailable bool
	cmd := &cobra.Command{
		Use: "describe [TOPIC...]", Short: "Show leaders, replicas and in-sync replicas", Args: cobra.ArbitraryArgs,
		Example: "  prekraft topics describe orders\n  prekraft topics describe --unavailable-partitions",
		RunE: func(cmd *cobra.Command, args []string) error {
			rows, err := a.describeTopics(cmd.Context(), args)
			if err != nil {
				return err
			}
			for i := range rows {
				rows[i].Partitions = slices.DeleteFunc(rows[i].Partitions, func(p partitionRow) bool {
					return (underReplicated && len(p.ISR) >= len(p.Replicas)) || (unavailable && p.Leader >= 0)
				})
			}
			if a.output == "json" {
				return a.json(rows)
			}
			return a.printTopics(rows, !underReplicated && !unavailable)
		},
	}
	cmd.Flags().BoolVar(&underReplicated, "under-replicated-partitions", false, "only partitions whose ISR lacks replicas")
	cmd.Flags().BoolVar(&unavailable, "unavailable-partitions", false, "only partitions without a leader")
	return cmd
}

func (a *app) describeTopics(_ context.Context, names []string) ([]topicRow, error) {
	admin, client, err := a.admin()
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	if len(names) == 0 {
		if names, err = client.Topics(); err != nil {
			return nil, err
		}
		if len(names) == 0 {
			return []topicRow{}, nil
		}
	}
	slices.Sort(names)
	metadata, err := admin.DescribeTopics(names)
	if err != nil {
		return nil, err
	}
	rows := make([]topicRow, 0, len(metadata))
	for _, topic := range metadata {
		if topic.Err != sarama.ErrNoError {
			return nil, topicError(topic.Name, topic.Err)
		}
		row := topicRow{Topic: topic.Name, ID: topic.Uuid.String(), Configs: map[string]string{}, Partitions: []partitionRow{}}
		entries, err := describeConfigs(admin, sarama.ConfigResource{Type: sarama.TopicResource, Name: topic.Name})
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if entry.Source != sarama.SourceDefault && !entry.Default {
				row.Configs[entry.Name] = entry.Value
			}
		}
		for _, p := range topic.Partitions {
			row.Partitions = append(row.Partitions, partitionRow{Partition: p.ID, Leader: p.Leader, Epoch: p.LeaderEpoch, Replicas: p.Replicas, ISR: p.Isr, Offline: p.OfflineReplicas})
		}
		slices.SortFunc(row.Partitions, func(x, y partitionRow) int { return cmp.Compare(x.Partition, y.Partition) })
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(x, y topicRow) int { return strings.Compare(x.Topic, y.Topic) })
	return rows, nil
}

// printTopics prints topics in the shape people know from kafka-topics.
func (a *app) printTopics(rows []topicRow, headers bool) error {
	for _, t := range rows {
		if headers {
			var configs []string
			for _, key := range slices.Sorted(maps.Keys(t.Configs)) {
				configs = append(configs, key+"="+t.Configs[key])
			}
			factor := 0
			if len(t.Partitions) > 0 {
				factor = len(t.Partitions[0].Replicas)
			}
			fmt.Fprintf(a.out, "Topic: %s\tTopicId: %s\tPartitionCount: %d\tReplicationFactor: %d\tConfigs: %s\n",
				t.Topic, t.ID, len(t.Partitions), factor, strings.Join(configs, ","))
		}
		for _, p := range t.Partitions {
			leader := "none"
			if p.Leader >= 0 {
				leader = strconv.Itoa(int(p.Leader))
			}
			fmt.Fprintf(a.out, "\tTopic: %s\tPartition: %d\tLeader: %s\tReplicas: %s\tIsr: %s", t.Topic, p.Partition, leader, ids(p.Replicas), ids(p.ISR))
			if len(p.Offline) > 0 {
				fmt.Fprintf(a.out, "\tOffline: %s", ids(p.Offline))
			}
			fmt.Fprintln(a.out)
		}
	}
	return nil
}

func ids(list []int32) string {
	texts := make([]string, len(list))
	for i, id := range list {
		texts[i] = strconv.Itoa(int(id))
	}
	return strings.Join(texts, ",")
}

func (a *app) topicsAlter() *cobra.Command {
	var partitions int32
	cmd := &cobra.Command{
		Use: "alter TOPIC --partitions N", Short: "Add partitions (configs: see prekraft configs)", Args: cobra.ExactArgs(1),
		Example: "  prekraft topics alter orders --partitions 24",
		RunE: func(_ *cobra.Command, args []string) error {
			if partitions < 1 {
				return fmt.Errorf("%w: say how many partitions there are to be with --partitions", errUsage)
			}
			admin, _, err := a.admin()
			if err != nil {
				return err
			}
			defer admin.Close()
			if err := admin.CreatePartitions(args[0], partitions, nil, false); err != nil {
				return topicError(args[0], err)
			}
			return nil
		},
	}
	cmd.Flags().Int32Var(&partitions, "partitions", 0, "the new total; partitions are never removed")
	return cmd
}

func (a *app) topicsDelete() *cobra.Command {
	var ifExists bool
	cmd := &cobra.Command{
		Use: "delete TOPIC...", Short: "Delete topics and all their records", Args: cobra.MinimumNArgs(1),
		Example: "  prekraft topics delete orders --if-exists",
		RunE: func(_ *cobra.Command, args []string) error {
			admin, _, err := a.admin()
			if err != nil {
				return err
			}
			defer admin.Close()
			for _, topic := range args {
				if err := admin.DeleteTopic(topic); err != nil && (!ifExists || !errors.Is(err, sarama.ErrUnknownTopicOrPartition)) {
					return topicError(topic, err)
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&ifExists, "if-exists", false, "no error for a topic that doesn't exist")
	return cmd
}

// configPairs reads key=value pairs.
func configPairs(pairs []string) (map[string]*string, error) {
	configs := map[string]*string{}
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("%w: a config is key=value, not %q", errUsage, pair)
		}
		configs[key] = &value
	}
	return configs, nil
}

// parseAssignment reads replicas written as 1:2,2:3.
func parseAssignment(text string) (map[int32][]int32, error) {
	assignment := map[int32][]int32{}
	for i, partition := range strings.Split(text, ",") {
		for _, broker := range strings.Split(partition, ":") {
			id, err := strconv.ParseInt(broker, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("%w: replica assignment: %q is not a broker id", errUsage, broker)
			}
			assignment[int32(i)] = append(assignment[int32(i)], int32(id))
		}
	}
	return assignment, nil
}
