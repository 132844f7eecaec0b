package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/prekraft/prekraft/zkutil"
)

func (a *app) zkWatch() *cobra.Command {
	var duration time.Duration
	var only bool
	cmd := &cobra.Command{
		Use: "watch [PATH]", Short: "Tell what changes at a znode and below it, until Ctrl-C", Args: cobra.MaximumNArgs(1),
		Long: `Tell what changes at a znode and below it: created, changed, deleted, with the value before and after. A znode that doesn't exist yet is waited for.
ZooKeeper's watches say that something changed, not what: of two changes in quick succession the first can stay unseen, and the version
number then jumps.`,
		Example: "  prekraft zk watch\n  prekraft zk watch /controller --for 1m\n  prekraft zk watch /brokers/topics -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			r, p, err := a.zkAt(cmd.Context(), args)
			if err != nil {
				return err
			}
			defer r.client.Close()
			ctx := cmd.Context()
			if duration > 0 { // of watching: connecting may take its own
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, duration)
				defer cancel()
			}
			w := newZkWatcher(r, p, !only, a.printChange)
			err = w.run(ctx, func(nodes int) {
				fmt.Fprintf(a.err, "watching %s, %s; Ctrl-C ends it\n", p, plural(nodes, "znode"))
			})
			if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
				return nil
			}
			return err
		},
	}
	cmd.Flags().DurationVar(&duration, "for", 0, "stop after this `time` (default: at Ctrl-C)")
	cmd.Flags().BoolVar(&only, "only", false, "watch PATH and the list of its children, not what is below")
	return cmd
}

// zkChange is one change.
type zkChange struct {
	Time    time.Time       `json:"time"`
	Change  string          `json:"change"` // created, changed, deleted or children
	Path    string          `json:"path"`
	Version *int32          `json:"version,omitempty"` // after a change or creation
	Old     json.RawMessage `json:"old,omitempty"`
	New     json.RawMessage `json:"new,omitempty"`
	Added   []string        `json:"added,omitempty"`   // of children
	Removed []string        `json:"removed,omitempty"` // of children
	What    string          `json:"what,omitempty"`
	before  []byte
	after   []byte
}

func (a *app) printChange(c zkChange) error {
	c.What = whatText(c.Path)
	if a.output == "json" {
		c.Old, c.New = watchJSON(c.before), watchJSON(c.after)
		return a.jsonLine(c)
	}
	text := fmt.Sprintf("%s  %-8s  %s", c.Time.Format("15:04:05.000"), c.Change, c.Path)
	if c.Version != nil && c.Change == "changed" {
		text += fmt.Sprintf("  v%d", *c.Version)
	}
	before, after := shortValue(c.Path, c.before), shortValue(c.Path, c.after)
	switch {
	case c.Change == "children":
		for _, name := range c.Added {
			text += "  +" + name
		}
		for _, name := range c.Removed {
			text += "  -" + name
		}
	case c.Change == "changed":
		text += "  " + cmp.Or(before, "(no data)") + "  →  " + cmp.Or(after, "(no data)")
	case c.Change == "deleted" && before != "":
		text += "  was " + before
	case after != "":
		text += "  " + after
	}
	if c.What != "" {
		text += "  # " + c.What
	}
	_, err := fmt.Fprintln(a.out, text)
	return err
}

// watchJSON is a znode's data as JSON: its own, or a string.
func watchJSON(data []byte) json.RawMessage {
	text, binary := jsonData(data)
	if binary != nil {
		text, _ = json.Marshal(binary) // base64; bytes always can be encoded
	}
	return text
}

// zkWatcher follows a subtree. Handlers of watches only mark a path as dirty; run reads it again, tells the difference and so arms the watch anew.
type zkWatcher struct {
	r         *zkReader
	top       string
	recursive bool
	tell      func(zkChange) error
	known     map[string]*watched // of run alone

	mu    sync.Mutex
	dirty map[string]bool
	wake  chan struct{} // holds a token while dirty isn't empty
}

// watched is what was last read of a znode.
type watched struct {
	exists   bool
	data     []byte
	stat     zkutil.Stat
	children []string
	cancel   []func()
}

func newZkWatcher(r *zkReader, top string, recursive bool, tell func(zkChange) error) *zkWatcher {
	return &zkWatcher{r: r, top: top, recursive: recursive, tell: tell, known: map[string]*watched{}, dirty: map[string]bool{}, wake: make(chan struct{}, 1)}
}

// run follows the subtree until ctx ends; ready is called once when all of it is watched.
func (w *zkWatcher) run(ctx context.Context, ready func(nodes int)) error {
	if err := w.visit(ctx, w.top, false); err != nil {
		return err
	}
	nodes := 0
	for _, k := range w.known {
		if k.exists {
			nodes++
		}
	}
	ready(nodes)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.wake:
		}
		for _, p := range w.take() {
			if w.known[p] == nil {
				continue // deleted meanwhile
			}
			if err := w.visit(ctx, p, true); err != nil {
				return err
			}
		}
	}
}

