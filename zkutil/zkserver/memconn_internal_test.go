package zkserver

import (
	"bytes"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMemConnCarriesAndEnds(t *testing.T) {
	a, b := memPipe("a", "b")
	require.Equal(t, "a", a.LocalAddr().String())
	require.Equal(t, "b", a.RemoteAddr().String())
	require.Equal(t, "mem", b.LocalAddr().Network())
	big := bytes.Repeat([]byte("0123456789"), memBuffer/3)
	go func() {
		_, _ = a.Write(big)
		_ = a.Close()
	}()
	got, err := io.ReadAll(b)
	require.NoError(t, err)
	require.True(t, bytes.Equal(big, got))
	_, err = b.Write([]byte("x"))
	require.ErrorIs(t, err, io.ErrClosedPipe)
	_, err = a.Read(make([]byte, 1))
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = a.Write([]byte("x"))
	require.ErrorIs(t, err, net.ErrClosed)
}

// A writer does not wait for a reader until the buffer is full, then it does, and never beyond its deadline.
func TestMemConnIsBufferedAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memPipe("a", "b")
		n, err := a.Write(make([]byte, memBuffer))
		require.NoError(t, err)
		require.Equal(t, memBuffer, n)
		began := time.Now()
		require.NoError(t, a.SetWriteDeadline(began.Add(time.Minute)))
		n, err = a.Write([]byte("more"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Zero(t, n)
		require.Equal(t, time.Minute, time.Since(began))
		require.NoError(t, a.SetWriteDeadline(time.Time{}))
		done := make(chan error, 1)
		go func() {
			_, err := a.Write([]byte("more"))
			done <- err
		}()
		synctest.Wait()
		require.Empty(t, done)
		_, err = io.ReadFull(b, make([]byte, 4))
		require.NoError(t, err)
		require.NoError(t, <-done)
	})
}

func TestMemConnDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := memPipe("a", "b")
		read := func() error {
			_, err := a.Read(make([]byte, 1))
			return err
		}
		require.NoError(t, a.SetReadDeadline(time.Now().Add(-time.Second)))
		require.ErrorIs(t, read(), os.ErrDeadlineExceeded)
		began := time.Now()
		require.NoError(t, a.SetReadDeadline(began.Add(time.Second)))
		require.NoError(t, a.SetReadDeadline(began.Add(time.Hour))) // the later one counts
		require.ErrorIs(t, read(), os.ErrDeadlineExceeded)
		require.Equal(t, time.Hour, time.Since(began))
		require.NoError(t, a.SetDeadline(time.Time{}))
		ended := make(chan error, 1)
		go func() { ended <- read() }()
		synctest.Wait()
		require.NoError(t, a.SetDeadline(time.Unix(1, 0))) // wakes who waits
		require.ErrorIs(t, <-ended, os.ErrDeadlineExceeded)
		go func() { ended <- read() }()
		require.NoError(t, a.Close())
		require.Error(t, <-ended)
	})
}

// A log that cannot be written ends the server: it must not acknowledge what a restart forgets.
func TestLogFailureEndsTheServer(t *testing.T) {
	events := make(chan Event, 100)
	s, err := New(Options{Dir: t.TempDir(), Sink: func(e Event) { events <- e }})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	s.do(func(k *core) { require.NoError(t, k.wal.file.Close()) })
	nc, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer func() { _ = nc.Close() }()
	_, err = nc.Write(append([]byte{0, 0, 0, 44}, append(make([]byte, 24), append([]byte{0, 0, 0, 16}, make([]byte, 16)...)...)...))
	require.NoError(t, err)
	answer, err := io.ReadAll(nc)
	require.Empty(t, answer, "no answer to a session that was not logged")
	_ = err // EOF or reset
	require.ErrorIs(t, <-served, os.ErrClosed)
	require.ErrorIs(t, s.Close(), os.ErrClosed)
	for e := range events {
		if e.Kind == ServerFailed {
			require.ErrorIs(t, e.Err, os.ErrClosed)
			break
		}
	}
}

// A snapshot that cannot be written leaves the log in use.
func TestSnapshotFailureLeavesTheLog(t *testing.T) {
	dir := t.TempDir()
	k, open := bareCore(t, Options{Dir: dir, SnapshotBytes: 100, Seed: 1, SyncInterval: -1})
	_, err := k.recover()
	require.NoError(t, err)
	require.NoError(t, k.afterRecovery())
	require.NoError(t, os.Mkdir(k.wal.path+".tmp", 0o755)) // in the way
	c := open("a")
	for i := 0; !k.wal.due(); i++ {
		require.Less(t, i, 1000)
		c.batch = appendCreate(nil, "/n"+string(rune('a'+i%26))+string(rune('a'+i/26)))
		k.process(c)
		require.NoError(t, k.wal.flush())
	}
	want := dump(k.leader)
	k.settle()
	require.NoError(t, k.failure)
	require.False(t, k.wal.due(), "the next attempt is later")
	require.NoError(t, k.wal.close())
	k2, _ := bareCore(t, Options{Dir: dir, Seed: 1})
	_, err = k2.load(k.wal.path)
	require.NoError(t, err)
	requireSame(t, want, dump(k2.leader), "%d", 0)
}

func appendCreate(b []byte, path string) []byte {
	p := putInt32(putInt32(nil, 1), int32(OpCreate))
	p = putBuffer(putString(p, path), []byte("x"))
	p = putInt32(putACLs(p, []ACL{{PermAll, "world", "anyone"}}), 0)
	return append(putInt32(b, int32(len(p))), p...)
}
