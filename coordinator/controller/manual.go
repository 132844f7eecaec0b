package controller

import (
	"context"
	"errors"
	"sort"

	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/zkutil/znode"
)

// ElectionType is the type of an election somebody asked for, with the values of ElectLeaders.
type ElectionType int8

// The types of elections.
const (
	ElectPreferred ElectionType = 0
	ElectUnclean   ElectionType = 1
)

// ElectionResult is the result of an election for one partition.
type ElectionResult struct {
	TopicPartition
	Leader  int32 // The elected leader if Error is None.
	Error   wire.Error
	Message string // Says more than the error; may be empty.
}

// ElectLeaders elects leaders on request and calls done exactly once, also with the leaders that were elected, which the
// response doesn't name and this broker's metadata doesn't have yet.
func (c *Controller) ElectLeaders(req *wire.ElectLeadersRequest, done func(resp *wire.ElectLeadersResponse, elected map[TopicPartition]int32)) {
	kind := ElectionType(req.ElectionType)
	if kind != ElectPreferred && kind != ElectUnclean {
		done(&wire.ElectLeadersResponse{ErrorCode: wire.InvalidRequest}, nil)
		return
	}
	var tps []TopicPartition
	if req.TopicPartitions != nil {
		tps = []TopicPartition{}
		for _, t := range req.TopicPartitions {
			for _, id := range t.Partitions {
				tps = append(tps, TopicPartition{Topic: t.Topic, Partition: id})
			}
		}
	}
	c.RunElections(kind, tps, func(results []ElectionResult) {
		resp := &wire.ElectLeadersResponse{}
		elected := map[TopicPartition]int32{}
		for _, r := range results {
			if r.Error == wire.None {
				elected[r.TopicPartition] = r.Leader
			}
			n := len(resp.ReplicaElectionResults)
			if n == 0 || resp.ReplicaElectionResults[n-1].Topic != r.Topic {
				resp.ReplicaElectionResults = append(resp.ReplicaElectionResults, wire.ElectLeadersResponseTopic{Topic: r.Topic})
				n++
			}
			out := wire.ElectLeadersResponsePartition{PartitionID: r.Partition, ErrorCode: r.Error}
			if r.Message != "" {
				out.ErrorMessage = &r.Message
			} else if r.Error != wire.None {
				out.ErrorMessage = wire.String(r.Error.Message())
			}
			t := &resp.ReplicaElectionResults[n-1]
			t.PartitionResult = append(t.PartitionResult, out)
		}
		done(resp, elected)
	})
}

// RunElections elects leaders on request and calls done exactly once with one result per partition, by topic and
// partition. Nil partitions means all; ELECTION_NOT_NEEDED results are left out then. Whoever needs the new leaders in its
// broker's metadata waits for them there.
func (c *Controller) RunElections(kind ElectionType, partitions []TopicPartition, done func([]ElectionResult)) {
	fail := func(code wire.Error) func() {
		return func() { done(failElections(partitions, code)) }
	}
	c.request(KindReplicaLeaderElection, "", func(ctx context.Context) error {
		if !c.active.Load() {
			done(failElections(partitions, wire.NotController))
			return nil
		}
		tps := partitions
		if partitions == nil {
			c.cluster.allPartitions(func(p *partition) { tps = append(tps, p.tp) })
		}
		results, err := c.electOnRequest(ctx, kind, tps, kind == ElectUnclean)
		if err != nil {
			code := wire.UnknownServerError
			if errors.Is(err, ErrControllerMoved) || errors.Is(err, ErrSessionExpired) {
				code = wire.NotController
			}
			done(failElections(partitions, code))
			return err
		}
		if partitions == nil {
			kept := results[:0]
			for _, r := range results {
				if r.Error != wire.ElectionNotNeeded {
					kept = append(kept, r)
				}
			}
			results = kept
		}
		done(results)
		return nil
	}, fail(wire.NotController), fail(wire.RequestTimedOut))
}

func failElections(partitions []TopicPartition, code wire.Error) []ElectionResult {
	out := make([]ElectionResult, len(partitions))
	for i, tp := range partitions {
		out[i] = ElectionResult{TopicPartition: tp, Leader: NoLeader, Error: code}
	}
	return out
}

func (c *Controller) electOnRequest(ctx context.Context, kind ElectionType, tps []TopicPartition, unclean bool) ([]ElectionResult, error) {
	results := failElections(tps, wire.None)
	var electing []*partition
	var at []int
	seen := map[*partition]bool{}
	for i, tp := range tps {
		r := &results[i]
		p := c.cluster.partition(tp)
		switch {
		case p == nil:
			r.Error, r.Message = wire.UnknownTopicOrPartition, "The partition does not exist."
		case p.topic.deleting:
			r.Error, r.Message = wire.InvalidTopicException, "The topic is being deleted"
		case kind == ElectPreferred && p.led && len(p.replicas) > 0 && p.lead.Leader == p.replicas[0],
			kind == ElectUnclean && p.led && p.lead.Leader != NoLeader && c.cluster.live(p.lead.Leader), seen[p]:
			r.Error = wire.ElectionNotNeeded
		default:
			seen[p] = true
			electing = append(electing, p)
			at = append(at, i)
		}
	}
	strategy, code, words := StrategyPreferred, wire.PreferredLeaderNotAvailable, "PreferredReplicaPartitionLeaderElectionStrategy" // Kafka's, for clients
	if kind == ElectUnclean {
		strategy, code, words = StrategyOffline, wire.EligibleLeadersNotAvailable, "OfflinePartitionLeaderElectionStrategy(true)"
	}
	outcomes, err := c.bringOnline(ctx, electing, strategy, unclean)
	if err != nil {
		return nil, err
	}
	for n, p := range electing {
		r := &results[at[n]]
		if outcomes[n] != nil {
			r.Error, r.Message = code, "Failed to elect leader for partition "+p.tp.String()+" under strategy "+words
			if !errors.Is(outcomes[n], ErrNoEligibleLeader) {
				r.Message += ": " + outcomes[n].Error()
			}
			continue
		}
		r.Leader = p.lead.Leader
	}
	sort.SliceStable(results, func(i, j int) bool {
		return compareTP(results[i].TopicPartition, results[j].TopicPartition) < 0
	})
	return results, nil
}

// preferredElectionZNode runs the elections that /admin/preferred_replica_election asks for, deletes the znode and looks
// again, in case another one was created meanwhile. A znode that cannot be read is deleted too.
func (c *Controller) preferredElectionZNode(ctx context.Context) error {
	for {
		nodes, err := c.cfg.Store.Get(ctx, znode.PreferredReplicaElectionPath)
		if err != nil || !nodes[0].Exists {
			return err
		}
		tps, err := znode.DecodePreferredReplicaElection(nodes[0].Data)
		if err != nil {
			c.emit(ZnodeUnreadable{Header: c.header(), Path: nodes[0].Path, Err: err})
		}
		if _, err := c.electOnRequest(ctx, ElectPreferred, tps, false); err != nil {
			return err
		}
		if err := c.writeAll(ctx, []Op{Delete(znode.PreferredReplicaElectionPath, nodes[0].Stat.Version)}, ErrNoNode); err != nil && !errors.Is(err, ErrBadVersion) {
			return err
		}
	}
}
