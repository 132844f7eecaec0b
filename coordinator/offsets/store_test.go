package offsets

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
)

func codes(c ...wire.Error) []wire.Error { return c }

func TestCommitIsSeenOnceReplicated(t *testing.T) {
	w := newWorld(t, Kafka)
	w.log.set(func() { w.log.hold = true })
	done := w.queue("g", "t-0", 5, "t-1", 6)
	w.store.Flush(0)
	require.Equal(t, []string{"t-0=-1", "t-2=-1"}, w.fetch("g", false, "t-0", "t-2"))
	require.Equal(t, []string{"t-0=UNSTABLE_OFFSET_COMMIT", "t-2=-1"}, w.fetch("g", true, "t-0", "t-2"))
	require.Empty(t, done)
	w.log.release()
	require.Equal(t, codes(0, 0), w.wait(done))
	require.Equal(t, []string{"t-0=5", "t-1=6"}, w.fetch("g", true), "all of them")
	require.Empty(t, w.fetch("other", true))
	require.Equal(t, []string{"[g/t-0=5 g/t-1=6]"}, w.log.records(t, 0))
	b := record.Batch(w.log.batches[0][0])
	require.Equal(t, []any{int64(-1), int16(-1), int32(0)}, []any{b.ProducerID(), b.ProducerEpoch(), b.BaseSequence()}, "as Apache Kafka writes it")
}

func TestCommitsThatWaitShareABatch(t *testing.T) {
	w := newWorld(t, Kafka)
	first, second := w.queue("g", "t-0", 1), w.queue("h", "t-0", 2)
	group := make(chan wire.Error, 1)
	w.store.StoreGroup(0, "g", GroupMetadata{Generation: 7}, func(code wire.Error) { group <- code })
	third, fourth := w.queue("g", "t-0", 3), w.queue("g", "t-0", 4)
	w.store.Flush(0)
	for _, done := range []<-chan []wire.Error{first, second, third, fourth} {
		require.Equal(t, codes(0), w.wait(done))
	}
	require.Equal(t, wire.None, <-group)
	require.Equal(t, []string{"[g/t-0=1 h/t-0=2]", "[g generation 7]", "[g/t-0=3 g/t-0=4]"}, w.log.records(t, 0), "in the order of the calls")
	require.Equal(t, []string{"t-0=4"}, w.fetch("g", true, "t-0"), "the later of two in one batch")
	b := record.Batch(w.log.batches[0][1])
	require.Equal(t, int32(-1), b.BaseSequence(), "as Apache Kafka writes it")
}

func TestACommitTooLargeToShare(t *testing.T) {
	w := newWorld(t, Kafka)
	w.log.set(func() { w.log.maxSize = 200 })
	small, large := w.queue("g", "t-0", 1), w.queue("h", "t-0", 2, "t-1", 2, "t-2", 2, "t-3", 2, "t-4", 2)
	w.store.Flush(0)
	require.Equal(t, codes(0), w.wait(small))
	require.Equal(t, codes(28, 28, 28, 28, 28), w.wait(large))
	require.Empty(t, w.fetch("h", true))
	require.Equal(t, []string{"t-0=1"}, w.fetch("g", true))
}

// An acknowledgement that comes late must not bring an older offset back.
func TestLateAcknowledgement(t *testing.T) {
	w := newWorld(t, Kafka)
	w.log.set(func() { w.log.hold = true })
	first := w.queue("g", "t-0", 1)
	w.store.Flush(0)
	w.log.set(func() { w.log.hold = false })
	require.Equal(t, codes(0), w.commit("g", "t-0", 2))
	w.log.release()
	require.Equal(t, codes(0), w.wait(first))
	require.Equal(t, []string{"t-0=2"}, w.fetch("g", true, "t-0"))
}

