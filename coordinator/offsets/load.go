package offsets

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
)

// LoadReport tells how a partition was loaded.
type LoadReport struct {
	Partition, LeaderEpoch   int32
	Records, Groups, Offsets int
	Bytes                    int64
	Took                     time.Duration
	// Err is what ended the load early; the partition is served nevertheless with what was read, as in Kafka.
	Err error
}

// errResigned ends a load whose partition another broker leads by now.
var errResigned = errors.New("no longer the leader")

// loader reads a partition. It owns what it builds until it is done.
type loader struct {
	p      *partition
	groups map[string]*loadedGroup
	topics map[string]string // one copy of each name
	last   *loadedGroup
	open   map[int64]map[*entry]pendingOffset
	report LoadReport
	codecs *record.Codecs
	odd    int // keys of unknown versions
}

type loadedGroup struct {
	*group
	metadata *GroupMetadata
}

// load reads partition p from its log start to the end its log has now. It stops with ctx.
func (s *Store) load(ctx context.Context, p *partition) ([]LoadedGroup, LoadReport) {
	l := &loader{
		p: p, groups: map[string]*loadedGroup{}, topics: map[string]string{}, open: map[int64]map[*entry]pendingOffset{}, codecs: &s.codecs,
		report: LoadReport{Partition: p.number, LeaderEpoch: p.epoch},
	}
	began := time.Now()
	l.report.Err = l.read(ctx, s.config.Log, s.config.Settings().LoadBuffer)
	loaded := l.finish(s.config.Settings().Storage)
	l.report.Took = time.Since(began)
	if l.odd > 0 {
		s.problem("load", p.number, fmt.Errorf("%d records: key: %w", l.odd, ErrUnknownVersion))
	}
	return loaded, l.report
}

func (l *loader) read(ctx context.Context, log Log, maxBytes int) error {
	offset, end, err := log.Bounds(l.p.number)
	if err != nil {
		return err
	}
	var buffer []byte
	for offset < end {
		if ctx.Err() != nil {
			return errResigned
		}
		if buffer, err = log.Read(l.p.number, offset, maxBytes, buffer); err != nil {
			return err
		}
		if len(buffer) == 0 {
			return nil
		}
		for rest := buffer; len(rest) > 0; {
			batch, more, err := record.ReadBatch(rest)
			if err != nil {
				return fmt.Errorf("batch at offset %d: %w", offset, err)
			}
			if err := l.batch(batch); err != nil {
				return fmt.Errorf("batch at offset %d: %w", batch.BaseOffset(), err)
			}
			offset = batch.NextOffset()
			rest = more
		}
		l.report.Bytes += int64(len(buffer))
	}
	return nil
}

func (l *loader) batch(b record.Batch) error {
	if b.IsControl() {
		marker, ok, err := b.EndTxnMarker()
		if err == nil && ok {
			l.endTransaction(b.ProducerID(), marker.Type == record.ControlCommit)
		}
		return err
	}
	first := record.NoOffset
	for r, err := range b.Records(record.ReadOptions{Codecs: l.codecs}) {
		if err != nil {
			return err
		}
		if first == record.NoOffset {
			first = r.Offset
		}
		l.report.Records++
		if err := l.record(&r, first, b.ProducerID(), b.IsTransactional()); err != nil {
			return fmt.Errorf("record at offset %d: %w", r.Offset, err)
		}
	}
	return nil
}

func (l *loader) record(r *record.Record, batch, producer int64, transactional bool) error {
	key := reader{b: r.Key}
	switch version := key.int16(); {
	case key.failed:
		return fmt.Errorf("%w: key of %d bytes", ErrMalformed, len(r.Key))
	case version == groupKeyVersion:
		name := key.take(key.size())
		if key.failed {
			return fmt.Errorf("%w: key", ErrMalformed)
		}
		return l.groupRecord(name, r.Value)
	case version != 0 && version != offsetKeyVersion:
		l.odd++
		return nil
	}
	name, topic, number := key.take(key.size()), key.take(key.size()), key.int32()
	if key.failed {
		return fmt.Errorf("%w: key", ErrMalformed)
	}
	g := l.group(name)
	e := g.entry(TopicPartition{Topic: l.topic(topic), Partition: number})
	set := pendingOffset{batch: batch, present: r.Value != nil}
	if set.present {
		if err := decodeOffset(r.Value, e, &set.value); err != nil {
			return err
		}
	}
	if transactional {
		offsets := l.open[producer]
		if offsets == nil {
			offsets = map[*entry]pendingOffset{}
			l.open[producer] = offsets
		}
		if set.present {
			offsets[e] = set
		} else {
			delete(offsets, e)
		}
		return nil
	}
	l.set(e, set)
	return nil
}

