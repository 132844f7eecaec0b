package offsets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memLog is __consumer_offsets in memory. Acks come at once, or when release is called.
type memLog struct {
	mu      sync.Mutex
	batches map[int32][][]byte
	next    map[int32]int64
	held    []func()
	hold    bool
	fail    wire.Error // of the next appends
	maxSize int
	reading chan struct{} // if not nil, a Read waits for it
}

func newMemLog() *memLog { return &memLog{batches: map[int32][][]byte{}, next: map[int32]int64{}} }

func (l *memLog) Append(partition int32, batch []byte, acks int16, _ time.Duration, done func(int64, wire.Error)) {
	l.mu.Lock()
	if l.fail != wire.None {
		code := l.fail
		l.mu.Unlock()
		done(-1, code)
		return
	}
	if l.maxSize > 0 && len(batch) > l.maxSize {
		l.mu.Unlock()
		done(-1, wire.MessageTooLarge)
		return
	}
	b := record.Batch(slices.Clone(batch))
	if b.CheckCRC() != nil || b.Validate() != nil {
		panic("a batch that no log would take")
	}
	base := l.next[partition]
	b.SetBaseOffset(base)
	l.next[partition] = b.NextOffset()
	l.batches[partition] = append(l.batches[partition], b)
	if l.hold && acks == -1 {
		l.held = append(l.held, func() { done(base, wire.None) })
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	done(base, wire.None)
}

// release acknowledges what is held.
func (l *memLog) release() {
	l.mu.Lock()
	held := l.held
	l.held, l.hold = nil, false
	l.mu.Unlock()
	for _, f := range held {
		f()
	}
}

func (l *memLog) set(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

func (l *memLog) Bounds(partition int32) (int64, int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return 0, l.next[partition], nil
}

func (l *memLog) Read(partition int32, offset int64, maxBytes int, buffer []byte) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait := l.reading; wait != nil {
		l.mu.Unlock()
		<-wait
		l.mu.Lock()
	}
	buffer = buffer[:0]
	for _, b := range l.batches[partition] {
		if record.Batch(b).LastOffset() < offset {
			continue
		}
		if len(buffer) > 0 && len(buffer)+len(b) > maxBytes {
			break
		}
		buffer = append(buffer, b...)
	}
	return buffer, nil
}

// records are a partition's records as text, a batch in brackets.
func (l *memLog) records(t *testing.T, partition int32) []string {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, b := range l.batches[partition] {
		var texts []string
		for r, err := range record.Batch(b).Records(record.ReadOptions{}) {
			require.NoError(t, err)
			k, err := DecodeKey(r.Key)
			require.NoError(t, err)
			text := k.Group
			if !k.IsGroup {
				text += "/" + k.TopicPartition.String()
			}
			switch {
			case r.Value == nil:
				text += " gone"
			case k.IsGroup:
				g, err := DecodeGroupValue(r.Value)
				require.NoError(t, err)
				text += fmt.Sprintf(" generation %d", g.Generation)
			default:
				c, err := DecodeOffsetValue(r.Value)
				require.NoError(t, err)
				text += fmt.Sprintf("=%d", c.Offset)
			}
			texts = append(texts, text)
		}
		all = append(all, "["+strings.Join(texts, " ")+"]")
	}
	return all
}

// memZnodes is ZooKeeper in memory.
type memZnodes struct {
	mu       sync.Mutex
	nodes    map[string]Znode
	away     bool
	clock    int64 // of the server, in ms
	writes   int
	transact func() // runs before each transaction
}

var errAway = errors.New("ZooKeeper is away")

func newMemZnodes() *memZnodes {
	return &memZnodes{nodes: map[string]Znode{"": {Exists: true}}, clock: time.Now().UnixMilli()}
}

func (z *memZnodes) set(f func()) {
	z.mu.Lock()
	defer z.mu.Unlock()
	f()
}

func (z *memZnodes) Get(_ context.Context, paths []string) ([]Znode, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.away {
		return nil, errAway
	}
	nodes := make([]Znode, len(paths))
	for i, path := range paths {
		nodes[i] = z.nodes[path]
	}
	return nodes, nil
}

func (z *memZnodes) Children(_ context.Context, path string) ([]string, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.away {
		return nil, errAway
	}
	var names []string
	for p := range z.nodes {
		if rest, ok := strings.CutPrefix(p, path+"/"); ok && !strings.Contains(rest, "/") {
			names = append(names, rest)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (z *memZnodes) Ensure(_ context.Context, path string) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.away {
		return errAway
	}
	for i := 1; i <= len(path); i++ {
		if i == len(path) || path[i] == '/' {
			if !z.nodes[path[:i]].Exists {
				z.nodes[path[:i]] = Znode{Exists: true, MtimeMs: z.clock}
			}
		}
	}
	return nil
}

func (z *memZnodes) writeLocked(w ZnodeWrite) error {
	n := z.nodes[w.Path]
	switch {
	case !w.Create && !n.Exists, w.Create && !z.nodes[parentOf(w.Path)].Exists:
		return fmt.Errorf("%s: %w", w.Path, ErrNoZnode)
	case w.Create && n.Exists:
		return fmt.Errorf("%s: %w", w.Path, ErrZnodeExists)
	}
	n.Data, n.Exists, n.MtimeMs = w.Data, true, z.clock
	if !w.Create {
		n.Version++
	}
	z.nodes[w.Path] = n
	return nil
}

func (z *memZnodes) Write(_ context.Context, w ZnodeWrite) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.away {
		return errAway
	}
	z.writes++
	return z.writeLocked(w)
}

func (z *memZnodes) Transact(_ context.Context, check string, version int32, writes []ZnodeWrite) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if f := z.transact; f != nil {
		z.mu.Unlock()
		f()
		z.mu.Lock()
	}
	switch n := z.nodes[check]; {
	case z.away:
		return errAway
	case !n.Exists:
		return ErrNoZnode
	case n.Version != version:
		return ErrZnodeVersion
	}
	before := map[string]Znode{}
	for _, w := range writes {
		before[w.Path] = z.nodes[w.Path]
		if err := z.writeLocked(w); err != nil {
			for path, n := range before {
				if n.Exists {
					z.nodes[path] = n
				} else {
					delete(z.nodes, path)
				}
			}
			return err
		}
	}
	z.writes += len(writes)
	return nil
}

func (z *memZnodes) Delete(_ context.Context, path string) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.away {
		return errAway
	}
	if !z.nodes[path].Exists {
		return ErrNoZnode
	}
	delete(z.nodes, path)
	return nil
}

