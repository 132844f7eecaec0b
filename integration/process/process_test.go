//go:build unix

package process_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/integration/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, script string) *process.Process {
	t.Helper()
	p, err := process.Start(t.TempDir(), "script", "/bin/sh", "-c", script)
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	return p
}

func printed(p *process.Process, text string) func() error {
	return func() error {
		if !strings.Contains(p.Tail(), text) {
			return errors.New("not printed yet")
		}
		return nil
	}
}

func TestProcessIsStoppedAndKilled(t *testing.T) {
	t.Parallel()
	p := start(t, `trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.01; done`)
	require.NoError(t, p.Await(t.Context(), "was ready", printed(p, "ready")))
	require.False(t, p.Ended())
	require.NoError(t, p.Stop(t.Context()))
	require.True(t, p.Ended())
	require.ErrorContains(t, p.Err(), "3")
	require.Contains(t, p.Tail(), "asked")
	p.Kill() // again
}

func TestAwaitTellsWhyItEnds(t *testing.T) {
	t.Parallel()
	p := start(t, `echo out of luck; exit 1`)
	err := p.Await(t.Context(), "served", func() error { return errors.New("no answer") })
	require.ErrorIs(t, err, process.ErrEnded)
	require.ErrorContains(t, err, "no answer")
	require.ErrorContains(t, err, "out of luck")
	slow := start(t, `sleep 60`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	require.ErrorIs(t, slow.Await(ctx, "served", func() error { return errors.New("no answer") }), context.DeadlineExceeded)
}

func TestPausedProcessDoesNothing(t *testing.T) {
	t.Parallel()
	p := start(t, `trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 0.01; done`)
	require.NoError(t, p.Await(t.Context(), "was ready", printed(p, "ready")))
	require.NoError(t, p.Pause())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.Error(t, p.Stop(ctx), "it is paused")
	require.NotContains(t, p.Tail(), "asked")
	require.NoError(t, p.Resume())
	<-p.Done()
	require.Contains(t, p.Tail(), "asked")
}

func TestReservedPortCanBeListenedOnAgainAndAgain(t *testing.T) {
	t.Parallel()
	port, release, err := process.ReservePort()
	require.NoError(t, err)
	defer release()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	for range 3 {
		_, err := net.Dial("tcp", address)
		require.Error(t, err, "nobody listens")
		l, err := net.Listen("tcp", address)
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
}