func (l *loader) set(e *entry, to pendingOffset) {
	e.value, e.batch, e.present = to.value, to.batch, to.present
}

// decodeOffset reads a value. The common kind is read without allocation.
func decodeOffset(b []byte, old *entry, to *Committed) error {
	if len(b) >= 16 && binary.BigEndian.Uint16(b) == offsetValueVersion {
		n := int(int16(binary.BigEndian.Uint16(b[14:])))
		if n >= 0 && len(b) >= 24+n {
			*to = Committed{
				Offset: int64(binary.BigEndian.Uint64(b[2:])), LeaderEpoch: int32(binary.BigEndian.Uint32(b[10:])),
				CommitTimestampMs: int64(binary.BigEndian.Uint64(b[16+n:])), ExpireTimestampMs: NoTimestamp,
			}
			if metadata := b[16 : 16+n]; string(metadata) == old.value.Metadata {
				to.Metadata = old.value.Metadata
			} else {
				to.Metadata = string(metadata)
			}
			return nil
		}
	}
	var err error
	*to, err = DecodeOffsetValue(b)
	return err
}

func (l *loader) groupRecord(name, value []byte) error {
	if value == nil {
		if g := l.groups[string(name)]; g != nil {
			g.metadata = nil
		}
		return nil
	}
	metadata, err := DecodeGroupValue(value)
	if err != nil {
		return err
	}
	l.group(name).metadata = &metadata
	return nil
}

func (l *loader) group(name []byte) *loadedGroup {
	if l.last != nil && l.last.name == string(name) {
		return l.last
	}
	g := l.groups[string(name)]
	if g == nil {
		g = &loadedGroup{group: newGroup(string(name))}
		l.groups[g.name] = g
	}
	l.last = g
	return g
}

func (l *loader) topic(name []byte) string {
	s, ok := l.topics[string(name)]
	if !ok {
		s = string(name)
		l.topics[s] = s
	}
	return s
}

// endTransaction moves a transaction's offsets to the committed ones, unless those are from a later batch, or drops them.
func (l *loader) endTransaction(producer int64, commit bool) {
	if commit {
		for e, pending := range l.open[producer] {
			if !e.present || pending.batch > e.batch {
				l.set(e, pending)
			}
		}
	}
	delete(l.open, producer)
}

// finish makes of what was read the partition's cache, and what the coordinator is told.
func (l *loader) finish(storage Storage) []LoadedGroup {
	for _, offsets := range l.open {
		for e := range offsets {
			e.open++
		}
	}
	loaded := make([]LoadedGroup, 0, len(l.groups))
	p := l.p
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.transactions = l.open
	for name, g := range l.groups {
		for tp, e := range g.entries {
			switch {
			case !e.used():
				delete(g.entries, tp)
			case e.present && storage == Dual:
				p.doubtLocked(e)
			}
		}
		if len(g.entries) == 0 && g.metadata == nil {
			continue
		}
		if len(g.entries) > 0 {
			p.mu.groups[name] = g.group
		}
		l.report.Offsets += len(g.entries)
		loaded = append(loaded, LoadedGroup{Group: name, Metadata: g.metadata, Offsets: len(g.entries)})
	}
	l.report.Groups = len(loaded)
	return loaded
}

// problem reports what nobody is answered.
func (s *Store) problem(what string, partition int32, err error) {
	if s.config.Problem != nil && !errors.Is(err, errResigned) && !errors.Is(err, wire.NotLeaderOrFollower) {
		s.config.Problem(what, partition, err)
	}
}
