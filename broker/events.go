package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prekraft/prekraft/broker/api"
	"github.com/prekraft/prekraft/broker/commitlog"
	"github.com/prekraft/prekraft/broker/config"
	"github.com/prekraft/prekraft/broker/network"
	"github.com/prekraft/prekraft/broker/replica"
	"github.com/prekraft/prekraft/broker/telemetry"
	"github.com/prekraft/prekraft/broker/wire"
	"github.com/prekraft/prekraft/coordinator/controller"
	"github.com/prekraft/prekraft/zkutil"
)

// sessionEvent feeds the life of the ZooKeeper session into events and readiness.
func (b *Broker) sessionEvent(e zkutil.SessionEvent) {
	t := b.telemetry
	switch e.Kind {
	case zkutil.EventNewSession:
		t.readiness.Set(conditionZooKeeper, true, "session on "+e.Server)
		t.emit(telemetry.SessionEstablished{SessionID: e.Session.ID, Timeout: e.Session.Timeout, Server: e.Server})
	case zkutil.EventReconnected:
		t.readiness.Set(conditionZooKeeper, true, "session on "+e.Server)
	case zkutil.EventDisconnected:
		t.readiness.Set(conditionZooKeeper, false, "connection lost, reconnecting")
		t.emit(telemetry.SessionLost{SessionID: e.Session.ID, Reason: "connection to " + e.Server + " lost"})
	case zkutil.EventPossiblyExpired:
		t.emit(telemetry.SessionLost{SessionID: e.Session.ID, Reason: "nothing heard for two thirds of the session timeout"})
	case zkutil.EventExpired:
		t.readiness.Set(conditionZooKeeper, false, "session expired, opening another")
		t.readiness.Set(conditionRegistered, false, "session expired")
		t.emit(telemetry.SessionExpired{SessionID: e.Session.ID, Reason: "the server ended it"})
	case zkutil.EventAuthFailed:
		t.readiness.Set(conditionZooKeeper, false, e.Err.Error())
		t.loggers.Write(telemetry.ServerLogger, telemetry.Error, "ZooKeeper does not accept this broker's identity", map[string]any{"error": e.Err})
	case zkutil.EventDialFailed:
		t.readiness.Set(conditionZooKeeper, false, fmt.Sprintf("%s can't be reached: %v", e.Server, e.Err))
	}
}

// logHooks feeds what the logs do into events; a failed directory makes its partitions answer KAFKA_STORAGE_ERROR and is told to the controller.
func (b *Broker) logHooks() commitlog.Hooks {
	t := b.telemetry
	return commitlog.Hooks{
		BeforeAppend: b.options.BeforeAppend,
		Rolled: func(tp commitlog.TopicPartition, base int64) {
			t.emit(telemetry.SegmentRolled{Topic: tp.Topic, Partition: tp.Partition, BaseOffset: base, Reason: "append"})
		},
		Recovered: func(tp commitlog.TopicPartition, r commitlog.Recovery) {
			t.emit(telemetry.LogRecovered{Topic: tp.Topic, Partition: tp.Partition, Segments: r.Segments, BytesCut: r.TruncatedBytes, LogEndOffset: -1, Took: r.Duration})
		},
		SegmentsDeleted: func(tp commitlog.TopicPartition, bases []int64, reason string) {
			t.emit(telemetry.SegmentsDeleted{Topic: tp.Topic, Partition: tp.Partition, Segments: len(bases), Reason: reason})
			if b.replicas != nil {
				b.replicas.LogStartMoved(tp)
			}
		},
		Truncated: func(tp commitlog.TopicPartition, from, end int64) {
			var by telemetry.Cause
			if b.replicas != nil {
				by = causeOf(b.replicas.Cause(tp))
			}
			t.emit(telemetry.LogTruncated{Cause: by, Topic: tp.Topic, Partition: tp.Partition, From: from, To: end, Reason: "truncation"})
		},
		DirFailed: func(dir string, err error) {
			t.emit(telemetry.LogDirFailed{Dir: dir, Err: err.Error()})
			b.failedDirs.add(dir)
		},
		Error: t.problem,
	}
}

