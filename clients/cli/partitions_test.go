package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
)

func TestPartitionNames(t *testing.T) {
	for text, want := range map[string]partitionName{"orders-3": {"orders", 3}, "a-b-0": {"a-b", 0}, "-1-2": {"-1", 2}} {
		got, err := parsePartition(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, text, got.String())
	}
	for _, text := range []string{"", "orders", "orders-", "-3", "orders-+1", "orders-99999999999", "orders-x"} {
		_, err := parsePartition(text)
		require.ErrorIs(t, err, errUsage, text)
	}
}

// The files are those of kafka-reassign-partitions, to the byte.
func TestReassignmentFile(t *testing.T) {
	moves := []partitionMove{{Topic: "b", Partition: 1, Replicas: []int32{2, 3}}, {Topic: "b", Replicas: []int32{1}}, {Topic: "a<", Replicas: []int32{1}, LogDirs: []string{"/d"}}}
	text := reassignmentJSON(moves)
	require.Equal(t, `{"version":1,"partitions":[{"topic":"a<","partition":0,"replicas":[1],"log_dirs":["/d"]},{"topic":"b","partition":0,"replicas":[1],"log_dirs":["any"]},`+
		`{"topic":"b","partition":1,"replicas":[2,3],"log_dirs":["any","any"]}]}`, text)
	require.Equal(t, "b", moves[0].Topic, "the argument keeps its order")
	file := filepath.Join(t.TempDir(), "plan.json")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	write(text)
	back, err := readReassignment(file)
	require.NoError(t, err)
	require.Len(t, back, 3)
	require.Equal(t, []string{"any", "any"}, back[2].LogDirs)
	for name, wrong := range map[string]string{
		"version 2 instead of 1":       `{"version":2,"partitions":[]}`,
		"it has no partitions":         `{"version":1,"partitions":[]}`,
		"b-0 has no replicas":          `{"partitions":[{"topic":"b","partition":0,"replicas":[]}]}`,
		"b-0 is there twice":           `{"partitions":[{"topic":"b","partition":0,"replicas":[1]},{"topic":"b","partition":0,"replicas":[2]}]}`,
		"name a broker twice":          `{"partitions":[{"topic":"b","partition":0,"replicas":[1,1]}]}`,
		"2 log directories for 1 rep":  `{"partitions":[{"topic":"b","partition":0,"replicas":[1],"log_dirs":["any","any"]}]}`,
		"not a partition":              `{"partitions":[{"topic":"","partition":0,"replicas":[1]}]}`,
		"unexpected end of JSON":       `{`,
		"cannot unmarshal":             `{"partitions":{}}`,
		"name a broker twice or one t": `{"partitions":[{"topic":"b","partition":0,"replicas":[-1]}]}`,
	} {
		write(wrong)
		_, err := readReassignment(file)
		require.ErrorContains(t, err, name)
	}
	parsed, err := parseMoves([]string{"orders-3=1, 2,3"})
	require.NoError(t, err)
	require.Equal(t, []partitionMove{{Topic: "orders", Partition: 3, Replicas: []int32{1, 2, 3}}}, parsed)
	for _, arg := range []string{"orders-3", "orders=1", "orders-3=", "orders-3=1,1", "orders-3=x"} {
		_, err := parseMoves([]string{arg})
		require.ErrorIs(t, err, errUsage, arg)
	}
}

// A throttle limits the replicas that send as leaders and those that are new as followers, on every broker of both.
func TestThrottlePlan(t *testing.T) {
	current := map[partitionName]partitionRow{
		{"t", 0}:  {Replicas: []int32{1, 2}},
		{"t", 10}: {Replicas: []int32{2, 3, 1}, Adding: []int32{1}},
		{"u", 0}:  {Replicas: []int32{5}},
	}
	plan := planThrottle(current, []partitionMove{
		{Topic: "t", Partition: 0, Replicas: []int32{2, 3}}, {Topic: "t", Partition: 10, Replicas: []int32{1, 4}}, {Topic: "u", Replicas: []int32{5}},
	})
	require.Equal(t, []int32{1, 2, 3, 4, 5}, plan.brokers)
	require.Equal(t, map[string]string{"t": "0:1,0:2,10:2,10:3", "u": "0:5"}, plan.leaders)
	require.Equal(t, map[string]string{"t": "0:3,10:1,10:4"}, plan.followers)
	require.Equal(t, []string{"t", "u"}, plan.topics())
	require.Len(t, plan.topicChanges("u"), 1)
	require.Equal(t, []configChange{{leaderRate, new("7")}, {followerRate, new("7")}}, plan.brokerChanges(7))
}

