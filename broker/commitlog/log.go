package commitlog

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// Log is a partition's log: a sequence of segments in one directory, and what must be known of it to append and to read. Get one from a [Manager]. All
// methods may be called from any goroutine.
//
// Invariant: LogStartOffset <= HighWatermark <= LogEndOffset.
//
// Lock order: mu, structure, producers.mu, segment.index, segment.files, fileCache.mu; highWatermarkMu, tail and queue are leaves.
type Log struct {
	tp     TopicPartition
	name   string // tp.String()
	path   string // the replica directory
	future bool   // it is to take the place of the log in another directory
	dir    *logDir
	shared *shared
	host   host
	config atomic.Pointer[Config]
	jitter func(limitMs int64) int64

	topicID atomic.Pointer[TopicID]

	// mu is held to append, roll, truncate and delete: by one goroutine at a time, never by readers.
	mu      sync.Mutex
	scratch [][]byte // buffers of the write in preparation
	stopped bool     // closed or deleted
	idDirty bool     // partition.metadata isn't written yet
	touched bool     // something changed since a clean load: there is something to write when the log is closed

	// structure is held shared by readers, so that truncation, which alone shortens files, waits for them.
	structure sync.RWMutex
	segments  atomic.Pointer[[]*segment] // by base offset, never empty; the last one is active

	logStart, logEnd, highWatermark, recoveryPoint atomic.Int64

	checkpointed atomic.Int64 // the recovery point in the checkpoint file

	highWatermarkMu sync.Mutex // serialises changes of highWatermark

	epochs    epochCache
	producers producerState

	flushMu     sync.Mutex
	retired     bool // stopped: there is nothing to flush any more; guarded by flushMu
	lastFlushMs atomic.Int64
	// sealedPoint is the base of the oldest segment whose indexes may not be on disk: the active one, or one that was rolled a moment ago. It changes under flushMu.
	sealedPoint atomic.Int64

	tail  tail
	queue appendQueue
}

// host is what a log needs of its manager.
type host interface {
	now() time.Time
	producerExpirationMs() int64
	// removeLater removes files after the delay.
	removeLater(paths []string, delay time.Duration)
	// flushLater has the log flushed in the background up to its active segment.
	flushLater(l *Log)
	// persistLogStart writes the log start offsets of l's directory before it returns.
	persistLogStart(l *Log) error
	// persistRecoveryPoints sees to it that the checkpoint has no recovery point of l that is beyond its own.
	persistRecoveryPoints(l *Log) error
	// takeCharge takes the mark off a log that was moved here and is the only one of its partition. false says that it isn't in charge.
	takeCharge(l *Log) bool
	hooks() *Hooks
}

// Hooks are told what happens. Nil functions are skipped. They are called in the goroutine in which it happens, some with locks of the log held: they must not
// block or call back.
type Hooks struct {
	// BeforeAppend: records are about to be written to a log in dir. It is for tests: while it blocks, the disk is slow; an error keeps the records from being written. One of the
	// errors of this package is what the caller gets; any other is an error of the file system and takes dir offline. The log is locked: it must not use it.
	BeforeAppend func(tp TopicPartition, dir string) error
	// Rolled: a new segment was made; base is its first offset.
	Rolled func(tp TopicPartition, base int64)
	// Recovered: a log was loaded after an unclean shutdown.
	Recovered func(tp TopicPartition, r Recovery)
	// SegmentsDeleted: segments were removed; reason is "retention time", "retention size", "log start offset", "truncation" or "recovery".
	SegmentsDeleted func(tp TopicPartition, bases []int64, reason string)
	// Truncated: the log ended at from and ends at end now.
	Truncated func(tp TopicPartition, from, end int64)
	// LogDeleted: a partition's directory was renamed for deletion.
	LogDeleted func(tp TopicPartition)
	// DirFailed: a log directory has gone offline.
	DirFailed func(dir string, err error)
	// Error: something failed in the background that has no caller to tell and doesn't take the directory offline, such as a checkpoint file that is unreadable.
	Error func(what string, err error)
}

