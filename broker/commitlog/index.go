package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sort"
)

// An index file is a sequence of entries of one size. The newest entries are kept in memory and written when there are many, when the segment is
// sealed and when the log is flushed or closed: an unclean start rebuilds the indexes of every segment that wasn't flushed, and an
// index that ends early is still right, since entries are only lower bounds. The part that is in the file is read when it is first needed.
//
// Invariant: the file has exactly stored*entrySize bytes.
type index struct {
	entrySize int
	stored    int    // entries in the file
	tail      []byte // entries after those
	cached    []byte // the file's entries, nil when not in memory
}

const (
	offsetEntrySize = 8  // relative offset int32, position int32
	timeEntrySize   = 12 // timestamp int64, relative offset int32

	indexTailBytes = 4096 // more than this in memory is written to the file
)

// errBadIndex is returned for an index that contradicts itself or its log.
var errBadIndex = errors.New("bad index")

func (x *index) count() int { return x.stored + len(x.tail)/x.entrySize }

// entry returns entry i, which must be in memory.
func (x *index) entry(i int) []byte {
	if i < x.stored {
		return x.cached[i*x.entrySize:][:x.entrySize]
	}
	return x.tail[(i-x.stored)*x.entrySize:][:x.entrySize]
}

// open reads how many entries the file has. A missing file is an error.
func (x *index) open(path string) error {
	size, err := fileSize(path)
	if err != nil {
		return err
	}
	if size%int64(x.entrySize) != 0 {
		return fmt.Errorf("%s has %d bytes: %w", path, size, errBadIndex)
	}
	x.stored, x.tail, x.cached = int(size/int64(x.entrySize)), nil, nil
	return nil
}

// last returns the last entry, nil when there is none. It reads the file if it must.
func (x *index) last(path string) ([]byte, error) {
	n := x.count()
	if n == 0 {
		return nil, nil
	}
	if len(x.tail) > 0 || x.cached != nil {
		return x.entry(n - 1), nil
	}
	f, err := openPlain(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, x.entrySize)
	if _, err := f.ReadAt(b, int64(n-1)*int64(x.entrySize)); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// load brings the file's entries into memory. check is called with the whole file and says whether it can be trusted.
func (x *index) load(path string, check func([]byte) error) error {
	if x.stored == 0 || x.cached != nil {
		return nil
	}
	f, err := openPlain(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, x.stored*x.entrySize)
	if _, err := f.ReadAt(b, 0); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := check(b); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	x.cached = b
	return nil
}

// write puts the tail into the file, which is made if it isn't there. With whole, the file is also made when there are no entries.
func (x *index) write(path string, whole bool) error {
	if len(x.tail) == 0 && !whole {
		return nil
	}
	f, err := openFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if len(x.tail) > 0 {
		_, err = f.WriteAt(x.tail, int64(x.stored)*int64(x.entrySize))
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if x.cached != nil || x.stored == 0 {
		x.cached = append(x.cached, x.tail...)
	}
	x.stored += len(x.tail) / x.entrySize
	x.tail = x.tail[:0]
	return nil
}

// truncate keeps the first n entries. What it needs must be in memory.
func (x *index) truncate(path string, n int) error {
	if n >= x.count() {
		return nil
	}
	if n >= x.stored {
		x.tail = x.tail[:(n-x.stored)*x.entrySize]
		return nil
	}
	x.tail = x.tail[:0]
	if x.cached != nil {
		x.cached = x.cached[: n*x.entrySize : n*x.entrySize]
	}
	x.stored = n
	err := os.Truncate(path, int64(n)*int64(x.entrySize))
	if n == 0 && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// reset forgets everything, in memory and in the file.
func (x *index) reset(path string) error {
	x.stored, x.tail, x.cached = 0, x.tail[:0], nil
	err := os.Truncate(path, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// evict frees the memory of what is in the file.
func (x *index) evict() {
	x.cached = nil
	if len(x.tail) == 0 {
		x.tail = nil
	}
}

// inTail tells whether the answer to "the last entry for which after is false" is in the tail, so that the file isn't needed.
func (x *index) inTail(after func(entry []byte) bool) bool {
	return x.stored == 0 || (len(x.tail) > 0 && !after(x.tail[:x.entrySize]))
}

// floor returns the last entry for which after is false, nil if there is none. after must be monotone.
func (x *index) floor(after func(entry []byte) bool) []byte {
	lo := 0
	if x.stored > 0 && x.inTail(after) {
		lo = x.stored
	}
	i := lo + sort.Search(x.count()-lo, func(i int) bool { return after(x.entry(lo + i)) })
	if i == 0 {
		return nil
	}
	return x.entry(i - 1)
}

func offsetEntry(b []byte) (relative int32, position int64) {
	return int32(binary.BigEndian.Uint32(b)), int64(int32(binary.BigEndian.Uint32(b[4:])))
}

func timeEntry(b []byte) (timestamp int64, relative int32) {
	return int64(binary.BigEndian.Uint64(b)), int32(binary.BigEndian.Uint32(b[8:]))
}

// checkOffsetEntries accepts entries whose offsets and positions rise and lie in the log.
func checkOffsetEntries(b []byte, logSize int64) error {
	lastOffset, lastPosition := int32(-1), int64(-1)
	for ; len(b) > 0; b = b[offsetEntrySize:] {
		offset, position := offsetEntry(b)
		if offset <= lastOffset || position <= lastPosition || position >= logSize {
			return fmt.Errorf("entry (%d, %d) after (%d, %d): %w", offset, position, lastOffset, lastPosition, errBadIndex)
		}
		lastOffset, lastPosition = offset, position
	}
	return nil
}

// checkTimeEntries accepts entries whose timestamps rise and whose offsets don't fall.
func checkTimeEntries(b []byte) error {
	lastTimestamp, lastOffset := int64(-1), int32(0)
	for ; len(b) > 0; b = b[timeEntrySize:] {
		timestamp, offset := timeEntry(b)
		if timestamp <= lastTimestamp || offset < lastOffset {
			return fmt.Errorf("entry (%d, %d) after (%d, %d): %w", timestamp, offset, lastTimestamp, lastOffset, errBadIndex)
		}
		lastTimestamp, lastOffset = timestamp, offset
	}
	return nil
}
