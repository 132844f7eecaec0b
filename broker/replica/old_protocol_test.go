package replica

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
)

// At an inter.broker.protocol.version below 2.7 the pitfalls of truncation and of the ISR are avoided the older way: the follower asks for the end of its epoch before it fetches, the
// leader writes its ISR itself.
func TestPitfallsOfTheOldProtocol(t *testing.T) {
	for name, script := range map[string]func(*world){
		"1 the high watermark is behind after a failover": pitfallWatermarkAfterFailover,
		"2 truncation to the high watermark":              pitfallTruncation,
		"3 fast leader changes":                           pitfallFastLeaderChanges,
		"6 joining below the start of the epoch":          pitfallEarlyJoin,
		"9 the last replica standing":                     pitfallLastReplica,
		"14 news of the high watermark alone":             pitfallWatermarkNews,
		"a write of the ISR whose answer is lost":         oldAnswerLost,
		"a write of the ISR that comes too late":          oldWriteTooLate,
		"nothing is fetched before the log is cut":        oldCutFirst,
	} {
		t.Run(name, func(t *testing.T) { runScript(newWorldOf(t, 1, -time.Millisecond, true), script) })
	}
}

// The write took place, but its answer is lost: the leader writes again, finds what it wanted, and goes on from the node's version.
func oldAnswerLost(w *world) {
	w.write(1, 1)
	w.fetchAll(2)
	w.fetchAll(2)
	w.shrink(1)
	calls := 0
	w.lose = func() bool { calls++; return calls == 2 }
	w.alter(1)
	require.ElementsMatch(w.t, []int32{1, 2}, w.isr)
	require.NotNil(w.t, w.brokers[1].partition().role.Load().pending)
	w.lose = nil
	w.alter(1)
	r := w.brokers[1].partition().role.Load()
	require.Nil(w.t, r.pending)
	require.Equal(w.t, w.partitionEpoch, r.partitionEpoch)
	require.ElementsMatch(w.t, []int32{1, 2}, r.isr)
}

// The controller has written another state meanwhile: the leader's write doesn't hit it, nothing is acked by the ISR it wished for, and it waits to be told.
func oldWriteTooLate(w *world) {
	acked := w.write(1, 1)
	w.shrink(1)
	w.commit(2, []int32{1, 2, 3})
	w.alter(1)
	require.Equal(w.t, []int32{1, 2, 3}, w.isr)
	require.NotNil(w.t, w.brokers[1].partition().role.Load().pending)
	require.Zero(w.t, *acked)
	w.deliver(1)
	require.Nil(w.t, w.brokers[1].partition().role.Load().pending)
}

// A leader that can't say yet where the epoch ends leaves the follower as it is; once it can, the follower is cut and fetches on.
func oldCutFirst(w *world) {
	w.write(1, 1)
	w.fetchAll(2, 3)
	w.write(1, 2) // nobody else has it
	w.commit(2, []int32{2, 3})
	w.deliver(1) // before the new leader knows that it leads
	f := w.brokers[1].fetcher
	require.True(w.t, f.truncateByEpoch(w.t.Context()))
	require.True(w.t, f.mu.parts[theTP].asks)
	f.expireDelaysLocked(time.Now().Add(-time.Hour))
	req, _ := f.build(time.Now().Add(-time.Hour))
	require.Nil(w.t, req)
	require.EqualValues(w.t, 2, w.log(1).LogEndOffset())
	w.deliver(2)
	w.write(2, 3)
	f.mu.parts[theTP].until = time.Now().Add(-time.Hour)
	w.fetch(1)
	require.Equal(w.t, map[int64]string{0: "00000001", 1: "00000003"}, w.contents(1))
}

func TestISRNotices(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	tp := func(i int) TopicPartition { return TopicPartition{Topic: "t", Partition: int32(i)} }
	n := newISRNotices(start)
	require.Empty(t, n.due(at(100)), "nothing has changed")
	n.add(tp(2), at(1))
	n.add(tp(1), at(3))
	require.Empty(t, n.due(at(8)), "five seconds after the last change, not before")
	due := n.due(at(8.1))
	require.Equal(t, []TopicPartition{tp(1), tp(2)}, due)
	require.Equal(t, due, n.due(at(8.2)), "a notification that failed is due again")
	n.sent(due, at(8.2))
	require.Empty(t, n.due(at(100)))
	n.add(tp(1), at(101))
	require.NotEmpty(t, n.due(at(102)), "a minute after the last notification changes aren't waited for")
	n = newISRNotices(start)
	for i := range noticeMost + 1 {
		n.add(tp(i), start)
	}
	first := n.due(at(6))
	require.Len(t, first, noticeMost)
	n.sent(first, at(6))
	require.Equal(t, []TopicPartition{tp(noticeMost)}, n.due(at(8)), "the rest goes with the next check")
}

// The versions decide what a request says; each must be one that can be encoded.
func TestRequestsOfOldVersions(t *testing.T) {
	for version := int16(4); version <= 17; version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			w := newWorldOf(t, 1, time.Hour, true)
			runScript(w, func(w *world) {
				m := w.brokers[2].manager
				m.versions.Fetch = version
				req, sent := w.brokers[2].fetcher.build(time.Now())
				require.NotNil(t, req)
				require.Equal(t, version, sent)
				_, err := wire.Encode(nil, req, version)
				require.NoError(t, err)
			})
		})
	}
}
