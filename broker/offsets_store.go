package broker

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/metadata"
	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/replica"
	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/offsets"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// newOffsets makes the store of committed offsets. Whoever coordinates groups starts it.
func (b *Broker) newOffsets() {
	settings := &offsetSettings{config: b.config}
	b.offsets = offsets.New(offsets.Config{
		BrokerID: b.id, Log: &offsetsLog{b.replicas}, Znodes: &offsetZnodes{b.zk}, Settings: settings.now,
		Problem: func(what string, partition int32, err error) {
			b.telemetry.problem(fmt.Sprintf("%s, partition %d of %s", what, partition, offsets.Topic), err)
		},
		PartitionLoaded: func(r offsets.LoadReport) {
			cause := causeOf(b.replicas.Cause(offsetsPartition(r.Partition)))
			b.telemetry.emit(telemetry.CoordinatorLoaded{Cause: cause, Topic: offsets.Topic, Partition: r.Partition, Entries: r.Records, Took: r.Took})
		},
		Mirrored: func(lag time.Duration) { b.telemetry.metrics.Histogram(telemetry.OffsetMirrorLag).ObserveDuration(lag) },
	})
	b.onClose(func(context.Context, bool) error { b.offsets.Close(); return nil })
}

// partitionsRemoved drops the offsets of deleted partitions: every broker does so for the groups it coordinates.
func (b *Broker) partitionsRemoved(removed []metadata.TopicPartition) {
	if b.offsets == nil {
		return
	}
	tps := make([]offsets.TopicPartition, len(removed))
	for i, tp := range removed {
		tps[i] = offsets.TopicPartition(tp)
	}
	b.run(func(context.Context) { b.offsets.RemovePartitions(tps) })
}

// scrapeOffsets reads the gauges of the offset stores.
func (b *Broker) scrapeOffsets(s *telemetry.Scrape) {
	st := b.offsets.Stats()
	s.Value(telemetry.GroupOffsets, float64(st.Offsets))
	if st.Loads > 0 {
		ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
		s.Value(telemetry.OffsetPartitionLoadMax, ms(st.MaxLoadTime))
		s.Value(telemetry.OffsetPartitionLoadAvg, ms(st.LoadTime)/float64(st.Loads))
	}
	s.Value(telemetry.OffsetCommits, float64(st.CommitRecords))
	s.Value(telemetry.OffsetExpirations, float64(st.Expired))
	s.Value(telemetry.OffsetDeletions, float64(st.Deleted))
	s.Value(telemetry.OffsetMirrorPending, float64(st.Mirror.Behind))
	s.Value(telemetry.OffsetMirrorWritten, float64(st.Mirror.Written))
	s.Value(telemetry.OffsetMirrorFailures, float64(st.Mirror.Failures))
}

// Offsets is the broker's store of committed offsets, for tests and tools that live in the same process.
func (b *Broker) Offsets() *offsets.Store { return b.offsets }

// offsetSettings are the store's configs, read from a snapshot once and not with each commit.
type offsetSettings struct {
	config func() *config.Config
	last   atomic.Pointer[settingsOf]
}

type settingsOf struct {
	config   *config.Config
	settings offsets.Settings
}

func (o *offsetSettings) now() offsets.Settings {
	c := o.config()
	if last := o.last.Load(); last != nil && last.config == c {
		return last.settings
	}
	s := offsets.Settings{
		MaxMetadata: c.Int(config.OffsetMetadataMaxBytes), Acks: int16(c.Int(config.OffsetsCommitRequiredAcks)), Timeout: c.Duration(config.OffsetsCommitTimeoutMs),
		Retention: c.Duration(config.OffsetsRetentionMinutes), Codec: int8(c.Int(config.OffsetsTopicCompressionCodec)), LoadBuffer: c.Int(config.OffsetsLoadBufferSize),
	}
	switch c.String(config.OffsetsStorage) {
	case config.OffsetsStorageKafka:
		s.Storage = offsets.Kafka
	case config.OffsetsStorageZooKeeper:
		s.Storage = offsets.ZooKeeper
	}
	o.last.Store(&settingsOf{c, s})
	return s
}

// offsetsLog is __consumer_offsets as the replica manager hosts it.
type offsetsLog struct{ replicas *replica.Manager }

func offsetsPartition(partition int32) replica.TopicPartition {
	return replica.TopicPartition{Topic: offsets.Topic, Partition: partition}
}

// Append appends a batch.
func (l *offsetsLog) Append(partition int32, batch []byte, acks int16, timeout time.Duration, done func(int64, wire.Error)) {
	p, code := l.replicas.Partition(offsetsPartition(partition))
	if code != wire.None {
		done(-1, code)
		return
	}
	info, advanced, err := p.Append(batch, replica.AppendOptions{RequiredAcks: acks, Origin: commitlog.OriginCoordinator, Now: time.Now()})
	switch {
	case err != nil:
		done(-1, replica.CodeOf(err))
		return
	case acks == -1:
		l.replicas.AwaitReplicas([]replica.ProduceWait{{Partition: p, Required: info.LastOffset + 1}}, timeout, func(items []replica.ProduceWait) replica.Sender {
			done(info.FirstOffset, items[0].Code)
			return nil
		})
	default:
		done(info.FirstOffset, wire.None)
	}
	p.Notify(advanced)
}