// failedDirs collects directories that failed until the goroutine that deals with them comes round; a hook must not block.
type failedDirs struct{ wake chan struct{} }

func (f *failedDirs) add(string) {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// watchDirs answers for failed directories: their partitions go offline, and the controller is told through ZooKeeper. When no directory is left the broker fails.
func (b *Broker) watchDirs(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.failedDirs.wake:
		}
		for _, tp := range b.replicas.HandleDirFailure() {
			b.offsetsReplicaGone(tp)
		}
		if len(b.logs.LiveDirs()) == 0 {
			b.fail(fmt.Errorf("every log directory has failed (%v)", b.logs.OfflineDirs()))
			return
		}
		if err := b.zk.NotifyLogDirFailure(ctx, b.id); err != nil && ctx.Err() == nil {
			b.telemetry.problem("notify the controller of a failed log directory", err)
		}
	}
}

func causeOf(c replica.Cause) telemetry.Cause {
	return telemetry.By(requestID(c.Controller, c.CorrelationID))
}

func (b *Broker) replicaEvents() replica.Events {
	t := b.telemetry
	// What a replica does follows from the request that gave it its role.
	by := func(tp replica.TopicPartition) telemetry.Cause { return causeOf(b.replicas.Cause(tp)) }
	return replica.Events{
		RoleChanged: func(tp replica.TopicPartition, s replica.State) {
			role := "follower"
			if s.IsLeader {
				role = "leader"
			}
			t.emit(telemetry.PartitionRoleChanged{Cause: by(tp), Topic: tp.Topic, Partition: tp.Partition, Role: role, Leader: s.Leader, LeaderEpoch: s.LeaderEpoch,
				LogEndOffset: s.LogEndOffset, HighWatermark: s.HighWatermark})
			b.offsetsRoleChanged(tp, s)
		},
		RolesApplied: func(by replica.Cause, leaders, followers, refused int, took time.Duration) {
			t.emit(telemetry.RolesApplied{Cause: causeOf(by), Leaders: leaders, Followers: followers, Refused: refused, Took: took})
		},
		ISRChanged: func(c replica.ISRChange) {
			if len(c.To) < len(c.From) {
				t.metrics.Counter(telemetry.IsrShrinks).Add(1)
			} else {
				t.metrics.Counter(telemetry.IsrExpands).Add(1)
			}
			t.emit(telemetry.IsrChanged{Cause: by(c.TopicPartition), Topic: c.Topic, Partition: c.Partition, From: c.From, To: c.To, HighWatermark: c.HighWatermark})
		},
		ISRUpdateFailed: func(tp replica.TopicPartition, code wire.Error) {
			t.metrics.Counter(telemetry.FailedIsrUpdates).Add(1)
			t.emit(telemetry.IsrRefused{Cause: by(tp), Topic: tp.Topic, Partition: tp.Partition, Err: code.Name()})
		},
		ISRProposed: func(c replica.ISRProposal) {
			t.emit(telemetry.IsrProposed{Cause: by(c.TopicPartition), Topic: c.Topic, Partition: c.Partition, LeaderEpoch: c.LeaderEpoch, PartitionEpoch: c.PartitionEpoch, From: c.From, To: c.To})
		},
		FetchStarted: func(tp replica.TopicPartition, leader, leaderEpoch int32, offset int64) {
			t.emit(telemetry.FetchStarted{Cause: by(tp), Topic: tp.Topic, Partition: tp.Partition, Leader: leader, LeaderEpoch: leaderEpoch, Offset: offset})
		},
		HighWatermarkAdvanced: func(tp replica.TopicPartition, leaderEpoch int32, highWatermark, logEndOffset int64) {
			t.emit(telemetry.HighWatermarkAdvanced{Cause: by(tp), Topic: tp.Topic, Partition: tp.Partition, LeaderEpoch: leaderEpoch, HighWatermark: highWatermark, LogEndOffset: logEndOffset})
		},
		FetchFailed: func(tp replica.TopicPartition, leader int32, err error) {
			t.problem(fmt.Sprintf("fetch %s from broker %d", tp, leader), err)
		},
		Replicated: func(bytes int) { t.metrics.Counter(telemetry.ReplicationBytesIn).Add(int64(bytes)) },
		Removed:    b.partitionsRemoved,
		Moving: func(tp replica.TopicPartition, state replica.MoveState, from, to string, err error) {
			e := telemetry.ReplicaMoving{Topic: tp.Topic, Partition: tp.Partition, State: state.String(), From: from, To: to}
			if err != nil {
				e.Err = err.Error()
			}
			t.emit(e)
		},
		Deleted: func(tp replica.TopicPartition, cause replica.Cause) {
			t.emit(telemetry.PartitionRoleChanged{Cause: causeOf(cause), Topic: tp.Topic, Partition: tp.Partition, Role: "none", Leader: -1, LeaderEpoch: -1, LogEndOffset: -1, HighWatermark: -1})
			b.offsetsReplicaGone(tp)
			for p := range b.replicas.All() {
				if p.TopicPartition().Topic == tp.Topic {
					return
				}
			}
			b.dynamic.ForgetTopic(tp.Topic)
			t.forgetTopic(tp.Topic)
		},
	}
}

