package api_test

import (
	"github.com/prekraft/prekraft/broker/wire"
)

// controlExamples are the requests between brokers. The broker's own controller goes on meanwhile, so what is made here are partitions that it doesn't know.
func controlExamples() []example {
	return []example{
		same(wire.UpdateMetadata, "a topic", func(f *fixture) wire.Request {
			id, epoch, controllerEpoch := f.broker()
			state := wire.UpdateMetadataPartitionState{
				TopicName: f.unique(), ControllerEpoch: controllerEpoch, Leader: id, Isr: []int32{id}, Replicas: []int32{id, 8}, OfflineReplicas: []int32{8},
			}
			return &wire.UpdateMetadataRequest{
				ControllerID: id, ControllerEpoch: controllerEpoch, BrokerEpoch: epoch, UngroupedPartitionStates: []wire.UpdateMetadataPartitionState{state},
				TopicStates: []wire.UpdateMetadataTopicState{{TopicName: f.unique(), TopicID: wire.NewUUID(), PartitionStates: []wire.UpdateMetadataPartitionState{state}}},
				LiveBrokers: []wire.UpdateMetadataBroker{{
					ID: id, V0Host: "127.0.0.1", V0Port: 9092, Endpoints: []wire.UpdateMetadataEndpoint{{Port: 9092, Host: "127.0.0.1", Listener: "PLAINTEXT"}}, Rack: new("r"),
				}},
			}
		}, none),
		same(wire.UpdateMetadata, "of an old controller", func(f *fixture) wire.Request {
			id, epoch, controllerEpoch := f.broker()
			return &wire.UpdateMetadataRequest{ControllerID: id, ControllerEpoch: controllerEpoch - 1, BrokerEpoch: epoch}
		}, wire.StaleControllerEpoch),
		differing(wire.UpdateMetadata, "to a former life", func(f *fixture) wire.Request {
			id, epoch, controllerEpoch := f.broker()
			return &wire.UpdateMetadataRequest{
				ControllerID: id, ControllerEpoch: controllerEpoch, BrokerEpoch: epoch - 1,
				LiveBrokers: []wire.UpdateMetadataBroker{{
					ID: id, V0Host: "127.0.0.1", V0Port: 9092, Endpoints: []wire.UpdateMetadataEndpoint{{Port: 9092, Host: "127.0.0.1", Listener: "PLAINTEXT"}},
				}},
			}
		}, from(5, list(none), list(wire.StaleBrokerEpoch))),

		differing(wire.LeaderAndIsr, "a new partition", func(f *fixture) wire.Request {
			id, epoch, controllerEpoch := f.broker()
			state := wire.LeaderAndIsrPartitionState{
				TopicName: f.unique(), ControllerEpoch: controllerEpoch, Leader: id, LeaderEpoch: 0, Isr: []int32{id}, PartitionEpoch: 0, Replicas: []int32{id},
				AddingReplicas: []int32{9}, RemovingReplicas: []int32{8}, IsNew: true,
			}
			return &wire.LeaderAndIsrRequest{
				ControllerID: id, ControllerEpoch: controllerEpoch, BrokerEpoch: epoch, UngroupedPartitionStates: []wire.LeaderAndIsrPartitionState{state},
				TopicStates: []wire.LeaderAndIsrTopicState{{TopicName: f.unique(), TopicID: wire.NewUUID(), PartitionStates: []wire.LeaderAndIsrPartitionState{state}}},
				LiveLeaders: []wire.LeaderAndIsrLiveLeader{{BrokerID: id, HostName: "127.0.0.1", Port: 9092}},
			}
		}, func(int16) []wire.Error { return list(none, none) }),
		same(wire.LeaderAndIsr, "of an old controller", func(f *fixture) wire.Request {
			id, epoch, controllerEpoch := f.broker()
			return &wire.LeaderAndIsrRequest{ControllerID: id, ControllerEpoch: controllerEpoch - 1, BrokerEpoch: epoch}
		}, wire.StaleControllerEpoch),

		same(wire.StopReplica, "of a partition that isn't here", func(f *fixture) wire.Request {
			id, epoch, controllerEpoch := f.broker()
			return &wire.StopReplicaRequest{
				ControllerID: id, ControllerEpoch: controllerEpoch, BrokerEpoch: epoch, DeletePartitions: true,
				UngroupedPartitions: []wire.StopReplicaPartitionV0{{TopicName: f.unique(), PartitionIndex: 3}},
				Topics:              []wire.StopReplicaTopicV1{{Name: f.unique(), PartitionIndexes: []int32{3}}},
				TopicStates: []wire.StopReplicaTopicState{{TopicName: f.unique(), PartitionStates: []wire.StopReplicaPartitionState{
					{PartitionIndex: 3, LeaderEpoch: -2, DeletePartition: true},
				}}},
			}
		}, none, none),
		same(wire.StopReplica, "of an old controller", func(f *fixture) wire.Request {
			id, epoch, controllerEpoch := f.broker()
			return &wire.StopReplicaRequest{ControllerID: id, ControllerEpoch: controllerEpoch - 1, BrokerEpoch: epoch}
		}, wire.StaleControllerEpoch),

		// Broker 1 itself would be taken for one that is about to stop in the versions without a broker epoch.
		differing(wire.ControlledShutdown, "of a broker that isn't alive", func(*fixture) wire.Request {
			return &wire.ControlledShutdownRequest{BrokerID: 77, BrokerEpoch: 5}
		}, from(2, list(wire.BrokerNotAvailable), list(wire.UnknownServerError))),

		differing(wire.AlterPartition, "a smaller ISR", func(f *fixture) wire.Request {
			id, epoch, _ := f.broker()
			return &wire.AlterPartitionRequest{BrokerID: id, BrokerEpoch: epoch, Topics: []wire.AlterPartitionRequestTopic{
				{TopicName: "there", TopicID: f.topicID, Partitions: []wire.AlterPartitionRequestPartition{
					{PartitionIndex: 0, LeaderEpoch: 9, NewIsr: []int32{id}, NewIsrWithEpochs: []wire.AlterPartitionRequestBrokerState{{BrokerID: id, BrokerEpoch: epoch}}},
				}},
				{TopicName: "gone", TopicID: wire.NewUUID(), Partitions: []wire.AlterPartitionRequestPartition{{PartitionIndex: 0, NewIsr: []int32{id}}}},
			}}
		}, from(2, list(none, wire.NotController, unknown), list(none, wire.NotController, wire.UnknownTopicID))),
		same(wire.AlterPartition, "of a former life", func(f *fixture) wire.Request {
			id, epoch, _ := f.broker()
			return &wire.AlterPartitionRequest{BrokerID: id, BrokerEpoch: epoch - 1}
		}, wire.StaleBrokerEpoch),

		same(wire.AllocateProducerIds, "a block", func(f *fixture) wire.Request {
			id, epoch, _ := f.broker()
			return &wire.AllocateProducerIdsRequest{BrokerID: id, BrokerEpoch: epoch}
		}, none),
		same(wire.AllocateProducerIds, "for a former life", func(f *fixture) wire.Request {
			id, epoch, _ := f.broker()
			return &wire.AllocateProducerIdsRequest{BrokerID: id, BrokerEpoch: epoch - 1}
		}, wire.StaleBrokerEpoch),
	}
}