// leading returns the log of a partition that this broker leads.
func (l *offsetsLog) leading(partition int32) (*commitlog.Log, error) {
	p, code := l.replicas.Partition(offsetsPartition(partition))
	if code != wire.None {
		return nil, code
	}
	log := p.Log()
	if log == nil || !p.IsLeader() {
		return nil, wire.NotLeaderOrFollower
	}
	return log, nil
}

// Bounds returns the log's ends.
func (l *offsetsLog) Bounds(partition int32) (start, end int64, err error) {
	log, err := l.leading(partition)
	if err != nil {
		return 0, 0, err
	}
	return log.LogStartOffset(), log.LogEndOffset(), nil
}

// Read reads whole batches.
func (l *offsetsLog) Read(partition int32, offset int64, maxBytes int, buffer []byte) ([]byte, error) {
	log, err := l.leading(partition)
	if err != nil {
		return nil, err
	}
	options := commitlog.ReadOptions{MaxBytes: maxBytes, UpTo: log.LogEndOffset(), MinOneMessage: true}
	found, err := log.Read(offset, options)
	if again, gone := l.leading(partition); err != nil && gone == nil && again != log { // it has moved to another directory meanwhile
		found, err = again.Read(offset, options)
	}
	if err != nil {
		return nil, err
	}
	defer found.Span.Release()
	buffer, err = found.Span.AppendTo(buffer[:0])
	if err != nil {
		return nil, err
	}
	whole := 0
	for rest := buffer; len(rest) > 0; {
		entry, more, err := record.ReadEntry(rest)
		if errors.Is(err, record.ErrIncomplete) && whole > 0 {
			break
		}
		if err != nil {
			return nil, err
		}
		whole += len(entry)
		rest = more
	}
	return buffer[:whole], nil
}

// offsetZnodes is the client of ZooKeeper in the words of the store.
type offsetZnodes struct{ client *zkutil.Client }

// readsAtOnce limits the store's share of the requests that the broker has under way.
const readsAtOnce = 5

// Get reads znodes.
func (z *offsetZnodes) Get(ctx context.Context, paths []string) ([]offsets.Znode, error) {
	nodes := make([]offsets.Znode, 0, len(paths))
	for len(paths) > 0 {
		n := min(len(paths), readsAtOnce)
		read, err := z.client.GetMany(ctx, paths[:n])
		if err != nil {
			return nil, err
		}
		for _, r := range read {
			switch {
			case r.Err == nil:
				nodes = append(nodes, offsets.Znode{Exists: true, Data: r.Data, MtimeMs: r.Stat.MtimeMs, Version: int32(r.Stat.Version)})
			case errors.Is(r.Err, zkutil.ErrNoNode):
				nodes = append(nodes, offsets.Znode{})
			default:
				return nil, r.Err
			}
		}
		paths = paths[n:]
	}
	return nodes, nil
}

// Children lists children.
func (z *offsetZnodes) Children(ctx context.Context, path string) ([]string, error) {
	names, _, err := z.client.Children(ctx, path)
	if errors.Is(err, zkutil.ErrNoNode) {
		return nil, nil
	}
	return names, err
}

// Ensure makes a znode and its parents.
func (z *offsetZnodes) Ensure(ctx context.Context, path string) error {
	return z.client.EnsurePath(ctx, path)
}

// Write executes one write.
func (z *offsetZnodes) Write(ctx context.Context, w offsets.ZnodeWrite) error {
	var err error
	if w.Create {
		_, err = z.client.Create(ctx, w.Path, w.Data, zkutil.Persistent)
	} else {
		_, err = z.client.Set(ctx, w.Path, w.Data, znode.AnyVersion)
	}
	return offsetZnodeError(err)
}

// Transact executes writes as one transaction.
func (z *offsetZnodes) Transact(ctx context.Context, check string, version int32, writes []offsets.ZnodeWrite) error {
	ops := make([]zkutil.Op, 0, len(writes)+1)
	ops = append(ops, zkutil.CheckOp(check, znode.ZkVersion(version)))
	for _, w := range writes {
		if w.Create {
			ops = append(ops, zkutil.CreateOp(w.Path, w.Data, zkutil.Persistent))
		} else {
			ops = append(ops, zkutil.SetOp(w.Path, w.Data, znode.AnyVersion))
		}
	}
	_, err := z.client.Multi(ctx, ops...)
	return offsetZnodeError(err)
}

// Delete removes a znode.
func (z *offsetZnodes) Delete(ctx context.Context, path string) error {
	return offsetZnodeError(z.client.Delete(ctx, path, znode.AnyVersion))
}

// offsetZnodeError brings an error of zkutil into the words of the store. The cause stays in the chain.
func offsetZnodeError(err error) error {
	for _, pair := range [...]struct{ theirs, ours error }{
		{zkutil.ErrNoNode, offsets.ErrNoZnode}, {zkutil.ErrNodeExists, offsets.ErrZnodeExists}, {zkutil.ErrBadVersion, offsets.ErrZnodeVersion},
	} {
		if errors.Is(err, pair.theirs) {
			return fmt.Errorf("%w: %w", pair.ours, err)
		}
	}
	return err
}
