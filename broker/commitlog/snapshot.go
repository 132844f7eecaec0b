package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
)

// A .snapshot is the state of a partition's producers after all batches below the offset in its name:
//
//	version int16 = 1 | crc uint32, CRC-32C of what follows | count int32 | count times 46 bytes:
//	producerId int64 | producerEpoch int16 | lastSequence int32 | lastOffset int64 | offsetDelta int32 | timestamp int64 |
//	coordinatorEpoch int32 | currentTxnFirstOffset int64
//
// Source: ProducerStateManager.java, storage.md §6.5.
const (
	snapshotVersion    = 1
	snapshotHeaderSize = 10
	snapshotEntrySize  = 46
)

// errBadSnapshot is returned for a snapshot that can't be used; an older one and the log take its place.
var errBadSnapshot = errors.New("bad producer snapshot")

// encodeSnapshot returns the snapshot of the state, the producers in the order of their ids.
func (s *producerState) encodeSnapshot() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := make([]byte, snapshotHeaderSize, snapshotHeaderSize+len(s.mu.producers)*snapshotEntrySize)
	for _, id := range slices.Sorted(maps.Keys(s.mu.producers)) {
		p := s.mu.producers[id]
		last := batchMeta{lastSequence: noSequence, lastOffset: noOffset}
		if m := p.last(); m != nil {
			last = *m
		}
		b = binary.BigEndian.AppendUint64(b, uint64(id))
		b = binary.BigEndian.AppendUint16(b, uint16(p.epoch))
		b = binary.BigEndian.AppendUint32(b, uint32(last.lastSequence))
		b = binary.BigEndian.AppendUint64(b, uint64(last.lastOffset))
		b = binary.BigEndian.AppendUint32(b, uint32(last.offsetDelta))
		b = binary.BigEndian.AppendUint64(b, uint64(p.lastTimestamp))
		b = binary.BigEndian.AppendUint32(b, uint32(p.coordinatorEpoch))
		b = binary.BigEndian.AppendUint64(b, uint64(p.txnFirstOffset))
	}
	binary.BigEndian.PutUint16(b, snapshotVersion)
	binary.BigEndian.PutUint32(b[6:], uint32(len(s.mu.producers)))
	binary.BigEndian.PutUint32(b[2:], crc32.Checksum(b[6:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// decodeSnapshot replaces the state with that of a snapshot at an offset. Producers that have expired are left out.
func (s *producerState) decodeSnapshot(b []byte, offset, nowMs, expirationMs int64) error {
	if len(b) < snapshotHeaderSize {
		return fmt.Errorf("%d bytes: %w", len(b), errBadSnapshot)
	}
	if v := binary.BigEndian.Uint16(b); v != snapshotVersion {
		return fmt.Errorf("version %d: %w", v, errBadSnapshot)
	}
	if crc := crc32.Checksum(b[6:], crc32.MakeTable(crc32.Castagnoli)); crc != binary.BigEndian.Uint32(b[2:]) {
		return fmt.Errorf("checksum %08x: %w", crc, errBadSnapshot)
	}
	count := int(int32(binary.BigEndian.Uint32(b[6:])))
	if count < 0 || count > (len(b)-snapshotHeaderSize)/snapshotEntrySize {
		return fmt.Errorf("%d entries in %d bytes: %w", count, len(b), errBadSnapshot)
	}
	s.clear(offset)
	s.mu.Lock()
	defer s.mu.Unlock()
	if count > 0 {
		s.mu.producers = make(map[int64]*producer, count)
	}
	for e := b[snapshotHeaderSize:]; count > 0; count, e = count-1, e[snapshotEntrySize:] {
		id := int64(binary.BigEndian.Uint64(e))
		p := newProducer()
		p.epoch = int16(binary.BigEndian.Uint16(e[8:]))
		last := batchMeta{
			lastSequence: int32(binary.BigEndian.Uint32(e[10:])),
			lastOffset:   int64(binary.BigEndian.Uint64(e[14:])),
			offsetDelta:  int32(binary.BigEndian.Uint32(e[22:])),
			timestamp:    int64(binary.BigEndian.Uint64(e[26:])),
		}
		if last.lastOffset >= 0 {
			p.addBatch(last)
		}
		p.lastTimestamp = last.timestamp
		p.coordinatorEpoch = int32(binary.BigEndian.Uint32(e[34:]))
		p.txnFirstOffset = int64(binary.BigEndian.Uint64(e[38:]))
		if p.txnFirstOffset == noOffset && nowMs-p.lastTimestamp >= expirationMs {
			continue
		}
		s.mu.producers[id] = p
		if p.txnFirstOffset != noOffset {
			s.mu.ongoing = append(s.mu.ongoing, transaction{producerID: id, firstOffset: p.txnFirstOffset, lastOffset: noOffset})
		}
	}
	slices.SortFunc(s.mu.ongoing, func(a, b transaction) int { return int(max(min(a.firstOffset-b.firstOffset, 1), -1)) })
	s.updateFirstUnstableLocked()
	return nil
}

// readSnapshot reads a snapshot file into the state.
func (s *producerState) readSnapshot(path string, offset, nowMs, expirationMs int64) error {
	b, err := readSmallFile(path)
	if errors.Is(err, errMalformed) {
		err = fmt.Errorf("%w: %w", err, errBadSnapshot)
	}
	if err != nil {
		return err
	}
	return s.decodeSnapshot(b, offset, nowMs, expirationMs)
}
