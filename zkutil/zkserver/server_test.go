package zkserver_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/zkserver"
)

func dialer(s *zkserver.Server) func() (net.Conn, error) {
	return func() (net.Conn, error) { return s.Dial(context.Background()) }
}

// open is a raw session.
func open(t testing.TB, s *zkserver.Server) *rawConn {
	t.Helper()
	c, err := openWith(&script{dial: dialer(s)}, 0, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.nc.Close() })
	return c
}

func openWith(d *script, session int64, passwd []byte) (*rawConn, error) {
	if passwd == nil {
		passwd = make([]byte, 16)
	}
	c, _, err := d.handshake("raw", 10000, session, passwd, 0, false)
	return c, err
}

func do(t testing.TB, c *rawConn, op string, words ...string) frame {
	t.Helper()
	s := &script{marks: map[string]int64{}}
	n, body, _, err := s.request(op, parseArgs(words))
	require.NoError(t, err)
	f, err := s.call(c, n, body)
	require.NoError(t, err)
	return f
}

// snapshot is what a restart must keep.
func snapshot(s *zkserver.Server) map[string]string {
	out := map[string]string{}
	s.Do(func(v *zkserver.View) {
		for _, p := range v.Paths("/") {
			data, st, _ := v.Get(p)
			out[p] = fmt.Sprintf("%q %v %+v %v", data, data == nil, st, v.ACL(p))
		}
		for _, i := range v.Sessions() {
			out[fmt.Sprintf("session %x", i.ID)] = fmt.Sprint(i.Timeout, i.Ephemerals)
		}
	})
	return out
}

func TestRestart(t *testing.T) {
	for name, interval := range map[string]time.Duration{"interval": 0, "each write": -1} {
		t.Run(name, func(t *testing.T) {
			opts := zkserver.Options{Dir: filepath.Join(t.TempDir(), "zk"), SyncInterval: interval}
			s := newServer(t, opts)
			c := open(t, s)
			do(t, c, "auth", "digest", "u:p")
			do(t, c, "create", "/a", "data=x")
			do(t, c, "create", "/a/e", "flags=1", "acl=31/auth/")
			do(t, c, "create", "/a/s", "flags=2", "data=null")
			do(t, c, "createcontainer", "/c")
			do(t, c, "set", "/a", "data=y")
			do(t, c, "setacl", "/c", "acl=1/world/anyone")
			do(t, c, "create", "/gone")
			do(t, c, "delete", "/gone")
			do(t, c, "set", "/zookeeper/quota", "data=q")
			gone := open(t, s)
			do(t, gone, "create", "/a/gone", "flags=1")
			do(t, gone, "close")
			want := snapshot(s)
			var zxid int64
			s.Do(func(v *zkserver.View) { zxid = v.Zxid() })
			require.Contains(t, want, "/a/s0000000001")
			require.NoError(t, s.Close())

			for range 2 { // from transactions, then from the snapshot
				s = newServer(t, opts)
				require.Equal(t, want, snapshot(s))
				s.Do(func(v *zkserver.View) { require.Greater(t, v.Zxid()>>32, zxid>>32) })
				require.NoError(t, s.Close())
			}
			s = newServer(t, opts)
			c2, err := openWith(&script{dial: dialer(s)}, c.session, c.passwd)
			require.NoError(t, err)
			defer func() { _ = c2.nc.Close() }()
			require.Equal(t, c.session, c2.session, "the session resumes")
			f := do(t, c2, "create", "/a/s", "flags=2")
			require.Contains(t, string(f.body), "/a/s0000000003", "the sequence goes on")
			fresh := open(t, s)
			require.NotEqual(t, c.session, fresh.session)
			require.NoError(t, s.Close())

			opts.DropSessions = true
			s = newServer(t, opts)
			s.Do(func(v *zkserver.View) {
				require.Empty(t, v.Sessions())
				_, _, ok := v.Get("/a/e")
				require.False(t, ok)
				_, st, _ := v.Get("/a")
				require.Greater(t, st.Pzxid, zxid)
			})
			c3, err := openWith(&script{dial: dialer(s)}, c.session, c.passwd)
			require.NoError(t, err)
			defer func() { _ = c3.nc.Close() }()
			require.Zero(t, c3.session)
		})
	}
}