// leader writes who leads a partition of __consumer_offsets.
func (z *memZnodes) leader(partition, leader, epoch int32) {
	z.set(func() {
		path := znode.PartitionStatePath(TopicPartition{Topic: Topic, Partition: partition})
		n := z.nodes[path]
		if n.Exists {
			n.Version++
		}
		n.Exists, n.Data = true, znode.PartitionState{Leader: leader, LeaderEpoch: znode.LeaderEpoch(epoch), ISR: []int32{leader}, ControllerEpoch: 1}.Encode()
		z.nodes[path] = n
	})
}

// offset is the text of an offset's znode, "" for none.
func (z *memZnodes) offset(group string, tp TopicPartition) string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return string(z.nodes[znode.ConsumerOffsetPath(group, tp)].Data)
}

// memGroups is a coordinator that takes down what it is told.
type memGroups struct {
	mu     sync.Mutex
	told   []string
	loaded map[int32][]LoadedGroup
}

func (g *memGroups) Loaded(partition int32, groups []LoadedGroup) {
	g.mu.Lock()
	defer g.mu.Unlock()
	slices.SortFunc(groups, func(a, b LoadedGroup) int { return strings.Compare(a.Group, b.Group) })
	g.told = append(g.told, fmt.Sprintf("loaded %d: %d groups", partition, len(groups)))
	g.loaded[partition] = groups
}

func (g *memGroups) Unloaded(partition int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.told = append(g.told, fmt.Sprintf("unloaded %d", partition))
	delete(g.loaded, partition)
}

func (g *memGroups) events() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.told)
}

// world is a Store on a log and a ZooKeeper in memory.
type world struct {
	t        *testing.T
	log      *memLog
	znodes   *memZnodes
	groups   *memGroups
	store    *Store
	settings struct {
		sync.Mutex
		Settings
	}
	problems struct {
		sync.Mutex
		list []string
	}
}

