package commitlog

import (
	"slices"
	"sync"
	"time"

	"github.com/prekraft/prekraft/broker/record"
)

// AppendOptions says how a leader appends.
type AppendOptions struct {
	// LeaderEpoch is written into the batches.
	LeaderEpoch int32
	// Origin is OriginClient or OriginCoordinator.
	Origin Origin
	// Now is the time of the append, for LogAppendTime and the limits on timestamps.
	Now time.Time
	// Guard is the verification guard of a client's transactional batch, if it has one.
	Guard *VerificationGuard
}

// RecordError is the reason why one record of a batch was refused.
type RecordError = record.RecordError

// AppendInfo says where records went. When an append fails, FirstOffset and LogAppendTime are -1.
type AppendInfo struct {
	FirstOffset, LastOffset int64
	// MaxTimestamp is the largest timestamp of the records, -1 for none; OffsetOfMaxTimestamp the last offset of the batch that has it.
	MaxTimestamp, OffsetOfMaxTimestamp int64
	// LogAppendTime is the time of the append in milliseconds if the topic has LogAppendTime, else -1. For a duplicate it is the first one's timestamp, as in Kafka.
	LogAppendTime int64
	// LogStartOffset is the log start offset at the append.
	LogStartOffset int64
	// LeaderEpoch is the epoch of the last batch.
	LeaderEpoch int32
	// Duplicate: the batch was there already; the offsets are those of the first time.
	Duplicate bool
	// NumRecords is the number of records, from the offsets; Bytes is what was written.
	NumRecords, Bytes int
	// RecordErrors are the reasons why single records were refused (the error is ErrInvalidRecord or ErrInvalidTimestamp then), and ErrorMessage is what
	// Kafka says beside them.
	RecordErrors []RecordError
	ErrorMessage string
}

// appendRequest is an append on its way to the log. It is pooled.
type appendRequest struct {
	data        []byte // whole entries, validated
	single      bool   // data is one batch of magic 2
	origin      Origin
	leaderEpoch int32
	guard       *VerificationGuard
	now         time.Time
	maxTime     int64
	info        AppendInfo
	err         error
	wake        chan bool // true: done; false: you are the one who appends now
}

// appendQueue lets callers that find the log busy leave their batch to the one who holds it: all batches that have come meanwhile become one write.
// The queue holds at most one request per blocked caller.
type appendQueue struct {
	sync.Mutex
	busy    bool
	waiting []*appendRequest
	group   []*appendRequest // scratch of the holder
}

// maxGroup limits how many batches become one write, and so how long the holder works for others.
const maxGroup = 256

func (l *Log) newRequest() *appendRequest {
	if r, ok := l.shared.requests.Get().(*appendRequest); ok {
		return r
	}
	return &appendRequest{wake: make(chan bool, 1)}
}

func (l *Log) putRequest(r *appendRequest) {
	wake := r.wake
	*r = appendRequest{wake: wake}
	l.shared.requests.Put(r)
}

// AppendAsLeader appends what a client or a coordinator sent: it validates it, assigns offsets, leader epoch and timestamps in place (records belongs
// to the caller, but is changed), and writes it. When it returns without an error, readers find the records.
//
// A client sends one batch. Errors, as Kafka: ErrCorruptMessage, ErrInvalidRecord, ErrInvalidTimestamp, ErrMessageTooLarge, ErrRecordListTooLarge, ErrOutOfOrderSequence,
// ErrInvalidProducerEpoch, ErrInvalidTxnState, ErrTransactionCoordinatorFenced, ErrUnknownServer (broken compression), ErrStorage, ErrClosed. Nothing is appended then.
func (l *Log) AppendAsLeader(records []byte, o AppendOptions) (AppendInfo, error) {
	if err := l.dir.offline(); err != nil {
		return l.noInfo(), err
	}
	r := l.newRequest()
	defer l.putRequest(r)
	r.origin, r.leaderEpoch, r.guard, r.now = o.Origin, o.LeaderEpoch, o.Guard, o.Now
	r.info = l.noInfo()
	c := l.config.Load()
	if err := l.prepareLeader(r, records, c); err != nil {
		return r.info, err
	}
	if len(r.data) == 0 {
		return r.info, nil
	}
	if len(r.data) > c.SegmentBytes {
		return r.info, errorf(KindRecordListTooLarge, "%d bytes exceed the maximum segment size of %d", len(r.data), c.SegmentBytes)
	}
	l.submit(r)
	return r.info, r.err
}