// A session that nobody resumes after a restart ends after its timeout.
func TestRestartThenExpiry(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		opts := zkserver.Options{Dir: dir}
		s, err := zkserver.New(opts)
		require.NoError(t, err)
		c, err := openWith(&script{dial: dialer(s)}, 0, nil)
		require.NoError(t, err)
		do(t, c, "create", "/e", "flags=1")
		require.NoError(t, s.Close())
		require.NoError(t, c.nc.Close())
		s, err = zkserver.New(opts)
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close()) }()
		exists := func() (ok bool) {
			s.Do(func(v *zkserver.View) { _, _, ok = v.Get("/e") })
			return ok
		}
		time.Sleep(9900 * time.Millisecond)
		require.True(t, exists())
		time.Sleep(500 * time.Millisecond)
		require.False(t, exists())
	})
}

func TestDirectoryInUse(t *testing.T) {
	opts := zkserver.Options{Dir: t.TempDir()}
	s := newServer(t, opts)
	_, err := zkserver.New(opts)
	require.ErrorContains(t, err, "in use")
	require.NoError(t, s.Close())
	require.NoError(t, newServer(t, opts).Close())
}

func TestForeignFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, zkserver.LogName), []byte("something else"), 0o600))
	_, err := zkserver.New(zkserver.Options{Dir: dir})
	var corrupt *zkserver.CorruptError
	require.ErrorAs(t, err, &corrupt)
}

// The log is rewritten when it has grown, and stays small however long the server runs.
func TestLogIsRewritten(t *testing.T) {
	var mu sync.Mutex
	rewrites := 0
	opts := zkserver.Options{Dir: t.TempDir(), SnapshotBytes: 10000, Sink: func(e zkserver.Event) {
		if e.Kind == zkserver.LogRewritten {
			mu.Lock()
			rewrites++
			mu.Unlock()
		}
	}}
	s := newServer(t, opts)
	c := open(t, s)
	do(t, c, "create", "/a")
	data := "data=" + strings.Repeat("x", 1000)
	for range 100 {
		do(t, c, "set", "/a", data)
		info, err := os.Stat(filepath.Join(opts.Dir, zkserver.LogName))
		require.NoError(t, err)
		require.Less(t, info.Size(), int64(15000))
	}
	mu.Lock()
	require.GreaterOrEqual(t, rewrites, 8)
	mu.Unlock()
	want := snapshot(s)
	require.NoError(t, s.Close())
	require.Equal(t, want, snapshot(newServer(t, opts)))
}

// What is not read is not answered without end: requests wait, and nothing is lost once the client reads.
func TestSlowReaderHoldsItsOwnRequestsBack(t *testing.T) {
	s := newServer(t, zkserver.Options{MaxQueue: 4 << 20})
	c, other := open(t, s), open(t, s)
	do(t, c, "create", "/big", "data="+strings.Repeat("x", 500_000))
	const n = 100 // 50 MB of replies
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			if err := c.send(append(enc{}.i32(1000+i).i32(4), enc{}.str("/big").boolean(false)...)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for range 100 { // others are served meanwhile
		require.Zero(t, do(t, other, "exists", "/big").err)
	}
	for i := range n {
		f, err := c.read()
		require.NoError(t, err)
		require.Equal(t, int32(1000+i), f.xid)
		require.Greater(t, len(f.body), 500_000)
	}
	require.NoError(t, <-sent)
}

// Events cannot wait for a client that does not read: it is cut.
func TestQueueOverflow(t *testing.T) {
	s := newServer(t, zkserver.Options{MaxQueue: 100_000})
	slow, c := open(t, s), open(t, s)
	do(t, slow, "addwatch", "/", "mode=1")
	dropped := func() (n int64) {
		s.Do(func(v *zkserver.View) { n = v.Counters().QueueOverflows })
		return n
	}
	do(t, c, "create", "/"+strings.Repeat("n", 10_000))
	for i := 0; dropped() == 0; i++ {
		require.Less(t, i, 200, "not cut after 2 MB")
		do(t, c, "set", "/"+strings.Repeat("n", 10_000))
	}
	require.NoError(t, slow.nc.SetReadDeadline(time.Now().Add(driverWait)))
	_, err := io.Copy(io.Discard, slow.nc)
	require.NoError(t, err, "the connection ends")
}

func TestLimits(t *testing.T) {
	s := newServer(t, zkserver.Options{MaxConnections: 3, MaxSessions: 2, MaxWatches: 10, MaxData: 1000})
	a, b := open(t, s), open(t, s)
	_, err := openWith(&script{dial: dialer(s)}, 0, nil)
	require.ErrorIs(t, err, io.EOF, "a session too many")
	third, err := s.Dial(t.Context())
	if err == nil { // the refused one may not have gone yet
		defer func() { _ = third.Close() }()
	}
	require.Eventually(t, func() bool {
		nc, err := s.Dial(t.Context())
		if err != nil {
			return true
		}
		t.Cleanup(func() { _ = nc.Close() })
		return false
	}, 5*time.Second, time.Millisecond, "a connection too many")

	require.Equal(t, int32(-125), do(t, a, "create", "/a", "data="+strings.Repeat("x", 1000)).err)
	require.Zero(t, do(t, a, "create", "/a", "data="+strings.Repeat("x", 500)).err)
	require.Equal(t, int32(-125), do(t, a, "create", "/b", "data="+strings.Repeat("x", 500)).err)
	require.Equal(t, int32(-125), do(t, a, "set", "/a", "data="+strings.Repeat("x", 1000)).err)
	require.Zero(t, do(t, a, "set", "/a", "data=").err)
	require.Zero(t, do(t, a, "create", "/b", "data="+strings.Repeat("x", 500)).err)

	for i := range 10 {
		require.Equal(t, int32(-101), do(t, b, "exists", fmt.Sprintf("/w%d", i), "w").err)
	}
	require.Equal(t, int32(-101), do(t, b, "exists", "/w0", "w").err, "the same one again")
	require.NoError(t, b.send(append(enc{}.i32(99).i32(3), enc{}.str("/w10").boolean(true)...)))
	_, err = b.read()
	require.ErrorIs(t, err, io.EOF)
}

func TestConnectionWithoutHandshakeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := zkserver.New(zkserver.Options{})
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close()) }()
		for _, first := range [][]byte{nil, {0, 0}, {0, 0, 0, 44, 1}} {
			nc, err := s.Dial(t.Context())
			require.NoError(t, err)
			_, err = nc.Write(first)
			require.NoError(t, err)
			began := time.Now()
			_, err = nc.Read(make([]byte, 1))
			require.ErrorIs(t, err, io.EOF)
			require.Equal(t, 10*time.Second, time.Since(began))
			require.NoError(t, nc.Close())
		}
	})
}

