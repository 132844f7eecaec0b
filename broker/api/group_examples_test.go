package api_test

import (
	"github.com/prekraft/prekraft/broker/wire"
)

// groupExamples are the requests of groups. Those that need a generation are tested in integration/groups.
func groupExamples() []example {
	partitions := []wire.OffsetCommitRequestPartition{
		{PartitionIndex: 0, CommittedOffset: 3, CommittedLeaderEpoch: 0, CommitTimestamp: 1700000000000, CommittedMetadata: new("m")},
		{PartitionIndex: 9, CommittedOffset: 3, CommittedLeaderEpoch: -1, CommitTimestamp: -1},
	}
	return []example{
		differing(wire.FindCoordinator, "a group", func(*fixture) wire.Request {
			return &wire.FindCoordinatorRequest{Key: "g", CoordinatorKeys: []string{"g", "h"}}
		}, from(4, list(none), list(none, none, none))),
		differing(wire.FindCoordinator, "a transaction", func(f *fixture) wire.Request {
			return &wire.FindCoordinatorRequest{Key: "t", KeyType: 1, CoordinatorKeys: []string{"t"}}
		}, func(version int16) []wire.Error {
			switch {
			case version == 0:
				return list(none) // which knows groups only
			case version < 4:
				return list(wire.CoordinatorNotAvailable)
			}
			return list(none, wire.CoordinatorNotAvailable)
		}),
		differing(wire.FindCoordinator, "a share group", func(f *fixture) wire.Request {
			return &wire.FindCoordinatorRequest{Key: "t", KeyType: 2, CoordinatorKeys: []string{"t"}}
		}, func(version int16) []wire.Error {
			switch {
			case version == 0:
				return list(none)
			case version < 4:
				return list(wire.InvalidRequest)
			case version < 6:
				return list(none, wire.InvalidRequest)
			}
			return list(none, wire.CoordinatorNotAvailable)
		}),

		differing(wire.OffsetCommit, "from outside a group", func(*fixture) wire.Request {
			return &wire.OffsetCommitRequest{GroupID: "g", GenerationIDOrMemberEpoch: -1, RetentionTimeMs: 1 << 40, Topics: []wire.OffsetCommitRequestTopic{
				{Name: "there", Partitions: partitions}, {Name: "gone", Partitions: partitions[:1]},
			}}
		}, from(0, nil, list(none, unknown, unknown))),
		differing(wire.OffsetCommit, "from a member that isn't", func(*fixture) wire.Request {
			return &wire.OffsetCommitRequest{GroupID: "g", GenerationIDOrMemberEpoch: 4, MemberID: "m", GroupInstanceID: new("i"), RetentionTimeMs: -1,
				Topics: []wire.OffsetCommitRequestTopic{{Name: "there", Partitions: partitions[:1]}}}
		}, from(1, list(none), list(wire.UnknownMemberID))),

		differing(wire.OffsetFetch, "something, nothing, gone", func(f *fixture) wire.Request {
			req := &wire.OffsetFetchRequest{GroupID: "g", Topics: []wire.OffsetFetchRequestTopic{{Name: "there", PartitionIndexes: []int32{0, 1}}, {Name: "gone", PartitionIndexes: []int32{0}}}}
			for _, topic := range req.Topics {
				if len(req.Groups) == 0 {
					req.Groups = []wire.OffsetFetchRequestGroup{{GroupID: "g", MemberID: new("m"), MemberEpoch: -1}}
				}
				req.Groups[0].Topics = append(req.Groups[0].Topics, wire.OffsetFetchRequestGroupTopic(topic))
			}
			return req
		}, func(version int16) []wire.Error {
			switch {
			case version == 0: // the znode that v0 of OffsetCommit made
				return list(none, unknown, unknown, none)
			case version < 8:
				return list(none, none, none, none)
			}
			return list(none, none, none, none, none)
		}),
		differing(wire.OffsetFetch, "all of it", func(*fixture) wire.Request {
			return &wire.OffsetFetchRequest{GroupID: "g", Groups: []wire.OffsetFetchRequestGroup{{GroupID: "g", MemberEpoch: -1}}, RequireStable: true}
		}, func(version int16) []wire.Error {
			switch {
			case version < 2: // an empty list is nothing
				return list(none)
			case version < 8:
				return list(none, none)
			}
			return list(none, none, none)
		}),

		differing(wire.JoinGroup, "a new member", func(f *fixture) wire.Request {
			return &wire.JoinGroupRequest{GroupID: f.unique(), SessionTimeoutMs: 10_000, RebalanceTimeoutMs: 1000, ProtocolType: "consumer", Reason: new("because"),
				Protocols: []wire.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte{0, 0, 0, 0, 0, 0}}}}
		}, from(4, list(none), list(wire.MemberIDRequired))),
		differing(wire.JoinGroup, "a static member", func(f *fixture) wire.Request {
			return &wire.JoinGroupRequest{GroupID: f.unique(), SessionTimeoutMs: 10_000, RebalanceTimeoutMs: 1000, GroupInstanceID: new("i"), ProtocolType: "consumer",
				Protocols: []wire.JoinGroupRequestProtocol{{Name: "range"}}}
		}, func(version int16) []wire.Error {
			if version == 4 { // it knows no static members
				return list(wire.MemberIDRequired)
			}
			return list(none)
		}),
		same(wire.JoinGroup, "a session too short", func(f *fixture) wire.Request {
			return &wire.JoinGroupRequest{GroupID: "g", SessionTimeoutMs: 10, ProtocolType: "consumer", Protocols: []wire.JoinGroupRequestProtocol{{Name: "range"}}}
		}, wire.InvalidSessionTimeout),
		same(wire.JoinGroup, "no group", func(f *fixture) wire.Request {
			return &wire.JoinGroupRequest{SessionTimeoutMs: 10_000, ProtocolType: "consumer"}
		}, wire.InvalidGroupID),

		differing(wire.SyncGroup, "no such member", func(f *fixture) wire.Request {
			return &wire.SyncGroupRequest{GroupID: "g", GenerationID: 1, MemberID: "m", GroupInstanceID: new("i"), ProtocolType: new("consumer"), ProtocolName: new("range"),
				Assignments: []wire.SyncGroupRequestAssignment{{MemberID: "m", Assignment: []byte{1}}}}
		}, from(0, nil, list(wire.UnknownMemberID))),
		differing(wire.SyncGroup, "no protocol", func(f *fixture) wire.Request {
			return &wire.SyncGroupRequest{GroupID: "g", GenerationID: 1, MemberID: "m"}
		}, from(5, list(wire.UnknownMemberID), list(wire.InconsistentGroupProtocol))),
		same(wire.Heartbeat, "no such member", func(f *fixture) wire.Request {
			return &wire.HeartbeatRequest{GroupID: "g", GenerationID: 1, MemberID: "m", GroupInstanceID: new("i")}
		}, wire.UnknownMemberID),
		differing(wire.LeaveGroup, "no such member", func(f *fixture) wire.Request {
			return &wire.LeaveGroupRequest{GroupID: "g", MemberID: "m", Members: []wire.LeaveGroupRequestMember{{MemberID: "m", GroupInstanceID: new("i"), Reason: new("r")}, {MemberID: "n"}}}
		}, from(3, list(wire.UnknownMemberID), list(none, wire.UnknownMemberID, wire.UnknownMemberID))),

		same(wire.DescribeGroups, "one and none", func(f *fixture) wire.Request {
			return &wire.DescribeGroupsRequest{Groups: []string{"g", "none"}, IncludeAuthorizedOperations: true}
		}, none, none),
		same(wire.ListGroups, "filtered", func(f *fixture) wire.Request {
			return &wire.ListGroupsRequest{StatesFilter: []string{"empty"}, TypesFilter: []string{"Classic"}}
		}, none),
		same(wire.DeleteGroups, "one that isn't", func(f *fixture) wire.Request {
			return &wire.DeleteGroupsRequest{GroupsNames: []string{f.unique()}}
		}, wire.GroupIDNotFound),
		same(wire.OffsetDelete, "there and gone", func(f *fixture) wire.Request {
			return &wire.OffsetDeleteRequest{GroupID: "g", Topics: []wire.OffsetDeleteRequestTopic{
				{Name: "there", Partitions: []wire.OffsetDeleteRequestPartition{{PartitionIndex: 1}, {PartitionIndex: 8}}},
			}}
		}, none, none, unknown),
		same(wire.OffsetDelete, "no group", func(f *fixture) wire.Request { return &wire.OffsetDeleteRequest{GroupID: f.unique()} }, wire.GroupIDNotFound),
	}
}
