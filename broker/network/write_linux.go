package network

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxVectors is how many ranges of memory one write takes. More are rare, as small responses are copied together.
const maxVectors = 64

// rawWriter is the part of a writer that writes to the socket without the runtime's waiting.
type rawWriter struct {
	step    func(fd uintptr) bool // bound once, so that using it allocates nothing
	vectors [][]byte
	block   bool
	budget  *int
	done    bool
	sent    int
	end     *closeError
}

// rawConn returns what allows reading and writing conn without waiting: for plain TCP.
func rawConn(conn net.Conn) syscall.RawConn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// canSendfile tells that sendfile exists.
const canSendfile = true

func (w *writer) transmitRaw(block bool, budget *int) (done bool, sent int, end *closeError) {
	r := &w.raw
	if r.step == nil {
		r.step = w.stepRaw
	}
	r.block, r.budget, r.done, r.sent, r.end = block, budget, false, 0, nil
	if err := w.conn.raw.Write(r.step); err != nil && r.end == nil && !r.done {
		r.end = &closeError{ClosedWriteError, err}
	}
	r.budget = nil
	return r.done, r.sent, r.end
}

// stepRaw is called with the socket's descriptor, and again each time the socket became writable after it returned false.
func (w *writer) stepRaw(fd uintptr) bool {
	r := &w.raw
	for w.next < len(w.pieces.list) {
		if !r.block && *r.budget <= 0 {
			return true
		}
		n, err := w.writeOnce(int(fd))
		if n > 0 {
			r.sent += n
			*r.budget -= n
			w.conn.touch(time.Now())
		}
		switch {
		case err == nil, errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return !r.block
		case errors.Is(err, errWouldWait):
			return true
		default:
			var end *closeError
			if !errors.As(err, &end) {
				end = &closeError{ClosedWriteError, err}
			}
			r.end = end
			return true
		}
	}
	r.done = true
	return true
}

// errWouldWait says that going on needs a disk, or a call that may.
var errWouldWait = errors.New("would wait")

// writeOnce makes one system call that sends what comes next.
func (w *writer) writeOnce(fd int) (int, error) {
	r := &w.raw
	r.vectors = r.vectors[:0]
	bytes, loaded := 0, 0
	more := false // a sendfile follows: let the kernel fill the segment
	list := w.pieces.list
	for i := w.next; i < len(list) && len(r.vectors) < maxVectors; i++ {
		p := &list[i]
		if len(p.b) == 0 && p.span.Length > 0 {
			if w.bySendfile(p) {
				if bytes == 0 {
					return w.sendfile(fd, p)
				}
				more = true
				break
			}
			if loaded >= copyChunk {
				break
			}
			if err := w.load(p, copyChunk-loaded); err != nil {
				if bytes > 0 && errors.Is(err, errWouldWait) {
					break // what was gathered can go
				}
				return 0, err
			}
			loaded += len(p.b)
		}
		if len(p.b) > 0 {
			r.vectors = append(r.vectors, p.b)
			bytes += len(p.b)
		}
		if p.span.Length > 0 || !r.block && bytes >= *r.budget {
			break // its rest, or the budget's
		}
	}
	if bytes == 0 {
		w.advance(0)
		return 0, nil
	}
	var n int
	var err error
	switch {
	case more:
		n, err = unix.SendmsgBuffers(fd, r.vectors, nil, nil, unix.MSG_MORE)
	case len(r.vectors) == 1:
		n, err = unix.Write(fd, r.vectors[0])
	default:
		n, err = unix.Writev(fd, r.vectors)
	}
	clear(r.vectors)
	if n > 0 {
		w.advance(n)
		return n, nil
	}
	return 0, err
}

// bySendfile says whether a file range goes by sendfile: see the package's documentation.
func (w *writer) bySendfile(p *piece) bool {
	c := w.conn
	if !c.canSend || p.span.Length < c.server.config.SendfileMin || c.server.noSendfile.Load() {
		return false
	}
	return c.sendfile || c.server.copying.Load() > c.server.config.CopyBudget
}

