package replica

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/wire"
)

// The pitfalls of replication.md §15, each a script named after its number there. Elsewhere are: 8 and 11 (coordinator/controller's scripts), 12 and 13 (TestSessionRequestsAreChecked),
// 15, 18, 22 and 23 (broker/commitlog), 16 (below, with 17), 19 (broker/api's control examples), 20 (TestWaitersAgainstModel), 24 (TestFetchSizes: our sessions visit what has
// changed in the order of change, so nobody starves).
func TestPitfalls(t *testing.T) {
	for name, script := range map[string]func(*world){
		"1 the high watermark is behind after a failover":                pitfallWatermarkAfterFailover,
		"2 truncation to the high watermark":                             pitfallTruncation,
		"3 fast leader changes":                                          pitfallFastLeaderChanges,
		"4 zombie leader and follower":                                   pitfallZombies,
		"5 a shrink that the controller refuses":                         pitfallRefusedShrink,
		"5 an expansion that the controller may have committed":          pitfallLostExpansion,
		"6 joining below the start of the epoch":                         pitfallEarlyJoin,
		"7 a dead broker joins":                                          pitfallDeadJoins,
		"9 the last replica standing":                                    pitfallLastReplica,
		"10 an ISR change sent again":                                    pitfallSentAgain,
		"14 news of the high watermark alone":                            pitfallWatermarkNews,
		"17 the leader's log start passes the follower's high watermark": pitfallLogStart,
		"21 a timeout when the leader is another":                        pitfallTimeoutAfterFencing,
		"25 a follower the leader doesn't know yet":                      pitfallUnknownFollower,
	} {
		t.Run(name, func(t *testing.T) { runScript(newWorld(t, 1, -time.Millisecond), script) })
	}
}

func runScript(w *world, script func(*world)) {
	defer func() {
		for _, b := range w.brokers {
			b.manager.Close()
		}
	}()
	script(w)
}

func (w *world) log(id int32) *commitlog.Log { return w.brokers[id].partition().Log() }

// write appends records to broker 1, or whoever leads, and returns a count of those acked.
func (w *world) write(id int32, values ...int) *int {
	acked := new(int)
	for _, v := range values {
		w.append(id, fmt.Sprintf("%08d", v), func(int64, int32) { *acked++ })
	}
	return acked
}

func (w *world) fetchAll(ids ...int32) {
	for _, id := range ids {
		w.fetch(id)
	}
}

func (w *world) deliverAll() {
	for _, id := range []int32{1, 2, 3} {
		w.deliver(id)
	}
}

// shrink lets the leader propose that whoever lacks a record leaves.
func (w *world) shrink(id int32) {
	m := w.brokers[id].manager
	m.submit(w.brokers[id].partition().maybeShrink(time.Now()))
}

func (w *world) offset(id int32, timestamp int64) (int64, wire.Error) {
	found, code := w.brokers[id].partition().OffsetForTimestamp(OffsetQuery{Timestamp: timestamp, ReplicaID: ConsumerReplicaID, CurrentLeaderEpoch: -1})
	return found.Offset, code
}

// consume fetches as a consumer.
func (w *world) consume(id int32, offset int64) FetchResult {
	var got FetchResult
	w.brokers[id].manager.Fetch(FetchParams{ReplicaID: ConsumerReplicaID, Version: 12, MaxBytes: 1 << 20}, []FetchPartition{{
		TopicPartition: theTP, FetchOffset: offset, LastFetchedEpoch: -1, CurrentLeaderEpoch: -1, MaxBytes: 1 << 20,
	}}, func(results []FetchResult) { got = results[0] })
	got.Records.Release()
	return got
}

func pitfallWatermarkAfterFailover(w *world) {
	acked := w.write(1, 1, 2, 3)
	w.fetchAll(2, 3) // they have the records
	w.fetchAll(2, 3) // and the leader knows
	require.Equal(w.t, 3, *acked)
	require.Less(w.t, w.log(2).HighWatermark(), int64(3), "a follower learns the high watermark one fetch later")
	w.commit(2, []int32{2, 3})
	w.deliver(2)
	require.EqualValues(w.t, 3, w.log(2).LogEndOffset(), "the new leader keeps all")
	_, code := w.offset(2, LatestTimestamp)
	require.Equal(w.t, wire.OffsetNotAvailable, code, "the end doesn't go backwards for clients")
	got := w.consume(2, 3)
	require.Equal(w.t, wire.None, got.Code)
	require.Zero(w.t, got.Records.Length)
	w.deliver(3)
	w.fetch(3)
	end, code := w.offset(2, LatestTimestamp)
	require.Equal(w.t, wire.None, code)
	require.EqualValues(w.t, 3, end)
}

