package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
)

func TestISODurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"P1D": 24 * time.Hour, "PT1H": time.Hour, "P2DT3H4M5S": 51*time.Hour + 4*time.Minute + 5*time.Second, "pt0.5s": 500 * time.Millisecond, "-PT10M": -10 * time.Minute,
		"PT90M": 90 * time.Minute, "P0D": 0, "PT1.000000001S": time.Second + 1,
	} {
		got, err := parseISODuration(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "P", "PT", "P1DT", "1H", "P1H", "PT1D", "P1Y", "PT1H ", "PT-1H", "P99999999999999999999D", "P999999D", "PT1.5H"} {
		_, err := parseISODuration(text)
		require.ErrorIs(t, err, errUsage, text)
	}
}

func TestDatetimes(t *testing.T) {
	want := time.Date(2026, 1, 31, 15, 4, 5, 6e6, time.UTC)
	for _, text := range []string{"2026-01-31T15:04:05.006", "2026-01-31T15:04:05.006Z", "2026-01-31T16:04:05.006+01:00", "2026-01-31T16:04:05.006+0100"} {
		got, err := parseDatetime(text)
		require.NoError(t, err, text)
		require.True(t, want.Equal(got), text)
	}
	for _, text := range []string{"", "yesterday", "2026-01-31 15:04", "2026-13-31T15:04:05.000"} {
		_, err := parseDatetime(text)
		require.ErrorIs(t, err, errUsage, text)
	}
}

// Every way to move an offset, within what the partition has and beyond.
func TestNewOffsets(t *testing.T) {
	n := partitionName{"t", 3}
	at := func(committed int64, byTime, wanted int64) positions {
		p := positions{start: 10, end: 100, byTime: byTime, wanted: wanted}
		if committed >= 0 {
			p.committed = &committed
		}
		return p
	}
	const low, high = "lower than earliest offset for topic partition t-3. Value will be set to 10", "higher than latest offset for topic partition t-3. Value will be set to 100"
	for _, c := range []struct {
		name    string
		s       resetScenario
		p       positions
		want    int64
		warning string
	}{
		{"earliest", resetScenario{kind: toEarliest}, at(50, 0, 0), 10, ""},
		{"latest", resetScenario{kind: toLatest}, at(50, 0, 0), 100, ""},
		{"current", resetScenario{kind: toCurrent}, at(50, 0, 0), 50, ""},
		{"current, nothing committed", resetScenario{kind: toCurrent}, at(-1, 0, 0), 100, ""},
		{"current, deleted meanwhile", resetScenario{kind: toCurrent}, at(5, 0, 0), 10, low},
		{"offset", resetScenario{kind: toOffset, offset: 42}, at(-1, 0, 0), 42, ""},
		{"offset, too low", resetScenario{kind: toOffset, offset: 9}, at(-1, 0, 0), 10, low},
		{"offset, too high", resetScenario{kind: toOffset, offset: 101}, at(-1, 0, 0), 100, high},
		{"offset, just the end", resetScenario{kind: toOffset, offset: 100}, at(-1, 0, 0), 100, ""},
		{"shift", resetScenario{kind: shiftBy, shift: -7}, at(50, 0, 0), 43, ""},
		{"shift beyond the start", resetScenario{kind: shiftBy, shift: -70}, at(50, 0, 0), 10, low},
		{"shift beyond the end", resetScenario{kind: shiftBy, shift: 70}, at(50, 0, 0), 100, high},
		{"time", resetScenario{kind: toDatetime}, at(50, 77, 0), 77, ""},
		{"time after the last record", resetScenario{kind: toDatetime}, at(50, -1, 0), 100, "Warn: Partition 3 from topic t is empty. Falling back to latest known offset."},
		{"file", resetScenario{kind: fromFile}, at(50, 0, 60), 60, ""},
		{"file, too high", resetScenario{kind: fromFile}, at(50, 0, 600), 100, high},
	} {
		got, warning, err := c.s.newOffset(n, c.p)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, got, c.name)
		require.True(t, strings.HasSuffix(warning, c.warning) && (warning == "") == (c.warning == ""), "%s: %s", c.name, warning)
	}
	_, _, err := resetScenario{kind: shiftBy, shift: 1}.newOffset(n, at(-1, 0, 0))
	require.EqualError(t, err, "cannot shift offset for partition t-3 since there is no current committed offset")
}

