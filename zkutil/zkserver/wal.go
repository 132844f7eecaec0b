package zkserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// LogName is the file in Options.Dir that holds the state.
const LogName = "zkserver.log"

const (
	walMagic   = "PKZK0001"
	walHead    = 8 // length, CRC32C
	maxRecord  = 1 << 30
	recNode    = 1
	recSession = 2
	recEnd     = 3 // end of the snapshot
	recTxn     = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// CorruptError says that the snapshot part of a log, which was synced before the log was used, is damaged.
type CorruptError struct {
	Path   string
	Offset int64 // of the damaged record
	Err    error
}

// Error describes the damage.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("zookeeper log %s damaged at %d: %v", e.Path, e.Offset, e.Err)
}

// Unwrap returns what was wrong.
func (e *CorruptError) Unwrap() error { return e.Err }

var (
	errMagic   = errors.New("not a log of this server")
	errCRC     = errors.New("checksum mismatch")
	errTorn    = errors.New("torn tail cut off")
	errRecord  = errors.New("malformed record")
	errLogBusy = errors.New("log is in use by another process")
)

// wal is the log. The core appends and flushes; a goroutine of its own syncs.
type wal struct {
	path   string
	file   *os.File
	lock   *os.File
	buf    []byte
	size   int64
	base   int64 // size of the snapshot it starts with, or at which rewriting did not work
	limit  int64
	each   bool // fsync with every flush
	every  time.Duration
	sync   chan *os.File // to the syncer; capacity 1
	quit   chan struct{}
	wg     sync.WaitGroup
	failed chan error // from the syncer; capacity 1
}

// appendRecord frames what f appends.
func appendRecord(b []byte, f func([]byte) []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, walHead)...)
	b = f(b)
	body := b[at+walHead:]
	binary.BigEndian.PutUint32(b[at:], uint32(len(body)))
	binary.BigEndian.PutUint32(b[at+4:], crc32.Checksum(body, castagnoli))
	return b
}

func putTxn(b []byte, x *txn) []byte {
	b = append(b, recTxn)
	b = putInt64(b, x.zxid)
	b = putInt64(b, x.time)
	b = putInt32(b, int32(len(x.muts)))
	for i := range x.muts {
		m := &x.muts[i]
		b = append(b, byte(m.kind))
		switch m.kind {
		case mutCreate:
			b = append(b, byte(m.node))
			b = putBuffer(putString(b, m.path), m.data)
			b = putInt64(putInt64(putACLs(b, m.acl.entries), m.owner), m.ttl)
		case mutDelete:
			b = putString(b, m.path)
		case mutSet:
			b = putInt32(putBuffer(putString(b, m.path), m.data), m.version)
		case mutSetACL:
			b = putInt32(putACLs(putString(b, m.path), m.acl.entries), m.version)
		case mutOpen:
			b = putBuffer(putInt64(putInt64(b, m.owner), m.ttl), m.passwd)
		case mutClose:
			b = putInt64(b, m.owner)
		}
	}
	return b
}

func (d *decoder) byte() byte {
	p := d.take(1)
	if p == nil {
		return 0
	}
	return p[0]
}

func (d *decoder) storedACL(acls *aclCache) *aclList {
	in := d.acls()
	out := make([]ACL, len(in))
	for i, e := range in {
		out[i] = ACL{e.perms, e.scheme, e.id}
	}
	return acls.intern(out)
}

func (d *decoder) txn(acls *aclCache) (*txn, error) {
	x := &txn{zxid: d.int64(), time: d.int64()}
	n := d.count(2)
	for range n {
		m := mutation{kind: mutKind(d.byte())}
		switch m.kind {
		case mutCreate:
			m.node = nodeKind(d.byte())
			m.path, m.data = d.path(), cloneData(d.buffer())
			m.acl = d.storedACL(acls)
			m.owner, m.ttl = d.int64(), d.int64()
		case mutDelete:
			m.path = d.path()
		case mutSet:
			m.path, m.data, m.version = d.path(), cloneData(d.buffer()), d.int32()
		case mutSetACL:
			m.path, m.acl, m.version = d.path(), d.storedACL(acls), d.int32()
		case mutOpen:
			m.owner, m.ttl, m.passwd = d.int64(), d.int64(), cloneData(d.buffer())
		case mutClose:
			m.owner = d.int64()
		default:
			return nil, errRecord
		}
		if d.err != nil {
			return nil, d.err
		}
		x.muts = append(x.muts, m)
	}
	return x, d.err
}

