package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/broker/wire"
)

func (a *app) groupsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "groups", Short: "Show consumer groups and their lag, move their offsets, delete them",
		Long: `Show consumer groups, their members and their lag, move their offsets and delete them, with the options and lines of kafka-consumer-groups.`,
	}
	cmd.AddCommand(a.groupsList(), a.groupsDescribe(), a.groupsMembers(), a.groupsResetOffsets(), a.groupsDelete(), a.groupsDeleteOffsets())
	return cmd
}

// groupSelection is which groups a command is about.
type groupSelection struct {
	all       bool
	timeoutMs int
}

func (s *groupSelection) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.all, "all-groups", false, "all groups that there are")
	cmd.Flags().IntVar(&s.timeoutMs, "timeout", 5000, "how many `milliseconds` to wait for groups whose coordinator is just being found or loaded")
}

// open connects, and names the groups.
func (s *groupSelection) open(ctx context.Context, a *app, args []string) (*groupCaller, []string, error) {
	if s.all == (len(args) > 0) {
		return nil, nil, fmt.Errorf("%w: name groups, or give --all-groups", errUsage)
	}
	g, err := a.groupCaller(ctx, time.Duration(s.timeoutMs)*time.Millisecond)
	if err != nil {
		return nil, nil, err
	}
	if !s.all {
		names := slices.Clone(args)
		slices.Sort(names)
		return g, slices.Compact(names), nil
	}
	listed, err := g.list(ctx, nil, nil)
	if err != nil {
		g.close()
		return nil, nil, err
	}
	var names []string
	for _, one := range listed {
		names = append(names, one.GroupID)
	}
	return g, names, nil
}

// groupCaller is a caller that finds groups' coordinators.
type groupCaller struct {
	*caller
	patience     time.Duration
	coordinators map[string]int32
}

func (a *app) groupCaller(ctx context.Context, patience time.Duration) (*groupCaller, error) {
	c, err := a.caller(ctx)
	if err != nil {
		return nil, err
	}
	if !c.serves(wire.FindCoordinator) {
		c.close()
		return nil, errors.New("the brokers have no consumer groups")
	}
	return &groupCaller{caller: c, patience: patience, coordinators: map[string]int32{}}, nil
}

