package controller

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/prekraft/prekraft/broker/wire"
)

func brokersOf(ids ...int32) []BrokerMetadata {
	var out []BrokerMetadata
	for _, id := range ids {
		out = append(out, BrokerMetadata{ID: id})
	}
	return out
}

// The example of controller.md 8.3 and of Kafka's own test.
func TestAssignWithoutRacks(t *testing.T) {
	draws := []int{1, 2}
	got, err := AssignReplicas(Placement{
		Brokers: brokersOf(0, 1, 2, 3, 4), Partitions: 7, ReplicationFactor: 3, FixedStart: -1,
		Random: func(int) int { n := draws[0]; draws = draws[1:]; return n },
	})
	require.NoError(t, err)
	require.Equal(t, [][]int32{{1, 4, 0}, {2, 0, 1}, {3, 1, 2}, {4, 2, 3}, {0, 3, 4}, {1, 0, 2}, {2, 1, 3}}, got)
}

// The example of AdminUtils.
func TestAssignFromStartZero(t *testing.T) {
	got, err := AssignReplicas(Placement{Brokers: brokersOf(0, 1, 2, 3, 4), Partitions: 10, ReplicationFactor: 3})
	require.NoError(t, err)
	require.Equal(t, [][]int32{
		{0, 1, 2}, {1, 2, 3}, {2, 3, 4}, {3, 4, 0}, {4, 0, 1}, {0, 2, 3}, {1, 3, 4}, {2, 4, 0}, {3, 0, 1}, {4, 1, 2},
	}, got)
}

func TestAssignOverRacks(t *testing.T) {
	got, err := AssignReplicas(Placement{
		Brokers: []BrokerMetadata{{0, "r1"}, {1, "r3"}, {2, "r3"}, {3, "r2"}, {4, "r2"}, {5, "r1"}}, Partitions: 7, ReplicationFactor: 3,
	})
	require.NoError(t, err)
	require.Equal(t, [][]int32{{0, 3, 1}, {3, 1, 5}, {1, 5, 4}, {5, 4, 2}, {4, 2, 0}, {2, 0, 3}, {0, 4, 2}}, got)
}

func TestAssignRefusals(t *testing.T) {
	for _, c := range []struct {
		brokers            []BrokerMetadata
		partitions, factor int
		code               wire.Error
		message            string
	}{
		{brokersOf(1), 0, 1, wire.InvalidPartitions, "Number of partitions must be larger than 0."},
		{brokersOf(1), 1 << 30, 1, wire.InvalidPartitions, "Number of partitions must not be larger than 50000."},
		{brokersOf(1), 1, 0, wire.InvalidReplicationFactor, "Replication factor must be larger than 0."},
		{brokersOf(1, 2), 1, 3, wire.InvalidReplicationFactor, "Replication factor: 3 larger than available brokers: 2."},
		{nil, 1, 1, wire.InvalidReplicationFactor, "Replication factor: 1 larger than available brokers: 0."},
		{[]BrokerMetadata{{1, "a"}, {2, ""}}, 1, 1, wire.UnknownServerError, "Not all brokers have rack information for replica rack aware assignment."},
	} {
		_, err := AssignReplicas(Placement{Brokers: c.brokers, Partitions: c.partitions, ReplicationFactor: c.factor})
		require.EqualError(t, err, c.message)
		require.ErrorIs(t, err, c.code)
	}
}

// Whatever the brokers: replicas are distinct, leaders are even, racks are used as far as they go.
func TestAssignProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "brokers")
		racks := rapid.IntRange(0, 4).Draw(t, "racks")
		factor := rapid.IntRange(1, n).Draw(t, "factor")
		partitions := rapid.IntRange(1, 60).Draw(t, "partitions")
		var brokers []BrokerMetadata
		names := map[string]bool{}
		for i := range n {
			b := BrokerMetadata{ID: int32(i * 3)}
			if racks > 0 {
				b.Rack = fmt.Sprint("r", i%racks)
				names[b.Rack] = true
			}
			brokers = append(brokers, b)
		}
		r := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "seed")))
		got, err := AssignReplicas(Placement{Brokers: brokers, Partitions: partitions, ReplicationFactor: factor, FixedStart: -1, Random: r.IntN})
		require.NoError(t, err)
		require.Len(t, got, partitions)
		leaders := map[int32]int{}
		for _, replicas := range got {
			require.Len(t, replicas, factor)
			require.False(t, hasDuplicates(replicas))
			leaders[replicas[0]]++
			used := map[string]bool{}
			for _, id := range replicas {
				used[brokers[id/3].Rack] = true
			}
			if racks > 0 {
				require.Len(t, used, min(factor, len(names)))
			}
		}
		for _, count := range leaders {
			require.LessOrEqual(t, count, (partitions+n-1)/n)
		}
	})
}

