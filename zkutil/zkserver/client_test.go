package zkserver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/zkutil/zkserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newServer(t testing.TB, opts zkserver.Options) *zkserver.Server {
	t.Helper()
	s, err := zkserver.New(opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// serve starts a TCP listener and returns its address.
func serve(t testing.TB, s *zkserver.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Serve(l); err != nil && !errors.Is(err, zkserver.ErrClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		wg.Wait()
	})
	return l.Addr().String()
}

// hosts hands out two names in turn, without the look-ups of the library's own provider. Like that one it asks for a pause
// once both were tried in vain: without, a refused client would spin, and virtual time stand still.
type hosts struct{ curr, last int }

func (h *hosts) Init([]string) error { return nil }
func (h *hosts) Len() int            { return 2 }
func (h *hosts) Next() (string, bool) {
	h.curr = (h.curr + 1) % 2
	retry := h.curr == h.last
	if h.last < 0 {
		h.last = 0
	}
	return []string{"a:1", "b:1"}[h.curr], retry
}
func (h *hosts) Connected() { h.last = h.curr }

type silent struct{}

func (silent) Printf(string, ...any) {}

// client is a go-zookeeper connection and the session events it has seen.
type client struct {
	*zk.Conn
	done chan struct{}

	mu     sync.Mutex
	states []zk.State
	woken  chan struct{}
}

func (c *client) saw(n int, state zk.State) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.states {
		if s == state {
			n--
		}
	}
	return n <= 0
}

// await waits until a session state has been seen n times.
func (c *client) await(t testing.TB, n int, state zk.State) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !c.saw(n, state) {
		select {
		case <-c.woken:
		case <-deadline:
			require.FailNow(t, "session state not reached", "%v", state)
		}
	}
}

// connect is connectTo for tests that are not in a bubble, where cleanup comes too late.
func connect(t testing.TB, timeout time.Duration, dial zk.Dialer) *client {
	t.Helper()
	c := connectTo(t, timeout, dial)
	t.Cleanup(c.stop)
	return c
}

func connectTo(t testing.TB, timeout time.Duration, dial zk.Dialer) *client {
	t.Helper()
	c := &client{done: make(chan struct{}), woken: make(chan struct{}, 1)}
	conn, events, err := zk.Connect([]string{"a:1", "b:1"}, timeout,
		zk.WithDialer(dial), zk.WithHostProvider(&hosts{curr: -1, last: -1}), zk.WithLogger(silent{}), zk.WithLogInfo(false),
		zk.WithEventCallback(func(e zk.Event) {
			if e.Type != zk.EventSession {
				return
			}
			c.mu.Lock()
			c.states = append(c.states, e.State)
			c.mu.Unlock()
			select {
			case c.woken <- struct{}{}:
			default:
			}
		}))
	require.NoError(t, err)
	c.Conn = conn
	go func() {
		defer close(c.done)
		for range events { //nolint:revive // the library must be drained until it closes the channel
		}
	}()
	c.await(t, 1, zk.StateHasSession)
	return c
}

func (c *client) stop() {
	c.Close()
	<-c.done
}

func inProcess(s *zkserver.Server) zk.Dialer {
	return func(string, string, time.Duration) (net.Conn, error) { return s.Dial(context.Background()) }
}

func overTCP(addr string) zk.Dialer {
	return func(_, _ string, d time.Duration) (net.Conn, error) { return net.DialTimeout("tcp", addr, d) }
}

