package zkutil

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/sasl"
	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// secured is a server with a user, and the config of a client that is that user.
func secured(t testing.TB) (*zkserver.Server, Config) {
	t.Helper()
	srv := newServer(t, zkserver.Options{Users: map[string]string{"kafka": "secret", "other": "word"}})
	cfg := config(srv)
	cfg.SetACL, cfg.SASL = true, &sasl.Login{Username: "kafka", Password: "secret"}
	return srv, cfg
}

// What Kafka's defaultAcls give, resolved to the SASL user by the server.
func TestSASLIdentity(t *testing.T) {
	srv, cfg := secured(t)
	c, open := connect(t, cfg), connect(t, config(srv))
	ctx := t.Context()
	require.NoError(t, c.EnsurePersistentPaths(ctx))
	type acl = znode.ACL
	mine, everyone := acl{Perms: 31, Scheme: "sasl", ID: "kafka"}, acl{Perms: 1, Scheme: "world", ID: "anyone"}
	for path, want := range map[string][]znode.ACL{
		"/brokers/ids": {mine, everyone}, "/brokers/topics": {mine, everyone}, "/config/topics": {mine, everyone}, "/config/users": {mine}, "/config/brokers": {mine},
		"/consumers": {{Perms: 31, Scheme: "world", ID: "anyone"}},
	} {
		got, err := c.ACL(ctx, path)
		require.NoError(t, err)
		require.Equal(t, want, got, path)
	}
	_, _, err := open.Get(ctx, "/brokers/ids")
	require.NoError(t, err)
	_, err = open.Create(ctx, "/brokers/ids/1", nil, Ephemeral)
	require.ErrorIs(t, err, ErrNoAuth)
	_, _, err = open.Get(ctx, "/config/users")
	require.ErrorIs(t, err, ErrNoAuth)
	_, err = open.ACL(ctx, "/config/users")
	require.ErrorIs(t, err, ErrNoAuth)

	// Another user is nobody here, the same user from elsewhere is.
	cfg.SASL = &sasl.Login{Username: "other", Password: "word"}
	_, err = connect(t, cfg).Create(ctx, "/brokers/ids/1", nil, Ephemeral)
	require.ErrorIs(t, err, ErrNoAuth)
	cfg.SASL = &sasl.Login{Username: "kafka", Password: "secret"}
	_, err = connect(t, cfg).Create(ctx, "/brokers/ids/1", nil, Ephemeral)
	require.NoError(t, err)
}

// The identity comes back with every connection and with every session.
func TestSASLAgain(t *testing.T) {
	srv, cfg := secured(t)
	c := connect(t, cfg)
	ctx := t.Context()
	require.NoError(t, c.EnsurePath(ctx, "/config/users"))
	for i := range 20 {
		srv.DropConnections(nil)
		require.NoError(t, c.EnsurePath(ctx, "/config/users/u"+string(rune('a'+i))))
	}
	renewed := newInbox[int]()
	c.OnNewSession(func() { renewed.put(1) })
	require.True(t, srv.ExpireSession(c.Session().ID))
	renewed.await(t, 1)
	require.NoError(t, c.EnsurePath(ctx, "/config/users/z"))
	acl, err := c.ACL(ctx, "/config/users/z")
	require.NoError(t, err)
	require.Equal(t, []znode.ACL{{Perms: 31, Scheme: "sasl", ID: "kafka"}}, acl)
}

// A wrong password ends Connect at once, with one attempt.
func TestSASLRefused(t *testing.T) {
	srv, cfg := secured(t)
	var dials atomic.Int32
	dial := cfg.Dial
	cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return dial(ctx, network, addr)
	}
	cfg.ConnectionTimeout = time.Minute
	for _, login := range []sasl.Login{{Username: "kafka", Password: "mistaken"}, {Username: "nobody", Password: "secret"}} {
		dials.Store(0)
		cfg.SASL = &login
		_, err := Connect(t.Context(), cfg)
		require.ErrorIs(t, err, ErrAuthFailed)
		require.ErrorContains(t, err, "user "+login.Username)
		require.ErrorContains(t, err, "zk:2181")
		require.NotContains(t, err.Error(), login.Password)
		require.EqualValues(t, 1, dials.Load())
	}
	srv.Do(func(v *zkserver.View) { require.NotContains(t, v.Children("/"), "brokers") })

	// A server without users says nothing in answer, which proves nothing.
	plain := newServer(t, zkserver.Options{})
	cfg = config(plain)
	cfg.SASL = &sasl.Login{Username: "kafka", Password: "secret"}
	_, err := Connect(t.Context(), cfg)
	require.ErrorIs(t, err, ErrAuthFailed)
	require.ErrorContains(t, err, "DigestLoginModule")

	cfg.SASL = &sasl.Login{}
	_, err = Connect(t.Context(), cfg)
	require.ErrorContains(t, err, "no username")
}