// valid says whether a transaction read from a log fits the tree; a checksum does not keep a foreign file out.
func (t *tree) valid(m *mutation) bool {
	switch m.kind {
	case mutCreate:
		if !validPath(m.path) || m.path == "/" || m.node > kindTTL || t.nodes[m.path] != nil {
			return false
		}
		parent, _ := splitPath(m.path)
		return t.nodes[parent] != nil
	case mutDelete:
		n := t.nodes[m.path]
		return n != nil && !specialPath(m.path) && n.children.len() == 0
	case mutSet, mutSetACL:
		return t.nodes[m.path] != nil
	case mutOpen, mutClose:
		return m.owner != 0
	}
	return false
}

// recover reads the log, if there is one, and returns the last transaction in it.
func (k *core) recover() (int64, error) {
	if err := os.MkdirAll(k.opts.Dir, 0o755); err != nil {
		return 0, fmt.Errorf("zookeeper directory: %w", err)
	}
	lock, err := lockFile(filepath.Join(k.opts.Dir, LogName+".lock"))
	if err != nil {
		return 0, fmt.Errorf("zookeeper directory %s: %w", k.opts.Dir, err)
	}
	w := &wal{
		path: filepath.Join(k.opts.Dir, LogName), lock: lock, limit: k.opts.SnapshotBytes,
		each: k.opts.SyncInterval < 0, every: k.opts.SyncInterval,
		sync: make(chan *os.File, 1), quit: make(chan struct{}), failed: make(chan error, 1),
	}
	last, err := k.load(w.path)
	if err != nil {
		_ = lock.Close()
		return 0, err
	}
	k.wal = w
	return last, nil
}

// load applies the file's records to the empty tree.
func (k *core) load(path string) (int64, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("zookeeper log: %w", err)
	}
	return k.replayAll(path, data)
}

// replayAll applies the records of a file's content.
func (k *core) replayAll(path string, data []byte) (int64, error) {
	if len(data) < len(walMagic) || string(data[:len(walMagic)]) != walMagic {
		return 0, &CorruptError{path, 0, errMagic}
	}
	pos := len(walMagic)
	inSnapshot := true
	last := int64(0)
	for pos < len(data) {
		body, err := nextRecord(data[pos:])
		if err == nil {
			inSnapshot, err = k.replay(body, inSnapshot, &last)
		}
		if err != nil {
			if inSnapshot {
				return 0, &CorruptError{path, int64(pos), err}
			}
			// Behind the snapshot, what was not synced when the machine died may be anything: the original cuts there too.
			k.tell(Event{Kind: LogOpened, Err: fmt.Errorf("%w: %d bytes at %d: %w", errTorn, len(data)-pos, pos, err)})
			return last, nil
		}
		pos += walHead + len(body)
	}
	if inSnapshot {
		return 0, &CorruptError{path, int64(pos), io.ErrUnexpectedEOF}
	}
	k.tell(Event{Kind: LogOpened})
	return last, nil
}

func nextRecord(p []byte) ([]byte, error) {
	if len(p) < walHead {
		return nil, io.ErrUnexpectedEOF
	}
	n := binary.BigEndian.Uint32(p)
	if n == 0 || n > maxRecord {
		return nil, errRecord
	}
	if int(n) > len(p)-walHead {
		return nil, io.ErrUnexpectedEOF
	}
	body := p[walHead : walHead+int(n)]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(p[4:]) {
		return nil, errCRC
	}
	return body, nil
}