// Containers go when their last child has gone, TTL nodes when nobody has touched them.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := zkserver.New(zkserver.Options{ExtendedTypes: true})
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close()) }()
		c, err := openWith(&script{dial: dialer(s)}, 0, nil)
		require.NoError(t, err)
		defer func() { _ = c.nc.Close() }()
		do(t, c, "createcontainer", "/never")
		do(t, c, "createcontainer", "/used")
		do(t, c, "create", "/used/a")
		do(t, c, "createttl", "/ttl", "ttl=90000")
		do(t, c, "createttl", "/parent", "ttl=1000")
		do(t, c, "create", "/parent/a")
		do(t, c, "delete", "/used/a")
		paths := func() (out []string) {
			s.Do(func(v *zkserver.View) { out = v.Children("/") })
			return out
		}
		require.Equal(t, []string{"never", "parent", "ttl", "used", "zookeeper"}, paths())
		time.Sleep(61 * time.Second)
		require.Equal(t, []string{"never", "parent", "ttl", "zookeeper"}, paths())
		time.Sleep(time.Minute)
		require.Equal(t, []string{"never", "parent", "zookeeper"}, paths())
	})
}

func TestFourLetterWords(t *testing.T) {
	s := newServer(t, differentialOptions)
	c := open(t, s)
	do(t, c, "create", "/e", "flags=1")
	do(t, c, "exists", "/e", "w")
	ask := func(word string) string {
		nc, err := s.Dial(t.Context())
		require.NoError(t, err)
		defer func() { _ = nc.Close() }()
		_, err = nc.Write([]byte(word))
		require.NoError(t, err)
		out, err := io.ReadAll(nc)
		require.NoError(t, err)
		return string(out)
	}
	id := fmt.Sprintf("0x%x", c.session)
	for word, want := range map[string][]string{
		"ruok": {"imok"},
		"srvr": {"Zookeeper version: 3.8", "Connections: 1\n", "Mode: standalone\n", "Node count: 5\n"},
		"stat": {"Clients:\n /mem[1]", "Mode: standalone"},
		"mntr": {"zk_server_state\tstandalone\n", "zk_znode_count\t5\n", "zk_watch_count\t1\n", "zk_ephemerals_count\t1\n", "zk_num_alive_connections\t1\n"},
		"isro": {"rw"},
		"conf": {"tickTime=1000\n", "minSessionTimeout=2000\n", "maxSessionTimeout=20000\n"},
		"envi": {"zookeeper.version=3.8", "Environment:"},
		"cons": {"sid=" + id},
		"dump": {id + ":\n\t/e\n", "Session Sets (1)"},
		"wchs": {"1 connections watching 1 paths\nTotal watches:1\n"},
		"wchc": {id + "\n\t/e\n"},
		"wchp": {"/e\n\t" + id + "\n"},
		"crst": {"Connection stats reset."},
		"srst": {"Server stats reset."},
	} {
		for _, w := range want {
			require.Contains(t, ask(word), w, word)
		}
	}
}