// newWorld makes a Store that leads partition 0 in epoch 1.
func newWorld(t *testing.T, storage Storage) *world {
	t.Helper()
	w := &world{t: t, log: newMemLog(), znodes: newMemZnodes()}
	w.settings.Settings = Settings{Storage: storage, MaxMetadata: 10, Acks: -1, Timeout: 5 * time.Second, Retention: time.Hour, LoadBuffer: 1000}
	w.znodes.leader(0, 1, 1)
	w.restart()
	t.Cleanup(func() { w.store.Close() })
	return w
}

// restart replaces the Store by one that knows only what is in the log and in ZooKeeper.
func (w *world) restart() {
	w.t.Helper()
	if w.store != nil {
		w.store.Close()
	}
	w.groups = &memGroups{loaded: map[int32][]LoadedGroup{}}
	w.store = New(Config{
		BrokerID: 1, Log: w.log, Znodes: w.znodes,
		Settings: func() Settings {
			w.settings.Lock()
			defer w.settings.Unlock()
			return w.settings.Settings
		},
		Problem: func(what string, _ int32, err error) {
			w.problems.Lock()
			defer w.problems.Unlock()
			w.problems.list = append(w.problems.list, fmt.Sprintf("%s: %v", what, err))
		},
	})
	w.store.Start(w.groups)
	w.elect(0, 1)
}

func (w *world) elect(partition, epoch int32) {
	w.t.Helper()
	w.store.Elected(partition, epoch)
	w.await("the partition is served", func() bool { return w.store.Check(partition) == wire.None })
}

func (w *world) await(what string, ok func() bool) {
	w.t.Helper()
	require.Eventually(w.t, ok, 20*time.Second, time.Millisecond, what)
}

func (w *world) use(s Storage) {
	w.settings.Lock()
	w.settings.Storage = s
	w.settings.Unlock()
	w.store.StorageChanged()
}

// queue queues a commit and returns where its codes will be.
func (w *world) queue(group string, offsets ...any) <-chan []wire.Error {
	items := make([]Item, 0, len(offsets)/2)
	for i := 0; i < len(offsets); i += 2 {
		items = append(items, Item{TopicPartition: tpOf(offsets[i].(string)), Committed: Committed{
			Offset: int64(offsets[i+1].(int)), LeaderEpoch: 5, CommitTimestampMs: time.Now().UnixMilli(), ExpireTimestampMs: NoTimestamp,
		}})
	}
	return w.queueItems(group, items)
}

func (w *world) queueItems(group string, items []Item) <-chan []wire.Error {
	done := make(chan []wire.Error, 1)
	w.store.Commit(0, group, items, func(items []Item) {
		codes := make([]wire.Error, len(items))
		for i := range items {
			codes[i] = items[i].Code
		}
		done <- codes
	})
	return done
}

// commit commits and returns the codes.
func (w *world) commit(group string, offsets ...any) []wire.Error {
	w.t.Helper()
	done := w.queue(group, offsets...)
	w.store.Flush(0)
	return w.wait(done)
}

func (w *world) wait(done <-chan []wire.Error) []wire.Error {
	w.t.Helper()
	select {
	case codes := <-done:
		return codes
	case <-time.After(20 * time.Second):
		w.t.Fatal("a commit isn't answered")
		return nil
	}
}

// fetch returns offsets as text: "t-0=5", "t-1=UNSTABLE_OFFSET_COMMIT".
func (w *world) fetch(group string, stable bool, names ...string) []string {
	w.t.Helper()
	var tps []TopicPartition
	for _, name := range names {
		tps = append(tps, tpOf(name))
	}
	found, code := w.store.Fetch(w.t.Context(), 0, group, tps, stable)
	require.Equal(w.t, wire.None, code)
	texts := []string{}
	for _, f := range found {
		text := fmt.Sprintf("%s=%d", f.TopicPartition, f.Offset)
		if f.Code != wire.None {
			text = fmt.Sprintf("%s=%s", f.TopicPartition, f.Code.Name())
		}
		texts = append(texts, text)
	}
	return texts
}

func tpOf(name string) TopicPartition {
	i := strings.LastIndexByte(name, '-')
	var n int32
	if _, err := fmt.Sscan(name[i+1:], &n); err != nil {
		panic(err)
	}
	return TopicPartition{Topic: name[:i], Partition: n}
}
