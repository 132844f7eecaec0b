package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/broker/wire"
)

// resetOptions is the command line of groups reset-offsets.
type resetOptions struct {
	groupSelection
	topics                         []string
	allTopics                      bool
	dryRun, execute, export        bool
	earliest, latest, current      bool
	offset, datetime, duration, by string
	file                           string
}

func (a *app) groupsResetOffsets() *cobra.Command {
	var o resetOptions
	cmd := &cobra.Command{
		Use: "reset-offsets [GROUP...]", Short: "Move a group's committed offsets", Args: cobra.ArbitraryArgs,
		Long: `Move the committed offsets of groups that have no members. Without --execute only the plan is shown. --export prints it as CSV, which --from-file reads.
Offsets that a partition doesn't have become its first or last one, with a warning.`,
		Example: `  prekraft groups reset-offsets payments --topic orders --to-earliest
  prekraft groups reset-offsets payments --topic orders:0,1 --shift-by=-100 --execute
  prekraft groups reset-offsets payments --all-topics --to-datetime 2026-01-31T15:04:05.000 --export > plan.csv
  prekraft groups reset-offsets payments --from-file plan.csv --execute`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.resetOffsets(cmd.Context(), o, args) },
	}
	o.flags(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&o.topics, "topic", nil, "a topic, or some partitions of it: orders or `orders:0,1` (repeatable)")
	flags.BoolVar(&o.allTopics, "all-topics", false, "all topics of which the group has offsets")
	flags.BoolVar(&o.dryRun, "dry-run", false, "show the plan and change nothing (what happens without --execute)")
	flags.BoolVar(&o.execute, "execute", false, "commit the new offsets")
	flags.BoolVar(&o.export, "export", false, "print the plan as CSV")
	flags.BoolVar(&o.earliest, "to-earliest", false, "to the first record there is")
	flags.BoolVar(&o.latest, "to-latest", false, "to the end")
	flags.BoolVar(&o.current, "to-current", false, "to where they are")
	flags.StringVar(&o.offset, "to-offset", "", "to this `offset`")
	flags.StringVar(&o.by, "shift-by", "", "by so many `records`, back when negative")
	flags.StringVar(&o.datetime, "to-datetime", "", "to the first record from this `time` on, 2026-01-31T15:04:05.000 (UTC, or with Z or +01:00)")
	flags.StringVar(&o.duration, "by-duration", "", "to the first record that is not older than `PnDTnHnMnS`")
	flags.StringVar(&o.file, "from-file", "", "to what a CSV `file` says")
	return cmd
}

// scenario reads the one that was given.
func (o resetOptions) scenario(now time.Time) (resetScenario, error) {
	var s resetScenario
	given := 0
	var err error
	choose := func(is bool, kind resetKind, read func() error) {
		if !is || err != nil {
			return
		}
		given++
		s.kind = kind
		if read != nil {
			err = read()
		}
	}
	number := func(text string, into *int64) func() error {
		return func() error {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return fmt.Errorf("%w: %q is not a number", errUsage, text)
			}
			*into = n
			return nil
		}
	}
	choose(o.earliest, toEarliest, nil)
	choose(o.latest, toLatest, nil)
	choose(o.current, toCurrent, nil)
	choose(o.offset != "", toOffset, number(o.offset, &s.offset))
	choose(o.by != "", shiftBy, number(o.by, &s.shift))
	choose(o.datetime != "", toDatetime, func() (err error) { s.at, err = parseDatetime(o.datetime); return err })
	choose(o.duration != "", toDatetime, func() error {
		d, err := parseISODuration(o.duration)
		s.at = now.Add(-d)
		return err
	})
	choose(o.file != "", fromFile, nil)
	switch {
	case err != nil:
		return s, err
	case given != 1:
		return s, fmt.Errorf("%w: say where to with one of --to-earliest, --to-latest, --to-current, --to-offset, --shift-by, --to-datetime, --by-duration, --from-file", errUsage)
	case o.execute && o.dryRun:
		return s, fmt.Errorf("%w: --dry-run or --execute", errUsage)
	case s.kind == fromFile && (o.allTopics || len(o.topics) > 0):
		return s, fmt.Errorf("%w: --from-file says which partitions; leave out --topic and --all-topics", errUsage)
	case s.kind != fromFile && o.allTopics == (len(o.topics) > 0):
		return s, fmt.Errorf("%w: say which offsets: --topic or --all-topics", errUsage)
	}
	return s, nil
}

