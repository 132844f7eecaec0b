package api_test

import (
	"slices"

	"github.com/prekraft/prekraft/broker/record"
	"github.com/prekraft/prekraft/broker/wire"
)

// examples are at least one request for each API.
func examples() []example {
	return slices.Concat(dataExamples(), topicExamples(), configExamples(), clusterExamples(), controlExamples(), groupExamples())
}

func dataExamples() []example {
	return []example{
		same(wire.Produce, "there, not there, gone", func(f *fixture) wire.Request {
			one := batch(f.t, record.BuilderOptions{}, f.unique())
			return &wire.ProduceRequest{Acks: -1, TimeoutMs: 1000, TopicData: []wire.ProduceRequestTopic{
				{Name: "there", PartitionData: []wire.ProduceRequestPartition{{Index: 0, Records: one}, {Index: 7, Records: one}}},
				{Name: "gone", PartitionData: []wire.ProduceRequestPartition{{Index: 0, Records: one}}},
			}}
		}, none, unknown, unknown),
		same(wire.Produce, "no records", func(*fixture) wire.Request { return produceRequest("there", 0, 1, nil) }, wire.InvalidRecord),
		same(wire.Produce, "acks 5", func(f *fixture) wire.Request {
			return produceRequest("there", 0, 5, batch(f.t, record.BuilderOptions{}, "x"))
		}, wire.InvalidRequiredAcks),
		differing(wire.Produce, "zstd", func(f *fixture) wire.Request {
			return produceRequest("there", 0, 1, batch(f.t, record.BuilderOptions{Codec: record.CodecZstd}, "x"))
		}, from(7, list(wire.UnsupportedCompressionType), list(none))),
		same(wire.Produce, "a sequence out of order", func(f *fixture) wire.Request {
			return produceRequest("there", 0, 1, batch(f.t, record.BuilderOptions{Producer: &record.ProducerState{ID: 5000, Epoch: 0, BaseSequence: 77}}, "x"))
		}, wire.OutOfOrderSequenceNumber),

		differing(wire.Fetch, "there, not there, out of range", func(f *fixture) wire.Request {
			req := wire.New[wire.FetchRequest]()
			req.MaxWaitMs, req.MinBytes, req.MaxBytes, req.IsolationLevel, req.RackID = 1, 1, 1<<20, 1, "rack"
			part := func(index int32, offset int64) wire.FetchRequestPartition {
				return wire.FetchRequestPartition{Partition: index, FetchOffset: offset, PartitionMaxBytes: 1 << 20, CurrentLeaderEpoch: 0, LastFetchedEpoch: -1, LogStartOffset: -1}
			}
			req.Topics = []wire.FetchRequestTopic{
				{Topic: "there", TopicID: f.topicID, Partitions: []wire.FetchRequestPartition{part(0, 0), part(1, 99), part(7, 0)}},
				{Topic: "gone", TopicID: wire.NewUUID(), Partitions: []wire.FetchRequestPartition{part(0, 0)}},
			}
			return &req
		}, from(13, list(none, none, wire.OffsetOutOfRange, unknown, unknown), list(none, none, wire.OffsetOutOfRange, unknown, wire.UnknownTopicID))),
		differing(wire.Fetch, "wrong epochs", func(f *fixture) wire.Request {
			req := wire.New[wire.FetchRequest]()
			req.MinBytes, req.MaxBytes = 1, 1<<20
			req.Topics = []wire.FetchRequestTopic{{Topic: "there", TopicID: f.topicID, Partitions: []wire.FetchRequestPartition{
				{Partition: 0, PartitionMaxBytes: 1 << 20, CurrentLeaderEpoch: 9, LastFetchedEpoch: -1}, {Partition: 1, PartitionMaxBytes: 1 << 20, CurrentLeaderEpoch: -1, LastFetchedEpoch: -1},
			}}}
			return &req
		}, from(9, list(none, none, none), list(none, wire.UnknownLeaderEpoch, none))),
		differing(wire.Fetch, "a session that isn't", func(*fixture) wire.Request {
			req := wire.New[wire.FetchRequest]()
			req.SessionID, req.SessionEpoch = 77, 3
			return &req
		}, from(7, list(none), list(wire.FetchSessionIDNotFound))),

		differing(wire.ListOffsets, "every kind", func(*fixture) wire.Request {
			part := func(index int32, timestamp int64) wire.ListOffsetsRequestPartition {
				return wire.ListOffsetsRequestPartition{PartitionIndex: index, Timestamp: timestamp, CurrentLeaderEpoch: -1, MaxNumOffsets: 1}
			}
			return &wire.ListOffsetsRequest{ReplicaID: -1, IsolationLevel: 1, Topics: []wire.ListOffsetsRequestTopic{
				{Name: "there", Partitions: []wire.ListOffsetsRequestPartition{part(0, -1), part(1, -2)}},
				{Name: "there", Partitions: []wire.ListOffsetsRequestPartition{part(9, 12345)}},
				{Name: "gone", Partitions: []wire.ListOffsetsRequestPartition{part(0, -1)}},
			}}
		}, from(0, nil, list(none, none, unknown, unknown))),
		differing(wire.ListOffsets, "largest timestamp", func(*fixture) wire.Request {
			return &wire.ListOffsetsRequest{ReplicaID: -1, Topics: []wire.ListOffsetsRequestTopic{{Name: "there", Partitions: []wire.ListOffsetsRequestPartition{
				{PartitionIndex: 0, Timestamp: -3, CurrentLeaderEpoch: -1, MaxNumOffsets: 1},
			}}}}
		}, from(7, list(wire.UnsupportedVersion), list(none))),
		differing(wire.ListOffsets, "local log start", func(*fixture) wire.Request {
			return &wire.ListOffsetsRequest{ReplicaID: -1, Topics: []wire.ListOffsetsRequestTopic{{Name: "there", Partitions: []wire.ListOffsetsRequestPartition{
				{PartitionIndex: 0, Timestamp: -4, CurrentLeaderEpoch: -1, MaxNumOffsets: 1}, {PartitionIndex: 1, Timestamp: 1, CurrentLeaderEpoch: -1, MaxNumOffsets: 1},
			}}}}
		}, from(8, list(wire.UnsupportedVersion, none), list(none, none))),

		same(wire.DeleteRecords, "every kind", func(*fixture) wire.Request {
			return &wire.DeleteRecordsRequest{TimeoutMs: 1000, Topics: []wire.DeleteRecordsRequestTopic{
				{Name: "there", Partitions: []wire.DeleteRecordsRequestPartition{{PartitionIndex: 0, Offset: 1}, {PartitionIndex: 1, Offset: 100}, {PartitionIndex: 7}}},
				{Name: "gone", Partitions: []wire.DeleteRecordsRequestPartition{{PartitionIndex: 0, Offset: -1}}},
			}}
		}, none, wire.OffsetOutOfRange, unknown, unknown),

		differing(wire.OffsetForLeaderEpoch, "epochs", func(*fixture) wire.Request {
			return &wire.OffsetForLeaderEpochRequest{ReplicaID: -1, Topics: []wire.OffsetForLeaderEpochRequestTopic{
				{Topic: "there", Partitions: []wire.OffsetForLeaderEpochRequestPartition{{Partition: 0, CurrentLeaderEpoch: 5, LeaderEpoch: 0}, {Partition: 1, CurrentLeaderEpoch: 0, LeaderEpoch: 3}}},
				{Topic: "gone", Partitions: []wire.OffsetForLeaderEpochRequestPartition{{Partition: 0, CurrentLeaderEpoch: -1}}},
			}}
		}, from(2, list(none, none, unknown), list(wire.UnknownLeaderEpoch, none, unknown))),

		same(wire.DescribeProducers, "a producer", func(*fixture) wire.Request {
			return &wire.DescribeProducersRequest{Topics: []wire.DescribeProducersRequestTopic{{Name: "there", PartitionIndexes: []int32{0, 9}}, {Name: "gone", PartitionIndexes: []int32{0}}}}
		}, none, unknown, unknown),

		same(wire.InitProducerId, "idempotent", func(*fixture) wire.Request {
			req := wire.New[wire.InitProducerIdRequest]()
			return &req
		}, none),
		same(wire.InitProducerId, "transactional", func(*fixture) wire.Request {
			req := wire.New[wire.InitProducerIdRequest]()
			req.TransactionalID, req.TransactionTimeoutMs = new("tx"), 1000
			return &req
		}, wire.CoordinatorNotAvailable),
		differing(wire.InitProducerId, "an id without an epoch", func(*fixture) wire.Request {
			req := wire.New[wire.InitProducerIdRequest]()
			req.ProducerID = 7
			return &req
		}, from(3, list(none), list(wire.InvalidRequest))),
	}
}

