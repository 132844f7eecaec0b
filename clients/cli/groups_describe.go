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

	"github.com/prekraft/prekraft/broker/wire"
)

// describeView is what groups describe shows of a group.
type describeView struct {
	offsets, members, state, verbose bool
}

func (a *app) groupsDescribe() *cobra.Command {
	var s groupSelection
	var v describeView
	cmd := &cobra.Command{
		Use: "describe [GROUP...]", Short: "Show committed offsets and lag, members or state", Args: cobra.ArbitraryArgs,
		Long: `Show for each partition what the group has committed, where the log ends, how many records are between them, and who reads it. --members shows the
members, --state the coordinator and what the group is doing.`,
		Example: "  prekraft groups describe payments\n  prekraft groups describe --all-groups --state\n  prekraft groups describe payments --members --verbose",
		RunE: func(cmd *cobra.Command, args []string) error {
			if n := count(v.offsets) + count(v.members) + count(v.state); n > 1 {
				return fmt.Errorf("%w: only one of --offsets, --members and --state", errUsage)
			}
			return a.describeGroups(cmd.Context(), s, v, args)
		},
	}
	s.flags(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&v.offsets, "offsets", false, "committed offsets and lag (what is shown without --members and --state)")
	flags.BoolVar(&v.members, "members", false, "the members")
	flags.BoolVar(&v.state, "state", false, "coordinator, assignor, state and number of members")
	flags.BoolVar(&v.verbose, "verbose", false, "with --members: which partitions each has")
	return cmd
}

func (a *app) groupsMembers() *cobra.Command {
	var s groupSelection
	v := describeView{members: true}
	cmd := &cobra.Command{
		Use: "members [GROUP...]", Short: "Show the members: the same as describe --members", Args: cobra.ArbitraryArgs,
		Example: "  prekraft groups members payments --verbose",
		RunE:    func(cmd *cobra.Command, args []string) error { return a.describeGroups(cmd.Context(), s, v, args) },
	}
	s.flags(cmd)
	cmd.Flags().BoolVar(&v.verbose, "verbose", false, "which partitions each has")
	return cmd
}

// groupRow is a group in JSON, with the part that was asked for.
type groupRow struct {
	Group       string        `json:"group"`
	State       string        `json:"state"`
	Coordinator string        `json:"coordinator"`
	Strategy    string        `json:"assignment_strategy"`
	MemberCount int           `json:"member_count"`
	Offsets     []groupOffset `json:"offsets,omitempty"`
	Members     []groupMember `json:"members,omitempty"`
	members     []groupMember // whatever was asked for
}

// groupOffset is a partition's row of describe. What isn't known is null.
type groupOffset struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Committed *int64  `json:"current_offset"`
	End       *int64  `json:"log_end_offset"`
	Lag       *int64  `json:"lag"`
	Consumer  *string `json:"consumer_id"`
	Host      *string `json:"host"`
	Client    *string `json:"client_id"`
}

// groupMember is a member's row.
type groupMember struct {
	Consumer   string             `json:"consumer_id"`
	Instance   *string            `json:"group_instance_id,omitempty"`
	Host       string             `json:"host"`
	Client     string             `json:"client_id"`
	Partitions int                `json:"partitions"`
	Assignment map[string][]int32 `json:"assignment"`
}

// parseMembers reads what the assignor gave each member; a member whose bytes are no consumer's has none.
func parseMembers(members []wire.DescribeGroupsResponseMember) []groupMember {
	parsed := make([]groupMember, 0, len(members))
	for _, m := range members {
		row := groupMember{Consumer: m.MemberID, Instance: m.GroupInstanceID, Host: m.ClientHost, Client: m.ClientID, Assignment: map[string][]int32{}}
		if len(m.MemberAssignment) > 0 {
			assignment, err := (&sarama.GroupMemberDescription{MemberAssignment: m.MemberAssignment}).GetMemberAssignment()
			if err == nil && assignment != nil {
				for topic, partitions := range assignment.Topics {
					partitions = slices.Clone(partitions)
					slices.Sort(partitions)
					row.Assignment[topic] = partitions
					row.Partitions += len(partitions)
				}
			}
		}
		parsed = append(parsed, row)
	}
	slices.SortFunc(parsed, func(x, y groupMember) int { return strings.Compare(x.Consumer, y.Consumer) })
	return parsed
}

// assignmentText is topic(0,1), other(2).
func (m groupMember) assignmentText() string {
	if m.Partitions == 0 {
		return "-"
	}
	var texts []string
	for _, topic := range slices.Sorted(maps.Keys(m.Assignment)) {
		texts = append(texts, topic+"("+ids(m.Assignment[topic])+")")
	}
	return strings.Join(texts, ", ")
}

