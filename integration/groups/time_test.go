package groups

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/integration/cluster"
)

// inTime runs a test with a cluster in virtual time.
func inTime(t *testing.T, brokers int, f func(t *testing.T, c *cluster.Cluster), set ...cluster.Option) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cluster.Start(t, append([]cluster.Option{
			cluster.Brokers(brokers), cluster.SessionTimeout(24 * time.Hour), cluster.Set("offsets.topic.num.partitions", "1"), cluster.Set("connections.max.idle.ms", "-1"),
		}, set...)...)
		makeTopic(t, c, "orders", 1)
		f(t, c)
	})
}

func sleep(d time.Duration) { <-time.After(d) }

// A member that is silent is dropped after its session timeout and not before; its commits and heartbeats are refused from then on, and the other one gets its partitions.
func TestSilentMemberIsDropped(t *testing.T) {
	inTime(t, 1, func(t *testing.T, c *cluster.Cluster) {
		one, two := dial(t, c, "g"), dial(t, c, "g")
		together(t, one, two)
		require.Equal(t, wire.None, two.commit(7))
		silentSince := time.Now()
		for time.Since(silentSince) < 9*time.Second {
			sleep(3 * time.Second)
			require.Equal(t, wire.None, one.beat(), "after %v", time.Since(silentSince))
		}
		sleep(1100 * time.Millisecond)
		require.Equal(t, wire.RebalanceInProgress, one.beat())
		require.Equal(t, wire.None, one.commit(8), "who rebalances may commit what it has read")
		require.Equal(t, wire.UnknownMemberID, two.commit(9))
		require.Equal(t, wire.UnknownMemberID, two.beat())
		require.Equal(t, wire.UnknownMemberID, two.sync())
		together(t, one)
		require.Equal(t, "0/1", one.assigned)
		offset, code := one.committed()
		require.Equal(t, wire.None, code)
		require.Equal(t, int64(8), offset)
		require.Equal(t, wire.UnknownMemberID, two.join(), "under its old id")
	})
}

// group.initial.rebalance.delay.ms: the first members of a group wait for more, three seconds from each newcomer.
func TestInitialDelay(t *testing.T) {
	inTime(t, 1, func(t *testing.T, c *cluster.Cluster) {
		one, two := dial(t, c, "g"), dial(t, c, "g")
		began := time.Now()
		codes := side([]*member{one, two}, func(m *member) wire.Error {
			if m == two {
				sleep(2 * time.Second)
			}
			return m.join()
		})
		require.Equal(t, []wire.Error{wire.None, wire.None}, codes)
		require.Equal(t, []int32{1, 1}, []int32{one.gen, two.gen}, "one generation for both")
		require.InDelta(t, 6*time.Second, time.Since(began), float64(100*time.Millisecond))
	}, cluster.Set("group.initial.rebalance.delay.ms", "3000"))
}

// A member that joins waits up to the rebalance timeout for one that goes on sending heartbeats and doesn't join.
func TestRebalanceTimeout(t *testing.T) {
	inTime(t, 1, func(t *testing.T, c *cluster.Cluster) {
		one, two := dial(t, c, "g"), dial(t, c, "g")
		together(t, one)
		began := time.Now()
		joined := make(chan wire.Error)
		go func() { joined <- two.join() }()
		for beating := true; beating; {
			select {
			case code := <-joined:
				require.Equal(t, wire.None, code)
				beating = false
			case <-time.After(3 * time.Second):
				if time.Since(began) < 60*time.Second {
					require.Equal(t, wire.RebalanceInProgress, one.beat())
				}
			}
		}
		require.InDelta(t, 60*time.Second, time.Since(began), float64(4*time.Second))
		require.Equal(t, wire.UnknownMemberID, one.beat())
		require.Equal(t, []string{two.id}, two.members)
	})
}

// A static member may be away for its session timeout: it comes back to the same partitions without a rebalance, and whoever still uses its old id is fenced. When it is away for longer the
// others share.
func TestStaticMember(t *testing.T) {
	inTime(t, 1, func(t *testing.T, c *cluster.Cluster) {
		one, two := dial(t, c, "g"), dial(t, c, "g")
		one.instance, two.instance = new("first"), new("second")
		one.session, two.session = time.Minute, time.Minute
		together(t, one, two)
		before, gen := two.assigned, two.gen
		sleep(50 * time.Second)
		require.Equal(t, wire.None, one.beat())
		back := dial(t, c, "g")
		back.instance, back.session = two.instance, time.Minute
		require.Equal(t, wire.None, back.join())
		require.Equal(t, gen, back.gen)
		back.members = nil
		require.Equal(t, wire.None, back.sync())
		require.Equal(t, before, back.assigned)
		require.Equal(t, wire.FencedInstanceID, two.beat())
		require.Equal(t, wire.FencedInstanceID, two.commit(1))
		require.Equal(t, wire.FencedInstanceID, two.join())
		require.Equal(t, wire.FencedInstanceID, two.leave())
		sleep(59 * time.Second)
		require.Equal(t, wire.None, one.beat(), "the second is away for 59 s")
		sleep(1100 * time.Millisecond)
		require.Equal(t, wire.RebalanceInProgress, one.beat(), "the second is away for a minute")
	})
}

// Committed offsets stay while the group lives and for seven days after it became empty (KIP-211); then they and the group go, also from the log.
func TestOffsetsExpire(t *testing.T) {
	inTime(t, 1, func(t *testing.T, c *cluster.Cluster) {
		one := dial(t, c, "g")
		one.session = 30 * time.Minute
		together(t, one)
		require.Equal(t, wire.None, one.commit(7))
		for began := time.Now(); time.Since(began) < 10*24*time.Hour; sleep(29 * time.Minute) {
			require.Equal(t, wire.None, one.beat())
		}
		offset, code := one.committed()
		require.Equal(t, []any{int64(7), wire.None}, []any{offset, code}, "ten days in a group that reads the topic")
		require.Equal(t, wire.None, one.leave())
		sleep(6 * 24 * time.Hour)
		offset, code = one.committed()
		require.Equal(t, []any{int64(7), wire.None}, []any{offset, code})
		describe := func(m *member) string {
			return ask[*wire.DescribeGroupsResponse](t, m.conn, &wire.DescribeGroupsRequest{Groups: []string{"g"}}, 5).Groups[0].GroupState
		}
		require.Equal(t, "Empty", describe(one))
		sleep(25 * time.Hour)
		offset, code = one.committed()
		require.Equal(t, []any{int64(-1), wire.None}, []any{offset, code})
		require.Equal(t, "Dead", describe(one))
		c.Restart(1)
		again := dial(t, c, "g")
		offset, code = again.committed()
		require.Equal(t, []any{int64(-1), wire.None}, []any{offset, code})
		require.Equal(t, "Dead", describe(again), "after a restart")
	}, cluster.Set("log.flush.offset.checkpoint.interval.ms", "3600000"), cluster.Set("replica.high.watermark.checkpoint.interval.ms", "3600000"),
		cluster.Set("log.flush.start.offset.checkpoint.interval.ms", "3600000"), cluster.Set("leader.imbalance.check.interval.seconds", "86400"))
}
