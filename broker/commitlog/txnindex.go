package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// A .txnindex holds the aborted transactions whose marker is in the segment, in the order of the markers:
//
//	version int16 = 0 | producerId int64 | firstOffset int64 | lastOffset int64 | lastStableOffset int64
//
// It is there only when the segment has one. Source: TransactionIndex.java, AbortedTxn.java.
const txnEntrySize = 34

// errBadTxnIndex is returned for a transaction index that contradicts itself or its segment.
var errBadTxnIndex = errors.New("bad transaction index")

// loadAbortedLocked reads the file when that is needed for the first time. A bad index is an error: only recovery can make it anew.
func (s *segment) loadAbortedLocked() error {
	if s.index.abortedLoaded {
		return nil
	}
	path := s.path(txnIndexSuffix)
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	list, err := parseTxnIndex(b, s.base)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	s.index.aborted, s.index.abortedLoaded = list, true
	return nil
}

func parseTxnIndex(b []byte, base int64) ([]AbortedTxn, error) {
	if len(b)%txnEntrySize != 0 {
		return nil, fmt.Errorf("%d bytes: %w", len(b), errBadTxnIndex)
	}
	list := make([]AbortedTxn, 0, len(b)/txnEntrySize)
	last := base - 1
	for ; len(b) > 0; b = b[txnEntrySize:] {
		t := AbortedTxn{
			ProducerID:       int64(binary.BigEndian.Uint64(b[2:])),
			FirstOffset:      int64(binary.BigEndian.Uint64(b[10:])),
			LastOffset:       int64(binary.BigEndian.Uint64(b[18:])),
			LastStableOffset: int64(binary.BigEndian.Uint64(b[26:])),
		}
		if v := int16(binary.BigEndian.Uint16(b)); v != 0 || t.LastOffset <= last {
			return nil, fmt.Errorf("version %d, last offset %d after %d: %w", v, t.LastOffset, last, errBadTxnIndex)
		}
		last = t.LastOffset
		list = append(list, t)
	}
	return list, nil
}

// appendAborted adds a transaction whose marker has been appended to the segment.
func (s *segment) appendAborted(t AbortedTxn) error {
	s.index.Lock()
	defer s.index.Unlock()
	if err := s.loadAbortedLocked(); err != nil {
		return err
	}
	b := binary.BigEndian.AppendUint16(make([]byte, 0, txnEntrySize), 0)
	for _, v := range []int64{t.ProducerID, t.FirstOffset, t.LastOffset, t.LastStableOffset} {
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	f, err := openFile(s.path(txnIndexSuffix), os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, int64(len(s.index.aborted))*txnEntrySize)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		s.index.aborted = append(s.index.aborted, t)
	}
	return err
}

// truncateAborted drops the transactions whose markers are at or behind an offset.
func (s *segment) truncateAborted(offset int64) error {
	s.index.Lock()
	defer s.index.Unlock()
	if err := s.loadAbortedLocked(); err != nil {
		return err
	}
	n := 0
	for n < len(s.index.aborted) && s.index.aborted[n].LastOffset < offset {
		n++
	}
	if n == len(s.index.aborted) {
		return nil
	}
	s.index.aborted = s.index.aborted[:n:n]
	if n == 0 {
		return removeIfExists(s.path(txnIndexSuffix))
	}
	return os.Truncate(s.path(txnIndexSuffix), int64(n)*txnEntrySize)
}

// resetAborted forgets all of it.
func (s *segment) resetAborted() error {
	s.index.Lock()
	defer s.index.Unlock()
	s.index.aborted, s.index.abortedLoaded = nil, true
	return removeIfExists(s.path(txnIndexSuffix))
}

// collectAborted adds the transactions that a reader of [fetch, upper) must know. complete means that later segments have none.
func (s *segment) collectAborted(list []AbortedTxn, fetch, upper int64) (_ []AbortedTxn, complete bool, err error) {
	s.index.Lock()
	defer s.index.Unlock()
	if err := s.loadAbortedLocked(); err != nil {
		return list, true, err
	}
	for _, t := range s.index.aborted {
		if t.LastOffset >= fetch && t.FirstOffset < upper {
			list = append(list, t)
		}
		if t.LastStableOffset >= upper {
			return list, true, nil
		}
	}
	return slices.Clip(list), false, nil
}
