package cli

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Sizes of index entries in bytes.
const (
	indexEntry     = 8
	timeIndexEntry = 12
	txnEntry       = 34
)

// plainBase is the name of a file without directory.
func plainBase(path string) string { return filepath.Base(path) }

// siblingLog is the .log that an index belongs to.
func siblingLog(path string) string {
	name := filepath.Base(path)
	suffix := strings.TrimPrefix(name, plainName(name))
	return filepath.Join(filepath.Dir(path), name[:offsetsDigits]+".log"+suffix)
}

// entries calls f for each whole entry of a file of entries of one size, with its position, until f returns false. A rest is a problem.
func (d *dumper) entries(path string, entrySize int, f func(pos int64, entry []byte) (bool, error)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	in := bufio.NewReaderSize(file, 1<<16)
	entry := make([]byte, entrySize)
	for pos := int64(0); ; pos += int64(entrySize) {
		n, err := io.ReadFull(in, entry)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			d.problem(path, pos, "%d bytes at the end are no whole entry of %d bytes", n, entrySize)
			return nil
		case err != nil:
			return fmt.Errorf("%s: byte %d: %w", path, pos, err)
		}
		if more, err := f(pos, entry); err != nil || !more {
			return err
		}
	}
}

// indexRow is an entry of an .index in JSON.
type indexRow struct {
	Type     string `json:"type"`
	Offset   int64  `json:"offset"`
	Position int64  `json:"position"`
}

// index shows an .index and compares it with its log: at each entry's position a batch begins whose last offset is the entry's.
func (d *dumper) index(path string) error {
	base := baseOffset(path)
	log, missing := d.openSibling(path)
	if log != nil {
		defer log.Close()
	}
	count, before := 0, indexRow{Offset: base - 1, Position: -1}
	err := d.entries(path, indexEntry, func(pos int64, e []byte) (bool, error) {
		row := indexRow{"index", base + int64(int32(binary.BigEndian.Uint32(e))), int64(int32(binary.BigEndian.Uint32(e[4:])))}
		if row.Offset == base && row.Position == 0 && pos > 0 {
			d.note("%s: zeros from byte %d on: Apache Kafka trims them when it closes the segment", path, pos)
			return false, nil
		}
		count++
		if row.Offset <= before.Offset || row.Position <= before.Position {
			d.problem(path, pos, "offset %d at position %d after offset %d at position %d: both must rise", row.Offset, row.Position, before.Offset, before.Position)
		}
		before = row
		if log != nil && !d.o.IndexSanityCheck {
			if err := d.checkIndexEntry(path, pos, row, log); err != nil {
				return false, err
			}
		}
		if d.o.VerifyIndexOnly || d.o.IndexSanityCheck {
			return true, nil
		}
		d.line("offset: %d position: %d", row.Offset, row.Position)
		return true, d.emit(row)
	})
	if err != nil {
		return err
	}
	if count == 0 {
		d.line("%s is empty.", plainBase(path))
	} else {
		d.sane(path, missing)
	}
	return nil
}

// sane ends an index file with the words of Apache's tool for a sanity check, and with a problem when there is no log to compare it with.
func (d *dumper) sane(path string, missing error) {
	if missing != nil && !d.o.IndexSanityCheck {
		d.problem(path, -1, "can't be compared with its log: %v", missing)
	}
	if d.o.IndexSanityCheck && !d.hasProblem(path) {
		d.line("%s passed sanity check.", plainBase(path))
	}
}

func (d *dumper) hasProblem(path string) bool {
	for _, p := range d.problems {
		if p.File == path {
			return true
		}
	}
	return false
}

func (d *dumper) openSibling(path string) (*logReader, error) {
	log, err := openLog(siblingLog(path))
	if err != nil {
		return nil, err
	}
	return log, nil
}

// checkIndexEntry walks the log to the entry's position, which never lies before that of the entry before unless the index is wrong.
func (d *dumper) checkIndexEntry(path string, pos int64, row indexRow, log *logReader) error {
	for log.pos < row.Position {
		h, err := log.peek()
		if err != nil && !endOfLog(err) {
			return err
		}
		if endOfLog(err) {
			d.problem(path, pos, "offset %d at position %d: %s ends at %d", row.Offset, row.Position, plainBase(log.file.Name()), log.pos)
			return nil
		}
		if err := log.skip(h); err != nil {
			return err
		}
	}
	h, err := log.peek()
	switch {
	case log.pos != row.Position:
		d.problem(path, pos, "offset %d at position %d: no batch begins there, the next one at %d", row.Offset, row.Position, log.pos)
	case err != nil:
		d.problem(path, pos, "offset %d at position %d: no batch there: %v", row.Offset, row.Position, err)
	case h.LastOffset != row.Offset:
		d.problem(path, pos, "offset %d at position %d: the last offset of the batch there is %d", row.Offset, row.Position, h.LastOffset)
	}
	return nil
}