func TestProposedMoves(t *testing.T) {
	brokers := []wire.MetadataResponseBroker{{NodeID: 1, Rack: new("a")}, {NodeID: 2, Rack: new("b")}, {NodeID: 3}}
	topics := []topicRow{{Topic: "t", Partitions: []partitionRow{{Partition: 0, Replicas: []int32{1, 9}}, {Partition: 1, Replicas: []int32{1, 9, 8}, Adding: []int32{8}}}}}
	moves, err := proposeMoves(topics, brokers, []int32{2, 1}, true)
	require.NoError(t, err)
	require.Len(t, moves, 2)
	leaders := map[int32]bool{}
	for _, m := range moves {
		require.ElementsMatch(t, []int32{1, 2}, m.Replicas, "what is being added doesn't count")
		leaders[m.Replicas[0]] = true
	}
	require.Len(t, leaders, 2, "leaders are spread")
	_, err = proposeMoves(topics, brokers, []int32{1, 3}, true)
	require.ErrorContains(t, err, "--disable-rack-aware")
	_, err = proposeMoves(topics, brokers, []int32{1, 3}, false)
	require.NoError(t, err)
	_, err = proposeMoves(topics, brokers, []int32{1, 4}, false)
	require.ErrorContains(t, err, "broker 4 isn't up")
	_, err = proposeMoves(topics, brokers, []int32{1}, true)
	require.ErrorContains(t, err, "larger than available brokers")
}

func TestMoveStates(t *testing.T) {
	m := partitionMove{Topic: "t", Partition: 3, Replicas: []int32{2, 3}}
	require.Equal(t, "Reassignment of partition t-3 is completed.", checkMove(m, partitionRow{Replicas: []int32{2, 3}}).line())
	require.Equal(t, "Reassignment of partition t-3 is still in progress.", checkMove(m, partitionRow{Replicas: []int32{2, 3}, Removing: []int32{3}}).line())
	require.Equal(t, "There is no active reassignment of partition t-3, but replica set is 3,2 rather than 2,3.", checkMove(m, partitionRow{Replicas: []int32{3, 2}}).line())

	current := map[partitionName]partitionRow{{"t", 3}: {Leader: 1, Replicas: []int32{1, 2, 3}, Adding: []int32{2, 3}}}
	sizes := map[int32]map[partitionName]int64{1: {{"t", 3}: 1000}, 2: {{"t", 3}: 500}}
	require.InDelta(t, 0.25, shareOf(sizes, current, []partitionMove{m}), 0.01)
	require.Zero(t, shareOf(nil, current, []partitionMove{m}), "nobody tells sizes")
	require.InDelta(t, 1, shareOf(sizes, map[partitionName]partitionRow{}, []partitionMove{m}), 0, "it isn't moving any more")
}

func TestProgressBar(t *testing.T) {
	require.Nil(t, (&app{err: &bytes.Buffer{}}).newProgress("x"), "only on a terminal")
	var none *progress
	none.show(0.5, "")
	none.done()
	var out bytes.Buffer
	p := &progress{out: &out, what: "moving", width: 40}
	p.show(0.5, "1 of 2")
	require.Equal(t, "\rmoving [========        ]  50 %  1 of 2", out.String())
	for _, share := range []float64{-1, 0, 0.333, 1, 7} {
		require.Less(t, len(p.line(share, strings.Repeat("note ", 3))), 40)
	}
	out.Reset()
	p.done()
	require.Equal(t, "\r"+strings.Repeat(" ", 39)+"\r", out.String())
}

