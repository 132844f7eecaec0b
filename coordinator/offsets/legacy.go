package offsets

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// Legacy is the store of OffsetCommit and OffsetFetch v0: znodes, no coordinator, no member or generation, any broker. Its methods wait for ZooKeeper.
type Legacy struct {
	znodes   Znodes
	settings func() Settings
}

// Commit writes offsets to their znodes, one after the other and whatever was there, as Kafka does, and sets each item's code: NONE, OFFSET_METADATA_TOO_LARGE or
// UNKNOWN_SERVER_ERROR. Metadata is dropped. items are the caller's. A first error doesn't stop the others.
func (l *Legacy) Commit(ctx context.Context, group string, items []Item) []Item {
	maxMetadata := l.settings().MaxMetadata
	for i := range items {
		item := &items[i]
		if utf16Len(item.Metadata) > maxMetadata {
			item.Code = wire.OffsetMetadataTooLarge
			continue
		}
		if item.Code = wire.None; l.set(ctx, group, item.TopicPartition, item.Offset) != nil {
			item.Code = wire.UnknownServerError
		}
	}
	return items
}

// set writes one znode, and makes it and its parents if they are missing.
func (l *Legacy) set(ctx context.Context, group string, tp TopicPartition, offset int64) error {
	if !ZnodeName(group) || !ZnodeName(tp.Topic) {
		return errors.New("name can't be that of a znode")
	}
	w := ZnodeWrite{Path: znode.ConsumerOffsetPath(group, tp), Data: znode.EncodeConsumerOffset(offset)}
	for range znodeAttempts {
		err := l.znodes.Write(ctx, w)
		switch {
		case w.Create && errors.Is(err, ErrZnodeExists): // somebody else was faster: a plain set overwrites
			w.Create = false
		case errors.Is(err, ErrNoZnode):
			if err := l.znodes.Ensure(ctx, parentOf(w.Path)); err != nil {
				return err
			}
			w.Create = true
		default:
			return err
		}
	}
	return errors.New("znode comes and goes")
}

// Fetch reads the offsets of partitions. One without a znode has NoOffset and UNKNOWN_TOPIC_OR_PARTITION, as in v0; one whose znode holds no number UNKNOWN_SERVER_ERROR.
func (l *Legacy) Fetch(ctx context.Context, group string, tps []TopicPartition) []Fetched {
	found := make([]Fetched, len(tps))
	var paths []string
	var at []int
	for i, tp := range tps {
		found[i] = nothing(tp)
		found[i].Code = wire.UnknownTopicOrPartition
		if ZnodeName(group) && ZnodeName(tp.Topic) {
			paths, at = append(paths, znode.ConsumerOffsetPath(group, tp)), append(at, i)
		}
	}
	nodes, err := l.znodes.Get(ctx, paths)
	for i, to := range at {
		switch f := &found[to]; {
		case err != nil:
			f.Code = wire.UnknownServerError
		case nodes[i].Exists:
			if f.Offset, err = znode.DecodeConsumerOffset(nodes[i].Data); err != nil {
				f.Offset, f.Code, err = NoOffset, wire.UnknownServerError, nil
				continue
			}
			f.Code, f.CommitTimestampMs = wire.None, nodes[i].MtimeMs
		}
	}
	return found
}

// All lists the partitions that a group has znodes for, by topic and partition. Children that are no partition numbers are left out.
func (l *Legacy) All(ctx context.Context, group string) ([]TopicPartition, error) {
	if !ZnodeName(group) {
		return nil, nil
	}
	topics, err := l.znodes.Children(ctx, znode.ConsumerOffsetsPath(group))
	if err != nil {
		return nil, err
	}
	var all []TopicPartition
	for _, topic := range topics {
		names, err := l.znodes.Children(ctx, znode.ConsumerOffsetsPath(group)+"/"+topic)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if n, err := strconv.ParseInt(name, 10, 32); err == nil && n >= 0 {
				all = append(all, TopicPartition{Topic: topic, Partition: int32(n)})
			}
		}
	}
	slices.SortFunc(all, compareTP)
	return all, nil
}

// fetchZnodes answers from ZooKeeper, as v1 and later do: what isn't there is no error.
func (s *Store) fetchZnodes(ctx context.Context, p *partition, group string, tps []TopicPartition, requireStable bool) ([]Fetched, wire.Error) {
	if tps == nil {
		var err error
		if tps, err = s.legacy.All(ctx, group); err != nil {
			return nil, wire.CoordinatorNotAvailable
		}
	}
	found := s.legacy.Fetch(ctx, group, tps)
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.mu.groups[group]
	for i := range found {
		f := &found[i]
		var e *entry
		if g != nil {
			e = g.entries[f.TopicPartition]
		}
		switch {
		case e != nil && requireStable && e.unstable():
			*f = nothing(f.TopicPartition)
			f.Code = wire.UnstableOffsetCommit
		case e != nil && e.dirty && e.present: // the mirror hasn't come to it since storage was dual
			f.Committed, f.Code = e.value, wire.None
		case f.Code == wire.UnknownTopicOrPartition:
			f.Code = wire.None
		}
	}
	return found, wire.None
}

func parentOf(path string) string { return path[:strings.LastIndexByte(path, '/')] }
