package zkutil

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/zkserver"
)

// An expired session is replaced; what belongs to the old one is refused, hooks run in order, handlers are told to read again.
func TestSessionExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, zkserver.Options{})
		told := newInbox[string]()
		cfg := config(srv)
		cfg.OnEvent = func(e SessionEvent) {
			if e.Kind != EventConnecting {
				told.put(string(e.Kind) + " " + strconv.Itoa(e.Session.Incarnation))
			}
		}
		c := connect(t, cfg)
		ctx := t.Context()
		order := newInbox[string]()
		c.OnSessionExpired(func() { order.put("expired " + strconv.Itoa(c.Session().Incarnation)) })
		c.OnNewSession(func() { order.put("new " + strconv.Itoa(c.Session().Incarnation)) })
		remove := c.OnNewSession(func() { order.put("removed") })
		remove()
		c.WatchData("/a", func(e Event) { order.put(e.Type.String() + " " + e.Path) })
		c.WatchChildren("/", func(e Event) { order.put(e.Type.String() + " " + e.Path) })
		old := c.Bound()
		require.Equal(t, 1, old.Session().Incarnation)
		require.Equal(t, 2*time.Second, old.Session().Timeout)
		require.Equal(t, Connected, c.State())

		require.True(t, srv.ExpireSession(c.Session().ID))
		order.await(t, "resync /a")
		synctest.Wait()
		require.Equal(t, Expired, old.State())
		require.Equal(t, Connected, c.State())
		require.NotEqual(t, old.Session().ID, c.Session().ID)
		require.Equal(t, []string{"new session 1", "disconnected 1", "session expired 1", "new session 2"}, told.take())

		_, err := old.Create(ctx, "/a", nil, Ephemeral)
		require.ErrorIs(t, err, ErrSessionExpired)
		require.NotErrorIs(t, err, ErrUnknown, "it was refused before it was sent")
		_, err = c.Create(ctx, "/a", nil, Ephemeral)
		require.NoError(t, err)
		_, stat, err := c.Get(ctx, "/a")
		require.NoError(t, err)
		require.Equal(t, c.Session().ID, stat.EphemeralOwner)
	})
}

func TestHookOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, zkserver.Options{})
		c := connect(t, config(srv))
		order := newInbox[string]()
		c.OnSessionExpired(func() { order.put("expired") })
		c.OnNewSession(func() { order.put("new") })
		c.OnReconnected(func() { order.put("reconnected") })
		c.WatchData("/a", func(e Event) { order.put(e.Type.String()) })
		srv.DropConnections(nil)
		elapse(time.Second)
		synctest.Wait()
		require.Equal(t, []string{"reconnected", "resync"}, order.take())
		require.True(t, srv.ExpireSession(c.Session().ID))
		elapse(time.Second)
		synctest.Wait()
		require.Equal(t, []string{"expired", "new", "resync"}, order.take())
	})
}

// Nobody tells a client that is cut off that its session is over. It must find out by the clock, before anybody else can take its place.
func TestCutOffClientDoubtsItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, zkserver.Options{})
		c := connect(t, config(srv))
		other := connect(t, config(srv))
		ctx := t.Context()
		_, err := c.Create(ctx, "/mine", nil, Ephemeral)
		require.NoError(t, err)
		var doubted, lost atomic.Int64
		c.OnPossiblyExpired(func() { doubted.Store(time.Now().UnixNano()) })
		_, cancel, err := other.WatchExists(ctx, "/mine", func(e Event) {
			if e.Type == Deleted {
				lost.Store(time.Now().UnixNano())
			}
		})
		require.NoError(t, err)
		defer cancel()
		elapse(10 * time.Second)
		require.Zero(t, doubted.Load(), "an idle session is not in doubt")

		began := time.Now()
		mine := c.Session().ID
		allow := srv.Refuse(zkserver.BySession(mine))
		srv.DropConnections(zkserver.BySession(mine))
		synctest.Wait()
		require.Equal(t, Suspended, c.State())
		elapse(1900 * time.Millisecond)
		require.Equal(t, PossiblyExpired, c.State())
		elapse(2 * time.Second)
		require.Less(t, doubted.Load(), lost.Load(), "doubt comes before the loss")
		require.LessOrEqual(t, doubted.Load()-began.UnixNano(), int64(2*time.Second))
		allow()
		elapse(2 * time.Second)
		require.Equal(t, Connected, c.State())
		require.NotEqual(t, mine, c.Session().ID)
	})
}

