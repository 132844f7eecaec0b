package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/broker/wire"
)

// topicRow and partitionRow are the JSON form of topics describe.
type topicRow struct {
	Topic      string            `json:"topic"`
	ID         string            `json:"id"`
	Internal   bool              `json:"internal,omitempty"`
	Configs    map[string]string `json:"configs"`
	MinISR     int               `json:"min_insync_replicas"`
	Partitions []partitionRow    `json:"partitions"`
}

type partitionRow struct {
	Partition int32   `json:"partition"`
	Leader    int32   `json:"leader"` // -1 none
	Epoch     int32   `json:"leader_epoch"`
	Replicas  []int32 `json:"replicas"`
	ISR       []int32 `json:"isr"`
	Offline   []int32 `json:"offline_replicas"`
	Adding    []int32 `json:"adding_replicas,omitempty"`
	Removing  []int32 `json:"removing_replicas,omitempty"`
}

func (p partitionRow) reassigning() bool { return len(p.Adding)+len(p.Removing) > 0 }

// replicationFactor is how many replicas there are to be: those being added don't count.
func (p partitionRow) replicationFactor() int { return len(p.Replicas) - len(p.Adding) }

func (p partitionRow) underReplicated() bool { return len(p.ISR) < p.replicationFactor() }

// topicFilter is what topics describe shows.
type topicFilter struct {
	underReplicated, unavailable, underMinISR, atMinISR bool
	overrides, excludeInternal, ifExists                bool
	id                                                  string
}

// partitionsOnly tells that header lines are left out.
func (f topicFilter) partitionsOnly() bool {
	return f.underReplicated || f.unavailable || f.underMinISR || f.atMinISR
}

// wants tells whether a partition is shown; live are the brokers that are up.
func (f topicFilter) wants(t topicRow, p partitionRow, live map[int32]string) bool {
	_, alive := live[p.Leader]
	switch {
	case f.underReplicated && !p.underReplicated():
		return false
	case f.unavailable && alive:
		return false
	case f.underMinISR && p.Leader >= 0 && len(p.ISR) >= t.MinISR:
		return false
	case f.atMinISR && len(p.ISR) != t.MinISR:
		return false
	}
	return true
}

func (a *app) topicsDescribe() *cobra.Command {
	var f topicFilter
	cmd := &cobra.Command{
		Use: "describe [TOPIC...]", Short: "Show leaders, replicas and in-sync replicas", Args: cobra.ArbitraryArgs,
		Long: `Show leaders, replicas, in-sync replicas, what is being reassigned and the topic's configs, in the lines of kafka-topics. A TOPIC may be a regular
expression that matches whole names. Replicas on dead brokers or failed directories come at the end of a line.`,
		Example: "  prekraft topics describe orders\n  prekraft topics describe 'orders|pay.*'\n  prekraft topics describe --under-replicated-partitions",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.caller(cmd.Context())
			if err != nil {
				return err
			}
			defer c.close()
			rows, err := describeTopics(cmd.Context(), c, args, f)
			if err != nil {
				return err
			}
			if a.output == "json" {
				return a.json(rows)
			}
			a.printTopics(rows, f)
			return nil
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.unavailable, "unavailable-partitions", false, "only partitions without a leader, or whose leader is down")
	flags.BoolVar(&f.underReplicated, "under-replicated-partitions", false, "only partitions whose ISR lacks replicas")
	flags.BoolVar(&f.underMinISR, "under-min-isr-partitions", false, "only partitions whose ISR is below min.insync.replicas: acks=all is refused")
	flags.BoolVar(&f.atMinISR, "at-min-isr-partitions", false, "only partitions whose ISR is just min.insync.replicas: one more failure and acks=all is refused")
	flags.BoolVar(&f.overrides, "topics-with-overrides", false, "only topics with configs of their own, without their partitions")
	flags.BoolVar(&f.excludeInternal, "exclude-internal", false, "without the topics that Kafka keeps for itself")
	flags.BoolVar(&f.ifExists, "if-exists", false, "no error for a topic that doesn't exist")
	flags.StringVar(&f.id, "topic-id", "", "only the topic with this `ID`")
	return cmd
}

