package links_test

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/integration/links"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ends are the ends of a connection from a, which is under the links, to b.
func ends(t *testing.T, s *links.Links) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	dialed, err := net.Dial("tcp4", l.Addr().String())
	require.NoError(t, err)
	b, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { dialed.Close(); b.Close() })
	return s.Wrap(dialed, "a", "b"), b
}

func hear(t *testing.T, c net.Conn, want string) {
	t.Helper()
	buf := make([]byte, len(want))
	_, err := io.ReadFull(c, buf) // in pieces, perhaps: one byte was asked for while it was held
	require.NoError(t, err)
	require.Equal(t, want, string(buf))
}

func requireSilent(t *testing.T, c net.Conn) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, c.SetReadDeadline(time.Time{}))
}

func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	_, err := c.Write([]byte(text))
	require.NoError(t, err)
}

func TestCutHoldsWhatIsReadUntilItHeals(t *testing.T) {
	t.Parallel()
	s := links.New()
	a, b := ends(t, s)
	heal, again := s.Cut("b", "a"), s.Cut("b", "a")
	say(t, b, "held")
	requireSilent(t, a)
	say(t, a, "the other way is open")
	hear(t, b, "the other way is open")
	heal()
	heal()
	require.True(t, s.IsCut(links.Link{From: "b", To: "a"}), "cuts add up")
	requireSilent(t, a)
	again()
	hear(t, a, "held")
}

func TestCutHoldsWrites(t *testing.T) {
	t.Parallel()
	s := links.New()
	a, b := ends(t, s)
	heal := s.Cut("a", "b")
	require.NoError(t, a.SetWriteDeadline(time.Now().Add(20*time.Millisecond)))
	_, err := a.Write([]byte("late"))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, a.SetWriteDeadline(time.Time{}))
	wrote := make(chan error, 1)
	go func() { _, err := a.Write([]byte("waits")); wrote <- err }()
	requireSilent(t, b)
	heal()
	require.NoError(t, <-wrote)
	hear(t, b, "waits")
}

// Who closes behind a cut looks alive until it heals.
func TestCloseBehindACut(t *testing.T) {
	t.Parallel()
	s := links.New()
	a, b := ends(t, s)
	s.Cut("a", "b")
	reading := make(chan error, 1)
	go func() { _, err := a.Read(make([]byte, 1)); reading <- err }()
	require.NoError(t, a.Close())
	require.ErrorIs(t, <-reading, net.ErrClosed)
	_, err := a.Write([]byte("x"))
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, a.Close(), net.ErrClosed)
	requireSilent(t, b)
	s.HealAll()
	_, err = b.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
}

func TestPassEndsWithDone(t *testing.T) {
	t.Parallel()
	s := links.New()
	changes := make(chan bool, 2)
	s.Changed = func(_ links.Link, cut bool) { changes <- cut }
	l := links.Link{From: "a", To: "b"}
	require.True(t, s.Pass(l, nil))
	heal := s.Cut("a", "b")
	require.True(t, <-changes)
	done := make(chan struct{})
	close(done)
	require.False(t, s.Pass(l, done))
	passed := make(chan bool, 1)
	go func() { passed <- s.Pass(l, nil) }()
	heal()
	require.True(t, <-passed)
	require.False(t, <-changes)
}