// brokerConfigChanged applies dynamic broker configs to the running parts.
func (b *Broker) brokerConfigChanged(before, after *config.Config) {
	if b.server == nil {
		return // still starting: the parts will be made from the new snapshot
	}
	b.server.SetLimits(networkLimits(after))
	b.limitReplication(after)
	for _, log := range b.logs.Logs() {
		log.SetConfig(b.logConfigOf(log.TopicPartition()))
	}
	if after.Bool(config.UncleanLeaderElectionEnable) && !before.Bool(config.UncleanLeaderElectionEnable) {
		b.controller.UncleanLeaderElectionEnabled()
	}
	if after.String(config.OffsetsStorage) != before.String(config.OffsetsStorage) {
		b.offsets.StorageChanged()
	}
	b.telemetry.emit(telemetry.ConfigChanged{Entity: "brokers"})
}

// topicConfigChanged applies a topic's overrides to its logs here, and tells the controller when unclean elections became allowed.
func (b *Broker) topicConfigChanged(topic string, overrides map[string]string) {
	if b.server == nil {
		return
	}
	for _, log := range b.logs.Logs() {
		if log.TopicPartition().Topic == topic {
			log.SetConfig(b.logConfigOf(log.TopicPartition()))
		}
	}
	if strings.EqualFold(overrides[string(config.UncleanLeaderElectionEnable)], "true") {
		b.controller.TopicUncleanLeaderElectionEnabled(topic)
	}
	keys := make([]string, 0, len(overrides))
	for key := range overrides {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	b.telemetry.emit(telemetry.ConfigChanged{Entity: "topics/" + topic, Keys: keys})
}

// ready says that clients are served.
func (t *instruments) ready() {
	t.readiness.Set(conditionMetadata, true, "the controller has told of the cluster")
	t.emit(telemetry.BrokerStateChanged{From: "starting", To: "serving"})
}

func (t *instruments) setBroker(id int32) { t.bus.SetBroker(id) }

// controllerEvents feeds the controller's events into the broker's.
type controllerEvents struct {
	t      *instruments
	broker int32
}

// Emit is controller.Sink's.
func (c controllerEvents) Emit(ev controller.Event) {
	header := ev.EventHeader()
	by := telemetry.By(telemetry.CauseID{Broker: c.broker, Seq: uint64(header.Cause)})
	switch e := ev.(type) {
	case controller.Elected:
		c.t.emit(telemetry.ControllerElected{Cause: by, Epoch: e.Epoch})
	case controller.Resigned:
		c.t.emit(telemetry.ControllerResigned{Cause: by, Epoch: e.Epoch, Reason: e.Reason})
	case controller.BrokerChanged:
		switch e.Change {
		case controller.BrokerStarted, controller.BrokerBounced:
			c.t.emit(telemetry.BrokerUp{Cause: by, ID: e.BrokerID, Epoch: e.Epoch})
		case controller.BrokerDied:
			c.t.emit(telemetry.BrokerDown{Cause: by, ID: e.BrokerID, Epoch: e.Epoch, Reason: "session"})
		case controller.BrokerExpelled:
			c.t.emit(telemetry.BrokerDown{Cause: by, ID: e.BrokerID, Epoch: e.Epoch, Reason: "probe"})
		}
	case controller.Began:
		began := telemetry.ControllerEventStarted{Cause: telemetry.By(telemetry.CauseID{Broker: c.broker, Seq: uint64(header.ID)}), Event: string(e.Kind), Detail: e.Detail, Waited: e.Waited}
		if header.Cause != 0 {
			began.After = telemetry.CauseID{Broker: c.broker, Seq: uint64(header.Cause)}
		}
		c.t.emit(began)
	case controller.LeadershipChanged:
		c.t.emit(leadershipEvent(by, e))
	case controller.ZnodesWritten:
		c.t.znodesWritten(by, e.Ops, e.Results)
	case controller.RPCSent:
		c.t.emit(telemetry.ControlRequestSent{
			Cause: by, ID: requestID(c.broker, e.CorrelationID), Request: e.API.String(), To: e.BrokerID,
			Epoch: controllerEpochOf(e.Request), CorrelationID: e.CorrelationID, Partitions: e.Partitions,
		})
	case controller.RPCAnswered:
		answered := telemetry.ControlRequestAnswered{
			Cause: by, ID: requestID(c.broker, e.CorrelationID), Request: e.API.String(), To: e.BrokerID, CorrelationID: e.CorrelationID, Took: e.Took,
		}
		if e.Error != wire.None {
			answered.Err = e.Error.Name()
		}
		c.t.emit(answered)
	case controller.AssignmentChanged:
		c.t.reassignment(by, e)
	case controller.TopicDeleted:
		c.t.emit(telemetry.TopicDeleted{Cause: by, Topic: e.Topic})
	case controller.TransitionRefused:
		if errors.Is(e.Err, controller.ErrNoEligibleLeader) {
			return // ordinary while replicas are down: LeadershipChanged says that there is no leader
		}
		c.t.problem(fmt.Sprintf("%s-%d to %s", e.Topic, e.Partition, e.To), e.Err)
	case controller.Ended:
		if e.Err != nil {
			c.t.problem(fmt.Sprint("controller event ", e.Kind), e.Err)
		}
	}
}

// reassignment tells of the beginning, the change and the end of a partition's move.
func (t *instruments) reassignment(by telemetry.Cause, e controller.AssignmentChanged) {
	if e.Assignment.Reassigning() {
		t.emit(telemetry.ReassignmentStarted{Cause: by, Topic: e.Topic, Partition: e.Partition, From: e.Origin(), To: e.Targets()})
		return
	}
	t.emit(telemetry.ReassignmentEnded{Cause: by, Topic: e.Topic, Partition: e.Partition, Replicas: e.Targets(), Cancelled: e.Cancelled()})
}

// requestID is the id under which a controller's request, its answer and what it makes a broker do are told.
func requestID(controller, correlationID int32) telemetry.CauseID {
	return telemetry.CauseID{Broker: controller, Seq: uint64(max(correlationID, 0))}
}

// controlReceived tells of a control request; it is api.Deps'.
func (t *instruments) controlReceived(r api.ControlRequest) {
	t.emit(telemetry.ControlRequestReceived{
		Cause: telemetry.By(requestID(r.Controller, r.CorrelationID)), Request: r.API.String(), From: r.Controller, Epoch: r.ControllerEpoch,
		CorrelationID: r.CorrelationID, Partitions: r.Partitions,
	})
}

// leadershipEvent tells an election and a change of the ISR, by a leader's wish, apart.
func leadershipEvent(by telemetry.Cause, e controller.LeadershipChanged) telemetry.Event {
	now, before := e.Leadership, e.Previous
	switch e.Reason {
	case "AlterPartition", "IsrChangeNotification", "PartitionReassignmentIsrChange":
		return telemetry.IsrCommitted{
			Cause: by, Topic: e.Topic, Partition: e.Partition, Leader: now.Leader, LeaderEpoch: now.LeaderEpoch, PartitionEpoch: now.PartitionEpoch,
			From: slices.Clone(before.ISR), To: slices.Clone(now.ISR), Reason: e.Reason,
		}
	}
	return telemetry.LeaderElected{
		Cause: by, Topic: e.Topic, Partition: e.Partition, Leader: now.Leader, LeaderEpoch: now.LeaderEpoch, PartitionEpoch: now.PartitionEpoch,
		Isr: slices.Clone(now.ISR), PreviousLeader: before.Leader, Reason: e.Reason,
		Unclean: now.Leader != controller.NoLeader && len(before.ISR) > 0 && !slices.Contains(before.ISR, now.Leader),
	}
}

// znodesWritten tells of each operation; checks change nothing.
func (t *instruments) znodesWritten(by telemetry.Cause, ops []controller.Op, results []controller.OpResult) {
	for i, op := range ops {
		if op.Kind == controller.OpCheck {
			continue
		}
		written := telemetry.ZnodeWritten{Cause: by, Op: strings.TrimSuffix(op.Kind.String(), "Data"), Path: op.Path, Bytes: len(op.Data), Version: -1}
		if i < len(results) {
			written.Version = results[i].Stat.Version
			if results[i].Path != "" {
				written.Path = results[i].Path
			}
			if results[i].Err != nil {
				written.Err = results[i].Err.Error()
			}
		}
		t.emit(written)
	}
}

// adminStore is the store of the API handlers: what they write is on the timeline, as what the controller writes is.
type adminStore struct {
	*controllerStore
	t *instruments
}

// Multi applies operations all or none and tells of them.
func (s adminStore) Multi(ctx context.Context, ops ...controller.Op) ([]controller.OpResult, error) {
	results, err := s.controllerStore.Multi(ctx, ops...)
	if err == nil {
		s.t.znodesWritten(telemetry.Cause{}, ops, results)
	}
	return results, err
}

// znodeChanged tells of a watch of the controller that fired.
func (t *instruments) znodeChanged(e zkutil.Event) {
	change := map[zkutil.EventType]string{zkutil.Created: "created", zkutil.DataChanged: "data", zkutil.Deleted: "deleted", zkutil.ChildrenChanged: "children"}[e.Type]
	if change != "" { // a resync is no change
		t.emit(telemetry.ZnodeChanged{Change: change, Path: e.Path})
	}
}

// controllerEpochOf is the controller epoch that a control request carries.
func controllerEpochOf(req wire.Request) int32 {
	switch r := req.(type) {
	case *wire.LeaderAndIsrRequest:
		return r.ControllerEpoch
	case *wire.UpdateMetadataRequest:
		return r.ControllerEpoch
	case *wire.StopReplicaRequest:
		return r.ControllerEpoch
	}
	return 0
}

// finalizedFeaturesEpoch is the version of /feature as last read, -1 without features.
func (b *Broker) finalizedFeaturesEpoch() int64 { return b.featuresEpoch.Load() }

// ordinaryClose tells whether a connection's end needs no line in the log.
func ordinaryClose(reason network.CloseReason) bool {
	switch reason {
	case network.ClosedByPeer, network.ClosedIdle, network.ClosedShutdown, network.ClosedByServer, network.ClosedReadError, network.ClosedWriteError, network.ClosedMidFrame:
		return true
	}
	return false
}
