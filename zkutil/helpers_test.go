package zkutil

import (
	"context"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/zkutil/zkserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newServer makes a server in memory whose sessions end soon after their timeout.
func newServer(t testing.TB, opts zkserver.Options) *zkserver.Server {
	t.Helper()
	if opts.TickTime == 0 {
		opts.TickTime = 50 * time.Millisecond
	}
	srv, err := zkserver.New(opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Close()) })
	return srv
}

// config is for a client of srv over an in-memory connection.
func config(srv *zkserver.Server) Config {
	return Config{
		Connect:        "zk:2181",
		SessionTimeout: 2 * time.Second,
		Dial:           func(ctx context.Context, _, _ string) (net.Conn, error) { return srv.Dial(ctx) },
	}
}

func connect(t testing.TB, cfg Config) *Client {
	t.Helper()
	c, err := Connect(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// start is newServer and connect in one.
func start(t testing.TB) (*zkserver.Server, *Client) {
	t.Helper()
	srv := newServer(t, zkserver.Options{})
	return srv, connect(t, config(srv))
}

// inbox collects what hooks and handlers are told.
type inbox[T comparable] struct {
	mu   sync.Mutex
	got  []T
	some chan struct{}
}

func newInbox[T comparable]() *inbox[T] { return &inbox[T]{some: make(chan struct{}, 1)} }

func (b *inbox[T]) put(v T) {
	b.mu.Lock()
	b.got = append(b.got, v)
	b.mu.Unlock()
	select {
	case b.some <- struct{}{}:
	default:
	}
}

// await waits until the inbox holds v, and removes everything up to it.
func (b *inbox[T]) await(t testing.TB, v T) {
	t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	for {
		b.mu.Lock()
		i := slices.Index(b.got, v)
		if i >= 0 {
			b.got = b.got[i+1:]
		}
		got := slices.Clone(b.got)
		b.mu.Unlock()
		if i >= 0 {
			return
		}
		select {
		case <-b.some:
		case <-limit.C:
			t.Fatalf("%v did not come; there are %v", v, got)
		}
	}
}

func (b *inbox[T]) take() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.got
	b.got = nil
	return got
}

func realZooKeeper(t testing.TB) string {
	t.Helper()
	addr := os.Getenv("ZK_REAL")
	if addr == "" {
		t.Skip("ZK_REAL=host:port names no ZooKeeper")
	}
	return addr
}

func apacheCluster(t testing.TB) string {
	t.Helper()
	addr := os.Getenv("ZK_APACHE")
	if addr == "" {
		t.Skip("ZK_APACHE=host:port/chroot names no cluster of Apache Kafka")
	}
	return addr
}

// elapse lets virtual time pass. Only in a bubble.
func elapse(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
}

// at is a fixed time for what is written with a timestamp.
func at() time.Time { return time.UnixMilli(1731000000000) }

// elected makes c the controller, with all of Kafka's paths in place.
func elected(t testing.TB, c *Client) *Fenced {
	t.Helper()
	require.NoError(t, c.EnsurePersistentPaths(t.Context()))
	won, err := c.ElectController(t.Context(), 1, at())
	require.NoError(t, err)
	return c.Bound().Fenced(won.EpochVersion)
}

func onMulti(r *zkserver.Request) bool { return r.Op == zkserver.OpMulti }
