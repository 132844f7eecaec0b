package offsets

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// idle waits until the mirror has nothing left to do.
func (w *world) idle() MirrorStats {
	w.t.Helper()
	w.await("the mirror is idle", func() bool { return w.store.Stats().Mirror.Behind == 0 })
	return w.store.Stats().Mirror
}

func TestDual(t *testing.T) {
	w := newWorld(t, Dual)
	require.Equal(t, codes(0, 0), w.commit("g", "t-0", 1, "t-1", 2))
	w.idle()
	require.Equal(t, []string{"1", "2"}, []string{w.znodes.offset("g", tpOf("t-0")), w.znodes.offset("g", tpOf("t-1"))})
	require.Equal(t, codes(0), w.commit("g", "t-0", 3))
	st := w.idle()
	require.Equal(t, "3", w.znodes.offset("g", tpOf("t-0")))
	require.Equal(t, [3]int64{3, 2, 0}, [3]int64{st.Written, st.Transactions, st.Failures})
	require.Equal(t, codes(0), w.commit("a/b", "t-0", 1), "no znode can have the name")
	require.EqualValues(t, 1, w.idle().Unnamed)
	w.znodes.set(func() { delete(w.znodes.nodes, znode.ConsumerOffsetPath("g", tpOf("t-0"))) })
	require.Equal(t, codes(0), w.commit("g", "t-0", 4))
	w.idle()
	require.Equal(t, "4", w.znodes.offset("g", tpOf("t-0")), "somebody had deleted it")
}

// A group that commits all the time costs ZooKeeper a write now and then, and not one for each commit. The last of them comes soon all the same.
func TestTheMirrorRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Dual)
		const commits = 1000
		for i := range commits {
			require.Equal(t, codes(0), w.commit("g", "t-0", i))
			time.Sleep(time.Millisecond) //nolint:forbidigo // virtual time
		}
		time.Sleep(minMirrorRest) //nolint:forbidigo // virtual time
		synctest.Wait()
		require.Equal(t, fmt.Sprint(commits-1), w.znodes.offset("g", tpOf("t-0")))
		written := w.store.Stats().Mirror.Written
		require.LessOrEqual(t, written, int64(commits/10+1))
		require.Greater(t, written, int64(commits/20), "it follows")

		time.Sleep(time.Second) //nolint:forbidigo // virtual time
		require.Equal(t, codes(0), w.commit("g", "t-0", commits))
		synctest.Wait()
		require.Equal(t, fmt.Sprint(commits), w.znodes.offset("g", tpOf("t-0")), "what comes after a while doesn't wait")
	})
}

// Answers don't wait for ZooKeeper, however long it is away; then the latest offsets come, and only those.
func TestZooKeeperAwayAndBack(t *testing.T) {
	w := newWorld(t, Dual)
	require.Equal(t, codes(0), w.commit("g", "t-0", 1))
	w.idle()
	w.znodes.set(func() { w.znodes.away, w.znodes.writes = true, 0 })
	for i := range 100 {
		require.Equal(t, codes(0, 0), w.commit("g", "t-0", 100+i, "t-1", 200+i))
	}
	w.await("failures are counted", func() bool { return w.store.Stats().Mirror.Failures > 1 })
	st := w.store.Stats().Mirror
	require.Equal(t, 2, st.Behind, "one for each partition, however many commits")
	w.await("it says how late it is", func() bool { return w.store.Stats().Mirror.Lag > 0 })
	w.znodes.set(func() { w.znodes.away = false })
	w.idle()
	require.Equal(t, []string{"199", "299"}, []string{w.znodes.offset("g", tpOf("t-0")), w.znodes.offset("g", tpOf("t-1"))})
	w.znodes.set(func() { require.Equal(t, 2, w.znodes.writes) })
	w.problems.Lock()
	defer w.problems.Unlock()
	require.Len(t, w.problems.list, 1, "said once")
}

