package zkutil

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/zkutil/zkserver"
)

// manyNodes makes nodes with all that a read can meet: data, no data, null, none at all.
func manyNodes(t testing.TB, c *Client, n int) []string {
	t.Helper()
	paths := make([]string, n)
	for i := range paths {
		paths[i] = fmt.Sprintf("/many-%03d", i)
		data := []byte(strings.Repeat("x", i))
		switch i % 10 {
		case 3:
			data = nil
		case 7:
			continue // not made
		}
		_, err := c.Create(t.Context(), paths[i], data, Persistent)
		require.NoError(t, err)
	}
	return paths
}

// requireSame compares what was read together with what single reads find.
func requireSame(t testing.TB, c *Client, paths []string, got []NodeResult) {
	t.Helper()
	require.Len(t, got, len(paths))
	for i, path := range paths {
		data, stat, err := c.Get(t.Context(), path)
		require.Equal(t, NodeResult{Data: data, Stat: stat, Err: err}, got[i], path)
		require.Equal(t, data == nil, got[i].Data == nil, path)
	}
}

func isMultiRead(r *zkserver.Request) bool { return r.Op == zkserver.OpMultiRead }

// counted counts the requests of a kind.
func counted(srv *zkserver.Server) func(op zkserver.Op) int64 {
	var counts [256]atomic.Int64
	srv.Trace(func(tr zkserver.Trace) {
		if tr.Op >= 0 && int(tr.Op) < len(counts) {
			counts[tr.Op].Add(1)
		}
	})
	return func(op zkserver.Op) int64 { return counts[op].Load() }
}

func TestManyAreReadTogether(t *testing.T) {
	srv, c := start(t)
	paths := manyNodes(t, c, 250)
	hidden := connect(t, Config{Connect: "zk:2181", SessionTimeout: 2 * time.Second, Dial: config(srv).Dial, Auth: []AuthInfo{{Scheme: "digest", Data: []byte("u:p")}}})
	_, err := hidden.session().conn.Create("/hidden", []byte("secret"), 0, zk.DigestACL(zk.PermAll, "u", "p"))
	require.NoError(t, err)
	paths = slices.Insert(paths, 120, "/hidden")
	count := counted(srv)
	got, err := c.GetMany(t.Context(), paths)
	require.NoError(t, err)
	require.EqualValues(t, 3, count(zkserver.OpMultiRead))
	require.EqualValues(t, 0, count(zkserver.OpGetData))
	require.ErrorIs(t, got[120].Err, ErrNoAuth)
	requireSame(t, c, paths, got)
}

// A multiRead sets no watches, so what is watched is read alone.
func TestWatchedNodesAreReadAlone(t *testing.T) {
	srv, c := start(t)
	paths := manyNodes(t, c, 60)
	events := newInbox[Event]()
	for _, i := range []int{0, 20, 21, 59} {
		c.WatchData(paths[i], func(e Event) { events.put(e) })
	}
	count := counted(srv)
	got, err := c.GetMany(t.Context(), paths)
	require.NoError(t, err)
	require.EqualValues(t, 2, count(zkserver.OpMultiRead))
	require.EqualValues(t, 4, count(zkserver.OpGetData))
	for _, i := range []int{0, 20, 21, 59} {
		_, err := c.Set(t.Context(), paths[i], []byte("changed"), got[i].Stat.Version)
		require.NoError(t, err)
		events.await(t, Event{DataChanged, paths[i]})
	}
}

func TestFewAreReadOneByOne(t *testing.T) {
	srv, c := start(t)
	paths := manyNodes(t, c, multiReadFrom-1)
	count := counted(srv)
	got, err := c.GetMany(t.Context(), paths)
	require.NoError(t, err)
	require.EqualValues(t, 0, count(zkserver.OpMultiRead))
	requireSame(t, c, paths, got)
}

// Whatever a server does to the request it doesn't know, the nodes are read.
func TestServersWithoutMultiRead(t *testing.T) {
	for name, action := range map[string]zkserver.Action{
		"says so": zkserver.Fail(zkserver.CodeUnimplemented), "says something else": zkserver.Fail(zkserver.CodeMarshallingError), "hangs up": zkserver.DropBefore(),
	} {
		t.Run(name, func(t *testing.T) {
			srv, c := start(t)
			paths := manyNodes(t, c, 150)
			srv.OnRequest(isMultiRead, action, 0)
			count := counted(srv)
			for range 2 {
				got, err := c.GetMany(t.Context(), paths)
				require.NoError(t, err)
				requireSame(t, c, paths, got)
			}
			if name == "says so" {
				require.EqualValues(t, 2, count(zkserver.OpMultiRead), "asked the first time only")
			}
		})
	}
}