func TestResetCommandLine(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	s, err := resetOptions{duration: "PT1H", allTopics: true}.scenario(now)
	require.NoError(t, err)
	require.Equal(t, now.Add(-time.Hour), s.at)
	s, err = resetOptions{by: "-100", topics: []string{"t"}}.scenario(now)
	require.NoError(t, err)
	require.Equal(t, resetScenario{kind: shiftBy, shift: -100}, s)
	for name, o := range map[string]resetOptions{
		"say where to":        {allTopics: true},
		"one of --to-earl":    {allTopics: true, earliest: true, latest: true},
		"say which offsets":   {earliest: true},
		"--topic or --all":    {earliest: true, allTopics: true, topics: []string{"t"}},
		"--from-file says":    {file: "f", allTopics: true},
		"--dry-run or --exec": {earliest: true, allTopics: true, dryRun: true, execute: true},
		"is not a number":     {offset: "x", allTopics: true},
		"a time is written":   {datetime: "x", allTopics: true},
	} {
		_, err := o.scenario(now)
		require.ErrorIs(t, err, errUsage, name)
		require.ErrorContains(t, err, name)
	}
	scopes, err := parseTopicScopes([]string{"a", "b:0,2"})
	require.NoError(t, err)
	require.Equal(t, []topicScope{{topic: "a"}, {topic: "b", partitions: []int32{0, 2}}}, scopes)
	for _, text := range []string{"", ":0", "a:", "a:x", "a:0,0"} {
		_, err := parseTopicScopes([]string{text})
		require.ErrorIs(t, err, errUsage, text)
	}
}

// What --export writes, --from-file reads: with the group only when there are several.
func TestResetFiles(t *testing.T) {
	rows := []resetRow{{Group: "g", Topic: "t", Partition: 0, New: 5}, {Group: "g", Topic: "u", Partition: 1, New: 7}}
	var out bytes.Buffer
	require.NoError(t, exportCSV(&out, rows, false))
	require.Equal(t, "t,0,5\nu,1,7\n", out.String())
	want := map[partitionName]int64{{"t", 0}: 5, {"u", 1}: 7}
	back, err := parseResetCSV(&out, []string{"g"})
	require.NoError(t, err)
	require.Equal(t, map[string]map[partitionName]int64{"g": want}, back)
	rows = append(rows, resetRow{Group: "a,b", Topic: "t", New: 1})
	require.NoError(t, exportCSV(&out, rows, true))
	require.Equal(t, "g,t,0,5\ng,u,1,7\n\"a,b\",t,0,1\n", out.String())
	text := out.String()
	back, err = parseResetCSV(strings.NewReader(text), []string{"g", "a,b"})
	require.NoError(t, err)
	require.Equal(t, map[string]map[partitionName]int64{"g": want, "a,b": {{"t", 0}: 1}}, back)
	back, err = parseResetCSV(strings.NewReader(text), []string{"g"})
	require.NoError(t, err)
	require.Len(t, back, 1, "only of the groups that were named")
	for name, text := range map[string]string{
		"line 2: not group,topic": "t,0,5\nx\n", "isn't topic": "t,x,5\n", "line 1: \"t,0,-5\"": "t,0,-5\n", "no offsets of the groups": "other,t,0,5\n", "bare \"": "t,0,\"5\n",
	} {
		_, err := parseResetCSV(strings.NewReader(text), []string{"g"})
		if name == "bare \"" {
			require.Error(t, err)
			continue
		}
		require.ErrorContains(t, err, name)
	}
	_, err = parseResetCSV(strings.NewReader("t,0,5\n"), []string{"g", "h"})
	require.ErrorContains(t, err, "not group,topic,partition,offset")
}