func pitfallTruncation(w *world) {
	acked := w.write(1, 1, 2)
	w.fetchAll(2, 3)
	w.fetchAll(2, 3)
	require.Equal(w.t, 2, *acked)
	w.restart(2) // its high watermark is behind what was acked
	w.tell(2)
	w.deliver(2)
	w.fetch(2)
	require.EqualValues(w.t, 2, w.log(2).LogEndOffset())
	w.commit(2, []int32{2}) // the others are gone
	w.deliver(2)
	require.Equal(w.t, map[int64]string{0: "00000001", 1: "00000002"}, w.contents(2))
}

// Three leaders one after the other, each with a record of its own that nobody else has: the logs agree on nothing above the common start, whichever epochs they know.
func pitfallFastLeaderChanges(w *world) {
	w.write(1, 1)
	w.fetchAll(2, 3)
	for i, id := range []int32{1, 2, 1, 3} {
		w.commit(id, []int32{1, 2, 3})
		w.deliver(id)
		w.write(id, 10+i)
	}
	w.commit(2, []int32{1, 2, 3})
	for range 6 {
		w.deliverAll()
	}
	w.write(2, 20)
	for range 10 {
		w.fetchAll(1, 3)
	}
	require.Equal(w.t, w.contents(2), w.contents(1))
	require.Equal(w.t, w.contents(2), w.contents(3))
	require.Equal(w.t, "00000020", w.contents(1)[w.log(1).LogEndOffset()-1])
}

func pitfallZombies(w *world) {
	w.write(1, 1)
	w.fetchAll(2, 3)
	w.fetchAll(2, 3)
	w.commit(2, []int32{2, 3}) // broker 1 doesn't hear of it
	w.deliver(2)
	w.deliver(3)
	zombie := w.write(1, 50)
	w.fetchAll(3)
	require.Zero(w.t, *zombie, "nobody follows the old leader")
	w.shrink(1)
	w.alter(1) // its proposal has an old epoch
	require.Equal(w.t, []int32{2, 3}, w.isr)
	require.Zero(w.t, *zombie)
	acked := w.write(2, 2)
	w.fetch(3)
	w.fetch(3)
	require.Equal(w.t, 1, *acked)
	w.deliver(1)
	w.fetchAll(1, 1)
	require.Equal(w.t, w.contents(2), w.contents(1), "what the zombie wrote is gone")
	require.Zero(w.t, *zombie)
}

func pitfallRefusedShrink(w *world) {
	acked := w.write(1, 1)
	w.fetch(2)
	w.fetch(2) // broker 3 lacks the record
	w.shrink(1)
	require.Zero(w.t, *acked, "a replica that is to leave counts until the controller has agreed")
	w.partitionEpoch++ // the controller has changed something meanwhile: it refuses
	w.alter(1)
	require.Zero(w.t, *acked)
	require.Equal(w.t, []int32{1, 2, 3}, w.isr)
}

func pitfallLostExpansion(w *world) {
	w.write(1, 1)
	w.fetch(2)
	w.fetch(2)
	w.shrink(1)
	w.alter(1)
	require.Equal(w.t, []int32{1, 2}, w.isr)
	w.fetch(3) // gets the record
	w.fetch(3) // and is to join
	// The controller commits; its answer is lost.
	calls := 0
	w.lose = func() bool { calls++; return calls == 2 }
	w.alter(1)
	w.lose = nil
	slices.Sort(w.isr)
	require.Equal(w.t, []int32{1, 2, 3}, w.isr)
	acked := w.write(1, 2)
	w.fetch(2)
	w.fetch(2)
	require.Zero(w.t, *acked, "broker 3 may be a member")
	w.fetch(3)
	w.fetch(3)
	require.Equal(w.t, 1, *acked)
}

func pitfallEarlyJoin(w *world) {
	w.slow[3] = true
	w.restart(3)
	w.tell(3)
	w.deliver(3)
	w.write(1, 1)
	w.fetchAll(2, 3, 2, 3)
	w.write(1, 2)
	w.fetchAll(2, 2)
	w.shrink(1)
	w.alter(1)
	require.Equal(w.t, []int32{1, 2}, w.isr)
	acked := w.write(1, 3, 4, 5)
	w.fetchAll(2, 2)
	require.Equal(w.t, 3, *acked)
	require.Less(w.t, w.log(2).HighWatermark(), int64(5))
	w.commit(2, []int32{1, 2})
	w.deliver(2)
	w.deliver(3)
	for w.log(3).LogEndOffset() < 5 {
		before := w.log(3).LogEndOffset()
		w.fetch(3)
		w.alter(2)
		require.Greater(w.t, w.log(3).LogEndOffset(), before)
		if before < 5 {
			require.NotContains(w.t, w.isr, int32(3), "broker 3 had %d of 5 records", before)
		}
	}
	w.fetch(3)
	w.alter(2)
	require.Contains(w.t, w.isr, int32(3))
}