// describeTopics reads topics and leaves out what the filter doesn't want.
func describeTopics(ctx context.Context, c *caller, names []string, f topicFilter) ([]topicRow, error) {
	rows, err := readTopics(ctx, c, names, f.ifExists)
	if err != nil {
		return nil, err
	}
	live := c.addresses()
	kept := rows[:0]
	for _, t := range rows {
		if f.excludeInternal && t.Internal || f.id != "" && t.ID != f.id || f.overrides && len(t.Configs) == 0 {
			continue
		}
		t.Partitions = slices.DeleteFunc(t.Partitions, func(p partitionRow) bool { return !f.wants(t, p, live) })
		kept = append(kept, t)
	}
	if f.id != "" && len(kept) == 0 && !f.ifExists {
		return nil, fmt.Errorf("no topic has the id %s", f.id)
	}
	return kept, nil
}

// literalName is a topic name that is no pattern. A dot is both, and then the name.
var literalName = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

// matchTopics tells which topics the arguments mean. A literal name means itself.
func matchTopics(args []string) (literal []string, pattern *regexp.Regexp, err error) {
	var patterns []string
	for _, arg := range args {
		if literalName.MatchString(arg) {
			literal = append(literal, arg)
		} else {
			patterns = append(patterns, "(?:"+strings.ReplaceAll(arg, ",", "|")+")")
		}
	}
	if len(patterns) > 0 {
		if pattern, err = regexp.Compile("^(?:" + strings.Join(patterns, "|") + ")$"); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errUsage, err)
		}
	}
	return literal, pattern, nil
}

// readTopics reads topics with their configs and reassignments: all when no name is given.
func readTopics(ctx context.Context, c *caller, args []string, ifExists bool) ([]topicRow, error) {
	literal, pattern, err := matchTopics(args)
	if err != nil {
		return nil, err
	}
	all := len(args) == 0 || pattern != nil
	asked := literal
	if all {
		asked = nil
	}
	metadata, err := c.metadata(ctx, asked)
	if err != nil {
		return nil, err
	}
	rows := []topicRow{}
	found := map[string]bool{}
	for _, t := range metadata.Topics {
		if t.Name == nil {
			continue
		}
		name := *t.Name
		if all && len(args) > 0 && !slices.Contains(literal, name) && !pattern.MatchString(name) {
			continue
		}
		if t.ErrorCode == wire.UnknownTopicOrPartition {
			continue
		}
		if t.ErrorCode != wire.None {
			return nil, topicError(name, t.ErrorCode)
		}
		found[name] = true
		row := topicRow{Topic: name, ID: t.TopicID.String(), Internal: t.IsInternal, Configs: map[string]string{}, Partitions: []partitionRow{}}
		for _, p := range t.Partitions {
			row.Partitions = append(row.Partitions, partitionRow{
				Partition: p.PartitionIndex, Leader: p.LeaderID, Epoch: p.LeaderEpoch, Replicas: p.ReplicaNodes, ISR: p.IsrNodes, Offline: p.OfflineReplicas,
			})
		}
		slices.SortFunc(row.Partitions, func(x, y partitionRow) int { return cmp.Compare(x.Partition, y.Partition) })
		rows = append(rows, row)
	}
	for _, name := range literal {
		if !found[name] && !ifExists {
			return nil, topicError(name, wire.UnknownTopicOrPartition)
		}
	}
	slices.SortFunc(rows, func(x, y topicRow) int { return strings.Compare(x.Topic, y.Topic) })
	if err := readTopicConfigs(ctx, c, rows); err != nil {
		return nil, err
	}
	return rows, readReassignments(ctx, c, rows)
}

// Kafka's codes of config resources and sources.
const (
	resourceTopic  int8 = 2
	resourceBroker int8 = 4
	sourceDefault  int8 = 5
)

