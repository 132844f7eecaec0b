package commitlog

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prekraft/prekraft/broker/record"
)

const (
	producerBatches       = 5 // how many batches of a producer are known by their sequence numbers
	noProducerEpoch       = record.NoProducerEpoch
	noSequence            = record.NoSequence
	noOffset        int64 = -1
)

// batchMeta is a batch of an idempotent producer, kept to recognise it when it comes again.
type batchMeta struct {
	lastSequence int32
	offsetDelta  int32 // last offset - first offset
	lastOffset   int64
	timestamp    int64
}

func (b *batchMeta) firstSequence() int32 {
	return int32((uint32(b.lastSequence) - uint32(b.offsetDelta)) & math.MaxInt32)
}
func (b *batchMeta) firstOffset() int64 { return b.lastOffset - int64(b.offsetDelta) }

// producer is what a partition knows of one producer id. Source: ProducerStateEntry.java.
type producer struct {
	epoch            int16
	batchCount       uint8
	batches          [producerBatches]batchMeta // oldest first
	coordinatorEpoch int32
	lastTimestamp    int64
	txnFirstOffset   int64 // of the open transaction, -1 for none
}

func newProducer() *producer {
	return &producer{epoch: noProducerEpoch, coordinatorEpoch: -1, lastTimestamp: record.NoTimestamp, txnFirstOffset: noOffset}
}

func (p *producer) last() *batchMeta {
	if p.batchCount == 0 {
		return nil
	}
	return &p.batches[p.batchCount-1]
}

func (p *producer) lastSequence() int32 {
	if b := p.last(); b != nil {
		return b.lastSequence
	}
	return noSequence
}

func (p *producer) setEpoch(epoch int16) {
	if p.epoch != epoch {
		p.epoch, p.batchCount = epoch, 0
	}
}

func (p *producer) addBatch(b batchMeta) {
	if p.batchCount == producerBatches {
		copy(p.batches[:], p.batches[1:])
		p.batchCount--
	}
	p.batches[p.batchCount] = b
	p.batchCount++
}

// transaction is one that is open in the partition, or ended with its marker not below the high watermark yet.
type transaction struct {
	producerID  int64
	firstOffset int64
	lastOffset  int64 // of the marker; unset while open
}

// AbortedTxn is an aborted transaction as the .txnindex keeps it and as a Fetch response tells it.
type AbortedTxn struct {
	ProducerID       int64
	FirstOffset      int64
	LastOffset       int64 // of the abort marker
	LastStableOffset int64 // when the marker was written
}

// producerState is a partition's knowledge of its producers: sequence numbers of the idempotent ones and open transactions.
// Source: ProducerStateManager.java, storage.md §8.
//
// mu guards all of it, so that DescribeProducers and expiry don't wait for an append; appends take it once per batch.
type producerState struct {
	// firstUnstable is the first offset of the oldest transaction that isn't decided and replicated, MaxInt64 for none. Read together with the high
	// watermark it gives the last stable offset: read the high watermark first.
	firstUnstable atomic.Int64

	mu struct {
		sync.Mutex
		producers     map[int64]*producer
		ongoing       []transaction // by firstOffset
		unreplicated  []transaction // by firstOffset
		verifications map[int64]*VerificationGuard
		endOffset     int64 // the state is that after all batches below it
		snapshot      int64 // offset of the newest snapshot, -1 for none
	}
}

// VerificationGuard lets one transactional append of a producer through whose transaction the coordinator has confirmed (KIP-890 part 1).
type VerificationGuard struct {
	producerID     int64
	epoch          int16
	lowestSequence int32
	createdMs      int64
}

func (s *producerState) init() {
	s.firstUnstable.Store(math.MaxInt64)
	s.mu.snapshot = -1
}

// clear forgets everything; the state is then that of an empty log up to end.
func (s *producerState) clear(end int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.producers, s.mu.ongoing, s.mu.unreplicated, s.mu.verifications = nil, nil, nil, nil
	s.mu.endOffset = end
	s.firstUnstable.Store(math.MaxInt64)
}

// setEnd notes up to where batches have been taken into the state.
func (s *producerState) setEnd(end int64) {
	s.mu.Lock()
	s.mu.endOffset = end
	s.mu.Unlock()
}

// duplicateOf returns the known batch that a client sent again, nil if this is a new one.
func (p *producer) duplicateOf(b record.Batch) *batchMeta {
	if p.epoch != b.ProducerEpoch() {
		return nil
	}
	first, last := b.BaseSequence(), b.LastSequence()
	for i := range p.batches[:p.batchCount] {
		if m := &p.batches[i]; m.lastSequence == last && m.firstSequence() == first {
			return m
		}
	}
	return nil
}

