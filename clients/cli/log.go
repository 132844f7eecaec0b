package cli

import (
	"bufio"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
	"github.com/spf13/cobra"
)

func (a *app) logCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "log", Short: "Look into log files and log directories"}
	cmd.AddCommand(a.logDump(), a.logDirs())
	return cmd
}

func (a *app) logDump() *cobra.Command {
	var o dumpOptions
	var files []string
	cmd := &cobra.Command{
		Use: "dump FILE|DIRECTORY...", Short: "Show what is in log files, without a broker",
		Long: `Show what is in the files of a log, without a broker: .log, .index, .timeindex, .txnindex, .snapshot, the checkpoints, partition.metadata and
meta.properties, or all files of a replica's directory or of a whole log directory. The lines are those of kafka-dump-log, -o json writes
one object per line. What is wrong goes to standard error with the byte where it begins, and makes the exit status 1.`,
		Example: `  prekraft log dump data/orders-0/00000000000000000000.log --print-data-log
  prekraft log dump data/orders-0
  prekraft log dump data -o json | jq 'select(.type == "batch" and .isValid == false)'`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			paths := append(args, files...)
			if len(paths) == 0 {
				return fmt.Errorf("%w: name at least one file or directory", errUsage)
			}
			o.JSON = a.output == "json"
			out := bufio.NewWriterSize(a.out, 1<<16)
			problems, notes, err := dumpFiles(out, paths, o)
			if flushErr := out.Flush(); err == nil {
				err = flushErr
			}
			for _, note := range notes {
				fmt.Fprintln(a.err, note)
			}
			for _, problem := range problems {
				fmt.Fprintln(a.err, problem)
			}
			if err == nil && len(problems) > 0 {
				err = fmt.Errorf("%s found in the files; a broker that isn't running repairs what it can at its next start", plural(len(problems), "problem"))
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&files, "files", nil, "`files` separated by commas, the way kafka-dump-log takes them")
	flags.BoolVar(&o.Payload, "print-data-log", false, "show records with key and value")
	flags.BoolVar(&o.Deep, "deep-iteration", false, "show records, not only batches")
	flags.BoolVar(&o.Deep, "deep", false, "the same as --deep-iteration")
	flags.BoolVar(&o.SkipMetadata, "skip-record-metadata", false, "with --print-data-log: only key and value of a record")
	flags.BoolVar(&o.VerifyIndexOnly, "verify-index-only", false, "check indexes against their log and don't print their entries")
	flags.BoolVar(&o.IndexSanityCheck, "index-sanity-check", false, "only check that indexes are well formed")
	flags.Int64Var(&o.MaxBytes, "max-bytes", 0, "stop reading a .log behind so many bytes (default: read all)")
	return cmd
}

// plural counts things: 1 problem, 2 problems.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// logDirRow is a replica in a log directory, or with an empty partition the directory itself.
type logDirRow struct {
	Broker     int32           `json:"broker"`
	LogDir     string          `json:"logDir"`
	Error      *string         `json:"error"`
	Total      int64           `json:"totalBytes"`  // -1: not known
	Usable     int64           `json:"usableBytes"` // -1: not known
	Partitions []logReplicaRow `json:"partitions"`
}

type logReplicaRow struct {
	Partition string `json:"partition"`
	Size      int64  `json:"size"`
	OffsetLag int64  `json:"offsetLag"`
	Future    bool   `json:"isFuture"`
}

func (a *app) logDirs() *cobra.Command {
	var brokers []int32
	var topics []string
	cmd := &cobra.Command{
		Use: "dirs", Short: "Show which replicas each broker keeps in which directory, and their sizes", Args: cobra.NoArgs,
		Example: `  prekraft log dirs
  prekraft log dirs --brokers 1 --topics orders -o json`,
		RunE: func(*cobra.Command, []string) error {
			admin, client, err := a.admin()
			if err != nil {
				return err
			}
			defer admin.Close()
			known := brokerIDs(client)
			if len(brokers) == 0 {
				brokers = known
			}
			for _, id := range brokers {
				if !slices.Contains(known, id) {
					return fmt.Errorf("broker %d isn't up; brokers that are: %s", id, ids(known))
				}
			}
			rows := []logDirRow{}
			for _, id := range brokers { // sarama leaves out the brokers that fail when it asks several
				found, err := admin.DescribeLogDirs([]int32{id})
				if err != nil {
					return fmt.Errorf("broker %d: %w", id, err)
				}
				for _, dir := range found[id] {
					rows = append(rows, logDir(id, dir, topics))
				}
			}
			if a.output == "json" {
				return a.json(map[string]any{"version": 1, "brokers": byBroker(rows)})
			}
			return a.printLogDirs(rows)
		},
	}
	flags := cmd.Flags()
	flags.Int32SliceVar(&brokers, "brokers", nil, "only these brokers, by `ID` (default: all)")
	flags.StringSliceVar(&topics, "topics", nil, "only these `topics` (default: all)")
	return cmd
}

func brokerIDs(client sarama.Client) []int32 {
	var found []int32
	for _, b := range client.Brokers() {
		found = append(found, b.ID())
	}
	slices.Sort(found)
	return found
}

func logDir(broker int32, dir sarama.DescribeLogDirsResponseDirMetadata, topics []string) logDirRow {
	row := logDirRow{Broker: broker, LogDir: dir.Path, Total: dir.TotalBytes, Usable: dir.UsableBytes, Partitions: []logReplicaRow{}}
	if dir.ErrorCode != sarama.ErrNoError {
		row.Error = new(dir.ErrorCode.Error())
	}
	for _, t := range dir.Topics {
		if len(topics) > 0 && !slices.Contains(topics, t.Topic) {
			continue
		}
		for _, p := range t.Partitions {
			row.Partitions = append(row.Partitions, logReplicaRow{fmt.Sprintf("%s-%d", t.Topic, p.PartitionID), p.Size, p.OffsetLag, p.IsTemporary})
		}
	}
	slices.SortFunc(row.Partitions, func(x, y logReplicaRow) int { return comparePartitions(x.Partition, y.Partition) })
	return row
}

// comparePartitions orders topic-partition names by topic and then by number.
func comparePartitions(x, y string) int {
	i, j := strings.LastIndexByte(x, '-'), strings.LastIndexByte(y, '-')
	if c := strings.Compare(x[:i], y[:j]); c != 0 {
		return c
	}
	n, _ := strconv.Atoi(x[i+1:])
	m, _ := strconv.Atoi(y[j+1:])
	return n - m
}

// byBroker gives the rows the shape of kafka-log-dirs.
func byBroker(rows []logDirRow) []map[string]any {
	list := []map[string]any{}
	for i := 0; i < len(rows); {
		j := i
		for j < len(rows) && rows[j].Broker == rows[i].Broker {
			j++
		}
		list = append(list, map[string]any{"broker": rows[i].Broker, "logDirs": rows[i:j]})
		i = j
	}
	return list
}

func (a *app) printLogDirs(rows []logDirRow) error {
	var cells [][]string
	for _, dir := range rows {
		broker := strconv.Itoa(int(dir.Broker))
		if dir.Error != nil {
			cells = append(cells, []string{broker, dir.LogDir, "offline: " + *dir.Error, "", ""})
		}
		for _, p := range dir.Partitions {
			name := p.Partition
			if p.Future {
				name += " (future)"
			}
			cells = append(cells, []string{broker, dir.LogDir, name, strconv.FormatInt(p.Size, 10), strconv.FormatInt(p.OffsetLag, 10)})
		}
		if dir.Error == nil && len(dir.Partitions) == 0 {
			cells = append(cells, []string{broker, dir.LogDir, "-", "0", "0"})
		}
	}
	return a.table([]string{"BROKER", "LOG DIR", "PARTITION", "SIZE", "OFFSET LAG"}, cells)
}