func topicExamples() []example {
	return []example{
		same(wire.Metadata, "all", func(*fixture) wire.Request {
			return &wire.MetadataRequest{AllowAutoTopicCreation: true, IncludeClusterAuthorizedOperations: true, IncludeTopicAuthorizedOperations: true}
		}),
		same(wire.Metadata, "by name", func(*fixture) wire.Request {
			return &wire.MetadataRequest{Topics: []wire.MetadataRequestTopic{{Name: new("there")}, {Name: new("no such/name")}}, AllowAutoTopicCreation: true}
		}, none, none, none, wire.InvalidTopicException),
		differing(wire.Metadata, "creating", func(f *fixture) wire.Request {
			return &wire.MetadataRequest{Topics: []wire.MetadataRequestTopic{{Name: new(f.unique())}}}
		}, from(4, list(wire.LeaderNotAvailable), list(unknown))),
		differing(wire.Metadata, "by id", func(f *fixture) wire.Request {
			if f.version < 12 {
				return &wire.MetadataRequest{Topics: []wire.MetadataRequestTopic{{Name: new("there")}}, AllowAutoTopicCreation: true}
			}
			return &wire.MetadataRequest{Topics: []wire.MetadataRequestTopic{{TopicID: f.topicID}, {TopicID: wire.NewUUID()}}, IncludeTopicAuthorizedOperations: true}
		}, from(12, list(none, none, none), list(none, none, none, wire.UnknownTopicID))),

		same(wire.CreateTopics, "every kind", func(f *fixture) wire.Request {
			config := []wire.CreateTopicsRequestConfig{{Name: "retention.ms", Value: new("1000")}}
			return &wire.CreateTopicsRequest{TimeoutMs: 30_000, Topics: []wire.CreateTopicsRequestTopic{
				{Name: f.unique(), NumPartitions: 2, ReplicationFactor: 1, Configs: config},
				{Name: f.unique() + "-assigned", NumPartitions: -1, ReplicationFactor: -1, Assignments: []wire.CreateTopicsRequestAssignment{{PartitionIndex: 0, BrokerIDs: []int32{1}}}},
				{Name: "there", NumPartitions: 1, ReplicationFactor: 1},
				{Name: "no/name", NumPartitions: 1, ReplicationFactor: 1},
				{Name: "many", NumPartitions: 1, ReplicationFactor: 3},
				{Name: "none", NumPartitions: 0, ReplicationFactor: 1},
				{Name: "odd", NumPartitions: 1, ReplicationFactor: 1, Configs: []wire.CreateTopicsRequestConfig{{Name: "retention.ms", Value: new("soon")}}},
				{Name: "null", NumPartitions: 1, ReplicationFactor: 1, Configs: []wire.CreateTopicsRequestConfig{{Name: "retention.ms"}}},
				{Name: "odd-assignment", NumPartitions: -1, ReplicationFactor: -1, Assignments: []wire.CreateTopicsRequestAssignment{{PartitionIndex: 0, BrokerIDs: []int32{1, 1}}}},
				{Name: "twice", NumPartitions: 1, ReplicationFactor: 1}, {Name: "twice", NumPartitions: 1, ReplicationFactor: 1},
			}}
			// A topic's answer has a second code, for its configs.
		}, none, none, none, none, wire.TopicAlreadyExists, none, wire.InvalidTopicException, none, wire.InvalidReplicationFactor, none, wire.InvalidPartitions, none,
			wire.InvalidConfig, none, wire.InvalidConfig, none, wire.InvalidReplicaAssignment, none, wire.InvalidRequest, none, wire.InvalidRequest, none),
		same(wire.CreateTopics, "validate only", func(f *fixture) wire.Request {
			return &wire.CreateTopicsRequest{TimeoutMs: 30_000, ValidateOnly: true, Topics: []wire.CreateTopicsRequestTopic{{Name: f.unique(), NumPartitions: 2, ReplicationFactor: 1}}}
		}, none, none),

		differing(wire.DeleteTopics, "every kind", func(f *fixture) wire.Request {
			makeTopic(f.t, f.cluster, f.conn, f.unique(), 1)
			id := makeTopic(f.t, f.cluster, f.conn, f.unique()+"-id", 1)
			return &wire.DeleteTopicsRequest{TimeoutMs: 30_000, TopicNames: []string{f.unique(), f.unique() + "-id", "gone"}, Topics: []wire.DeleteTopicsRequestTopic{
				{Name: new(f.unique())}, {TopicID: id}, {Name: new("gone")}, {TopicID: wire.NewUUID()},
			}}
		}, from(6, list(none, none, unknown), list(none, none, unknown, wire.UnknownTopicID))),

		same(wire.CreatePartitions, "every kind", func(f *fixture) wire.Request {
			makeTopic(f.t, f.cluster, f.conn, f.unique(), 1)
			return &wire.CreatePartitionsRequest{TimeoutMs: 30_000, Topics: []wire.CreatePartitionsRequestTopic{
				{Name: f.unique(), Count: 3, Assignments: []wire.CreatePartitionsRequestAssignment{{BrokerIDs: []int32{1}}, {BrokerIDs: []int32{1}}}}, {Name: "gone", Count: 3}, {Name: "there", Count: 1},
			}}
		}, none, unknown, wire.InvalidPartitions),
		same(wire.CreatePartitions, "validate only", func(*fixture) wire.Request {
			return &wire.CreatePartitionsRequest{TimeoutMs: 30_000, ValidateOnly: true, Topics: []wire.CreatePartitionsRequestTopic{{Name: "there", Count: 5}}}
		}, none),

		same(wire.ElectLeaders, "there and gone", func(*fixture) wire.Request {
			return &wire.ElectLeadersRequest{TimeoutMs: 1000, TopicPartitions: []wire.ElectLeadersRequestTopic{{Topic: "there", Partitions: []int32{0}}, {Topic: "gone", Partitions: []int32{0}}}}
		}, none, unknown, wire.ElectionNotNeeded),
		same(wire.AlterPartitionReassignments, "there and gone", func(*fixture) wire.Request {
			return &wire.AlterPartitionReassignmentsRequest{TimeoutMs: 1000, Topics: []wire.AlterPartitionReassignmentsRequestTopic{
				{Name: "there", Partitions: []wire.AlterPartitionReassignmentsRequestPartition{{Replicas: []int32{brokerID}}, {PartitionIndex: 7, Replicas: []int32{}}}},
				{Name: "gone", Partitions: []wire.AlterPartitionReassignmentsRequestPartition{{}}},
			}}
		}, none, none, wire.InvalidReplicaAssignment, wire.NoReassignmentInProgress),
		same(wire.ListPartitionReassignments, "there and gone", func(*fixture) wire.Request {
			return &wire.ListPartitionReassignmentsRequest{TimeoutMs: 1000, Topics: []wire.ListPartitionReassignmentsRequestTopic{
				{Name: "there", PartitionIndexes: []int32{0}}, {Name: "gone", PartitionIndexes: []int32{0}},
			}}
		}, none),
		same(wire.ListPartitionReassignments, "all", func(*fixture) wire.Request { return &wire.ListPartitionReassignmentsRequest{TimeoutMs: 1000} }, none),
		same(wire.ElectLeaders, "all", func(*fixture) wire.Request { return &wire.ElectLeadersRequest{TimeoutMs: 1000} }, none),
	}
}

