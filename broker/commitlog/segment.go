package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"sync"
	"sync/atomic"

	"github.com/prekraft/prekraft/broker/record"
)

// maxSegmentOffsets is how far offsets in a segment may be from its base: they are 32 bits in the indexes.
const maxSegmentOffsets = math.MaxInt32

// segment is a stretch of a log: X.log and its indexes, X being the first offset it may hold.
//
// The log's lock guards what only appends, rolls and truncations touch. files and index are leaf locks, so that readers never wait for an append.
type segment struct {
	dir    string // replica directory
	base   int64
	shared *shared
	config *atomic.Pointer[Config]

	size  atomic.Int64 // bytes of whole batches
	spans atomic.Int32 // spans of the file that readers hold

	// Guarded by the log's lock; of use in the active segment only.
	createdMs      int64 // when the segment was made or loaded
	firstTimestamp int64 // largest timestamp of the first append, -1 unknown
	jitterMs       int64 // what is taken off segment.ms
	allocated      int64 // bytes reserved on disk

	files struct {
		sync.Mutex
		gone bool    // removed from the log, or the log is closed: not opened any more
		open *handle // nil when the file isn't open
	}

	index struct {
		sync.Mutex
		opened          bool // the fields below are filled in
		offsets, times  index
		lastTime        int64 // of the last time index entry, -1 for none
		maxTimestamp    int64 // largest timestamp in the segment, -1 for none
		maxOffset       int64 // last offset of the batch that has it
		bytesSinceEntry int64

		abortedLoaded bool
		aborted       []AbortedTxn // the content of .txnindex
	}
}

func newSegment(dir string, base int64, sh *shared, config *atomic.Pointer[Config]) *segment {
	s := &segment{dir: dir, base: base, shared: sh, config: config, firstTimestamp: -1}
	s.index.offsets.entrySize = offsetEntrySize
	s.index.times.entrySize = timeEntrySize
	s.index.lastTime, s.index.maxTimestamp, s.index.maxOffset = -1, -1, base
	return s
}

// path is the name of one of the segment's files while it is in the log.
func (s *segment) path(suffix string) string {
	return s.dir + string(os.PathSeparator) + fileName(s.base, suffix)
}

// replace makes an empty segment where there may be remains of one with the same base.
func (s *segment) replace() error {
	for _, suffix := range []string{indexSuffix, timeIndexSuffix, txnIndexSuffix} {
		if err := removeIfExists(s.path(suffix)); err != nil {
			return err
		}
	}
	return s.create()
}