// After a pause of the process the server may be heard again on the same connection: the doubt ends, and whoever stopped is told.
func TestDoubtEndsWithoutReconnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, zkserver.Options{})
		c := connect(t, config(srv))
		told := newInbox[string]()
		c.OnPossiblyExpired(func() { told.put("doubt") })
		c.OnReconnected(func() { told.put("sure") })
		for range 2 {
			c.session().contactNs.Store(time.Now().Add(-time.Minute).UnixNano()) // as if we had slept
			c.wake()
			synctest.Wait()
			require.Equal(t, PossiblyExpired, c.State())
			elapse(2 * time.Second)
			require.Equal(t, Connected, c.State())
			require.Equal(t, []string{"doubt", "sure"}, told.take())
		}
	})
}

// A server that stops answering, without closing anything, is the same.
func TestHungServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, zkserver.Options{})
		c := connect(t, config(srv))
		var doubted atomic.Bool
		c.OnPossiblyExpired(func() { doubted.Store(true) })
		srv.Pause()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := c.Create(ctx, "/a", nil, Persistent)
		require.ErrorIs(t, err, ErrUnknown)
		_, _, err = c.Get(ctx, "/")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, doubted.Load())
		srv.Resume()
		elapse(3 * time.Second)
		synctest.Wait()
		_, _, err = c.Get(t.Context(), "/")
		require.NoError(t, err)
	})
}

// A server that lost its data refuses old clients for ever and never says that their session is over. The client must give up by itself.
func TestWipedServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, after := newServer(t, zkserver.Options{StartZxid: 1 << 40}), newServer(t, zkserver.Options{StartZxid: 1})
		var wiped atomic.Bool
		cfg := config(before)
		cfg.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			if wiped.Load() {
				return after.Dial(ctx)
			}
			return before.Dial(ctx)
		}
		c := connect(t, cfg)
		require.NoError(t, c.EnsurePath(t.Context(), "/a"))
		wiped.Store(true)
		before.DropConnections(nil)
		elapse(20 * time.Second)
		synctest.Wait()
		require.Equal(t, 2, c.Session().Incarnation)
		require.NoError(t, c.EnsurePath(t.Context(), "/a"))
	})
}

// Closing a client that is cut off does not hang, nor does closing one that is about to open a new session.
func TestCloseWithoutConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, zkserver.Options{})
		for _, expire := range []bool{false, true} {
			c, err := Connect(t.Context(), config(srv))
			require.NoError(t, err)
			id := c.Session().ID
			allow := srv.Refuse(nil)
			srv.DropConnections(nil)
			if expire {
				srv.ExpireSession(id)
			}
			done := make(chan error, 1)
			go func() {
				_, _, err := c.Get(t.Context(), "/")
				done <- err
			}()
			elapse(3 * time.Second)
			began := time.Now()
			require.NoError(t, c.Close())
			require.Less(t, time.Since(began), 2*time.Second)
			require.Error(t, <-done)
			allow()
			elapse(5 * time.Second)
		}
	})
}

// While a request waits for a connection, its context counts.
func TestContextWhileDisconnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, zkserver.Options{})
		c := connect(t, config(srv))
		defer srv.Refuse(nil)()
		srv.DropConnections(nil)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := c.Create(ctx, "/a", nil, Persistent)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, ErrUnknown, "it was never sent")
	})
}

func TestUnknownOutcome(t *testing.T) {
	srv, c := start(t)
	ctx := t.Context()
	dropAfter := func(op zkserver.Op) {
		srv.OnRequest(func(r *zkserver.Request) bool { return r.Op == op }, zkserver.DropAfter(), 1)
	}
	dropBefore := func(op zkserver.Op) {
		srv.OnRequest(func(r *zkserver.Request) bool { return r.Op == op }, zkserver.DropBefore(), 1)
	}
	// Plain writes say so.
	dropAfter(zkserver.OpCreate)
	_, err := c.Create(ctx, "/a", nil, Persistent)
	require.ErrorIs(t, err, ErrUnknown)
	require.ErrorIs(t, err, ErrConnectionLoss)
	dropBefore(zkserver.OpSetData)
	_, err = c.Set(ctx, "/a", []byte("x"), 0)
	require.ErrorIs(t, err, ErrUnknown)
	dropAfter(zkserver.OpMulti)
	res, err := c.Multi(ctx, SetOp("/a", []byte("y"), 0))
	require.ErrorIs(t, err, ErrUnknown)
	require.Nil(t, res)
	data, stat, err := c.Get(ctx, "/a")
	require.NoError(t, err)
	require.Equal(t, "y", string(data))
	require.EqualValues(t, 1, stat.Version)
	// Reads are repeated.
	dropAfter(zkserver.OpGetData)
	_, _, err = c.Get(ctx, "/a")
	require.NoError(t, err)
	// Operations that resolve it.
	for _, drop := range []func(zkserver.Op){dropAfter, dropBefore} {
		drop(zkserver.OpCreate)
		require.NoError(t, c.createRecursive(ctx, "/r", []byte("x")))
		drop(zkserver.OpDelete)
		require.NoError(t, c.DeleteRecursive(ctx, "/r"))
		drop(zkserver.OpSetData)
		stat, err := c.setResolved(ctx, "/a", []byte("z"))
		require.NoError(t, err)
		require.Positive(t, stat.Version)
	}
}

