//go:build linux

package faults_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/integration/process"
)

// echo is a server that answers with what it is sent.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 1024)
				for {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					if _, err := c.Write(buf[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// request is the beginning of a request with a client id.
func request(client string) []byte {
	b := make([]byte, 12, 64)
	b = binary.BigEndian.AppendUint16(b, uint16(len(client)))
	return append(b, client...)
}

func TestCutsHoldWhatIsSentUntilTheyAreHealed(t *testing.T) {
	t.Parallel()
	board := newSwitchboard()
	defer board.close()
	port, release, err := process.ReservePort()
	require.NoError(t, err)
	defer release()
	f := &front{board: board, address: (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}).String(), target: echo(t), owner: "broker-2"}
	require.NoError(t, f.up())
	defer f.down()
	for _, client := range []string{"1", "broker-1-fetcher-0", "sarama"} {
		source := "broker-1"
		if client == "sarama" {
			source = "client"
		}
		conn, err := net.Dial("tcp4", f.address)
		require.NoError(t, err)
		defer conn.Close()
		buf := make([]byte, 64)
		silent := func() bool {
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
			n, err := conn.Read(buf)
			require.NoError(t, conn.SetReadDeadline(time.Time{}))
			return err != nil && n == 0
		}
		say := func(b []byte) { _, err := conn.Write(b); require.NoError(t, err) }
		hear := func(want string) {
			t.Helper()
			n, err := conn.Read(buf)
			require.NoError(t, err)
			require.Equal(t, want, string(buf[:n]))
		}
		say(request(client))
		hear(string(request(client)))
		for _, l := range []link{{From: source, To: "broker-2"}, {From: "broker-2", To: source}} {
			first, second := board.cut(l.From, l.To), board.cut(l.From, l.To)
			say([]byte("held"))
			require.True(t, silent(), "%v is cut", l)
			first()
			first()
			require.True(t, silent(), "it is cut still")
			second()
			hear("held")
		}
		heal := board.cut("broker-3", "broker-2")
		say([]byte("others"))
		hear("others")
		heal()
		board.reset(source, "broker-2")
		_, err = conn.Read(buf)
		require.Error(t, err)
	}
	f.down()
	_, err = net.Dial("tcp4", f.address)
	require.Error(t, err, "refused while it is down")
	require.NoError(t, f.up())
	conn, err := net.Dial("tcp4", f.address)
	require.NoError(t, err)
	conn.Close()
}

func TestASeedRepeatsTheOrderOfFaults(t *testing.T) {
	t.Parallel()
	one, two, other := drawn(7, 50), drawn(7, 50), drawn(8, 50)
	require.Equal(t, one, two)
	require.NotEqual(t, one, other)
	seen := map[kind]bool{}
	for _, f := range drawn(1, 500) {
		seen[f.kind] = true
	}
	require.Len(t, seen, len(kinds), "every kind comes up")
}

// drawn are the first faults of a seed.
func drawn(seed uint64, n int) []fault {
	random := rand.New(rand.NewPCG(seed, 1))
	faults := make([]fault, n)
	for i := range faults {
		faults[i] = draw(random)
	}
	return faults
}
