package zkutil

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

func partition(n int32) znode.TopicPartition {
	return znode.TopicPartition{Topic: "t", Partition: n}
}

func shrunk(isr ...int32) znode.PartitionState {
	return znode.PartitionState{Leader: 1, LeaderEpoch: 3, ISR: isr, ControllerEpoch: 2}
}

func onSet(r *zkserver.Request) bool { return r.Op == zkserver.OpSetData }

// states starts a server with the state nodes of partitions 0 to n-1 at version 0, and a client of it.
func states(t *testing.T, n int32) (*zkserver.Server, *Client) {
	t.Helper()
	srv, c := start(t)
	for p := range n {
		path := znode.PartitionStatePath(partition(p))
		require.NoError(t, c.EnsurePath(t.Context(), path))
		_, err := c.Set(t.Context(), path, shrunk(1, 2, 3).Encode(), 0)
		require.NoError(t, err)
	}
	return srv, c
}

// stateOf reads a partition's state and the version of its node.
func stateOf(t *testing.T, c *Client, p int32) (znode.PartitionState, znode.ZkVersion) {
	t.Helper()
	data, stat, err := c.Get(t.Context(), znode.PartitionStatePath(partition(p)))
	require.NoError(t, err)
	state, err := znode.DecodePartitionState(data)
	require.NoError(t, err)
	return state, stat.Version
}

// Each partition has a result of its own: written, written before, somebody else's, gone.
func TestWritePartitionStates(t *testing.T) {
	_, c := states(t, 3)
	other := znode.PartitionState{Leader: 2, LeaderEpoch: 4, ISR: []int32{2, 3}, ControllerEpoch: 2}
	_, err := c.Set(t.Context(), znode.PartitionStatePath(partition(1)), other.Encode(), 1)
	require.NoError(t, err)
	_, err = c.Set(t.Context(), znode.PartitionStatePath(partition(2)), shrunk(1, 2).Encode(), 1)
	require.NoError(t, err)
	var changes []StateChange
	for p := range int32(4) {
		changes = append(changes, StateChange{TopicPartition: partition(p), State: shrunk(1, 2), Version: 1})
	}
	results := c.WritePartitionStates(t.Context(), changes)
	require.Len(t, results, 4)
	require.Equal(t, StateResult{Version: 2}, results[0])
	require.ErrorIs(t, results[1].Err, ErrBadVersion)
	require.Equal(t, StateResult{Version: 2}, results[2], "it has that state already")
	require.ErrorIs(t, results[3].Err, ErrNoNode)
	now, version := stateOf(t, c, 0)
	require.Equal(t, shrunk(1, 2), now)
	require.EqualValues(t, 2, version)
	now, version = stateOf(t, c, 1)
	require.Equal(t, other, now, "what somebody else wrote stays")
	require.EqualValues(t, 2, version)
	require.Empty(t, c.WritePartitionStates(t.Context(), nil))
}

// The connection breaks before the write, or after it and before the answer: it is written once.
func TestWritePartitionStatesWithLostAnswer(t *testing.T) {
	for name, action := range map[string]zkserver.Action{"executed": zkserver.DropAfter(), "not executed": zkserver.DropBefore()} {
		t.Run(name, func(t *testing.T) {
			srv, c := states(t, 1)
			srv.OnRequest(onSet, action, 1)
			results := c.WritePartitionStates(t.Context(), []StateChange{{TopicPartition: partition(0), State: shrunk(1), Version: 1}})
			require.Equal(t, []StateResult{{Version: 2}}, results)
			now, version := stateOf(t, c, 0)
			require.Equal(t, shrunk(1), now)
			require.EqualValues(t, 2, version)
		})
	}
}

// The answer is lost, and before the leader asks again the controller has written: the leader has lost, though its write took place.
func TestWritePartitionStatesIsOvertaken(t *testing.T) {
	srv, c := states(t, 1)
	controller := connect(t, config(srv))
	path := znode.PartitionStatePath(partition(0))
	written := make(chan struct{}, 1)
	exists, cancel, err := controller.WatchExists(t.Context(), path, func(Event) {
		select {
		case written <- struct{}{}:
		default:
		}
	})
	require.NoError(t, err)
	require.True(t, exists)
	defer cancel()
	var cut atomic.Bool // from the first write on
	mine := c.Session().ID
	admit := srv.Refuse(func(i zkserver.ConnInfo) bool { return cut.Load() && i.Session == mine })
	srv.OnRequest(func(r *zkserver.Request) bool { return onSet(r) && !cut.Swap(true) }, zkserver.DropAfter(), 1)
	done := make(chan []StateResult, 1)
	go func() {
		done <- c.WritePartitionStates(context.Background(), []StateChange{{TopicPartition: partition(0), State: shrunk(1), Version: 1}})
	}()
	select {
	case <-written:
	case <-time.After(20 * time.Second):
		t.Fatal("the leader's write didn't take place")
	}
	elected := znode.PartitionState{Leader: 2, LeaderEpoch: 4, ISR: []int32{2}, ControllerEpoch: 2}
	_, err = controller.Set(t.Context(), path, elected.Encode(), 2)
	require.NoError(t, err)
	admit()
	results := <-done
	require.ErrorIs(t, results[0].Err, ErrBadVersion)
	now, version := stateOf(t, c, 0)
	require.Equal(t, elected, now)
	require.EqualValues(t, 3, version)
}

// A context that has ended, a session that has: nothing is written, and every change has an error that says so.
func TestWritePartitionStatesThatEnds(t *testing.T) {
	srv, c := states(t, 2)
	changes := []StateChange{{TopicPartition: partition(0), State: shrunk(1), Version: 1}, {TopicPartition: partition(1), State: shrunk(1), Version: 1}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, r := range c.WritePartitionStates(ctx, changes) {
		require.Error(t, r.Err)
		require.Zero(t, r.Version)
	}
	bound := c.Bound()
	expired := newInbox[struct{}]()
	c.OnNewSession(func() { expired.put(struct{}{}) })
	require.True(t, srv.ExpireSession(bound.Session().ID))
	expired.await(t, struct{}{})
	for _, r := range bound.WritePartitionStates(t.Context(), changes) {
		require.ErrorIs(t, r.Err, ErrSessionExpired)
	}
	for p := range int32(2) {
		_, version := stateOf(t, c, p)
		require.EqualValues(t, 1, version)
	}
}