func (a *app) describeGroups(ctx context.Context, s groupSelection, v describeView, args []string) error {
	g, names, err := s.open(ctx, a, args)
	if err != nil {
		return err
	}
	defer g.close()
	described, err := g.describe(ctx, names)
	if err != nil {
		return err
	}
	rows := []groupRow{}
	var missing []error
	for _, d := range described {
		if d.ErrorCode == wire.GroupIDNotFound || d.GroupState == "Dead" {
			// A group that never was, and one without members whose offsets are still there, look the same until the offsets are read.
			offsets, err := g.committed(ctx, d.GroupID)
			if err != nil {
				return err
			}
			if len(offsets) == 0 {
				missing = append(missing, fmt.Errorf("consumer group '%s' does not exist", d.GroupID))
				continue
			}
		}
		row := groupRow{Group: d.GroupID, State: d.GroupState, Strategy: d.ProtocolData, MemberCount: len(d.Members), members: parseMembers(d.Members)}
		id := g.coordinators[d.GroupID]
		row.Coordinator = fmt.Sprintf("%s  (%d)", g.addresses()[id], id)
		switch {
		case v.members:
			row.Members = row.members
		case !v.state:
			if row.Offsets, err = g.lag(ctx, row); err != nil {
				return err
			}
		}
		rows = append(rows, row)
	}
	if a.output == "json" {
		if err := a.json(rows); err != nil {
			return err
		}
		return errors.Join(missing...)
	}
	if v.state && len(rows) > 0 {
		a.printGroupStates(rows)
	}
	for _, row := range rows {
		if v.state {
			break
		}
		a.noteState(row)
		switch {
		case v.members && len(row.Members) > 0:
			a.printMembers(row, v.verbose)
		case len(row.Offsets) > 0:
			a.printGroupOffsets(row)
		}
	}
	return errors.Join(missing...)
}

// noteState says on standard error what kafka-consumer-groups says there.
func (a *app) noteState(row groupRow) {
	switch row.State {
	case "Empty", "Dead":
		fmt.Fprintf(a.err, "\nConsumer group '%s' has no active members.\n", row.Group)
	case "PreparingRebalance", "CompletingRebalance":
		fmt.Fprintf(a.err, "\nWarning: Consumer group '%s' is rebalancing.\n", row.Group)
	}
}

// lag joins what is assigned with what is committed and with the ends of the logs.
func (g *groupCaller) lag(ctx context.Context, row groupRow) ([]groupOffset, error) {
	committed, err := g.committed(ctx, row.Group)
	if err != nil {
		return nil, err
	}
	readers := map[partitionName]groupMember{}
	for _, m := range row.members {
		for topic, partitions := range m.Assignment {
			for _, p := range partitions {
				readers[partitionName{topic, p}] = m
			}
		}
	}
	names := map[partitionName]bool{}
	for n := range committed {
		names[n] = true
	}
	for n := range readers {
		names[n] = true
	}
	ends, err := g.offsetsAt(ctx, slices.Collect(maps.Keys(names)), latestTimestamp)
	if err != nil {
		return nil, err
	}
	return joinLag(names, committed, readers, ends), nil
}