// The library, left alone, loses watch events on a reconnection when there are many watches and traffic: every change must be noticed.
func TestNoChangeIsMissedOverReconnections(t *testing.T) {
	const (
		nodes  = 1500
		rounds = 6
	)
	srv, writer := start(t)
	reader := connect(t, config(srv))
	ctx := t.Context()
	paths := make([]string, nodes)
	require.NoError(t, writer.parallel(ctx, nodes, func(ctx context.Context, i int) error {
		paths[i] = fmt.Sprintf("/n%04d", i)
		return writer.createRecursive(ctx, paths[i], []byte("0"))
	}))

	// The reader keeps a copy of every node, as a controller does: events enqueue, one goroutine reads.
	changed := make(chan string, nodes) // one per path at most, since a path is read before it is armed again, plus resyncs
	var mu sync.Mutex
	copies := make(map[string]string, nodes)
	dirty := make(map[string]bool, nodes)
	wake := make(chan struct{}, 1)
	for _, p := range paths {
		reader.WatchData(p, func(e Event) {
			mu.Lock()
			dirty[e.Path] = true
			mu.Unlock()
			select {
			case wake <- struct{}{}:
			default:
			}
		})
	}
	close(changed)
	refresh := func(ctx context.Context, some []string) error {
		res, err := reader.GetMany(ctx, some)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for i, r := range res {
			copies[some[i]] = string(r.Data)
		}
		return nil
	}
	require.NoError(t, refresh(ctx, paths))
	loop, stop := context.WithCancel(ctx)
	finished := make(chan error, 2)
	go func() {
		for {
			select {
			case <-wake:
			case <-loop.Done():
				finished <- nil
				return
			}
			mu.Lock()
			some := make([]string, 0, len(dirty))
			for p := range dirty {
				some = append(some, p)
			}
			clear(dirty)
			mu.Unlock()
			if err := refresh(loop, some); err != nil && loop.Err() == nil {
				finished <- err
				return
			}
		}
	}()
	go func() { // traffic that moves the reader's last zxid on
		for loop.Err() == nil {
			if _, _, err := reader.Exists(loop, "/traffic"); err != nil && loop.Err() == nil {
				finished <- err
				return
			}
		}
		finished <- nil
	}()

	for round := range rounds {
		allow := srv.Refuse(zkserver.BySession(reader.Session().ID))
		srv.DropConnections(zkserver.BySession(reader.Session().ID))
		value := []byte(strconv.Itoa(round + 1))
		for i := round; i < nodes; i += 50 {
			_, err := writer.Set(ctx, paths[i], value, -1)
			require.NoError(t, err)
		}
		allow()
		for i := round + 7; i < nodes; i += 50 { // and some while it comes back
			_, err := writer.Set(ctx, paths[i], value, -1)
			require.NoError(t, err)
		}
	}
	want := make(map[string]string, nodes)
	res, err := writer.GetMany(ctx, paths)
	require.NoError(t, err)
	for i, r := range res {
		want[paths[i]] = string(r.Data)
	}
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		for p, v := range want {
			if copies[p] != v {
				return false
			}
		}
		return true
	}, 20*time.Second, 5*time.Millisecond, "some change was never noticed")
	require.Equal(t, 1, reader.Session().Incarnation, "the session must have lived on, else this shows nothing")
	stop()
	require.NoError(t, <-finished)
	require.NoError(t, <-finished)
}

func TestWatchesAreArmedByReading(t *testing.T) {
	srv, c := start(t)
	ctx := t.Context()
	events := newInbox[Event]()
	cancelA := c.WatchData("/a", func(e Event) { events.put(e) })
	cancelRoot := c.WatchChildren("/", func(e Event) { events.put(e) })
	watches := func() (n int) {
		srv.Do(func(v *zkserver.View) { n = len(v.Watches()) })
		return n
	}
	require.Zero(t, watches(), "registering alone arms nothing")
	_, _, err := c.Get(ctx, "/a")
	require.ErrorIs(t, err, ErrNoNode)
	require.Zero(t, watches(), "a get of a missing node arms nothing")
	_, _, err = c.Exists(ctx, "/a")
	require.NoError(t, err)
	_, _, err = c.Exists(ctx, "/b")
	require.NoError(t, err)
	require.Equal(t, 1, watches(), "only watched paths are armed")
	_, _, err = c.Children(ctx, "/")
	require.NoError(t, err)
	require.NoError(t, c.EnsurePath(ctx, "/a"))
	events.await(t, Event{Created, "/a"})
	events.await(t, Event{ChildrenChanged, "/"})
	_, err = c.Set(ctx, "/a", nil, -1)
	require.NoError(t, err)
	_, _, err = c.Get(ctx, "/a")
	require.NoError(t, err)
	_, err = c.Set(ctx, "/a", nil, -1)
	require.NoError(t, err)
	events.await(t, Event{DataChanged, "/a"})
	_, _, err = c.Exists(ctx, "/a")
	require.NoError(t, err)
	require.NoError(t, c.Delete(ctx, "/a", -1))
	events.await(t, Event{Deleted, "/a"})
	require.Empty(t, events.take(), "one event per arming")
	cancelA()
	cancelRoot()
	_, _, err = c.Exists(ctx, "/a")
	require.NoError(t, err)
	require.Zero(t, watches())
}

