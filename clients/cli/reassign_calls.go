package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prekraft/prekraft/broker/wire"
)

// listReassignments returns the moves that are under way.
func listReassignments(ctx context.Context, c *caller) (map[partitionName]wire.ListPartitionReassignmentsResponsePartition, error) {
	req := wire.New[wire.ListPartitionReassignmentsRequest]()
	resp, err := askController(ctx, c, &req, func(r *wire.ListPartitionReassignmentsResponse) wire.Error { return r.ErrorCode })
	if err == nil {
		err = responseError(resp.ErrorCode, resp.ErrorMessage)
	}
	if err != nil {
		return nil, err
	}
	moves := map[partitionName]wire.ListPartitionReassignmentsResponsePartition{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			moves[partitionName{t.Name, p.PartitionIndex}] = p
		}
	}
	return moves, nil
}

// alterReassignments begins moves; one without replicas is cancelled. The error tells of every partition that was refused.
func alterReassignments(ctx context.Context, c *caller, moves []partitionMove) error {
	req := wire.New[wire.AlterPartitionReassignmentsRequest]()
	at := map[string]int{}
	for _, m := range moves {
		i, ok := at[m.Topic]
		if !ok {
			i = len(req.Topics)
			at[m.Topic] = i
			req.Topics = append(req.Topics, wire.AlterPartitionReassignmentsRequestTopic{Name: m.Topic})
		}
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, wire.AlterPartitionReassignmentsRequestPartition{PartitionIndex: m.Partition, Replicas: m.Replicas})
	}
	resp, err := askController(ctx, c, &req, func(r *wire.AlterPartitionReassignmentsResponse) wire.Error { return r.ErrorCode })
	if err == nil {
		err = responseError(resp.ErrorCode, resp.ErrorMessage)
	}
	if err != nil {
		return err
	}
	var refused []string
	for _, t := range resp.Responses {
		for _, p := range t.Partitions {
			if err := responseError(p.ErrorCode, p.ErrorMessage); err != nil {
				refused = append(refused, fmt.Sprintf("%s-%d: %v", t.Name, p.PartitionIndex, err))
			}
		}
	}
	if len(refused) > 0 {
		slices.Sort(refused)
		return fmt.Errorf("reassign partitions: %s", strings.Join(refused, "; "))
	}
	return nil
}

// replicaSizes are the bytes of each replica on each broker that answers.
func replicaSizes(ctx context.Context, c *caller, moves []partitionMove) map[int32]map[partitionName]int64 {
	topics := map[string][]int32{}
	for _, m := range moves {
		topics[m.Topic] = append(topics[m.Topic], m.Partition)
	}
	req := &wire.DescribeLogDirsRequest{}
	for name, partitions := range topics {
		req.Topics = append(req.Topics, wire.DescribeLogDirsRequestTopic{Topic: name, Partitions: partitions})
	}
	sizes := map[int32]map[partitionName]int64{}
	for id := range c.addresses() {
		resp, err := askBroker[*wire.DescribeLogDirsResponse](ctx, c, id, req)
		if err != nil {
			continue // a bar without this broker's part is still a bar
		}
		sizes[id] = map[partitionName]int64{}
		for _, dir := range resp.Results {
			for _, t := range dir.Topics {
				for _, p := range t.Partitions {
					if !p.IsFutureKey {
						sizes[id][partitionName{t.Name, p.PartitionIndex}] = p.PartitionSize
					}
				}
			}
		}
	}
	return sizes
}

// movedShare is how much of the bytes that are to be copied is there, 0 to 1.
func movedShare(ctx context.Context, c *caller, current map[partitionName]partitionRow, moves []partitionMove) (float64, error) {
	sizes := replicaSizes(ctx, c, moves)
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return shareOf(sizes, current, moves), nil
}

// shareOf compares what the replicas that are being added have with what the leaders have. A partition that isn't moving any more counts as whole.
func shareOf(sizes map[int32]map[partitionName]int64, current map[partitionName]partitionRow, moves []partitionMove) float64 {
	share := 0.0
	for _, m := range moves {
		p := current[m.name()]
		whole := sizes[p.Leader][m.name()]
		if !p.reassigning() || len(p.Adding) == 0 {
			share++
			continue
		}
		part := 0.0
		for _, id := range p.Adding {
			if whole > 0 {
				part += min(float64(sizes[id][m.name()])/float64(whole), 1)
			}
		}
		share += part / float64(len(p.Adding)) * 0.99 // it is whole when the ISR has it
	}
	return share / float64(max(len(moves), 1))
}

// moveDirs asks brokers to keep replicas in the directories that the moves name, again and again until the replicas are there or the time is over.
func (a *app) moveDirs(ctx context.Context, c *caller, o reassignOptions, moves []partitionMove) error {
	type replica struct {
		name   partitionName
		broker int32
	}
	wanted := map[replica]string{}
	for _, m := range moves {
		for i, dir := range m.LogDirs {
			if dir != anyDir {
				wanted[replica{m.name(), m.Replicas[i]}] = dir
			}
		}
	}
	var started []string
	deadline := time.Now().Add(time.Duration(o.timeoutMs) * time.Millisecond)
	for len(wanted) > 0 {
		var last error
		for r, dir := range wanted {
			resp, err := askBroker[*wire.AlterReplicaLogDirsResponse](ctx, c, r.broker, &wire.AlterReplicaLogDirsRequest{Dirs: []wire.AlterReplicaLogDirsRequestDir{{
				Path: dir, Topics: []wire.AlterReplicaLogDirsRequestTopic{{Name: r.name.Topic, Partitions: []int32{r.name.Partition}}},
			}}})
			if err != nil {
				return err
			}
			for _, t := range resp.Results {
				for _, p := range t.Partitions {
					switch {
					case p.ErrorCode == wire.None:
						delete(wanted, r)
						started = append(started, fmt.Sprintf("%s-%d", r.name, r.broker))
					case !p.ErrorCode.Retriable():
						return fmt.Errorf("%s on broker %d to %s: %w", r.name, r.broker, dir, p.ErrorCode)
					default:
						last = fmt.Errorf("%s on broker %d to %s: %w", r.name, r.broker, dir, p.ErrorCode)
					}
				}
			}
		}
		if len(wanted) == 0 {
			break
		}
		if time.Now().After(deadline) {
			return errors.Join(errors.New("timeout before log directory moves could be started"), last)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(controllerPause):
		}
	}
	if len(started) > 0 && a.output != "json" {
		slices.Sort(started)
		fmt.Fprintf(a.out, "Successfully started log directory move%s for: %s\n", pluralS(len(started)), strings.Join(started, ","))
	}
	return nil
}
