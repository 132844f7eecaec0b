package zkutil

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

func TestParseConnect(t *testing.T) {
	for s, want := range map[string]struct {
		servers []string
		chroot  string
	}{
		"a":                   {[]string{"a:2181"}, ""},
		"a:1,b:2":             {[]string{"a:1", "b:2"}, ""},
		"a:1, b/kafka/one":    {[]string{"a:1", "b:2181"}, "/kafka/one"},
		"a:1/":                {[]string{"a:1"}, ""},
		"[::1]:5,[::1]":       {[]string{"[::1]:5", "[::1]:2181"}, ""},
		"127.0.0.1:2181,,b:3": {[]string{"127.0.0.1:2181", "b:3"}, ""},
	} {
		servers, chroot, err := ParseConnect(s)
		require.NoError(t, err, s)
		require.Equal(t, want.servers, servers, s)
		require.Equal(t, want.chroot, chroot, s)
	}
	for _, bad := range []string{"", ",", "/kafka", "a/b//c", "a/b/", "a:1/x,b:2/x"} {
		_, _, err := ParseConnect(bad)
		require.Error(t, err, bad)
	}
}

func TestNodes(t *testing.T) {
	_, c := start(t)
	ctx := t.Context()
	p, err := c.Create(ctx, "/a", []byte("1"), Persistent)
	require.NoError(t, err)
	require.Equal(t, "/a", p)
	_, err = c.Create(ctx, "/a", nil, Persistent)
	require.ErrorIs(t, err, ErrNodeExists)
	require.NotErrorIs(t, err, ErrUnknown)
	_, err = c.Create(ctx, "/x/y", nil, Persistent)
	require.ErrorIs(t, err, ErrNoNode)
	data, stat, err := c.Get(ctx, "/a")
	require.NoError(t, err)
	require.Equal(t, "1", string(data))
	require.Zero(t, stat.Version)
	stat, err = c.Set(ctx, "/a", []byte("2"), 0)
	require.NoError(t, err)
	require.EqualValues(t, 1, stat.Version)
	_, err = c.Set(ctx, "/a", nil, 0)
	require.ErrorIs(t, err, ErrBadVersion)
	require.NoError(t, c.createRecursive(ctx, "/a/b/c", []byte("x")))
	require.ErrorIs(t, c.createRecursive(ctx, "/a/b/c", nil), ErrNodeExists)
	data, _, err = c.Get(ctx, "/a/b")
	require.NoError(t, err)
	require.Nil(t, data, "parents have null data")
	require.NoError(t, c.EnsurePath(ctx, "/a/b"))
	require.ErrorIs(t, c.Delete(ctx, "/a", 1), ErrNotEmpty)
	seq, err := c.Create(ctx, "/a/s_", nil, PersistentSequential)
	require.NoError(t, err)
	require.Equal(t, "/a/s_0000000001", seq)
	names, stat, err := c.Children(ctx, "/a")
	require.NoError(t, err)
	require.Equal(t, []string{"b", "s_0000000001"}, names)
	require.EqualValues(t, 2, stat.NumChildren)
	require.NoError(t, c.DeleteRecursive(ctx, "/a"))
	require.NoError(t, c.DeleteRecursive(ctx, "/a"))
	ok, _, err := c.Exists(ctx, "/a")
	require.NoError(t, err)
	require.False(t, ok)
	require.NoError(t, c.Sync(ctx, "/"))
	_, _, err = c.Get(ctx, "no slash")
	require.ErrorIs(t, err, ErrBadArguments)
	_, err = c.Create(ctx, "/big", make([]byte, DefaultMaxRequestBytes+1), Persistent)
	require.ErrorIs(t, err, ErrTooLarge)
	var zerr *Error
	require.ErrorAs(t, err, &zerr)
	require.Equal(t, "/big", zerr.Path)
}

func TestMulti(t *testing.T) {
	_, c := start(t)
	ctx := t.Context()
	res, err := c.Multi(ctx, CreateOp("/m", nil, Ephemeral), SetOp("/m", []byte("x"), 0), CheckOp("/m", 1))
	require.NoError(t, err)
	require.Equal(t, "/m", res[0].Path)
	require.EqualValues(t, 1, res[1].Stat.Version)
	require.Equal(t, c.Session().ID, res[1].Stat.EphemeralOwner)
	res, err = c.Multi(ctx, CreateOp("/n", nil, Persistent), CheckOp("/m", 7), DeleteOp("/m", 1))
	require.ErrorIs(t, err, ErrBadVersion)
	require.ErrorIs(t, res[0].Err, ErrNotExecuted)
	require.ErrorIs(t, res[1].Err, ErrBadVersion)
	require.ErrorIs(t, res[2].Err, ErrNotExecuted)
	require.Equal(t, 1, failedOp(res))
	_, err = c.Multi(ctx)
	require.NoError(t, err)
	_, err = c.Multi(ctx, Op{})
	require.ErrorIs(t, err, ErrBadArguments)
	_, err = c.Multi(ctx, CreateOp("/n", make([]byte, DefaultMaxRequestBytes), Persistent))
	require.ErrorIs(t, err, ErrTooLarge)
}

