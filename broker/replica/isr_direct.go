package replica

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// Kafka's pace of telling the controller of ISRs that leaders have written (core/src/main/scala/kafka/server/ZkAlterPartitionManager.scala, IsrChangePropagationConfig).
const (
	noticeCheck  = 2500 * time.Millisecond
	noticeLinger = 5 * time.Second  // since the last change, so that many go into one notification
	noticeMax    = 60 * time.Second // since the last notification, however many changes there are
	// noticeMost is how many partitions one notification names: with the longest names it stays below what ZooKeeper takes.
	noticeMost = 2000
)

// ISRCommit is a change of an ISR that its leader wants to be kept.
type ISRCommit struct {
	TopicPartition
	Leader, LeaderEpoch int32
	// ControllerEpoch is that of the controller that made the leader.
	ControllerEpoch int32
	// PartitionEpoch is what the change builds on; it fails when there is a newer one.
	PartitionEpoch int32
	ISR            []int32
}

// ISRResult answers an ISRCommit: the new partition epoch, or a code. INVALID_UPDATE_VERSION and UNKNOWN_TOPIC_OR_PARTITION say that the controller knows better and will tell; any
// other error is tried again.
type ISRResult struct {
	PartitionEpoch int32
	Code           wire.Error
}

// ISRStore keeps ISRs without asking the controller.
type ISRStore interface {
	// CommitISRs answers for each commit, in order. It doesn't keep the slice.
	CommitISRs(ctx context.Context, commits []ISRCommit) []ISRResult
	// NotifyISRs tells the controller which ISRs have changed.
	NotifyISRs(ctx context.Context, tps []TopicPartition) error
}

// writeISRs writes proposals, and tells the controller of them after a while, until ctx ends.
func (m *Manager) writeISRs(ctx context.Context) {
	notices := newISRNotices(time.Now())
	ticker := time.NewTicker(noticeCheck)
	defer ticker.Stop()
	var retry <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if due := notices.due(now); len(due) > 0 && m.config.ISRs.NotifyISRs(ctx, due) == nil {
				notices.sent(due, now)
			}
			continue
		case <-m.alterations.wake:
		case <-retry:
		}
		retry = nil
		if !m.writeOnce(ctx, notices) {
			retry = time.After(alterRetry)
		}
	}
}

// writeOnce writes all queued proposals. It returns false when some stay queued.
func (m *Manager) writeOnce(ctx context.Context, notices *isrNotices) bool {
	var changes []*proposal
	var commits []ISRCommit
	for tp, c := range m.waitingProposals() {
		changes = append(changes, c)
		commits = append(commits, ISRCommit{
			TopicPartition: tp, Leader: m.config.BrokerID, LeaderEpoch: c.leaderEpoch, ControllerEpoch: c.controllerEpoch, PartitionEpoch: c.partitionEpoch, ISR: c.isr,
		})
	}
	if len(commits) == 0 {
		return true
	}
	complete := true
	for i, r := range m.config.ISRs.CommitISRs(ctx, commits) {
		c := changes[i]
		if r.Code == wire.None {
			notices.add(c.partition.tp, time.Now())
		}
		if !m.settle(c, outcome{r.Code, c.leaderEpoch, r.PartitionEpoch, c.isr}) {
			complete = false
		}
	}
	return complete
}

// isrNotices are the partitions whose ISRs the controller hasn't been told of. One goroutine owns it.
type isrNotices struct {
	partitions       map[TopicPartition]struct{}
	changed, noticed time.Time // the last change and the last notification, or the start
}

func newISRNotices(now time.Time) *isrNotices {
	return &isrNotices{partitions: map[TopicPartition]struct{}{}, noticed: now}
}

func (n *isrNotices) add(tp TopicPartition, now time.Time) {
	n.partitions[tp] = struct{}{}
	n.changed = now
}

// due returns what the controller is to be told now, in order.
func (n *isrNotices) due(now time.Time) []TopicPartition {
	if len(n.partitions) == 0 || now.Sub(n.changed) <= noticeLinger && now.Sub(n.noticed) <= noticeMax {
		return nil
	}
	tps := make([]TopicPartition, 0, len(n.partitions))
	for tp := range n.partitions {
		tps = append(tps, tp)
	}
	slices.SortFunc(tps, func(a, b TopicPartition) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return tps[:min(len(tps), noticeMost)]
}

func (n *isrNotices) sent(tps []TopicPartition, now time.Time) {
	for _, tp := range tps {
		delete(n.partitions, tp)
	}
	n.noticed = now
}