// A coordinator that doesn't know yet that it was deposed writes nothing any more.
func TestADeposedMirrorIsFenced(t *testing.T) {
	w := newWorld(t, Dual)
	require.Equal(t, codes(0), w.commit("g", "t-0", 1))
	w.idle()
	w.znodes.leader(0, 1, 1) // a change of the ISR: still the leader
	require.Equal(t, codes(0), w.commit("g", "t-0", 2))
	w.idle()
	require.Equal(t, "2", w.znodes.offset("g", tpOf("t-0")))

	path := znode.ConsumerOffsetPath("g", tpOf("t-0"))
	w.znodes.set(func() {
		w.znodes.transact = func() { // in between, another broker is elected and writes its own
			w.znodes.leader(0, 2, 2)
			w.znodes.set(func() { w.znodes.transact, w.znodes.nodes[path] = nil, Znode{Exists: true, Data: []byte("50")} })
		}
	})
	require.Equal(t, codes(0), w.commit("g", "t-0", 3))
	require.EqualValues(t, 1, func() int64 {
		w.await("it is fenced", func() bool { return w.store.Stats().Mirror.Fenced == 1 })
		return w.idle().Fenced
	}())
	require.Equal(t, "50", w.znodes.offset("g", tpOf("t-0")))
}

// A successor brings over what its predecessor's mirror had not come to, and leaves alone what somebody else wrote later.
func TestLoadBringsZooKeeperUpToDate(t *testing.T) {
	w := newWorld(t, Kafka)
	require.Equal(t, codes(0, 0, 0, 0), w.commit("g", "t-0", 5, "t-1", 6, "t-2", 7, "t-3", 8))
	put := func(tp string, data string, after time.Duration) {
		path := znode.ConsumerOffsetPath("g", tpOf(tp))
		require.NoError(t, w.znodes.Ensure(t.Context(), path))
		w.znodes.set(func() {
			w.znodes.nodes[path] = Znode{Exists: true, Data: []byte(data), MtimeMs: time.Now().Add(after).UnixMilli()}
		})
	}
	put("t-0", "4", -time.Minute) // older
	put("t-1", "99", time.Hour)   // an OffsetCommit v0 since
	put("t-2", "7", time.Hour)    // the same
	w.settings.Lock()
	w.settings.Storage = Dual
	w.settings.Unlock()
	w.restart()
	st := w.idle()
	got := []string{}
	for i := range 4 {
		got = append(got, w.znodes.offset("g", tpOf(fmt.Sprintf("t-%d", i))))
	}
	require.Equal(t, []string{"5", "99", "7", "8"}, got)
	require.Equal(t, [2]int64{2, 1}, [2]int64{st.Written, st.Foreign})
	require.Equal(t, codes(0), w.commit("g", "t-1", 100))
	w.idle()
	require.Equal(t, "100", w.znodes.offset("g", tpOf("t-1")), "a commit is newer than anything")
}

func TestStorageChangesWhileRunning(t *testing.T) {
	w := newWorld(t, Kafka)
	tp := tpOf("t-0")
	require.Equal(t, codes(0), w.commit("g", "t-0", 1))
	require.Empty(t, w.znodes.offset("g", tp))
	w.use(Dual)
	w.idle()
	require.Equal(t, "1", w.znodes.offset("g", tp))

	w.use(ZooKeeper)
	appended := len(w.log.records(t, 0))
	require.Equal(t, []string{"t-0=1", "t-9=-1"}, w.fetch("g", true, "t-0", "t-9"))
	require.Equal(t, codes(0, 0), w.commit("g", "t-0", 2, "t-1", 3))
	require.Equal(t, []string{"t-0=2", "t-1=3"}, w.fetch("g", true))
	require.Equal(t, "2", w.znodes.offset("g", tp))
	require.Len(t, w.log.records(t, 0), appended, "nothing in the topic")
	require.Equal(t, codes(wire.InvalidGroupID), w.commit("a/b", "t-0", 2))
	w.znodes.set(func() { w.znodes.away = true })
	require.Equal(t, codes(wire.UnknownServerError), w.commit("g", "t-0", 3), "an answer depends on ZooKeeper alone")
	w.znodes.set(func() { w.znodes.away = false })
	w.znodes.leader(0, 2, 2)
	require.Equal(t, codes(wire.NotCoordinator), w.commit("g", "t-0", 4), "fenced")
	w.znodes.leader(0, 1, 3)
	require.Equal(t, codes(0, 0), w.commit("g", "t-0", 5, "t-0", 6), "twice in one commit")
	require.Equal(t, []string{"t-0=6"}, w.fetch("g", true, "t-0"))

	w.use(Kafka)
	require.Equal(t, []string{"t-0=1"}, w.fetch("g", true, "t-0"), "the topic knows what it was told")
}

