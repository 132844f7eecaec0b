package zkutil

import (
	"context"
	"sync"
	"sync/atomic"
)

// NodeResult is the outcome of one read of a batch.
type NodeResult struct {
	Data []byte
	Stat Stat
	Err  error // errors.Is(err, ErrNoNode) for a node that does not exist
}

// GetMany reads nodes, several at a time, and arms watches as Get does. Results are in the order of paths. The error is the first that is
// not ErrNoNode or another answer of the server; results are then incomplete.
//
// Many that nobody watches are read a hundred with one request, if the server knows how (ZooKeeper 3.6): that sets no watches.
func (c *Client) GetMany(ctx context.Context, paths []string) ([]NodeResult, error) {
	out := make([]NodeResult, len(paths))
	chunks := c.chunks(paths)
	err := c.parallel(ctx, len(chunks), func(ctx context.Context, i int) error {
		first, end := chunks[i][0], chunks[i][1]
		if end-first > 1 {
			if done, err := c.readTogether(ctx, paths[first:end], out[first:end]); done || err != nil {
				return err
			}
		}
		for n := first; n < end; n++ {
			r := &out[n]
			r.Data, r.Stat, r.Err = c.Get(ctx, paths[n])
			if err := fatal(r.Err); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// chunks splits paths into what is read with one request each, as first and end.
func (c *Client) chunks(paths []string) [][2]int {
	var out [][2]int
	together := len(paths) >= multiReadFrom && !c.noMultiRead.Load()
	for first := 0; first < len(paths); {
		end := first + 1
		if together && !c.watchesData(paths[first]) {
			for end < len(paths) && end-first < multiReadPaths && !c.watchesData(paths[end]) {
				end++
			}
		}
		out = append(out, [2]int{first, end})
		first = end
	}
	return out
}

func (c *Client) watchesData(path string) bool { return c.watches.watched(watchData, c.full(path)) }

// ChildrenResult is the outcome of one listing of a batch.
type ChildrenResult struct {
	Names []string
	Stat  Stat
	Err   error
}

// ChildrenMany lists children of several nodes as GetMany reads nodes.
func (c *Client) ChildrenMany(ctx context.Context, paths []string) ([]ChildrenResult, error) {
	out := make([]ChildrenResult, len(paths))
	err := c.parallel(ctx, len(paths), func(ctx context.Context, i int) error {
		r := &out[i]
		r.Names, r.Stat, r.Err = c.Children(ctx, paths[i])
		return fatal(r.Err)
	})
	return out, err
}

// fatal filters the errors that end a batch.
func fatal(err error) error {
	if err == nil || answeredError(err) {
		return nil
	}
	return err
}

// parallel calls f for 0..n-1 on as many goroutines as requests may be under way, and returns the first error, after which it starts no more
// calls. It returns when all calls have.
func (c *Client) parallel(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	if n == 1 {
		return f(ctx, 0)
	}
	var (
		wg    sync.WaitGroup
		next  atomic.Int64
		once  sync.Once
		first error
	)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := func(err error) {
		once.Do(func() {
			first = err
			cancel(err)
		})
	}
	for range min(n, c.cfg.MaxInFlight) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if ctx.Err() != nil {
					stop(context.Cause(ctx))
					return
				}
				if err := f(ctx, i); err != nil {
					stop(err)
				}
			}
		})
	}
	wg.Wait()
	return first
}
