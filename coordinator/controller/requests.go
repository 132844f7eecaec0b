package controller

import (
	"github.com/prekraft/prekraft/broker/wire"
)

// Requests are built by the channel goroutines from the snapshots a batch took, in the versions of the IBP.

// outgoing is one request on its way and what is to be done with its answer.
type outgoing struct {
	request    wire.Request
	version    int16
	partitions int
	deletes    map[TopicPartition]bool // StopReplica: the partitions to delete.
}

// requests builds the requests of a round for one broker in sending order.
func (r *round) requests(ibp IBP, brokerEpoch int64) []outgoing {
	var out []outgoing
	metadata := func() {
		if r.metadata != nil {
			out = append(out, outgoing{
				request: r.updateMetadata(ibp, brokerEpoch), version: ibp.UpdateMetadataVersion(), partitions: len(r.metadata.partitions),
			})
		}
	}
	if r.metadataFirst {
		metadata()
	}
	if len(r.roles) > 0 {
		out = append(out, outgoing{
			request: r.leaderAndIsr(ibp, brokerEpoch), version: ibp.LeaderAndIsrVersion(), partitions: len(r.roles),
		})
	}
	if !r.metadataFirst {
		metadata()
	}
	if len(r.stops) > 0 {
		out = append(out, r.stopReplica(ibp, brokerEpoch)...)
	}
	return out
}

func (r *round) leaderAndIsr(ibp IBP, brokerEpoch int64) *wire.LeaderAndIsrRequest {
	req := &wire.LeaderAndIsrRequest{
		ControllerID: r.controllerID, ControllerEpoch: r.controllerEpoch, BrokerEpoch: brokerEpoch,
	}
	grouped := ibp.LeaderAndIsrVersion() >= 2
	leaders := map[int32]bool{}
	states := make([]wire.LeaderAndIsrPartitionState, len(r.roles))
	start := 0
	for i, x := range r.roles {
		leaders[x.lead.Leader] = true
		states[i] = wire.LeaderAndIsrPartitionState{
			PartitionIndex: x.tp.Partition, ControllerEpoch: x.lead.ControllerEpoch, Leader: x.lead.Leader,
			LeaderEpoch: x.lead.LeaderEpoch, Isr: x.lead.ISR, PartitionEpoch: x.lead.PartitionEpoch,
			Replicas: x.replicas, AddingReplicas: x.adding, RemovingReplicas: x.removing, IsNew: x.isNew,
		}
		if ibp.LeaderRecovery() {
			states[i].LeaderRecoveryState = int8(x.lead.Recovery)
		}
		if !grouped {
			states[i].TopicName = x.tp.Topic
			continue
		}
		last := i == len(r.roles)-1
		if last || r.roles[i+1].tp.Topic != x.tp.Topic || r.roles[i+1].topicID != x.topicID {
			t := wire.LeaderAndIsrTopicState{TopicName: x.tp.Topic, PartitionStates: states[start : i+1]}
			if ibp.TopicIDs() {
				t.TopicID = x.topicID
			}
			req.TopicStates = append(req.TopicStates, t)
			start = i + 1
		}
	}
	if !grouped {
		req.UngroupedPartitionStates = states
	}
	for _, e := range r.live {
		if leaders[e.BrokerID] {
			req.LiveLeaders = append(req.LiveLeaders, wire.LeaderAndIsrLiveLeader{BrokerID: e.BrokerID, HostName: e.Host, Port: e.Port})
		}
	}
	return req
}

func (r *round) updateMetadata(ibp IBP, brokerEpoch int64) *wire.UpdateMetadataRequest {
	u := r.metadata
	u.once.Do(func() { u.build(ibp) })
	return &wire.UpdateMetadataRequest{
		ControllerID: r.controllerID, ControllerEpoch: r.controllerEpoch, BrokerEpoch: brokerEpoch,
		UngroupedPartitionStates: u.flat, TopicStates: u.topics, LiveBrokers: u.live,
	}
}

