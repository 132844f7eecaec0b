package broker

import (
	"context"
	"errors"

	"github.com/prekraft/prekraft/broker/replica"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// isrStore lets leaders write their ISRs into ZooKeeper themselves, as at an inter.broker.protocol.version below 2.7-IV2.
type isrStore struct {
	zk        *zkutil.Client
	telemetry *instruments
}

// CommitISRs implements replica.ISRStore.
func (s isrStore) CommitISRs(ctx context.Context, commits []replica.ISRCommit) []replica.ISRResult {
	changes := make([]zkutil.StateChange, len(commits))
	for i, c := range commits {
		changes[i] = zkutil.StateChange{
			TopicPartition: znode.TopicPartition{Topic: c.Topic, Partition: c.Partition}, Version: znode.ZkVersion(c.PartitionEpoch),
			State: znode.PartitionState{Leader: c.Leader, LeaderEpoch: znode.LeaderEpoch(c.LeaderEpoch), ISR: c.ISR, ControllerEpoch: znode.ControllerEpoch(c.ControllerEpoch)},
		}
	}
	results := make([]replica.ISRResult, len(commits))
	for i, r := range s.zk.WritePartitionStates(ctx, changes) {
		switch {
		case r.Err == nil:
			results[i].PartitionEpoch = int32(r.Version)
		case errors.Is(r.Err, zkutil.ErrBadVersion):
			results[i].Code = wire.InvalidUpdateVersion
		case errors.Is(r.Err, zkutil.ErrNoNode):
			results[i].Code = wire.UnknownTopicOrPartition
		default:
			results[i].Code = wire.UnknownServerError
			if ctx.Err() == nil {
				s.telemetry.problem("write the ISR of "+commits[i].TopicPartition.String(), r.Err)
			}
		}
	}
	return results
}

// NotifyISRs implements replica.ISRStore.
func (s isrStore) NotifyISRs(ctx context.Context, tps []replica.TopicPartition) error {
	named := make([]znode.TopicPartition, len(tps))
	for i, tp := range tps {
		named[i] = znode.TopicPartition{Topic: tp.Topic, Partition: tp.Partition}
	}
	err := s.zk.NotifyISRChanges(ctx, named)
	if err != nil && ctx.Err() == nil {
		s.telemetry.problem("notify the controller of ISR changes", err)
	}
	return err
}
