//go:build unix

package network

import (
	"net"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestIdleConnectionsAreCheap measures what a connection costs the server while nothing happens on it, after it has been used.
func TestIdleConnectionsAreCheap(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector's memory is not the server's")
	}
	const conns = 2500 // two descriptors each
	perConn := idleCost(t, conns)
	t.Logf("%d bytes per idle connection", perConn)
	require.Less(t, perConn, 6<<10)
}

// idleCost opens connections, has each ask once, and returns the bytes that the server's side of one takes when all are idle.
func idleCost(t testing.TB, conns int) int {
	t.Helper()
	s := start(t, Config{}, HandlerFunc(echo))
	addr := s.Addr("CLIENT").(*net.TCPAddr)
	request := apiVersions(t, 1)
	// Bare descriptors, so that the clients take no memory of this process.
	fds := make([]int, 0, conns)
	defer func() {
		for _, fd := range fds {
			_ = syscall.Close(fd)
		}
		s.Close()
	}()
	memory := func() int {
		runtime.GC()
		runtime.GC() // stacks shrink and pools empty in turn
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc + m.StackInuse)
	}
	before := memory()
	to := &syscall.SockaddrInet4{Port: addr.Port, Addr: [4]byte{127, 0, 0, 1}}
	response := make([]byte, 64)
	for range conns {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		require.NoError(t, err)
		fds = append(fds, fd)
		require.NoError(t, syscall.Connect(fd, to))
		_, err = syscall.Write(fd, request)
		require.NoError(t, err)
		_, err = syscall.Read(fd, response)
		require.NoError(t, err)
	}
	require.Equal(t, conns, s.Connections(""))
	return (memory() - before) / conns
}

// BenchmarkIdleConnections reports what idle connections cost the server in memory.
func BenchmarkIdleConnections(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(float64(idleCost(b, 5000)), "B/conn")
	}
}