// replay applies one record. It returns whether the snapshot goes on.
func (k *core) replay(body []byte, inSnapshot bool, last *int64) (bool, error) {
	d := decoder{b: body}
	kind := d.byte()
	if inSnapshot == (kind == recTxn) {
		return inSnapshot, errRecord
	}
	switch kind {
	case recNode:
		return true, k.replayNode(&d)
	case recSession:
		s := &session{id: d.int64(), timeout: time.Duration(d.int64()) * time.Millisecond, passwd: cloneData(d.buffer())}
		if d.err != nil {
			return true, d.err
		}
		k.sessions[s.id] = s
		return true, nil
	case recEnd:
		*last = d.int64()
		if nodes := d.int64(); d.err != nil || nodes != int64(len(k.leader.nodes)) {
			return true, errRecord
		}
		return false, nil
	case recTxn:
		x, err := d.txn(k.acls)
		if err != nil {
			return false, err
		}
		for i := range x.muts {
			m := &x.muts[i]
			if !k.leader.valid(m) {
				return false, errRecord
			}
			k.leader.apply(x.zxid, x.time, m)
			switch m.kind {
			case mutOpen:
				k.sessions[m.owner] = &session{id: m.owner, timeout: time.Duration(m.ttl) * time.Millisecond, passwd: m.passwd}
			case mutClose:
				delete(k.sessions, m.owner)
			default:
			}
		}
		*last = x.zxid
		return false, nil
	}
	return inSnapshot, errRecord
}

func putNode(b []byte, path string, n *node) []byte {
	b = append(b, recNode)
	b = putBuffer(putString(b, path), n.data)
	b = putACLs(b, n.acl.entries)
	for _, v := range []int64{n.czxid, n.mzxid, n.pzxid, n.ctime, n.mtime, n.owner, n.ttl} {
		b = putInt64(b, v)
	}
	for _, v := range []int32{n.version, n.aversion, n.creates} {
		b = putInt32(b, v)
	}
	return append(b, byte(n.kind))
}

func (k *core) replayNode(d *decoder) error {
	path := d.path()
	n := &node{data: cloneData(d.buffer())}
	n.acl = d.storedACL(k.acls)
	for _, v := range []*int64{&n.czxid, &n.mzxid, &n.pzxid, &n.ctime, &n.mtime, &n.owner, &n.ttl} {
		*v = d.int64()
	}
	for _, v := range []*int32{&n.version, &n.aversion, &n.creates} {
		*v = d.int32()
	}
	n.kind = nodeKind(d.byte())
	switch {
	case d.err != nil:
		return d.err
	case !validPath(path) || n.kind > kindTTL:
		return errRecord
	}
	if old := k.leader.nodes[path]; old != nil { // one of those every tree has
		if !specialPath(path) {
			return errRecord
		}
		n.children = old.children
		k.leader.bytes += n.size(path) - old.size(path)
		k.leader.nodes[path] = n
		return nil
	}
	parentPath, name := splitPath(path)
	parent := k.leader.nodes[parentPath]
	if parent == nil {
		return errRecord
	}
	k.leader.insert(path, n)
	parent.children.add(name)
	return nil
}

// afterRecovery starts the new epoch: sessions get a fresh timeout or, if so configured, end, as do those whose end was not
// written; ephemerals without a session go. Then the log is rewritten as a snapshot.
func (k *core) afterRecovery() error {
	now := k.clock()
	for _, s := range k.sessionList() {
		s.heard = now
		if k.opts.DropSessions {
			k.endRecovered(s.id)
			delete(k.sessions, s.id)
			continue
		}
		k.nextSID = max(k.nextSID, s.id+1)
		k.armExpiry(s)
	}
	var orphans []int64
	for id := range k.leader.ephemerals {
		if k.sessions[id] == nil {
			orphans = append(orphans, id)
		}
	}
	for _, id := range orphans {
		k.endRecovered(id)
	}
	for _, h := range k.heads {
		h.applied = k.leader.zxid
	}
	if len(k.leader.timed) > 0 {
		k.sweeping = true
		k.after(k.opts.SweepInterval, k.sweep)
	}
	if err := k.wal.rewrite(k); err != nil {
		_ = k.wal.close()
		return err
	}
	k.wal.start()
	return nil
}

func (k *core) endRecovered(id int64) {
	w := k.writer(nil)
	paths := make([]string, 0, len(k.leader.ephemerals[id]))
	for p := range k.leader.ephemerals[id] {
		paths = append(paths, p)
	}
	w.deleteOwned(paths)
	k.leader.zxid = w.zxid
}

func (w *wal) append(x *txn) {
	w.buf = appendRecord(w.buf, func(b []byte) []byte { return putTxn(b, x) })
}