// AppendAsFollower appends what the leader sent, byte for byte. An incomplete batch at the end is left out. Errors: ErrCorruptMessage,
// ErrUnexpectedAppendOffset when the first offset is below the log end offset, ErrOffsetsOutOfOrder, ErrRecordListTooLarge, ErrStorage, ErrClosed.
func (l *Log) AppendAsFollower(records []byte) (AppendInfo, error) {
	if err := l.dir.offline(); err != nil {
		return l.noInfo(), err
	}
	r := l.newRequest()
	defer l.putRequest(r)
	r.origin, r.now, r.info = OriginReplication, l.host.now(), l.noInfo()
	if err := l.prepareFollower(r, records); err != nil {
		return r.info, err
	}
	if len(r.data) == 0 {
		return r.info, nil
	}
	if c := l.config.Load(); len(r.data) > c.SegmentBytes {
		// Other than Kafka's, our leader may have been given a larger segment size than we have; the batches fit one by one.
		return l.appendPieces(r, c.SegmentBytes)
	}
	l.submit(r)
	return r.info, r.err
}

// appendPieces appends a follower's batches in runs that fit a segment.
func (l *Log) appendPieces(r *appendRequest, limit int) (AppendInfo, error) {
	rest := r.data
	total := l.noInfo()
	first := int64(-1)
	for len(rest) > 0 {
		n := 0
		for n < len(rest) {
			entry, _, err := record.ReadEntry(rest[n:])
			if err != nil {
				return total, recordError(err)
			}
			if n > 0 && n+len(entry) > limit {
				break
			}
			n += len(entry)
		}
		if n > limit {
			return total, errorf(KindRecordListTooLarge, "%d bytes exceed the maximum segment size of %d", n, limit)
		}
		piece := l.newRequest()
		piece.origin, piece.now, piece.info = OriginReplication, r.now, l.noInfo()
		err := l.prepareFollower(piece, rest[:n])
		if err == nil {
			l.submit(piece)
			err = piece.err
		}
		if first < 0 {
			first = piece.info.FirstOffset
		}
		bytes, count := total.Bytes+piece.info.Bytes, total.NumRecords+piece.info.NumRecords
		if err == nil {
			if total.MaxTimestamp > piece.info.MaxTimestamp {
				piece.info.MaxTimestamp, piece.info.OffsetOfMaxTimestamp = total.MaxTimestamp, total.OffsetOfMaxTimestamp
			}
			total = piece.info
			total.FirstOffset, total.Bytes, total.NumRecords = first, bytes, count
		}
		l.putRequest(piece)
		if err != nil {
			return total, err
		}
		rest = rest[n:]
	}
	return total, nil
}

func (l *Log) noInfo() AppendInfo {
	return AppendInfo{FirstOffset: -1, LastOffset: -1, MaxTimestamp: record.NoTimestamp, OffsetOfMaxTimestamp: -1, LogAppendTime: -1,
		LogStartOffset: l.logStart.Load(), LeaderEpoch: noEpoch}
}

// submit hands a request to the log and returns when it is done.
func (l *Log) submit(r *appendRequest) {
	q := &l.queue
	q.Lock()
	if q.busy {
		q.waiting = append(q.waiting, r)
		q.Unlock()
		if <-r.wake {
			return
		}
	} else {
		q.busy = true
		q.Unlock()
	}
	// Only one goroutine gets here at a time: it owns q.group until it passes the baton.
	l.mu.Lock()
	q.Lock()
	n := min(len(q.waiting), maxGroup-1)
	group := append(q.group[:0], r)
	group = append(group, q.waiting[:n]...)
	rest := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
	q.Unlock()
	flush := l.appendGroupLocked(group)
	l.mu.Unlock()
	if flush {
		// The next one may append meanwhile, and its flush then covers all who came during this one.
		group = slices.Clone(group)
		q.passOn()
		err := l.Flush()
		for _, one := range group {
			if one.err == nil {
				one.err = err
			}
		}
		for _, one := range group[1:] {
			one.wake <- true
		}
		return
	}
	for _, one := range group[1:] {
		one.wake <- true
	}
	clear(group)
	q.group = group[:0]
	q.passOn()
}

