package legacy

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// Strategy is how partitions are given to the threads of a group (partition.assignment.strategy). All members must use the same.
type Strategy string

// The two strategies that there are.
const (
	// Range gives each thread of a topic a run of neighbouring partitions, topic by topic.
	Range Strategy = "range"
	// RoundRobin deals the partitions of all topics out, one to each thread in turn. All members must read the same topics with as many streams.
	RoundRobin Strategy = "roundrobin"
)

// ErrUnevenSubscriptions says that RoundRobin was asked for by members that don't all subscribe to the same.
var ErrUnevenSubscriptions = errors.New("round-robin assignment is allowed only if all consumers in the group subscribe to the same topics, and with the same number of threads")

// Assign says which thread owns which partition. threads has the ids of the threads that read a topic, <consumer id>-<stream number>; partitions has the
// partitions of each topic. The order of either doesn't matter: threads are sorted as text (so that -10 comes before -2), partitions by number.
// Every member computes the whole and takes its own part.
func Assign(strategy Strategy, threads map[string][]string, partitions map[string][]int32) (map[znode.TopicPartition]string, error) {
	switch strategy {
	case Range:
		return assignRange(threads, partitions), nil
	case RoundRobin:
		return assignRoundRobin(threads, partitions)
	}
	return nil, fmt.Errorf("unknown assignment strategy %q", strategy)
}

// assignRange: with P partitions and C threads everyone gets P/C of them, and the first P%C threads one more.
func assignRange(threads map[string][]string, partitions map[string][]int32) map[znode.TopicPartition]string {
	owners := map[znode.TopicPartition]string{}
	for topic, unsorted := range partitions {
		numbers, readers := sorted(unsorted), sorted(threads[topic])
		if len(readers) == 0 {
			continue
		}
		each, more := len(numbers)/len(readers), len(numbers)%len(readers)
		for i, thread := range readers {
			start := each*i + min(i, more)
			end := each*(i+1) + min(i+1, more)
			for _, partition := range numbers[start:end] {
				owners[znode.TopicPartition{Topic: topic, Partition: partition}] = thread
			}
		}
	}
	return owners
}

// assignRoundRobin deals partitions in the order of the signed hash of "[topic,partition]", which looks random but is the same everywhere, so that a thread doesn't get
// the low partitions of every topic.
func assignRoundRobin(threads map[string][]string, partitions map[string][]int32) (map[znode.TopicPartition]string, error) {
	var dealt []string
	for _, topic := range slices.Sorted(maps.Keys(threads)) {
		readers := sorted(threads[topic])
		if dealt != nil && !slices.Equal(dealt, readers) {
			return nil, ErrUnevenSubscriptions
		}
		dealt = readers
	}
	owners := map[znode.TopicPartition]string{}
	if len(dealt) == 0 {
		return owners, nil
	}
	var all []znode.TopicPartition
	for _, topic := range slices.Sorted(maps.Keys(partitions)) {
		for _, partition := range sorted(partitions[topic]) {
			all = append(all, znode.TopicPartition{Topic: topic, Partition: partition})
		}
	}
	slices.SortStableFunc(all, func(a, b znode.TopicPartition) int { return cmp.Compare(hashOf(a), hashOf(b)) })
	for i, tp := range all {
		owners[tp] = dealt[i%len(dealt)]
	}
	return owners, nil
}

// hashOf is the hash code of Scala's TopicAndPartition.toString.
func hashOf(tp znode.TopicPartition) int32 {
	return znode.JavaHash("[" + tp.Topic + "," + strconv.Itoa(int(tp.Partition)) + "]")
}

func sorted[T cmp.Ordered](list []T) []T { return slices.Sorted(slices.Values(list)) }
