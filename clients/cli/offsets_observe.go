package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/offsets"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// offsetObserver reads what both stores have of groups' offsets.
type offsetObserver struct {
	*groupCaller
	z     *zkReader
	tails map[int32]*offsetTail // by partition of __consumer_offsets
}

func (a *app) offsetObserver(ctx context.Context, patience time.Duration) (*offsetObserver, error) {
	z, err := a.zkConnect(ctx)
	if err != nil {
		return nil, err
	}
	g, err := a.groupCaller(ctx, patience)
	if err != nil {
		z.client.Close()
		return nil, err
	}
	return &offsetObserver{groupCaller: g, z: z, tails: map[int32]*offsetTail{}}, nil
}

func (o *offsetObserver) close() {
	o.groupCaller.close()
	o.z.client.Close()
}

// groups are those that either store knows, sorted.
func (o *offsetObserver) groups(ctx context.Context) ([]string, error) {
	listed, err := o.list(ctx, nil, nil)
	if err != nil {
		return nil, err
	}
	names, _, err := o.z.client.Children(ctx, o.z.full(znode.ConsumersPath))
	if err != nil && !errors.Is(err, zkutil.ErrNoNode) {
		return nil, err
	}
	for _, g := range listed {
		names = append(names, g.GroupID)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// committedOffset is what a coordinator answers for one partition.
type committedOffset struct {
	offset   int64
	unstable bool
}

// stable asks the coordinator for all of a group's offsets and which of them are being committed. A broker that is too old to know doesn't tell.
func (o *offsetObserver) stable(ctx context.Context, group string) (map[partitionName]committedOffset, error) {
	found := map[partitionName]committedOffset{}
	err := o.fetchOffsets(ctx, group, o.version(wire.OffsetFetch) >= 7, func(n partitionName, offset int64, code wire.Error) wire.Error {
		if code == wire.UnstableOffsetCommit {
			found[n] = committedOffset{offsets.NoOffset, true}
			return wire.None
		}
		if offset != offsets.NoOffset {
			found[n] = committedOffset{offset: offset}
		}
		return code
	})
	return found, err
}

// storage is the offsets.storage of a broker, "" if it doesn't have that config.
func (o *offsetObserver) storage(ctx context.Context, broker int32) (string, error) {
	value, _, err := o.storageSource(ctx, broker)
	return value, err
}

// storageSource is storage with where the value comes from.
func (o *offsetObserver) storageSource(ctx context.Context, broker int32) (value string, source int8, err error) {
	req := &wire.DescribeConfigsRequest{Resources: []wire.DescribeConfigsRequestResource{{
		ResourceType: resourceBroker, ResourceName: strconv.Itoa(int(broker)), ConfigurationKeys: []string{offsetsStorageConfig},
	}}}
	resp, err := askBroker[*wire.DescribeConfigsResponse](ctx, o.caller, broker, req)
	if err != nil {
		return "", 0, err
	}
	for _, r := range resp.Results {
		for _, c := range r.Configs {
			if c.Name == offsetsStorageConfig && c.Value != nil {
				return *c.Value, c.ConfigSource, nil
			}
		}
	}
	return "", 0, nil
}

const offsetsStorageConfig = "offsets.storage"

// observe reads everything about a group's offsets: the coordinator, ZooKeeper, the coordinator again.
func (o *offsetObserver) observe(ctx context.Context, group string) ([]offsets.Observation, error) {
	before, err := o.stable(ctx, group)
	if err != nil {
		return nil, err
	}
	nodes, err := o.znodes(ctx, group, slices.Collect(maps.Keys(before)))
	if err != nil {
		return nil, err
	}
	after, err := o.stable(ctx, group)
	if err != nil {
		return nil, err
	}
	tail, err := o.tail(ctx, group)
	if err != nil {
		return nil, err
	}
	names := map[partitionName]bool{}
	for n, node := range nodes {
		if node.Exists {
			names[n] = true
		}
	}
	for n := range before {
		names[n] = true
	}
	for n := range after {
		names[n] = true
	}
	records := tail.groups[group]
	for n := range records {
		names[n] = true
	}
	return o.join(ctx, group, slices.SortedFunc(maps.Keys(names), compareNamed), before, after, nodes, records)
}

// join makes observations of what was read.
func (o *offsetObserver) join(ctx context.Context, group string, names []partitionName, before, after map[partitionName]committedOffset, nodes map[partitionName]offsets.ZnodeSide,
	records map[partitionName]offsetRecord) ([]offsets.Observation, error) {
	leaders, err := o.leaders(ctx, names)
	if err != nil {
		return nil, err
	}
	starts, err := o.offsetsAt(ctx, names, -2)
	if err != nil {
		return nil, err
	}
	ends, err := o.offsetsAt(ctx, names, -1)
	if err != nil {
		return nil, err
	}
	readers, err := o.readers(ctx, group)
	if err != nil {
		return nil, err
	}
	storage, err := o.storage(ctx, o.coordinators[group])
	if err != nil {
		return nil, err
	}
	bound := func(found map[partitionName]foundOffset, n partitionName) int64 {
		if f, ok := found[n]; ok && f.err == nil {
			return f.offset
		}
		return -1
	}
	now := time.Now().UnixMilli()
	all := make([]offsets.Observation, 0, len(names))
	for _, n := range names {
		one := offsets.Observation{
			Group: group, TopicPartition: offsets.TopicPartition(n), NowMs: now, Znode: nodes[n], Storage: storage, LogStart: bound(starts, n), LogEnd: bound(ends, n),
		}
		_, one.Exists = leaders[n]
		one.Topic = topicSide(before, after, records, n)
		one.Topic.By = readers[n]
		if storage == offsets.ZooKeeper.String() { // its coordinator answers from the znodes: only the log tells what the topic has
			one.Topic = recordedSide(records[n])
		}
		all = append(all, one)
	}
	return all, nil
}

// topicSide is what the coordinator answers for a partition, with the record that holds it.
func topicSide(before, after map[partitionName]committedOffset, records map[partitionName]offsetRecord, n partitionName) offsets.TopicSide {
	first, there := before[n]
	last, still := after[n]
	side := offsets.TopicSide{Offset: offsets.NoOffset, Unstable: first.unstable || last.unstable, Moving: there != still || first.offset != last.offset}
	if still {
		side.Offset = last.offset
	}
	if r, ok := records[n]; ok && r.deletedMs != 0 {
		side.DeletedMs = r.deletedMs
	} else if ok && r.value.Offset == side.Offset { // a record that isn't deleted has a value
		side.Committed = r.value
	}
	return side
}

// recordedSide is what the log of __consumer_offsets has.
func recordedSide(r offsetRecord) offsets.TopicSide {
	switch {
	case r.deletedMs != 0:
		return offsets.TopicSide{Offset: offsets.NoOffset, DeletedMs: r.deletedMs}
	case r.value == nil:
		return offsets.TopicSide{Offset: offsets.NoOffset}
	}
	return offsets.TopicSide{Offset: r.value.Offset, Committed: r.value}
}

// readers says who has which partition in the group.
func (o *offsetObserver) readers(ctx context.Context, group string) (map[partitionName]string, error) {
	described, err := o.describe(ctx, []string{group})
	if err != nil {
		return nil, err
	}
	readers := map[partitionName]string{}
	for _, d := range described {
		for _, m := range parseMembers(d.Members) {
			for topic, partitions := range m.Assignment {
				for _, p := range partitions {
					readers[partitionName{topic, p}] = m.Client + "@" + m.Host
				}
			}
		}
	}
	return readers, nil
}

// znodes reads a group's znodes of offsets and of owners: those that are there, and those of the partitions in also.
func (o *offsetObserver) znodes(ctx context.Context, group string, also []partitionName) (map[partitionName]offsets.ZnodeSide, error) {
	sides := map[partitionName]offsets.ZnodeSide{}
	if !offsets.ZnodeName(group) {
		return sides, nil
	}
	names, err := o.named(ctx, znode.ConsumerOffsetsPath(group))
	if err != nil {
		return nil, err
	}
	names = append(names, also...)
	slices.SortFunc(names, compareNamed)
	names = slices.Compact(names)
	paths := make([]string, 0, 2*len(names))
	for _, n := range names {
		tp := znode.TopicPartition(n)
		paths = append(paths, o.z.full(znode.ConsumerOffsetPath(group, tp)), o.z.full(znode.ConsumerOwnerPath(group, tp)))
	}
	nodes, err := o.z.client.GetMany(ctx, paths)
	if err != nil {
		return nil, err
	}
	for i, n := range names {
		var side offsets.ZnodeSide
		if r := nodes[2*i]; r.Err == nil {
			side.Znode = offsets.Znode{Exists: true, Data: r.Data, MtimeMs: r.Stat.MtimeMs, Version: int32(r.Stat.Version)}
		} else if !errors.Is(r.Err, zkutil.ErrNoNode) {
			return nil, r.Err
		}
		if r := nodes[2*i+1]; r.Err == nil {
			side.Owner = string(r.Data)
		}
		sides[n] = side
	}
	return sides, nil
}

// named lists the partitions below a path, by topic and number.
func (o *offsetObserver) named(ctx context.Context, path string) ([]partitionName, error) {
	topics, _, err := o.z.client.Children(ctx, o.z.full(path))
	if errors.Is(err, zkutil.ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []partitionName
	for _, topic := range topics {
		numbers, _, err := o.z.client.Children(ctx, o.z.full(path+"/"+topic))
		if err != nil && !errors.Is(err, zkutil.ErrNoNode) {
			return nil, err
		}
		for _, text := range numbers {
			if n, err := strconv.ParseInt(text, 10, 32); err == nil && n >= 0 {
				names = append(names, partitionName{topic, int32(n)})
			}
		}
	}
	return names, nil
}

// offsetRecord is the last record of an offset in __consumer_offsets.
type offsetRecord struct {
	value     *offsets.Committed // nil: there is none, or it was deleted
	deletedMs int64              // when its tombstone was written, 0 for none
}

// offsetTail is what was read of a partition of __consumer_offsets so far.
type offsetTail struct {
	next   int64
	groups map[string]map[partitionName]offsetRecord
}

// tail reads what is new in the group's partition of __consumer_offsets.
func (o *offsetObserver) tail(ctx context.Context, group string) (*offsetTail, error) {
	metadata, err := o.metadata(ctx, []string{offsets.Topic})
	if err != nil {
		return nil, err
	}
	leader, number := int32(-1), int32(-1)
	for _, t := range metadata.Topics {
		if len(t.Partitions) == 0 {
			return &offsetTail{}, nil // nobody has ever committed
		}
		number = offsets.PartitionOf(group, int32(len(t.Partitions)))
		for _, p := range t.Partitions {
			if p.PartitionIndex == number {
				leader = p.LeaderID
			}
		}
	}
	tail := o.tails[number]
	if tail == nil {
		tail = &offsetTail{next: -1, groups: map[string]map[partitionName]offsetRecord{}}
		o.tails[number] = tail
	}
	name := partitionName{offsets.Topic, number}
	if tail.next < 0 {
		starts, err := o.offsetsAt(ctx, []partitionName{name}, -2)
		if err != nil {
			return nil, err
		}
		if starts[name].err != nil {
			return nil, fmt.Errorf("%s: %w", name, starts[name].err)
		}
		tail.next = starts[name].offset
	}
	for {
		more, err := o.readTail(ctx, leader, number, tail)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if !more {
			return tail, nil
		}
	}
}

// tailFetchBytes is how much of __consumer_offsets one fetch asks for; tailFetchVersion the last version that names topics.
const (
	tailFetchBytes   = 4 << 20
	tailFetchVersion = 12
)

// readTail fetches once; false at the end.
func (o *offsetObserver) readTail(ctx context.Context, leader, number int32, tail *offsetTail) (bool, error) {
	address, ok := o.addresses()[leader]
	if !ok {
		return false, wire.LeaderNotAvailable
	}
	conn, err := o.dial(ctx, address)
	if err != nil {
		return false, err
	}
	part := wire.New[wire.FetchRequestPartition]()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = number, tail.next, tailFetchBytes
	req := wire.New[wire.FetchRequest]()
	req.MaxBytes = tailFetchBytes
	req.Topics = []wire.FetchRequestTopic{{Topic: offsets.Topic, Partitions: []wire.FetchRequestPartition{part}}}
	resp, err := ask[*wire.FetchResponse](ctx, conn, &req, min(o.version(wire.Fetch), tailFetchVersion))
	if err != nil {
		return false, err
	}
	if resp.ErrorCode != wire.None || len(resp.Responses) == 0 || len(resp.Responses[0].Partitions) == 0 {
		return false, resp.ErrorCode
	}
	p := resp.Responses[0].Partitions[0]
	if p.ErrorCode != wire.None {
		return false, p.ErrorCode
	}
	before := tail.next
	for rest := p.Records; len(rest) > 0; {
		batch, more, err := record.ReadBatch(rest)
		if errors.Is(err, record.ErrIncomplete) {
			break
		}
		if err != nil {
			return false, err
		}
		if err := tail.add(batch); err != nil {
			return false, err
		}
		tail.next, rest = batch.NextOffset(), more
	}
	return tail.next > before && tail.next < p.HighWatermark, nil
}

// add takes in a batch. Records of other kinds, and transactional ones, whose end would have to be known, are left out.
func (t *offsetTail) add(b record.Batch) error {
	if b.IsControl() || b.IsTransactional() {
		return nil
	}
	for r, err := range b.Records(record.ReadOptions{}) {
		if err != nil {
			return err
		}
		key, err := offsets.DecodeKey(r.Key)
		if err != nil || key.IsGroup {
			continue
		}
		if t.groups[key.Group] == nil {
			t.groups[key.Group] = map[partitionName]offsetRecord{}
		}
		name := partitionName(key.TopicPartition)
		if r.Value == nil {
			t.groups[key.Group][name] = offsetRecord{deletedMs: r.Timestamp}
			continue
		}
		if value, err := offsets.DecodeOffsetValue(r.Value); err == nil {
			t.groups[key.Group][name] = offsetRecord{value: &value}
		}
	}
	return nil
}