// While storage was dual the mirror got behind; what it hasn't written yet is answered all the same, and not written over what comes next.
func TestSwitchToZooKeeperWhileTheMirrorIsBehind(t *testing.T) {
	w := newWorld(t, Dual)
	require.Equal(t, codes(0), w.commit("g", "t-0", 1))
	w.idle()
	w.znodes.set(func() { w.znodes.away = true })
	require.Equal(t, codes(0, 0), w.commit("g", "t-0", 2, "t-1", 3))
	w.await("the mirror has tried", func() bool { return w.store.Stats().Mirror.Failures > 0 })
	w.use(ZooKeeper)
	w.znodes.set(func() { w.znodes.away = false })
	require.Equal(t, codes(0), w.commit("g", "t-0", 9))
	w.idle()
	require.Equal(t, []string{"t-0=9", "t-1=3"}, w.fetch("g", true))
}

func TestLegacyStore(t *testing.T) {
	w := newWorld(t, Kafka)
	v0 := w.store.Legacy()
	item := func(tp string, offset int64, metadata string) Item {
		return Item{TopicPartition: tpOf(tp), Committed: Committed{Offset: offset, Metadata: metadata}}
	}
	items := v0.Commit(t.Context(), "g", []Item{item("t-0", 1, "dropped"), item("t-1", 2, "longer than ten"), item("t-2", 3, "")})
	require.Equal(t, codes(0, wire.OffsetMetadataTooLarge, 0), codes(items[0].Code, items[1].Code, items[2].Code))
	items = v0.Commit(t.Context(), "g", []Item{item("t-0", 7, "")})
	require.Equal(t, wire.None, items[0].Code)
	require.Equal(t, "7", w.znodes.offset("g", tpOf("t-0")))
	w.znodes.set(func() {
		w.znodes.nodes[znode.ConsumerOffsetPath("g", tpOf("t-3"))] = Znode{Exists: true, Data: []byte("x")}
	})
	found := v0.Fetch(t.Context(), "g", []TopicPartition{tpOf("t-0"), tpOf("t-1"), tpOf("t-3"), tpOf("t-2")})
	got := []string{}
	for _, f := range found {
		got = append(got, fmt.Sprintf("%d %s", f.Offset, f.Code.Name()))
	}
	require.Equal(t, []string{"7 NONE", "-1 UNKNOWN_TOPIC_OR_PARTITION", "-1 UNKNOWN_SERVER_ERROR", "3 NONE"}, got)
	all, err := v0.All(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, []TopicPartition{tpOf("t-0"), tpOf("t-2"), tpOf("t-3")}, all)
	for _, group := range []string{"", "a/b", ".", "\x00"} {
		items = v0.Commit(t.Context(), group, []Item{item("t-0", 1, "")})
		require.Equal(t, wire.UnknownServerError, items[0].Code, "%q", group)
		require.Equal(t, wire.UnknownTopicOrPartition, v0.Fetch(t.Context(), group, []TopicPartition{tpOf("t-0")})[0].Code)
	}
	w.znodes.set(func() { w.znodes.away = true })
	require.Equal(t, wire.UnknownServerError, v0.Commit(t.Context(), "g", []Item{item("t-0", 1, "")})[0].Code)
	require.Equal(t, wire.UnknownServerError, v0.Fetch(t.Context(), "g", []TopicPartition{tpOf("t-0")})[0].Code)
}