// tail remembers where the newest batches of the active segment begin, so that consumers and followers that keep up are served without
// looking into index or file. It also is the one place where end offset and end position agree.
type tail struct {
	sync.Mutex
	segment *segment
	end     int64  // log end offset
	size    int64  // where it is in segment
	marks   []mark // grows up to tailMarks: most logs of a broker see few appends
	count   int    // marks made since the last reset; the newest is at (count-1)%tailMarks
}

const tailMarks = 64

// mark says that a batch begins at a position; every offset before the batch's is below offset.
type mark struct{ offset, position int64 }

func (t *tail) reset(s *segment, end int64) {
	t.Lock()
	t.segment, t.end, t.size, t.marks, t.count = s, end, s.size.Load(), t.marks[:0], 0
	t.Unlock()
}

// markLocked adds a mark, in place of the oldest if there are enough. The tail is locked.
func (t *tail) markLocked(m mark) {
	if len(t.marks) < tailMarks {
		t.marks = append(t.marks, m)
	} else {
		t.marks[t.count%tailMarks] = m
	}
	t.count++
}

// find returns the position at which reading must begin to find offset and where the batch ends. The tail is locked.
func (t *tail) findLocked(offset int64) (position, end int64, ok bool) {
	n := min(t.count, tailMarks)
	if n == 0 || offset >= t.end {
		return 0, 0, false
	}
	first := t.count - n
	at := func(i int) mark { return t.marks[(first+i)%tailMarks] }
	if offset < at(0).offset {
		return 0, 0, false
	}
	i := sort.Search(n, func(i int) bool { return at(i).offset > offset }) - 1
	end = t.size
	if i+1 < n {
		end = at(i + 1).position
	}
	return at(i).position, end, true
}

// TopicPartition returns the log's partition.
func (l *Log) TopicPartition() TopicPartition { return l.tp }

// Dir returns the log directory (one of log.dirs) that holds the log.
func (l *Log) Dir() string { return l.dir.path }

// Offline tells whether the log directory has failed.
func (l *Log) Offline() bool { return l.dir.offline() != nil }

// Config returns the current configuration.
func (l *Log) Config() Config { return *l.config.Load() }

// SetConfig replaces the configuration. It applies from the next operation on.
func (l *Log) SetConfig(c Config) {
	l.config.Store(&c)
	l.flushSoon(&c)
}

// LogStartOffset is the first offset that may be read.
func (l *Log) LogStartOffset() int64 { return l.logStart.Load() }

// LogEndOffset is the offset of the next record.
func (l *Log) LogEndOffset() int64 { return l.logEnd.Load() }

// HighWatermark is the offset below which records are replicated.
func (l *Log) HighWatermark() int64 { return l.highWatermark.Load() }

// RecoveryPoint is the offset below which records are on disk for certain.
func (l *Log) RecoveryPoint() int64 { return l.recoveryPoint.Load() }

// safeRecoveryPoint is what may be written into the checkpoint: the recovery point, but not beyond a closed segment whose indexes aren't synced.
func (l *Log) safeRecoveryPoint() int64 {
	point := l.recoveryPoint.Load()
	if sealed := l.sealedPoint.Load(); sealed < l.active().base {
		return min(point, sealed)
	}
	return point
}

// LastStableOffset is the offset below which all transactions are decided and replicated; at most the high watermark.
func (l *Log) LastStableOffset() int64 {
	// In this order: a marker's transaction leaves firstUnstable only after the high watermark has passed it.
	highWatermark := l.highWatermark.Load()
	return min(max(l.producers.firstUnstable.Load(), l.logStart.Load()), highWatermark)
}

// ActiveSegmentBase is the base offset of the newest segment.
func (l *Log) ActiveSegmentBase() int64 { return l.active().base }

