package zkutil

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

func broker(port int32) znode.Broker {
	return znode.Broker{Version: 5, Endpoints: []znode.Endpoint{{Listener: "PLAINTEXT", Host: "h", Port: port, Protocol: "PLAINTEXT"}}, JMXPort: -1, TimestampMs: 1}
}

// leftBy recognizes the registration of a client, as a broker recognizes that of its predecessor by the session it noted.
func leftBy(c *Client) func(Registration) bool {
	session := c.Session().ID
	return func(old Registration) bool { return old.Session == session }
}

func TestRegisterBroker(t *testing.T) {
	srv, c := start(t)
	ctx := t.Context()
	_, err := c.RegisterBroker(ctx, 1, broker(1), RegisterOptions{})
	require.ErrorIs(t, err, ErrNoNode, "the parent is missing")
	require.NoError(t, c.EnsurePersistentPaths(ctx))
	r, err := c.RegisterBroker(ctx, 1, broker(1), RegisterOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Version, "as Kafka's registration")
	_, stat, err := c.Get(ctx, znode.BrokerPath(1))
	require.NoError(t, err)
	require.Equal(t, stat.Czxid, int64(r.Epoch))
	// Again, by the same session.
	again, err := c.RegisterBroker(ctx, 1, broker(1), RegisterOptions{})
	require.NoError(t, err)
	require.Equal(t, r.Epoch, again.Epoch)
	changed, err := c.RegisterBroker(ctx, 1, broker(2), RegisterOptions{})
	require.NoError(t, err)
	require.Equal(t, r.Epoch, changed.Epoch)
	all, err := c.Brokers(ctx)
	require.NoError(t, err)
	require.Equal(t, int32(2), all[1].Broker.Endpoints[0].Port)
	require.Equal(t, r.Epoch, all[1].Epoch)
	require.Equal(t, c.Session().ID, all[1].Session)
	_, err = c.Create(ctx, "/brokers/ids/junk", nil, Persistent)
	require.NoError(t, err)
	_, err = c.Create(ctx, "/brokers/ids/5", []byte("junk"), Persistent)
	require.NoError(t, err)
	all, err = c.Brokers(ctx)
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.ErrorIs(t, all[5].Err, znode.ErrMalformed)
	// Somebody else.
	other := connect(t, config(srv))
	_, err = other.RegisterBroker(ctx, 1, broker(3), RegisterOptions{})
	require.ErrorIs(t, err, ErrBrokerRegistered)
	require.ErrorIs(t, err, ErrNodeExists)
	_, err = other.RegisterBroker(ctx, 1, broker(4), RegisterOptions{TakeOver: leftBy(other)})
	require.ErrorIs(t, err, ErrBrokerRegistered, "it was left by somebody else")
	require.NoError(t, c.RegisterOwnBroker(ctx, 1, znode.OwnBroker{Admin: "h:9"}))
	require.NoError(t, other.RegisterOwnBroker(ctx, 1, znode.OwnBroker{Admin: "h:8"}))
	data, stat, err := c.Get(ctx, znode.OwnBrokerPath(1))
	require.NoError(t, err)
	require.Equal(t, `{"version":1,"admin":"h:8"}`, string(data))
	require.Equal(t, other.Session().ID, stat.EphemeralOwner)
}

func TestRegisterBrokerWithLostAnswer(t *testing.T) {
	for _, action := range []zkserver.Action{zkserver.DropAfter(), zkserver.DropBefore()} {
		srv, c := start(t)
		require.NoError(t, c.EnsurePersistentPaths(t.Context()))
		srv.OnRequest(onMulti, action, 1)
		r, err := c.RegisterBroker(t.Context(), 1, broker(1), RegisterOptions{})
		require.NoError(t, err)
		all, err := c.Brokers(t.Context())
		require.NoError(t, err)
		require.Equal(t, all[1].Epoch, r.Epoch)
		require.EqualValues(t, 1, all[1].Version)
		_, ok := own(t, c, r.Session)
		require.True(t, ok)
	}
}

// expulsion is what a controller sends that finds the broker of a registration dead (coordinator/controller).
func expulsion(r Registration) Group {
	return Group{DeleteOp(znode.BrokerPath(r.ID), r.Version), DeleteOp(znode.OwnSessionPath(r.Session), znode.AnyVersion)}
}

// own is the broker whose registration a session's node says it belongs to; ok is false if there is no such node.
func own(t *testing.T, c *Client, session int64) (s znode.OwnSession, ok bool) {
	t.Helper()
	data, stat, err := c.Get(t.Context(), znode.OwnSessionPath(session))
	if errors.Is(err, ErrNoNode) {
		return s, false
	}
	require.NoError(t, err)
	require.Equal(t, session, stat.EphemeralOwner)
	s, err = znode.DecodeOwnSession(data)
	require.NoError(t, err)
	return s, true
}