// passOn lets the next caller in the queue append, if there is one.
func (q *appendQueue) passOn() {
	q.Lock()
	if len(q.waiting) == 0 {
		q.busy = false
		q.Unlock()
		return
	}
	next := q.waiting[0]
	rest := copy(q.waiting, q.waiting[1:])
	q.waiting[rest] = nil
	q.waiting = q.waiting[:rest]
	q.Unlock()
	next.wake <- false
}

// appendGroupLocked gives each request its offsets and writes them all. It returns whether the log must be flushed before they are answered.
func (l *Log) appendGroupLocked(group []*appendRequest) (flush bool) {
	end := l.logEnd.Load()
	written := 0 // group[:written] are decided
	fail := func(err error) {
		err = l.dir.fail(err)
		for _, r := range group[written:] {
			if r.err == nil && !r.info.Duplicate {
				r.err = err
				r.info = l.noInfo()
			}
		}
	}
	if l.stopped {
		fail(ErrClosed)
		return false
	}
	if err := l.dir.offline(); err != nil {
		fail(err)
		return false
	}
	if before := l.host.hooks().BeforeAppend; before != nil {
		if err := before(l.tp, l.dir.path); err != nil {
			fail(err)
			return false
		}
	}
	if err := l.writeTopicIDLocked(); err != nil {
		fail(err)
		return false
	}
	l.touched = true
	pending := int64(0) // bytes in l.scratch
	first := 0          // group[first:i] are in l.scratch
	write := func(until int) error {
		err := l.writeLocked(l.scratch, pending)
		clear(l.scratch)
		l.scratch, pending = l.scratch[:0], 0
		if err != nil {
			written = first
			return err
		}
		for _, r := range group[first:until] {
			if r.err == nil && !r.info.Duplicate {
				if err := l.indexLocked(r); err != nil {
					written = first
					return err
				}
			}
		}
		written, first = until, until
		return nil
	}
	for i, r := range group {
		if err := l.assignLocked(r, end); err != nil || r.info.Duplicate {
			r.err = err
			if err != nil {
				info := l.noInfo()
				info.RecordErrors, info.ErrorMessage = r.info.RecordErrors, r.info.ErrorMessage
				r.info = info
			}
			continue
		}
		active := l.active()
		if l.mustRollLocked(active, r, pending) {
			if err := write(i); err != nil {
				fail(err)
				return false
			}
			if err := l.rollLocked(max(r.info.FirstOffset, l.logEnd.Load()), r.now); err != nil {
				fail(err)
				return false
			}
			active = l.active()
		}
		if err := l.produceLocked(active, r); err != nil {
			fail(err)
			return false
		}
		if active.firstTimestamp < 0 && active.size.Load()+pending == 0 {
			active.firstTimestamp = r.info.MaxTimestamp
		}
		l.scratch = append(l.scratch, r.data)
		pending += int64(len(r.data))
		end = r.info.LastOffset + 1
	}
	if err := write(len(group)); err != nil {
		fail(err)
		return false
	}
	c := l.config.Load()
	l.flushSoon(c)
	return end-l.recoveryPoint.Load() >= c.FlushMessages
}

