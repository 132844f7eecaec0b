package zkutil

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/zkserver"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// listen runs a listener of token changes until the end of the test. settle lets virtual time pass and gives what was heard.
func listen(t *testing.T, c *Client, handle func(string) error) (settle func() []string, reported *inbox[string], stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	heard := newInbox[string]()
	reported = newInbox[string]()
	l := c.ListenChanges(znode.DelegationTokenChangePrefix, func(_ context.Context, data []byte) error {
		err := handle(string(data))
		if err == nil {
			heard.put(string(data))
		}
		return err
	})
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx, func(err error) { reported.put(err.Error()) }) }()
	settle = func() []string {
		elapse(5 * time.Second)
		synctest.Wait()
		return heard.take()
	}
	return settle, reported, func() error { cancel(); return <-done }
}

func always(string) error { return nil }

func TestChangeListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, zkserver.Options{})
		c, writer := connect(t, config(srv)), connect(t, config(srv))
		ctx := t.Context()
		change := func(text string) {
			require.NoError(t, writer.notify(ctx, znode.DelegationTokenChangePrefix, []byte(text)))
		}
		change("before")
		settle, reported, stop := listen(t, c, always)
		require.Equal(t, []string{"before"}, settle())
		for i := range 12 {
			change(fmt.Sprint(i))
		}
		require.Equal(t, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"}, settle())
		// What happens while it is away is found afterwards, and nothing twice.
		srv.ExpireSession(c.Session().ID)
		change("away")
		require.Equal(t, []string{"away"}, settle())
		reported.take()
		// Others use the path as well.
		_, err := writer.Create(ctx, znode.DelegationTokenChangesPath+"/other", nil, Persistent)
		require.NoError(t, err)
		// Old ones go when the next one comes, unless that is forbidden: then others do it.
		elapse(20 * time.Minute)
		srv.OnRequest(func(r *zkserver.Request) bool { return r.Op == zkserver.OpDelete }, zkserver.Fail(-102), 1)
		change("late")
		require.Equal(t, []string{"late"}, settle())
		names, _, err := writer.Children(ctx, znode.DelegationTokenChangesPath)
		require.NoError(t, err)
		require.Len(t, names, 3, "the other one, the one that was forbidden, and the new one: %v", names)
		require.Contains(t, names, "token_change_0000000015")
		require.Empty(t, reported.take())
		require.ErrorIs(t, stop(), context.Canceled)
	})
}

// A notification that cannot be handled now is handled later, once, and those that follow wait for it.
func TestChangeIsHandledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, zkserver.Options{})
		c := connect(t, config(srv))
		failures := 3
		settle, reported, stop := listen(t, c, func(text string) error {
			if text == "1" && failures > 0 {
				failures--
				return errors.New("not now")
			}
			return nil
		})
		require.Empty(t, settle())
		for i := range 3 {
			require.NoError(t, c.notify(t.Context(), znode.DelegationTokenChangePrefix, []byte(fmt.Sprint(i))))
		}
		require.Equal(t, []string{"0", "1", "2"}, settle())
		require.GreaterOrEqual(t, len(reported.take()), 1)
		require.Zero(t, failures)
		// The list cannot be read for a while: nothing but the pause wakes the listener.
		allow := srv.OnRequest(func(r *zkserver.Request) bool { return r.Op == zkserver.OpGetChildren2 }, zkserver.Fail(-102), 0)
		require.NoError(t, c.notify(t.Context(), znode.DelegationTokenChangePrefix, []byte("hidden")))
		require.Empty(t, settle())
		allow()
		elapse(maxChangePause)
		require.Equal(t, []string{"hidden"}, settle())
		require.Contains(t, reported.take()[0], znode.DelegationTokenChangesPath)
		require.NoError(t, c.Close())
		require.Error(t, stop())
	})
}

// A listener of a client that is closed ends.
func TestChangeListenerEndsWithTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, zkserver.Options{})
		c := connect(t, config(srv))
		l := c.ListenChanges(znode.DelegationTokenChangePrefix, func(context.Context, []byte) error { return nil })
		require.NoError(t, c.Close())
		require.ErrorIs(t, l.Run(t.Context(), func(error) {}), ErrClosed)
	})
}

func TestLogDirFailure(t *testing.T) {
	srv, c := start(t)
	ctx := t.Context()
	srv.OnRequest(func(r *zkserver.Request) bool { return r.Op == zkserver.OpCreate }, zkserver.DropBefore(), 1)
	require.NoError(t, c.NotifyLogDirFailure(ctx, 3))
	names, _, err := c.Children(ctx, znode.LogDirEventsPath)
	require.NoError(t, err)
	require.Len(t, names, 1)
	data, _, err := c.Get(ctx, znode.LogDirEventsPath+"/"+names[0])
	require.NoError(t, err)
	id, err := znode.DecodeLogDirEvent(data)
	require.NoError(t, err)
	require.EqualValues(t, 3, id)
}