func TestTopicNames(t *testing.T) {
	for _, name := range []string{"a", "A-b_c.9", strings.Repeat("x", 249), "__consumer_offsets", "..."} {
		require.NoError(t, CheckTopicName(name), name)
	}
	for name, message := range map[string]string{
		"":                       "Topic name is invalid: the empty string is not allowed",
		".":                      "Topic name is invalid: '.' is not allowed",
		"..":                     "Topic name is invalid: '..' is not allowed",
		"a b":                    "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
		"ä":                      "Topic name is invalid: 'ä' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
		strings.Repeat("x", 250): "Topic name is invalid: the length of '" + strings.Repeat("x", 250) + "' is longer than the max allowed length 249",
	} {
		err := CheckTopicName(name)
		require.EqualError(t, err, message)
		require.ErrorIs(t, err, wire.InvalidTopicException)
	}
	require.True(t, TopicsCollide("a.b_c", "a_b.c"))
	require.False(t, TopicsCollide("a.b", "a.c"))
	require.True(t, IsInternalTopic("__consumer_offsets"))
	require.False(t, IsInternalTopic("__other"))
}

func TestIBP(t *testing.T) {
	for _, c := range []struct {
		text                   string
		li, um, sr, cs         int16
		ids, recovery, feature bool
		printed                string
		featureVersion         int
	}{
		{"3.9-IV0", 7, 8, 4, 3, true, true, true, "3.9-IV0", 2},
		{"3.9", 7, 8, 4, 3, true, true, true, "3.9", 2},
		{"3.9.1", 7, 8, 4, 3, true, true, true, "3.9", 2},
		{"3.3-IV3", 6, 7, 3, 3, true, true, true, "3.3-IV3", 2},
		{"3.1-IV0", 5, 7, 3, 3, true, false, true, "3.1-IV0", 1},
		{"2.8-IV0", 4, 6, 3, 3, true, false, true, "2.8-IV0", 1},
		{"2.8-IV1", 5, 7, 3, 3, true, false, true, "2.8-IV1", 1},
		{"2.6", 4, 6, 3, 3, false, false, false, "2.6", 1},
		{"2.4-IV0", 3, 5, 1, 2, false, false, false, "2.4-IV0", 1},
		{"2.2-IV0", 2, 5, 1, 2, false, false, false, "2.2-IV0", 1},
		{"1.0-IV0", 1, 4, 0, 1, false, false, false, "1.0-IV0", 1},
		{"0.10.2-IV0", 0, 3, 0, 1, false, false, false, "0.10.2-IV0", 1},
		{"0.10.0-IV0", 0, 1, 0, 1, false, false, false, "0.10.0-IV0", 1},
		{"0.10.0-IV1", 0, 2, 0, 1, false, false, false, "0.10.0-IV1", 1},
		{"0.8.2", 0, 0, 0, 0, false, false, false, "0.8.2", 1},
	} {
		v, err := ParseIBP(c.text)
		require.NoError(t, err)
		require.Equal(t, []int16{c.li, c.um, c.sr, c.cs},
			[]int16{v.LeaderAndIsrVersion(), v.UpdateMetadataVersion(), v.StopReplicaVersion(), v.ControlledShutdownVersion()}, c.text)
		require.Equal(t, []bool{c.ids, c.recovery, c.feature}, []bool{v.TopicIDs(), v.LeaderRecovery(), v.Features()}, c.text)
		require.Equal(t, c.printed, v.String())
		require.Equal(t, c.featureVersion, v.FeatureVersion())
	}
	for text, want := range map[string][3]int16{
		"3.9-IV0": {17, 9, 4}, "3.8-IV0": {16, 8, 4}, "3.7-IV4": {16, 8, 4}, "3.7-IV3": {15, 8, 4}, "3.5-IV1": {15, 8, 4}, "3.5-IV0": {14, 8, 4}, "3.4-IV0": {13, 7, 4}, "3.1-IV0": {13, 7, 4}, "3.0-IV1": {12, 7, 4}, "3.0-IV0": {12, 6, 4},
		"2.8-IV0": {12, 6, 4}, "2.7-IV1": {12, 5, 3}, "2.7-IV0": {11, 5, 3}, "2.6": {11, 5, 3}, "2.3-IV1": {11, 5, 3}, "2.3-IV0": {10, 5, 2}, "2.2-IV1": {10, 5, 2}, "2.2-IV0": {10, 4, 2},
		"2.1-IV2": {10, 4, 2}, "2.1-IV1": {8, 4, 2}, "2.0-IV1": {8, 3, 1}, "2.0-IV0": {7, 2, 1}, "1.1-IV0": {7, 2, 0}, "0.11.0-IV1": {5, 2, 0}, "0.11.0-IV0": {4, 2, 0}, "0.10.1-IV2": {4, 1, 0}, "0.8.2": {4, 0, 0},
	} {
		v, err := ParseIBP(text)
		require.NoError(t, err)
		require.Equal(t, want, [3]int16{v.FetchVersion(), v.ListOffsetsVersion(), v.OffsetForLeaderEpochVersion()}, text)
	}
	for text, asks := range map[string]bool{"3.9": true, "2.7": true, "2.7-IV2": true, "2.7-IV1": false, "2.6": false} {
		v, err := ParseIBP(text)
		require.NoError(t, err)
		require.Equal(t, asks, v.AlterPartition(), text)
	}
	for text, want := range map[string]struct {
		registration int32
		asks         bool
	}{"3.9": {5, true}, "3.0-IV0": {5, true}, "2.8-IV1": {5, false}, "2.7-IV0": {5, false}, "2.6": {4, false}, "0.10.0-IV1": {4, false}, "0.10.0-IV0": {2, false}} {
		v, err := ParseIBP(text)
		require.NoError(t, err)
		require.Equal(t, want.registration, v.RegistrationVersion(), text)
		require.Equal(t, want.asks, v.AllocateProducerIDs(), text)
	}
	for _, bad := range []string{"", "3", "x.y", "3.9-IV", "3.9-IVx", "3.9-IV-1", "1.2.3.4.5", "3.-1", "3.9999"} {
		_, err := ParseIBP(bad)
		require.Error(t, err, bad)
	}
	v, err := ParseIBP("3.9-IV0")
	require.NoError(t, err)
	require.Equal(t, DefaultIBP, v)
}

