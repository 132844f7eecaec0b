package zkutil

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// What the server answers arrives as one of our errors, known or not, and is never taken for a lost connection.
func TestServerErrors(t *testing.T) {
	srv, c := start(t)
	ctx := t.Context()
	for code, want := range map[zkserver.Code]error{
		-101: ErrNoNode, -102: ErrNoAuth, -103: ErrBadVersion, -108: ErrNoChildren, -110: ErrNodeExists, -111: ErrNotEmpty, -114: ErrInvalidACL,
		-115: ErrAuthFailed, -8: ErrBadArguments, -6: ServerError(-6), -127: ServerError(-127), -2: ErrNotExecuted,
	} {
		srv.OnRequest(func(r *zkserver.Request) bool { return r.Op == zkserver.OpSetData }, zkserver.Fail(code), 1)
		_, err := c.Set(ctx, "/", nil, -1)
		require.ErrorIs(t, err, want, "%d", code)
		require.NotErrorIs(t, err, ErrUnknown, "%d", code)
		require.NotErrorIs(t, err, ErrConnectionLoss, "%d", code)
	}
	require.EqualError(t, ServerError(-6), "ZooKeeper error -6")
	// The session moved to another server: the request was ignored, so it is sent again.
	srv.OnRequest(func(r *zkserver.Request) bool { return r.Op == zkserver.OpSetData }, zkserver.Fail(-118), 1)
	_, err := c.Set(ctx, "/", nil, -1)
	require.NoError(t, err)
	o, _ := translate(nil)
	require.Equal(t, answered, o)
}

func TestErrorTexts(t *testing.T) {
	err := &Error{Op: "set", Path: "/a", Err: ErrConnectionLoss, Unknown: true}
	require.EqualError(t, err, "zookeeper set /a: ZooKeeper connection lost (outcome unknown)")
	require.ErrorIs(t, err, ErrUnknown)
	err.Unknown = false
	require.NotErrorIs(t, err, ErrUnknown)
	require.Equal(t, "/p", DeleteOp("/p", -1).Path())
}

// An error that the typed operations cannot resolve reaches the caller.
func TestErrorsReachTheCaller(t *testing.T) {
	srv, c := start(t)
	ctx := t.Context()
	f := elected(t, c)
	stale := c.Fenced(77)
	topic := znode.Entity{Type: znode.ConfigTopics, Name: "t"}
	require.ErrorIs(t, stale.DeleteTopic(ctx, "t"), ErrControllerMoved)
	require.ErrorIs(t, stale.SetReassignment(ctx, nil), ErrControllerMoved)
	_, err := stale.SetPartitionStates(ctx, []PartitionWrite{{}})
	require.ErrorIs(t, err, ErrControllerMoved)
	res, err := stale.CreatePartitionStates(ctx, []PartitionWrite{{}})
	require.ErrorIs(t, err, ErrControllerMoved)
	require.ErrorIs(t, res[0].Err, ErrControllerMoved)
	_, err = f.Multi(ctx, CreateOp("/big", make([]byte, DefaultMaxRequestBytes), Persistent))
	require.ErrorIs(t, err, ErrTooLarge)

	remove := srv.OnRequest(func(r *zkserver.Request) bool { return r.Op != zkserver.OpPing }, zkserver.Fail(-102), 0)
	_, e1 := c.Topics(ctx)
	_, e2 := c.ReadTopics(ctx, []string{"t"})
	_, e3 := c.PartitionStates(ctx, []znode.TopicPartition{{Topic: "t"}})
	_, e4 := c.Brokers(ctx)
	_, e5 := c.ReadBrokers(ctx, []int32{1})
	_, e6 := c.Config(ctx, topic)
	_, e7 := c.Configs(ctx, []znode.Entity{topic})
	_, e8 := c.AllConfigs(ctx, znode.ConfigTopics)
	_, e9 := c.TopicDeletions(ctx)
	_, e10 := c.LogDirEvents(ctx)
	_, e11 := c.ElectController(ctx, 1, at())
	_, e12 := c.AllocateProducerIDs(ctx, 1)
	_, e13 := c.GenerateBrokerID(ctx, 1)
	_, e14 := c.EnsureClusterID(ctx, "x")
	_, e15 := c.SetFeature(ctx, znode.Feature{})
	_, e16 := c.RegisterBroker(ctx, 1, broker(1), RegisterOptions{})
	_, e17 := f.RemoveBroker(ctx, 1, 1)
	_, _, e18 := c.WatchExists(ctx, "/w", func(Event) {})
	_, e19 := c.Reassignment(ctx)
	for i, err := range []error{
		e1, e2, e3, e4, e5, e6, e7, e8, e9, e10, e11, e12, e13, e14, e15, e16, e17, e18, e19,
		c.SetConfig(ctx, topic, nil), c.CreateTopic(ctx, "t", znode.Topic{}, nil), c.DeleteRecursive(ctx, "/brokers"), c.EnsurePersistentPaths(ctx),
		c.SetConsumerOffset(ctx, "g", znode.TopicPartition{Topic: "t"}, 1), c.NotifyLogDirFailure(ctx, 1), f.DeleteRecursive(ctx, "/brokers"),
		f.DropNotifications(ctx, []Notification{{Path: "/x"}}), c.ListenChanges(znode.ConfigChangePrefix, nil).Poll(ctx, at()),
	} {
		require.ErrorIs(t, err, ErrNoAuth, "%d", i)
	}
	require.Empty(t, c.watches.mu.handlers[watchKey{watchData, "/w"}])
	remove()

	// A configuration that is refused because the controller changed in between.
	srv.OnRequest(onMulti, zkserver.Fail(-103), 1)
	require.Error(t, c.SetConfig(ctx, topic, nil))

	require.NoError(t, c.Close())
	_, err = f.Do(ctx, Group{CheckOp("/", -1)})
	require.True(t, errors.Is(err, ErrClosed) || errors.Is(err, ErrSessionExpired), "%v", err)
}