// assignLocked gives a request its offsets, or finds that it mustn't be appended. Nothing but the request's bytes changes.
func (l *Log) assignLocked(r *appendRequest, end int64) error {
	r.info.LogStartOffset = l.logStart.Load()
	if r.origin == OriginReplication {
		if r.info.FirstOffset < end {
			return errorf(KindUnexpectedAppendOffset, "first offset %d is below the log end offset %d", r.info.FirstOffset, end)
		}
		return nil
	}
	offset := end
	r.info.FirstOffset = offset
	verify := l.config.Load().TransactionVerification
	for rest := r.data; len(rest) > 0; {
		b := record.Batch(rest)[:record.LogOverhead+int(record.Batch(rest).Length())]
		rest = rest[len(b):]
		b.SetBaseOffset(offset)
		b.SetPartitionLeaderEpoch(r.leaderEpoch)
		offset = b.NextOffset()
		if b.MaxTimestamp() == r.maxTime {
			r.info.OffsetOfMaxTimestamp = b.LastOffset()
		}
		if !b.HasProducerID() {
			continue
		}
		duplicate, err := l.producers.check(b, r.origin, r.guard, verify)
		if err != nil {
			return err
		}
		if duplicate != nil {
			r.info.Duplicate = true
			r.info.FirstOffset, r.info.LastOffset = duplicate.firstOffset(), duplicate.lastOffset
			r.info.LogAppendTime, r.info.MaxTimestamp, r.info.OffsetOfMaxTimestamp = duplicate.timestamp, duplicate.timestamp, duplicate.lastOffset
			r.info.Bytes = 0
			return nil
		}
	}
	r.info.LastOffset = offset - 1
	r.info.LeaderEpoch = r.leaderEpoch
	r.info.NumRecords = int(offset - r.info.FirstOffset)
	return nil
}

// produceLocked takes a request's batches into the producer state.
func (l *Log) produceLocked(active *segment, r *appendRequest) error {
	for rest := r.data; len(rest) > 0; {
		size := record.LogOverhead + int(record.Batch(rest).Length())
		b := record.Batch(rest)[:size]
		rest = rest[size:]
		if b.Magic() < 2 || !b.HasProducerID() {
			continue
		}
		if aborted := l.producers.apply(b); aborted != nil {
			if err := active.appendAborted(*aborted); err != nil {
				return err
			}
		}
	}
	return nil
}

// mustRollLocked decides whether a request goes into a new segment. Source: LogSegment.shouldRoll, storage.md §4.2.
func (l *Log) mustRollLocked(active *segment, r *appendRequest, pending int64) bool {
	c := l.config.Load()
	size := active.size.Load() + pending
	if size == 0 {
		return active.overflows(r.info.LastOffset)
	}
	if size > int64(c.SegmentBytes)-int64(len(r.data)) {
		return true
	}
	var waited int64
	if active.firstTimestamp >= 0 {
		waited = r.info.MaxTimestamp - active.firstTimestamp
	} else {
		waited = r.now.UnixMilli() - active.createdMs
	}
	return waited > c.segmentMaxAgeMs()-active.jitterMs || active.overflows(r.info.LastOffset) || active.indexesFull(c)
}

// writeLocked puts buffers at the end of the active segment.
func (l *Log) writeLocked(buffers [][]byte, size int64) error {
	if size == 0 {
		return nil
	}
	active := l.active()
	at := active.size.Load()
	if at+size > reserveFrom && at+size > active.allocated {
		if err := l.reserve(active, at+size); err != nil {
			return err
		}
	}
	h, err := active.acquire()
	if err != nil {
		return err
	}
	defer h.release()
	return writeVectorAt(h.f, buffers, at)
}

// indexLocked makes a written request visible: indexes, epochs, end offset.
func (l *Log) indexLocked(r *appendRequest) error {
	active := l.active()
	position := active.size.Load()
	active.index.Lock()
	next := l.tail.end
	for rest := r.data; len(rest) > 0; {
		h, err := record.ParseHeader(rest)
		if err != nil {
			active.index.Unlock()
			return err
		}
		size := h.SizeInBytes()
		rest = rest[size:]
		if err := active.noteBatchLocked(position, size, h.LastOffset, h.MaxTimestamp); err != nil {
			active.index.Unlock()
			return err
		}
		if h.PartitionLeaderEpoch > l.epochs.latest() {
			l.epochs.assign(h.PartitionLeaderEpoch, h.BaseOffset)
		} else if h.Magic < 2 {
			l.epochs.clear()
		}
		position += size
		l.tail.Lock()
		l.tail.markLocked(mark{next, position - size})
		next = h.NextOffset()
		l.tail.end, l.tail.size = next, position
		active.size.Store(position)
		l.tail.Unlock()
	}
	active.index.Unlock()
	l.producers.setEnd(next)
	l.logEnd.Store(next)
	return nil
}