func TestCloseIsIdempotentAndFinal(t *testing.T) {
	s := newServer(t, zkserver.Options{})
	c := open(t, s)
	closed := make(chan error)
	for range 3 {
		go func() { closed <- s.Close() }()
	}
	for range 3 {
		require.NoError(t, <-closed)
	}
	_, err := c.read()
	require.ErrorIs(t, err, io.EOF)
	_, err = s.Dial(t.Context())
	require.ErrorIs(t, err, zkserver.ErrClosed)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.ErrorIs(t, s.Serve(l), zkserver.ErrClosed)
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	s.Do(func(*zkserver.View) { t.Error("a closed server has no state") })
	require.False(t, s.ExpireSession(1))
	require.ErrorIs(t, s.KillHead(7), zkserver.ErrNoHead)
}

func TestSeveralListeners(t *testing.T) {
	s := newServer(t, zkserver.Options{})
	for range 2 {
		addr := serve(t, s)
		c, err := openWith(&script{dial: func() (net.Conn, error) { return net.Dial("tcp", addr) }}, 0, nil)
		require.NoError(t, err)
		require.Zero(t, do(t, c, "get", "/").err)
		require.NoError(t, c.nc.Close())
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []zkserver.Options{
		{TickTime: time.Microsecond}, {MinSessionTimeout: time.Hour}, {MaxSessionTimeout: 1000 * time.Hour}, {MaxFrame: 1}, {MaxFrame: 1 << 31},
		{MaxQueue: -1}, {Heads: -1}, {Heads: 65}, {StartZxid: -1},
	} {
		_, err := zkserver.New(o)
		require.Error(t, err, "%+v", o)
	}
}

// The same seed gives the same passwords, children and order of deletions.
func TestSeed(t *testing.T) {
	run := func() string {
		s := newServer(t, zkserver.Options{Seed: 42})
		c := open(t, s)
		for i := range 10 {
			do(t, c, "create", fmt.Sprintf("/n%d", i), "flags=1")
		}
		return string(c.passwd) + string(do(t, c, "ls", "/").body)
	}
	first := run()
	require.Equal(t, first, run())
	s := newServer(t, zkserver.Options{})
	one := open(t, s).passwd
	require.NotEqual(t, one, open(t, s).passwd, "without a seed nobody can guess one")
}

// In real time, on this server and a real one: a silent session, whose connection stays open, ends within a tick after its
// timeout, and its connection with it. The upper bound leaves room for a busy machine.
func TestExpiryInRealTime(t *testing.T) {
	tick := 100 * time.Millisecond
	if realServer() != "" {
		tick = time.Second
	}
	dial := targets(t)["real"]
	if dial == nil {
		dial = dialer(newServer(t, zkserver.Options{TickTime: tick}))
	}
	s := &script{dial: dial}
	silent, got, err := s.handshake("silent", int(2*tick/time.Millisecond), 0, make([]byte, 16), 0, false)
	require.NoError(t, err)
	defer func() { _ = silent.nc.Close() }()
	require.Equal(t, int(2*tick/time.Millisecond), got>>8)
	watcher, _, err := s.handshake("watcher", 20000, 0, make([]byte, 16), 0, false)
	require.NoError(t, err)
	defer func() { _ = watcher.nc.Close() }()
	path := fmt.Sprintf("/silent%d", time.Now().UnixNano())
	require.Zero(t, do(t, silent, "create", path, "flags=1").err)
	last := time.Now()
	require.Zero(t, do(t, watcher, "exists", path, "w").err)
	f, err := watcher.read()
	require.NoError(t, err)
	after := time.Since(last)
	require.Equal(t, int32(-1), f.xid)
	require.Greater(t, after, 2*tick-50*time.Millisecond)
	require.Less(t, after, 3*tick+5*time.Second)
	_, err = silent.read()
	require.ErrorIs(t, err, io.EOF)
	require.Zero(t, do(t, watcher, "close").err)
}
