package memnet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/integration/memnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inBothTimes runs a test in real and in virtual time.
func inBothTimes(t *testing.T, test func(t *testing.T)) {
	t.Run("real", test)
	t.Run("virtual", func(t *testing.T) { synctest.Test(t, test) })
}

// pair returns the two ends of a connection from host a to host b, the dialing one first.
func pair(t testing.TB, n *memnet.Network) (*memnet.Conn, *memnet.Conn) {
	t.Helper()
	l, err := n.Host("b").Listen(":0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	dialed, err := n.Host("a").DialContext(context.Background(), "tcp", l.Addr().String())
	require.NoError(t, err)
	accepted, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = dialed.Close(); _ = accepted.Close() })
	return dialed.(*memnet.Conn), accepted.(*memnet.Conn)
}

func requireTimeout(t testing.TB, err error) {
	t.Helper()
	var ne net.Error
	require.ErrorAs(t, err, &ne)
	require.True(t, ne.Timeout(), "%v", err)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

func TestStreamsCarryBytesInOrderBothWays(t *testing.T) {
	inBothTimes(t, func(t *testing.T) {
		a, b := pair(t, memnet.New())
		data := make([]byte, 1<<20) // many windows
		random := rand.New(rand.NewPCG(1, 2))
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		var group sync.WaitGroup
		for _, ends := range [][2]*memnet.Conn{{a, b}, {b, a}} {
			group.Go(func() {
				_, err := ends[0].Write(data)
				require.NoError(t, err)
				require.NoError(t, ends[0].CloseWrite())
			})
			group.Go(func() {
				got, err := io.ReadAll(ends[1])
				require.NoError(t, err)
				require.True(t, bytes.Equal(data, got))
			})
		}
		group.Wait()
	})
}

func TestConcurrentWritesDoNotMix(t *testing.T) {
	n := memnet.New()
	n.SetWindow(7) // every write needs several rounds
	a, b := pair(t, n)
	const writers, size = 4, 100
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			_, err := a.Write(bytes.Repeat([]byte{byte('a' + i)}, size))
			require.NoError(t, err)
		})
	}
	got := make([]byte, writers*size)
	_, err := io.ReadFull(b, got)
	require.NoError(t, err)
	group.Wait()
	for i := range writers {
		require.Equal(t, bytes.Repeat(got[i*size:i*size+1], size), got[i*size:(i+1)*size])
	}
}

func TestDeadlines(t *testing.T) {
	inBothTimes(t, func(t *testing.T) {
		n := memnet.New()
		n.SetWindow(10)
		a, _ := pair(t, n)
		for _, deadline := range []time.Duration{-time.Hour, 0, 20 * time.Millisecond} {
			require.NoError(t, a.SetReadDeadline(time.Now().Add(deadline)))
			_, err := a.Read(make([]byte, 1))
			requireTimeout(t, err)
			_, err = a.Read(make([]byte, 1))
			requireTimeout(t, err) // it stays
			require.NoError(t, a.SetWriteDeadline(time.Now().Add(deadline)))
			_, err = a.Write(make([]byte, 100))
			requireTimeout(t, err)
		}
	})
}

func TestWriteTellsHowMuchWentBeforeTheDeadline(t *testing.T) {
	n := memnet.New()
	n.SetWindow(10)
	a, b := pair(t, n)
	require.NoError(t, a.SetWriteDeadline(time.Now().Add(10*time.Millisecond)))
	sent, err := a.Write(make([]byte, 100))
	requireTimeout(t, err)
	require.Equal(t, 10, sent)
	require.NoError(t, a.SetWriteDeadline(time.Time{}))
	_, err = io.ReadFull(b, make([]byte, 10))
	require.NoError(t, err)
	sent, err = a.Write(make([]byte, 5))
	require.NoError(t, err)
	require.Equal(t, 5, sent)
}

func TestDeadlineOfARunningReadCanBeMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, memnet.New())
		start := time.Now()
		require.NoError(t, a.SetReadDeadline(start.Add(time.Hour)))
		result := make(chan error)
		read := func() {
			_, err := a.Read(make([]byte, 1))
			result <- err
		}
		go read()
		synctest.Wait()
		require.NoError(t, a.SetReadDeadline(start.Add(time.Minute)))
		requireTimeout(t, <-result)
		require.Equal(t, time.Minute, time.Since(start))

		require.NoError(t, a.SetReadDeadline(start.Add(2*time.Minute)))
		go read()
		synctest.Wait()
		require.NoError(t, a.SetReadDeadline(time.Time{}))
		time.AfterFunc(time.Hour, func() { _, _ = b.Write([]byte{1}) })
		require.NoError(t, <-result)
		require.Equal(t, time.Hour+time.Minute, time.Since(start))
	})
}

func TestCloseWakesReadersAndWritersOfThisEnd(t *testing.T) {
	n := memnet.New()
	n.SetWindow(1)
	a, _ := pair(t, n)
	results := make(chan error, 2)
	go func() { _, err := a.Read(make([]byte, 1)); results <- err }()
	go func() { _, err := a.Write(make([]byte, 100)); results <- err }()
	require.NoError(t, a.Close())
	require.ErrorIs(t, <-results, net.ErrClosed)
	require.ErrorIs(t, <-results, net.ErrClosed)
	for _, err := range []error{a.Close(), a.CloseWrite(), a.CloseRead(), a.SetDeadline(time.Now())} {
		require.ErrorIs(t, err, net.ErrClosed)
	}
}

func TestPeerSeesTheEnd(t *testing.T) {
	cases := []struct {
		name      string
		end       func(a, b *memnet.Conn)
		read      error
		canWrite  bool
		firstRead string
	}{
		{"half-closed", func(a, _ *memnet.Conn) { _, _ = a.Write([]byte("bye")); _ = a.CloseWrite() }, io.EOF, true, "bye"},
		{"closed", func(a, _ *memnet.Conn) { _, _ = a.Write([]byte("bye")); _ = a.Close() }, io.EOF, false, "bye"},
		{"closed with unread data", func(a, b *memnet.Conn) { _, _ = b.Write([]byte("?")); _ = a.Close() }, syscall.ECONNRESET, false, ""},
		{"reset", func(a, _ *memnet.Conn) { a.Reset() }, syscall.ECONNRESET, false, ""},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			a, b := pair(t, memnet.New())
			test.end(a, b)
			if test.firstRead != "" {
				got := make([]byte, len(test.firstRead))
				_, err := io.ReadFull(b, got)
				require.NoError(t, err)
				require.Equal(t, test.firstRead, string(got))
			}
			_, err := b.Read(make([]byte, 1))
			require.ErrorIs(t, err, test.read)
			_, err = b.Write([]byte("x"))
			if test.canWrite {
				require.NoError(t, err)
				got := make([]byte, 1)
				_, err = a.Read(got)
				require.NoError(t, err)
				require.Equal(t, "x", string(got))
				return
			}
			require.True(t, errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET), "%v", err)
		})
	}
}

func TestWriterIsNotHeldUpByAReaderThatCloses(t *testing.T) {
	n := memnet.New()
	n.SetWindow(4)
	a, b := pair(t, n)
	result := make(chan error)
	go func() { _, err := a.Write(make([]byte, 100)); result <- err }()
	require.NoError(t, b.CloseRead())
	require.NoError(t, <-result)
	go func() {
		for {
			if _, err := a.Write(make([]byte, 100)); err != nil {
				result <- err
				return
			}
		}
	}()
	require.NoError(t, b.Close())
	require.ErrorIs(t, <-result, syscall.EPIPE)
}

func TestMethodsMayBeCalledConcurrently(t *testing.T) {
	a, b := pair(t, memnet.New())
	go func() { _, _ = io.Copy(b, b) }()
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() { _ = a.SetReadDeadline(time.Now().Add(10 * time.Millisecond)) })
		group.Go(func() { _ = a.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)) })
		group.Go(func() { _, _ = a.Read(make([]byte, 64)) })
		group.Go(func() { _, _ = a.Write(make([]byte, 64)) })
		group.Go(func() { _, _ = a.LocalAddr(), a.RemoteAddr() })
	}
	group.Wait()
}
