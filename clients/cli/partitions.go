package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) partitionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "partitions", Short: "Move replicas and elect leaders",
		Long: `Move replicas between brokers and elect leaders. Files are those of kafka-reassign-partitions and kafka-leader-election, in and out.`,
	}
	cmd.AddCommand(a.partitionsReassign(), a.partitionsCancel(), a.partitionsList(), a.partitionsElect())
	return cmd
}

// partitionName is a topic and a partition's number.
type partitionName struct {
	Topic     string
	Partition int32
}

// String is orders-3.
func (n partitionName) String() string { return n.Topic + "-" + strconv.Itoa(int(n.Partition)) }

func compareNamed(x, y partitionName) int {
	return cmp.Or(strings.Compare(x.Topic, y.Topic), cmp.Compare(x.Partition, y.Partition))
}

// parsePartition reads orders-3; a topic's name may have dashes too.
func parsePartition(text string) (partitionName, error) {
	i := strings.LastIndexByte(text, '-')
	if i > 0 {
		if n, err := strconv.ParseInt(text[i+1:], 10, 32); err == nil && n >= 0 && text[i+1] != '+' {
			return partitionName{text[:i], int32(n)}, nil
		}
	}
	return partitionName{}, fmt.Errorf("%w: %q isn't a partition such as orders-3", errUsage, text)
}

// parsePartitions reads several.
func parsePartitions(texts []string) ([]partitionName, error) {
	names := make([]partitionName, 0, len(texts))
	for _, text := range texts {
		name, err := parsePartition(text)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// joinPartitions lists names as Kafka's tools do.
func joinPartitions(names []partitionName, separator string) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = name.String()
	}
	return strings.Join(texts, separator)
}

// anyDir is the log directory that a broker chooses itself.
const anyDir = "any"

// partitionMove is one partition of a reassignment file.
type partitionMove struct {
	Topic     string   `json:"topic"`
	Partition int32    `json:"partition"`
	Replicas  []int32  `json:"replicas"`
	LogDirs   []string `json:"log_dirs,omitempty"`
}

func (m partitionMove) name() partitionName { return partitionName{m.Topic, m.Partition} }

// reassignmentFile is the file that kafka-reassign-partitions reads and writes.
type reassignmentFile struct {
	Version    int             `json:"version"`
	Partitions []partitionMove `json:"partitions"`
}

// reassignmentJSON writes moves as kafka-reassign-partitions does, on one line, in order, with a log directory for each replica.
func reassignmentJSON(moves []partitionMove) string {
	file := reassignmentFile{1, slices.Clone(moves)}
	slices.SortFunc(file.Partitions, func(x, y partitionMove) int { return compareNamed(x.name(), y.name()) })
	for i := range file.Partitions {
		p := &file.Partitions[i]
		if len(p.LogDirs) == 0 {
			p.LogDirs = slices.Repeat([]string{anyDir}, len(p.Replicas))
		}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(file); err != nil {
		return err.Error() // numbers and strings always can be encoded
	}
	return strings.TrimSpace(b.String())
}

// readJSONFile reads a file of one of Kafka's tools, whose version must be 1 when it says one.
func readJSONFile(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var version struct {
		Version *int `json:"version"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if version.Version != nil && *version.Version != 1 {
		return fmt.Errorf("%s: version %d instead of 1", path, *version.Version)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// readReassignment reads and checks a reassignment file.
func readReassignment(path string) ([]partitionMove, error) {
	var file reassignmentFile
	if err := readJSONFile(path, &file); err != nil {
		return nil, err
	}
	if err := checkMoves(file.Partitions); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file.Partitions, nil
}

// checkMoves refuses what kafka-reassign-partitions refuses before it asks a broker.
func checkMoves(moves []partitionMove) error {
	if len(moves) == 0 {
		return errors.New("it has no partitions")
	}
	seen := map[partitionName]bool{}
	for _, m := range moves {
		name := m.name()
		switch {
		case m.Topic == "" || m.Partition < 0:
			return fmt.Errorf("topic %q, partition %d: not a partition", m.Topic, m.Partition)
		case len(m.Replicas) == 0:
			return fmt.Errorf("%s has no replicas", name)
		case seen[name]:
			return fmt.Errorf("%s is there twice", name)
		case len(m.LogDirs) > 0 && len(m.LogDirs) != len(m.Replicas):
			return fmt.Errorf("%s: %d log directories for %d replicas", name, len(m.LogDirs), len(m.Replicas))
		}
		seen[name] = true
		brokers := map[int32]bool{}
		for _, id := range m.Replicas {
			if id < 0 || brokers[id] {
				return fmt.Errorf("%s: replicas %s name a broker twice or one that can't be", name, ids(m.Replicas))
			}
			brokers[id] = true
		}
	}
	return nil
}

// parseMoves reads moves written as orders-3=1,2,3.
func parseMoves(args []string) ([]partitionMove, error) {
	moves := make([]partitionMove, 0, len(args))
	for _, arg := range args {
		left, right, ok := strings.Cut(arg, "=")
		name, err := parsePartition(left)
		if err != nil || !ok {
			return nil, fmt.Errorf("%w: %q isn't a partition and its brokers, such as orders-3=1,2,3", errUsage, arg)
		}
		replicas, err := parseIDs(right)
		if err != nil {
			return nil, err
		}
		moves = append(moves, partitionMove{Topic: name.Topic, Partition: name.Partition, Replicas: replicas})
	}
	if err := checkMoves(moves); err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	return moves, nil
}

// parseIDs reads broker ids separated by commas.
func parseIDs(text string) ([]int32, error) {
	var list []int32
	for _, one := range strings.Split(text, ",") {
		id, err := strconv.ParseInt(strings.TrimSpace(one), 10, 32)
		if err != nil || id < 0 {
			return nil, fmt.Errorf("%w: %q is not a broker id", errUsage, one)
		}
		if slices.Contains(list, int32(id)) {
			return nil, fmt.Errorf("%w: broker %d is named twice", errUsage, id)
		}
		list = append(list, int32(id))
	}
	return list, nil
}
