package broker

import (
	"context"
	"fmt"

	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/peers"
	"github.com/prekraft/prekraft/broker/replica"
	"github.com/prekraft/prekraft/broker/telemetry"
)

// newReplicas makes the manager of the partitions. What it runs ends before the logs are closed.
func (b *Broker) newReplicas() {
	c := b.config()
	// A connection of its own: a request for producer ids that waits for a controller must not hold back the ISR.
	isr := peers.NewControllerLink(peers.Config{
		Dial: b.options.Dial, ClientID: fmt.Sprint(b.id), ConnectTimeout: c.Duration(config.ControllerSocketTimeoutMs), RequestTimeout: c.Duration(config.RequestTimeoutMs),
	}, b.metadata, b.controlListener())
	fetching := peers.Config{Dial: b.options.Dial, ConnectTimeout: c.Duration(config.ReplicaSocketTimeoutMs), RequestTimeout: c.Duration(config.ReplicaSocketTimeoutMs), Inline: true,
		ReceiveBuffer: socketBuffer(c, config.ReplicaSocketReceiveBufferBytes)}
	leading, following := replicationThrottle(c), replicationThrottle(c)
	moving := replica.NewThrottle(c.Int(config.AlterLogDirsReplicationQuotaWindowNum), c.Duration(config.AlterLogDirsReplicationQuotaWindowSizeSeconds))
	b.throttles.leader, b.throttles.follower, b.throttles.moves = leading, following, moving
	workers := len(c.LogDirs())
	if c.IsSet(string(config.NumReplicaAlterLogDirsThreads)) {
		workers = max(c.Int(config.NumReplicaAlterLogDirsThreads), 1)
	}
	b.limitReplication(c)
	var isrs replica.ISRStore
	if !b.ibp.AlterPartition() {
		isrs = isrStore{b.zk, b.telemetry}
	}
	b.replicas = replica.NewManager(replica.Config{
		BrokerID: b.id, Logs: b.logs, Metadata: b.metadata, BrokerEpoch: b.brokerEpoch.Load, Events: b.replicaEvents(), Meter: b.telemetry.meter,
		Controller: isr, ISRs: isrs, LagTime: c.Duration(config.ReplicaLagTimeMaxMs), SessionSlots: c.Int(config.MaxIncrementalFetchSessionCacheSlots),
		LeaderThrottle: leading, FollowerThrottle: following, MoveThrottle: moving, MoveWorkers: workers,
		Follow: replica.FollowConfig{
			Dial: func(ctx context.Context, id int32, fetcher int) (replica.Conn, error) {
				fetching := fetching
				fetching.ClientID = fmt.Sprintf("broker-%d-fetcher-%d", b.id, fetcher)
				client, err := fetching.DialBroker(ctx, b.metadata, b.static.Listeners().InterBroker, id)
				if err != nil {
					return nil, err
				}
				return client, nil
			},
			Fetchers: c.Int(config.NumReplicaFetchers), MaxBytes: c.Int(config.ReplicaFetchMaxBytes), ResponseMaxBytes: c.Int(config.ReplicaFetchResponseMaxBytes),
			MinBytes: c.Int(config.ReplicaFetchMinBytes), MaxWait: c.Duration(config.ReplicaFetchWaitMaxMs), Backoff: c.Duration(config.ReplicaFetchBackoffMs),
			Versions: replica.Versions{Fetch: b.ibp.FetchVersion(), ListOffsets: b.ibp.ListOffsetsVersion(), OffsetForLeaderEpoch: b.ibp.OffsetForLeaderEpochVersion()},
		},
	})
	b.hosted.Store(b.replicas)
	b.onClose(func(context.Context, bool) error { isr.Close(); return nil })
}

func replicationThrottle(c *config.Config) *replica.Throttle {
	return replica.NewThrottle(c.Int(config.ReplicationQuotaWindowNum), c.Duration(config.ReplicationQuotaWindowSizeSeconds))
}

// limitReplication applies leader.replication.throttled.rate, follower.replication.throttled.rate and replica.alter.log.dirs.io.max.bytes.per.second.
func (b *Broker) limitReplication(c *config.Config) {
	b.throttles.leader.SetLimit(c.Long(config.LeaderReplicationThrottledRate))
	b.throttles.follower.SetLimit(c.Long(config.FollowerReplicationThrottledRate))
	b.throttles.moves.SetLimit(c.Long(config.ReplicaAlterLogDirsIOMaxBytesPerSecond))
}