// list asks every broker for the groups it coordinates, sorted by name.
func (g *groupCaller) list(ctx context.Context, states, types []string) ([]wire.ListGroupsResponseGroup, error) {
	var all []wire.ListGroupsResponseGroup
	req := &wire.ListGroupsRequest{StatesFilter: states, TypesFilter: types}
	for _, b := range g.cluster.Brokers {
		deadline := time.Now().Add(g.patience)
		for {
			resp, err := askBroker[*wire.ListGroupsResponse](ctx, g.caller, b.NodeID, req)
			if err != nil {
				return nil, fmt.Errorf("broker %d: %w", b.NodeID, err)
			}
			if resp.ErrorCode.Retriable() && time.Now().Before(deadline) {
				if err := pause(ctx, controllerPause); err != nil {
					return nil, err
				}
				continue
			}
			if resp.ErrorCode != wire.None {
				return nil, fmt.Errorf("broker %d: %w", b.NodeID, resp.ErrorCode)
			}
			all = append(all, resp.Groups...)
			break
		}
	}
	slices.SortFunc(all, func(x, y wire.ListGroupsResponseGroup) int { return strings.Compare(x.GroupID, y.GroupID) })
	return slices.CompactFunc(all, func(x, y wire.ListGroupsResponseGroup) bool { return x.GroupID == y.GroupID }), nil
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// coordinator finds a group's coordinator.
func (g *groupCaller) coordinator(ctx context.Context, group string) (int32, error) {
	if id, ok := g.coordinators[group]; ok {
		return id, nil
	}
	req := &wire.FindCoordinatorRequest{Key: group}
	if g.version(wire.FindCoordinator) >= 4 {
		req = &wire.FindCoordinatorRequest{CoordinatorKeys: []string{group}}
	}
	resp, err := askAny[*wire.FindCoordinatorResponse](ctx, g.caller, req)
	if err != nil {
		return -1, err
	}
	id, code, message := resp.NodeID, resp.ErrorCode, resp.ErrorMessage
	for _, one := range resp.Coordinators {
		id, code, message = one.NodeID, one.ErrorCode, one.ErrorMessage
	}
	if code != wire.None {
		if message != nil && *message != "" && *message != code.Message() {
			return -1, fmt.Errorf("%w (%s)", code, *message)
		}
		return -1, code
	}
	if _, ok := g.addresses()[id]; !ok {
		if _, err := g.metadata(ctx, []string{}); err != nil {
			return -1, err
		}
	}
	g.coordinators[group] = id
	return id, nil
}

// askCoordinator sends a request to a group's coordinator, found anew while code says that the group is elsewhere, or not loaded yet.
func askCoordinator[R wire.Response](ctx context.Context, g *groupCaller, group string, req wire.Request, code func(R) wire.Error) (R, error) {
	deadline := time.Now().Add(g.patience)
	for {
		var resp R
		id, err := g.coordinator(ctx, group)
		if err == nil {
			if resp, err = askBroker[R](ctx, g.caller, id, req); err == nil {
				if c := code(resp); c != wire.None && c.Retriable() {
					err = c
				}
			}
		}
		if err == nil {
			return resp, nil
		}
		delete(g.coordinators, group)
		var c wire.Error
		if errors.As(err, &c) && !c.Retriable() || !g.serves(req.APIKey()) || time.Now().After(deadline) {
			return resp, fmt.Errorf("group %s: %w", group, err)
		}
		if err := pause(ctx, controllerPause); err != nil {
			return resp, err
		}
		_, _ = g.metadata(ctx, []string{}) // if nobody answers, the next round says so
	}
}

// describe reads groups' states and members.
func (g *groupCaller) describe(ctx context.Context, groups []string) ([]wire.DescribeGroupsResponseGroup, error) {
	var all []wire.DescribeGroupsResponseGroup
	for _, group := range groups {
		resp, err := askCoordinator(ctx, g, group, &wire.DescribeGroupsRequest{Groups: []string{group}}, func(r *wire.DescribeGroupsResponse) wire.Error {
			for _, one := range r.Groups {
				return one.ErrorCode
			}
			return wire.UnknownServerError
		})
		if err != nil {
			return nil, err
		}
		for _, one := range resp.Groups {
			if one.ErrorCode != wire.None && one.ErrorCode != wire.GroupIDNotFound {
				return nil, fmt.Errorf("group %s: %w", group, one.ErrorCode)
			}
			all = append(all, one)
		}
	}
	return all, nil
}

// committed reads all offsets that a group has committed.
func (g *groupCaller) committed(ctx context.Context, group string) (map[partitionName]int64, error) {
	offsets := map[partitionName]int64{}
	err := g.fetchOffsets(ctx, group, false, func(n partitionName, offset int64, code wire.Error) wire.Error {
		if offset >= 0 {
			offsets[n] = offset
		}
		return code
	})
	return offsets, err
}

// fetchOffsets hands all offsets that a group has committed to take, each with its code; with stable, those that are being committed have one. The first
// code that take returns, or that is the group's, is the error.
func (g *groupCaller) fetchOffsets(ctx context.Context, group string, stable bool, take func(partitionName, int64, wire.Error) wire.Error) error {
	req := &wire.OffsetFetchRequest{GroupID: group, RequireStable: stable}
	if g.version(wire.OffsetFetch) >= 8 {
		one := wire.New[wire.OffsetFetchRequestGroup]()
		one.GroupID, one.Topics = group, nil // null: all of them
		req = &wire.OffsetFetchRequest{Groups: []wire.OffsetFetchRequestGroup{one}, RequireStable: stable}
	}
	resp, err := askCoordinator(ctx, g, group, req, func(r *wire.OffsetFetchResponse) wire.Error {
		for _, one := range r.Groups {
			return one.ErrorCode
		}
		return r.ErrorCode
	})
	if err != nil {
		return err
	}
	code := resp.ErrorCode
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			code = cmp.Or(code, take(partitionName{t.Name, p.PartitionIndex}, p.CommittedOffset, p.ErrorCode))
		}
	}
	for _, one := range resp.Groups {
		code = cmp.Or(code, one.ErrorCode)
		for _, t := range one.Topics {
			for _, p := range t.Partitions {
				code = cmp.Or(code, take(partitionName{t.Name, p.PartitionIndex}, p.CommittedOffset, p.ErrorCode))
			}
		}
	}
	if code != wire.None {
		return fmt.Errorf("group %s: %w", group, code)
	}
	return nil
}