// SegmentBases returns the base offsets of all segments, oldest first.
func (l *Log) SegmentBases() []int64 {
	segments := l.list()
	bases := make([]int64, len(segments))
	for i, s := range segments {
		bases[i] = s.base
	}
	return bases
}

// Size is the number of bytes in all segments.
func (l *Log) Size() int64 {
	total := int64(0)
	for _, s := range l.list() {
		total += s.size.Load()
	}
	return total
}

// SetHighWatermark raises the high watermark to an offset, but not beyond the log end offset nor below the log start offset, and returns what it is now. It
// never falls this way: only a truncation lowers it.
func (l *Log) SetHighWatermark(offset int64) int64 {
	l.highWatermarkMu.Lock()
	before := l.highWatermark.Load()
	now := max(before, min(max(offset, l.logStart.Load()), l.logEnd.Load()))
	l.highWatermark.Store(now)
	l.highWatermarkMu.Unlock()
	if now != before {
		l.shared.chores.want(highWatermarks)
	}
	l.producers.onHighWatermark(now)
	return now
}

// clampHighWatermark brings the high watermark back between log start and end after one of them moved.
func (l *Log) clampHighWatermark() {
	l.highWatermarkMu.Lock()
	l.highWatermark.Store(min(max(l.highWatermark.Load(), l.logStart.Load()), l.logEnd.Load()))
	l.highWatermarkMu.Unlock()
	l.shared.chores.want(highWatermarks)
}

// TopicID returns the topic id that the log was made for, zero when it has none.
func (l *Log) TopicID() TopicID { return *l.topicID.Load() }