func TestElect(t *testing.T) {
	in := func(ids ...int32) func(int32) bool { return func(id int32) bool { return contains(ids, id) } }
	none := in()
	for name, c := range map[string]struct {
		s    Strategy
		in   Candidates
		want Outcome
		ok   bool
	}{
		"offline takes assignment order":      {StrategyOffline, Candidates{Replicas: []int32{1, 2, 3}, ISR: []int32{3, 2}, Online: in(2, 3)}, Outcome{Leader: 2, ISR: []int32{3, 2}, Recipients: []int32{2, 3}}, true},
		"offline drops the dead from the isr": {StrategyOffline, Candidates{Replicas: []int32{1, 2, 3}, ISR: []int32{1, 2, 3}, Online: in(3)}, Outcome{Leader: 3, ISR: []int32{3}, Recipients: []int32{3}}, true},
		"offline without isr":                 {StrategyOffline, Candidates{Replicas: []int32{1, 2}, ISR: []int32{1}, Online: in(2)}, Outcome{}, false},
		"unclean":                             {StrategyOffline, Candidates{Replicas: []int32{1, 2}, ISR: []int32{1}, Online: in(2), Unclean: true}, Outcome{Leader: 2, ISR: []int32{2}, Unclean: true, Recipients: []int32{2}}, true},
		"unclean prefers the isr":             {StrategyOffline, Candidates{Replicas: []int32{1, 2, 3}, ISR: []int32{3}, Online: in(2, 3), Unclean: true}, Outcome{Leader: 3, ISR: []int32{3}, Recipients: []int32{2, 3}}, true},
		"unclean with nobody":                 {StrategyOffline, Candidates{Replicas: []int32{1, 2}, ISR: []int32{1}, Online: none, Unclean: true}, Outcome{}, false},
		"reassign takes targets":              {StrategyReassign, Candidates{Replicas: []int32{4, 1, 2}, Targets: []int32{4, 2}, ISR: []int32{1, 2, 4}, Online: in(1, 2)}, Outcome{Leader: 2, ISR: []int32{1, 2, 4}, Recipients: []int32{4, 2}}, true},
		"reassign without target in isr":      {StrategyReassign, Candidates{Replicas: []int32{4, 1}, Targets: []int32{4}, ISR: []int32{1}, Online: in(1, 4)}, Outcome{}, false},
		"preferred":                           {StrategyPreferred, Candidates{Replicas: []int32{1, 2}, ISR: []int32{2, 1}, Online: in(1, 2)}, Outcome{Leader: 1, ISR: []int32{2, 1}, Recipients: []int32{1, 2}}, true},
		"preferred not in isr":                {StrategyPreferred, Candidates{Replicas: []int32{1, 2}, ISR: []int32{2}, Online: in(1, 2)}, Outcome{}, false},
		"preferred not online":                {StrategyPreferred, Candidates{Replicas: []int32{1, 2}, ISR: []int32{1, 2}, Online: in(2)}, Outcome{}, false},
		"preferred of nothing":                {StrategyPreferred, Candidates{Online: none}, Outcome{}, false},
		"shutdown":                            {StrategyControlledShutdown, Candidates{Replicas: []int32{1, 2, 3}, ISR: []int32{1, 3, 2}, Registered: in(1, 2, 3), ShuttingDown: in(1, 2)}, Outcome{Leader: 3, ISR: []int32{3}, Recipients: []int32{1, 2, 3}}, true},
		"shutdown of the last":                {StrategyControlledShutdown, Candidates{Replicas: []int32{1, 2}, ISR: []int32{1}, Registered: in(1, 2), ShuttingDown: in(1)}, Outcome{}, false},
	} {
		got, ok := Elect(c.s, c.in)
		require.Equal(t, c.ok, ok, name)
		require.Equal(t, c.want, got, name)
	}
}
