package cli

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/coordinator/offsets"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// migrateRow is an offset that is moved, in JSON.
type migrateRow struct {
	Group     string `json:"group"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      *int64 `json:"from"` // what the source has
	To        *int64 `json:"to"`   // what the target has so far
	Done      bool   `json:"done"`
	Why       string `json:"why"`
	refused   bool   // by the brokers' offsets.storage
}

// migration is what offsets migrate does.
type migration struct {
	from, to string
	rewind   bool
	dryRun   bool
}

func (a *app) offsetsMigrate() *cobra.Command {
	var s offsetSelection
	var m migration
	cmd := &cobra.Command{
		Use: "migrate", Short: "Copy committed offsets from one store to the other", Args: cobra.NoArgs,
		Long: `Copy groups' committed offsets from ZooKeeper to __consumer_offsets or back. Only what differs is written, and an offset that is larger in the target is
left alone unless --rewind is given. Offsets of partitions that don't exist, that hold no number, or that are being committed at this moment are left out and named. A
group whose members are running can't be written to in the topic: stop them first. While brokers keep offsets in ZooKeeper alone (offsets.storage=zookeeper) nothing can
be committed to the topic: set offsets.storage=kafka first, and dual afterwards. Begin with --dry-run.`,
		Example: "  prekraft offsets migrate --from zookeeper --to kafka --group payments --dry-run\n  prekraft offsets migrate --from kafka --to zookeeper --group payments",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if kinds := [2]string{m.from, m.to}; kinds != [2]string{"zookeeper", "kafka"} && kinds != [2]string{"kafka", "zookeeper"} {
				return fmt.Errorf("%w: --from zookeeper --to kafka, or --from kafka --to zookeeper", errUsage)
			}
			o, err := a.offsetObserver(cmd.Context(), time.Duration(s.timeoutMs)*time.Millisecond)
			if err != nil {
				return err
			}
			defer o.close()
			all, err := s.compare(cmd.Context(), o)
			if err != nil {
				return err
			}
			rows, err := o.migrate(cmd.Context(), m, all)
			if shown := a.printMoves(rows, m); shown != nil {
				return shown
			}
			return err
		},
	}
	s.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&m.from, "from", "", "`STORE` to copy from: zookeeper or kafka")
	flags.StringVar(&m.to, "to", "", "`STORE` to copy to: kafka or zookeeper")
	flags.BoolVar(&m.rewind, "rewind", false, "also where the target's offset is larger")
	flags.BoolVar(&m.dryRun, "dry-run", false, "only show what would be written")
	return cmd
}

// errZooKeeperAlone: a commit wouldn't reach the topic.
var errZooKeeperAlone = errors.New("the brokers keep offsets in ZooKeeper alone, so a commit would go there; set offsets.storage=kafka first")

// refused says whether an offset can't be written to the topic, whatever else is to be said about it.
func (m migration) refused(c *offsets.Comparison) bool {
	return m.to == "kafka" && c.Storage == offsets.ZooKeeper.String()
}

// plan says of each offset whether it is copied, and why or why not.
func (m migration) plan(all []offsets.Comparison) []migrateRow {
	rows := []migrateRow{}
	for i := range all {
		c := &all[i]
		row := migrateRow{Group: c.Group, Topic: c.TopicPartition.Topic, Partition: c.Partition, From: unless(c.ZnodeOffset, offsets.NoOffset), To: unless(c.Topic.Offset, offsets.NoOffset)}
		if m.from == "kafka" {
			row.From, row.To = row.To, row.From
		}
		switch {
		case c.Verdict == offsets.ZKBad, c.Verdict == offsets.Orphan, c.Verdict == offsets.Unstable:
			row.Why = "left out: " + c.Why
		case row.From == nil:
			continue
		case m.refused(c):
			row.refused, row.Why = true, "left out: "+errZooKeeperAlone.Error()
		case *row.From < 0:
			row.Why = "left out: a negative offset"
		case row.To != nil && *row.To == *row.From:
			continue
		case row.To != nil && *row.To > *row.From && !m.rewind:
			row.Why = "left out: the target is ahead; --rewind would set it back"
		case m.to == "zookeeper" && !offsets.ZnodeName(c.Group):
			row.Why = "left out: the group's name can't be that of a znode"
		default:
			row.Done, row.Why = true, "to be written"
		}
		rows = append(rows, row)
	}
	return rows
}

// migrate writes what the plan says, a group at a time; the rows tell how far it came.
func (o *offsetObserver) migrate(ctx context.Context, m migration, all []offsets.Comparison) ([]migrateRow, error) {
	rows := m.plan(all)
	if m.dryRun {
		return rows, nil
	}
	var errs []error
	if slices.ContainsFunc(rows, func(r migrateRow) bool { return r.refused }) {
		errs = append(errs, errZooKeeperAlone)
	}
	for start := 0; start < len(rows); {
		end := start
		for end < len(rows) && rows[end].Group == rows[start].Group {
			end++
		}
		if err := o.moveGroup(ctx, m, rows[start:end]); err != nil {
			errs = append(errs, err)
		}
		start = end
	}
	return rows, errors.Join(errs...)
}

func (o *offsetObserver) moveGroup(ctx context.Context, m migration, rows []migrateRow) error {
	var err error
	if m.to == "kafka" {
		var moved []resetRow
		for _, row := range rows {
			if row.Done {
				moved = append(moved, resetRow{Group: row.Group, Topic: row.Topic, Partition: row.Partition, New: *row.From})
			}
		}
		err = o.commit(ctx, rows[0].Group, moved)
	}
	for i := range rows {
		row := &rows[i]
		if !row.Done {
			continue
		}
		if m.to == "zookeeper" {
			err = o.setZnode(ctx, row)
		}
		row.Why = "written"
		if err != nil {
			row.Done, row.Why = false, "not written: "+err.Error()
		}
	}
	if err != nil {
		return fmt.Errorf("group %s: %w", rows[0].Group, err)
	}
	return nil
}

// setZnode writes an offset's znode and makes it and its parents if they are missing.
func (o *offsetObserver) setZnode(ctx context.Context, row *migrateRow) error {
	p := o.z.full(znode.ConsumerOffsetPath(row.Group, znode.TopicPartition{Topic: row.Topic, Partition: row.Partition}))
	data := znode.EncodeConsumerOffset(*row.From)
	_, err := o.z.client.Set(ctx, p, data, znode.AnyVersion)
	if !errors.Is(err, zkutil.ErrNoNode) {
		return err
	}
	if err := o.z.client.EnsurePath(ctx, path.Dir(p)); err != nil {
		return err
	}
	if _, err = o.z.client.Create(ctx, p, data, zkutil.Persistent); errors.Is(err, zkutil.ErrNodeExists) {
		_, err = o.z.client.Set(ctx, p, data, znode.AnyVersion)
	}
	return err
}

func (a *app) printMoves(rows []migrateRow, m migration) error {
	if a.output == "json" {
		return a.json(rows)
	}
	cells := make([][]string, 0, len(rows))
	written := 0
	for _, row := range rows {
		cells = append(cells, []string{row.Group, row.Topic, strconv.Itoa(int(row.Partition)), numberOrDash(row.From), numberOrDash(row.To), row.Why})
		written += count(row.Done)
	}
	if len(rows) > 0 {
		if err := a.table([]string{"GROUP", "TOPIC", "PARTITION", "FROM-" + m.from, "TO-" + m.to, "WHAT"}, cells); err != nil {
			return err
		}
	}
	verb := "Wrote"
	if m.dryRun {
		verb = "Would write"
	}
	_, err := fmt.Fprintf(a.out, "%s %s to %s.\n", verb, plural(written, "offset"), m.to)
	return err
}