func configExamples() []example {
	return []example{
		same(wire.DescribeConfigs, "every kind", func(*fixture) wire.Request {
			return &wire.DescribeConfigsRequest{IncludeSynonyms: true, IncludeDocumentation: true, Resources: []wire.DescribeConfigsRequestResource{
				{ResourceType: 2, ResourceName: "there"}, {ResourceType: 2, ResourceName: "there", ConfigurationKeys: []string{"retention.ms"}}, {ResourceType: 2, ResourceName: "gone"},
				{ResourceType: 4, ResourceName: "1"}, {ResourceType: 4}, {ResourceType: 4, ResourceName: "9"}, {ResourceType: 4, ResourceName: "one"},
				{ResourceType: 8, ResourceName: "1"}, {ResourceType: 8, ResourceName: "9"}, {ResourceType: 33, ResourceName: "x"},
			}}
		}, none, none, unknown, none, none, wire.InvalidRequest, wire.InvalidRequest, none, wire.InvalidRequest, wire.InvalidRequest),
		same(wire.AlterConfigs, "every kind", func(*fixture) wire.Request {
			value := func(name, value string) []wire.AlterConfigsRequestConfig {
				return []wire.AlterConfigsRequestConfig{{Name: name, Value: new(value)}}
			}
			return &wire.AlterConfigsRequest{Resources: []wire.AlterConfigsRequestResource{
				{ResourceType: 2, ResourceName: "there", Configs: value("retention.ms", "2000")}, {ResourceType: 2, ResourceName: "there", Configs: value("retention.ms", "soon")},
				{ResourceType: 2, ResourceName: "gone", Configs: value("retention.ms", "2000")}, {ResourceType: 4, ResourceName: "1", Configs: value("max.connections.per.ip", "1000")},
				{ResourceType: 4, ResourceName: "1", Configs: value("broker.id", "7")}, {ResourceType: 4, Configs: value("max.connections.per.ip", "1000")}, {ResourceType: 77, ResourceName: "x"},
			}}
		}, none, wire.InvalidConfig, unknown, none, wire.InvalidRequest, none, wire.InvalidRequest),
		same(wire.IncrementalAlterConfigs, "every kind", func(*fixture) wire.Request {
			change := func(op int8, name string, value *string) []wire.IncrementalAlterConfigsRequestConfig {
				return []wire.IncrementalAlterConfigsRequestConfig{{Name: name, ConfigOperation: op, Value: value}}
			}
			return &wire.IncrementalAlterConfigsRequest{Resources: []wire.IncrementalAlterConfigsRequestResource{
				{ResourceType: 2, ResourceName: "there", Configs: change(2, "cleanup.policy", new("compact"))}, {ResourceType: 2, ResourceName: "gone", Configs: change(1, "retention.ms", nil)},
				{ResourceType: 4, ResourceName: "1", Configs: change(1, "max.connections.per.ip", nil)}, {ResourceType: 4, Configs: change(1, "max.connections.per.ip", nil)},
				{ResourceType: 8, ResourceName: "1", Configs: change(0, "root", new("DEBUG"))}, {ResourceType: 8, ResourceName: "7", Configs: change(0, "root", new("DEBUG"))},
			}}
		}, none, unknown, none, none, none, wire.InvalidRequest),
		same(wire.IncrementalAlterConfigs, "take back", func(*fixture) wire.Request {
			return &wire.IncrementalAlterConfigsRequest{Resources: []wire.IncrementalAlterConfigsRequestResource{
				{ResourceType: 2, ResourceName: "there", Configs: []wire.IncrementalAlterConfigsRequestConfig{{Name: "cleanup.policy", ConfigOperation: 1}}},
				{ResourceType: 2, ResourceName: "no/name", Configs: []wire.IncrementalAlterConfigsRequestConfig{{Name: "cleanup.policy", ConfigOperation: 1}}},
				{ResourceType: 4, ResourceName: "1", Configs: []wire.IncrementalAlterConfigsRequestConfig{{Name: "message.max.bytes", ConfigOperation: 2, Value: new("5")}}},
				{ResourceType: 4, Configs: []wire.IncrementalAlterConfigsRequestConfig{{Name: "message.max.bytes", ConfigOperation: 9, Value: new("5")}}},
				{ResourceType: 4, Configs: []wire.IncrementalAlterConfigsRequestConfig{{Name: "message.max.bytes", ConfigOperation: 9, Value: new("5")}}},
			}}
		}, none, wire.InvalidTopicException, wire.InvalidConfig, wire.InvalidRequest, wire.InvalidRequest),
	}
}