func TestMetadataTooLarge(t *testing.T) {
	w := newWorld(t, Kafka)
	item := func(name, metadata string) Item {
		return Item{TopicPartition: tpOf(name), Committed: Committed{Offset: 1, Metadata: metadata, ExpireTimestampMs: NoTimestamp}}
	}
	done := w.queueItems("g", []Item{item("t-0", strings.Repeat("é", 10)), item("t-1", strings.Repeat("😀", 6)), item("t-2", "")})
	w.store.Flush(0)
	require.Equal(t, codes(0, wire.OffsetMetadataTooLarge, 0), w.wait(done), "ten UTF-16 units are allowed")
	require.Equal(t, []string{"[g/t-0=1 g/t-2=1]"}, w.log.records(t, 0))
	done = w.queueItems("h", []Item{item("t-1", strings.Repeat("x", 11))})
	w.store.Flush(0)
	require.Equal(t, codes(wire.OffsetMetadataTooLarge), w.wait(done))
	require.Len(t, w.log.records(t, 0), 1, "nothing to write")
	require.Equal(t, Stats{Groups: 1, Offsets: 2}, only(w.store.Stats()))
}

// only leaves what a test of the cache is about.
func only(s Stats) Stats { return Stats{Groups: s.Groups, Offsets: s.Offsets} }

func TestErrorsOfTheLog(t *testing.T) {
	w := newWorld(t, Kafka)
	require.Equal(t, codes(0), w.commit("g", "t-0", 1))
	for log, want := range map[wire.Error][2]wire.Error{
		wire.UnknownTopicOrPartition: {wire.CoordinatorNotAvailable, wire.CoordinatorNotAvailable}, wire.NotEnoughReplicas: {wire.CoordinatorNotAvailable, wire.CoordinatorNotAvailable},
		wire.NotEnoughReplicasAfterAppend: {wire.CoordinatorNotAvailable, wire.CoordinatorNotAvailable}, wire.NotLeaderOrFollower: {wire.NotCoordinator, wire.NotCoordinator},
		wire.KafkaStorageError: {wire.NotCoordinator, wire.NotCoordinator}, wire.RequestTimedOut: {wire.RequestTimedOut, wire.RebalanceInProgress},
		wire.MessageTooLarge: {wire.InvalidCommitOffsetSize, wire.UnknownServerError}, wire.NetworkException: {wire.CoordinatorLoadInProgress, wire.NetworkException},
		wire.InvalidTimestamp: {wire.InvalidTimestamp, wire.InvalidTimestamp},
	} {
		w.log.set(func() { w.log.fail = log })
		require.Equal(t, codes(want[0]), w.commit("g", "t-0", 2), "%s", log.Name())
		group := make(chan wire.Error, 1)
		w.store.StoreGroup(0, "g", GroupMetadata{}, func(code wire.Error) { group <- code })
		w.store.Flush(0)
		require.Equal(t, want[1], <-group, "%s", log.Name())
	}
	require.Equal(t, []string{"t-0=1"}, w.fetch("g", true, "t-0"))
	w.log.set(func() { w.log.fail = wire.InvalidTimestamp })
	require.Equal(t, codes(wire.InvalidTimestamp), w.commit("new", "t-0", 2))
	require.Equal(t, Stats{Groups: 1, Offsets: 1}, only(w.store.Stats()), "a commit that failed leaves nothing")
}

func TestNotTheCoordinator(t *testing.T) {
	w := newWorld(t, Kafka)
	require.Equal(t, wire.NotCoordinator, w.store.Check(3))
	_, code := w.store.Fetch(t.Context(), 3, "g", nil, false)
	require.Equal(t, wire.NotCoordinator, code)
	done := make(chan wire.Error, 2)
	w.store.Commit(3, "g", []Item{{TopicPartition: tpOf("t-0")}}, func(items []Item) { done <- items[0].Code })
	w.store.StoreGroup(3, "g", GroupMetadata{}, func(code wire.Error) { done <- code })
	require.Empty(t, done, "not inside the call")
	w.store.Flush(3)
	require.Equal(t, wire.NotCoordinator, <-done)
	require.Equal(t, wire.NotCoordinator, <-done)
	w.store.Close()
	require.Equal(t, wire.CoordinatorNotAvailable, w.store.Check(0))
	require.Equal(t, codes(wire.NotCoordinator), w.commit("g", "t-0", 1))
}

