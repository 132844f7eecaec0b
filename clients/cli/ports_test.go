package cli

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// closedPort returns an address on which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

func TestPortsAreTheSameAfterARestart(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	wanted := taken.Addr().(*net.TCPAddr).Port

	first, err := newPortPicker("127.0.0.1", dir)
	require.NoError(t, err)
	a, err := first.pick("a", wanted)
	require.NoError(t, err)
	require.NotEqual(t, wanted, a, "it is taken")
	b, err := first.pick("b", 0)
	require.NoError(t, err)
	require.NotEqual(t, a, b)
	require.NoError(t, first.release())

	require.NoError(t, taken.Close())
	second, err := newPortPicker("127.0.0.1", dir)
	require.NoError(t, err)
	again, err := second.pick("a", wanted)
	require.NoError(t, err)
	require.Equal(t, a, again, "the port of the last start, although the wanted one is free now")
	require.NoError(t, second.release())

	// One that is taken meanwhile is replaced.
	other, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(b)))
	require.NoError(t, err)
	defer other.Close()
	third, err := newPortPicker("127.0.0.1", dir)
	require.NoError(t, err)
	elsewhere, err := third.pick("b", 0)
	require.NoError(t, err)
	require.NotEqual(t, b, elsewhere)
	require.NoError(t, third.release())
}
