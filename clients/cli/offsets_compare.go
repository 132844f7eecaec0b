package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/coordinator/offsets"
)

func (a *app) offsetsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "offsets", Short: "Compare the two stores of committed offsets, move offsets between them, measure them",
		Long: `Groups' committed offsets live in the topic __consumer_offsets, in ZooKeeper under /consumers, or in both, by the brokers' config offsets.storage.`,
	}
	cmd.AddCommand(a.offsetsCompare(), a.offsetsMigrate(), a.offsetsBench())
	return cmd
}

// offsetSelection is which offsets a command is about.
type offsetSelection struct {
	groups, topics []string
	timeoutMs      int
}

func (s *offsetSelection) flags(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&s.groups, "group", nil, "only these `groups` (default: all that either store knows)")
	cmd.Flags().StringSliceVar(&s.topics, "topic", nil, "only these `topics`")
	cmd.Flags().IntVar(&s.timeoutMs, "timeout", 5000, "how many `milliseconds` to wait for groups whose coordinator is just being found or loaded")
}

// compare compares all that is selected.
func (s *offsetSelection) compare(ctx context.Context, o *offsetObserver) ([]offsets.Comparison, error) {
	groups := slices.Clone(s.groups)
	if len(groups) == 0 {
		var err error
		if groups, err = o.groups(ctx); err != nil {
			return nil, err
		}
	}
	slices.Sort(groups)
	var all []offsets.Comparison
	for _, group := range slices.Compact(groups) {
		observed, err := o.observe(ctx, group)
		if err != nil {
			return nil, err
		}
		for _, one := range observed {
			if len(s.topics) == 0 || slices.Contains(s.topics, one.TopicPartition.Topic) {
				all = append(all, offsets.Compare(one))
			}
		}
	}
	return all, nil
}

// comparedRow is a comparison in JSON. What isn't there is null; times are milliseconds since 1970.
type comparedRow struct {
	Group       string  `json:"group"`
	Topic       string  `json:"topic"`
	Partition   int32   `json:"partition"`
	Verdict     string  `json:"verdict"`
	ZooKeeper   *int64  `json:"zookeeper_offset"`
	ZnodeTime   *int64  `json:"zookeeper_time_ms"`
	ZnodeWriter *string `json:"zookeeper_writer"`
	Kafka       *int64  `json:"kafka_offset"`
	CommitTime  *int64  `json:"kafka_time_ms"`
	TopicWriter *string `json:"kafka_writer"`
	LeaderEpoch *int32  `json:"kafka_leader_epoch"`
	Difference  *int64  `json:"difference"`
	LogStart    *int64  `json:"log_start"`
	LogEnd      *int64  `json:"log_end"`
	Storage     *string `json:"offsets_storage"`
	Why         string  `json:"why"`
	Resume      resumes `json:"resume"`
}

// resumes is where consumers of each kind would go on, -1 where they have nothing.
type resumes struct {
	ZooKeeper int64 `json:"old_zookeeper"`
	Kafka     int64 `json:"old_kafka"`
	Dual      int64 `json:"old_dual"`
	Modern    int64 `json:"modern"`
}

// unless is a pointer to v, or nil when that is the value that stands for none.
func unless[T comparable](v, none T) *T {
	if v == none {
		return nil
	}
	return &v
}

func newComparedRow(c *offsets.Comparison) comparedRow {
	resume := c.Resume()
	row := comparedRow{
		Group: c.Group, Topic: c.TopicPartition.Topic, Partition: c.Partition, Verdict: string(c.Verdict), Why: c.Why,
		ZooKeeper: unless(c.ZnodeOffset, offsets.NoOffset), ZnodeWriter: unless(c.ZnodeWriter, ""), Kafka: unless(c.Topic.Offset, offsets.NoOffset),
		TopicWriter: unless(c.TopicWriter, ""), LogStart: unless(c.LogStart, -1), LogEnd: unless(c.LogEnd, -1), Storage: unless(c.Storage, ""),
		Resume: resumes{resume.OldWithZooKeeper, resume.OldWithKafka, resume.OldDual, resume.Modern},
	}
	if c.Znode.Exists {
		row.ZnodeTime = &c.Znode.MtimeMs
	}
	if r := c.Topic.Committed; r != nil {
		row.CommitTime, row.LeaderEpoch = &r.CommitTimestampMs, unless(r.LeaderEpoch, offsets.NoLeaderEpoch)
	}
	if row.ZooKeeper != nil && row.Kafka != nil {
		row.Difference = &c.Difference
	}
	return row
}