func TestResign(t *testing.T) {
	w := newWorld(t, Kafka)
	w.log.set(func() { w.log.hold = true })
	written := w.queue("g", "t-0", 1)
	w.store.Flush(0)
	queued := w.queue("g", "t-0", 2)
	w.store.Resigned(0, 0)
	require.Equal(t, wire.None, w.store.Check(0), "an older epoch")
	w.store.Resigned(0, 2)
	require.Equal(t, wire.NotCoordinator, w.store.Check(0))
	require.Equal(t, codes(wire.NotCoordinator), w.wait(queued))
	w.await("the coordinator is told", func() bool { return len(w.groups.events()) == 2 })
	require.Equal(t, []string{"loaded 0: 0 groups", "unloaded 0"}, w.groups.events())
	w.log.release()
	require.Equal(t, codes(0), w.wait(written), "it is in the log")
	w.store.Elected(0, 1)
	require.Equal(t, wire.NotCoordinator, w.store.Check(0), "an older epoch")
	w.elect(0, 3)
	require.Equal(t, []string{"t-0=1"}, w.fetch("g", true, "t-0"))
	w.store.Elected(0, 4)
	require.Equal(t, wire.None, w.store.Check(0), "a new epoch of the same leader loads nothing")
	w.store.Resigned(0, -1)
	require.Equal(t, wire.NotCoordinator, w.store.Check(0), "the replica is gone")
}

func TestResignWhileLoading(t *testing.T) {
	w := newWorld(t, Kafka)
	require.Equal(t, codes(0), w.commit("g", "t-0", 1))
	reading := make(chan struct{})
	w.store.Resigned(0, 2)
	w.await("it is unloaded", func() bool { return len(w.groups.events()) == 2 })
	w.log.set(func() { w.log.reading = reading })
	w.store.Elected(0, 3)
	require.Equal(t, wire.CoordinatorLoadInProgress, w.store.Check(0))
	_, code := w.store.Fetch(t.Context(), 0, "g", nil, false)
	require.Equal(t, wire.CoordinatorLoadInProgress, code)
	w.store.Resigned(0, 4)
	require.Equal(t, wire.NotCoordinator, w.store.Check(0))
	w.store.Elected(0, 5)
	require.Equal(t, wire.CoordinatorLoadInProgress, w.store.Check(0))
	w.log.set(func() { w.log.reading = nil })
	close(reading)
	w.await("it is served", func() bool { return w.store.Check(0) == wire.None })
	require.Equal(t, []string{"loaded 0: 0 groups", "unloaded 0", "loaded 0: 1 groups"}, w.groups.events(), "the load that was given up isn't heard of")
}

// A partition that takes long to load doesn't hold others back, nor their commits.
func TestOthersDontWaitForALoad(t *testing.T) {
	w := newWorld(t, Kafka)
	require.Equal(t, codes(0), w.commit("g", "t-0", 1))
	reading := make(chan struct{})
	w.log.set(func() {
		w.log.reading = reading
		w.log.batches[7], w.log.next[7] = w.log.batches[0], w.log.next[0]
	})
	w.store.Elected(7, 1)
	require.Equal(t, wire.CoordinatorLoadInProgress, w.store.Check(7))
	w.elect(8, 1) // is empty: nothing to read
	require.Equal(t, codes(0), w.commit("g", "t-0", 2))
	require.Equal(t, wire.CoordinatorLoadInProgress, w.store.Check(7))
	close(reading)
	w.await("it is served", func() bool { return w.store.Check(7) == wire.None })
}