// A broker that was killed and comes back at once replaces its old registration, and a late deletion of the old one does not hit the new one.
func TestTakeOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, zkserver.Options{})
		ctx := t.Context()
		killed, controller := connect(t, config(srv)), connect(t, config(srv))
		f := elected(t, controller)
		first, err := killed.RegisterBroker(ctx, 1, broker(1), RegisterOptions{})
		require.NoError(t, err)
		for range 3 {
			restarted := connect(t, config(srv))
			// Without the proof it must wait, and does not get it in time.
			_, err = restarted.RegisterBroker(ctx, 1, broker(1), RegisterOptions{Wait: 100 * time.Millisecond})
			require.ErrorIs(t, err, ErrBrokerRegistered)
			_, ok := own(t, controller, restarted.Session().ID)
			require.False(t, ok, "the session's node comes with the registration")
			second, err := restarted.RegisterBroker(ctx, 1, broker(1), RegisterOptions{TakeOver: leftBy(killed)})
			require.NoError(t, err)
			require.Greater(t, second.Epoch, first.Epoch)
			require.Equal(t, restarted.Session().ID, second.Session)
			require.EqualValues(t, 1, second.Version, "as Kafka's registration")
			_, ok = own(t, controller, first.Session)
			require.False(t, ok, "it goes with its registration")
			_, ok = own(t, controller, second.Session)
			require.True(t, ok)
			// What a controller sends that saw the old one just before.
			_, err = f.Multi(ctx, expulsion(first)...)
			require.ErrorIs(t, err, ErrNoNode)
			_, stat, err := controller.Get(ctx, znode.BrokerPath(1))
			require.NoError(t, err)
			require.Equal(t, int64(second.Epoch), stat.Czxid)
			killed, first = restarted, second
		}
		// And what one sends that sees it as it is.
		_, err = f.Multi(ctx, expulsion(first)...)
		require.NoError(t, err)
		all, err := controller.Brokers(ctx)
		require.NoError(t, err)
		require.Empty(t, all)
		_, ok := own(t, controller, first.Session)
		require.False(t, ok)
	})
}

// The session of a broker takes the node it has of its own along, so that a deletion which comes after the end of the session misses the next registration, though that has the
// version of the one before.
func TestLateDeletionAfterExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, zkserver.Options{})
		ctx := t.Context()
		c, controller := connect(t, config(srv)), connect(t, config(srv))
		f := elected(t, controller)
		first, err := c.RegisterBroker(ctx, 1, broker(1), RegisterOptions{})
		require.NoError(t, err)
		require.True(t, srv.ExpireSession(first.Session))
		_, ok := own(t, controller, first.Session)
		require.False(t, ok)
		elapse(time.Second)
		second, err := c.RegisterBroker(ctx, 1, broker(1), RegisterOptions{})
		require.NoError(t, err)
		require.Equal(t, first.Version, second.Version)
		_, err = f.Multi(ctx, expulsion(first)...)
		require.ErrorIs(t, err, ErrNoNode)
		all, err := controller.Brokers(ctx)
		require.NoError(t, err)
		require.Equal(t, second.Epoch, all[1].Epoch)
	})
}

// A registration that somebody removed by hand, without its session's node or with it, is no obstacle, nor is a session's node that somebody removed.
func TestRegistrationAfterTamperingByHand(t *testing.T) {
	srv, c := start(t)
	ctx := t.Context()
	require.NoError(t, c.EnsurePersistentPaths(ctx))
	for _, removed := range [][]string{
		{znode.BrokerPath(1)}, {znode.BrokerPath(1), znode.OwnSessionPath(c.Session().ID)}, {znode.BrokerPath(1), znode.OwnPath}, {},
	} {
		_, err := c.RegisterBroker(ctx, 1, broker(1), RegisterOptions{})
		require.NoError(t, err)
		s, ok := own(t, c, c.Session().ID)
		require.True(t, ok)
		require.EqualValues(t, 1, s.BrokerID)
		for _, path := range removed {
			require.NoError(t, c.DeleteRecursive(ctx, path))
		}
	}
	require.NoError(t, c.Delete(ctx, znode.OwnSessionPath(c.Session().ID), znode.AnyVersion))
	successor := connect(t, config(srv))
	r, err := successor.RegisterBroker(ctx, 1, broker(1), RegisterOptions{TakeOver: leftBy(c)})
	require.NoError(t, err)
	_, ok := own(t, c, r.Session)
	require.True(t, ok)
}

// After an expiry the client's own old registration is no obstacle, and another's is waited for.
func TestRegisterAfterExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, zkserver.Options{})
		ctx := t.Context()
		c := connect(t, config(srv))
		require.NoError(t, c.EnsurePersistentPaths(ctx))
		first, err := c.RegisterBroker(ctx, 1, broker(1), RegisterOptions{})
		require.NoError(t, err)
		require.True(t, srv.ExpireSession(c.Session().ID))
		elapse(time.Second)
		second, err := c.RegisterBroker(ctx, 1, broker(1), RegisterOptions{})
		require.NoError(t, err)
		require.Greater(t, second.Epoch, first.Epoch)

		other := connect(t, config(srv))
		mine := c.Session().ID
		srv.OnRequest(func(r *zkserver.Request) bool { return r.Conn.Session == mine }, zkserver.DropBefore(), 0)
		defer srv.Refuse(zkserver.BySession(mine))()
		srv.DropConnections(zkserver.BySession(mine))
		began := time.Now()
		third, err := other.RegisterBroker(ctx, 1, broker(1), RegisterOptions{Wait: 10 * time.Second})
		require.NoError(t, err)
		require.Greater(t, third.Epoch, second.Epoch)
		require.Greater(t, time.Since(began), time.Second, "it waited for the session to expire")
		require.EqualValues(t, 1, third.Version)
	})
}

func TestGeneratedBrokerIDs(t *testing.T) {
	_, c := start(t)
	for want := int32(1001); want < 1004; want++ {
		id, err := c.GenerateBrokerID(t.Context(), 1000)
		require.NoError(t, err)
		require.Equal(t, want, id, "the path is created on the way")
	}
}
