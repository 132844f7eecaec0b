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
}

// An error that cannot be resolved reaches the caller.
func TestErrorsReachTheCaller(t *testing.T) {
	srv, c := start(t)
	ctx := t.Context()
	f := elected(t, c)
	require.ErrorIs(t, c.Fenced(77).Resign(ctx), ErrControllerMoved)
	_, err := f.Multi(ctx, CreateOp("/big", make([]byte, DefaultMaxRequestBytes), Persistent))
	require.ErrorIs(t, err, ErrTooLarge)

	remove := srv.OnRequest(func(r *zkserver.Request) bool { return r.Op != zkserver.OpPing }, zkserver.Fail(-102), 0)
	_, e1 := c.Brokers(ctx)
	_, e2 := c.Config(ctx, znode.Entity{Type: znode.ConfigTopics, Name: "t"})
	_, e3 := c.Configs(ctx, znode.Entity{Type: znode.ConfigTopics, Name: "t"}, znode.Entity{Type: znode.ConfigTopics, Name: "u"})
	_, e4 := c.ElectController(ctx, 1, at())
	_, e5 := c.GenerateBrokerID(ctx, 1)
	_, e6 := c.EnsureClusterID(ctx, "x")
	_, e7 := c.RegisterBroker(ctx, 1, broker(1), RegisterOptions{})
	_, _, e8 := c.WatchExists(ctx, "/w", func(Event) {})
	_, _, e9 := c.Feature(ctx)
	for i, err := range []error{
		e1, e2, e3, e4, e5, e6, e7, e8, e9, c.DeleteRecursive(ctx, "/brokers"), c.EnsurePersistentPaths(ctx),
		c.NotifyLogDirFailure(ctx, 1), c.RegisterOwnBroker(ctx, 1, znode.OwnBroker{}), f.Resign(ctx),
		c.ListenChanges(znode.ConfigChangePrefix, nil).Poll(ctx),
	} {
		require.ErrorIs(t, err, ErrNoAuth, "%d", i)
	}
	require.Empty(t, c.watches.mu.handlers[watchKey{watchData, "/w"}])
	remove()

	require.NoError(t, c.Close())
	_, err = f.Do(ctx, Group{CheckOp("/", -1)})
	require.True(t, errors.Is(err, ErrClosed) || errors.Is(err, ErrSessionExpired), "%v", err)
}
