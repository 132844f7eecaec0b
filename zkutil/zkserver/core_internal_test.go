package zkserver

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

// bareCore is a core without its goroutine: requests are fed to it directly.
func bareCore(t testing.TB, opts Options) (*core, func(name string) *conn) {
	t.Helper()
	opts, err := opts.withDefaults()
	require.NoError(t, err)
	s := &Server{opts: opts, started: time.Now(), events: make(chan event, 1), dead: make(chan struct{})}
	k := newCore(s, opts)
	k.leader.zxid = 1 << 32
	for _, h := range k.heads {
		h.applied = k.leader.zxid
	}
	return k, func(name string) *conn {
		_, b := memPipe(name, "core")
		c := newConn(s, b, k.heads[0], name)
		k.conns[c.id] = c
		k.openSession(c, time.Minute)
		return c
	}
}

// checkTree verifies the tree's invariants.
func checkTree(t testing.TB, tr *tree) {
	t.Helper()
	children, ephemerals, timed := 0, 0, 0
	var size int64
	for p, n := range tr.nodes {
		if !validPath(p) {
			require.Fail(t, "invalid path", "%q", p)
		}
		children += n.children.len()
		size += n.size(p)
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(n.children.names))), len(n.children.names), "children of %s", p)
		for i, name := range n.children.names {
			if tr.nodes[joinPath(p, name)] == nil {
				require.Fail(t, "missing child", "%s of %s", name, p)
			}
			if n.children.index != nil {
				require.Equal(t, int32(i), n.children.index[name])
			}
		}
		switch n.kind {
		case kindEphemeral:
			ephemerals++
			require.Zero(t, n.children.len())
			_, known := tr.ephemerals[n.owner][p]
			require.True(t, known, "%s is not listed", p)
		case kindContainer, kindTTL:
			timed++
			_, known := tr.timed[p]
			require.True(t, known, "%s is not listed", p)
		case kindPersistent:
		}
		if n.kind != kindEphemeral {
			require.Zero(t, n.owner)
		}
		require.LessOrEqual(t, n.czxid, n.mzxid)
		require.LessOrEqual(t, n.pzxid, tr.zxid)
	}
	require.Equal(t, len(tr.nodes)-1, children)
	require.Equal(t, ephemerals, tr.ephemeral)
	require.Len(t, tr.timed, timed)
	require.Equal(t, size, tr.bytes)
}

func joinPath(p, name string) string {
	if p == "/" {
		return p + name
	}
	return p + "/" + name
}

// dump is a tree in comparable form.
func dump(tr *tree) map[string]node {
	out := map[string]node{}
	for p, n := range tr.nodes {
		c := *n
		c.children = childSet{names: slices.Sorted(slices.Values(n.children.names))}
		c.acl = &aclList{entries: n.acl.entries}
		out[p] = c
	}
	return out
}

// feed turns fuzz input into frames: the first byte of each chooses raw bytes or a plausible operation.
// after, if there is one, is called after each.
func feed(k *core, conns []*conn, data []byte, after func()) {
	next := func() byte {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return b
	}
	paths := []string{"/a", "/b", "/a/x", "/a/y", "/a/x/p", "/", "", "bad", "/zookeeper", "/a/"}
	path := func() string { return paths[int(next())%len(paths)] }
	acl := func(b []byte) []byte {
		switch next() % 8 {
		case 0:
			return putACLs(b, []ACL{{int32(next()), "auth", ""}})
		case 1:
			return putACLs(b, nil)
		}
		return putACLs(b, []ACL{{PermAll, "world", "anyone"}})
	}
	creates := []Op{OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL}
	body := func(b []byte, op Op) []byte {
		switch op {
		case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL:
			b = putString(b, path())
			n := int(next()) % 8
			b = putBuffer(b, data[:min(len(data), n)])
			b = putInt32(acl(b), int32(next()%8))
			if op == OpCreateTTL {
				b = putInt64(b, int64(next()))
			}
			return b
		case OpDelete, OpCheck:
			return putInt32(putString(b, path()), int32(next()%4)-1)
		default:
			return putInt32(putBuffer(putString(b, path()), []byte{next()}), int32(next()%4)-1)
		}
	}
	for n := 0; len(data) > 0 && n < 2000; n++ {
		c := conns[int(next())%len(conns)]
		frame := putInt32(nil, int32(n+1))
		switch next() % 6 {
		case 0: // raw
			size := int(next())
			size = min(len(data), size)
			frame = append(frame, data[:size]...)
			data = data[size:]
		case 1, 2:
			op := creates[int(next())%len(creates)]
			frame = body(putInt32(frame, int32(op)), op)
		case 3:
			op := []Op{OpDelete, OpSetData, OpDelete}[int(next())%3]
			frame = body(putInt32(frame, int32(op)), op)
		case 4:
			frame = putInt32(frame, int32(OpMulti))
			for range next() % 6 {
				op := []Op{OpCreate, OpCreate2, OpCreateContainer, OpDelete, OpSetData, OpCheck}[int(next())%6]
				frame = body(putMultiHeader(frame, op, false, -1), op)
			}
			frame = putMultiHeader(frame, -1, true, -1)
		default:
			op := []Op{OpExists, OpGetData, OpGetChildren2, OpGetACL, OpSetACL, OpSync, OpAddWatch, OpAuth}[int(next())%8]
			frame = putString(putInt32(frame, int32(op)), path())
			frame = append(frame, 1, 0, 0, 0)
		}
		if c.gone {
			continue
		}
		c.batch = append(putInt32(nil, int32(len(frame))), frame...)
		k.now = k.now.Add(time.Millisecond)
		k.process(c)
		c.pend = c.pend[:0]
		c.batch = nil
		if after != nil {
			after()
		}
	}
}

