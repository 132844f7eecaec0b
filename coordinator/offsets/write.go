package offsets

import (
	"fmt"
	"time"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
)

// Limits of a batch that several commits share. A commit that is larger has a batch of its own.
const (
	sharedRecords = 1000
	sharedBytes   = 256 << 10
)

// batches is what the writer to the log uses again and again.
type batches struct {
	builder record.Builder
	buffer  []byte
	key     []byte
	value   []byte
	spare   []write
}

// keepBuffer is the size up to which a batch's memory is kept for the next one.
const keepBuffer = 64 << 10

// flush writes what is queued, to the log first.
func (p *partition) flush() {
	p.flushTopic()
	p.flushZnodes()
}

// flushTopic writes to the log what is queued, unless somebody else does.
func (p *partition) flushTopic() {
	p.mu.Lock()
	l := &p.mu.topic
	if l.writing || len(l.queue) == 0 {
		p.mu.Unlock()
		return
	}
	l.writing = true
	for len(l.queue) > 0 {
		queue := l.queue
		l.queue, p.batches.spare = p.batches.spare[:0], nil
		p.mu.Unlock()
		for rest := queue; len(rest) > 0; {
			n := shared(rest)
			p.write(rest[:n])
			rest = rest[n:]
		}
		clear(queue)
		p.batches.spare = queue[:0]
		p.mu.Lock()
	}
	l.writing = false
	p.mu.Unlock()
}

// shared returns how many writes at the head of the queue go into one batch: commits share, other records don't.
func shared(queue []write) int {
	records, bytes := 0, 0
	for i, w := range queue {
		c, ok := w.(*commit)
		if !ok {
			return max(i, 1)
		}
		for j := range c.items {
			bytes += 64 + len(c.group) + len(c.items[j].Topic) + len(c.items[j].Metadata)
		}
		if records += len(c.items); i > 0 && (records > sharedRecords || bytes > sharedBytes) {
			return i
		}
	}
	return len(queue)
}

// write appends one batch.
func (p *partition) write(run []write) {
	settings := p.store.config.Settings()
	nowMs := time.Now().UnixMilli()
	if k, ok := run[0].(*keyed); ok {
		batch, err := p.build(settings, func(b *record.Builder) error {
			for i := range k.records {
				if err := b.Append(nowMs, k.records[i].Key, k.records[i].Value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			p.store.problem("encode records", p.number, err)
			k.finish(wire.UnknownServerError)
			return
		}
		p.store.config.Log.Append(p.number, batch, k.acks, settings.Timeout, func(_ int64, code wire.Error) { k.finish(code) })
		return
	}
	commits := make([]*commit, len(run))
	for i := range run {
		commits[i] = run[i].(*commit)
	}
	p.writeCommits(settings, nowMs, commits)
}

// writeCommits appends the offsets of commits as one batch.
func (p *partition) writeCommits(settings Settings, nowMs int64, commits []*commit) {
	batch, err := p.build(settings, func(b *record.Builder) error {
		for _, c := range commits {
			for i := range c.items {
				if c.entries[i] == nil {
					continue
				}
				p.batches.key = AppendOffsetKey(p.batches.key[:0], c.group, c.items[i].TopicPartition)
				p.batches.value = AppendOffsetValue(p.batches.value[:0], c.items[i].Committed)
				if err := b.Append(nowMs, p.batches.key, p.batches.value); err != nil {
					return err
				}
			}
		}
		return nil
	})
	switch {
	case err != nil:
		p.store.problem("encode offsets", p.number, err)
		p.committed(commits, 0, wire.UnknownServerError)
		return
	case batch == nil: // nothing in them is stored
		p.committed(commits, 0, wire.None)
		return
	}
	asKafka(batch)
	p.store.counters.appends.Add(1)
	p.store.counters.appendedBytes.Add(int64(len(batch)))
	p.store.config.Log.Append(p.number, batch, settings.Acks, settings.Timeout, func(base int64, code wire.Error) {
		if code == wire.MessageTooLarge && len(commits) > 1 { // together, perhaps not each
			for _, c := range commits {
				p.writeAlone(settings, nowMs, c)
			}
			return
		}
		p.committed(commits, base, code)
	})
}

// writeAlone appends a commit whose batch with others was too large. The order among them is kept; commits that were queued since may come before, as if they had been
// faster, which their clients, who don't have an answer yet, cannot tell.
func (p *partition) writeAlone(settings Settings, nowMs int64, c *commit) {
	var records []record.Record
	for i := range c.items {
		if c.entries[i] != nil {
			records = append(records, record.Record{
				Timestamp: nowMs, Key: AppendOffsetKey(nil, c.group, c.items[i].TopicPartition), Value: AppendOffsetValue(nil, c.items[i].Committed),
			})
		}
	}
	batch, err := record.Build(record.BuilderOptions{Codecs: &p.store.codecs, Codec: record.Codec(settings.Codec), PartitionLeaderEpoch: record.NoLeaderEpoch}, records...)
	if err != nil {
		p.committed([]*commit{c}, 0, wire.UnknownServerError)
		return
	}
	asKafka(batch)
	p.store.config.Log.Append(p.number, batch, settings.Acks, settings.Timeout, func(base int64, code wire.Error) {
		p.committed([]*commit{c}, base, code)
	})
}

// asKafka gives a batch of offsets what those of Apache Kafka have: a sequence number without a producer.
func asKafka(b record.Batch) { b.SetProducer(record.NoProducerID, record.NoProducerEpoch, 0) }

// build makes a batch of what add appends; nil if that is nothing. It is valid until the next one.
func (p *partition) build(settings Settings, add func(*record.Builder) error) (record.Batch, error) {
	b := &p.batches.builder
	codec := record.Codec(settings.Codec)
	if !codec.Valid() {
		return nil, fmt.Errorf("offsets.topic.compression.codec: %w %d", record.ErrUnknownCodec, settings.Codec)
	}
	buffer := p.batches.buffer[:0]
	p.batches.buffer = nil
	err := b.Start(buffer, record.BuilderOptions{Codecs: &p.store.codecs, Codec: codec, PartitionLeaderEpoch: record.NoLeaderEpoch})
	if err != nil {
		return nil, err
	}
	if err := add(b); err != nil || b.Count() == 0 {
		b.Abort()
		return nil, err
	}
	batch, buffer, err := b.Finish()
	if cap(buffer) <= keepBuffer {
		p.batches.buffer = buffer
	}
	return batch, err
}

// committed takes in what became of commits that were in one batch, and answers them.
func (p *partition) committed(commits []*commit, base int64, code wire.Error) {
	storage := p.store.config.Settings().Storage
	dirty := false
	stored := 0
	nowMs := int64(0)
	if storage == Dual {
		nowMs = time.Now().UnixMilli()
	}
	p.mu.Lock()
	for _, c := range commits {
		for i, e := range c.entries {
			if e == nil {
				continue
			}
			e.pending--
			if code == wire.None && !e.detached && (!e.present || base >= e.batch) {
				e.value, e.batch, e.present = c.items[i].Committed, base, true
				if storage == Dual {
					dirty = p.markLocked(e, nowMs) || dirty
				} else {
					e.verify = false
				}
			}
			stored++
			p.dropLocked(e)
		}
	}
	p.mu.Unlock()
	if code == wire.None {
		p.store.counters.commits.Add(int64(len(commits)))
		p.store.counters.commitRecords.Add(int64(stored))
	}
	for _, c := range commits {
		c.finish(code)
	}
	if dirty {
		p.store.mirror.wake()
	}
}