func (a *app) resetOffsets(ctx context.Context, o resetOptions, args []string) error {
	scenario, err := o.scenario(time.Now())
	if err != nil {
		return err
	}
	scopes, err := parseTopicScopes(o.topics)
	if err != nil {
		return err
	}
	g, groups, err := o.open(ctx, a, args)
	if err != nil {
		return err
	}
	defer g.close()
	if scenario.kind == fromFile {
		if scenario.file, err = readResetFile(o.file, groups); err != nil {
			return err
		}
	}
	described, err := g.describe(ctx, groups)
	if err != nil {
		return err
	}
	rows := []resetRow{}
	var refused []error
	for _, d := range described {
		if d.GroupState != "Empty" && d.GroupState != "Dead" {
			refused = append(refused, fmt.Errorf("assignments can only be reset if the group '%s' is inactive, but the current state is %s", d.GroupID, d.GroupState))
			continue
		}
		plan, err := g.planReset(ctx, d.GroupID, scenario, scopes)
		if err != nil {
			return err
		}
		for _, r := range plan {
			if r.Warning != "" {
				fmt.Fprintln(a.err, r.Warning)
			}
		}
		if o.execute {
			if err := g.commit(ctx, d.GroupID, plan); err != nil {
				return err
			}
		}
		rows = append(rows, plan...)
	}
	if err := a.printReset(rows, o, len(groups) > 1); err != nil {
		return err
	}
	if !o.execute && len(rows) > 0 && !o.export && a.output != "json" {
		fmt.Fprintln(a.err, "Nothing was changed; --execute does it.")
	}
	return errors.Join(refused...)
}

func (a *app) printReset(rows []resetRow, o resetOptions, several bool) error {
	switch {
	case o.export:
		return exportCSV(a.out, rows, several)
	case a.output == "json":
		return a.json(rows)
	}
	if len(rows) == 0 {
		return nil
	}
	cells := make([][]string, 0, len(rows))
	for _, r := range rows {
		cells = append(cells, []string{r.Group, r.Topic, strconv.Itoa(int(r.Partition)), strconv.FormatInt(r.New, 10)})
	}
	fmt.Fprintln(a.out)
	a.columns([]column{{"GROUP", 30}, {"TOPIC", 30}, {"PARTITION", 10}, {"NEW-OFFSET", 0}}, cells)
	return nil
}

// planReset computes a group's new offsets, by topic and partition.
func (g *groupCaller) planReset(ctx context.Context, group string, s resetScenario, scopes []topicScope) ([]resetRow, error) {
	committed, err := g.committed(ctx, group)
	if err != nil {
		return nil, err
	}
	names, err := g.scopePartitions(ctx, group, s, scopes, committed)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	starts, err := g.offsetsAt(ctx, names, earliestTimestamp)
	if err != nil {
		return nil, err
	}
	ends, err := g.offsetsAt(ctx, names, latestTimestamp)
	if err != nil {
		return nil, err
	}
	byTime := map[partitionName]foundOffset{}
	if s.kind == toDatetime {
		if byTime, err = g.offsetsAt(ctx, names, s.at.UnixMilli()); err != nil {
			return nil, err
		}
	}
	var rows []resetRow
	for _, n := range names {
		for _, found := range []foundOffset{starts[n], ends[n], byTime[n]} {
			if found.err != nil {
				return nil, fmt.Errorf("partition %s: %w", n, found.err)
			}
		}
		p := positions{start: starts[n].offset, end: ends[n].offset, byTime: byTime[n].offset, wanted: s.file[group][n]}
		if offset, ok := committed[n]; ok {
			p.committed = &offset
		}
		offset, warning, err := s.newOffset(n, p)
		if err != nil {
			return nil, err
		}
		rows = append(rows, resetRow{Group: group, Topic: n.Topic, Partition: n.Partition, Committed: p.committed, New: offset, Warning: warning})
	}
	return rows, nil
}