// configsPerRequest bounds an answer.
const configsPerRequest = 200

// readTopicConfigs fills in the configs that aren't defaults, and min.insync.replicas.
func readTopicConfigs(ctx context.Context, c *caller, rows []topicRow) error {
	at := map[string]*topicRow{}
	for i := range rows {
		at[rows[i].Topic] = &rows[i]
	}
	for batch := range slices.Chunk(rows, configsPerRequest) {
		req := &wire.DescribeConfigsRequest{}
		for _, t := range batch {
			req.Resources = append(req.Resources, wire.DescribeConfigsRequestResource{ResourceType: resourceTopic, ResourceName: t.Topic})
		}
		resp, err := askAny[*wire.DescribeConfigsResponse](ctx, c, req)
		if err != nil {
			return err
		}
		for _, r := range resp.Results {
			if err := responseError(r.ErrorCode, r.ErrorMessage); err != nil {
				return topicError(r.ResourceName, err)
			}
			row := at[r.ResourceName]
			if row == nil {
				continue
			}
			for _, config := range r.Configs {
				value := ""
				if config.Value != nil {
					value = *config.Value
				}
				if config.Name == "min.insync.replicas" {
					row.MinISR, _ = strconv.Atoi(value) // a broker that tells no number has none
				}
				if config.ConfigSource != sourceDefault && !config.IsDefault {
					row.Configs[config.Name] = value
				}
			}
		}
	}
	return nil
}

// readReassignments fills in what is being added and removed.
func readReassignments(ctx context.Context, c *caller, rows []topicRow) error {
	if !c.serves(wire.ListPartitionReassignments) || len(rows) == 0 {
		return nil
	}
	moves, err := listReassignments(ctx, c)
	if err != nil {
		return err
	}
	for i := range rows {
		for j := range rows[i].Partitions {
			p := &rows[i].Partitions[j]
			if m, ok := moves[partitionName{rows[i].Topic, p.Partition}]; ok {
				p.Replicas, p.Adding, p.Removing = m.Replicas, m.AddingReplicas, m.RemovingReplicas
			}
		}
	}
	return nil
}

// printTopics prints topics in the shape people know from kafka-topics.
func (a *app) printTopics(rows []topicRow, f topicFilter) {
	for _, t := range rows {
		if !f.partitionsOnly() {
			var configs []string
			for _, key := range slices.Sorted(maps.Keys(t.Configs)) {
				configs = append(configs, key+"="+t.Configs[key])
			}
			factor := 0
			if len(t.Partitions) > 0 {
				factor = t.Partitions[0].replicationFactor()
			}
			fmt.Fprintf(a.out, "Topic: %s\tTopicId: %s\tPartitionCount: %d\tReplicationFactor: %d\tConfigs: %s\n",
				t.Topic, t.ID, len(t.Partitions), factor, strings.Join(configs, ","))
		}
		if f.overrides {
			continue
		}
		for _, p := range t.Partitions {
			a.printPartition(t.Topic, p)
		}
	}
}

func (a *app) printPartition(topic string, p partitionRow) {
	leader := "none"
	if p.Leader >= 0 {
		leader = strconv.Itoa(int(p.Leader))
	}
	fmt.Fprintf(a.out, "\tTopic: %s\tPartition: %d\tLeader: %s\tReplicas: %s\tIsr: %s", topic, p.Partition, leader, ids(p.Replicas), ids(p.ISR))
	if p.reassigning() {
		fmt.Fprintf(a.out, "\tAdding Replicas: %s\tRemoving Replicas: %s", ids(p.Adding), ids(p.Removing))
	}
	fmt.Fprint(a.out, "\tElr: N/A\tLastKnownElr: N/A")
	if len(p.Offline) > 0 {
		fmt.Fprintf(a.out, "\tOffline: %s", ids(p.Offline))
	}
	fmt.Fprintln(a.out)
}