// groupListRow is a group in JSON.
type groupListRow struct {
	Group        string `json:"group"`
	Type         string `json:"type"`
	State        string `json:"state"`
	ProtocolType string `json:"protocol_type"`
}

// anyState stands for --state without a value.
const anyState = "any"

func (a *app) groupsList() *cobra.Command {
	var states, types string
	s := groupSelection{all: true}
	cmd := &cobra.Command{
		Use: "list", Short: "List the groups", Args: cobra.NoArgs,
		Example: "  prekraft groups list\n  prekraft groups list --state\n  prekraft groups list --state=Empty,Stable",
		RunE: func(cmd *cobra.Command, _ []string) error {
			g, err := a.groupCaller(cmd.Context(), time.Duration(s.timeoutMs)*time.Millisecond)
			if err != nil {
				return err
			}
			defer g.close()
			wantedStates, err := wantedWords(states, "PreparingRebalance", "CompletingRebalance", "Stable", "Dead", "Empty")
			if err != nil {
				return err
			}
			wantedTypes, err := wantedWords(types, "Classic", "Consumer")
			if err != nil {
				return err
			}
			groups, err := g.list(cmd.Context(), wantedStates, wantedTypes)
			if err != nil {
				return err
			}
			return a.printGroups(groups, states != "", types != "")
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&states, "state", "", "show the groups' states; with `states` such as --state=Empty,Stable only groups in them")
	flags.Lookup("state").NoOptDefVal = anyState
	flags.StringVar(&types, "type", "", "show the groups' types; with `types` such as --type=Classic only groups of them")
	flags.Lookup("type").NoOptDefVal = anyState
	flags.IntVar(&s.timeoutMs, "timeout", 5000, "how many `milliseconds` to wait for coordinators that are being loaded")
	return cmd
}

// wantedWords reads a list of words, whose case doesn't matter; nil means all.
func wantedWords(text string, known ...string) ([]string, error) {
	if text == "" || text == anyState {
		return nil, nil
	}
	var wanted []string
	for _, word := range strings.Split(text, ",") {
		i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, strings.TrimSpace(word)) })
		if i < 0 {
			return nil, fmt.Errorf("%w: %q is none of %s", errUsage, word, strings.Join(known, ", "))
		}
		wanted = append(wanted, known[i])
	}
	return wanted, nil
}

func (a *app) printGroups(groups []wire.ListGroupsResponseGroup, states, types bool) error {
	if a.output == "json" {
		rows := make([]groupListRow, 0, len(groups))
		for _, g := range groups {
			rows = append(rows, groupListRow{g.GroupID, g.GroupType, g.GroupState, g.ProtocolType})
		}
		return a.json(rows)
	}
	if !states && !types {
		for _, g := range groups {
			fmt.Fprintln(a.out, g.GroupID)
		}
		return nil
	}
	header := []column{{"GROUP", 25}}
	if types {
		header = append(header, column{"TYPE", 20})
	}
	if states {
		header = append(header, column{"STATE", 20})
	}
	rows := make([][]string, 0, len(groups))
	for _, g := range groups {
		cells := []string{g.GroupID}
		if types {
			cells = append(cells, typeName(g.GroupType))
		}
		if states {
			cells = append(cells, g.GroupState)
		}
		rows = append(rows, cells)
	}
	a.columns(header, rows)
	return nil
}

// typeName is how kafka-consumer-groups writes what brokers call classic and consumer.
func typeName(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// column is a header with the least width of what is below it.
type column struct {
	name  string
	width int
}

// columns prints a table as kafka-consumer-groups does: cells padded to the widest of their column and separated by one space.
func (a *app) columns(header []column, rows [][]string) {
	widths := make([]int, len(header))
	names := make([]string, len(header))
	for i, c := range header {
		names[i] = c.name
		widths[i] = max(c.width, len(c.name))
		for _, row := range rows {
			widths[i] = max(widths[i], len(row[i]))
		}
	}
	for _, row := range append([][]string{names}, rows...) {
		var line strings.Builder
		for i, cell := range row {
			fmt.Fprintf(&line, "%-*s ", widths[i], cell)
		}
		fmt.Fprintln(a.out, strings.TrimRight(line.String(), " "))
	}
}