// scopePartitions are the partitions that a reset is about.
func (g *groupCaller) scopePartitions(ctx context.Context, group string, s resetScenario, scopes []topicScope, committed map[partitionName]int64) ([]partitionName, error) {
	if s.kind == fromFile {
		return slices.SortedFunc(maps.Keys(s.file[group]), compareNamed), nil
	}
	if len(scopes) == 0 { // --all-topics
		topics := map[string]bool{}
		for n := range committed {
			topics[n.Topic] = true
		}
		for _, topic := range slices.Sorted(maps.Keys(topics)) {
			scopes = append(scopes, topicScope{topic: topic})
		}
	}
	return g.partitionsIn(ctx, scopes)
}

// partitionsIn are the partitions that scopes name, which must exist.
func (c *caller) partitionsIn(ctx context.Context, scopes []topicScope) ([]partitionName, error) {
	topics := map[string]bool{}
	for _, s := range scopes {
		topics[s.topic] = true
	}
	if len(topics) == 0 {
		return nil, nil
	}
	metadata, err := c.metadata(ctx, slices.Sorted(maps.Keys(topics)))
	if err != nil {
		return nil, err
	}
	have := map[string][]int32{}
	for _, t := range metadata.Topics {
		if t.Name == nil {
			continue
		}
		if t.ErrorCode != wire.None {
			return nil, topicError(*t.Name, t.ErrorCode)
		}
		for _, p := range t.Partitions {
			have[*t.Name] = append(have[*t.Name], p.PartitionIndex)
		}
	}
	var names []partitionName
	for _, s := range scopes {
		wanted := s.partitions
		if len(wanted) == 0 {
			wanted = have[s.topic]
		}
		for _, p := range wanted {
			if !slices.Contains(have[s.topic], p) {
				return nil, fmt.Errorf("topic %s has no partition %d; it has %d, from 0 on", s.topic, p, len(have[s.topic]))
			}
			names = append(names, partitionName{s.topic, p})
		}
	}
	slices.SortFunc(names, compareNamed)
	return slices.Compact(names), nil
}

// commit writes a group's new offsets, from outside of the group.
func (g *groupCaller) commit(ctx context.Context, group string, rows []resetRow) error {
	if len(rows) == 0 {
		return nil
	}
	req := wire.New[wire.OffsetCommitRequest]()
	req.GroupID = group
	for _, r := range rows {
		last := len(req.Topics) - 1
		if last < 0 || req.Topics[last].Name != r.Topic {
			req.Topics = append(req.Topics, wire.OffsetCommitRequestTopic{Name: r.Topic})
			last++
		}
		p := wire.New[wire.OffsetCommitRequestPartition]()
		p.PartitionIndex, p.CommittedOffset, p.CommittedMetadata = r.Partition, r.New, new("")
		req.Topics[last].Partitions = append(req.Topics[last].Partitions, p)
	}
	resp, err := askCoordinator(ctx, g, group, &req, func(r *wire.OffsetCommitResponse) wire.Error {
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode != wire.None {
					return p.ErrorCode
				}
			}
		}
		return wire.None
	})
	if err != nil {
		return err
	}
	var failed []string
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != wire.None {
				failed = append(failed, fmt.Sprintf("%s-%d: %s", t.Name, p.PartitionIndex, p.ErrorCode.Name()))
			}
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("group %s: not committed: %s", group, strings.Join(failed, "; "))
	}
	return nil
}