// create makes an empty segment in a directory that has no index of that base.
func (s *segment) create() error {
	f, err := openFile(s.path(logSuffix), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	s.index.opened, s.index.abortedLoaded = true, true
	s.adopt(f)
	return nil
}

// adopt takes an open file as the segment's.
func (s *segment) adopt(f *os.File) {
	h := &handle{f: f, seg: s}
	h.refs.Store(1)
	h.used.Store(true)
	s.files.Lock()
	s.files.open = h
	s.files.Unlock()
	s.shared.files.add(h)
}

// acquire returns the open .log file. The caller releases it.
func (s *segment) acquire() (*handle, error) {
	s.files.Lock()
	h := s.files.open
	if h != nil {
		h.refs.Add(1)
		s.files.Unlock()
		if !h.used.Load() {
			h.used.Store(true)
		}
		return h, nil
	}
	if s.files.gone {
		s.files.Unlock()
		return nil, errorf(KindOffsetOutOfRange, "segment %d was deleted", s.base)
	}
	f, err := openFile(s.path(logSuffix), os.O_RDWR, 0)
	if err != nil {
		s.files.Unlock()
		return nil, err
	}
	h = &handle{f: f, seg: s}
	h.refs.Store(2)
	h.used.Store(true)
	s.files.open = h
	s.files.Unlock()
	s.shared.files.add(h)
	return h, nil
}

// closeHandle lets go of an open file that the cache has already forgotten, and of the memory of the indexes.
func (s *segment) closeHandle(h *handle) {
	s.files.Lock()
	if s.files.open != h {
		s.files.Unlock()
		return
	}
	s.files.open = nil
	s.files.Unlock()
	h.release()
	// Never wait here: whoever holds the index may be opening a file and closing ours for it.
	if s.index.TryLock() {
		s.index.offsets.evict()
		s.index.times.evict()
		s.index.Unlock()
	}
}

// close lets go of the open file.
func (s *segment) close() {
	s.files.Lock()
	h := s.files.open
	s.files.open = nil
	s.files.Unlock()
	if h != nil {
		s.shared.files.remove(h)
		h.release()
	}
}

// overflows tells whether an offset can't be in this segment because it is too far from the base.
func (s *segment) overflows(offset int64) bool {
	return offset < s.base || offset-s.base > maxSegmentOffsets
}

// openIndexLocked learns what the index files hold. It doesn't read them: that is left to the first look-up.
func (s *segment) openIndexLocked() error {
	if s.index.opened {
		return nil
	}
	err := s.tryOpenIndexLocked()
	if errors.Is(err, errBadIndex) || errors.Is(err, fs.ErrNotExist) {
		return s.rebuildIndexLocked()
	}
	return err
}

func (s *segment) tryOpenIndexLocked() error {
	x := &s.index
	if err := x.offsets.open(s.path(indexSuffix)); err != nil {
		return err
	}
	if err := x.times.open(s.path(timeIndexSuffix)); err != nil {
		return err
	}
	size := s.size.Load()
	entry, err := x.offsets.last(s.path(indexSuffix))
	if err != nil {
		return err
	}
	if entry != nil {
		offset, position := offsetEntry(entry)
		if offset < 0 || position <= 0 || position >= size {
			return errBadIndex // zeros behind the entries: the file wasn't trimmed
		}
	}
	x.lastTime, x.maxTimestamp, x.maxOffset = -1, -1, s.base
	if entry, err = x.times.last(s.path(timeIndexSuffix)); err != nil {
		return err
	}
	if entry != nil {
		timestamp, offset := timeEntry(entry)
		if timestamp < 0 || offset < 0 || (timestamp == 0 && offset == 0 && x.times.count() > 1) {
			return errBadIndex
		}
		x.lastTime, x.maxTimestamp, x.maxOffset = timestamp, timestamp, s.base+int64(offset)
	}
	x.bytesSinceEntry = 0 // as Kafka counts: since the file was opened
	x.opened = true
	return nil
}

// loadOffsetsLocked brings the offset index into memory. An index that can't be trusted is rebuilt.
func (s *segment) loadOffsetsLocked() error {
	size := s.size.Load()
	err := s.index.offsets.load(s.path(indexSuffix), func(b []byte) error { return checkOffsetEntries(b, size) })
	if errors.Is(err, errBadIndex) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, io.EOF) {
		return s.rebuildIndexLocked()
	}
	return err
}

func (s *segment) loadTimesLocked() error {
	err := s.index.times.load(s.path(timeIndexSuffix), checkTimeEntries)
	if errors.Is(err, errBadIndex) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, io.EOF) {
		return s.rebuildIndexLocked()
	}
	return err
}

// rebuildIndexLocked makes both indexes anew from the batches' headers. It keeps the result in memory and writes it when the segment isn't
// on its way out.
func (s *segment) rebuildIndexLocked() error {
	h, err := s.acquire()
	if err != nil {
		return err
	}
	defer h.release()
	if err := s.resetIndexLocked(); err != nil {
		return err
	}
	sc := newScanner(h.f, 0, s.size.Load(), make([]byte, 64<<10))
	for {
		err := sc.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return &CorruptError{Dir: s.dir, Base: s.base, Pos: sc.pos, Err: err}
		}
		if err := s.noteBatchLocked(sc.at, sc.header.SizeInBytes(), sc.header.LastOffset, sc.header.MaxTimestamp); err != nil {
			return err
		}
	}
	if err := s.noteMaxTimestampLocked(); err != nil {
		return err
	}
	return s.writeIndexLocked(true)
}

func (s *segment) resetIndexLocked() error {
	x := &s.index
	if err := x.offsets.reset(s.path(indexSuffix)); err != nil {
		return err
	}
	if err := x.times.reset(s.path(timeIndexSuffix)); err != nil {
		return err
	}
	x.lastTime, x.maxTimestamp, x.maxOffset, x.bytesSinceEntry = -1, -1, s.base, 0
	x.opened = true
	return nil
}

