package zkserver_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
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

// hosts hands out the same names for ever, without the look-ups and pauses of the library's own provider.
type hosts struct {
	names []string
	next  int
}

func (h *hosts) Init([]string) error { return nil }
func (h *hosts) Len() int            { return len(h.names) }
func (h *hosts) Next() (string, bool) {
	n := h.names[h.next%len(h.names)]
	h.next++
	return n, false
}
func (h *hosts) Connected() {}

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

func connect(t testing.TB, timeout time.Duration, dial zk.Dialer) *client {
	t.Helper()
	c := &client{done: make(chan struct{}), woken: make(chan struct{}, 1)}
	conn, events, err := zk.Connect([]string{"a:1", "b:1"}, timeout,
		zk.WithDialer(dial), zk.WithHostProvider(&hosts{names: []string{"a:1", "b:1"}}), zk.WithLogger(silent{}), zk.WithLogInfo(false),
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
	t.Cleanup(c.stop)
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
func crud(t *testing.T, a, b *client) {
	open := zk.WorldACL(zk.PermAll)
	p, err := a.Create("/n", []byte("x"), 0, open)
	require.NoError(t, err)
	require.Equal(t, "/n", p)
	_, err = b.Create("/n", nil, 0, open)
	require.ErrorIs(t, err, zk.ErrNodeExists)

	data, st, data1, err := a.GetW("/n")
	require.NoError(t, err)
	require.Equal(t, "x", string(data))
	require.Equal(t, int32(0), st.Version)
	_, err = b.Set("/n", []byte("y"), 1)
	require.ErrorIs(t, err, zk.ErrBadVersion)
	_, err = b.Set("/n", []byte("y"), 0)
	require.NoError(t, err)
	require.Equal(t, zk.EventNodeDataChanged, (<-data1).Type)

	_, _, kids, err := a.ChildrenW("/n")
	require.NoError(t, err)
	ok, _, appears, err := a.ExistsW("/n/s-0000000000")
	require.NoError(t, err)
	require.False(t, ok)
	p, err = b.Create("/n/s-", nil, zk.FlagSequence|zk.FlagEphemeral, open)
	require.NoError(t, err)
	require.Equal(t, "/n/s-0000000000", p)
	require.Equal(t, zk.EventNodeChildrenChanged, (<-kids).Type)
	require.Equal(t, zk.EventNodeCreated, (<-appears).Type)
	_, st, err = a.Get(p)
	require.NoError(t, err)
	require.Equal(t, b.SessionID(), st.EphemeralOwner)
	require.ErrorIs(t, a.Delete("/n", -1), zk.ErrNotEmpty)

	res, err := a.Multi(&zk.CheckVersionRequest{Path: "/n", Version: 1},
		&zk.CreateRequest{Path: "/m", Acl: open}, &zk.SetDataRequest{Path: "/m", Data: []byte("z"), Version: 0})
	require.NoError(t, err)
	require.Equal(t, "/m", res[1].String)
	require.Equal(t, int32(1), res[2].Stat.Version)
	_, err = a.Multi(&zk.DeleteRequest{Path: "/m", Version: -1}, &zk.CheckVersionRequest{Path: "/n", Version: 7})
	require.ErrorIs(t, err, zk.ErrBadVersion)
	ok, _, err = b.Exists("/m")
	require.NoError(t, err)
	require.True(t, ok, "a failed multi changes nothing")
	_, err = a.Sync("/")
	require.NoError(t, err)
}

func TestClientOverTCP(t *testing.T) {
	s := newServer(t, zkserver.Options{})
	addr := serve(t, s)
	crud(t, connect(t, 10*time.Second, overTCP(addr)), connect(t, 10*time.Second, overTCP(addr)))
}

func TestClientInProcess(t *testing.T) {
	s := newServer(t, zkserver.Options{})
	crud(t, connect(t, 10*time.Second, inProcess(s)), connect(t, 10*time.Second, inProcess(s)))
}