// AssignTopicID gives the log its topic id. ErrInconsistentTopicID when it has another one.
func (l *Log) AssignTopicID(id TopicID) error {
	if err := l.dir.offline(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	have := l.TopicID()
	switch {
	case l.stopped:
		return ErrClosed
	case id.IsZero() || have == id:
		return nil
	case !have.IsZero():
		return errorf(KindInconsistentTopicID, "%v has topic id %v, not %v", l.tp, have, id)
	}
	l.topicID.Store(&id)
	l.idDirty, l.touched = true, true
	return l.dir.fail(l.writeTopicIDLocked())
}

func (l *Log) writeTopicIDLocked() error {
	if !l.idDirty {
		return nil
	}
	// Not synced: after a power failure the file may be empty, which reads as "no id", and the controller assigns it again.
	if err := replaceFile(l.path+"/"+partitionFile, formatPartitionMetadata(l.TopicID()), false); err != nil {
		return err
	}
	l.idDirty = false
	return nil
}

// LatestEpoch is the leader epoch of the newest batch, or the last one assigned; -1 when there is none.
func (l *Log) LatestEpoch() int32 { return l.epochs.latest() }

// AssignEpoch notes that a leader epoch begins at an offset: what a new leader does with its log end offset.
func (l *Log) AssignEpoch(epoch int32, startOffset int64) error {
	if err := l.dir.offline(); err != nil {
		return err
	}
	l.mu.Lock()
	l.touched = true
	l.mu.Unlock()
	l.epochs.assign(epoch, startOffset)
	return nil
}

// Epochs returns the leader epochs and where they begin, oldest first.
func (l *Log) Epochs() []EpochEntry { return l.epochs.snapshot() }

// OffsetForLeaderEpoch returns the largest epoch in the log that is at most the requested one, and the offset at which it ends; (-1, -1) when the log
// can't tell. Source: replication.md §7.2.
func (l *Log) OffsetForLeaderEpoch(epoch int32) (foundEpoch int32, endOffset int64) {
	return l.epochs.endOffsetFor(epoch, l.logEnd.Load())
}

// ActiveProducers returns what the partition knows of its producers, by id.
func (l *Log) ActiveProducers() []ActiveProducer { return l.producers.active() }

// ExpireProducers forgets producers that were idle for producer.id.expiration.ms, and returns how many.
func (l *Log) ExpireProducers(now time.Time) int {
	return l.producers.expire(now.UnixMilli(), l.host.producerExpirationMs())
}

// HasOngoingTransaction tells whether the producer has an open transaction in this partition.
func (l *Log) HasOngoingTransaction(producerID int64) bool { return l.producers.hasOngoing(producerID) }

// StartVerification begins the verification of a producer's transaction (KIP-890 part 1) and returns the guard to append with; nil when the transaction is already open
// here and needs none. sequence is the first sequence number of the batch to be appended, -1 for none.
func (l *Log) StartVerification(producerID int64, sequence int32, epoch int16) *VerificationGuard {
	return l.producers.startVerification(producerID, sequence, epoch, l.host.now().UnixMilli())
}

func (l *Log) list() []*segment { return *l.segments.Load() }

func (l *Log) active() *segment {
	segments := l.list()
	return segments[len(segments)-1]
}

func (l *Log) setSegments(segments []*segment) { l.segments.Store(&segments) }

// floorSegment returns the index of the last segment whose base is at most offset, -1 for none.
func floorSegment(segments []*segment, offset int64) int {
	return sort.Search(len(segments), func(i int) bool { return segments[i].base > offset }) - 1
}

// newActive makes a segment that the log will append to.
func (l *Log) newActive(base int64, now time.Time) (*segment, error) {
	s := newSegment(l.path, base, l.shared, &l.config)
	prepare := s.replace
	if l.segments.Load() == nil {
		prepare = s.create // the directory was made a moment ago, or listed: indexes without their segment are gone
	}
	if err := prepare(); err != nil {
		return nil, err
	}
	s.createdMs = now.UnixMilli()
	s.jitterMs = l.jitter(min(l.config.Load().SegmentJitterMs, l.config.Load().SegmentMs))
	if c := l.config.Load(); c.Preallocate {
		if err := l.reserve(s, int64(c.SegmentBytes)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

const (
	reserveFrom = 256 << 10 // segments smaller than this aren't reserved for
	reserveMax  = 16 << 20
)

// reserve makes sure that the disk blocks up to a position are there, in steps that grow with the segment.
func (l *Log) reserve(s *segment, upTo int64) error {
	if upTo <= s.allocated || l.dir.noReserve.Load() {
		return nil
	}
	size := s.size.Load()
	from := max(s.allocated, size)
	limit := int64(l.config.Load().SegmentBytes)
	to := min(max(upTo, from+min(max(size, reserveFrom), reserveMax)), max(limit, upTo))
	h, err := s.acquire()
	if err != nil {
		return err
	}
	defer h.release()
	if !preallocate(h.f, from, to-from) {
		l.dir.noReserve.Store(true)
		return nil
	}
	s.allocated = to
	return nil
}

// rollLocked makes a new active segment. mu is held and nothing is in preparation.
func (l *Log) rollLocked(base int64, now time.Time) error {
	l.touched = true
	old := l.active()
	if base == old.base && old.size.Load() == 0 {
		return nil // already empty
	}
	if err := old.finish(); err != nil {
		return err
	}
	if err := l.writeSnapshotLocked(base); err != nil {
		return err
	}
	if err := l.epochs.flush(false); err != nil {
		return err
	}
	s, err := l.newActive(base, now)
	if err != nil {
		return err
	}
	segments := l.list()
	l.setSegments(append(segments[:len(segments):len(segments)], s))
	l.tail.reset(s, l.logEnd.Load())
	l.host.flushLater(l)
	if f := l.host.hooks().Rolled; f != nil {
		f(l.tp, base)
	}
	return nil
}

// Roll makes a new active segment at the log end offset, unless the active one is empty.
func (l *Log) Roll() error {
	if err := l.dir.offline(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return ErrClosed
	}
	return l.dir.fail(l.rollLocked(l.logEnd.Load(), l.host.now()))
}