func TestTopicFilter(t *testing.T) {
	live := map[int32]string{1: "", 2: ""}
	topic := topicRow{MinISR: 2}
	whole := partitionRow{Leader: 1, Replicas: []int32{1, 2, 3}, ISR: []int32{1, 2, 3}}
	atMin := partitionRow{Leader: 1, Replicas: []int32{1, 2, 3}, ISR: []int32{1, 2}}
	underMin := partitionRow{Leader: 1, Replicas: []int32{1, 2, 3}, ISR: []int32{1}}
	leaderless := partitionRow{Leader: -1, Replicas: []int32{1, 2, 3}, ISR: []int32{3, 2, 1}}
	deadLeader := partitionRow{Leader: 3, Replicas: []int32{1, 2, 3}, ISR: []int32{1, 2, 3}}
	growing := partitionRow{Leader: 1, Replicas: []int32{1, 2, 3}, Adding: []int32{3}, ISR: []int32{1, 2}}
	all := []partitionRow{whole, atMin, underMin, leaderless, deadLeader, growing}
	for _, c := range []struct {
		name   string
		filter topicFilter
		want   []partitionRow
	}{
		{"all", topicFilter{}, all},
		{"under-replicated", topicFilter{underReplicated: true}, []partitionRow{atMin, underMin}},
		{"unavailable", topicFilter{unavailable: true}, []partitionRow{leaderless, deadLeader}},
		{"under min ISR", topicFilter{underMinISR: true}, []partitionRow{underMin, leaderless}},
		{"at min ISR", topicFilter{atMinISR: true}, []partitionRow{atMin, growing}},
	} {
		got := slices.DeleteFunc(slices.Clone(all), func(p partitionRow) bool { return !c.filter.wants(topic, p, live) })
		require.Equal(t, c.want, got, c.name)
	}
}

func TestTopicLines(t *testing.T) {
	var out bytes.Buffer
	a := &app{out: &out}
	a.printTopics([]topicRow{{Topic: "t", ID: "ID", Configs: map[string]string{"b": "2", "a": "1"}, Partitions: []partitionRow{
		{Partition: 0, Leader: -1, Replicas: []int32{1, 2, 3}, ISR: []int32{2}, Adding: []int32{3}, Removing: []int32{1}, Offline: []int32{1, 2}},
	}}}, topicFilter{})
	require.Equal(t, "Topic: t\tTopicId: ID\tPartitionCount: 1\tReplicationFactor: 2\tConfigs: a=1,b=2\n"+
		"\tTopic: t\tPartition: 0\tLeader: none\tReplicas: 1,2,3\tIsr: 2\tAdding Replicas: 3\tRemoving Replicas: 1"+noElr+"\tOffline: 1,2\n", out.String())
}

func TestElections(t *testing.T) {
	file := filepath.Join(t.TempDir(), "partitions.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"partitions":[{"topic":"b","partition":1},{"topic":"a","partition":0}]}`), 0o600))
	names, err := electOptions{partition: -1, file: file}.names([]string{"b-1", "b-0"})
	require.NoError(t, err)
	require.Equal(t, []partitionName{{"a", 0}, {"b", 0}, {"b", 1}}, names)
	for _, o := range []electOptions{{partition: -1}, {partition: 3}, {topic: "t", partition: -1}, {topic: "t", partition: 0, all: true}} {
		_, err := o.names(nil)
		require.ErrorIs(t, err, errUsage)
	}
	resp := &wire.ElectLeadersResponse{ReplicaElectionResults: []wire.ElectLeadersResponseTopic{{Topic: "t", PartitionResult: []wire.ElectLeadersResponsePartition{
		{PartitionID: 1}, {PartitionID: 0}, {PartitionID: 2, ErrorCode: wire.ElectionNotNeeded}, {PartitionID: 3, ErrorCode: wire.PreferredLeaderNotAvailable, ErrorMessage: new("it is down")},
	}}}}
	var out bytes.Buffer
	a := &app{out: &out}
	require.EqualError(t, a.printElection("PREFERRED", resp), "1 replica could not be elected")
	require.Equal(t, "Successfully completed leader election (PREFERRED) for partitions t-0, t-1\nValid replica already elected for partitions t-2\n"+
		"Error completing leader election (PREFERRED) for partition: t-3: PREFERRED_LEADER_NOT_AVAILABLE: it is down\n", out.String())
	out.Reset()
	a.output = "json"
	require.Error(t, a.printElection("PREFERRED", resp))
	var rows []electionRow
	require.NoError(t, json.Unmarshal(out.Bytes(), &rows))
	require.Len(t, rows, 4)
	require.Equal(t, wire.NotController, electionCode(&wire.ElectLeadersResponse{ReplicaElectionResults: []wire.ElectLeadersResponseTopic{{PartitionResult: []wire.ElectLeadersResponsePartition{{ErrorCode: wire.NotController}}}}}))
}
