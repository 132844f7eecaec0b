package legacy

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// owned turns an assignment around: topic-partitions by thread, sorted.
func owned(assignment map[znode.TopicPartition]string) map[string][]string {
	by := map[string][]string{}
	for tp, thread := range assignment {
		by[thread] = append(by[thread], tp.String())
	}
	for _, list := range by {
		slices.Sort(list)
	}
	return by
}

// The vectors are computed by hand from kafka.consumer.RangeAssignor.
func TestRangeGivesRuns(t *testing.T) {
	assignment, err := Assign(Range, map[string][]string{"t": {"B-1", "A-0", "B-0", "A-1"}}, map[string][]int32{"t": {4, 3, 2, 1, 0}})
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"A-0": {"t-0", "t-1"}, "A-1": {"t-2"}, "B-0": {"t-3"}, "B-1": {"t-4"}}, owned(assignment))
}

func TestRangeLeavesThreadsWithoutPartitions(t *testing.T) {
	assignment, err := Assign(Range, map[string][]string{"t": {"a-0", "b-0", "c-0"}, "u": {"b-0"}}, map[string][]int32{"t": {0, 1}, "u": {0}, "unread": {0}})
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"a-0": {"t-0"}, "b-0": {"t-1", "u-0"}}, owned(assignment))
}

// With twelve streams the third in order is -10: threads are sorted as text.
func TestThreadsAreSortedAsText(t *testing.T) {
	var threads []string
	var partitions []int32
	for i := range 12 {
		threads, partitions = append(threads, "c-"+strconv.Itoa(i)), append(partitions, int32(i))
	}
	assignment, err := Assign(Range, map[string][]string{"t": threads}, map[string][]int32{"t": partitions})
	require.NoError(t, err)
	require.Equal(t, "c-10", assignment[znode.TopicPartition{Topic: "t", Partition: 2}])
	require.Equal(t, "c-2", assignment[znode.TopicPartition{Topic: "t", Partition: 4}])
}

// The hashes are java.lang.String.hashCode of "[topic,partition]".
func TestRoundRobinDealsInHashOrder(t *testing.T) {
	for tp, want := range map[znode.TopicPartition]int32{
		{Topic: "a", Partition: 0}: 86974003, {Topic: "a", Partition: 2}: 86974065, {Topic: "b", Partition: 1}: 87003825,
		{Topic: "events", Partition: 0}: -670581339, {Topic: "events", Partition: 10}: 686814630,
	} {
		require.Equal(t, want, hashOf(tp), tp)
	}
	threads := []string{"g_h2-1-x-0", "g_h1-1-x-0", "g_h1-1-x-1"}
	assignment, err := Assign(RoundRobin, map[string][]string{"a": threads, "b": threads}, map[string][]int32{"b": {0, 1}, "a": {2, 1, 0}})
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"g_h1-1-x-0": {"a-0", "b-0"}, "g_h1-1-x-1": {"a-1", "b-1"}, "g_h2-1-x-0": {"a-2"}}, owned(assignment))

	// Negative hashes come first: [events,0] before [a,0].
	assignment, err = Assign(RoundRobin, map[string][]string{"a": {"x-0", "y-0"}, "events": {"x-0", "y-0"}}, map[string][]int32{"a": {0}, "events": {0}})
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"x-0": {"events-0"}, "y-0": {"a-0"}}, owned(assignment))
}

func TestRoundRobinWantsEqualSubscriptions(t *testing.T) {
	_, err := Assign(RoundRobin, map[string][]string{"a": {"x-0", "y-0"}, "b": {"x-0"}}, map[string][]int32{"a": {0}, "b": {0}})
	require.ErrorIs(t, err, ErrUnevenSubscriptions)
	_, err = Assign("sticky", nil, nil)
	require.ErrorContains(t, err, `unknown assignment strategy "sticky"`)
}

// Every partition that somebody reads has one owner that reads its topic, and no two threads differ by more than one partition of a topic (of everything, with round-robin).
func TestAssignmentsAreCompleteAndEven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		partitions, threads := map[string][]int32{}, map[string][]string{}
		var readers []string
		for i := range rapid.IntRange(1, 9).Draw(t, "threads") {
			readers = append(readers, fmt.Sprintf("g_h%d-1-x-%d", i/2, i%2))
		}
		total := 0
		for i := range rapid.IntRange(1, 4).Draw(t, "topics") {
			topic := "t" + strconv.Itoa(i)
			for p := range rapid.IntRange(0, 20).Draw(t, "partitions") {
				partitions[topic] = append(partitions[topic], int32(p))
				total++
			}
			threads[topic] = rapid.Permutation(readers).Draw(t, "order")
		}
		for _, strategy := range []Strategy{Range, RoundRobin} {
			assignment, err := Assign(strategy, threads, partitions)
			require.NoError(t, err)
			require.Len(t, assignment, total)
			counts := map[string]int{}
			for tp, thread := range assignment {
				require.Contains(t, readers, thread)
				scope := tp.Topic
				if strategy == RoundRobin {
					scope = ""
				}
				counts[scope+"/"+thread]++
			}
			for topic := range partitions {
				scope, n := topic, len(partitions[topic])
				if strategy == RoundRobin {
					scope, n = "", total
				}
				for _, thread := range readers {
					require.InDelta(t, float64(n)/float64(len(readers)), float64(counts[scope+"/"+thread]), 0.9999)
				}
			}
		}
	})
}