// scrapeReplicas reads the gauges of replication.
func (b *Broker) scrapeReplicas(s *telemetry.Scrape) {
	var leaders, partitions, offline, underReplicated, underMin, atMin, reassigning int
	for p := range b.replicas.All() {
		partitions++
		h := p.Health()
		switch {
		case h.Offline:
			offline++
		case h.Leader:
			leaders++
			underReplicated += count(h.InSync < h.Replicas)
			underMin += count(h.InSync < h.MinInSync)
			atMin += count(h.InSync == h.MinInSync)
			reassigning += count(h.Reassigning)
		}
	}
	s.Value(telemetry.LeaderCount, float64(leaders))
	s.Value(telemetry.PartitionCount, float64(partitions))
	s.Value(telemetry.OfflineReplicaCount, float64(offline))
	s.Value(telemetry.UnderReplicatedPartitions, float64(underReplicated))
	s.Value(telemetry.UnderMinIsrPartitionCount, float64(underMin))
	s.Value(telemetry.AtMinIsrPartitionCount, float64(atMin))
	s.Value(telemetry.ReassigningPartitions, float64(reassigning))
	follow := b.replicas.FollowStats()
	s.Value(telemetry.FetcherMaxLag, float64(follow.MaxLag))
	s.Value(telemetry.FetcherFailedPartitions, float64(follow.Failed))
	s.Value(telemetry.FetcherMinFetchRate, follow.MinFetchRate)
	s.Value(telemetry.FetcherDeadThreads, 0)
	s.Value(telemetry.LeaderThrottleRate, b.throttles.leader.Rate())
	s.Value(telemetry.FollowerThrottleRate, b.throttles.follower.Rate())
	moves := b.replicas.MoveStats()
	s.Value(telemetry.MoveMaxLag, float64(moves.MaxLag))
	s.Value(telemetry.MoveFailedPartitions, float64(moves.Failed))
	s.Value(telemetry.MoveMinFetchRate, moves.MinFetchRate)
	s.Value(telemetry.MoveDeadThreads, 0)
	s.Value(telemetry.MoveThrottleRate, b.throttles.moves.Rate())
	sessions := b.replicas.SessionStats()
	s.Value(telemetry.FetchSessions, float64(sessions.Sessions))
	s.Value(telemetry.FetchSessionPartitions, float64(sessions.Partitions))
}

// partitionView tells the admin port how a replica is. It may be asked before the broker has replicas.
func (b *Broker) partitionView(topic string, partition int32) (telemetry.PartitionView, bool) {
	replicas := b.hosted.Load()
	if replicas == nil {
		return telemetry.PartitionView{}, false
	}
	d, ok := replicas.Describe(replica.TopicPartition{Topic: topic, Partition: partition})
	if !ok {
		return telemetry.PartitionView{}, false
	}
	view := telemetry.PartitionView{
		Broker: b.id, Topic: topic, Partition: partition, Role: "follower", Leader: d.Leader, LeaderEpoch: d.LeaderEpoch, PartitionEpoch: d.PartitionEpoch,
		Replicas: d.Replicas, Adding: d.Adding, Removing: d.Removing, LogStartOffset: d.LogStart, LogEndOffset: d.LogEndOffset, HighWatermark: d.HighWatermark, LogDir: d.Dir,
	}
	if d.IsLeader {
		view.Role, view.ISR, view.ProposedISR, view.MinInSync, view.EpochStart, view.LagMaxMs = "leader", d.ISR, d.Proposed, d.MinInSync, d.EpochStart, d.LagTolerance.Milliseconds()
		for _, f := range d.Followers {
			view.Followers = append(view.Followers, telemetry.FollowerView{
				ID: f.ID, Alive: f.Alive, LogStartOffset: f.LogStart, LogEndOffset: f.LogEnd, CaughtUp: f.CaughtUp, Fetched: f.Fetched,
			})
		}
	} else {
		view.Fetch = &telemetry.FetchView{State: fetchState(d.Fetch), Leader: d.Fetch.Leader, Offset: d.Fetch.Offset, Lag: d.Fetch.Lag}
	}
	if d.Offline {
		view.Role = "offline"
	}
	return view, true
}

func fetchState(s replica.FetchState) string {
	switch {
	case s.Failed:
		return "failed"
	case s.Delayed:
		return "delayed"
	case s.Active:
		return "fetching"
	}
	return "none"
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
