package commitlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/prekraft/prekraft/broker/record"
)

// overflowError says that a segment holds offsets too far from its base for an index, and that they are no damage: brokers before Kafka 1.1 wrote such segments.
type overflowError struct{ s *segment }

func (e *overflowError) Error() string {
	return fmt.Sprintf("segment %d holds offsets that are more than %d above it", e.s.base, maxSegmentOffsets)
}

// recoverSplitting is recover; where it meets a segment that is too wide, that one is split and recovery begins anew. Source: LogLoader.retryOnOffsetOverflow.
func (l *Log) recoverSplitting(recoveryPoint int64, files *replicaFiles) error {
	for {
		err := l.recover(recoveryPoint, files)
		var wide *overflowError
		if !errors.As(err, &wide) {
			return err
		}
		if err := l.split(wide.s); err != nil {
			return fmt.Errorf("split segment %d: %w", wide.s.base, err)
		}
		for _, s := range files.segments {
			s.close()
		}
		if files, err = l.readDirectory(); err != nil {
			return err
		}
		l.setSegments(files.segments)
	}
}

// wide tells whether a batch whose offset is too far from its segment's base is right all the same: it rises over what came before, and the batch after it, in this segment or the
// next, rises over it. With nothing after it nothing speaks against a base offset that has rotted, which no checksum covers: then it isn't believed.
func (l *Log) wide(s *segment, later []*segment, r io.ReaderAt, sc *scanner, epoch int32) (bool, error) {
	h := &sc.header
	if h.BaseOffset < max(l.logEnd.Load(), s.base) || h.PartitionLeaderEpoch < epoch && h.Magic == 2 {
		return false, nil
	}
	ahead := &lookahead{scanner: newScanner(r, sc.pos, sc.end, make([]byte, record.HeaderPeekSize)), later: later}
	defer ahead.release()
	if err := ahead.next(); err != nil {
		if isCorrupt(err) || errors.Is(err, io.EOF) {
			return false, nil
		}
		return false, err
	}
	a := &ahead.header
	return a.Magic == h.Magic && a.BaseOffset >= h.NextOffset() && (h.Magic < 2 || a.PartitionLeaderEpoch >= h.PartitionLeaderEpoch), nil
}

// split replaces a segment by several, none of which is too wide. A crash leaves either the old one or the new ones: they are written as .cleaned, renamed to .swap from the last
// to the first, and then take its place, as with compaction. Source: UnifiedLog.splitOverflowedSegment, LocalLog.replaceSegments.
func (l *Log) split(s *segment) error {
	h, err := s.acquire()
	if err != nil {
		return err
	}
	defer h.release()
	st, err := h.f.Stat()
	if err != nil {
		return err
	}
	bases := []int64{s.base}                      // the first piece is there even if it is empty: it takes the old segment's place
	next, from, end := s.base, int64(0), int64(0) // [from,end) is the piece in the making
	finish := func() error {
		path := filepath.Join(l.path, fileName(bases[len(bases)-1], logSuffix)) + cleanedSuffix
		if err := copyRange(path, h.f, from, end-from); err != nil {
			return err
		}
		return os.Chtimes(path, st.ModTime(), st.ModTime()) // retention goes by it where records have no timestamps
	}
	sc := newScanner(h.f, 0, s.size.Load(), make([]byte, scanWindow))
	for {
		err := sc.next()
		if errors.Is(err, io.EOF) || err != nil && isCorrupt(err) {
			end = sc.end // what is no batch goes into the last piece, where recovery finds it
			break
		}
		if err != nil {
			return err
		}
		first := sc.header.BaseOffset
		if sc.header.Magic < 2 { // the first offset isn't in the header of a compressed one
			first = max(next, sc.header.LastOffset-maxSegmentOffsets)
		}
		if base := bases[len(bases)-1]; sc.header.LastOffset-base > maxSegmentOffsets && first > base {
			if err := finish(); err != nil {
				return err
			}
			bases, from = append(bases, first), sc.at
		}
		end, next = sc.pos, sc.header.NextOffset()
	}
	if err := finish(); err != nil {
		return err
	}
	if err := syncDir(l.path); err != nil {
		return err
	}
	for _, base := range slices.Backward(bases) {
		path := filepath.Join(l.path, fileName(base, logSuffix))
		if err := os.Rename(path+cleanedSuffix, path+swapSuffix); err != nil {
			return err
		}
	}
	names, err := readNames(l.path)
	if err == nil {
		_, err = l.finishSwaps(names)
	}
	if err != nil {
		return err
	}
	return syncDir(l.path)
}

// copyRange writes a part of a file into a new one and syncs that.
func copyRange(path string, from io.ReaderAt, position, size int64) error {
	f, err := openFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, io.NewSectionReader(from, position, size))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