func TestManyReads(t *testing.T) {
	_, c := start(t)
	ctx := t.Context()
	paths := []string{"/none"}
	for range 100 {
		p, err := c.Create(ctx, "/n", []byte("x"), PersistentSequential)
		require.NoError(t, err)
		paths = append(paths, p)
	}
	res, err := c.GetMany(ctx, paths)
	require.NoError(t, err)
	require.ErrorIs(t, res[0].Err, ErrNoNode)
	for _, r := range res[1:] {
		require.NoError(t, r.Err)
		require.Equal(t, "x", string(r.Data))
	}
	kids, err := c.ChildrenMany(ctx, []string{"/", "/none"})
	require.NoError(t, err)
	require.Contains(t, kids[0].Names, "n0000000001")
	require.ErrorIs(t, kids[1].Err, ErrNoNode)
	done, cancel := context.WithCancel(ctx)
	cancel()
	_, err = c.GetMany(done, paths)
	require.ErrorIs(t, err, context.Canceled)
}

func TestChroot(t *testing.T) {
	srv := newServer(t, zkserver.Options{})
	cfg := config(srv)
	cfg.Connect = "zk:2181/kafka/one"
	c := connect(t, cfg)
	ctx := t.Context()
	events := newInbox[Event]()
	c.WatchData("/a", func(e Event) { events.put(e) })
	exists, cancel, err := c.WatchExists(ctx, "/b", func(e Event) { events.put(e) })
	require.NoError(t, err)
	require.False(t, exists)
	defer cancel()
	ok, _, err := c.Exists(ctx, "/a")
	require.NoError(t, err)
	require.False(t, ok)
	p, err := c.Create(ctx, "/a", nil, Persistent)
	require.NoError(t, err)
	require.Equal(t, "/a", p)
	events.await(t, Event{Created, "/a"})
	res, err := c.Multi(ctx, CreateOp("/b", nil, Persistent))
	require.NoError(t, err)
	require.Equal(t, "/b", res[0].Path)
	events.await(t, Event{Created, "/b"})
	names, _, err := c.Children(ctx, "/")
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, names)
	srv.Do(func(v *zkserver.View) {
		_, _, ok := v.Get("/kafka/one/a")
		require.True(t, ok)
	})
	// A second client finds the chroot there.
	require.NoError(t, connect(t, cfg).EnsurePath(ctx, "/a"))
}

func TestACLs(t *testing.T) {
	srv := newServer(t, zkserver.Options{})
	cfg := config(srv)
	cfg.SetACL, cfg.Auth = true, []AuthInfo{{"digest", []byte("broker:secret")}}
	secure := connect(t, cfg)
	open := connect(t, config(srv))
	ctx := t.Context()
	require.NoError(t, secure.EnsurePersistentPaths(ctx))
	_, _, err := open.Children(ctx, znode.BrokerIDsPath)
	require.NoError(t, err, "everyone may read")
	_, err = open.Create(ctx, znode.BrokerPath(1), nil, Ephemeral)
	require.ErrorIs(t, err, ErrNoAuth)
	_, _, err = open.Children(ctx, "/config/users")
	require.ErrorIs(t, err, ErrNoAuth)
	_, err = open.Create(ctx, "/consumers/g", nil, Persistent)
	require.NoError(t, err, "/consumers stays open")
	// The identity comes back with every connection, and with a new session.
	srv.DropConnections(nil)
	require.NoError(t, secure.EnsurePath(ctx, "/config/users/u"))
	expired := newInbox[int]()
	secure.OnNewSession(func() { expired.put(1) })
	require.True(t, srv.ExpireSession(secure.Session().ID))
	expired.await(t, 1)
	require.NoError(t, secure.EnsurePath(ctx, "/config/users/v"))
	_, _, err = open.Get(ctx, "/config/users/v")
	require.ErrorIs(t, err, ErrNoAuth)

	_, err = Connect(ctx, Config{Connect: "zk", SetACL: true})
	require.ErrorContains(t, err, "identity")
}

func TestConnectErrors(t *testing.T) {
	cfg := Config{
		Connect: "here:1,there:2", ConnectionTimeout: 300 * time.Millisecond,
		Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") },
	}
	_, err := Connect(t.Context(), cfg)
	require.ErrorContains(t, err, "here:1,there:2")
	require.ErrorContains(t, err, "no route")
	require.ErrorContains(t, err, "zookeeper.connect")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	for _, bad := range []Config{
		{Connect: ""}, {Connect: "a", SessionTimeout: -1}, {Connect: "a", ConnectionTimeout: -1}, {Connect: "a", MaxInFlight: -1}, {Connect: "a", MaxRequestBytes: -1},
	} {
		_, err := Connect(t.Context(), bad)
		require.ErrorContains(t, err, "zookeeper config")
	}
}

// A server that accepts connections and never answers must not hold a client up for long, when another one is well.
func TestServerThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead, live := newServer(t, zkserver.Options{}), newServer(t, zkserver.Options{})
		dead.Pause()
		began := time.Now()
		cfg := config(live)
		cfg.Connect, cfg.SessionTimeout = "dead:1,live:2", 6*time.Second
		cfg.Dial = func(ctx context.Context, _, addr string) (net.Conn, error) {
			if addr == "dead:1" {
				return dead.Dial(ctx)
			}
			return live.Dial(ctx)
		}
		connect(t, cfg)
		require.LessOrEqual(t, time.Since(began), 2*time.Second)
		dead.Resume()
	})
}

func TestClosedClient(t *testing.T) {
	srv := newServer(t, zkserver.Options{})
	c, err := Connect(t.Context(), config(srv))
	require.NoError(t, err)
	_, err = c.Create(t.Context(), "/e", nil, Ephemeral)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	srv.Do(func(v *zkserver.View) {
		_, _, ok := v.Get("/e")
		require.False(t, ok, "closing ends the session at once")
	})
	_, _, err = c.Get(t.Context(), "/")
	require.ErrorIs(t, err, ErrClosed)
}