// Lag is what is between the commit and the end; what isn't known is a dash.
func TestLagRows(t *testing.T) {
	m := groupMember{Consumer: "c-1", Host: "/10.0.0.1", Client: "app"}
	rows := joinLag(
		map[partitionName]bool{{"t", 0}: true, {"t", 1}: true, {"t", 10}: true, {"gone", 0}: true},
		map[partitionName]int64{{"t", 0}: 40, {"t", 10}: 7, {"gone", 0}: 3},
		map[partitionName]groupMember{{"t", 0}: m, {"t", 1}: m},
		map[partitionName]foundOffset{{"t", 0}: {offset: 100}, {"t", 1}: {offset: 5}, {"t", 10}: {offset: 7}, {"gone", 0}: {err: wire.UnknownTopicOrPartition}},
	)
	var out bytes.Buffer
	a := &app{out: &out}
	a.printGroupOffsets(groupRow{Group: "a-group-with-a-long-name", Offsets: rows})
	require.Equal(t, `
GROUP                    TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID
a-group-with-a-long-name gone            0          3               -               -               -               -               -
a-group-with-a-long-name t               0          40              100             60              c-1             /10.0.0.1       app
a-group-with-a-long-name t               1          -               5               -               c-1             /10.0.0.1       app
a-group-with-a-long-name t               10         7               7               0               -               -               -
`, out.String())
}

func TestGroupViews(t *testing.T) {
	assignment := []byte{0, 0, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff} // t: 1, 0; no user data
	members := parseMembers([]wire.DescribeGroupsResponseMember{
		{MemberID: "m-2", ClientID: "app", ClientHost: "/10.0.0.2", MemberAssignment: []byte{1, 2}},
		{MemberID: "m-1", GroupInstanceID: new("static"), ClientID: "app", ClientHost: "/10.0.0.1", MemberAssignment: assignment},
	})
	require.Equal(t, []int32{0, 1}, members[0].Assignment["t"])
	require.Zero(t, members[1].Partitions, "bytes that are no assignment")
	row := groupRow{Group: "g", State: "Stable", Strategy: "range", Coordinator: "h:9092  (1)", MemberCount: 2, Members: members}
	var out, errOut bytes.Buffer
	a := &app{out: &out, err: &errOut}
	a.printMembers(row, true)
	a.printGroupStates([]groupRow{row})
	require.Equal(t, `
GROUP           CONSUMER-ID     GROUP-INSTANCE-ID HOST            CLIENT-ID       #PARTITIONS     ASSIGNMENT
g               m-1             static            /10.0.0.1       app             2               t(0,1)
g               m-2             -                 /10.0.0.2       app             0               -

GROUP                     COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE           #MEMBERS
g                         h:9092  (1)               range                Stable          2
`, out.String())
	a.noteState(row)
	require.Empty(t, errOut.String())
	for state, note := range map[string]string{"Empty": "has no active members", "PreparingRebalance": "is rebalancing"} {
		a.noteState(groupRow{Group: "g", State: state})
		require.Contains(t, errOut.String(), note)
	}
	out.Reset()
	require.NoError(t, a.printDeletions([]groupDeletion{{Group: "a"}, {Group: "b"}}))
	require.Equal(t, "Deletion of requested consumer groups ('a', 'b') was successful.\n", out.String())
	out.Reset()
	require.EqualError(t, a.printDeletions([]groupDeletion{{Group: "a"}, {Group: "b", Error: "NON_EMPTY_GROUP"}}), "1 group could not be deleted")
	require.Equal(t, "* Group 'b' could not be deleted due to: NON_EMPTY_GROUP\n\nThese consumer groups were deleted successfully: 'a'\n", out.String())
	_, err := wantedWords("stable,odd", "Stable", "Empty")
	require.ErrorIs(t, err, errUsage)
	words, err := wantedWords("stable, empty", "Stable", "Empty")
	require.NoError(t, err)
	require.Equal(t, []string{"Stable", "Empty"}, words)
}