// joinLag makes the rows, by topic and partition.
func joinLag(names map[partitionName]bool, committed map[partitionName]int64, readers map[partitionName]groupMember, ends map[partitionName]foundOffset) []groupOffset {
	rows := make([]groupOffset, 0, len(names))
	for n := range names {
		row := groupOffset{Topic: n.Topic, Partition: n.Partition}
		if offset, ok := committed[n]; ok {
			row.Committed = &offset
		}
		if end, ok := ends[n]; ok && end.err == nil {
			row.End = &end.offset
		}
		if row.Committed != nil && row.End != nil {
			row.Lag = new(*row.End - *row.Committed)
		}
		if m, ok := readers[n]; ok {
			row.Consumer, row.Host, row.Client = &m.Consumer, &m.Host, &m.Client
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(x, y groupOffset) int {
		return cmp.Or(strings.Compare(x.Topic, y.Topic), cmp.Compare(x.Partition, y.Partition))
	})
	return rows
}

// dash is the text of what isn't known.
func dash[T any](v *T, text func(T) string) string {
	if v == nil {
		return "-"
	}
	return text(*v)
}

func (a *app) printGroupOffsets(row groupRow) {
	number := func(v *int64) string { return dash(v, func(n int64) string { return strconv.FormatInt(n, 10) }) }
	word := func(v *string) string { return dash(v, func(s string) string { return s }) }
	rows := make([][]string, 0, len(row.Offsets))
	for _, o := range row.Offsets {
		rows = append(rows, []string{
			row.Group, o.Topic, strconv.Itoa(int(o.Partition)), number(o.Committed), number(o.End), number(o.Lag), word(o.Consumer), word(o.Host), word(o.Client),
		})
	}
	fmt.Fprintln(a.out)
	a.columns([]column{
		{"GROUP", 15}, {"TOPIC", 15}, {"PARTITION", 10}, {"CURRENT-OFFSET", 15}, {"LOG-END-OFFSET", 15}, {"LAG", 15}, {"CONSUMER-ID", 15}, {"HOST", 15}, {"CLIENT-ID", 0},
	}, rows)
}

func (a *app) printMembers(row groupRow, verbose bool) {
	static := slices.ContainsFunc(row.Members, func(m groupMember) bool { return m.Instance != nil })
	header := []column{{"GROUP", 15}, {"CONSUMER-ID", 15}}
	if static {
		header = append(header, column{"GROUP-INSTANCE-ID", 17})
	}
	header = append(header, column{"HOST", 15}, column{"CLIENT-ID", 15}, column{"#PARTITIONS", 15})
	if verbose {
		header = append(header, column{"ASSIGNMENT", 0})
	}
	rows := make([][]string, 0, len(row.Members))
	for _, m := range row.Members {
		cells := []string{row.Group, m.Consumer}
		if static {
			cells = append(cells, dash(m.Instance, func(s string) string { return s }))
		}
		cells = append(cells, m.Host, m.Client, strconv.Itoa(m.Partitions))
		if verbose {
			cells = append(cells, m.assignmentText())
		}
		rows = append(rows, cells)
	}
	fmt.Fprintln(a.out)
	a.columns(header, rows)
}

func (a *app) printGroupStates(groups []groupRow) {
	rows := make([][]string, 0, len(groups))
	for _, g := range groups {
		rows = append(rows, []string{g.Group, g.Coordinator, g.Strategy, g.State, strconv.Itoa(g.MemberCount)})
	}
	fmt.Fprintln(a.out)
	a.columns([]column{{"GROUP", 25}, {"COORDINATOR (ID)", 25}, {"ASSIGNMENT-STRATEGY", 20}, {"STATE", 15}, {"#MEMBERS", 0}}, rows)
}

// Timestamps that ask for the ends of a log.
const (
	latestTimestamp   int64 = -1
	earliestTimestamp int64 = -2
)

// foundOffset is a partition's answer to a timestamp: -1 when no record is that young.
type foundOffset struct {
	offset int64
	err    error
}

// offsetsAt asks the leaders for the offsets of a timestamp. A partition without an answer has its error.
func (c *caller) offsetsAt(ctx context.Context, names []partitionName, timestamp int64) (map[partitionName]foundOffset, error) {
	found := map[partitionName]foundOffset{}
	if len(names) == 0 {
		return found, nil
	}
	leaders, err := c.leaders(ctx, names)
	if err != nil {
		return nil, err
	}
	requests := map[int32]map[string][]wire.ListOffsetsRequestPartition{}
	for _, n := range names {
		leader, ok := leaders[n]
		if !ok {
			found[n] = foundOffset{err: wire.UnknownTopicOrPartition}
			continue
		}
		if _, up := c.addresses()[leader]; !up {
			found[n] = foundOffset{err: wire.LeaderNotAvailable}
			continue
		}
		if requests[leader] == nil {
			requests[leader] = map[string][]wire.ListOffsetsRequestPartition{}
		}
		p := wire.New[wire.ListOffsetsRequestPartition]()
		p.PartitionIndex, p.Timestamp = n.Partition, timestamp
		requests[leader][n.Topic] = append(requests[leader][n.Topic], p)
	}
	for leader, topics := range requests {
		req := &wire.ListOffsetsRequest{ReplicaID: -1}
		for topic, partitions := range topics {
			req.Topics = append(req.Topics, wire.ListOffsetsRequestTopic{Name: topic, Partitions: partitions})
		}
		resp, err := askBroker[*wire.ListOffsetsResponse](ctx, c, leader, req)
		if err != nil {
			return nil, fmt.Errorf("offsets from broker %d: %w", leader, err)
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				one := foundOffset{offset: p.Offset}
				if p.ErrorCode != wire.None {
					one.err = p.ErrorCode
				}
				found[partitionName{t.Name, p.PartitionIndex}] = one
			}
		}
	}
	return found, nil
}

// leaders reads who leads; a partition that doesn't exist is left out.
func (c *caller) leaders(ctx context.Context, names []partitionName) (map[partitionName]int32, error) {
	topics := map[string]bool{}
	for _, n := range names {
		topics[n.Topic] = true
	}
	metadata, err := c.metadata(ctx, slices.Sorted(maps.Keys(topics)))
	if err != nil {
		return nil, err
	}
	leaders := map[partitionName]int32{}
	for _, t := range metadata.Topics {
		for _, p := range t.Partitions {
			if t.Name != nil {
				leaders[partitionName{*t.Name, p.PartitionIndex}] = p.LeaderID
			}
		}
	}
	return leaders, nil
}
