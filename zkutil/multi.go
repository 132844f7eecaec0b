package zkutil

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"

	"github.com/prekraft/prekraft/zkutil/znode"
)

type opKind uint8

const (
	opCreate opKind = iota + 1
	opSet
	opDelete
	opCheck
)

// Op is one operation of a transaction. Make it with CreateOp, SetOp, DeleteOp or CheckOp.
type Op struct {
	kind    opKind
	path    string
	data    []byte
	version znode.ZkVersion
	mode    Mode
}

// CreateOp creates a node with the ACL that Kafka gives to the path.
func CreateOp(path string, data []byte, mode Mode) Op {
	return Op{kind: opCreate, path: path, data: data, mode: mode}
}

// SetOp replaces a node's data if it has the version.
func SetOp(path string, data []byte, version znode.ZkVersion) Op {
	return Op{kind: opSet, path: path, data: data, version: version}
}

// DeleteOp removes a node if it has the version.
func DeleteOp(path string, version znode.ZkVersion) Op {
	return Op{kind: opDelete, path: path, version: version}
}

// CheckOp makes the transaction fail unless the node has the version.
func CheckOp(path string, version znode.ZkVersion) Op {
	return Op{kind: opCheck, path: path, version: version}
}

func (o Op) size() int { return len(o.path) + len(o.data) + 96 }

// Result is the outcome of one operation of a transaction.
type Result struct {
	// Path that was created.
	Path string
	// Stat after a set; the zero value for other operations. To learn the Stat of a node created in a transaction, set it in the same one.
	Stat Stat
	// Err is nil, the operation's own error, or ErrNotExecuted if another operation failed.
	Err error
}

// Multi executes operations as one transaction: all or none. If the server refused it, results tell which operation failed, and err is
// that operation's error. After any other error there are no results.
func (c *Client) Multi(ctx context.Context, ops ...Op) ([]Result, error) {
	size := 0
	reqs := make([]any, len(ops))
	for i, o := range ops {
		size += o.size()
		full := c.full(o.path)
		switch o.kind {
		case opCreate:
			reqs[i] = &zk.CreateRequest{Path: full, Data: o.data, Acl: c.acl(o.path), Flags: int32(o.mode)}
		case opSet:
			reqs[i] = &zk.SetDataRequest{Path: full, Data: o.data, Version: int32(o.version)}
		case opDelete:
			reqs[i] = &zk.DeleteRequest{Path: full, Version: int32(o.version)}
		case opCheck:
			reqs[i] = &zk.CheckVersionRequest{Path: full, Version: int32(o.version)}
		default:
			return nil, &Error{Op: "multi", Path: o.path, Err: fmt.Errorf("%w: operation without kind", ErrBadArguments)}
		}
	}
	if len(ops) == 0 {
		return nil, nil
	}
	if err := c.checkSize("multi", ops[0].path, size); err != nil {
		return nil, err
	}
	raw, err := send(ctx, c, request[[]zk.MultiResponse]{op: "multi", path: ops[0].path, write: true, do: func(conn *zk.Conn) ([]zk.MultiResponse, error) {
		return conn.Multi(reqs...)
	}})
	if len(raw) != len(ops) {
		if err == nil {
			err = &Error{Op: "multi", Path: ops[0].path, Err: fmt.Errorf("%d results for %d operations", len(raw), len(ops)), Unknown: true}
		}
		return nil, err
	}
	return c.results(ops, raw)
}

// results translates per operation. Operations before the failing one carry no error in ZooKeeper's answer, although they were not executed.
func (c *Client) results(ops []Op, raw []zk.MultiResponse) ([]Result, error) {
	failed := -1
	out := make([]Result, len(raw))
	for i, r := range raw {
		if r.Error != nil {
			_, out[i].Err = translate(r.Error)
			if failed < 0 && !errors.Is(out[i].Err, ErrNotExecuted) {
				failed = i
			}
			continue
		}
		out[i].Stat = statOf(r.Stat)
		if r.String != "" {
			out[i].Path = c.relative(r.String)
		}
	}
	if failed < 0 {
		return out, nil
	}
	for i := range out {
		if i != failed {
			out[i] = Result{Err: ErrNotExecuted}
		}
	}
	return out, &Error{Op: "multi", Path: ops[failed].path, Err: out[failed].Err}
}

// failedOp gives the index of the operation that made a transaction fail.
func failedOp(results []Result) int {
	for i, r := range results {
		if r.Err != nil && !errors.Is(r.Err, ErrNotExecuted) {
			return i
		}
	}
	return -1
}

// executed finds out whether an operation whose outcome is unknown took place. It is right if nobody else writes the same data to the
// same node in between; those who use it know that this would do no harm.
func (c *Client) executed(ctx context.Context, o Op) (bool, Stat, error) {
	// Another server may answer now, which may not know the write yet.
	if err := c.Sync(ctx, o.path); err != nil {
		return false, Stat{}, err
	}
	data, stat, err := c.Get(ctx, o.path)
	if errors.Is(err, ErrNoNode) {
		return o.kind == opDelete, Stat{}, nil
	}
	if err != nil {
		return false, Stat{}, err
	}
	same := bytes.Equal(data, o.data)
	switch o.kind {
	case opCreate:
		owner := int64(0)
		if o.mode == Ephemeral {
			owner = c.Session().ID
		}
		return same && stat.EphemeralOwner == owner, stat, nil
	case opSet:
		return same && (o.version == znode.AnyVersion || stat.Version == o.version+1), stat, nil
	}
	return false, stat, nil
}
