package cli

import (
	"errors"
	"fmt"
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