// A server that stops to know the user ends the session; the client tries again each second, no faster, and comes back when the server knows
// the user again.
func TestSASLRefusedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good, cfg := secured(t)
		bad := newServer(t, zkserver.Options{Users: map[string]string{"kafka": "another"}})
		cfg.SessionTimeout = time.Minute
		var toBad atomic.Bool
		var dials, failed atomic.Int32
		cfg.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			if toBad.Load() {
				dials.Add(1)
				return bad.Dial(ctx)
			}
			return good.Dial(ctx)
		}
		cfg.OnEvent = func(e SessionEvent) {
			if e.Kind == EventAuthFailed {
				failed.Add(1)
			}
		}
		c := connect(t, cfg)
		first := c.Session()
		expired := newInbox[int]()
		c.OnSessionExpired(func() { expired.put(1) })
		// The bad server doesn't know the session; that's an expiry. What follows is the new session, which it does not let in.
		toBad.Store(true)
		good.DropConnections(nil)
		expired.await(t, 1)
		elapse(10 * time.Second)
		require.GreaterOrEqual(t, failed.Load(), int32(5))
		require.LessOrEqual(t, dials.Load(), int32(15))
		_, _, err := c.Get(t.Context(), "/")
		require.ErrorIs(t, err, ErrSessionExpired)
		renewed := newInbox[int]()
		c.OnNewSession(func() { renewed.put(1) })
		toBad.Store(false)
		renewed.await(t, 1)
		require.NotEqual(t, first.ID, c.Session().ID)
		require.NoError(t, c.EnsurePath(t.Context(), "/config/users"))
	})
}

// A connection that breaks in the middle of the exchange is tried again, with pauses, and nothing was sent without an identity.
func TestSASLBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, cfg := secured(t)
		var dials atomic.Int32
		defer srv.OnRequest(func(r *zkserver.Request) bool { return r.Op == zkserver.OpSASL }, zkserver.DropBefore(), 5)()
		dial := cfg.Dial
		cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials.Add(1)
			return dial(ctx, network, addr)
		}
		cfg.SessionTimeout, cfg.ConnectionTimeout = time.Minute, time.Minute
		began := time.Now()
		c := connect(t, cfg)
		require.GreaterOrEqual(t, time.Since(began), minBackoff, "no storm")
		require.NoError(t, c.EnsurePath(t.Context(), "/config/users"))
		require.EqualValues(t, 6, dials.Load())
	})
}

// Whatever a server says during the exchange, the client neither hangs nor goes on without an identity.
func TestSASLNonsense(t *testing.T) {
	frame := func(body ...byte) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	}
	ok := frame(append([]byte{0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 16}, make([]byte, 16)...)...)
	header := func(xid, code byte, rest ...byte) []byte {
		h := append([]byte{0, 0, 0, xid}, make([]byte, 8)...)
		if code != 0 {
			h = append(h, 0xff, 0xff, 0xff, code)
		} else {
			h = append(h, 0, 0, 0, 0)
		}
		return append(h, rest...)
	}
	for name, answer := range map[string][]byte{
		"nothing": {}, "end": frame(header(1, 0)...), "another xid": frame(header(7, 0, 0, 0, 0, 0)...), "a negative length": {0xff, 0xff, 0xff, 0xff},
		"a huge frame": {0x7f, 0xff, 0xff, 0xff}, "null": frame(header(1, 0, 0xff, 0xff, 0xff, 0xff)...), "another code": frame(header(1, 0x9c)...),
		"lying length": frame(header(1, 0, 0, 0, 0, 9, 'x')...), "no challenge": frame(header(1, 0, 0, 0, 0, 1, 'x')...), "short": frame(1, 2, 3),
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{
				Connect: "zk", SessionTimeout: 2 * time.Second, ConnectionTimeout: 300 * time.Millisecond, SASL: &sasl.Login{Username: "kafka", Password: "secret"},
				Dial: func(context.Context, string, string) (net.Conn, error) {
					ours, theirs := net.Pipe()
					go func() {
						defer theirs.Close()
						buf := make([]byte, 48)
						if _, err := io.ReadFull(theirs, buf); err != nil { // the handshake
							return
						}
						if _, err := theirs.Write(ok); err != nil {
							return
						}
						if _, err := io.ReadFull(theirs, buf[:16]); err != nil { // the first message
							return
						}
						_, _ = theirs.Write(answer)
					}()
					return ours, nil
				},
			}
			_, err := Connect(t.Context(), cfg)
			require.Error(t, err)
			require.ErrorContains(t, err, "authent")
		})
	}
}