// flush writes what the turn appended. The data are then safe from the end of the process; from the end of the machine after the next sync.
func (w *wal) flush() error {
	select {
	case err := <-w.failed:
		return err
	default:
	}
	if len(w.buf) == 0 {
		return nil
	}
	n, err := w.file.Write(w.buf)
	w.size += int64(n)
	if err != nil {
		return fmt.Errorf("zookeeper log: %w", err)
	}
	w.buf = w.buf[:0]
	if cap(w.buf) > 4<<20 {
		w.buf = nil
	}
	if w.each {
		if err := w.file.Sync(); err != nil {
			return fmt.Errorf("zookeeper log: %w", err)
		}
		return nil
	}
	select {
	case w.sync <- w.file:
	default: // a sync is due anyway
	}
	return nil
}

// start runs the syncer: after the first write it waits for the interval, then syncs all that was written.
func (w *wal) start() {
	if w.each {
		return
	}
	w.wg.Go(func() {
		for f := range w.sync {
			select {
			case <-time.After(w.every):
			case <-w.quit: // close syncs itself
				return
			}
			if err := f.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
				select {
				case w.failed <- fmt.Errorf("zookeeper log: %w", err):
				default:
				}
			}
		}
	})
}

// due says whether the log has grown enough to be rewritten.
func (w *wal) due() bool { return w.size-w.base > max(w.limit, w.base) }

// rewrite puts a snapshot of the tree into a new file, syncs it and moves it over the log. Without the new file the old one
// serves on, and the next attempt comes when that has grown by as much again; an error means that neither is to be trusted.
func (w *wal) rewrite(k *core) error {
	f, size, err := newSnapshot(w.path, k)
	switch {
	case err != nil && w.file == nil: // at start
		return fmt.Errorf("zookeeper snapshot: %w", err)
	case err != nil:
		k.tell(Event{Kind: LogRewritten, Err: fmt.Errorf("zookeeper snapshot: %w", err)})
		w.base = w.size
		return nil
	}
	if w.file != nil {
		_ = w.file.Close()
	}
	w.file, w.size, w.base = f, size, size
	if err := syncDir(filepath.Dir(w.path)); err != nil {
		return fmt.Errorf("zookeeper snapshot: %w", err)
	}
	k.tell(Event{Kind: LogRewritten})
	return nil
}

// newSnapshot returns the open file that is now at path, and its size.
func newSnapshot(path string, k *core) (*os.File, int64, error) {
	f, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o644)
	if err != nil {
		return nil, 0, err
	}
	size, err := writeSnapshot(f, k)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, size, nil
}

func writeSnapshot(out io.Writer, k *core) (int64, error) {
	b := []byte(walMagic)
	var total int64
	emit := func(force bool) error {
		if len(b) < 1<<20 && !force {
			return nil
		}
		n, err := out.Write(b)
		total += int64(n)
		b = b[:0]
		return err
	}
	// Sorted, parents come before their children.
	paths := make([]string, 0, len(k.leader.nodes))
	for p := range k.leader.nodes {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		b = appendRecord(b, func(b []byte) []byte { return putNode(b, p, k.leader.nodes[p]) })
		if err := emit(false); err != nil {
			return total, err
		}
	}
	for _, s := range k.sessionList() {
		b = appendRecord(b, func(b []byte) []byte {
			return putBuffer(putInt64(putInt64(append(b, recSession), s.id), s.timeout.Milliseconds()), s.passwd)
		})
	}
	b = appendRecord(b, func(b []byte) []byte {
		return putInt64(putInt64(append(b, recEnd), k.leader.zxid), int64(len(paths)))
	})
	err := emit(true)
	return total, err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

// close flushes, syncs and gives the lock back.
func (w *wal) close() error {
	var err error
	if w.file != nil {
		err = w.flush()
		close(w.quit)
		close(w.sync)
		w.wg.Wait()
		if e := w.file.Sync(); err == nil && e != nil {
			err = fmt.Errorf("zookeeper log: %w", e)
		}
		if e := w.file.Close(); err == nil && e != nil {
			err = fmt.Errorf("zookeeper log: %w", e)
		}
	}
	_ = w.lock.Close()
	return err
}