// check decides whether a batch may be appended. It changes nothing. A duplicate is returned with its metadata.
// Source: UnifiedLog.analyzeAndValidateProducerState, ProducerAppendInfo.java.
func (s *producerState) check(b record.Batch, origin Origin, guard *VerificationGuard, verify bool) (duplicate *batchMeta, err error) {
	id := b.ProducerID()
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := s.mu.producers[id]
	if origin == OriginClient {
		if entry != nil {
			if d := entry.duplicateOf(b); d != nil {
				found := *d
				return &found, nil
			}
		}
		if verify && b.IsTransactional() && (entry == nil || entry.txnFirstOffset == noOffset) {
			if have := s.mu.verifications[id]; have == nil || have != guard {
				return nil, errorf(KindInvalidTxnState, "record of producer %d was not part of an ongoing transaction", id)
			}
		}
	}
	if origin == OriginReplication {
		return nil, nil
	}
	epoch := b.ProducerEpoch()
	if entry != nil && epoch < entry.epoch {
		return nil, errorf(KindInvalidProducerEpoch, "epoch %d of producer %d is smaller than the last seen epoch %d", epoch, id, entry.epoch)
	}
	if b.IsControl() {
		marker, ok, err := b.EndTxnMarker()
		if err != nil {
			return nil, recordError(err)
		}
		if ok && entry != nil && marker.CoordinatorEpoch < entry.coordinatorEpoch {
			return nil, errorf(KindTransactionCoordinatorFenced, "coordinator epoch %d for producer %d is smaller than the last seen epoch %d",
				marker.CoordinatorEpoch, id, entry.coordinatorEpoch)
		}
		return nil, nil
	}
	if origin == OriginClient {
		if err := s.checkSequenceLocked(entry, b); err != nil {
			return nil, err
		}
	}
	if entry != nil && entry.txnFirstOffset != noOffset && !b.IsTransactional() {
		return nil, errorf(KindInvalidTxnState, "non-transactional write of producer %d while its transaction is open", id)
	}
	return nil, nil
}

// checkSequenceLocked wants the sequence numbers of a client's batches to follow each other.
func (s *producerState) checkSequenceLocked(entry *producer, b record.Batch) error {
	first, id := b.BaseSequence(), b.ProducerID()
	if v := s.mu.verifications[id]; v != nil && v.lowestSequence != noSequence && v.epoch == b.ProducerEpoch() && first > v.lowestSequence {
		return errorf(KindOutOfOrderSequence, "producer %d sent sequence %d before %d", id, first, v.lowestSequence)
	}
	switch {
	case entry == nil || entry.epoch == noProducerEpoch:
		return nil // nothing known, or forgotten: any sequence will do
	case entry.epoch != b.ProducerEpoch():
		if first != 0 {
			return errorf(KindOutOfOrderSequence, "producer %d began epoch %d with sequence %d", id, b.ProducerEpoch(), first)
		}
	default:
		last := entry.lastSequence()
		if last == noSequence && first != 0 || last != noSequence && first != record.IncrementSequence(last, 1) {
			return errorf(KindOutOfOrderSequence, "producer %d sent sequence %d after %d", id, first, last)
		}
	}
	return nil
}

// apply takes a batch with its final offsets into the state. A transaction that an abort marker ended is returned for the transaction index.
func (s *producerState) apply(b record.Batch) (aborted *AbortedTxn) {
	id := b.ProducerID()
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.IsTransactional() {
		delete(s.mu.verifications, id)
	}
	if b.IsControl() {
		return s.applyMarkerLocked(b)
	}
	entry := s.entryLocked(id)
	entry.setEpoch(b.ProducerEpoch())
	entry.addBatch(batchMeta{b.LastSequence(), b.LastOffsetDelta(), b.LastOffset(), b.MaxTimestamp()})
	entry.lastTimestamp = b.MaxTimestamp()
	if b.IsTransactional() && entry.txnFirstOffset == noOffset {
		entry.txnFirstOffset = b.BaseOffset()
		s.mu.ongoing = append(s.mu.ongoing, transaction{producerID: id, firstOffset: b.BaseOffset(), lastOffset: noOffset})
		s.updateFirstUnstableLocked()
	}
	return nil
}

func (s *producerState) entryLocked(id int64) *producer {
	entry := s.mu.producers[id]
	if entry == nil {
		entry = newProducer()
		if s.mu.producers == nil {
			s.mu.producers = map[int64]*producer{}
		}
		s.mu.producers[id] = entry
	}
	return entry
}

