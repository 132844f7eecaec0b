package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"
)

// moveRow is a reassignment in JSON.
type moveRow struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Replicas  []int32 `json:"replicas"`
	Adding    []int32 `json:"adding_replicas"`
	Removing  []int32 `json:"removing_replicas"`
}

func (a *app) partitionsList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the moves under way", Args: cobra.NoArgs,
		Example: "  prekraft partitions list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.caller(cmd.Context())
			if err != nil {
				return err
			}
			defer c.close()
			moves, err := listReassignments(cmd.Context(), c)
			if err != nil {
				return err
			}
			names := slices.SortedFunc(maps.Keys(moves), compareNamed)
			if a.output == "json" {
				rows := make([]moveRow, 0, len(names))
				for _, n := range names {
					rows = append(rows, moveRow{n.Topic, n.Partition, moves[n].Replicas, moves[n].AddingReplicas, moves[n].RemovingReplicas})
				}
				return a.json(rows)
			}
			if len(names) == 0 {
				fmt.Fprintln(a.out, "No partition reassignments found.")
				return nil
			}
			fmt.Fprintln(a.out, "Current partition reassignments:")
			for _, n := range names {
				m := moves[n]
				text := fmt.Sprintf("%s: replicas: %s.", n, ids(m.Replicas))
				if len(m.AddingReplicas) > 0 {
					text += fmt.Sprintf(" adding: %s.", ids(m.AddingReplicas))
				}
				if len(m.RemovingReplicas) > 0 {
					text += fmt.Sprintf(" removing: %s.", ids(m.RemovingReplicas))
				}
				fmt.Fprintln(a.out, text)
			}
			return nil
		},
	}
}

func (a *app) partitionsCancel() *cobra.Command {
	var file string
	var all, preserve bool
	cmd := &cobra.Command{
		Use: "cancel [PARTITION...]", Short: "Give moves up: the partitions go back to the replicas they had", Args: cobra.ArbitraryArgs,
		Example: "  prekraft partitions cancel orders-3\n  prekraft partitions cancel --all\n  prekraft partitions cancel --reassignment-json-file plan.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			names, err := parsePartitions(args)
			if err != nil {
				return err
			}
			if file != "" {
				moves, err := readReassignment(file)
				if err != nil {
					return err
				}
				for _, m := range moves {
					names = append(names, m.name())
				}
			}
			if len(names) == 0 && !all {
				return fmt.Errorf("%w: name partitions, or give --reassignment-json-file or --all", errUsage)
			}
			return a.cancelMoves(cmd.Context(), names, all, preserve)
		},
	}
	cmd.Flags().StringVar(&file, "reassignment-json-file", "", "the partitions, in the `file` that was executed")
	cmd.Flags().BoolVar(&all, "all", false, "every move under way")
	cmd.Flags().BoolVar(&preserve, "preserve-throttles", false, "leave throttles as they are")
	return cmd
}

func (a *app) cancelMoves(ctx context.Context, names []partitionName, all, preserve bool) error {
	c, err := a.caller(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	under, err := listReassignments(ctx, c)
	if err != nil {
		return err
	}
	var moves []partitionMove
	for _, n := range slices.SortedFunc(maps.Keys(under), compareNamed) {
		if all || slices.Contains(names, n) {
			moves = append(moves, partitionMove{Topic: n.Topic, Partition: n.Partition})
		}
	}
	if len(moves) > 0 {
		if err := alterReassignments(ctx, c, moves); err != nil {
			return err
		}
	}
	cancelled := make([]partitionName, 0, len(moves))
	for _, m := range moves {
		cancelled = append(cancelled, m.name())
	}
	switch {
	case a.output == "json":
		texts := []string{}
		for _, n := range cancelled {
			texts = append(texts, n.String())
		}
		if err := a.json(map[string]any{"cancelled": texts}); err != nil {
			return err
		}
	case len(moves) == 0:
		fmt.Fprintln(a.out, "None of the specified partition reassignments are active.")
	default:
		fmt.Fprintf(a.out, "Successfully cancelled partition reassignment%s for: %s\n", pluralS(len(moves)), joinPartitions(cancelled, ","))
	}
	if preserve {
		return nil
	}
	for _, n := range names {
		if !slices.Contains(cancelled, n) {
			moves = append(moves, partitionMove{Topic: n.Topic, Partition: n.Partition})
		}
	}
	return a.clearThrottles(ctx, c, moves)
}