// FuzzRequests feeds hostile and plausible requests to a core. Afterwards the tree must be consistent, and a second head
// that applied the same transactions must have the same one: multis that failed left nothing behind.
func FuzzRequests(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		p := make([]byte, 3000)
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		k, open := bareCore(t, Options{Heads: 2, ExtendedTypes: true, MaxData: 2000, MaxWatches: 5, Seed: 1})
		k.heads[1].setLag(time.Hour)
		conns := []*conn{open("a"), open("b"), open("c")}
		feed(k, conns, data, nil)
		checkTree(t, k.leader)
		k.heads[1].lag = 0
		for len(k.heads[1].queue) > 0 {
			k.heads[1].next()
		}
		checkTree(t, k.heads[1].copy)
		require.Equal(t, dump(k.leader), dump(k.heads[1].copy))
		require.LessOrEqual(t, k.leader.bytes, int64(2000))
		for _, c := range conns {
			if s := k.sessions[c.sessionID()]; s != nil {
				k.endSession(s, SessionExpired)
			}
		}
		require.Empty(t, k.leader.ephemerals)
		checkTree(t, k.leader)
	})
}

// FuzzFrames splits a stream into frames whatever the pieces it arrives in; a length out of range ends it.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 9, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2}, uint8(1))
	f.Add([]byte{0, 0, 0, 1, 9, 0xff, 0, 0, 0}, uint8(2))
	f.Add(append([]byte{0, 0, 0, 200}, make([]byte, 210)...), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, mode uint8) {
		const limit = 150
		var want [][]byte
		rest := data
		wantErr := io.EOF
		for len(rest) >= 4 {
			n := int(int32(binary.BigEndian.Uint32(rest)))
			if n < 0 || n > limit {
				wantErr = errFrameLength
				break
			}
			if len(rest) < 4+n {
				break
			}
			want = append(want, rest[4:4+n])
			rest = rest[4+n:]
		}
		var r io.Reader = bytes.NewReader(data)
		switch mode % 3 {
		case 1:
			r = iotest.OneByteReader(r)
		case 2:
			r = iotest.HalfReader(r)
		}
		in := frameReader{r: r, max: limit}
		var got [][]byte
		for {
			batch, err := in.next()
			if err != nil {
				require.ErrorIs(t, err, wantErr)
				break
			}
			for len(batch) > 0 {
				n := int(binary.BigEndian.Uint32(batch))
				got = append(got, bytes.Clone(batch[4:4+n]))
				batch = batch[4+n:]
			}
		}
		require.Len(t, got, len(want))
		for i := range want {
			require.True(t, bytes.Equal(want[i], got[i]))
		}
	})
}

// A length field that promises much costs nothing until the bytes come.
func TestFrameBufferGrowsWithWhatComes(t *testing.T) {
	in := frameReader{r: bytes.NewReader([]byte{0x3f, 0xff, 0xff, 0xff, 1}), max: 1 << 30}
	_, err := in.next()
	require.ErrorIs(t, err, io.EOF)
	require.LessOrEqual(t, cap(in.bufs[0])+cap(in.bufs[1]), 2*4096)

	p, err := readGrowing(bytes.NewReader(make([]byte, 10)), nil, 1<<30)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Nil(t, p)
}