func (s *producerState) applyMarkerLocked(b record.Batch) *AbortedTxn {
	marker, ok, err := b.EndTxnMarker()
	if err != nil || !ok {
		return nil // replicated as it is; it ends nothing
	}
	id := b.ProducerID()
	entry := s.entryLocked(id)
	entry.setEpoch(b.ProducerEpoch())
	entry.coordinatorEpoch = marker.CoordinatorEpoch
	entry.lastTimestamp = b.MaxTimestamp()
	first := entry.txnFirstOffset
	entry.txnFirstOffset = noOffset
	if first == noOffset {
		return nil
	}
	i := slices.IndexFunc(s.mu.ongoing, func(t transaction) bool { return t.firstOffset == first && t.producerID == id })
	if i < 0 {
		return nil
	}
	done := s.mu.ongoing[i]
	done.lastOffset = b.LastOffset()
	s.mu.ongoing = slices.Delete(s.mu.ongoing, i, i+1)
	at, _ := slices.BinarySearchFunc(s.mu.unreplicated, done, func(a, b transaction) int { return cmp.Compare(a.firstOffset, b.firstOffset) })
	s.mu.unreplicated = slices.Insert(s.mu.unreplicated, at, done)
	s.updateFirstUnstableLocked()
	if marker.Type == record.ControlCommit {
		return nil
	}
	stable := done.lastOffset + 1
	if len(s.mu.ongoing) > 0 {
		stable = s.mu.ongoing[0].firstOffset
	}
	return &AbortedTxn{ProducerID: id, FirstOffset: done.firstOffset, LastOffset: done.lastOffset, LastStableOffset: stable}
}

func (s *producerState) updateFirstUnstableLocked() {
	first := int64(math.MaxInt64)
	if len(s.mu.ongoing) > 0 {
		first = s.mu.ongoing[0].firstOffset
	}
	if len(s.mu.unreplicated) > 0 {
		first = min(first, s.mu.unreplicated[0].firstOffset)
	}
	s.firstUnstable.Store(first)
}

// onHighWatermark forgets the ended transactions whose markers are below the high watermark.
func (s *producerState) onHighWatermark(highWatermark int64) {
	if s.firstUnstable.Load() >= highWatermark {
		return // no transaction begins below it: the ordinary case costs one load
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.unreplicated = slices.DeleteFunc(s.mu.unreplicated, func(t transaction) bool { return t.lastOffset < highWatermark })
	s.updateFirstUnstableLocked()
}

// hasOngoing tells whether the producer has an open transaction in the partition.
func (s *producerState) hasOngoing(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mu.producers[id]
	return p != nil && p.txnFirstOffset != noOffset
}

// startVerification returns the producer's guard, a new one if there is none; nil when the transaction is already open here.
// Source: UnifiedLog.maybeStartTransactionVerification, VerificationStateEntry.java.
func (s *producerState) startVerification(id int64, sequence int32, epoch int16, nowMs int64) *VerificationGuard {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.mu.producers[id]; p != nil && p.txnFirstOffset != noOffset {
		return nil
	}
	v := s.mu.verifications[id]
	switch {
	case v == nil:
		v = &VerificationGuard{producerID: id, epoch: epoch, lowestSequence: sequence, createdMs: nowMs}
		if s.mu.verifications == nil {
			s.mu.verifications = map[int64]*VerificationGuard{}
		}
		s.mu.verifications[id] = v
	case epoch > v.epoch:
		v.epoch, v.lowestSequence = epoch, sequence
	case epoch == v.epoch && sequence < v.lowestSequence:
		v.lowestSequence = sequence
	}
	return v
}

// expire forgets producers without an open transaction, and verifications, that are older than the limit.
func (s *producerState) expire(nowMs, expirationMs int64) (removed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, p := range s.mu.producers {
		if p.txnFirstOffset == noOffset && nowMs-p.lastTimestamp >= expirationMs {
			delete(s.mu.producers, id)
			removed++
		}
	}
	for id, v := range s.mu.verifications {
		if nowMs-v.createdMs >= expirationMs {
			delete(s.mu.verifications, id)
		}
	}
	return removed
}

// ActiveProducer is a producer that a partition knows, as DescribeProducers tells it.
type ActiveProducer struct {
	ProducerID            int64
	ProducerEpoch         int16
	LastSequence          int32 // -1 when it has only sent markers
	LastTimestamp         int64 // milliseconds
	CoordinatorEpoch      int32 // -1 when there was no marker
	CurrentTxnStartOffset int64 // -1 when no transaction is open
}

func (s *producerState) active() []ActiveProducer {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]ActiveProducer, 0, len(s.mu.producers))
	for id, p := range s.mu.producers {
		list = append(list, ActiveProducer{id, p.epoch, p.lastSequence(), p.lastTimestamp, p.coordinatorEpoch, p.txnFirstOffset})
	}
	slices.SortFunc(list, func(a, b ActiveProducer) int { return cmp.Compare(a.ProducerID, b.ProducerID) })
	return list
}

// end is the offset up to which batches have been taken into the state.
func (s *producerState) end() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.endOffset
}

// snapshotOffset is the offset of the newest snapshot, -1 for none.
func (s *producerState) snapshotOffset() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.snapshot
}

func (s *producerState) setSnapshotOffset(offset int64) {
	s.mu.Lock()
	s.mu.snapshot = offset
	s.mu.Unlock()
}