func pitfallDeadJoins(w *world) {
	w.commit(1, []int32{1, 2})
	w.deliverAll()
	w.write(1, 1)
	w.fetch(3)
	delete(w.live, 3)
	w.tell(1)
	w.partitionEpoch++
	w.leaderEpoch++
	w.tell(1)
	for range 3 {
		w.deliver(1) // with the metadata that lacks broker 3
	}
	w.live[3] = true // it shuts down, but still fetches
	w.fetch(3)
	w.alter(1)
	require.Equal(w.t, []int32{1, 2}, w.isr)
}

func pitfallLastReplica(w *world) {
	c := commitlog.DefaultConfig()
	c.MinInsyncReplicas = 2
	w.log(1).SetConfig(c)
	w.commit(1, []int32{1, 2})
	w.deliverAll()
	w.write(1, 1)
	w.fetchAll(2, 2)
	require.EqualValues(w.t, 1, w.log(1).HighWatermark())
	one := w.write(1, 2)
	w.shrink(1)
	w.alter(1)
	require.Equal(w.t, []int32{1}, w.isr)
	require.Zero(w.t, *one)
	require.EqualValues(w.t, 1, w.log(1).HighWatermark(), "what one replica holds isn't committed")
}

func pitfallSentAgain(w *world) {
	w.write(1, 1)
	w.fetchAll(2, 2)
	w.shrink(1)
	calls := 0
	w.lose = func() bool { calls++; return calls == 2 } // committed, but the answer is lost
	w.alter(1)
	w.lose = nil
	require.Equal(w.t, []int32{1, 2}, w.isr)
	epoch := w.partitionEpoch
	w.alter(1) // sent again: the controller answers with what there is
	require.Equal(w.t, epoch, w.partitionEpoch)
	require.Equal(w.t, []int32{1, 2}, w.brokers[1].partition().State().ISR)
}

func pitfallWatermarkNews(w *world) {
	w.write(1, 1)
	w.fetchAll(2, 3, 2, 3)
	require.EqualValues(w.t, 1, w.log(1).HighWatermark())
	w.fetchAll(2, 3) // nothing but the high watermark is new
	require.EqualValues(w.t, 1, w.log(2).HighWatermark())
	require.EqualValues(w.t, 1, w.log(3).HighWatermark())
	w.fetchAll(2, 3) // and no news isn't "none"
	require.EqualValues(w.t, 1, w.log(2).HighWatermark())
}

func pitfallLogStart(w *world) {
	w.write(1, 1, 2, 3)
	w.fetchAll(2, 3, 2, 3)
	require.EqualValues(w.t, 3, w.log(1).HighWatermark())
	require.Less(w.t, w.log(2).HighWatermark(), int64(3))
	_, err := w.brokers[1].partition().DeleteRecords(3)
	require.NoError(w.t, err)
	w.fetch(2)
	require.EqualValues(w.t, 3, w.log(2).LogStartOffset())
	require.EqualValues(w.t, 3, w.log(2).HighWatermark(), "the high watermark goes first")
	// A replica that begins with nothing starts where the leader does.
	require.NoError(w.t, w.log(3).TruncateFullyAndStartAt(0))
	w.restart(3)
	w.tell(3)
	w.deliver(3)
	for range 4 {
		w.fetch(3)
	}
	require.EqualValues(w.t, 3, w.log(3).LogEndOffset())
	require.EqualValues(w.t, 3, w.log(3).LogStartOffset())
}

func pitfallTimeoutAfterFencing(w *world) {
	p := w.brokers[1].partition()
	w.write(1, 1)
	answered := make(chan wire.Error, 1)
	w.brokers[1].manager.AwaitReplicas([]ProduceWait{{Partition: p, Required: 1}}, time.Hour, func(items []ProduceWait) Sender { answered <- items[0].Code; return nil })
	w.commit(2, []int32{1, 2, 3})
	w.deliver(1)
	require.Equal(w.t, wire.NotLeaderOrFollower, <-answered)
}

func pitfallUnknownFollower(w *world) {
	p := w.brokers[1].partition()
	r := p.role.Load()
	short := *r
	short.replicas = []int32{1, 2}
	p.role.Store(&short)
	w.write(1, 1)
	w.fetch(3) // UNKNOWN_LEADER_EPOCH
	require.Zero(w.t, w.log(3).LogEndOffset())
	p.role.Store(r)
	require.Eventually(w.t, func() bool { w.fetch(3); return w.log(3).LogEndOffset() == 1 }, time.Minute, time.Millisecond, "it tries again")
}
