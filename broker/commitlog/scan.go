package commitlog

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/prekraft/prekraft/broker/record"
)

const (
	scanWindow    = 4 << 10 // what a look-up reads at a time
	recoverWindow = 1 << 20 // what recovery reads at a time
)

// shared is what all logs of a manager have in common.
type shared struct {
	files    *fileCache
	chores   *chores
	codecs   record.Codecs
	windows  sync.Pool // *[]byte of scanWindow bytes, for look-ups
	requests sync.Pool // *appendRequest
}

func newShared(openFiles int) *shared {
	s := &shared{files: newFileCache(openFiles), chores: newChores()}
	s.files.opened = func() { s.chores.want(idleFiles) }
	return s
}

func (s *shared) window() *[]byte {
	if b, ok := s.windows.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, scanWindow)
	return &b
}

// scanner walks the batches of a .log file. Look-ups only need headers and use a small window; recovery asks for whole batches.
type scanner struct {
	r        io.ReaderAt
	pos, end int64 // the next batch begins at pos; the log ends at end
	buf      []byte
	off      int64 // buf[:n] is what stands at off
	n        int
	header   record.Header // of the batch that next found
	at       int64         // where that batch begins
}

func newScanner(r io.ReaderAt, pos, end int64, window []byte) *scanner {
	return &scanner{r: r, pos: pos, end: end, buf: window}
}

// fill brings [pos, pos+need) into memory, and more if it is there. pos+need is at most end.
func (s *scanner) fill(need int) ([]byte, error) {
	if skip := s.pos - s.off; skip >= 0 && skip+int64(need) <= int64(s.n) {
		return s.buf[skip:s.n], nil
	}
	if need > len(s.buf) {
		s.buf = make([]byte, need)
	}
	want := int(min(int64(len(s.buf)), s.end-s.pos))
	n, err := s.r.ReadAt(s.buf[:want], s.pos)
	s.off, s.n = s.pos, n
	if n < need {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return s.buf[:n], nil
}

// next reads the header of the next batch: io.EOF at the end, record.ErrIncomplete when the file ends inside a batch, record.ErrCorrupt
// when there is none.
func (s *scanner) next() error {
	if s.pos >= s.end {
		return io.EOF
	}
	b, err := s.fill(int(min(record.HeaderPeekSize, s.end-s.pos)))
	if err != nil {
		return err
	}
	h, err := record.ParseHeader(b)
	if err != nil {
		return err
	}
	if s.pos+h.SizeInBytes() > s.end {
		return record.ErrIncomplete
	}
	s.header, s.at = h, s.pos
	s.pos += h.SizeInBytes()
	return nil
}

// batch returns the bytes of the batch that next found. They are valid until next is called.
func (s *scanner) batch() ([]byte, error) {
	pos := s.pos
	s.pos = s.at
	b, err := s.fill(int(s.header.SizeInBytes()))
	s.pos = pos
	if err != nil {
		return nil, err
	}
	return b[:s.header.SizeInBytes()], nil
}

// headerBytes returns the first bytes of the batch that next found, as many as its header has.
func (s *scanner) headerBytes() ([]byte, error) {
	pos := s.pos
	s.pos = s.at
	n := int(min(record.HeaderPeekSize, s.header.SizeInBytes()))
	b, err := s.fill(n)
	s.pos = pos
	if err != nil {
		return nil, err
	}
	return b[:n], nil
}

// nextWhole is next and batch, with the checksum checked. After a batch that is bad the scanner stands before it.
func (s *scanner) nextWhole() ([]byte, error) {
	if err := s.next(); err != nil {
		return nil, err
	}
	b, err := s.batch()
	if err == nil {
		err = record.CheckEntryCRC(b)
	}
	if err == nil && s.header.LastOffset < s.header.BaseOffset {
		err = fmt.Errorf("last offset %d below base offset %d: %w", s.header.LastOffset, s.header.BaseOffset, record.ErrCorrupt)
	}
	if err != nil {
		s.reject()
		return nil, err
	}
	return b, nil
}

// reject steps back before the batch that next found.
func (s *scanner) reject() { s.pos = s.at }

// isCorrupt tells an error that means "no batch here" from one of the file system.
func isCorrupt(err error) bool {
	return errors.Is(err, record.ErrCorrupt) || errors.Is(err, record.ErrIncomplete) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, record.ErrUnsupportedMagic) || errors.Is(err, record.ErrInvalidRecord)
}

func headerEndsAtOrAfter(offset int64) func(*record.Header) bool {
	return func(h *record.Header) bool { return h.LastOffset >= offset }
}
