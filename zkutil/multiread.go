package zkutil

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"sync"
	"sync/atomic"

	"github.com/go-zookeeper/zk"
)

// ZooKeeper 3.6 and newer have a request that reads many nodes, multiRead. A controller that takes over reads a state for every partition; ten requests under way, as
// zookeeper.max.in.flight.requests allows, make that five hundred round trips for 5,000 of them.
//
// The library has no such request, but it has multi, which looks the same. So it is asked for a multi of version checks that nobody means, the wire turns that into a multiRead on
// its way out, and the answer into that of a multi which created nodes: the "path" of each is what was read. Errors look the same in both.
const (
	codeCreate    = 1
	codeCheck     = 13
	codeMulti     = 14
	codeMultiRead = 22

	// readNotCheck is the version that marks a check as a read. No node has it and nobody asks for it: znode.AnyVersion is the only one below 0.
	readNotCheck = math.MinInt32

	multiHeaderSize = 4 + 1 + 4     // type, done, error
	frameHeaderSize = 4 + 4 + 8 + 4 // of an answer: length, xid, zxid, error
	statSize        = 6*8 + 5*4     // six longs, five ints
)

// Errors of a multiRead as a whole. The last two are the wire's own, in place of what the library couldn't take.
const (
	codeUnsupported = ServerError(-6) // UNIMPLEMENTED: ZooKeeper 3.5
	codeTooLarge    = ServerError(-10_000)
	codeMalformed   = ServerError(-10_001)
)

const (
	// multiReadPaths is how many nodes one request reads. With many more the server would be busy with one client for too long.
	multiReadPaths = 100
	// multiReadFrom is how many nodes are worth it. Servers before 3.6 close the connection when they are asked, so few are read as they always were.
	multiReadFrom = 32
)

// readTogether reads nodes of which none is watched with one request. false says that they have to be read one by one; nothing was read then.
func (c *Client) readTogether(ctx context.Context, paths []string, out []NodeResult) (bool, error) {
	reads := make([]any, len(paths))
	size := 0
	for i, path := range paths {
		full := c.full(path)
		reads[i] = &zk.CheckVersionRequest{Path: full, Version: readNotCheck}
		size += len(full) + 32
	}
	if size > c.cfg.MaxRequestBytes {
		return false, nil
	}
	// As a write, for it isn't repeated: whatever hinders it may not hinder single reads.
	results, err := send(ctx, c, request[[]zk.MultiResponse]{op: "multiRead", path: paths[0], write: true, do: func(conn *zk.Conn) ([]zk.MultiResponse, error) {
		return conn.Multi(reads...)
	}})
	if len(results) != len(paths) {
		if errors.Is(err, codeUnsupported) {
			c.noMultiRead.Store(true)
		}
		if err == nil || errors.Is(err, ErrConnectionLoss) || isServerError(err) {
			return false, nil
		}
		return false, err
	}
	for i, r := range results {
		out[i] = NodeResult{}
		if r.Error != nil {
			_, out[i].Err = translate(r.Error)
			out[i].Err = &Error{Op: "get", Path: paths[i], Err: out[i].Err}
			continue
		}
		if out[i].Data, out[i].Stat, err = parseRead(r.String); err != nil {
			return false, err
		}
	}
	return true, nil
}

func isServerError(err error) bool {
	var code ServerError
	return errors.As(err, &code)
}

// parseRead takes apart what a read returned: the data with its length, -1 for null, and the stat.
func parseRead(s string) ([]byte, Stat, error) {
	b := []byte(s)
	if len(b) < 4+statSize {
		return nil, Stat{}, io.ErrUnexpectedEOF
	}
	n := int(int32(binary.BigEndian.Uint32(b)))
	b = b[4:]
	var data []byte
	if n >= 0 {
		if n != len(b)-statSize {
			return nil, Stat{}, io.ErrUnexpectedEOF
		}
		data = b[:n:n]
		b = b[n:]
	}
	var st zk.Stat
	for _, field := range []*int64{&st.Czxid, &st.Mzxid, &st.Ctime, &st.Mtime} {
		*field = int64(binary.BigEndian.Uint64(b))
		b = b[8:]
	}
	for _, field := range []*int32{&st.Version, &st.Cversion, &st.Aversion} {
		*field = int32(binary.BigEndian.Uint32(b))
		b = b[4:]
	}
	st.EphemeralOwner = int64(binary.BigEndian.Uint64(b))
	st.DataLength = int32(binary.BigEndian.Uint32(b[8:]))
	st.NumChildren = int32(binary.BigEndian.Uint32(b[12:]))
	st.Pzxid = int64(binary.BigEndian.Uint64(b[16:]))
	return data, statOf(&st), nil
}