func clusterExamples() []example {
	return []example{
		same(wire.ApiVersions, "named", func(*fixture) wire.Request {
			return &wire.ApiVersionsRequest{ClientSoftwareName: "a-client", ClientSoftwareVersion: "1.2.3"}
		}, none),
		differing(wire.ApiVersions, "no name", func(*fixture) wire.Request {
			return &wire.ApiVersionsRequest{ClientSoftwareName: "no name!", ClientSoftwareVersion: "1"}
		}, from(3, list(none), list(wire.InvalidRequest))),
		same(wire.DescribeCluster, "with operations", func(*fixture) wire.Request {
			return &wire.DescribeClusterRequest{IncludeClusterAuthorizedOperations: true, EndpointType: 1}
		}, none),
		differing(wire.DescribeCluster, "controllers", func(*fixture) wire.Request { return &wire.DescribeClusterRequest{EndpointType: 2} },
			from(1, list(none), list(wire.MismatchedEndpointType))),
		same(wire.AlterReplicaLogDirs, "everything that is refused", func(f *fixture) wire.Request {
			return &wire.AlterReplicaLogDirsRequest{Dirs: []wire.AlterReplicaLogDirsRequestDir{
				{Path: "/elsewhere", Topics: []wire.AlterReplicaLogDirsRequestTopic{{Name: "there", Partitions: []int32{0}}}},
			}}
		}, wire.LogDirNotFound),
		same(wire.DescribeLogDirs, "all", func(*fixture) wire.Request { return &wire.DescribeLogDirsRequest{} }, none, none),
		same(wire.DescribeLogDirs, "one", func(*fixture) wire.Request {
			return &wire.DescribeLogDirsRequest{Topics: []wire.DescribeLogDirsRequestTopic{{Topic: "there", Partitions: []int32{0}}, {Topic: "gone", Partitions: []int32{0}}}}
		}, none, none),
	}
}
