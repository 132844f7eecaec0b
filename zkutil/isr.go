package zkutil

import (
	"bytes"
	"context"
	"errors"

	"github.com/prekraft/prekraft/zkutil/znode"
)

// StateChange is a partition's new state and the version of the state node that it replaces.
type StateChange struct {
	TopicPartition znode.TopicPartition
	State          znode.PartitionState
	Version        znode.ZkVersion
}

// StateResult says how a StateChange went: the node's new version, or an error. ErrBadVersion says that somebody else has written another state, ErrNoNode that the partition
// is gone.
type StateResult struct {
	Version znode.ZkVersion
	Err     error
}

// WritePartitionStates writes states as a leader does for its own partitions at an inter.broker.protocol.version below 2.7-IV2, and answers for each, in order. A node that has the state already,
// as after a write whose answer was lost, counts as written (core/src/main/scala/kafka/server/ZkAlterPartitionManager.scala, ReplicationUtils.updateLeaderAndIsr).
func (c *Client) WritePartitionStates(ctx context.Context, changes []StateChange) []StateResult {
	results := make([]StateResult, len(changes))
	for i := range results {
		results[i].Err = ErrNotExecuted // what a context that has ended leaves
	}
	_ = c.parallel(ctx, len(changes), func(ctx context.Context, i int) error {
		results[i].Version, results[i].Err = c.writePartitionState(ctx, changes[i])
		return nil // one that fails doesn't keep the others from being written
	})
	return results
}

func (c *Client) writePartitionState(ctx context.Context, change StateChange) (znode.ZkVersion, error) {
	path, data := znode.PartitionStatePath(change.TopicPartition), change.State.Encode()
	for {
		stat, err := c.Set(ctx, path, data, change.Version)
		switch {
		case err == nil:
			return stat.Version, nil
		case errors.Is(err, ErrBadVersion):
			there, stat, readErr := c.Get(ctx, path)
			if readErr != nil {
				return 0, readErr
			}
			if state, decodeErr := znode.DecodePartitionState(there); decodeErr == nil && bytes.Equal(state.Encode(), data) {
				return stat.Version, nil
			}
			return 0, err
		case !retryable(ctx, err):
			return 0, err
		}
	}
}
