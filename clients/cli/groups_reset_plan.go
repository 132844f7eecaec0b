package cli

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// resetScenario says where offsets are to go.
type resetScenario struct {
	kind   resetKind
	offset int64 // of toOffset
	shift  int64 // of shiftBy
	at     time.Time
	file   map[string]map[partitionName]int64 // of fromFile, by group
}

// resetKind is the option that was given.
type resetKind int

const (
	toEarliest resetKind = iota
	toLatest
	toCurrent
	toOffset
	shiftBy
	toDatetime
	fromFile
)

// positions are what a partition's new offset is computed from.
type positions struct {
	start, end int64
	committed  *int64
	byTime     int64 // of toDatetime: -1 when no record is that young
	wanted     int64 // of fromFile
}

// newOffset computes where a partition's offset goes. The warning says what was asked for and can't be.
func (s resetScenario) newOffset(n partitionName, p positions) (offset int64, warning string, err error) {
	switch s.kind {
	case toEarliest:
		return p.start, "", nil
	case toLatest:
		return p.end, "", nil
	case toCurrent:
		if p.committed == nil {
			return p.end, "", nil
		}
		offset = *p.committed
	case toOffset:
		offset = s.offset
	case shiftBy:
		if p.committed == nil {
			return 0, "", fmt.Errorf("cannot shift offset for partition %s since there is no current committed offset", n)
		}
		offset = *p.committed + s.shift
	case toDatetime:
		if p.byTime < 0 {
			return p.end, fmt.Sprintf("Warn: Partition %d from topic %s is empty. Falling back to latest known offset.", n.Partition, n.Topic), nil
		}
		offset = p.byTime
	case fromFile:
		offset = p.wanted
	}
	switch {
	case offset < p.start:
		return p.start, fmt.Sprintf("New offset (%d) is lower than earliest offset for topic partition %s. Value will be set to %d", offset, n, p.start), nil
	case offset > p.end:
		return p.end, fmt.Sprintf("New offset (%d) is higher than latest offset for topic partition %s. Value will be set to %d", offset, n, p.end), nil
	}
	return offset, "", nil
}

// topicScope is one --topic: a topic, or some of its partitions.
type topicScope struct {
	topic      string
	partitions []int32 // empty: all
}

// parseTopicScopes reads --topic orders or orders:0,1.
func parseTopicScopes(texts []string) ([]topicScope, error) {
	var scopes []topicScope
	for _, text := range texts {
		topic, list, some := strings.Cut(text, ":")
		scope := topicScope{topic: topic}
		if topic == "" {
			return nil, fmt.Errorf("%w: --topic is a topic or some of its partitions, orders:0,1, not %q", errUsage, text)
		}
		if some {
			var err error
			if scope.partitions, err = parseIDs(list); err != nil {
				return nil, fmt.Errorf("%w: --topic %s: partitions are numbers separated by commas", errUsage, text)
			}
		}
		scopes = append(scopes, scope)
	}
	return scopes, nil
}

// isoDuration is what java.time reads as a Duration, without fractions of days.
var isoDuration = regexp.MustCompile(`^([+-]?)[Pp](?:(\d+)[Dd])?(?:[Tt](?:(\d+)[Hh])?(?:(\d+)[Mm])?(?:(\d+)(?:\.(\d{1,9}))?[Ss])?)?$`)

// parseISODuration reads P7DT1H30M15.5S.
func parseISODuration(text string) (time.Duration, error) {
	bad := fmt.Errorf("%w: a duration is written P7DT1H30M15S, not %q", errUsage, text)
	m := isoDuration.FindStringSubmatch(text)
	if m == nil || m[2]+m[3]+m[4]+m[5] == "" || strings.HasSuffix(strings.ToUpper(text), "T") {
		return 0, bad
	}
	total := time.Duration(0)
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if m[i+2] == "" {
			continue
		}
		n, err := strconv.ParseInt(m[i+2], 10, 64)
		if err != nil || n > int64(maxDuration/unit) {
			return 0, bad
		}
		total += time.Duration(n) * unit
		if total < 0 || total > maxDuration {
			return 0, bad
		}
	}
	if m[6] != "" {
		nanos, _ := strconv.Atoi((m[6] + "000000000")[:9]) // digits only
		total += time.Duration(nanos)
	}
	if m[1] == "-" {
		total = -total
	}
	return total, nil
}

// maxDuration is the longest time that offsets are set back by.
const maxDuration = 200 * 365 * 24 * time.Hour

// parseDatetime reads a time as kafka-consumer-groups does: without a zone it is UTC.
func parseDatetime(text string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: a time is written 2026-01-31T15:04:05.000, with Z or +01:00 behind it when it isn't UTC, not %q", errUsage, text)
}

// resetRow is one partition of a plan.
type resetRow struct {
	Group     string `json:"group"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed *int64 `json:"current_offset"`
	New       int64  `json:"new_offset"`
	Warning   string `json:"warning,omitempty"`
}

// exportCSV writes a plan in the form that --from-file reads: the group only when there are several.
func exportCSV(w io.Writer, rows []resetRow, severalGroups bool) error {
	out := csv.NewWriter(w)
	for _, r := range rows {
		record := []string{r.Topic, strconv.Itoa(int(r.Partition)), strconv.FormatInt(r.New, 10)}
		if severalGroups {
			record = append([]string{r.Group}, record...)
		}
		if err := out.Write(record); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// readResetFile reads topic,partition,offset for one group, or group,topic,partition,offset.
func readResetFile(path string, groups []string) (map[string]map[partitionName]int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	offsets, err := parseResetCSV(file, groups)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return offsets, nil
}

func parseResetCSV(r io.Reader, groups []string) (map[string]map[partitionName]int64, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = -1
	in.TrimLeadingSpace = true
	offsets := map[string]map[partitionName]int64{}
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		line, _ := in.FieldPos(0)
		group := ""
		switch {
		case len(record) == 4:
			group, record = record[0], record[1:]
		case len(record) == 3 && len(groups) == 1:
			group = groups[0]
		default:
			return nil, fmt.Errorf("line %d: not group,topic,partition,offset (the group may be left out when there is only one)", line)
		}
		partition, err1 := strconv.ParseInt(strings.TrimSpace(record[1]), 10, 32)
		offset, err2 := strconv.ParseInt(strings.TrimSpace(record[2]), 10, 64)
		if err1 != nil || err2 != nil || partition < 0 || offset < 0 || record[0] == "" {
			return nil, fmt.Errorf("line %d: %q isn't topic,partition,offset", line, strings.Join(record, ","))
		}
		if !slices.Contains(groups, group) {
			continue // of another group than those that were named
		}
		if offsets[group] == nil {
			offsets[group] = map[partitionName]int64{}
		}
		offsets[group][partitionName{record[0], int32(partition)}] = offset
	}
	if len(offsets) == 0 {
		return nil, errors.New("no offsets of the groups that were named")
	}
	return offsets, nil
}