func TestEventsCoalesce(t *testing.T) {
	wakes := 0
	w := newWatches(func() { wakes++ })
	var got []Event
	data, children := watchKey{watchData, "/a"}, watchKey{watchChildren, "/a"}
	w.fire(data, Created)
	require.Zero(t, wakes, "nobody listens")
	var cancels []func()
	for range 2 {
		cancels = append(cancels, w.register(data, "/a", func(e Event) { got = append(got, e) }))
	}
	cancels = append(cancels, w.register(children, "/a", func(e Event) { got = append(got, e) }))
	w.fire(data, Deleted)
	w.fire(children, ChildrenChanged)
	w.fire(data, Created)
	w.deliver()
	require.Equal(t, []Event{{Created, "/a"}, {Created, "/a"}, {ChildrenChanged, "/a"}}, got, "the later event counts, the place in the queue is the earlier one's")
	got = nil
	w.resync()
	w.fire(data, Deleted)
	w.deliver()
	require.Equal(t, []Event{{Resync, "/a"}, {Resync, "/a"}, {Resync, "/a"}}, got, "a resync stays one")
	got = nil
	w.fire(data, Deleted)
	for _, c := range cancels {
		c()
		c()
	}
	w.deliver()
	require.Empty(t, got)
	require.Empty(t, w.mu.handlers)
	require.Empty(t, w.mu.pending)
	for typ, s := range map[EventType]string{Created: "created", DataChanged: "data changed", Deleted: "deleted", ChildrenChanged: "children changed", Resync: "resync", 0: "unknown"} {
		require.Equal(t, s, typ.String())
	}
	for st, s := range map[SessionState]string{Connected: "connected", Suspended: "suspended", PossiblyExpired: "possibly expired", Expired: "expired", 0: "unknown"} {
		require.Equal(t, s, st.String())
	}
}

// Real sockets, a real port: what the in-memory connection cannot show.
func TestOverTCP(t *testing.T) {
	srv := newServer(t, zkserver.Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	c, err := Connect(t.Context(), Config{Connect: l.Addr().String() + "/kafka", SessionTimeout: 2 * time.Second})
	require.NoError(t, err)
	resynced := newInbox[EventType]()
	c.WatchData("/a", func(e Event) { resynced.put(e.Type) })
	srv.DropConnections(nil)
	resynced.await(t, Resync)
	require.NoError(t, c.EnsurePath(t.Context(), "/a"))
	require.NoError(t, c.Close())
	require.NoError(t, srv.Close())
	if err := <-served; err != nil {
		require.True(t, slices.ContainsFunc([]error{zkserver.ErrClosed, net.ErrClosed}, func(e error) bool { return errors.Is(err, e) }), "%v", err)
	}
}

func FuzzArm(f *testing.F) {
	frame := func(op byte, path string) []byte {
		p := append([]byte{0, 0, 0, byte(4 + 4 + 4 + len(path) + 1), 0, 0, 0, 1, 0, 0, 0, op, 0, 0, 0, byte(len(path))}, path...)
		return append(p, 0)
	}
	for op := range byte(16) {
		f.Add(frame(op, "/a"))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, p []byte) {
		in := slices.Clone(p)
		var asked []watchKey
		w := &wire{watched: func(kind watchKind, path string) bool {
			asked = append(asked, watchKey{kind, path})
			return true
		}}
		out := w.arm(p)
		require.Equal(t, in, p, "the buffer is the library's")
		if len(asked) == 0 {
			require.Equal(t, in, out)
			return
		}
		require.Equal(t, in[:len(in)-1], out[:len(out)-1])
		require.Equal(t, byte(1), out[len(out)-1])
		require.Equal(t, []byte(asked[0].path), in[16:len(in)-1])
		require.Equal(t, asked[0].kind == watchChildren, in[11] == opGetChildren2)
	})
}
