package zkutil

import (
	"context"
	"errors"
	"slices"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// fencedBatchOps is how many operations go into one transaction: measured, one of 100 costs little more than one of 1.
const fencedBatchOps = 100

// maxBatchFailures is how many failing groups are taken out of a transaction one by one before the rest is split in halves.
const maxBatchFailures = 3

// Fenced writes as the controller of one epoch. Every write is a transaction that first checks the version of /controller_epoch: once
// another controller was elected, nothing of this one gets through.
type Fenced struct {
	c            *Client
	epochVersion znode.ZkVersion
}

// Fenced makes a writer for the zkVersion that /controller_epoch had when the controller was elected. Use a bound client, so that the end
// of the session ends the writer as well.
func (c *Client) Fenced(epochVersion znode.ZkVersion) *Fenced {
	return &Fenced{c: c, epochVersion: epochVersion}
}

// Group is a list of operations that are executed all or none, and independently of other groups.
type Group []Op

// GroupResult is the outcome of a group.
type GroupResult struct {
	Results []Result // of each operation, if Err is nil or an operation failed
	Err     error    // nil, or the error of the operation that failed
}

// Do executes groups. Many go into one transaction, and several transactions are under way at once; a group that fails does not
// hinder the others. If the connection breaks, Do finds out what was executed and repeats what was not.
//
// The error is ErrControllerMoved, or what ended the context or the session; groups without an outcome then carry it as well. The error
// of a group is for that group alone and not returned.
func (f *Fenced) Do(ctx context.Context, groups ...Group) ([]GroupResult, error) {
	out := make([]GroupResult, len(groups))
	batches := f.batches(groups)
	err := f.c.parallel(ctx, len(batches), func(ctx context.Context, i int) error { return f.batch(ctx, groups, batches[i], out) })
	if err != nil {
		for i := range out {
			if out[i].Results == nil && out[i].Err == nil {
				out[i].Err = err
			}
		}
	}
	return out, err
}

// Multi executes one group.
func (f *Fenced) Multi(ctx context.Context, ops ...Op) ([]Result, error) {
	out, err := f.Do(ctx, ops)
	if err != nil {
		return nil, err
	}
	return out[0].Results, out[0].Err
}

// batches splits groups into transactions; each is a list of indices.
func (f *Fenced) batches(groups []Group) [][]int {
	var out [][]int
	ops, size := 0, 0
	for i, g := range groups {
		n := 0
		for _, o := range g {
			n += o.size()
		}
		if len(out) == 0 || ops+len(g) > fencedBatchOps || size+n > f.c.cfg.MaxRequestBytes-256 {
			out = append(out, nil)
			ops, size = 0, 0
		}
		out[len(out)-1] = append(out[len(out)-1], i)
		ops, size = ops+len(g), size+n
	}
	return out
}

// batch executes the groups with the given indices in one transaction, and in more if some fail.
func (f *Fenced) batch(ctx context.Context, groups []Group, idx []int, out []GroupResult) error {
	idx = slices.Clone(idx)
	for failures := 0; len(idx) > 0; {
		if failures > maxBatchFailures && len(idx) > 1 {
			if err := f.batch(ctx, groups, idx[:len(idx)/2], out); err != nil {
				return err
			}
			return f.batch(ctx, groups, idx[len(idx)/2:], out)
		}
		ops := []Op{CheckOp(znode.ControllerEpochPath, f.epochVersion)}
		for _, i := range idx {
			ops = append(ops, groups[i]...)
		}
		results, err := f.c.Multi(ctx, ops...)
		switch {
		case err == nil:
			spread(results[1:], groups, idx, out)
			return nil
		case results != nil:
			failed := failedOp(results)
			if failed == 0 {
				return moved(results[0].Err)
			}
			idx = takeOut(results[1:], failed-1, err, groups, idx, out)
			failures++
		case errors.Is(err, ErrTooLarge) && len(idx) == 1:
			out[idx[0]].Err = err
			return nil
		case retryable(ctx, err):
			if idx, err = f.resolve(ctx, groups, idx, out); err != nil {
				return err
			}
		default:
			return err
		}
	}
	return nil
}

func moved(err error) error {
	if errors.Is(err, ErrBadVersion) {
		err = ErrControllerMoved
	}
	return &Error{Op: "fenced write", Path: znode.ControllerEpochPath, Err: err}
}

func spread(results []Result, groups []Group, idx []int, out []GroupResult) {
	for _, i := range idx {
		n := len(groups[i])
		out[i] = GroupResult{Results: results[:n:n]}
		results = results[n:]
	}
}

// takeOut settles the group that operation failed belongs to, and returns the other indices.
func takeOut(results []Result, failed int, err error, groups []Group, idx []int, out []GroupResult) []int {
	start := 0
	for k, i := range idx {
		n := len(groups[i])
		if failed < start+n {
			out[i] = GroupResult{Results: results[start : start+n : start+n], Err: err}
			return slices.Delete(idx, k, k+1)
		}
		start += n
	}
	return idx
}

// resolve reads back what a transaction with unknown outcome did, settles what was executed and returns the rest.
func (f *Fenced) resolve(ctx context.Context, groups []Group, idx []int, out []GroupResult) (rest []int, err error) {
	for _, i := range idx {
		results, done, err := f.c.groupExecuted(ctx, groups[i])
		if err != nil {
			return nil, err
		}
		if done {
			out[i] = GroupResult{Results: results}
		} else {
			rest = append(rest, i)
		}
	}
	return rest, nil
}

// groupExecuted says whether a group took place, judged by the last operation on each path.
func (c *Client) groupExecuted(ctx context.Context, g Group) ([]Result, bool, error) {
	results := make([]Result, len(g))
	seen := make(map[string]bool, len(g))
	for i, o := range slices.Backward(g) {
		if o.kind == opCreate {
			results[i].Path = o.path
		}
		if seen[o.path] || o.kind == opCheck {
			continue
		}
		seen[o.path] = true
		done, stat, err := c.executed(ctx, o)
		if err != nil || !done {
			return nil, false, err
		}
		if o.kind == opSet {
			results[i].Stat = stat
		}
	}
	return results, len(seen) > 0, nil
}