// noteBatchLocked takes a batch at a position into the indexes. Source: LogSegment.append, with an append being one batch.
func (s *segment) noteBatchLocked(position, size, lastOffset, maxTimestamp int64) error {
	x := &s.index
	if maxTimestamp > x.maxTimestamp {
		x.maxTimestamp, x.maxOffset = maxTimestamp, lastOffset
	}
	if x.bytesSinceEntry > int64(s.config.Load().IndexIntervalBytes) {
		x.offsets.tail = binary.BigEndian.AppendUint32(x.offsets.tail, uint32(lastOffset-s.base))
		x.offsets.tail = binary.BigEndian.AppendUint32(x.offsets.tail, uint32(position))
		x.bytesSinceEntry = 0
		if err := s.noteMaxTimestampLocked(); err != nil {
			return err
		}
		if len(x.offsets.tail) >= indexTailBytes {
			if err := x.offsets.write(s.path(indexSuffix), false); err != nil {
				return err
			}
		}
	}
	x.bytesSinceEntry += size
	return nil
}

// noteMaxTimestampLocked adds the largest timestamp so far to the time index unless it is there.
func (s *segment) noteMaxTimestampLocked() error {
	x := &s.index
	if x.maxTimestamp <= x.lastTime {
		return nil
	}
	x.times.tail = binary.BigEndian.AppendUint64(x.times.tail, uint64(x.maxTimestamp))
	x.times.tail = binary.BigEndian.AppendUint32(x.times.tail, uint32(x.maxOffset-s.base))
	x.lastTime = x.maxTimestamp
	if len(x.times.tail) >= indexTailBytes {
		return x.times.write(s.path(timeIndexSuffix), false)
	}
	return nil
}

// writeIndexLocked puts what is only in memory into the index files. With whole, they exist afterwards.
func (s *segment) writeIndexLocked(whole bool) error {
	if err := s.index.offsets.write(s.path(indexSuffix), whole); err != nil {
		return err
	}
	return s.index.times.write(s.path(timeIndexSuffix), whole)
}

// finish completes the indexes with the segment's largest timestamp and gives back reserved disk space: what a roll does to the old segment, and
// a clean shutdown to the active one.
func (s *segment) finish() error {
	s.index.Lock()
	defer s.index.Unlock()
	if err := s.openIndexLocked(); err != nil {
		return err
	}
	if err := s.noteMaxTimestampLocked(); err != nil {
		return err
	}
	if err := s.writeIndexLocked(true); err != nil {
		return err
	}
	return s.trim()
}

// trim gives back disk space that was reserved behind the end.
func (s *segment) trim() error {
	if s.allocated <= s.size.Load() {
		return nil
	}
	s.allocated = 0
	h, err := s.acquire()
	if err != nil {
		return err
	}
	defer h.release()
	return h.f.Truncate(s.size.Load())
}

// indexesFull tells whether the indexes have no room for another entry.
func (s *segment) indexesFull(c *Config) bool {
	s.index.Lock()
	defer s.index.Unlock()
	return s.index.offsets.count() >= c.maxIndexEntries(offsetEntrySize) || s.index.times.count() >= c.maxIndexEntries(timeEntrySize)-1
}

// largestTimestamp returns the largest timestamp in the segment and the last offset of the batch that has it; -1 when no batch has one.
func (s *segment) largestTimestamp() (timestamp, offset int64, err error) {
	s.index.Lock()
	defer s.index.Unlock()
	if err := s.openIndexLocked(); err != nil {
		return -1, 0, err
	}
	return s.index.maxTimestamp, s.index.maxOffset, nil
}

// floorPosition returns a position at or before the batch that holds offset.
func (s *segment) floorPosition(offset int64) (int64, error) {
	s.index.Lock()
	defer s.index.Unlock()
	if err := s.openIndexLocked(); err != nil {
		return 0, err
	}
	relative := min(offset-s.base, maxSegmentOffsets)
	after := func(e []byte) bool { r, _ := offsetEntry(e); return int64(r) > relative }
	if !s.index.offsets.inTail(after) {
		if err := s.loadOffsetsLocked(); err != nil {
			return 0, err
		}
	}
	if e := s.index.offsets.floor(after); e != nil {
		_, position := offsetEntry(e)
		return position, nil
	}
	return 0, nil
}

// floorTime returns an offset from which on a record with a timestamp of at least t may be found: none before it has one.
func (s *segment) floorTime(t int64) (int64, error) {
	s.index.Lock()
	defer s.index.Unlock()
	if err := s.openIndexLocked(); err != nil {
		return 0, err
	}
	// An entry says that everything up to its offset is at most its timestamp. One equal to t may itself be the record that is sought,
	// so Kafka's floor, which includes equality, is used for the batch scan that begins AT this offset's batch.
	after := func(e []byte) bool { ts, _ := timeEntry(e); return ts > t }
	if !s.index.times.inTail(after) {
		if err := s.loadTimesLocked(); err != nil {
			return 0, err
		}
	}
	if e := s.index.times.floor(after); e != nil {
		_, offset := timeEntry(e)
		return s.base + int64(offset), nil
	}
	return s.base, nil
}