// sendfile sends the beginning of a file range with an explicit offset: other connections send from the same file.
func (w *writer) sendfile(fd int, p *piece) (int, error) {
	if !w.raw.block {
		return 0, errWouldWait // it may read from a disk
	}
	const most = 1 << 20
	raw, err := p.span.File.SyscallConn()
	if err != nil {
		return 0, &closeError{ClosedBadResponse, fmt.Errorf("file range: %w", err)}
	}
	var n int
	var callErr error
	offset := p.span.Offset
	err = raw.Control(func(file uintptr) {
		n, callErr = unix.Sendfile(fd, int(file), &offset, min(p.span.Length, most))
	})
	switch {
	case err != nil:
		return 0, &closeError{ClosedBadResponse, fmt.Errorf("file range: %w", err)}
	case n > 0:
		w.advance(n)
		return n, nil
	case callErr == nil:
		return 0, &closeError{ClosedBadResponse, fmt.Errorf("file range at %d: %w", p.span.Offset, io.ErrUnexpectedEOF)}
	case errors.Is(callErr, unix.EINVAL), errors.Is(callErr, unix.ENOSYS), errors.Is(callErr, unix.EOPNOTSUPP):
		w.conn.server.noSendfile.Store(true) // a file system without it: copy from now on
		return 0, nil
	}
	return 0, callErr
}

// load reads the beginning of a file range into a pooled buffer. Without block only from the page cache.
func (w *writer) load(p *piece, most int) error {
	c := w.conn
	n := min(p.span.Length, most)
	// Reserved before it is taken: of several connections at once only the first finds the budget free.
	if before := c.server.copying.Add(int64(n)) - int64(n); before > c.server.config.CopyBudget && n > chunkSize {
		c.server.copying.Add(int64(chunkSize - n))
		n = chunkSize
	}
	buf := c.server.pool.get(n)
	c.server.copying.Add(int64(len(buf.b) - n))
	giveBack := func() {
		c.server.copying.Add(-int64(len(buf.b)))
		buf.release()
	}
	// A pooled buffer may be larger than asked for, but is never read into beyond n.
	if w.raw.block {
		if err := readSpan(&p.span, buf.b[:n]); err != nil {
			giveBack()
			return err
		}
	} else {
		read, err := readCached(&p.span, buf.b[:n])
		if err != nil {
			giveBack()
			return err
		}
		n = read
	}
	p.buf, p.b, p.file = buf, buf.b[:n], true
	p.span.Offset += int64(n)
	p.span.Length -= n
	return nil
}

// readCached reads what the page cache has of a range's beginning: at least a byte, else errWouldWait.
func readCached(s *Span, b []byte) (int, error) {
	raw, err := s.File.SyscallConn()
	if err != nil {
		return 0, &closeError{ClosedBadResponse, fmt.Errorf("file range: %w", err)}
	}
	var n int
	var callErr error
	err = raw.Control(func(fd uintptr) {
		if n, callErr = unix.Preadv2(int(fd), [][]byte{b}, s.Offset, unix.RWF_NOWAIT); errors.Is(callErr, unix.EOPNOTSUPP) && onTmpfs(int(fd)) {
			n, callErr = unix.Pread(int(fd), b, s.Offset)
		}
	})
	switch {
	case err != nil:
		return 0, &closeError{ClosedBadResponse, fmt.Errorf("file range: %w", err)}
	case callErr != nil || n == 0:
		// Not in memory, or a file system or kernel that doesn't know the flag, or the end of the file: the one who may
		// wait will see which.
		return 0, errWouldWait
	}
	return n, nil
}

// onTmpfs tells whether a file is on a tmpfs, which has no page cache to ask for and never waits for a disk.
func onTmpfs(fd int) bool {
	var fs unix.Statfs_t
	return unix.Fstatfs(fd, &fs) == nil && fs.Type == unix.TMPFS_MAGIC
}

// idleRead is the state of waiting for input without a buffer.
type idleRead struct {
	step func(fd uintptr) bool
	n    int
	err  error
}

// readIdle waits for input and reads into a buffer that it lends only when there is some.
func (c *Conn) readIdle() (int, error) {
	if c.raw == nil {
		return c.readIdleCopy()
	}
	if c.idle.step == nil {
		c.idle.step = c.stepIdle
	}
	err := c.raw.Read(c.idle.step)
	n := c.idle.n
	if err == nil {
		err = c.idle.err
	}
	c.idle.n, c.idle.err = 0, nil
	if err == nil && n == 0 {
		err = io.EOF
	}
	return n, err
}

func (c *Conn) stepIdle(fd uintptr) bool {
	if c.in == nil {
		c.in = c.server.pool.get(c.chunk())
	}
	for {
		n, err := unix.Read(int(fd), c.in.b)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n > 0 {
			c.idle.n = n
			return true
		}
		c.in.release()
		c.in = nil
		if errors.Is(err, unix.EAGAIN) {
			return false
		}
		c.idle.err = err
		return true
	}
}