func TestRemoveAndExpire(t *testing.T) {
	w := newWorld(t, Kafka)
	now := time.Now().UnixMilli()
	hour := time.Hour.Milliseconds()
	require.Equal(t, codes(0, 0, 0), w.commit("g", "t-0", 1, "u-0", 2, "v-0", 3))
	expire := func(rule Rule, at int64) [2]int {
		expired, left := w.store.Expire(0, "g", rule, at)
		w.store.Flush(0)
		return [2]int{expired, left}
	}
	require.Equal(t, [2]int{0, 3}, expire(Rule{}, now+9*hour), "in use")
	require.Equal(t, [2]int{0, 3}, expire(Rule{Enabled: true}, now+hour/2))
	require.Equal(t, [2]int{0, 3}, expire(Rule{Enabled: true, EmptySinceMs: now + 8*hour}, now+hour*17/2), "empty for half an hour")
	require.Equal(t, [2]int{2, 1}, expire(Rule{Enabled: true, Subscribed: func(topic string) bool { return topic == "u" }}, now+9*hour))
	require.Equal(t, []string{"u-0=2"}, w.fetch("g", true))
	require.Equal(t, 1, w.store.RemoveOffsets(0, "g", []TopicPartition{tpOf("t-0")}))
	require.Zero(t, w.store.RemoveOffsets(0, "g", []TopicPartition{tpOf("u-0")}))
	w.store.Flush(0)
	require.Equal(t, codes(0), w.commit("g", "t-0", 9))
	w.store.RemoveGroup(0, "g", true)
	w.store.Flush(0)
	require.Empty(t, w.fetch("g", true))
	w.restart()
	require.Empty(t, w.groups.loaded[0], "nothing comes back")
	records := w.log.records(t, 0)
	require.Contains(t, []string{"[g/t-0 gone g/v-0 gone]", "[g/v-0 gone g/t-0 gone]"}, records[1])
	require.Equal(t, []string{"[g/u-0 gone]", "[g/t-0=9]", "[g/t-0 gone g gone]"}, records[2:])
}

func TestAnExplicitExpireTime(t *testing.T) {
	w := newWorld(t, Kafka)
	now := time.Now().UnixMilli()
	done := w.queueItems("g", []Item{{TopicPartition: tpOf("t-0"), Committed: Committed{Offset: 1, CommitTimestampMs: now, ExpireTimestampMs: now + 100}}})
	w.store.Flush(0)
	require.Equal(t, codes(0), w.wait(done))
	w.restart()
	expired, left := w.store.Expire(0, "g", Rule{Enabled: true}, now+99)
	require.Equal(t, [2]int{0, 1}, [2]int{expired, left})
	expired, left = w.store.Expire(0, "g", Rule{Enabled: true}, now+100)
	require.Equal(t, [2]int{1, 0}, [2]int{expired, left})
}

// What is removed while its commit is under way stays removed: the tombstone comes after the commit in the log.
func TestRemoveDuringACommit(t *testing.T) {
	w := newWorld(t, Kafka)
	w.log.set(func() { w.log.hold = true })
	done := w.queue("g", "t-0", 1)
	w.store.Flush(0)
	expired, left := w.store.Expire(0, "g", Rule{Enabled: true}, time.Now().Add(9*time.Hour).UnixMilli())
	require.Equal(t, [2]int{0, 1}, [2]int{expired, left}, "a commit under way doesn't expire")
	require.Zero(t, w.store.RemoveOffsets(0, "g", []TopicPartition{tpOf("t-0")}))
	w.store.Flush(0)
	w.log.release()
	require.Equal(t, codes(0), w.wait(done))
	require.Equal(t, []string{"t-0=-1"}, w.fetch("g", true, "t-0"))
	require.Equal(t, []string{"[g/t-0=1]", "[g/t-0 gone]"}, w.log.records(t, 0))
	require.Equal(t, codes(0), w.commit("g", "t-0", 2))
	require.Equal(t, []string{"t-0=2"}, w.fetch("g", true, "t-0"))
}

func TestDeletedPartitions(t *testing.T) {
	w := newWorld(t, Kafka)
	require.Equal(t, codes(0, 0), w.commit("g", "t-0", 1, "u-0", 2))
	require.Equal(t, codes(0), w.commit("h", "t-0", 1))
	w.store.RemovePartitions([]TopicPartition{tpOf("t-0"), tpOf("t-1")})
	require.Equal(t, []string{"u-0=2"}, w.fetch("g", true))
	require.Empty(t, w.fetch("h", true))
	require.ElementsMatch(t, []string{"[g/t-0 gone]", "[h/t-0 gone]"}, w.log.records(t, 0)[2:])
}