func (a *app) offsetsCompare() *cobra.Command {
	var s offsetSelection
	var watch, differ, verbose bool
	var interval time.Duration
	cmd := &cobra.Command{
		Use: "compare", Short: "Show each committed offset in both stores, and why they differ", Args: cobra.NoArgs,
		Long: `Show for each partition of a group the offset in ZooKeeper and the one in __consumer_offsets, how old they are, the difference in records, and one sentence
on why they differ. The coordinator is asked before and after ZooKeeper is read; an offset that moved meanwhile is UNSTABLE. Times in ZooKeeper are those of its own
clock. Nothing is written. It works with Apache Kafka's brokers, too.`,
		Example: "  prekraft offsets compare --group payments\n  prekraft offsets compare --group payments --watch\n  prekraft offsets compare --differ -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := a.offsetObserver(cmd.Context(), time.Duration(s.timeoutMs)*time.Millisecond)
			if err != nil {
				return err
			}
			defer o.close()
			show := func(ctx context.Context) ([]offsets.Comparison, error) {
				all, err := s.compare(ctx, o)
				if differ {
					all = slices.DeleteFunc(all, func(c offsets.Comparison) bool { return c.Verdict == offsets.Same || c.Verdict == offsets.Neither })
				}
				return all, err
			}
			if watch {
				return a.watchOffsets(cmd.Context(), show, interval, time.Duration(s.timeoutMs)*time.Millisecond)
			}
			all, err := show(cmd.Context())
			if err != nil {
				return err
			}
			return a.printCompared(all, verbose)
		},
	}
	s.flags(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&watch, "watch", false, "look again and again, and show what has changed")
	flags.DurationVar(&interval, "interval", time.Second, "with --watch: how `long` to wait between looks")
	flags.BoolVar(&differ, "differ", false, "only the offsets that differ")
	flags.BoolVar(&verbose, "verbose", false, "who wrote them, and where each kind of consumer would go on, as well")
	return cmd
}

func (a *app) printCompared(all []offsets.Comparison, verbose bool) error {
	if a.output == "json" {
		rows := make([]comparedRow, 0, len(all))
		for i := range all {
			rows = append(rows, newComparedRow(&all[i]))
		}
		return a.json(rows)
	}
	header := []string{"GROUP", "PARTITION", "ZOOKEEPER", "AGE", "KAFKA", "AGE", "DIFFERENCE", "VERDICT"}
	if verbose {
		header = append(header, "ZOOKEEPER-WRITER", "KAFKA-WRITER", "RESUME-OLD-ZK", "RESUME-OLD-DUAL", "RESUME")
	}
	header = append(header, "WHY")
	cells := make([][]string, 0, len(all))
	for i := range all {
		c := &all[i]
		row := newComparedRow(c)
		line := []string{
			c.Group, c.TopicPartition.String(), numberOrDash(row.ZooKeeper), ageOrDash(row.ZnodeTime, c.NowMs), numberOrDash(row.Kafka), ageOrDash(row.CommitTime, c.NowMs),
			numberOrDash(row.Difference), row.Verdict,
		}
		if verbose {
			r := row.Resume
			line = append(line, dash(row.ZnodeWriter, func(s string) string { return s }), dash(row.TopicWriter, func(s string) string { return s }),
				numberOrDash(unless(r.ZooKeeper, -1)), numberOrDash(unless(r.Dual, -1)), numberOrDash(unless(r.Modern, -1)))
		}
		cells = append(cells, append(line, c.Why))
	}
	return a.table(header, cells)
}

func numberOrDash(n *int64) string {
	return dash(n, func(n int64) string { return strconv.FormatInt(n, 10) })
}

func ageOrDash(ms *int64, now int64) string {
	return dash(ms, func(ms int64) string { return offsets.Age(now - ms) })
}

// watchOffsets prints what has changed since it last looked, until it is stopped. A look isn't given up, as one at many groups takes long; one that takes longer than patience, after one
// that didn't, is told.
func (a *app) watchOffsets(ctx context.Context, look func(context.Context) ([]offsets.Comparison, error), interval, patience time.Duration) error {
	seen := map[string]string{}
	failing, slow := "", false
	for ctx.Err() == nil {
		stop := func() bool { return true }
		if !slow {
			stop = time.AfterFunc(patience, func() {
				fmt.Fprintf(a.err, "prekraft: no answer for %s; still looking\n", offsets.Age(patience.Milliseconds()))
			}).Stop
		}
		began := time.Now()
		all, err := look(ctx)
		stop()
		slow = time.Since(began) > patience
		text := ""
		if err != nil && ctx.Err() == nil { // a coordinator or ZooKeeper that is away comes back
			if text = err.Error(); text != failing {
				fmt.Fprintf(a.err, "prekraft: %s; looking again\n", text)
			}
		}
		failing = text
		for i := range all {
			c := &all[i]
			key := c.Group + " " + c.TopicPartition.String()
			state, err := json.Marshal([]any{c.Verdict, c.OnItsWay(), c.ZnodeOffset, c.Topic.Offset})
			if err != nil {
				return err
			}
			if seen[key] == string(state) {
				continue
			}
			seen[key] = string(state)
			if err := a.printOffsetChange(c); err != nil {
				return err
			}
		}
		_ = pause(ctx, interval) // the loop's condition tells
	}
	return nil
}

func (a *app) printOffsetChange(c *offsets.Comparison) error {
	row := newComparedRow(c)
	if a.output == "json" {
		return a.jsonLine(row)
	}
	_, err := fmt.Fprintf(a.out, "%s %s %s  zookeeper %s (%s)  kafka %s (%s)  %s: %s\n", time.UnixMilli(c.NowMs).Format("15:04:05.000"), c.Group, c.TopicPartition,
		numberOrDash(row.ZooKeeper), ageOrDash(row.ZnodeTime, c.NowMs), numberOrDash(row.Kafka), ageOrDash(row.CommitTime, c.NowMs), row.Verdict, c.Why)
	return err
}