// ceilingPosition returns the offset of the first index entry whose position is at least position; false when there is none.
func (s *segment) ceilingPosition(position int64) (int64, bool, error) {
	s.index.Lock()
	defer s.index.Unlock()
	if err := s.openIndexLocked(); err != nil {
		return 0, false, err
	}
	if err := s.loadOffsetsLocked(); err != nil {
		return 0, false, err
	}
	x := &s.index.offsets
	lo, hi := 0, x.count()
	for lo < hi {
		mid := (lo + hi) / 2
		if _, p := offsetEntry(x.entry(mid)); p >= position {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	if lo == x.count() {
		return 0, false, nil
	}
	offset, _ := offsetEntry(x.entry(lo))
	return s.base + int64(offset), true, nil
}

// batchAt is where a batch is.
type batchAt struct {
	position, size         int64
	baseOffset, lastOffset int64
	maxTimestamp           int64
	leaderEpoch            int32
}

// find returns the first batch whose last offset is at least offset; false when the segment has none.
func (s *segment) find(offset int64) (batchAt, bool, error) {
	position, err := s.floorPosition(offset)
	if err != nil {
		return batchAt{}, false, err
	}
	return s.scan(position, func(h *record.Header) bool { return h.LastOffset >= offset })
}

// scan returns the first batch at or after a position that match accepts.
func (s *segment) scan(position int64, match func(*record.Header) bool) (batchAt, bool, error) {
	h, err := s.acquire()
	if err != nil {
		return batchAt{}, false, err
	}
	defer h.release()
	window := s.shared.window()
	defer s.shared.windows.Put(window)
	sc := newScanner(h.f, position, s.size.Load(), *window)
	for {
		err := sc.next()
		if errors.Is(err, io.EOF) {
			return batchAt{}, false, nil
		}
		if err != nil {
			if isCorrupt(err) {
				err = &CorruptError{Dir: s.dir, Base: s.base, Pos: sc.pos, Err: err}
			}
			return batchAt{}, false, err
		}
		if hd := &sc.header; match(hd) {
			return batchAt{sc.at, hd.SizeInBytes(), hd.BaseOffset, hd.LastOffset, hd.MaxTimestamp, hd.PartitionLeaderEpoch}, true, nil
		}
	}
}

// sync makes the segment durable. The indexes of the active segment needn't be: an unclean start rebuilds them.
func (s *segment) sync(active bool) error {
	h, err := s.acquire()
	if err != nil {
		return err
	}
	defer h.release()
	if err := h.f.Sync(); err != nil || active {
		return err
	}
	s.index.Lock()
	err = s.writeIndexLocked(true)
	s.index.Unlock()
	if err != nil {
		return err
	}
	for _, suffix := range []string{indexSuffix, timeIndexSuffix, txnIndexSuffix, snapshotSuffix} {
		if err := syncFile(s.path(suffix)); err != nil {
			return err
		}
	}
	return nil
}

// syncFile makes a file durable; one that doesn't exist is fine.
func syncFile(path string) error {
	f, err := openFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	err = f.Sync()
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// markDeleted renames the segment's files so that a crash finishes the deletion, and returns the new names. Readers that hold the file
// go on reading; nobody opens it any more.
func (s *segment) markDeleted() ([]string, error) {
	s.retire()
	var renamed []string
	for _, suffix := range []string{logSuffix, indexSuffix, timeIndexSuffix, txnIndexSuffix} {
		path := s.path(suffix)
		err := os.Rename(path, path+deletedSuffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return renamed, fmt.Errorf("delete segment: %w", err)
		}
		renamed = append(renamed, path+deletedSuffix)
	}
	return renamed, nil
}

// modified is when the .log file was last written, in milliseconds.
func (s *segment) modified() (int64, error) {
	st, err := os.Stat(s.path(logSuffix))
	if err != nil {
		return 0, err
	}
	return st.ModTime().UnixMilli(), nil
}

// isGone tells whether the segment was removed from the log.
func (s *segment) isGone() bool {
	s.files.Lock()
	defer s.files.Unlock()
	return s.files.gone
}

// retire makes sure that nobody opens the segment's file any more.
func (s *segment) retire() {
	s.files.Lock()
	s.files.gone = true
	s.files.Unlock()
	s.close()
}