// writeLog runs random requests on a core with a log and returns the file, and the tree after each record of the file's tail.
func writeLog(t *testing.T, dir string) (file []byte, base int, states map[int]map[string]node) {
	t.Helper()
	k, open := bareCore(t, Options{Dir: dir, Seed: 1, SyncInterval: -1})
	_, err := k.recover()
	require.NoError(t, err)
	conns := []*conn{open("a"), open("b")}
	feed(k, conns, bytes.Repeat([]byte{0, 1, 0, 0, 1, 0, 7, 7, 0}, 2), nil)
	require.NoError(t, k.afterRecovery())
	base = int(k.wal.size)
	states = map[int]map[string]node{base: dump(k.leader)}
	r := rand.New(rand.NewPCG(3, 4))
	for k.wal.size < int64(base)+800 {
		p := make([]byte, 12)
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		for i := range conns {
			if conns[i].gone {
				conns[i] = open("again")
			}
		}
		feed(k, conns, p, func() {
			require.NoError(t, k.wal.flush())
			states[int(k.wal.size)] = dump(k.leader)
		})
	}
	require.NoError(t, k.wal.close())
	file, err = os.ReadFile(filepath.Join(dir, LogName))
	require.NoError(t, err)
	require.Greater(t, len(states), 5)
	return file, base, states
}

// requireSame is require.Equal without its cost when all is well.
func requireSame(t *testing.T, want, got map[string]node, format string, n int) {
	t.Helper()
	if !reflect.DeepEqual(want, got) {
		require.Equal(t, want, got, format, n)
	}
}

func loadBytes(t *testing.T, p []byte) (*core, error) {
	t.Helper()
	k, _ := bareCore(t, Options{Seed: 1})
	last, err := k.replayAll("log", p)
	k.leader.zxid = last
	return k, err
}

// A file cut at any byte gives the state after the last whole record; one cut in its snapshot is refused.
func TestTornLog(t *testing.T) {
	file, base, states := writeLog(t, t.TempDir())
	want := states[base]
	for n := range len(file) + 1 {
		k, err := loadBytes(t, file[:n])
		if n < base {
			var corrupt *CorruptError
			require.ErrorAs(t, err, &corrupt, "cut at %d of %d", n, base)
			continue
		}
		require.NoError(t, err)
		if states[n] != nil {
			want = states[n]
		}
		requireSame(t, want, dump(k.leader), "cut at %d", n)
		checkTree(t, k.leader)
	}
}

// A flipped byte in the snapshot is refused; behind it, it ends the log there. Nothing panics and no tree is inconsistent.
func TestFlippedByte(t *testing.T) {
	file, base, states := writeLog(t, t.TempDir())
	want := states[base]
	for n := range file {
		if states[n] != nil {
			want = states[n]
		}
		for _, bit := range []byte{1 << (n % 8)} {
			p := bytes.Clone(file)
			p[n] ^= bit
			k, err := loadBytes(t, p)
			if n < base {
				require.Error(t, err, "byte %d of the snapshot", n)
				continue
			}
			require.NoError(t, err)
			checkTree(t, k.leader)
			requireSame(t, want, dump(k.leader), "byte %d", n)
		}
	}
}

// FuzzLog reads anything as a log without a panic; what it accepts is a consistent tree.
func FuzzLog(f *testing.F) {
	k, open := bareCore(f, Options{Seed: 1})
	c := open("a")
	feed(k, []*conn{c}, bytes.Repeat([]byte{0, 1, 0, 0, 1, 0, 7, 7, 0, 3}, 10), nil)
	var b bytes.Buffer
	_, err := writeSnapshot(&b, k)
	require.NoError(f, err)
	f.Add(b.Bytes(), []byte{})
	f.Add(b.Bytes(), putTxn(nil, &txn{zxid: 9 << 32, time: 1, muts: []mutation{{kind: mutDelete, path: "/a"}, {kind: mutClose, owner: 1}}}))
	f.Fuzz(func(t *testing.T, file, record []byte) {
		if len(record) > 0 { // a whole record with a good checksum, whatever is in it
			file = appendRecord(bytes.Clone(file), func(b []byte) []byte { return append(b, record...) })
		}
		if k, err := loadBytes(t, file); err == nil {
			for _, n := range k.leader.nodes {
				require.NotNil(t, n.acl)
			}
		}
	})
}