// timeIndexRow is an entry of a .timeindex in JSON.
type timeIndexRow struct {
	Type      string `json:"type"`
	Timestamp int64  `json:"timestamp"`
	Offset    int64  `json:"offset"`
}

// timeIndex shows a .timeindex and compares it with its log: the entry's offset is the last one of a batch whose largest timestamp is the entry's, and no
// batch before has a larger one.
func (d *dumper) timeIndex(path string) error {
	base := baseOffset(path)
	log, missing := d.openSibling(path)
	if log != nil {
		defer log.Close()
	}
	count, before := 0, timeIndexRow{Timestamp: -1, Offset: -1}
	largest := int64(-1)
	err := d.entries(path, timeIndexEntry, func(pos int64, e []byte) (bool, error) {
		row := timeIndexRow{"timeindex", int64(binary.BigEndian.Uint64(e)), base + int64(int32(binary.BigEndian.Uint32(e[8:])))}
		if row.Timestamp == 0 && row.Offset == base && pos > 0 {
			d.note("%s: zeros from byte %d on: Apache Kafka trims them when it closes the segment", path, pos)
			return false, nil
		}
		count++
		if count > 1 && (row.Timestamp <= before.Timestamp || row.Offset < before.Offset) {
			d.problem(path, pos, "timestamp %d at offset %d after timestamp %d at offset %d: timestamps must rise, offsets must not fall",
				row.Timestamp, row.Offset, before.Timestamp, before.Offset)
		}
		before = row
		if log != nil && !d.o.IndexSanityCheck {
			if err := d.checkTimeEntry(path, pos, row, log, &largest); err != nil {
				return false, err
			}
		}
		if d.o.VerifyIndexOnly || d.o.IndexSanityCheck {
			return true, nil
		}
		d.line("timestamp: %d offset: %d", row.Timestamp, row.Offset)
		return true, d.emit(row)
	})
	if err != nil {
		return err
	}
	if count > 0 || d.o.IndexSanityCheck {
		d.sane(path, missing)
	}
	return nil
}

func (d *dumper) checkTimeEntry(path string, pos int64, row timeIndexRow, log *logReader, largest *int64) error {
	for {
		h, err := log.peek()
		if err != nil && !endOfLog(err) {
			return err
		}
		if endOfLog(err) {
			d.problem(path, pos, "timestamp %d at offset %d: %s ends before that offset", row.Timestamp, row.Offset, plainBase(log.file.Name()))
			return nil
		}
		if h.LastOffset < row.Offset {
			*largest = max(*largest, h.MaxTimestamp)
			if err := log.skip(h); err != nil {
				return err
			}
			continue
		}
		switch {
		case h.LastOffset != row.Offset:
			d.problem(path, pos, "timestamp %d at offset %d: no batch ends at that offset, the next one at %d", row.Timestamp, row.Offset, h.LastOffset)
		case h.MaxTimestamp != row.Timestamp:
			d.problem(path, pos, "timestamp %d at offset %d: the largest timestamp of the batch there is %d", row.Timestamp, row.Offset, h.MaxTimestamp)
		case *largest > row.Timestamp:
			d.problem(path, pos, "timestamp %d at offset %d: an earlier batch has %d", row.Timestamp, row.Offset, *largest)
		}
		return nil
	}
}

// txnRow is an entry of a .txnindex in JSON.
type txnRow struct {
	Type             string `json:"type"`
	Version          int16  `json:"version"`
	ProducerID       int64  `json:"producerId"`
	FirstOffset      int64  `json:"firstOffset"`
	LastOffset       int64  `json:"lastOffset"`
	LastStableOffset int64  `json:"lastStableOffset"`
}

func (d *dumper) txnIndex(path string) error {
	last := baseOffset(path) - 1
	return d.entries(path, txnEntry, func(pos int64, e []byte) (bool, error) {
		at := func(i int) int64 { return int64(binary.BigEndian.Uint64(e[i:])) }
		row := txnRow{"txnindex", int16(binary.BigEndian.Uint16(e)), at(2), at(10), at(18), at(26)}
		switch {
		case row.Version != 0:
			d.problem(path, pos, "version %d instead of 0", row.Version)
		case row.LastOffset <= last:
			d.problem(path, pos, "last offset %d after %d: they must rise", row.LastOffset, last)
		case row.FirstOffset > row.LastOffset:
			d.problem(path, pos, "first offset %d behind last offset %d", row.FirstOffset, row.LastOffset)
		}
		last = row.LastOffset
		d.line("version: %d producerId: %d firstOffset: %d lastOffset: %d lastStableOffset: %d",
			row.Version, row.ProducerID, row.FirstOffset, row.LastOffset, row.LastStableOffset)
		return true, d.emit(row)
	})
}