// The library takes answers of 4 MiB; what is larger is read one by one, and the connection survives.
func TestMoreThanTheLibraryTakes(t *testing.T) {
	srv := newServer(t, zkserver.Options{})
	cfg := config(srv)
	cfg.SessionTimeout = time.Minute // a slow machine must not be what breaks the connection
	c := connect(t, cfg)
	paths := make([]string, 50)
	for i := range paths {
		paths[i] = fmt.Sprintf("/large-%d", i)
		_, err := c.Create(t.Context(), paths[i], bytes.Repeat([]byte{byte(i)}, 100<<10), Persistent)
		require.NoError(t, err)
	}
	session := c.Session()
	lost := false
	c.OnReconnected(func() { lost = true })
	got, err := c.GetMany(t.Context(), paths)
	require.NoError(t, err)
	requireSame(t, c, paths, got)
	require.Equal(t, session, c.Session())
	require.NoError(t, c.Close())
	require.False(t, lost)
}

func TestReadsEndWithTheirContext(t *testing.T) {
	srv, c := start(t)
	paths := manyNodes(t, c, 40)
	thaw := srv.Freeze(paths[0])
	defer thaw()
	ctx, cancel := context.WithCancel(t.Context())
	srv.Trace(nil)
	done := make(chan error, 1)
	go func() {
		_, err := c.GetMany(ctx, paths)
		done <- err
	}()
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

// The same from Apache ZooKeeper.
func TestRealZooKeeperReadsTogether(t *testing.T) {
	c := connect(t, Config{Connect: fmt.Sprintf("%s/prekraft-test-%d", realZooKeeper(t), time.Now().UnixNano()), SessionTimeout: 6 * time.Second})
	paths := manyNodes(t, c, 250)
	got, err := c.GetMany(t.Context(), paths)
	require.NoError(t, err)
	requireSame(t, c, paths, got)
	require.False(t, c.noMultiRead.Load())
}

// Only frames of marked checks change on their way out, and what comes back is never longer than what the library was promised.
func FuzzMultiRead(f *testing.F) {
	request := func(version uint32, paths ...string) []byte {
		p := []byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, codeMulti}
		for _, path := range paths {
			p = append(p, 0, 0, 0, codeCheck, 0, 255, 255, 255, 255)
			p = append(binary.BigEndian.AppendUint32(p, uint32(len(path))), path...)
			p = binary.BigEndian.AppendUint32(p, version)
		}
		p = append(p, 255, 255, 255, 255, 1, 255, 255, 255, 255)
		binary.BigEndian.PutUint32(p, uint32(len(p)-4))
		return p
	}
	f.Add(request(1<<31, "/a", "/bc"))
	f.Add(request(1<<31, "/a")[:30])
	f.Add(request(0, "/a"))
	answer := append(make([]byte, frameHeaderSize), 0, 0, 0, opGetData, 0, 0, 0, 0, 0, 0, 0, 0, 1, 'x')
	answer = append(answer, make([]byte, statSize)...)
	answer = append(answer, 255, 255, 255, 255, 0, 255, 255, 255, 155, 255, 255, 255, 155)
	f.Add(append(answer, 255, 255, 255, 255, 1, 255, 255, 255, 255))
	f.Add(answer)
	f.Fuzz(func(t *testing.T, p []byte) {
		in := slices.Clone(p)
		if out := asReads(p); out != nil {
			require.EqualValues(t, codeMulti, binary.BigEndian.Uint32(in[8:]))
			require.EqualValues(t, codeMultiRead, binary.BigEndian.Uint32(out[8:]))
			require.Equal(t, len(out)-4, int(binary.BigEndian.Uint32(out)))
			require.LessOrEqual(t, len(out), len(in))
		}
		out := asCreated(p)
		require.Equal(t, in, p)
		if len(p) < frameHeaderSize || binary.BigEndian.Uint32(p[16:]) != 0 {
			require.Equal(t, in, out)
			return
		}
		require.Equal(t, len(out)-4, int(binary.BigEndian.Uint32(out)))
		require.Equal(t, in[4:8], out[4:8], "the request it answers")
	})
}
