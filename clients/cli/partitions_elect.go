package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/broker/wire"
)

// Kafka's codes of elections.
const (
	electPreferred int8 = 0
	electUnclean   int8 = 1
)

// electOptions is the command line of partitions elect.
type electOptions struct {
	kind, topic, file string
	partition         int32
	all               bool
}

func (a *app) partitionsElect() *cobra.Command {
	var o electOptions
	cmd := &cobra.Command{
		Use: "elect [PARTITION...]", Short: "Elect leaders: the preferred replica, or where none is in sync any live one", Args: cobra.ArbitraryArgs,
		Long: `Make the preferred replica, the first of a partition's list, leader again; or with --election-type unclean give a partition without a leader one that wasn't in
sync, which loses what only the others had.`,
		Example: "  prekraft partitions elect orders-0 orders-1\n  prekraft partitions elect --all-topic-partitions\n  prekraft partitions elect orders-3 --election-type unclean",
		RunE:    func(cmd *cobra.Command, args []string) error { return a.elect(cmd.Context(), o, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.kind, "election-type", "preferred", "`TYPE`: preferred or unclean")
	flags.StringVar(&o.topic, "topic", "", "with --partition: one partition of this `topic`")
	flags.Int32Var(&o.partition, "partition", -1, "with --topic: its `number`")
	flags.BoolVar(&o.all, "all-topic-partitions", false, "all partitions that there are")
	flags.StringVar(&o.file, "path-to-json-file", "", "the partitions, in a `file` {\"partitions\":[{\"topic\":\"orders\",\"partition\":0}]}")
	return cmd
}

func (o electOptions) names(args []string) ([]partitionName, error) {
	names, err := parsePartitions(args)
	if err != nil {
		return nil, err
	}
	if (o.topic != "") != (o.partition >= 0) {
		return nil, fmt.Errorf("%w: --topic and --partition belong together", errUsage)
	}
	if o.topic != "" {
		names = append(names, partitionName{o.topic, o.partition})
	}
	if o.file != "" {
		var file struct {
			Partitions []struct {
				Topic     string `json:"topic"`
				Partition int32  `json:"partition"`
			} `json:"partitions"`
		}
		if err := readJSONFile(o.file, &file); err != nil {
			return nil, err
		}
		for _, p := range file.Partitions {
			names = append(names, partitionName(p))
		}
	}
	if (len(names) > 0) == o.all {
		return nil, fmt.Errorf("%w: name partitions, or give --path-to-json-file or --all-topic-partitions", errUsage)
	}
	slices.SortFunc(names, compareNamed)
	return slices.Compact(names), nil
}

// electionRow is the outcome for one partition in JSON.
type electionRow struct {
	Partition string `json:"partition"`
	Elected   bool   `json:"elected"`
	Error     string `json:"error,omitempty"`
}

func (a *app) elect(ctx context.Context, o electOptions, args []string) error {
	names, err := o.names(args)
	if err != nil {
		return err
	}
	req := wire.New[wire.ElectLeadersRequest]()
	switch strings.ToLower(o.kind) {
	case "preferred":
		req.ElectionType = electPreferred
	case "unclean":
		req.ElectionType = electUnclean
	default:
		return fmt.Errorf("%w: --election-type is preferred or unclean, not %q", errUsage, o.kind)
	}
	for _, n := range names {
		last := len(req.TopicPartitions) - 1
		if last < 0 || req.TopicPartitions[last].Topic != n.Topic {
			req.TopicPartitions = append(req.TopicPartitions, wire.ElectLeadersRequestTopic{Topic: n.Topic})
			last++
		}
		req.TopicPartitions[last].Partitions = append(req.TopicPartitions[last].Partitions, n.Partition)
	}
	if o.all {
		req.TopicPartitions = nil // null: all of them
	}
	c, err := a.caller(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	resp, err := askController(ctx, c, &req, func(r *wire.ElectLeadersResponse) wire.Error { return electionCode(r) })
	if err != nil {
		return err
	}
	return a.printElection(strings.ToUpper(o.kind), resp)
}

// electionCode is the error of a whole answer: a broker that isn't the controller says so for every partition.
func electionCode(r *wire.ElectLeadersResponse) wire.Error {
	if r.ErrorCode != wire.None {
		return r.ErrorCode
	}
	for _, t := range r.ReplicaElectionResults {
		for _, p := range t.PartitionResult {
			if p.ErrorCode == wire.NotController {
				return wire.NotController
			}
		}
	}
	return wire.None
}

func (a *app) printElection(kind string, resp *wire.ElectLeadersResponse) error {
	if resp.ErrorCode != wire.None {
		return resp.ErrorCode
	}
	var elected, valid []partitionName
	failed := map[partitionName]error{}
	rows := []electionRow{}
	for _, t := range resp.ReplicaElectionResults {
		for _, p := range t.PartitionResult {
			n := partitionName{t.Topic, p.PartitionID}
			row := electionRow{Partition: n.String(), Elected: p.ErrorCode == wire.None}
			switch p.ErrorCode {
			case wire.None:
				elected = append(elected, n)
			case wire.ElectionNotNeeded:
				valid = append(valid, n)
			default:
				failed[n] = responseError(p.ErrorCode, p.ErrorMessage)
				row.Error = failed[n].Error()
			}
			rows = append(rows, row)
		}
	}
	if a.output == "json" {
		if err := a.json(rows); err != nil {
			return err
		}
	} else {
		for _, list := range [][]partitionName{elected, valid} {
			slices.SortFunc(list, compareNamed)
		}
		if len(rows) == 0 {
			fmt.Fprintln(a.out, "No partition needed an election.")
		}
		if len(elected) > 0 {
			fmt.Fprintf(a.out, "Successfully completed leader election (%s) for partitions %s\n", kind, joinPartitions(elected, ", "))
		}
		if len(valid) > 0 {
			fmt.Fprintf(a.out, "Valid replica already elected for partitions %s\n", joinPartitions(valid, ", "))
		}
		for _, n := range slices.SortedFunc(maps.Keys(failed), compareNamed) {
			fmt.Fprintf(a.out, "Error completing leader election (%s) for partition: %s: %v\n", kind, n, failed[n])
		}
	}
	if len(failed) > 0 {
		return errors.New(plural(len(failed), "replica") + " could not be elected")
	}
	return nil
}