// build makes the parts that all brokers get alike. Nobody changes them afterwards.
func (u *metadataUpdate) build(ibp IBP) {
	grouped := ibp.UpdateMetadataVersion() >= 5
	states := make([]wire.UpdateMetadataPartitionState, len(u.partitions))
	start := 0
	for i, s := range u.partitions {
		states[i] = wire.UpdateMetadataPartitionState{
			PartitionIndex: s.tp.Partition, ControllerEpoch: s.lead.ControllerEpoch, Leader: s.lead.Leader,
			LeaderEpoch: s.lead.LeaderEpoch, Isr: s.lead.ISR, ZkVersion: s.lead.PartitionEpoch,
			Replicas: s.replicas, OfflineReplicas: s.offline,
		}
		if s.deleting {
			states[i].Leader, states[i].LeaderEpoch, states[i].ZkVersion = LeaderDuringDelete, 0, 0
		}
		if !grouped {
			states[i].TopicName = s.tp.Topic
			continue
		}
		if i == len(u.partitions)-1 || u.partitions[i+1].tp.Topic != s.tp.Topic || u.partitions[i+1].topicID != s.topicID {
			t := wire.UpdateMetadataTopicState{TopicName: s.tp.Topic, PartitionStates: states[start : i+1]}
			if ibp.TopicIDs() {
				t.TopicID = s.topicID
			}
			u.topics = append(u.topics, t)
			start = i + 1
		}
	}
	if !grouped {
		u.flat = states
	}
	for _, b := range u.brokers {
		u.live = append(u.live, liveBroker(b))
	}
}

func liveBroker(b *brokerInfo) wire.UpdateMetadataBroker {
	live := wire.UpdateMetadataBroker{ID: b.id}
	if b.info.Rack != "" {
		live.Rack = &b.info.Rack
	}
	for _, e := range b.info.Endpoints {
		if e.Protocol == "PLAINTEXT" && live.V0Host == "" {
			live.V0Host, live.V0Port = e.Host, e.Port
		}
		live.Endpoints = append(live.Endpoints, wire.UpdateMetadataEndpoint{
			Port: e.Port, Host: e.Host, Listener: e.Listener, SecurityProtocol: securityProtocolID(e.Protocol),
		})
	}
	return live
}

func securityProtocolID(name string) int16 {
	switch name {
	case "SSL":
		return 1
	case "SASL_PLAINTEXT":
		return 2
	case "SASL_SSL":
		return 3
	}
	return 0
}

// stopReplica builds one request, or before version 3 one for the replicas to keep and one for those to delete.
func (r *round) stopReplica(ibp IBP, brokerEpoch int64) []outgoing {
	version := ibp.StopReplicaVersion()
	base := wire.StopReplicaRequest{
		ControllerID: r.controllerID, ControllerEpoch: r.controllerEpoch, BrokerEpoch: brokerEpoch,
	}
	deletes := map[TopicPartition]bool{}
	for _, s := range r.stops {
		if s.remove {
			deletes[s.tp] = true
		}
	}
	if version >= 3 {
		req := base
		for _, s := range r.stops {
			n := len(req.TopicStates)
			if n == 0 || req.TopicStates[n-1].TopicName != s.tp.Topic {
				req.TopicStates = append(req.TopicStates, wire.StopReplicaTopicState{TopicName: s.tp.Topic})
				n++
			}
			t := &req.TopicStates[n-1]
			t.PartitionStates = append(t.PartitionStates, wire.StopReplicaPartitionState{
				PartitionIndex: s.tp.Partition, LeaderEpoch: s.leaderEpoch, DeletePartition: s.remove,
			})
		}
		return []outgoing{{request: &req, version: version, partitions: len(r.stops), deletes: deletes}}
	}
	var out []outgoing
	for _, remove := range []bool{false, true} {
		req := base
		req.DeletePartitions = remove
		count := 0
		for _, s := range r.stops {
			if s.remove != remove {
				continue
			}
			count++
			if version == 0 {
				req.UngroupedPartitions = append(req.UngroupedPartitions, wire.StopReplicaPartitionV0{TopicName: s.tp.Topic, PartitionIndex: s.tp.Partition})
				continue
			}
			n := len(req.Topics)
			if n == 0 || req.Topics[n-1].Name != s.tp.Topic {
				req.Topics = append(req.Topics, wire.StopReplicaTopicV1{Name: s.tp.Topic})
				n++
			}
			req.Topics[n-1].PartitionIndexes = append(req.Topics[n-1].PartitionIndexes, s.tp.Partition)
		}
		if count == 0 {
			continue
		}
		o := outgoing{request: &req, version: version, partitions: count}
		if remove {
			o.deletes = deletes
		}
		out = append(out, o)
	}
	return out
}
