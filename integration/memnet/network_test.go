package memnet_test

import (
	"context"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/integration/memnet"
)

func TestAddresses(t *testing.T) {
	n := memnet.New()
	b := n.Host("b")
	for _, addr := range []string{":0", "b:0", "localhost:0", "127.0.0.1:0", "0.0.0.0:0", "[::]:0"} {
		l, err := b.Listen(addr)
		require.NoError(t, err, addr)
		require.Equal(t, "b", l.Addr().(memnet.Addr).Host)
		require.Equal(t, "tcp", l.Addr().Network())
		c, err := n.DialContext(context.Background(), "tcp", l.Addr().String())
		require.NoError(t, err)
		require.Equal(t, "client", c.LocalAddr().(memnet.Addr).Host)
		require.Equal(t, l.Addr(), c.RemoteAddr())
		require.NoError(t, c.Close())
		require.NoError(t, l.Close())
	}
	l, err := n.Listen("b:9092")
	require.NoError(t, err)
	defer l.Close()
	_, err = b.Listen(":9092")
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	_, err = b.Listen("c:9092")
	require.ErrorIs(t, err, syscall.EADDRNOTAVAIL)
	c, err := b.DialContext(context.Background(), "tcp", "localhost:9092")
	require.NoError(t, err, "localhost is the caller's own host")
	require.NoError(t, c.Close())

	for _, addr := range []string{"9092", "b:", "b:x", "b:70000", "b:-1"} {
		_, err = b.Listen(addr)
		require.Error(t, err, addr)
		_, err = b.DialContext(context.Background(), "tcp", addr)
		require.Error(t, err, addr)
	}
	_, err = b.DialContext(context.Background(), "udp", "b:9092")
	require.Error(t, err)
	_, err = b.ListenContext(context.Background(), "udp", "b:0")
	require.Error(t, err)
}

func TestDialingNobody(t *testing.T) {
	n := memnet.New()
	n.Host("b")
	_, err := n.DialContext(context.Background(), "tcp", "b:1")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	var dns *net.DNSError
	_, err = n.DialContext(context.Background(), "tcp", "nowhere:1")
	require.ErrorAs(t, err, &dns)
	require.True(t, dns.IsNotFound)

	l, err := n.Listen("b:1")
	require.NoError(t, err)
	defer l.Close()
	n.Refuse("b:1")
	_, err = n.DialContext(context.Background(), "tcp", "b:1")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	n.Allow("b:1")
	c, err := n.DialContext(context.Background(), "tcp", "b:1")
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

func TestBacklogIsBoundedAndResetWhenTheListenerCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		l, err := n.Listen("b:1")
		require.NoError(t, err)
		dial := func() (net.Conn, error) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return n.DialContext(ctx, "tcp", "b:1")
		}
		var conns []net.Conn
		for range 128 {
			c, err := dial()
			require.NoError(t, err)
			conns = append(conns, c)
		}
		_, err = dial()
		requireTimeout(t, err)
		// Room for one lets one in that waits already.
		time.AfterFunc(time.Millisecond, func() {
			c, err := l.Accept()
			require.NoError(t, err)
			require.NoError(t, c.Close())
		})
		c, err := dial()
		require.NoError(t, err)
		conns = append(conns, c)
		require.NoError(t, l.Close())
		require.ErrorIs(t, l.Close(), net.ErrClosed)
		_, err = l.Accept()
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, syscall.ECONNRESET)
		for _, c := range conns {
			require.NoError(t, c.Close())
		}
		require.Zero(t, n.Connections("client", "b"))
	})
}

func TestCloseWakesAccept(t *testing.T) {
	n := memnet.New()
	l, err := n.Listen("b:1")
	require.NoError(t, err)
	result := make(chan error)
	go func() { _, err := l.Accept(); result <- err }()
	require.NoError(t, l.Close())
	require.ErrorIs(t, <-result, net.ErrClosed)
}

// exchange sends a message and returns after how long it arrived, or whether it didn't within a minute.
func exchange(t *testing.T, from, to *memnet.Conn) (after time.Duration, arrived bool) {
	t.Helper()
	start := time.Now()
	_, err := from.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, to.SetReadDeadline(start.Add(time.Minute)))
	_, err = to.Read(make([]byte, 1))
	if err != nil {
		requireTimeout(t, err)
	}
	require.NoError(t, to.SetReadDeadline(time.Time{}))
	return time.Since(start), err == nil
}

func TestCutLosesNothingButTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		a, b := pair(t, n)
		_, err := a.Write([]byte("before "))
		require.NoError(t, err)
		n.Cut("a", "b")
		_, err = a.Write([]byte("after"))
		require.NoError(t, err)
		got := make([]byte, 100)
		k, err := b.Read(got)
		require.NoError(t, err)
		require.Equal(t, "before ", string(got[:k]), "what had arrived is there")
		_, arrived := exchange(t, b, a)
		require.False(t, arrived)

		// The end of a connection doesn't get through either; others aren't concerned.
		require.NoError(t, a.Close())
		require.NoError(t, b.SetReadDeadline(time.Now().Add(time.Hour)))
		_, err = b.Read(got)
		requireTimeout(t, err)
		require.NoError(t, b.SetReadDeadline(time.Time{}))
		n.Heal("b", "a")
		rest, err := io.ReadAll(b)
		require.NoError(t, err)
		require.Equal(t, "after", string(rest))
	})
}

func TestCutFillsTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		n.SetWindow(10)
		a, b := pair(t, n)
		n.CutOneWay("a", "b")
		require.NoError(t, a.SetWriteDeadline(time.Now().Add(time.Second)))
		sent, err := a.Write(make([]byte, 11))
		requireTimeout(t, err)
		require.Equal(t, 10, sent)
		_, arrived := exchange(t, b, a)
		require.True(t, arrived, "the other way works")
		n.HealAll()
		_, err = io.ReadFull(b, make([]byte, 10))
		require.NoError(t, err)
	})
}

func TestDialWaitsForTheCutToHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		l, err := n.Listen("b:1")
		require.NoError(t, err)
		defer l.Close()
		n.CutOneWay("b", "a")
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = n.Host("a").DialContext(ctx, "tcp", "b:1")
		requireTimeout(t, err)
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = n.Host("a").DialContext(canceled, "tcp", "b:1")
		require.ErrorIs(t, err, context.Canceled)

		time.AfterFunc(time.Hour, func() { n.Heal("a", "b") })
		c, err := n.Host("a").DialContext(t.Context(), "tcp", "b:1")
		require.NoError(t, err)
		require.Equal(t, time.Hour+time.Second, time.Since(start))
		require.NoError(t, c.Close())
	})
}

func TestIsolate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		a, b := pair(t, n)
		n.Isolate("b")
		_, arrived := exchange(t, a, b)
		require.False(t, arrived)
		l, err := n.Listen("b:1")
		require.NoError(t, err)
		defer l.Close()
		own, err := n.Host("b").DialContext(t.Context(), "tcp", ":1")
		require.NoError(t, err, "a host reaches itself")
		require.NoError(t, own.Close())
		n.Rejoin("b")
		_, arrived = exchange(t, a, b)
		require.True(t, arrived)
	})
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		a, b := pair(t, n)
		n.Delay("a", "b", 30*time.Millisecond)
		for _, ends := range [][2]*memnet.Conn{{a, b}, {b, a}} {
			after, arrived := exchange(t, ends[0], ends[1])
			require.True(t, arrived)
			require.Equal(t, 30*time.Millisecond, after)
		}
		// What is sent later, with less delay, doesn't overtake.
		_, err := a.Write([]byte("1"))
		require.NoError(t, err)
		n.Delay("a", "b", 0)
		_, err = a.Write([]byte("2"))
		require.NoError(t, err)
		require.NoError(t, a.Close())
		start := time.Now()
		got, err := io.ReadAll(b)
		require.NoError(t, err)
		require.Equal(t, "12", string(got))
		require.Equal(t, 30*time.Millisecond, time.Since(start))

		n.Delay("a", "c", 20*time.Millisecond)
		l, err := n.Listen("c:1")
		require.NoError(t, err)
		defer l.Close()
		start = time.Now()
		c, err := n.Host("a").DialContext(t.Context(), "tcp", "c:1")
		require.NoError(t, err)
		require.Equal(t, 40*time.Millisecond, time.Since(start), "dialing takes a round trip")
		require.NoError(t, c.Close())
	})
}

func TestReset(t *testing.T) {
	n := memnet.New()
	a, b := pair(t, n)
	c, d := pair(t, n)
	other, err := n.Listen("x:1")
	require.NoError(t, err)
	defer other.Close()
	survivor, err := n.Host("a").DialContext(context.Background(), "tcp", "x:1")
	require.NoError(t, err)
	defer survivor.Close()
	n.Reset("b", "a")
	for _, end := range []*memnet.Conn{a, b, c, d} {
		_, err := end.Read(make([]byte, 1))
		require.ErrorIs(t, err, syscall.ECONNRESET)
		_, err = end.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.ECONNRESET)
	}
	_, err = survivor.Write([]byte("x"))
	require.NoError(t, err)
	require.Zero(t, n.Connections("a", "b"))
	require.Equal(t, 1, n.Connections("x", "a"))
}

func TestCrash(t *testing.T) {
	n := memnet.New()
	a, b := pair(t, n)
	l, err := n.Listen("b:1")
	require.NoError(t, err)
	n.Host("b").Crash()
	_, err = b.Write([]byte("x"))
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = a.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = n.DialContext(context.Background(), "tcp", "b:1")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	l, err = n.Listen("b:1")
	require.NoError(t, err, "it may come back on its port")
	require.NoError(t, l.Close())
}