// reads are the multiReads under way on a connection, by xid. The writing goroutine adds, the reading one takes.
type reads struct {
	sync.Mutex
	xids map[uint32]struct{}
	some atomic.Int32
}

func (r *reads) add(xid uint32) {
	r.Lock()
	defer r.Unlock()
	if r.xids == nil {
		r.xids = map[uint32]struct{}{}
	}
	r.xids[xid] = struct{}{}
	r.some.Add(1)
}

func (r *reads) take(xid uint32) bool {
	if r.some.Load() == 0 {
		return false
	}
	r.Lock()
	defer r.Unlock()
	_, ok := r.xids[xid]
	if ok {
		delete(r.xids, xid)
		r.some.Add(-1)
	}
	return ok
}

// asReads turns a multi of marked checks into a multiRead; nil for any other frame. Frame: length, xid, op (4 bytes each), then each check: header, length of the path (4), path,
// version (4); in the end a header.
func asReads(p []byte) []byte {
	const fixed = 4 + 4 + 4
	if len(p) < fixed+2*multiHeaderSize || binary.BigEndian.Uint32(p[8:]) != codeMulti {
		return nil
	}
	out := append(make([]byte, 0, len(p)), p[:fixed]...)
	binary.BigEndian.PutUint32(out[8:], codeMultiRead)
	for rest := p[fixed:]; ; {
		if len(rest) < multiHeaderSize {
			return nil
		}
		if rest[4] != 0 {
			out = append(out, rest...)
			break
		}
		if binary.BigEndian.Uint32(rest) != codeCheck || len(rest) < multiHeaderSize+4 {
			return nil
		}
		n := int64(int32(binary.BigEndian.Uint32(rest[multiHeaderSize:])))
		end := multiHeaderSize + 4 + n
		if n < 0 || end+4 > int64(len(rest)) || int32(binary.BigEndian.Uint32(rest[end:])) != readNotCheck {
			return nil
		}
		at := len(out)
		out = append(out, rest[:end]...)
		binary.BigEndian.PutUint32(out[at:], opGetData)
		out = append(out, 0) // no watch: the server wouldn't set it
		rest = rest[end+4:]
	}
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	return out
}

// asCreated turns the answer to a multiRead into that to a multi which created nodes. Frame: length, header, then each result: header, and data with its length and a stat, or the
// error again; in the end a header. An answer whose header has an error has no body and stays.
func asCreated(f []byte) []byte {
	if len(f) < frameHeaderSize {
		return f
	}
	if binary.BigEndian.Uint32(f[16:]) != 0 {
		return f
	}
	out := append(make([]byte, 0, len(f)+len(f)/8), f[:frameHeaderSize]...)
	for rest := f[frameHeaderSize:]; ; {
		if len(rest) < multiHeaderSize {
			return failedRead(f, codeMalformed)
		}
		if rest[4] != 0 {
			out = append(out, rest...)
			break
		}
		header, body := rest[:multiHeaderSize], rest[multiHeaderSize:]
		size := int64(4)
		if binary.BigEndian.Uint32(header) == opGetData {
			if len(body) < 4 {
				return failedRead(f, codeMalformed)
			}
			size += max(int64(int32(binary.BigEndian.Uint32(body))), 0) + statSize
		}
		if int64(len(body)) < size {
			return failedRead(f, codeMalformed)
		}
		at := len(out)
		out = append(out, header...)
		if binary.BigEndian.Uint32(header) == opGetData {
			if binary.BigEndian.Uint32(header[5:]) != 0 {
				return failedRead(f, codeMalformed) // not ZooKeeper's way to say it
			}
			binary.BigEndian.PutUint32(out[at:], codeCreate)
			out = binary.BigEndian.AppendUint32(out, uint32(size))
		}
		out = append(out, body[:size]...)
		rest = body[size:]
	}
	if len(out) > maxResponseBytes {
		return failedRead(f, codeTooLarge)
	}
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	return out
}

// failedRead is an answer without a body, to the request that f answers.
func failedRead(f []byte, code ServerError) []byte {
	out := append(make([]byte, 0, frameHeaderSize), f[:frameHeaderSize]...)
	binary.BigEndian.PutUint32(out, frameHeaderSize-4)
	binary.BigEndian.PutUint32(out[16:], uint32(code))
	return out
}
