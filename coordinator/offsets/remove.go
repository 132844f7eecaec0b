package offsets

import (
	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
)

// Expire removes the offsets of a group that have expired at nowMs, and queues their tombstones: [Store.Flush] writes them. It returns how many went, and how many the group has left,
// commits under way and open transactions counted: with none left an empty group may go. Source: GroupMetadata.removeExpiredOffsets.
func (s *Store) Expire(partition int32, group string, rule Rule, nowMs int64) (expired, left int) {
	p := s.partition(partition)
	if p == nil {
		return 0, 0
	}
	retentionMs := s.config.Settings().Retention.Milliseconds()
	expired, left = p.remove(group, func(e *entry) bool {
		return rule.Enabled && e.present && !e.unstable() && rule.over(e, retentionMs, nowMs)
	}, false)
	s.counters.expired.Add(int64(expired))
	return expired, left
}

func (r Rule) over(e *entry, retentionMs, nowMs int64) bool {
	if r.Subscribed != nil && r.Subscribed(e.tp.Topic) {
		return false
	}
	if e.value.ExpireTimestampMs != NoTimestamp {
		return nowMs >= e.value.ExpireTimestampMs
	}
	since := e.value.CommitTimestampMs
	if r.EmptySinceMs != 0 {
		since = r.EmptySinceMs
	}
	return nowMs-since >= retentionMs
}

// RemoveOffsets removes offsets of a group and queues their tombstones: [Store.Flush] writes them. Commits under way of those partitions leave nothing. It returns how many the group has left.
func (s *Store) RemoveOffsets(partition int32, group string, named []TopicPartition) (left int) {
	p := s.partition(partition)
	if p == nil {
		return 0
	}
	removed, left := p.remove(group, tpSet(named).has, false)
	s.counters.deleted.Add(int64(removed))
	return left
}

// RemoveGroup removes all offsets of a group and queues their tombstones, and with tombstone that of the group's record, which there is if its generation is above 0: [Store.Flush]
// writes them.
func (s *Store) RemoveGroup(partition int32, group string, tombstone bool) {
	if p := s.partition(partition); p != nil {
		removed, _ := p.remove(group, func(*entry) bool { return true }, tombstone)
		s.counters.deleted.Add(int64(removed))
	}
}

// RemovePartitions removes the offsets of partitions that were deleted from all groups and writes their tombstones. It waits for the log's writes.
func (s *Store) RemovePartitions(deleted []TopicPartition) {
	gone := tpSet(deleted)
	for _, p := range *s.served.Load() {
		var names []string
		p.mu.Lock()
		for name, g := range p.mu.groups {
			if g.any(gone) {
				names = append(names, name)
			}
		}
		p.mu.Unlock()
		for _, name := range names {
			removed, _ := p.remove(name, gone.has, false)
			s.counters.deleted.Add(int64(removed))
		}
		if len(names) > 0 {
			p.flush()
		}
	}
}

// tps is a set of partitions.
type tps map[TopicPartition]struct{}

func tpSet(list []TopicPartition) tps {
	set := make(tps, len(list))
	for _, tp := range list {
		set[tp] = struct{}{}
	}
	return set
}

func (set tps) has(e *entry) bool { _, ok := set[e.tp]; return ok }

// any says whether the group has an offset for one of the partitions.
func (g *group) any(set tps) bool {
	for _, e := range g.entries {
		if set.has(e) {
			return true
		}
	}
	return false
}

// remove takes the offsets that match out of the cache and queues tombstones.
func (p *partition) remove(name string, match func(*entry) bool, groupToo bool) (removed, left int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.gone {
		return 0, 0
	}
	var tombstones []record.Record
	if g := p.mu.groups[name]; g != nil {
		for _, e := range g.entries {
			if !match(e) {
				left++
				continue
			}
			removed++
			p.detachLocked(e)
			for _, offsets := range p.mu.transactions {
				delete(offsets, e)
			}
			tombstones = append(tombstones, record.Record{Key: AppendOffsetKey(nil, name, e.tp)})
		}
	}
	if groupToo && CheckNames(name) == nil {
		tombstones = append(tombstones, record.Record{Key: AppendGroupKey(nil, name)})
	}
	// In pieces, so that a group with many offsets makes no batch that is too large.
	for len(tombstones) > 0 {
		n := min(len(tombstones), sharedRecords)
		p.mu.topic.queue = append(p.mu.topic.queue, &keyed{records: tombstones[:n], done: func(code wire.Error) {
			if code != wire.None {
				p.store.problem("write tombstones", p.number, code)
			}
		}})
		tombstones = tombstones[n:]
	}
	return removed, left
}
