package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/broker/wire"
)

// groupDeletion is the outcome for one group in JSON.
type groupDeletion struct {
	Group string `json:"group"`
	Error string `json:"error,omitempty"`
}

func (a *app) groupsDelete() *cobra.Command {
	var s groupSelection
	cmd := &cobra.Command{
		Use: "delete [GROUP...]", Short: "Delete groups that have no members, with their offsets", Args: cobra.ArbitraryArgs,
		Example: "  prekraft groups delete payments\n  prekraft groups delete --all-groups",
		RunE: func(cmd *cobra.Command, args []string) error {
			g, groups, err := s.open(cmd.Context(), a, args)
			if err != nil {
				return err
			}
			defer g.close()
			rows := []groupDeletion{}
			for _, group := range groups {
				row := groupDeletion{Group: group}
				if err := g.deleteGroup(cmd.Context(), group); err != nil {
					row.Error = err.Error()
				}
				rows = append(rows, row)
			}
			return a.printDeletions(rows)
		},
	}
	s.flags(cmd)
	return cmd
}

func (g *groupCaller) deleteGroup(ctx context.Context, group string) error {
	resp, err := askCoordinator(ctx, g, group, &wire.DeleteGroupsRequest{GroupsNames: []string{group}}, func(r *wire.DeleteGroupsResponse) wire.Error {
		for _, one := range r.Results {
			return one.ErrorCode
		}
		return wire.UnknownServerError
	})
	if err != nil {
		return err
	}
	for _, one := range resp.Results {
		if one.ErrorCode != wire.None {
			return one.ErrorCode
		}
	}
	return nil
}

func (a *app) printDeletions(rows []groupDeletion) error {
	var done, failed []string
	for _, r := range rows {
		if r.Error == "" {
			done = append(done, "'"+r.Group+"'")
		} else {
			failed = append(failed, fmt.Sprintf("* Group '%s' could not be deleted due to: %s", r.Group, r.Error))
		}
	}
	switch {
	case a.output == "json":
		if err := a.json(rows); err != nil {
			return err
		}
	case len(failed) == 0 && len(done) > 0:
		fmt.Fprintf(a.out, "Deletion of requested consumer groups (%s) was successful.\n", strings.Join(done, ", "))
	case len(failed) > 0:
		fmt.Fprintf(a.out, "%s\n", strings.Join(failed, "\n"))
		if len(done) > 0 {
			fmt.Fprintf(a.out, "\nThese consumer groups were deleted successfully: %s\n", strings.Join(done, ", "))
		}
	}
	if len(failed) > 0 {
		return errors.New(plural(len(failed), "group") + " could not be deleted")
	}
	return nil
}

// offsetDeletion is the outcome for one partition in JSON.
type offsetDeletion struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Error     string `json:"error,omitempty"`
}

func (a *app) groupsDeleteOffsets() *cobra.Command {
	var topics []string
	var timeoutMs int
	cmd := &cobra.Command{
		Use: "delete-offsets GROUP --topic TOPIC[:PARTITION,...]", Short: "Delete committed offsets of topics that the group doesn't read", Args: cobra.ExactArgs(1),
		Example: "  prekraft groups delete-offsets payments --topic orders --topic old:0,1",
		RunE: func(cmd *cobra.Command, args []string) error {
			scopes, err := parseTopicScopes(topics)
			if err != nil {
				return err
			}
			if len(scopes) == 0 {
				return fmt.Errorf("%w: say whose offsets with --topic", errUsage)
			}
			return a.deleteOffsets(cmd.Context(), args[0], scopes, time.Duration(timeoutMs)*time.Millisecond)
		},
	}
	cmd.Flags().StringArrayVar(&topics, "topic", nil, "a topic, or some partitions of it: orders or `orders:0,1` (repeatable)")
	cmd.Flags().IntVar(&timeoutMs, "timeout", 5000, "how many `milliseconds` to wait for a coordinator that is just being found or loaded")
	return cmd
}

func (a *app) deleteOffsets(ctx context.Context, group string, scopes []topicScope, patience time.Duration) error {
	g, err := a.groupCaller(ctx, patience)
	if err != nil {
		return err
	}
	defer g.close()
	names, err := g.partitionsIn(ctx, scopes)
	if err != nil {
		return err
	}
	req := wire.New[wire.OffsetDeleteRequest]()
	req.GroupID = group
	for _, n := range names {
		last := len(req.Topics) - 1
		if last < 0 || req.Topics[last].Name != n.Topic {
			req.Topics = append(req.Topics, wire.OffsetDeleteRequestTopic{Name: n.Topic})
			last++
		}
		req.Topics[last].Partitions = append(req.Topics[last].Partitions, wire.OffsetDeleteRequestPartition{PartitionIndex: n.Partition})
	}
	resp, err := askCoordinator(ctx, g, group, &req, func(r *wire.OffsetDeleteResponse) wire.Error { return r.ErrorCode })
	if err != nil {
		return err
	}
	if resp.ErrorCode != wire.None {
		return fmt.Errorf("group %s: %w", group, resp.ErrorCode)
	}
	rows := []offsetDeletion{}
	failed := 0
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			row := offsetDeletion{Topic: t.Name, Partition: p.PartitionIndex}
			if p.ErrorCode != wire.None {
				row.Error = p.ErrorCode.Error()
				failed++
			}
			rows = append(rows, row)
		}
	}
	return a.printOffsetDeletions(rows, failed)
}

func (a *app) printOffsetDeletions(rows []offsetDeletion, failed int) error {
	if a.output == "json" {
		if err := a.json(rows); err != nil {
			return err
		}
	} else {
		cells := make([][]string, 0, len(rows))
		for _, r := range rows {
			status := "Successful"
			if r.Error != "" {
				status = "Error: " + r.Error
			}
			cells = append(cells, []string{r.Topic, strconv.Itoa(int(r.Partition)), status})
		}
		fmt.Fprintln(a.out)
		a.columns([]column{{"TOPIC", 30}, {"PARTITION", 15}, {"STATUS", 0}}, cells)
	}
	if failed > 0 {
		return errors.New("the offsets of " + plural(failed, "partition") + " were not deleted")
	}
	return nil
}