// mark is called by the client's goroutine.
func (w *zkWatcher) mark(p string) {
	w.mu.Lock()
	w.dirty[p] = true
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// take returns the dirty paths, parents first.
func (w *zkWatcher) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	paths := make([]string, 0, len(w.dirty))
	for p := range w.dirty {
		paths = append(paths, p)
	}
	clear(w.dirty)
	slices.Sort(paths)
	return paths
}

// visit reads a znode, tells what is different, and visits children that are new. tell is false at the start, when all is new.
func (w *zkWatcher) visit(ctx context.Context, p string, tell bool) error {
	if len(w.known) > maxTree {
		return fmt.Errorf("more than %d znodes: say which part you want with PATH", maxTree)
	}
	k := w.known[p]
	if k == nil {
		k = &watched{}
		w.known[p] = k
		mark := func(zkutil.Event) { w.mark(p) }
		k.cancel = append(k.cancel, w.r.client.WatchData(w.r.full(p), mark))
		if w.recursive || p == w.top {
			k.cancel = append(k.cancel, w.r.client.WatchChildren(w.r.full(p), mark))
		}
	}
	now, err := w.read(ctx, p)
	if err != nil {
		return err
	}
	before := *k
	k.exists, k.data, k.stat, k.children = now.exists, now.data, now.stat, now.children
	if tell {
		if err := w.difference(p, before, *k); err != nil {
			return err
		}
	}
	if !k.exists && p != w.top {
		w.forget(p)
		return nil
	}
	if !w.recursive {
		return nil
	}
	for _, name := range k.children {
		child := path.Join(p, name)
		if w.known[child] == nil && child != "/zookeeper" {
			if err := w.visit(ctx, child, tell); err != nil {
				return err
			}
		}
	}
	return nil
}

// read reads data and children of a znode and arms its watches.
func (w *zkWatcher) read(ctx context.Context, p string) (watched, error) {
	full := w.r.full(p)
	data, stat, err := w.r.client.Get(ctx, full)
	if errors.Is(err, zkutil.ErrNoNode) {
		exists, _, err := w.r.client.Exists(ctx, full) // arms the watch for its creation
		if err != nil || !exists {
			return watched{}, err
		}
		w.mark(p) // created in between
		return watched{}, nil
	}
	if errors.Is(err, zkutil.ErrNoAuth) && p != w.top {
		return watched{}, nil // it is for the brokers alone
	}
	if err != nil {
		return watched{}, w.r.missing(err, p)
	}
	now := watched{exists: true, data: data, stat: stat}
	if w.recursive || p == w.top {
		names, _, err := w.r.client.Children(ctx, full)
		if err != nil && !errors.Is(err, zkutil.ErrNoNode) {
			return watched{}, err
		}
		now.children = names
	}
	return now, nil
}

// forget drops what is known of a znode that is gone.
func (w *zkWatcher) forget(p string) {
	for _, cancel := range w.known[p].cancel {
		cancel()
	}
	delete(w.known, p)
}

// difference tells what changed at one path.
func (w *zkWatcher) difference(p string, before, after watched) error {
	change := zkChange{Time: time.Now(), Path: p, before: before.data, after: after.data}
	if after.exists {
		change.Version = new(int32(after.stat.Version))
	}
	switch {
	case !before.exists && !after.exists:
		return nil
	case !before.exists:
		change.Change = "created"
	case !after.exists:
		change.Change = "deleted"
	case before.stat.Czxid != after.stat.Czxid:
		gone := change
		gone.Change, gone.after, gone.Version = "deleted", nil, nil
		if err := w.tell(gone); err != nil {
			return err
		}
		change.Change, change.before = "created", nil
	case before.stat.Mzxid != after.stat.Mzxid || !bytes.Equal(before.data, after.data):
		change.Change = "changed"
	}
	if change.Change != "" {
		if err := w.tell(change); err != nil {
			return err
		}
	}
	if w.recursive || change.Change != "" {
		return nil
	}
	change = zkChange{Time: change.Time, Change: "children", Path: p, Added: without(after.children, before.children), Removed: without(before.children, after.children)}
	if len(change.Added)+len(change.Removed) == 0 {
		return nil
	}
	return w.tell(change)
}

// without returns the names of a that aren't in b; both are sorted.
func without(a, b []string) []string {
	var rest []string
	for _, name := range a {
		if _, found := slices.BinarySearchFunc(b, name, strings.Compare); !found {
			rest = append(rest, name)
		}
	}
	return rest
}