// crud is the everyday life of a client.
func crud(t *testing.T, root string, a, b *client) {
	open := zk.WorldACL(zk.PermAll)
	_, err := a.Create(root, nil, 0, open)
	require.NoError(t, err)
	p, err := a.Create(root+"/n", []byte("x"), 0, open)
	require.NoError(t, err)
	require.Equal(t, root+"/n", p)
	_, err = b.Create(root+"/n", nil, 0, open)
	require.ErrorIs(t, err, zk.ErrNodeExists)

	data, st, data1, err := a.GetW(root + "/n")
	require.NoError(t, err)
	require.Equal(t, "x", string(data))
	require.Equal(t, int32(0), st.Version)
	_, err = b.Set(root+"/n", []byte("y"), 1)
	require.ErrorIs(t, err, zk.ErrBadVersion)
	_, err = b.Set(root+"/n", []byte("y"), 0)
	require.NoError(t, err)
	require.Equal(t, zk.EventNodeDataChanged, (<-data1).Type)

	_, _, kids, err := a.ChildrenW(root + "/n")
	require.NoError(t, err)
	ok, _, appears, err := a.ExistsW(root + "/n/s-0000000000")
	require.NoError(t, err)
	require.False(t, ok)
	p, err = b.Create(root+"/n/s-", nil, zk.FlagSequence|zk.FlagEphemeral, open)
	require.NoError(t, err)
	require.Equal(t, root+"/n/s-0000000000", p)
	require.Equal(t, zk.EventNodeChildrenChanged, (<-kids).Type)
	require.Equal(t, zk.EventNodeCreated, (<-appears).Type)
	_, st, err = a.Get(p)
	require.NoError(t, err)
	require.Equal(t, b.SessionID(), st.EphemeralOwner)
	require.ErrorIs(t, a.Delete(root+"/n", -1), zk.ErrNotEmpty)

	res, err := a.Multi(&zk.CheckVersionRequest{Path: root + "/n", Version: 1},
		&zk.CreateRequest{Path: root + "/m", Acl: open}, &zk.SetDataRequest{Path: root + "/m", Data: []byte("z"), Version: 0})
	require.NoError(t, err)
	require.Equal(t, root+"/m", res[1].String)
	require.Equal(t, int32(1), res[2].Stat.Version)
	_, err = a.Multi(&zk.DeleteRequest{Path: root + "/m", Version: -1}, &zk.CheckVersionRequest{Path: root + "/n", Version: 7})
	require.ErrorIs(t, err, zk.ErrBadVersion)
	ok, _, err = b.Exists(root + "/m")
	require.NoError(t, err)
	require.True(t, ok, "a failed multi changes nothing")
	_, err = a.Sync(root)
	require.NoError(t, err)
}

func TestClientOverTCP(t *testing.T) {
	addr := realServer()
	if addr == "" {
		addr = serve(t, newServer(t, zkserver.Options{}))
	}
	crud(t, fmt.Sprintf("/crud%d", time.Now().UnixNano()), connect(t, 10*time.Second, overTCP(addr)), connect(t, 10*time.Second, overTCP(addr)))
}

func TestClientInProcess(t *testing.T) {
	s := newServer(t, zkserver.Options{})
	crud(t, "/crud", connect(t, 10*time.Second, inProcess(s)), connect(t, 10*time.Second, inProcess(s)))
}

// In a bubble an hour costs nothing: the session lives through it, dies when its client is cut off, and the library opens another.
func TestClientInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := zkserver.New(zkserver.Options{TickTime: time.Second})
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close()) }()
		a := connectTo(t, 6*time.Second, func(string, string, time.Duration) (net.Conn, error) {
			return s.DialAs(t.Context(), 0, "a")
		})
		defer a.stop()
		b := connectTo(t, 60*time.Second, inProcess(s))
		defer b.stop()
		_, err = a.Create("/e", nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
		require.NoError(t, err)
		first := a.SessionID()
		time.Sleep(time.Hour)
		ok, _, gone, err := b.ExistsW("/e")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, first, a.SessionID())

		allow := s.Refuse(zkserver.ByRemote("a"))
		cut := time.Now()
		require.Equal(t, zk.EventNodeDeleted, (<-gone).Type)
		after := time.Since(cut)
		require.Greater(t, after, 4*time.Second) // the last ping was at most a third of the timeout ago
		require.LessOrEqual(t, after, 7*time.Second)
		allow()
		a.await(t, 2, zk.StateHasSession)
		require.True(t, a.saw(1, zk.StateExpired))
		require.NotEqual(t, first, a.SessionID())
	})
}

