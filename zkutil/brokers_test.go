package zkutil

import (
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
	}
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
		for range 20 {
			restarted := connect(t, config(srv))
			// Without the proof it must wait, and does not get it in time.
			_, err = restarted.RegisterBroker(ctx, 1, broker(1), RegisterOptions{Wait: 100 * time.Millisecond})
			require.ErrorIs(t, err, ErrBrokerRegistered)
			second, err := restarted.RegisterBroker(ctx, 1, broker(1), RegisterOptions{TakeOver: leftBy(killed)})
			require.NoError(t, err)
			require.Greater(t, second.Epoch, first.Epoch)
			require.Equal(t, restarted.Session().ID, second.Session)
			require.NotEqual(t, first.Version, second.Version)
			require.EqualValues(t, 1, second.Version%2, "even versions mean death")
			// What a controller sends that saw the old one just before.
			for _, version := range []znode.ZkVersion{first.Version, first.Version + 1} {
				_, err = f.Multi(ctx, DeleteOp(znode.BrokerPath(1), version))
				require.ErrorIs(t, err, ErrBadVersion)
			}
			killed, first = restarted, second
		}
	})
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