// A client that loses its connection keeps its session and hears of what it missed.
func TestClientReconnects(t *testing.T) {
	s := newServer(t, zkserver.Options{})
	addr := serve(t, s)
	a, b := connect(t, 10*time.Second, overTCP(addr)), connect(t, 10*time.Second, inProcess(s))
	_, err := a.Create("/n", nil, 0, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
	_, err = a.Create("/e", nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
	id := a.SessionID()
	_, _, changed, err := a.GetW("/n")
	require.NoError(t, err)
	allow := s.Refuse(zkserver.BySession(id))
	_, err = b.Set("/n", []byte("x"), 0)
	require.NoError(t, err)
	allow()
	require.Equal(t, zk.EventNodeDataChanged, (<-changed).Type)
	a.await(t, 2, zk.StateHasSession)
	require.Equal(t, id, a.SessionID())
	_, st, err := b.Get("/e")
	require.NoError(t, err)
	require.Equal(t, id, st.EphemeralOwner)
}

// Expiry of a connected client: it learns by the refusal of its session, and its watches end.
func TestClientExpires(t *testing.T) {
	s := newServer(t, zkserver.Options{})
	a := connect(t, 10*time.Second, inProcess(s))
	_, err := a.Create("/e", nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
	id := a.SessionID()
	_, _, ch, err := a.GetW("/e")
	require.NoError(t, err)
	require.True(t, s.ExpireSession(id))
	require.False(t, s.ExpireSession(id))
	ev := <-ch
	require.Equal(t, zk.EventNotWatching, ev.Type)
	require.ErrorIs(t, ev.Err, zk.ErrSessionExpired)
	a.await(t, 2, zk.StateHasSession)
	require.NotEqual(t, id, a.SessionID())
	ok, _, err := a.Exists("/e")
	require.NoError(t, err)
	require.False(t, ok)
}

// The reply is lost, the write is not: the client must read back.
func TestClientUnknownOutcome(t *testing.T) {
	s := newServer(t, zkserver.Options{})
	a := connect(t, 10*time.Second, inProcess(s))
	s.OnRequest(func(r *zkserver.Request) bool { return r.Write() && r.Touches("/e") }, zkserver.DropAfter(), 1)
	_, err := a.Create("/e", nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	require.ErrorIs(t, err, zk.ErrConnectionClosed)
	_, st, err := a.Get("/e")
	require.NoError(t, err)
	require.Equal(t, a.SessionID(), st.EphemeralOwner)
}

// A server that lost its data is ahead of its former clients: they learn that their session is gone, instead of being
// turned away for ever.
func TestWipedServerIsAheadOfItsClients(t *testing.T) {
	first := newServer(t, zkserver.Options{})
	var current atomic.Pointer[zkserver.Server]
	current.Store(first)
	a := connect(t, 10*time.Second, func(string, string, time.Duration) (net.Conn, error) {
		return current.Load().Dial(context.Background())
	})
	for range 50 {
		_, err := a.Set("/", nil, -1)
		require.NoError(t, err)
	}
	// A later start, by the resolution of the ids' clock.
	require.Eventually(t, func() bool {
		second := newServer(t, zkserver.Options{})
		var was, is int64
		first.Do(func(v *zkserver.View) { was = v.Zxid() })
		second.Do(func(v *zkserver.View) { is = v.Zxid() })
		if is <= was {
			return false
		}
		current.Store(second)
		return true
	}, 5*time.Second, time.Millisecond)
	require.NoError(t, first.Close())
	a.await(t, 1, zk.StateExpired)
	a.await(t, 2, zk.StateHasSession)
}

// A thousand watches, changed while the client is away: the server sends an event for each. (go-zookeeper loses some under
// load with very many watches; that is the library's.)
func TestClientManyWatchesAcrossReconnect(t *testing.T) {
	s := newServer(t, zkserver.Options{})
	a, b := connect(t, 10*time.Second, inProcess(s)), connect(t, 10*time.Second, inProcess(s))
	const n = 1000
	var chans []<-chan zk.Event
	for i := range n {
		p := fmt.Sprintf("/w%d", i)
		_, err := b.Create(p, nil, 0, zk.WorldACL(zk.PermAll))
		require.NoError(t, err)
		_, _, ch, err := a.GetW(p)
		require.NoError(t, err)
		chans = append(chans, ch)
	}
	allow := s.Refuse(zkserver.BySession(a.SessionID()))
	var ops []any
	for i := range n {
		ops = append(ops, &zk.SetDataRequest{Path: fmt.Sprintf("/w%d", i), Version: 0})
	}
	_, err := b.Multi(ops...)
	require.NoError(t, err)
	allow()
	for _, ch := range chans {
		require.Equal(t, zk.EventNodeDataChanged, (<-ch).Type)
	}
}
